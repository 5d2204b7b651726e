//! What a daemon in step must have seen: when nothing stood between it and its node, and what the
//! node's mempool held meanwhile. Kept by the world, never by confirmd.

use confirmd::domain::{block::TxId, time::UnixMs};
use std::collections::BTreeMap;

/// How long a daemon may need to be in step again after something stood in its way.
const RECOVERY_MS: i64 = 800_000;

/// From when to when something was so.
#[derive(Debug, Default)]
struct Spans(Vec<(UnixMs, UnixMs)>);

impl Spans {
    /// It is so now; and since it was, when it was at the last look.
    fn go_on(&mut self, looked_at: Option<UnixMs>, now: UnixMs) {
        match self.0.last_mut() {
            Some((_, until)) if Some(*until) >= looked_at => *until = now,
            _ => self.0.push((now, now)),
        }
    }

    /// Whether it was so then, or so shortly before that a daemon need not be in step again.
    fn hold(&self, at: UnixMs) -> bool {
        let mut spans = self.0.iter();
        spans.any(|(from, until)| from.0 <= at.0 && at.0 <= until.0 + RECOVERY_MS)
    }
}

/// Of one chain. By default nobody looks, and nothing must have been seen.
#[derive(Debug, Default)]
pub struct Sight {
    /// In this time a daemon in step sees what its node holds.
    patience_ms: i64,
    /// Since when nothing stands in its way.
    fair_since: Option<UnixMs>,
    /// What the node holds unconfirmed, and since when a daemon may see it there.
    held: BTreeMap<TxId, UnixMs>,
    /// When something stood in its way.
    hindered: Spans,
    /// When it could not know that it did not see all.
    blind: Spans,
    looked_at: Option<UnixMs>,
    /// When each transaction that could not be overlooked must have been seen.
    plain: BTreeMap<TxId, UnixMs>,
}

impl Sight {
    pub fn new(poll_ms: u64) -> Self {
        Self {
            patience_ms: i64::try_from(poll_ms).unwrap() * 5 + 60_000,
            ..Self::default()
        }
    }

    /// Looks at what stands in the way, and at what the node holds.
    pub fn look(&mut self, is_hard: bool, is_blind: bool, held: &[TxId], now: UnixMs) {
        let fair_since = match self.fair_since {
            _ if is_hard => UnixMs(now.0 + RECOVERY_MS),
            None => now,
            Some(since) => since,
        };
        self.fair_since = Some(fair_since);
        if is_hard {
            self.hindered.go_on(self.looked_at, now);
        }
        if is_blind {
            self.blind.go_on(self.looked_at, now);
        }
        self.looked_at = Some(now);
        self.held.retain(|txid, _| held.contains(txid));
        for txid in held {
            let since = self.held.entry(*txid).or_insert(now);
            *since = fair_since.max(*since);
            if since.0 + self.patience_ms <= now.0 {
                self.plain.entry(*txid).or_insert(now);
            }
        }
    }

    /// Whether nothing has stood in the way for long enough.
    pub fn is_calm(&self, odd_at: UnixMs, now: UnixMs) -> bool {
        let fair_since = self.fair_since.unwrap_or(now).max(odd_at);
        fair_since.0 + self.patience_ms < now.0
    }

    /// Whether a daemon could not know then, or shortly before, that it did not see all.
    pub fn was_blind_at(&self, at: UnixMs) -> bool {
        self.blind.hold(at)
    }

    /// Whether something stood in a daemon's way then, or shortly before.
    pub fn was_hindered_at(&self, at: UnixMs) -> bool {
        self.hindered.hold(at)
    }

    /// When a transaction in the mempool must have been seen; `None` when nobody can say.
    pub fn plain_at(&self, txid: TxId) -> Option<UnixMs> {
        self.plain.get(&txid).copied()
    }

    /// Whether a transaction has been there to be seen without a break from long before this.
    pub fn was_held_at(&self, txid: TxId, at: UnixMs) -> bool {
        let since = self.held.get(&txid);
        since.is_some_and(|since| since.0 + self.patience_ms <= at.0)
    }
}
