//! Random stories: after each action in a calm moment the payment is where the naive judge puts
//! it; in a storm it takes no verdict. What must always hold is checked by the stories anyway.

use super::{
    naive::{At, Books, Says, Truth, Tx},
    setup::{START, START_HEIGHT, Setup},
    story::Story,
};
use crate::domain::status::Status;
use alloy_primitives::U256;
use proptest::prelude::*;

/// One thing that may happen; indexes are taken modulo what there is.
#[derive(Debug, Clone)]
enum Op {
    See(usize),
    Mine(Vec<usize>),
    Rollback(usize),
    Swap(usize, Vec<usize>),
    Evict(usize),
    Conflict(usize),
    Wait(usize),
    Storm(usize),
    Calm,
    Finalize,
    MakeSafe,
    Ask(usize),
}

const WAITS: [&str; 5] = ["1s", "5m", "21m", "1h", "25h"];
const REQUESTS: [&str; 6] = ["cancel", "accept", "reject", "ack", "extend 2h", "refunded"];
/// Satoshi or micro-dollars; the last one is of another asset where there is one.
const MONEY: [(&str, u64); 7] = [
    ("exact", 100_000),
    ("again", 100_000),
    ("near", 99_000),
    ("half", 50_000),
    ("more", 60_000),
    ("over", 120_000),
    ("dust", 500),
];

fn op() -> impl Strategy<Value = Op> {
    let some = || prop::collection::vec(0..8_usize, 0..3);
    prop_oneof![
        4 => (0..8_usize).prop_map(Op::See),
        8 => some().prop_map(Op::Mine),
        2 => (1..5_usize).prop_map(Op::Rollback),
        2 => ((1..5_usize), some()).prop_map(|(n, txs)| Op::Swap(n, txs)),
        2 => (0..8_usize).prop_map(Op::Evict),
        1 => (0..8_usize).prop_map(Op::Conflict),
        3 => (0..5_usize).prop_map(Op::Wait),
        1 => (0..2_usize).prop_map(Op::Storm),
        2 => Just(Op::Calm),
        1 => Just(Op::Finalize),
        2 => Just(Op::MakeSafe),
        1 => (0..6_usize).prop_map(Op::Ask),
    ]
}

/// A story and the naive judge's books of it.
struct Both {
    story: Story,
    books: Books,
    told: Vec<String>,
    /// The height to which the chain can no longer be rolled back.
    floor: u32,
}

impl Both {
    fn begin(says: Option<Says>, sum: bool, late_accept: bool) -> Self {
        let token = says.is_some();
        let amount = if token { "USDT 0.1" } else { "BTC 0.001" };
        let policy = if sum { "sum" } else { "single" };
        let late = if late_accept { "1h" } else { "0s" };
        let depth = match says.unwrap_or_default() {
            Says::Count => "3",
            Says::Safe => "safe",
            Says::Final => "finalized",
        };
        let setup = format!(
            "{amount} tolerance=1% confirmations={depth} policy={policy} late_accept={late}"
        );
        let mut story = Story::begin(&Setup::read(&setup));
        // One dust limit for both, so that the same numbers do.
        story.payment.terms.dust = crate::domain::amount::Amount::from_u64(546);
        let tx = |sats, right_asset| Tx {
            sats,
            right_asset,
            at: At::Unknown,
            index: 0,
            since: 0,
            seen: 0,
            was_mined: false,
        };
        let right = MONEY
            .iter()
            .map(|(name, sats)| ((*name).to_owned(), tx(*sats, true)));
        let mut txs: std::collections::BTreeMap<String, Tx> = right.collect();
        if token {
            txs.insert("wrong".to_owned(), tx(100_000, false));
        }
        let books = Books {
            expected: 100_000,
            tolerated: 1000,
            dust: 546,
            sum_policy: sum,
            depth: 3,
            says: says.unwrap_or_default(),
            deadline: story.payment.terms.deadline().0,
            late_accept: story.payment.terms.late_accept.0,
            timeout: story.payment.terms.confirm_timeout.0,
            txs,
            tip: START_HEIGHT,
            finalized: START_HEIGHT - 100,
            now: START.0,
            ..Books::default()
        };
        Self {
            story,
            books,
            told: vec![setup],
            floor: START_HEIGHT,
        }
    }

    fn act(&mut self, line: &str) {
        self.told.push(line.to_owned());
        self.story.act(line);
    }

    fn name(&self, index: usize) -> String {
        let names: Vec<&String> = self.books.txs.keys().collect();
        names[index % names.len()].clone()
    }

