//! A judge that knows nothing of the real one: small, slow, and as close to the sentences of the
//! rules as code can be. It keeps its own books of what happened.
//!
//! It judges only in calm moments: source healthy, chain not frozen, just polled.

use std::collections::BTreeMap;

/// Where a transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    Unknown,
    Mempool,
    Block(u32),
    Evicted,
    /// In favour of a transaction in the block at this height; `None` when that block is gone.
    Conflicted(Option<u32>),
}

/// What says that money is deep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Says {
    /// So many confirmations.
    #[default]
    Count,
    /// Nodes call its block safe, or final.
    Safe,
    /// Nodes call its block final.
    Final,
}

/// What the naive judge knows of one transaction.
#[derive(Debug, Clone)]
pub struct Tx {
    pub sats: u64,
    pub right_asset: bool,
    pub at: At,
    /// Its place in its block.
    pub index: u32,
    /// First observation or first block time, whatever was earlier.
    pub since: i64,
    pub seen: i64,
    pub was_mined: bool,
}

/// The books; by default nothing has happened.
#[derive(Debug, Clone, Default)]
pub struct Books {
    pub expected: u64,
    pub tolerated: u64,
    pub dust: u64,
    pub sum_policy: bool,
    pub depth: u32,
    pub says: Says,
    pub deadline: i64,
    pub late_accept: i64,
    pub timeout: i64,
    pub txs: BTreeMap<String, Tx>,
    pub tip: u32,
    pub finalized: u32,
    pub safe: u32,
    pub now: i64,
    pub ever_paid: bool,
    pub expired: bool,
    pub canceled: bool,
    pub accepted: Vec<String>,
    /// Status and reason that nothing on the chain moves any more.
    pub fixed: Option<String>,
    pub is_final: bool,
    pub final_counted: Vec<String>,
}

/// What must be so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truth {
    pub state: String,
    pub received: u64,
    pub counted: u64,
    pub surplus: u64,
    pub is_final: bool,
}

/// In the mempool or in a block.
fn live(tx: &Tx) -> bool {
    matches!(tx.at, At::Mempool | At::Block(_))
}

impl Books {
    pub fn deep(&self, tx: &Tx) -> bool {
        let At::Block(height) = tx.at else {
            return false;
        };
        match self.says {
            Says::Count => self.tip + 1 - height >= self.depth,
            Says::Safe => height <= self.safe || height <= self.finalized,
            Says::Final => height <= self.finalized,
        }
    }

    /// Live, of the right asset, not dust; blocks in order, then the mempool.
    fn money(&self) -> Vec<(String, Tx)> {
        let mut money: Vec<(String, Tx)> = self
            .txs
            .iter()
            .filter(|(_, tx)| tx.right_asset && tx.sats >= self.dust && live(tx))
            .map(|(name, tx)| (name.clone(), tx.clone()))
            .collect();
        money.sort_by_key(|(name, tx)| match tx.at {
            At::Block(height) => (0, height, tx.index, tx.seen, name.clone()),
            At::Unknown | At::Mempool | At::Evicted | At::Conflicted(_) => {
                (1, 0, 0, tx.seen, name.clone())
            }
        });
        money
    }

    fn enough(&self, sats: u64) -> bool {
        sats + self.tolerated >= self.expected
    }

    /// The deciding transactions out of these.
    fn deciding(&self, money: &[(String, Tx)]) -> Vec<(String, Tx)> {
        if self.sum_policy {
            let mut sum = 0;
            let mut taken = Vec::new();
            for (name, tx) in money {
                if self.enough(sum) {
                    break;
                }
                sum += tx.sats;
                taken.push((name.clone(), tx.clone()));
            }
            return taken;
        }
        for (name, tx) in money {
            if self.enough(tx.sats) {
                return vec![(name.clone(), tx.clone())];
            }
        }
        let mut best: Option<(String, Tx)> = None;
        for (name, tx) in money {
            if best.as_ref().is_none_or(|(_, b)| tx.sats > b.sats) {
                best = Some((name.clone(), tx.clone()));
            }
        }
        best.into_iter().collect()
    }

    /// What must be so now, in a calm moment. Writes down what cannot be taken back.
    pub fn judge(&mut self) -> Truth {
        let money = self.money();
        let received: u64 = money.iter().map(|(_, tx)| tx.sats).sum();
        let in_time: Vec<(String, Tx)> = money
            .iter()
            .filter(|(_, tx)| tx.since <= self.deadline + self.late_accept)
            .cloned()
            .collect();
        let deciding = if self.canceled {
            Vec::new()
        } else {
            self.deciding(&in_time)
        };
        let total: u64 = deciding.iter().map(|(_, tx)| tx.sats).sum();

        let (counted, covered) = if self.is_final {
            let sats = |name: &String| {
                let tx = &self.txs[name];
                if tx.right_asset { tx.sats } else { 0 }
            };
            (self.final_counted.iter().map(sats).sum::<u64>(), true)
        } else if !self.accepted.is_empty() {
            let accepted = money
                .iter()
                .filter(|(name, _)| self.accepted.contains(name));
            (accepted.map(|(_, tx)| tx.sats).sum(), true)
        } else {
            (total, !deciding.is_empty() && self.enough(total))
        };
        let counted = counted.min(self.expected);

        let state = match &self.fixed {
            Some(state) => state.clone(),
            None => self.state(&money, &deciding, total),
        };
        if state.starts_with("paid") {
            self.ever_paid = true;
            let counts: Vec<String> = if self.is_final {
                Vec::new()
            } else if self.accepted.is_empty() {
                deciding.iter().map(|(name, _)| name.clone()).collect()
            } else {
                self.accepted.clone()
            };
            let last =
                |name: &String| matches!(self.txs[name].at, At::Block(h) if h <= self.finalized);
            if !self.is_final && counts.iter().all(last) {
                self.is_final = true;
                self.fixed = Some(state.clone());
                self.final_counted = counts;
            }
        }
        Truth {
            state,
            received,
            counted,
            surplus: if covered {
                received.saturating_sub(counted)
            } else {
                0
            },
            is_final: self.is_final,
        }
    }

