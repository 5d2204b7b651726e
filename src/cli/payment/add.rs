//! `payment add`: register a payment as a gateway would.

use super::request::deadline;
use crate::{
    cli::{
        Context, Exit,
        failure::Failure,
        inbox::{Author, Sending, body, random_id, send_one},
        time::{parse_scan_from, parse_time, scan_from_number},
    },
    config,
    domain::{
        payment::ScanFrom,
        terms::Policy,
        time::{SpanMs, UnixMs},
    },
};
use serde_json::{Value, json};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// In what: an asset of the configuration.
    #[arg(long)]
    asset: String,
    /// Where the money will arrive.
    #[arg(long)]
    address: String,
    /// How much, in whole units: 0.015.
    #[arg(long)]
    amount: String,
    /// The payment's name; a random one when absent.
    #[arg(long)]
    id: Option<String>,
    /// The deadline, counted from now: 20m.
    #[arg(long, value_name = "DURATION", value_parser = config::span)]
    expires_in: Option<SpanMs>,
    /// The deadline: milliseconds since 1970, or 2026-11-21T23:52:48Z.
    #[arg(long, value_name = "TIME", value_parser = parse_time, conflicts_with = "expires_in")]
    expires_at: Option<UnixMs>,
    /// Blocks before it is paid.
    #[arg(long)]
    confirmations: Option<u32>,
    /// How much may be missing: 1.5% or an amount.
    #[arg(long)]
    tolerance: Option<String>,
    /// How the amount may arrive: single or sum.
    #[arg(long, value_parser = policy)]
    policy: Option<Policy>,
    /// Look at past blocks from this height or time on.
    #[arg(long, value_name = "HEIGHT|TIME", value_parser = parse_scan_from)]
    scan_from: Option<ScanFrom>,
    /// A JSON object to keep with the payment.
    #[arg(long, value_name = "JSON")]
    metadata: Option<String>,
    #[command(flatten)]
    sending: Sending,
}

fn policy(text: &str) -> Result<Policy, String> {
    Policy::parse(text).ok_or_else(|| "is not one of single, sum".to_owned())
}

pub(super) fn run(arguments: &Arguments, context: &mut Context) -> Result<(), Failure> {
    let id = arguments.id.clone().map_or_else(random_id, Ok)?;
    let body = registration(arguments, Author::current().now)?;
    send_one(&arguments.sending, "register", &id, &body, context)
}

fn registration(arguments: &Arguments, now: UnixMs) -> Result<Value, Failure> {
    let expires_at = deadline(arguments.expires_in, arguments.expires_at, now);
    let metadata = arguments.metadata.as_deref().map(object).transpose()?;
    Ok(body(json!({
        "asset": arguments.asset,
        "address": arguments.address,
        "amount": arguments.amount,
        "expires_at": expires_at.map(|at| at.0),
        "confirmations": arguments.confirmations,
        "tolerance": arguments.tolerance,
        "policy": arguments.policy.map(Policy::as_str),
        "scan_from": arguments.scan_from.map(scan_from_number),
        "metadata": metadata,
    })))
}

fn object(text: &str) -> Result<Value, Failure> {
    let value = serde_json::from_str(text).ok();
    value
        .filter(Value::is_object)
        .ok_or_else(|| Failure::new(Exit::Usage, "--metadata is no JSON object"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Arguments as All, Command as Top, payment::Command};
    use clap::Parser;

    fn registration_of(line: &str) -> Result<Value, Failure> {
        let line = format!("confirmd payment add {line}");
        let all = All::try_parse_from(line.split(' ')).unwrap();
        let Top::Payment(Command::Add(arguments)) = all.command else {
            panic!("{all:?}")
        };
        registration(&arguments, UnixMs(1_000))
    }

    #[test]
    fn a_registration_has_only_what_was_given() {
        assert_eq!(
            registration_of("--asset USDT --address 0xab --amount 25").unwrap(),
            json!({ "asset": "USDT", "address": "0xab", "amount": "25" })
        );
    }

    #[test]
    fn every_option_reaches_the_body() {
        let line = "--asset BTC --address bc1 --amount 0.1 --expires-in 20m --confirmations 3 \
                    --tolerance 1.5% --policy sum --scan-from 850000 --metadata {\"a\":1}";
        assert_eq!(
            registration_of(line).unwrap(),
            json!({
                "asset": "BTC", "address": "bc1", "amount": "0.1", "expires_at": 1_201_000,
                "confirmations": 3, "tolerance": "1.5%", "policy": "sum", "scan_from": 850_000,
                "metadata": { "a": 1 },
            })
        );
    }

    #[test]
    fn metadata_that_is_no_object_is_a_usage_error() {
        for text in ["[1]", "x", "\"a\""] {
            let line = format!("--asset BTC --address bc1 --amount 1 --metadata {text}");
            assert_eq!(
                registration_of(&line).unwrap_err().exit,
                Exit::Usage,
                "{text}"
            );
        }
    }
}
