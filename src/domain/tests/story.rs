//! A payment's story as text: one action a line, and what it must lead to.
//!
//! ```text
//! see a=1      => pending
//! mine a       => confirming
//! blocks 1     => paid/exact
//! ```
//!
//! Actions: `see a=1`, `mine a b=2` (one block), `blocks 3`, `rollback 2` (pure), `swap 2 a / b`
//! (two blocks leave, two join, in one input), `evict a`, `list a`, `replace a z`, `conflict a z` (in the
//! next block), `wait 5m`, `poll`, `unhealthy`, `healthy`, `freeze`, `thaw`, `agree N`,
//! `finalize`, `safe N`, `final N`, `untagged` and `tagged` (whether nodes name such blocks), `behind 10m` (of miners' clocks from now on), `judge`, `hold` (the database refused a change), and the requests `cancel accept reject ack extend refunded rescan`.
//! A transaction is `name=amount`, `a=1+2` (two credits), `a=5:USDC` (another asset), `a=1!`
//! (coinbase), `a=1?` (one operator's claim), `a=1@x` (spends the output `x`); once told, its name is enough.
//! `balances` says that only balances tell what contracts move, `base 5` and `look 6` what the address has after the tip.
//! `weigh weighed` compares what is claimed in the tip's block with the balance; of some blocks nothing is known after `untraced`.
//!
//! Every step is also checked against what must always hold; see [`super::invariants`].

use super::{
    invariants,
    setup::{
        FALLBACK_DEPTH, START, START_HEIGHT, Setup, asset, block, kind_of, outpoint, position,
        span, txid, view,
    },
};
use crate::domain::{
    amount::Amount,
    apply::apply,
    asset::ChainKind,
    block::{BlockHash, BlockRef, Height},
    command::{CarriedOut, carry_out},
    event::{Entry, EventKind},
    evidence::Evidence,
    facts::{Credit, Destination, Fact, OutPoint},
    payment::{Due, Hold, Payment, PaymentId, PaymentKey},
    register::{Registration, register},
    request::{Request, parse},
    status::Status,
    time::{SpanMs, UnixMs},
    view::{ChainView, FreezeReason, TracedBy},
};
use std::collections::BTreeMap;

/// Up to where it is known what contracts moved.
#[derive(Clone, Copy)]
enum Traced {
    ToTheTip,
    To(Height),
    Never,
}

/// One chain, one payment, and what was told about it.
pub struct Story {
    pub payment: Payment,
    pub view: ChainView,
    pub now: UnixMs,
    pub entries: Vec<Entry>,
    pub blocks: Vec<BlockRef>,
    txs: BTreeMap<String, Told>,
    forks: u8,
    /// How far block times are behind.
    behind: SpanMs,
    agreed: Option<Height>,
    /// Up to where contracts are traced, where that is not the tip.
    traced: Traced,
    /// Blocks above one that is final, where nobody names it.
    final_depth: Option<u32>,
    requests: i64,
    pub last: Outcome,
}

/// What the last action led to.
#[derive(Debug, Default, Clone)]
pub struct Outcome {
    pub kinds: Vec<EventKind>,
    pub refused: Option<&'static str>,
    pub duplicate: bool,
}

#[derive(Clone)]
struct Told {
    credits: Vec<Credit>,
    inputs: Vec<OutPoint>,
}

impl Story {
    pub fn begin(setup: &Setup) -> Self {
        let kind = kind_of(&setup.asset);
        let genesis = BlockHash([0; 32]);
        let cursor = block(START_HEIGHT, 0, genesis, START.minus(span("1m")));
        let now = START.plus(setup.waited);
        let view = view(kind, cursor, now);
        let registration = Registration {
            nothing_before: false,
            simulated: false,
            key: PaymentKey(1),
            id: PaymentId::new("order-1").unwrap(),
            register: &setup.register,
            asset: &setup.asset,
            kind,
            address: "addr".to_owned(),
            destination: Destination::new(b"addr").unwrap(),
            created_at: START,
        };
        let step = register(registration, &setup.defaults, &view, now).unwrap();
        Self {
            payment: step.payment,
            view,
            now,
            entries: step.entries,
            blocks: vec![cursor],
            txs: BTreeMap::new(),
            forks: 0,
            behind: SpanMs(0),
            agreed: None,
            traced: Traced::ToTheTip,
            final_depth: (kind == ChainKind::Bitcoin).then_some(99),
            requests: 0,
            last: Outcome::default(),
        }
    }

