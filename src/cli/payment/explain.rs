//! `payment explain`: why a payment is where it is, in sentences for support staff.

use super::sentences::explain;
use crate::{
    cli::{Context, failure::Failure, inbox::valid_id},
    clock::{Clock, SystemClock},
    domain::{
        payment::{Payment, PaymentId},
        time::UnixMs,
        view::ChainView,
    },
    store::Kind,
};
use serde_json::json;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The payment.
    #[arg(value_name = "ID")]
    payment_id: String,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, context: &mut Context) -> Result<(), Failure> {
    let id = valid_id(&arguments.payment_id)?;
    let reader = context.reader()?;
    let payment = PaymentId::new(&id)
        .map(|id| reader.find(&id))
        .transpose()?
        .flatten()
        .ok_or_else(|| Failure::failed(format!("there is no payment {id:?}")))?;
    let chain = reader.chain(&payment.chain)?;
    let chain = chain.ok_or_else(|| {
        Failure::failed(format!("the database does not know the chain of {id:?}"))
    })?;
    let now = match reader.kind() {
        Kind::Live => SystemClock::new().now().wall,
        Kind::Sandbox => latest_known(&payment, &chain.view),
    };
    let sentences = explain(&payment, &chain.view, now);
    if arguments.json {
        let status = payment.judged.status.as_str();
        let whole = json!({ "payment_id": id, "status": status, "sentences": sentences });
        return context.screen.json(&whole);
    }
    sentences
        .iter()
        .try_for_each(|sentence| context.screen.line(sentence))
}

/// A sandbox's clock is ahead of this machine's: as late as its blocks and its rows say.
fn latest_known(payment: &Payment, view: &ChainView) -> UnixMs {
    let heads = view.tip.into_iter().chain(view.scanned);
    let times = heads.map(|block| block.time).chain(view.polled_at);
    times.fold(payment.updated_at, UnixMs::max)
}
