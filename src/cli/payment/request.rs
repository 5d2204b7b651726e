//! `payment cancel`, `accept`, `reject`, `ack`, `extend`, `refunded`, `rescan`: one request each.

use crate::{
    cli::{
        Context, Exit,
        failure::Failure,
        inbox::{Author, Sending, body, send_one},
        time::{parse_scan_from, parse_time, scan_from_number},
    },
    config,
    domain::{
        payment::ScanFrom,
        time::{SpanMs, UnixMs},
    },
};
use serde_json::{Value, json};

/// A command that is one request.
pub(super) trait Asks {
    /// The request's kind in the inbox.
    const KIND: &'static str;

    /// About which payment, and how it is sent.
    fn common(&self) -> (&str, &Sending);

    /// The request's body.
    fn body(&self) -> Result<Value, Failure>;
}

/// Writes the request that the arguments say.
pub(super) fn send<A: Asks>(arguments: &A, context: &mut Context) -> Result<(), Failure> {
    let (payment_id, sending) = arguments.common();
    let body = body(arguments.body()?);
    send_one(sending, A::KIND, payment_id, &body, context)
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Cancel {
    /// The payment.
    #[arg(value_name = "ID")]
    payment_id: String,
    #[command(flatten)]
    sending: Sending,
}

impl Asks for Cancel {
    const KIND: &'static str = "cancel";

    fn common(&self) -> (&str, &Sending) {
        (&self.payment_id, &self.sending)
    }

    fn body(&self) -> Result<Value, Failure> {
        Ok(json!({}))
    }
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Accept {
    /// The payment.
    #[arg(value_name = "ID")]
    payment_id: String,
    /// Why; recorded for good.
    #[arg(long)]
    note: String,
    /// How much is accepted, as a record.
    #[arg(long)]
    amount: Option<String>,
    #[command(flatten)]
    sending: Sending,
}

impl Asks for Accept {
    const KIND: &'static str = "accept";

    fn common(&self) -> (&str, &Sending) {
        (&self.payment_id, &self.sending)
    }

    fn body(&self) -> Result<Value, Failure> {
        Ok(json!({ "note": self.note, "amount": self.amount }))
    }
}

/// What `reject` and `ack` take.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Noted {
    /// The payment.
    #[arg(value_name = "ID")]
    payment_id: String,
    /// Why; recorded for good.
    #[arg(long)]
    note: String,
    #[command(flatten)]
    sending: Sending,
}

impl Noted {
    fn body(&self) -> Value {
        json!({ "note": self.note })
    }
}

pub(super) struct Reject<'a>(pub(super) &'a Noted);

impl Asks for Reject<'_> {
    const KIND: &'static str = "reject";

    fn common(&self) -> (&str, &Sending) {
        (&self.0.payment_id, &self.0.sending)
    }

    fn body(&self) -> Result<Value, Failure> {
        Ok(self.0.body())
    }
}

pub(super) struct Ack<'a>(pub(super) &'a Noted);

impl Asks for Ack<'_> {
    const KIND: &'static str = "ack";

    fn common(&self) -> (&str, &Sending) {
        (&self.0.payment_id, &self.0.sending)
    }

    fn body(&self) -> Result<Value, Failure> {
        Ok(self.0.body())
    }
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Extend {
    /// The payment.
    #[arg(value_name = "ID")]
    payment_id: String,
    /// The new deadline, counted from now: 30m.
    #[arg(long, value_name = "DURATION", value_parser = config::span)]
    expires_in: Option<SpanMs>,
    /// The new deadline: milliseconds since 1970, or 2026-11-21T23:52:48Z.
    #[arg(long, value_name = "TIME", value_parser = parse_time, conflicts_with = "expires_in")]
    expires_at: Option<UnixMs>,
    #[command(flatten)]
    sending: Sending,
}

impl Asks for Extend {
    const KIND: &'static str = "extend";

    fn common(&self) -> (&str, &Sending) {
        (&self.payment_id, &self.sending)
    }

    fn body(&self) -> Result<Value, Failure> {
        let expires_at = deadline(self.expires_in, self.expires_at, Author::current().now);
        let expires_at = expires_at.ok_or_else(|| {
            Failure::new(
                Exit::Usage,
                "name the new deadline with --expires-in or --expires-at",
            )
        })?;
        Ok(json!({ "expires_at": expires_at.0 }))
    }
}

/// A deadline that was given as a span from now or as a time.
pub(super) fn deadline(
    expires_in: Option<SpanMs>,
    expires_at: Option<UnixMs>,
    now: UnixMs,
) -> Option<UnixMs> {
    expires_at.or_else(|| expires_in.map(|span| now.plus(span)))
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Refunded {
    /// The payment.
    #[arg(value_name = "ID")]
    payment_id: String,
    /// The transaction that returned the money.
    #[arg(long)]
    txid: String,
    /// Why; recorded for good.
    #[arg(long)]
    note: Option<String>,
    /// How much, when not everything.
    #[arg(long)]
    amount: Option<String>,
    #[command(flatten)]
    sending: Sending,
}

impl Asks for Refunded {
    const KIND: &'static str = "refunded";

    fn common(&self) -> (&str, &Sending) {
        (&self.payment_id, &self.sending)
    }

    fn body(&self) -> Result<Value, Failure> {
        Ok(json!({ "note": self.note, "txid": self.txid, "amount": self.amount }))
    }
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Rescan {
    /// The payment.
    #[arg(value_name = "ID")]
    payment_id: String,
    /// From which height, or time (2026-11-21T23:52:48Z, milliseconds since 1970).
    #[arg(long, value_name = "HEIGHT|TIME", value_parser = parse_scan_from)]
    scan_from: ScanFrom,
    #[command(flatten)]
    sending: Sending,
}

impl Asks for Rescan {
    const KIND: &'static str = "rescan";

    fn common(&self) -> (&str, &Sending) {
        (&self.payment_id, &self.sending)
    }

    fn body(&self) -> Result<Value, Failure> {
        Ok(json!({ "scan_from": scan_from_number(self.scan_from) }))
    }
}