    /// Carries out one action.
    pub fn act(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (verb, rest) = (words[0], &words[1..]);
        match verb {
            "see" => {
                let facts = rest.iter().flat_map(|word| self.seen(word)).collect();
                self.take(facts);
            }
            "mine" => {
                let facts = self.connect(rest);
                self.take(facts);
            }
            "blocks" => {
                for _ in 0..rest[0].parse().unwrap() {
                    let facts = self.connect(&[]);
                    self.take(facts);
                }
            }
            "rollback" => {
                let facts = vec![self.disconnect(rest[0].parse().unwrap())];
                self.take(facts);
            }
            "swap" => {
                let facts = self.swap(rest);
                self.take(facts);
            }
            "evict" => {
                let txid = txid(rest[0]);
                self.take(vec![Fact::Evicted { txid }]);
            }
            "list" => {
                let txid = txid(rest[0]);
                self.take(vec![Fact::Listed { txid }]);
            }
            "replace" => self.take(vec![Fact::Replaced {
                txid: txid(rest[0]),
                by: txid(rest[1]),
            }]),
            "conflict" => {
                let facts = self.conflict(rest[0], rest[1]);
                self.take(facts);
            }
            "scanned" => {
                let to = Height(rest[0].parse().unwrap());
                self.take(vec![Fact::Scanned { to }]);
            }
            "past" => {
                let facts = self.past(rest);
                self.take(facts);
            }
            "weigh" => {
                let evidence = Evidence::parse(rest[0]).expect("known evidence");
                let claims = self.payment.transfers.iter();
                let mut claims = claims.filter(|t| t.evidence == Evidence::Claimed);
                let claim = claims.find_map(|t| t.place.anchor()).expect("a claim");
                let block = claim.block.id;
                self.take(vec![Fact::Weighed { block, evidence }]);
            }
            "untraced" => self.take(vec![Fact::Untraced]),
            "base" | "look" => {
                let mut facts = vec![self.balance(rest[0])];
                if verb == "base" {
                    let since = self.tip().id.height;
                    facts.insert(0, Fact::BalanceSince { since });
                }
                self.take(facts);
            }
            "wait" => self.wait(span(rest[0])),
            _ => self.set(verb, rest),
        }
    }

    /// Changes the chain's state, or asks for something.
    fn set(&mut self, verb: &str, rest: &[&str]) {
        match verb {
            "unhealthy" => self.view.healthy = false,
            "healthy" => self.view.healthy = true,
            "freeze" => self.view.frozen = Some(FreezeReason::BelowFinality),
            "thaw" => self.view.frozen = None,
            "agree" => {
                self.agreed = rest.first().map(|n| Height(n.parse().unwrap()));
                self.follow();
            }
            "trace" => {
                let height = rest.first().map(|n| Height(n.parse().unwrap()));
                self.traced = height.map_or(Traced::Never, Traced::To);
                self.follow();
            }
            "traced" => {
                self.traced = Traced::ToTheTip;
                self.follow();
            }
            "balances" => self.view.traced_by = Some(TracedBy::Balance),
            "gap" => {
                self.view.untraced_at = Some(self.tip().time);
                self.view.untraced_height = Some(self.tip().id.height);
            }
            "finalize" => self.view.finalized = Some(self.tip().id.height),
            "safe" => self.view.safe = Some(Height(rest[0].parse().unwrap())),
            "final" => self.view.finalized = Some(Height(rest[0].parse().unwrap())),
            "untagged" => {
                let depth = rest.first().map(|n| n.parse().unwrap());
                self.final_depth = depth.or(Some(FALLBACK_DEPTH - 1));
                self.view.tagged = false;
            }
            "tagged" => {
                self.final_depth = None;
                self.view.tagged = true;
            }
            "sleep" => {
                // Time without a poll: the source was away.
                self.now = self.now.plus(span(rest[0]));
            }
            "behind" => self.behind = span(rest[0]),
            "poll" => self.view.polled_at = Some(self.now),
            "judge" => {}
            "hold" => return self.hold(),
            _ => return self.ask(verb, rest),
        }
        self.take(Vec::new());
    }

    /// What the store does when the database refuses a change of the payment.
    fn hold(&mut self) {
        let payment = &mut self.payment;
        payment.history.held = Some(Hold {
            at: self.now,
            status: Status::Paid,
            problem: "refused".to_owned(),
        });
        payment.judged.needs_review = true;
        payment.judged.due = Due::default();
        payment.version += 1;
        let status = payment.judged.status;
        self.entries.push(Entry {
            payment: Some((payment.id.clone(), payment.version)),
            kind: EventKind::Attention,
            from: Some(status),
            to: Some(status),
            reason: payment.judged.reason,
            data: serde_json::json!({ "status": status.as_str() }).to_string(),
            occurred_at: self.now,
        });
    }

