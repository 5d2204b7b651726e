//! `status`: where the chains stand, what is under way, and how many payments are open.

mod progress;
mod wait;

use super::{
    Context,
    failure::Failure,
    rows::{Row, rows},
    screen::{Column, Screen, Show},
};
use crate::{
    clock::{Clock as _, SystemClock},
    config,
    domain::{
        payment::ScanFrom,
        time::{SpanMs, UnixMs},
    },
    store::{PastScans, reader::Reader},
    watcher::stale,
};
use serde_json::{Value, json};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// One JSON object.
    #[arg(long)]
    json: bool,
    /// First wait until every chain is scanned up to its node's tip and no payment waits for past
    /// blocks.
    ///
    /// Looks once a second until all of that is true, then shows the usual tables and ends with 0.
    /// What it waits for is said on standard error: on a terminal as bars with rate and time left,
    /// else as a line whenever it becomes something else. A chain that is not healthy is waited
    /// for, and so is a daemon, since the database alone does not tell where the nodes are.
    /// Payments whose scan was refused or that are on hold are not waited for. There is no limit:
    /// end it with Ctrl-C, or with timeout(1) in a script.
    #[arg(long)]
    wait: bool,
}

const CHAINS: &[Column] = &[
    Column("chain", "chain", Show::Text),
    Column("network", "network", Show::Text),
    Column("state", "state", Show::Status),
    Column("tip", "tip_height", Show::Number),
    Column("scanned", "scanned_height", Show::Number),
    Column("lag", "lag", Show::Number),
    Column("safe", "safe_height", Show::Number),
    Column("final", "finalized_height", Show::Number),
    Column("tracing", "tracing", Show::Text),
    Column("tip time", "tip_at", Show::Time),
    Column("error", "error", Show::Text),
];

/// Networks of Bitcoin whose blocks come by themselves.
const BITCOIN: [&str; 3] = ["mainnet", "testnet4", "signet"];

const COUNTS: &[Column] = &[
    Column("asset", "asset", Show::Text),
    Column("status", "status", Show::Status),
    Column("payments", "payments", Show::Number),
];

pub(super) fn run(arguments: &Arguments, context: &mut Context) -> Result<(), Failure> {
    let reader = context.reader()?;
    if arguments.wait {
        wait::until_done(&reader, &context.chains()?)?;
    }
    show(&reader, arguments.json, &mut context.screen)
}

fn show(reader: &Reader, as_json: bool, screen: &mut Screen) -> Result<(), Failure> {
    let mut chains: Vec<Row> = rows(&reader.chains()?).into_iter().map(with_lag).collect();
    let scans = reader.past_scans()?;
    let counts = rows(&reader.counts()?);
    let last_seq = reader.last_seq()?;
    if as_json {
        for chain in &mut chains {
            add_scans(chain, &scans);
        }
        let whole = json!({ "chains": chains, "payments": counts, "last_seq": last_seq });
        return screen.json(&whole);
    }
    let now = SystemClock::new().now().wall;
    for chain in &mut chains {
        remark(chain, now);
    }
    let under_way = progress::lines(&chains, &scans, screen.is_terminal);
    screen.listing(CHAINS, chains, false, "no chain was ever followed")?;
    screen.line("")?;
    for line in &under_way {
        screen.line(line)?;
    }
    if !under_way.is_empty() {
        screen.line("")?;
    }
    screen.listing(COUNTS, counts, false, "no payments")?;
    screen.line("")?;
    screen.line(&format!("last event: {last_seq}"))
}

/// Says where nothing is wrong that the last block is old, where blocks come by themselves.
fn remark(chain: &mut Row, now: UnixMs) {
    let network = chain.get("network").and_then(Value::as_str);
    let is_ok = chain.get("state").is_some_and(|state| state == "ok");
    let tip_at = chain.get("tip_at").and_then(Value::as_i64);
    let tip_at = tip_at.filter(|_| is_ok);
    let known = network.and_then(block_time).zip(tip_at);
    let words = known.and_then(|(every, tip_at)| stale::words(UnixMs(tip_at), every, now));
    if let Some(words) = words {
        chain.insert("error".to_owned(), words.into());
    }
}

/// How often a public network has a block; what is configured of others, the daemon alone knows.
fn block_time(network: &str) -> Option<SpanMs> {
    if BITCOIN.contains(&network) {
        return Some(config::BITCOIN_BLOCK_TIME);
    }
    config::known_block_time(network.parse().ok()?)
}