    /// The transaction with its amount, as the stories want it.
    fn word(&self, name: &str) -> String {
        let tx = &self.books.txs[name];
        let decimals = self.story.payment.terms.decimals;
        let amount = crate::domain::amount::Amount::from_base(U256::from(tx.sats));
        let asset = if tx.right_asset { "" } else { ":USDC" };
        format!("{name}={}{asset}", amount.display(decimals))
    }

    fn observe(&mut self, name: &str, block: Option<(u32, u32)>) {
        let now = self.story.now.0;
        let tx = self.books.txs.get_mut(name).unwrap();
        if tx.at == At::Unknown {
            (tx.seen, tx.since) = (now, now);
        }
        match block {
            Some((height, index)) => {
                tx.at = At::Block(height);
                tx.index = index;
                tx.was_mined = true;
            }
            None => tx.at = At::Mempool,
        }
    }

    fn connect(&mut self, picks: &[usize]) -> Vec<String> {
        self.books.tip += 1;
        let mut words = Vec::new();
        for pick in picks {
            let name = self.name(*pick);
            let mined = matches!(self.books.txs[&name].at, At::Block(_));
            let free = !matches!(self.books.txs[&name].at, At::Conflicted(Some(_)));
            if !mined && free {
                let index = u32::try_from(words.len()).unwrap();
                words.push(self.word(&name));
                self.observe(&name, Some((self.books.tip, index)));
            }
        }
        words
    }

    fn disconnect(&mut self, count: usize, mempool: bool) -> bool {
        let count = u32::try_from(count).unwrap();
        if self.books.tip < self.floor + count {
            return false;
        }
        self.books.tip -= count;
        let tip = self.books.tip;
        for tx in self.books.txs.values_mut() {
            match tx.at {
                At::Block(height) if height > tip => {
                    tx.at = if mempool { At::Mempool } else { At::Evicted };
                }
                At::Conflicted(Some(height)) if height > tip => tx.at = At::Conflicted(None),
                At::Unknown | At::Mempool | At::Block(_) | At::Evicted | At::Conflicted(_) => {}
            }
        }
        true
    }

    /// An acceptance is void unless all of its money is in blocks after the whole input.
    fn void_acceptance(&mut self) {
        let Books {
            txs,
            accepted,
            is_final,
            ..
        } = &mut self.books;
        let in_block = |name: &String| matches!(txs[name].at, At::Block(_));
        if !*is_final && !accepted.iter().all(in_block) {
            accepted.clear();
        }
    }

    fn carry_out(&mut self, op: &Op, mempool: bool) {
        match op {
            Op::See(pick) => {
                let name = self.name(*pick);
                if self.books.txs[&name].right_asset
                    && !matches!(
                        self.books.txs[&name].at,
                        At::Block(_) | At::Conflicted(Some(_))
                    )
                {
                    self.observe(&name, None);
                    let word = self.word(&name);
                    self.act(&format!("see {word}"));
                }
            }
            Op::Mine(picks) => {
                let words = self.connect(picks);
                self.act(&format!("mine {}", words.join(" ")));
            }
            Op::Rollback(count) => {
                if self.disconnect(*count, mempool) {
                    self.void_acceptance();
                    self.act(&format!("rollback {count}"));
                }
            }
            Op::Swap(count, picks) => {
                if self.disconnect(*count, mempool) {
                    let words = self.connect(picks);
                    self.void_acceptance();
                    self.act(&format!("swap {count} {}", words.join(" ")));
                }
            }
            Op::Evict(pick) => {
                let name = self.name(*pick);
                if self.books.txs[&name].at == At::Mempool {
                    self.books.txs.get_mut(&name).unwrap().at = At::Evicted;
                    self.act(&format!("evict {name}"));
                }
            }
            Op::Conflict(pick) => {
                let name = self.name(*pick);
                // No chain spends one output twice.
                if matches!(
                    self.books.txs[&name].at,
                    At::Mempool | At::Evicted | At::Conflicted(None)
                ) {
                    self.books.tip += 1;
                    let tip = self.books.tip;
                    self.books.txs.get_mut(&name).unwrap().at = At::Conflicted(Some(tip));
                    self.act(&format!("conflict {name} z"));
                }
            }
            Op::Wait(pick) => self.act(&format!("wait {}", WAITS[pick % WAITS.len()])),
            Op::Storm(pick) => self.act(["unhealthy", "freeze"][pick % 2]),
            Op::Calm => {
                self.act("healthy");
                self.act("thaw");
            }
            Op::Finalize => {
                self.act("finalize");
                self.floor = self.books.tip;
            }
            Op::MakeSafe => self.act(&format!("safe {}", self.books.tip)),
            Op::Ask(pick) => self.ask(REQUESTS[pick % REQUESTS.len()]),
        }
        self.books.now = self.story.now.0;
        self.books.finalized = self.story.view.finalized.unwrap().0;
        self.books.safe = self.story.view.safe.map_or(0, |safe| safe.0);
        self.floor = self.floor.max(self.books.finalized);
    }

