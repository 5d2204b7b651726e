//! What gateways, operators and integrators write.

use ::bitcoin::Network;
use confirmd::{
    chain::{bitcoin, ethereum},
    cli::{
        Deed,
        time::{parse_scan_from, parse_time, scan_from_number},
    },
    config::{self, Config},
    domain::{
        amount::Amount,
        request::{self, Command, MAX_BODY, MAX_METADATA, Refusal, Register, Request},
        terms::Policy,
        time::UnixMs,
    },
};
use serde_json::{Value, json};

/// A request's kind, and its body. What is understood and written anew is understood the same.
pub fn request(data: &[u8]) -> bool {
    let Some((kind, body)) = super::lines(data) else {
        return false;
    };
    match parse_request(kind, body) {
        Err(refusal) => {
            assert!(!refusal.code.is_empty() && refusal.message.contains(' '));
            false
        }
        Ok(command) => {
            assert!(body.len() <= MAX_BODY);
            let written = written(&command);
            if written.len() <= MAX_BODY {
                assert_eq!(parse_request(kind, &written), Ok(command), "{body}");
            }
            true
        }
    }
}

fn parse_request(kind: &str, body: &str) -> Result<Command, Refusal> {
    request::parse(&Request {
        seq: 1,
        request_id: "r-1".to_owned(),
        kind: kind.to_owned(),
        payment_id: "order-1".to_owned(),
        body: body.to_owned(),
        actor: None,
        created_at: UnixMs(1_795_305_168_000),
    })
}

fn written(command: &Command) -> String {
    let fields = match command {
        Command::Register(register) => return written_register(register),
        Command::Cancel => json!({}),
        Command::Accept { note, amount } => json!({"note": note, "amount": amount}),
        Command::Reject { note } | Command::Ack { note } => json!({"note": note}),
        Command::Extend { expires_at } => json!({"expires_at": expires_at.0}),
        Command::Refunded { note, txid, amount } => {
            json!({"note": note, "txid": txid, "amount": amount})
        }
        Command::Force { status } => json!({"status": status.as_str()}),
        Command::Rescan { scan_from } => json!({"scan_from": scan_from_number(*scan_from)}),
    };
    fields.to_string()
}

/// The metadata goes in as it is: its numbers may be longer than any that JSON libraries hold.
fn written_register(register: &Register) -> String {
    let metadata = register.metadata.as_deref().unwrap_or("null");
    assert!(metadata.len() <= MAX_METADATA);
    assert!(
        !metadata.contains(['\n', '\r', '\t']),
        "it is compact: {metadata}"
    );
    let policy = register.policy.map(|policy| match policy {
        Policy::Single => "single",
        Policy::Sum => "sum",
    });
    let fields = json!({
        "asset": register.asset,
        "address": register.address,
        "amount": register.amount,
        "expires_at": register.expires_at.map(|at| at.0),
        "confirmations": register.confirmations,
        "tolerance": register.tolerance,
        "policy": policy,
        "scan_from": register.scan_from.map(scan_from_number),
    });
    let fields = fields.to_string();
    let open = fields.strip_suffix('}').unwrap();
    format!(r#"{open},"metadata":{metadata}}}"#)
}

/// A configuration. It is read or refused the same each time, each problem names a line that is there, and
/// what is in a URL stays there.
pub fn config(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    let lines = text.lines().count() + 1;
    let parsed = Config::parse(text);
    let understood = parsed.is_ok();
    let shown = match parsed {
        Ok(config) => format!("{config:?}"),
        Err(errors) => {
            assert!(!errors.problems.is_empty());
            for problem in &errors.problems {
                assert!(problem.line <= lines && !problem.message.is_empty());
            }
            errors.to_string()
        }
    };
    let has_long_texts = text.contains("\"\"\"") || text.contains("'''");
    if !has_long_texts && !text.lines().any(shows_canary) {
        assert!(!shown.contains("canary"), "{shown}");
    }
    understood
}

/// Whether the canary stands where it may be shown: anywhere but in a URL's password, path or query.
fn shows_canary(line: &str) -> bool {
    line.contains("canary") && !hides_canary(line).unwrap_or(false)
}

fn hides_canary(line: &str) -> Option<bool> {
    let (key, value) = line.strip_suffix('"')?.split_once(" = \"")?;
    let user = value.strip_prefix("http://someone:");
    let user = user.or_else(|| value.strip_prefix("https://someone:"))?;
    let (password, place) = user.split_once('@')?;
    let is_place = place.starts_with("127.0.0.1:18443/") || place.starts_with("node.example/");
    let is_url = !password.contains(['/', '?', '#']) && !value.contains(['"', '\\']);
    Some(is_place && is_url && (key == "url" || key == "rpc_url"))
}

/// A number of decimals, and an amount. What is accepted has no more than those, keeps its digits, and is
/// printed as what it is.
pub fn amount(data: &[u8]) -> bool {
    let Some((&decimals, Ok(text))) = data
        .split_first()
        .map(|(first, rest)| (first, std::str::from_utf8(rest)))
    else {
        return false;
    };
    let decimals = decimals % 40;
    let Ok(amount) = Amount::parse(text, decimals) else {
        return false;
    };
    let shown = amount.display(decimals).to_string();
    assert_eq!(Amount::parse(&shown, decimals), Ok(amount), "{text}");
    let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction);
    assert!(fraction.len() <= usize::from(decimals), "{text}");
    let all_zeros = "0".repeat(usize::from(decimals) - fraction.len());
    let digits = format!("{}{all_zeros}", text.replace('.', ""));
    let plain = digits.trim_start_matches('0');
    assert_eq!(
        amount.base().to_string(),
        if plain.is_empty() { "0" } else { plain }
    );
    true
}