/// Adds how many blocks the chain is behind its node, and its state in a word.
fn with_lag(mut chain: Row) -> Row {
    let height = |key: &str| chain.get(key).and_then(Value::as_i64);
    let lag = height("tip_height")
        .zip(height("scanned_height"))
        .map(|(tip, scanned)| tip.saturating_sub(scanned).max(0));
    let is_frozen = chain.get("frozen").is_some_and(is_set);
    let is_healthy = chain.get("healthy").is_some_and(is_set);
    let state = match (is_frozen, is_healthy) {
        (true, _) => "frozen",
        (false, true) => "ok",
        (false, false) => "failed",
    };
    chain.insert("lag".to_owned(), lag.into());
    chain.insert("state".to_owned(), state.into());
    chain
}

/// Adds the scans of past blocks that the chain's payments still need.
fn add_scans(chain: &mut Row, scans: &[PastScans]) {
    let name = chain.get("chain").and_then(Value::as_str);
    let scans = scans
        .iter()
        .find(|scans| Some(scans.chain.as_str()) == name);
    let value = scans.map_or(Value::Null, |scans| {
        let (height, at) = match scans.from {
            None => (None, None),
            Some(ScanFrom::Height(height)) => (Some(height.0), None),
            Some(ScanFrom::Time(at)) => (None, Some(at.0)),
        };
        json!({
            "payments": scans.payments, "from_height": height, "from_at": at,
            "next_height": scans.next.map(|next| next.0),
            "to_height": scans.goal.map(|goal| goal.0),
            "refused": scans.refused, "held": scans.held,
        })
    });
    chain.insert("scans".to_owned(), value);
}

fn is_set(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(truth) => *truth,
        Value::Number(number) => number.as_i64() != Some(0),
        Value::String(text) => !text.is_empty(),
        Value::Array(_) | Value::Object(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::screen::tests::row, *};
    use crate::domain::{asset::ChainName, block::Height};

    #[test]
    fn an_old_block_is_told_of_networks_whose_blocks_come_by_themselves() {
        let hour = 3_600_000;
        for (network, hours, is_told) in [
            ("mainnet", 1, false),
            ("mainnet", 2, true),
            ("regtest", 2, false),
            ("1", 0, false),
            ("1", 2, true),
            ("10", 2, false),
        ] {
            let chain =
                json!({ "network": network, "tip_at": hour, "healthy": true, "error": null });
            let mut shown = with_lag(row(chain));
            remark(&mut shown, UnixMs(hour + hours * hour));
            let words = "no block for 120 minutes: is the node cut off from its network?";
            assert_eq!(
                shown["error"].as_str(),
                is_told.then_some(words),
                "{network} {hours}"
            );
            assert_eq!(shown["state"], "ok");
        }
    }

    #[test]
    fn a_chain_shows_its_lag_and_state() {
        let cases = [
            (
                json!({ "tip_height": 9, "scanned_height": 7, "healthy": true, "frozen": null }),
                json!(2),
                "ok",
            ),
            (
                json!({ "tip_height": 7, "scanned_height": 9, "healthy": true, "frozen": 0 }),
                json!(0),
                "ok",
            ),
            (
                json!({ "tip_height": null, "scanned_height": 7, "healthy": false }),
                json!(null),
                "failed",
            ),
            (
                json!({ "healthy": true, "frozen": "below_finality" }),
                json!(null),
                "frozen",
            ),
        ];
        for (chain, lag, state) in cases {
            let shown = with_lag(row(chain.clone()));
            assert_eq!(
                (&shown["lag"], shown["state"].as_str()),
                (&lag, Some(state)),
                "{chain}"
            );
        }
    }
    #[test]
    fn scans_of_a_chain_are_part_of_it_in_json() {
        let scans = PastScans {
            chain: ChainName::new("bitcoin"),
            payments: 3,
            from: Some(ScanFrom::Height(Height(100))),
            next: Some(Height(150)),
            goal: Some(Height(299)),
            refused: 2,
            held: 1,
        };
        let of_time = PastScans {
            from: Some(ScanFrom::Time(UnixMs(7))),
            next: None,
            ..scans.clone()
        };
        for (scans, wanted) in [
            (
                scans,
                json!({
                    "payments": 3, "from_height": 100, "from_at": null, "next_height": 150,
                    "to_height": 299, "refused": 2, "held": 1,
                }),
            ),
            (
                of_time,
                json!({
                    "payments": 3, "from_height": null, "from_at": 7, "next_height": null,
                    "to_height": 299, "refused": 2, "held": 1,
                }),
            ),
        ] {
            let mut chain = row(json!({ "chain": "bitcoin" }));
            add_scans(&mut chain, &[scans]);
            assert_eq!(chain["scans"], wanted);
        }
    }
}
