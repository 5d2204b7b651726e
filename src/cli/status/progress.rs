//! What is under way on a chain, in words and as a bar: catching up with its node, and scans of
//! the past for late registrations.

use crate::{
    cli::{rows::Row, time::readable},
    domain::payment::ScanFrom,
    store::PastScans,
    watcher::state::LAG_MAX,
};
use serde_json::Value;

/// How many characters a bar has.
const BAR: u64 = 24;

/// Blocks that are gone through, one after another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Work {
    /// On which chain.
    pub(super) chain: String,
    /// Whether they are past blocks, not new ones.
    pub(super) is_scan: bool,
    /// The first block, if it is known.
    from: Option<u64>,
    /// The next block, if it is known.
    pub(super) next: Option<u64>,
    /// The last block, if it is known.
    pub(super) to: Option<u64>,
    /// All of it for people.
    pub(super) words: String,
}

/// What is under way on every chain that is shown, and what cannot go on by itself.
pub(super) fn lines(chains: &[Row], scans: &[PastScans], with_bars: bool) -> Vec<String> {
    let catching_up = chains.iter().filter_map(catching_up);
    let work = catching_up.chain(scans.iter().filter_map(scanning));
    let lines = work.map(|work| line(&work, with_bars));
    lines.chain(scans.iter().flat_map(stuck)).collect()
}

/// A chain that is so far behind its node that it gives no verdicts.
pub(super) fn catching_up(chain: &Row) -> Option<Work> {
    let height = |key: &str| chain.get(key).and_then(Value::as_u64);
    let (tip, scanned) = height("tip_height").zip(height("scanned_height"))?;
    let behind = tip.saturating_sub(scanned);
    let name = chain.get("chain").and_then(Value::as_str)?;
    (behind > u64::from(LAG_MAX)).then(|| Work {
        chain: name.to_owned(),
        is_scan: false,
        from: Some(0),
        next: Some(scanned.saturating_add(1)),
        to: Some(tip),
        words: format!("{name}: {behind} blocks behind its node, at block {scanned} of {tip}"),
    })
}

/// The past that payments of a chain wait for.
pub(super) fn scanning(scans: &PastScans) -> Option<Work> {
    let height = |height: crate::domain::block::Height| u64::from(height.0);
    let (next, to) = (scans.next.map(height), scans.goal.map(height));
    let from = match scans.from {
        Some(ScanFrom::Height(from)) => Some(height(from)),
        Some(ScanFrom::Time(_)) | None => None,
    };
    let wait = some(
        scans.payments,
        "payment waits for its past",
        "payments wait for their past",
    );
    let which = match (scans.from, to) {
        (_, None) => "once the chain's first block is known".to_owned(),
        (None, Some(to)) => format!("up to block {to}"),
        (Some(ScanFrom::Height(from)), Some(to)) => format!("from block {from} to {to}"),
        (Some(ScanFrom::Time(at)), Some(to)) => {
            format!("from {} to block {to}", readable(at.0))
        }
    };
    let left = next.zip(to).map_or_else(String::new, |(next, to)| {
        format!(", {} left", to.saturating_add(1).saturating_sub(next))
    });
    (scans.payments > 0).then(|| Work {
        chain: scans.chain.as_str().to_owned(),
        is_scan: true,
        from,
        next,
        to,
        words: format!("{}: {wait} to be scanned, {which}{left}", scans.chain),
    })
}

/// Payments whose past is not scanned before somebody does something.
fn stuck(scans: &PastScans) -> Vec<String> {
    let mut lines = Vec::new();
    if scans.refused > 0 {
        let have = some(scans.refused, "payment has", "payments have");
        lines.push(format!(
            "{}: {have} a past that cannot be scanned (scan_refused); see `confirmd payment list --review`",
            scans.chain
        ));
    }
    if scans.held > 0 {
        let are = some(scans.held, "payment is", "payments are");
        lines.push(format!(
            "{}: {are} on hold and not scanned; see `confirmd payment list --review`",
            scans.chain
        ));
    }
    lines
}

fn some(count: u32, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

fn line(work: &Work, with_bar: bool) -> String {
    match (work.share(), with_bar) {
        (None, _) => work.words.clone(),
        (Some((done, all)), false) => format!("{} ({})", work.words, percent(done, all)),
        (Some((done, all)), true) => {
            let full = done.saturating_mul(BAR).checked_div(all).unwrap_or(0);
            let bar: String = (0..BAR)
                .map(|at| if at < full { '#' } else { '-' })
                .collect();
            format!("[{bar}] {:>7}  {}", percent(done, all), work.words)
        }
    }
}

/// Rounded down, so that only what is done is 100 %.
fn percent(done: u64, all: u64) -> String {
    let hundredths = done.saturating_mul(10_000).checked_div(all).unwrap_or(0);
    format!(
        "{}.{:02} %",
        hundredths.div_euclid(100),
        hundredths.rem_euclid(100)
    )
}

impl Work {
    /// How many blocks are done, of how many; `None` while that is not known.
    fn share(&self) -> Option<(u64, u64)> {
        let (from, (next, to)) = self.from.zip(self.next.zip(self.to))?;
        let all = to.saturating_add(1).saturating_sub(from);
        Some((next.saturating_sub(from).min(all), all))
    }
}

#[cfg(test)]
mod tests;