    fn ask(&mut self, line: &str) {
        let before = self.story.payment.judged.clone();
        self.act(line);
        if self.story.last.refused.is_some() || self.story.last.duplicate {
            return;
        }
        match line {
            "cancel" => self.books.canceled = true,
            "accept" => {
                self.books.fixed = None;
                let accepted = self.books.txs.iter();
                let accepted = accepted.filter(|(_, tx)| tx.sats >= 546 && self.books.deep(tx));
                self.books.accepted = accepted.map(|(name, _)| name.clone()).collect();
            }
            "reject" => {
                self.books.fixed = Some(format!("invalid/{}", before.reason.unwrap()));
            }
            "extend 2h" => {
                self.books.expired = false;
                self.books.deadline = self.story.payment.terms.deadline().0;
            }
            "refunded" => self.books.fixed = Some("refunded/operator".to_owned()),
            _ => {}
        }
    }

    fn is_calm(&self) -> bool {
        self.story.view.healthy && self.story.view.frozen.is_none()
    }

    fn shown(&self) -> Truth {
        let judged = &self.story.payment.judged;
        let sats = |amount: crate::domain::amount::Amount| u64::try_from(amount.base()).unwrap();
        let reason = judged.reason.map_or(String::new(), |r| format!("/{r}"));
        Truth {
            state: format!("{}{reason}", judged.status),
            received: sats(judged.received),
            counted: sats(judged.counted),
            surplus: sats(judged.surplus),
            is_final: judged.is_final,
        }
    }

    fn compare(&mut self) {
        self.act("poll");
        let truth = self.books.judge();
        assert_eq!(self.shown(), truth, "\n{}", self.told.join("\n"));
    }

    /// In a storm nothing becomes `paid`; `invalid` only tells that paid money is gone, and
    /// `expired` only comes back.
    fn no_verdict(&self, before: Status) {
        let after = self.story.payment.judged.status;
        let history = &self.story.payment.history;
        let story = || self.told.join("\n");
        if before != after {
            assert_ne!(after, Status::Paid, "\n{}", story());
            assert!(
                after != Status::Invalid || history.ever_paid,
                "\n{}",
                story()
            );
            assert!(
                after != Status::Expired || history.closed.is_some(),
                "\n{}",
                story()
            );
        }
    }
}

/// A token's payment says what makes its money deep.
fn tell(ops: &[Op], says: Option<Says>, sum: bool, late_accept: bool) {
    let token = says.is_some();
    let mut both = Both::begin(says, sum, late_accept);
    for op in ops {
        let asks = matches!(op, Op::Ask(_));
        let unconfirmed = matches!(op, Op::See(_) | Op::Evict(_) | Op::Conflict(_));
        if asks && !both.is_calm() || unconfirmed && token {
            continue;
        }
        let before = both.story.payment.judged.status;
        both.carry_out(op, !token);
        if both.is_calm() {
            if token {
                // Its head's time must be beyond a deadline.
                both.carry_out(&Op::Mine(Vec::new()), false);
            }
            both.compare();
        } else {
            both.no_verdict(before);
        }
    }
    both.carry_out(&Op::Calm, !token);
    if token {
        both.carry_out(&Op::Mine(Vec::new()), false);
    }
    both.compare();
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_bitcoin_payment_is_where_the_naive_judge_puts_it(
        ops in prop::collection::vec(op(), 1..40),
        sum: bool,
        late_accept: bool,
    ) {
        tell(&ops, None, sum, late_accept);
    }

    #[test]
    fn a_token_payment_is_where_the_naive_judge_puts_it(
        ops in prop::collection::vec(op(), 1..40),
        sum: bool,
        late_accept: bool,
        says in prop::sample::select(&[Says::Count, Says::Safe, Says::Final][..]),
    ) {
        tell(&ops, Some(says), sum, late_accept);
    }
}
