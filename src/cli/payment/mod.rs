//! `payment`: what a gateway or an operator does with single payments.

mod add;
mod explain;
mod import;
mod list;
mod request;
mod sentences;
mod show;

use super::{Context, failure::Failure};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Register a payment: watch an address for an amount.
    Add(add::Arguments),
    /// List payments, the last registered first.
    List(list::Arguments),
    /// Show one payment with its transfers, requests and journal.
    Show(show::Arguments),
    /// Say in sentences why a payment is where it is.
    Explain(explain::Arguments),
    /// Withdraw a payment before anything was seen.
    Cancel(request::Cancel),
    /// Settle an appeal for the payer: the payment becomes paid.
    Accept(request::Accept),
    /// Settle an appeal against the payer.
    Reject(request::Noted),
    /// Mark a payment as reviewed; its status stays.
    Ack(request::Noted),
    /// Move the deadline.
    Extend(request::Extend),
    /// State that the money was returned.
    Refunded(request::Refunded),
    /// Look at past blocks again.
    Rescan(request::Rescan),
    /// Register many payments from a file of JSON lines.
    Import(import::Arguments),
}

pub(super) fn run(command: &Command, context: &mut Context) -> Result<(), Failure> {
    match command {
        Command::Add(arguments) => add::run(arguments, context),
        Command::List(arguments) => list::run(arguments, context),
        Command::Show(arguments) => show::run(arguments, context),
        Command::Explain(arguments) => explain::run(arguments, context),
        Command::Cancel(arguments) => request::send(arguments, context),
        Command::Accept(arguments) => request::send(arguments, context),
        Command::Reject(arguments) => request::send(&request::Reject(arguments), context),
        Command::Ack(arguments) => request::send(&request::Ack(arguments), context),
        Command::Extend(arguments) => request::send(arguments, context),
        Command::Refunded(arguments) => request::send(arguments, context),
        Command::Rescan(arguments) => request::send(arguments, context),
        Command::Import(arguments) => import::run(arguments, context),
    }
}