/// An address. What is accepted has one canonical form, is of one kind of network, and of one chain.
pub fn address(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    let networks = [Network::Bitcoin, Network::Testnet4, Network::Regtest];
    let found: Vec<_> = networks
        .into_iter()
        .filter_map(|network| Some((network, bitcoin::parse_address(text, network).ok()?)))
        .collect();
    for (network, (destination, canonical)) in &found {
        let again = bitcoin::parse_address(canonical, *network);
        assert_eq!(again, Ok((*destination, canonical.clone())));
        assert!(canonical.eq_ignore_ascii_case(text));
        assert!(*network != Network::Bitcoin || found.len() == 1, "{text}");
    }
    let account = ethereum::parse_address(text);
    let understood = !found.is_empty() || account.is_ok();
    if let Ok((destination, canonical)) = account {
        assert!(found.is_empty(), "{text}");
        let again = ethereum::parse_address(&canonical);
        assert_eq!(again, Ok((destination, canonical.clone())));
        assert!(canonical.eq_ignore_ascii_case(text));
        let is_mixed =
            text[2..].contains(char::is_uppercase) && text[2..].contains(char::is_lowercase);
        assert!(
            !is_mixed || text == canonical,
            "its checksum is wrong: {text}"
        );
    }
    understood
}

/// The name of a sandbox's deed, and its arguments. What is read and written is read the same.
pub fn deed(data: &[u8]) -> bool {
    let Some((name, body)) = super::lines(data) else {
        return false;
    };
    let Some(Ok(deed)) = Deed::read(name, body.as_bytes()) else {
        return false;
    };
    assert_eq!(deed.name(), name);
    let again = Deed::read(name, &deed.body().unwrap()).unwrap();
    assert_eq!(again.unwrap(), deed, "{body}");
    true
}

/// A time, a place in a chain's past, a duration. A place reaches the inbox as what it is.
pub fn time(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    let (from, at, span) = (parse_scan_from(text), parse_time(text), config::span(text));
    let understood = from.is_ok() || at.is_ok() || span.is_ok();
    if let Ok(from) = from {
        let body = json!({"scan_from": scan_from_number(from)}).to_string();
        let read = parse_request("rescan", &body);
        assert_eq!(read, Ok(Command::Rescan { scan_from: from }), "{text}");
    }
    if let Ok(at) = at {
        let body: Value = json!({"expires_at": at.0});
        let read = parse_request("extend", &body.to_string());
        assert_eq!(read, Ok(Command::Extend { expires_at: at }), "{text}");
    }
    if let Ok(span) = span {
        assert!(span.0 >= 0);
        assert_eq!(config::span(&format!("{}ms", span.0)), Ok(span), "{text}");
    }
    understood
}