    fn ask(&mut self, kind: &str, rest: &[&str]) {
        let value = |index: usize| rest.get(index).copied().unwrap_or_default();
        let body = match kind {
            "extend" => format!("{{\"expires_at\":{}}}", self.now.plus(span(value(0))).0),
            "force" => format!("{{\"status\":{:?}}}", value(0)),
            "rescan" => format!("{{\"scan_from\":{}}}", value(0)),
            "refunded" | "accept" if !rest.is_empty() => format!("{{\"amount\":{:?}}}", value(0)),
            _ => "{}".to_owned(),
        };
        self.requests += 1;
        let request = Request {
            seq: self.requests,
            request_id: format!("r{}", self.requests),
            kind: kind.to_owned(),
            payment_id: "order-1".to_owned(),
            body,
            actor: Some("operator:ann".to_owned()),
            created_at: self.now,
        };
        let command = parse(&request).unwrap_or_else(|refusal| panic!("{refusal}"));
        let before = self.payment.clone();
        self.last = Outcome::default();
        match carry_out(&before, &command, &request, &self.view, self.now) {
            Ok(CarriedOut::Applied(step)) => {
                invariants::of_step(&before, &step, &self.view);
                self.last.kinds = step.entries.iter().map(|entry| entry.kind).collect();
                self.entries.extend(step.entries);
                self.payment = step.payment;
            }
            Ok(CarriedOut::Duplicate(_)) => self.last.duplicate = true,
            Err(refusal) => self.last.refused = Some(refusal.code),
        }
    }

    /// Applies facts, as the watcher does.
    pub fn take(&mut self, facts: Vec<Fact>) {
        let before = self.payment.clone();
        self.last = Outcome::default();
        let step = apply(&before, &facts, &self.view, self.now);
        if let Some(step) = step {
            invariants::of_step(&before, &step, &self.view);
            if facts.is_empty() {
                invariants::was_due(&before, &step.payment, &self.view);
            }
            self.last.kinds = step.entries.iter().map(|entry| entry.kind).collect();
            self.entries.extend(step.entries);
            self.payment = step.payment;
        }
        invariants::settled(&self.payment, &facts, &self.view, self.now);
        invariants::of_journal(self);
    }

    pub fn tip(&self) -> BlockRef {
        *self.blocks.last().unwrap()
    }

    fn wait(&mut self, span: SpanMs) {
        self.now = self.now.plus(span);
        self.view.polled_at = Some(self.now);
        self.take(Vec::new());
    }

    fn follow(&mut self) {
        let tip = self.tip();
        self.view.scanned = Some(tip);
        self.view.tip = Some(tip);
        let agreed = self.agreed.unwrap_or(tip.id.height);
        let known = self.blocks.iter().find(|block| block.id.height == agreed);
        self.view.agreed = known.copied().or(Some(tip));
        let agreed = self.view.agreed_height();
        self.view.held = self.view.held.max(agreed);
        self.view.traced = match self.traced {
            Traced::ToTheTip => Some(tip.id.height),
            Traced::To(height) => Some(height),
            Traced::Never => None,
        };
        let at = self
            .view
            .traced
            .and_then(|height| self.blocks.iter().find(|b| b.id.height == height));
        self.view.traced_at = at.map(|block| block.time);
        let by_depth = self.final_depth.map(|depth| tip.id.height.minus(depth));
        self.view.finalized = self.view.finalized.max(by_depth);
        self.view.safe = self.view.safe.map(|safe| safe.min(tip.id.height));
    }

    /// The facts of a new block with these transactions.
    pub fn connect(&mut self, words: &[&str]) -> Vec<Fact> {
        let parent = self.tip();
        let height = parent.id.height.0 + 1;
        let at = self.now.minus(self.behind);
        let block = block(height, self.forks, parent.id.hash, at);
        self.blocks.push(block);
        self.follow();
        let mut facts = Vec::new();
        for (index, word) in words.iter().enumerate() {
            let tx_index = u32::try_from(index).unwrap();
            facts.extend(self.mined(word, block, tx_index));
        }
        facts
    }