    fn state(&mut self, money: &[(String, Tx)], deciding: &[(String, Tx)], total: u64) -> String {
        if !self.accepted.is_empty() {
            return "paid/operator".to_owned();
        }
        let all_deep = deciding.iter().all(|(_, tx)| self.deep(tx));
        let any_deep_money = money.iter().any(|(_, tx)| self.deep(tx));
        let at_depth = if total == self.expected {
            "paid/exact"
        } else if total > self.expected {
            "paid/overpaid"
        } else if self.enough(total) {
            "paid/within_tolerance"
        } else if self.in_time_count(money) > 1 && !self.sum_policy {
            "invalid/split"
        } else {
            "invalid/underpaid"
        };

        if self.ever_paid {
            return self.state_once_paid(money, deciding, at_depth);
        }
        if self.canceled {
            let word = if any_deep_money {
                "invalid/after_cancel"
            } else {
                "canceled/operator"
            };
            return word.to_owned();
        }
        if !self.expired && !deciding.is_empty() {
            let seen = deciding.iter().filter(|(_, tx)| tx.at == At::Mempool);
            let oldest = seen.map(|(_, tx)| tx.seen).min();
            return match oldest {
                Some(seen) if self.now > seen + self.timeout => "invalid/confirm_timeout",
                Some(_) => "pending",
                None if all_deep => at_depth,
                None => "confirming",
            }
            .to_owned();
        }
        let double_spent = self.txs.values().any(|tx| {
            tx.right_asset
                && tx.sats >= self.dust
                && matches!(tx.at, At::Conflicted(Some(_)))
                && tx.since <= self.deadline + self.late_accept
        });
        if !self.expired && double_spent {
            return "invalid/double_spent".to_owned();
        }
        if !self.expired && self.now > self.deadline {
            self.expired = true;
        }
        if !self.expired {
            return self.why_new();
        }
        self.state_expired(money, deciding, at_depth)
    }

    /// Beyond the deadline: only depth moves anything, but for wrong money that was in time.
    fn state_expired(
        &self,
        money: &[(String, Tx)],
        deciding: &[(String, Tx)],
        at_depth: &str,
    ) -> String {
        if !deciding.is_empty() && deciding.iter().all(|(_, tx)| self.deep(tx)) {
            return at_depth.to_owned();
        }
        let late_deep = money
            .iter()
            .any(|(_, tx)| tx.since > self.deadline + self.late_accept && self.deep(tx));
        if late_deep {
            return "invalid/late".to_owned();
        }
        let wrong = self.txs.values().any(|tx| {
            let in_time = tx.since <= self.deadline + self.late_accept;
            !tx.right_asset && live(tx) && (in_time || self.deep(tx))
        });
        if wrong {
            "invalid/wrong_asset"
        } else {
            "expired/deadline"
        }
        .to_owned()
    }

    fn state_once_paid(
        &self,
        money: &[(String, Tx)],
        deciding: &[(String, Tx)],
        at_depth: &str,
    ) -> String {
        if money.is_empty() {
            let conflict = |tx: &Tx| tx.right_asset && matches!(tx.at, At::Conflicted(Some(_)));
            let wrong = |tx: &Tx| !tx.right_asset && live(tx);
            let big = || self.txs.values().filter(|tx| tx.sats >= self.dust);
            let reason = if big().any(conflict) {
                "double_spent"
            } else if big().any(wrong) {
                "wrong_asset"
            } else {
                "reorged"
            };
            return format!("invalid/{reason}");
        }
        let (deciding, verdict) = if !deciding.is_empty() {
            (deciding.to_vec(), at_depth)
        } else if self.canceled {
            (self.deciding(money), "invalid/after_cancel")
        } else {
            (self.deciding(money), "invalid/late")
        };
        if deciding.iter().any(|(_, tx)| tx.at == At::Mempool) {
            "pending".to_owned()
        } else if deciding.iter().all(|(_, tx)| self.deep(tx)) {
            verdict.to_owned()
        } else {
            "confirming".to_owned()
        }
    }

    fn in_time_count(&self, money: &[(String, Tx)]) -> usize {
        let limit = self.deadline + self.late_accept;
        money.iter().filter(|(_, tx)| tx.since <= limit).count()
    }

    fn why_new(&self) -> String {
        let gone = self.txs.values().filter(|tx| {
            tx.right_asset && tx.sats >= self.dust && !live(tx) && tx.at != At::Unknown
        });
        let mut word = "new";
        for tx in gone {
            if tx.was_mined {
                return "new/reorged".to_owned();
            }
            word = "new/dropped";
        }
        word.to_owned()
    }
}
