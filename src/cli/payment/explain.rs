//! `payment explain`: why a payment is where it is, in sentences for support staff.

use super::show::existing;
use crate::cli::{Context, failure::Failure};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The payment.
    #[arg(value_name = "ID")]
    payment_id: String,
}

pub(super) fn run(arguments: &Arguments, context: &mut Context) -> Result<(), Failure> {
    let views = context.views()?;
    existing(&views, &arguments.payment_id)?;
    Ok(())
}