    fn mined(&mut self, word: &str, block: BlockRef, tx_index: u32) -> Vec<Fact> {
        let (seen_at, told) = (self.now, self.tell(word));
        let mined = |credit| Fact::Mined {
            credit,
            block,
            tx_index,
            seen_at,
            inputs: told.inputs.as_slice().into(),
        };
        told.credits.iter().cloned().map(mined).collect()
    }

    /// Credits of a block that is already part of the chain: `past 990 a=1`.
    fn past(&mut self, words: &[&str]) -> Vec<Fact> {
        let height: u32 = words[0].parse().unwrap();
        let known = self.blocks.iter().find(|b| b.id.height.0 == height);
        let made = block(height, 0, BlockHash([0; 32]), START.minus(span("30m")));
        let block = known.copied().unwrap_or(made);
        let mut facts = Vec::new();
        for word in &words[1..] {
            facts.extend(self.mined(word, block, 0));
        }
        facts
    }

    /// The facts of a transaction in the block that holds the first transfer.
    pub fn told_again(&mut self, word: &str) -> Vec<Fact> {
        let first = self.payment.transfers.first();
        let anchor = *first.and_then(|t| t.place.anchor()).expect("in a block");
        self.mined(word, anchor.block, anchor.tx_index)
    }

    /// What the address has after the tip.
    fn balance(&self, amount: &str) -> Fact {
        Fact::Balance {
            block: self.tip(),
            balance: Amount::parse(amount, self.payment.terms.decimals).unwrap(),
            seen_at: self.now,
        }
    }

    pub fn disconnect(&mut self, count: usize) -> Fact {
        let held = self.view.held;
        let keep = self.blocks.len() - count;
        self.blocks.truncate(keep);
        self.forks += 1;
        self.follow();
        let fork = self.tip().id.height;
        self.view.held = held.map(|held| held.min(fork));
        Fact::Disconnected { fork, held }
    }

    fn swap(&mut self, words: &[&str]) -> Vec<Fact> {
        let mut facts = vec![self.disconnect(words[0].parse().unwrap())];
        for block in words[1..].split(|word| *word == "/") {
            facts.extend(self.connect(block));
        }
        facts
    }

    fn conflict(&mut self, loser: &str, winner: &str) -> Vec<Fact> {
        let mut facts = self.connect(&[]);
        facts.push(Fact::Conflicted {
            txid: txid(loser),
            by: txid(winner),
            block: self.tip(),
        });
        facts
    }

    pub fn seen(&mut self, word: &str) -> Vec<Fact> {
        let (seen_at, told) = (self.now, self.tell(word));
        let seen = |credit| Fact::Seen {
            credit,
            seen_at,
            remembered: false,
            inputs: told.inputs.as_slice().into(),
        };
        told.credits.iter().cloned().map(seen).collect()
    }

    /// Whether a transaction was told under this name.
    pub fn knows(&self, name: &str) -> bool {
        self.txs.contains_key(name)
    }

    /// Reads `a=1+2:USDC?!@x,y`, where `?` is one operator's claim, `~` a block that nothing proves, or what was told under that name before.
    fn tell(&mut self, word: &str) -> Told {
        let Some((name, what)) = word.split_once('=') else {
            return self
                .txs
                .get(word)
                .unwrap_or_else(|| panic!("{word}?"))
                .clone();
        };
        let (what, inputs) = what.split_once('@').unwrap_or((what, ""));
        let coinbase = what.ends_with('!');
        let what = what.trim_end_matches('!');
        let evidence = match what.chars().last() {
            Some('?') => Evidence::Claimed,
            Some('~') => Evidence::Told,
            _ => Evidence::Proven,
        };
        let in_told_block = what.contains('~');
        let what = what.trim_end_matches(['?', '~']);
        let own = self.payment.terms.asset.as_str().to_owned();
        let (amounts, code) = what.split_once(':').unwrap_or((what, &own));
        let asset = asset(code);
        let credits = amounts.split('+').enumerate().map(|(n, amount)| Credit {
            evidence,
            in_told_block,
            txid: txid(name),
            position: position(&asset, u32::try_from(n).unwrap()),
            asset: asset.code.clone(),
            amount: Amount::parse(amount, asset.decimals).unwrap(),
            from_address: None,
            coinbase,
            dust: asset.dust,
            decimals: asset.decimals,
        });
        let outputs = inputs.split(',').filter(|name| !name.is_empty());
        let told = Told {
            credits: credits.collect(),
            inputs: outputs.map(outpoint).collect(),
        };
        self.txs.insert(name.to_owned(), told.clone());
        told
    }
}
