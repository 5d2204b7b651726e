//! A payment as sentences: what it is, why, what it waits for, and what a person can do.
//!
//! Puts into words what the domain says; judges nothing itself.

mod review;
mod waits;

use crate::{
    cli::time::readable,
    domain::{
        amount::Amount,
        assess::decision,
        block::TxId,
        explain::{self, Explanation},
        flags::Flag,
        payment::Payment,
        status::{Reason, Status},
        terms::{Depth, DepthRule},
        time::{SpanMs, UnixMs},
        transfer::{Disposition, Place, Transfer},
        view::ChainView,
    },
};

/// The most transfers that are told one by one.
const MAX_TRANSFERS: usize = 20;

/// Why a payment is where it is.
pub(super) fn explain(payment: &Payment, view: &ChainView, now: UnixMs) -> Vec<String> {
    let explanation = explain::explain(payment, view, now);
    tell(payment, view, now, &explanation)
}

fn tell(
    payment: &Payment,
    view: &ChainView,
    now: UnixMs,
    explanation: &Explanation,
) -> Vec<String> {
    let case = Case { payment, view, now };
    let waits = &explanation.waits;
    let mut sentences = vec![case.what_it_is(), case.why()];
    sentences.extend(case.amounts());
    sentences.extend(case.transfers());
    sentences.extend(case.flags());
    sentences.extend(case.token_notices());
    sentences.extend(waits.iter().filter_map(|wait| case.wait(*wait)));
    sentences.extend(case.review(&explanation.causes));
    sentences.push(case.watching());
    sentences
}

struct Case<'a> {
    payment: &'a Payment,
    view: &'a ChainView,
    now: UnixMs,
}

impl Case<'_> {
    fn money(&self, amount: Amount) -> String {
        let terms = &self.payment.terms;
        format!("{} {}", amount.display(terms.decimals), terms.asset)
    }

    fn what_it_is(&self) -> String {
        let Payment {
            id,
            address,
            chain,
            terms,
            judged,
            ..
        } = self.payment;
        let asked = self.money(terms.amount_expected);
        let status = judged.status;
        format!("{id} asks for {asked} to {address} on {chain}. Its status is {status}.")
    }

    fn why(&self) -> String {
        if self.payment.judged.reason == Some(Reason::Forced) {
            return "Somebody gave it this status in the sandbox; nothing else moves it any more."
                .to_owned();
        }
        match self.payment.judged.status {
            Status::New => self.why_new(),
            Status::Pending => format!(
                "{} is seen, but in no block yet. {}",
                self.deciding(),
                self.depth_rule()
            ),
            Status::Confirming => format!(
                "{} is in block {} with {}. {}",
                self.deciding(),
                self.block_height(),
                self.confirmations(),
                self.depth_rule()
            ),
            Status::Paid => self.why_paid(),
            Status::Invalid => self.why_invalid(),
            Status::Expired => format!(
                "Nothing significant came before the deadline of {}.",
                self.deadline()
            ),
            Status::Canceled => format!(
                "It was withdrawn{} before any money was seen.",
                self.by_whom()
            ),
            Status::Refunded => format!(
                "The money was returned, as stated{}; this is never concluded from the chain.",
                self.by_whom()
            ),
        }
    }

    fn by_whom(&self) -> &'static str {
        match self.payment.judged.reason {
            Some(Reason::Gateway) => " by the gateway",
            Some(Reason::Operator) => " by an operator",
            Some(_) | None => "",
        }
    }

    fn why_new(&self) -> String {
        let seen = match self.payment.judged.reason {
            Some(Reason::Dropped) => {
                "A transaction was seen, but it vanished from the mempool before it was in a block."
            }
            Some(Reason::Reorged) => {
                "A transaction was in a block that left the best chain, and it is nowhere now."
            }
            Some(_) | None => "Nothing significant has come to the address so far.",
        };
        let deadline = self.deadline();
        if self.now > self.payment.terms.deadline() {
            format!(
                "{seen} Its deadline of {deadline} is over; it will be judged when everything \
                 up to then has surely been looked at."
            )
        } else {
            format!("{seen} Money is on time until {deadline}{}.", self.late())
        }
    }

    /// The deadline with its grace.
    fn deadline(&self) -> String {
        let terms = &self.payment.terms;
        let at = readable(terms.expires_at.0);
        match terms.grace {
            SpanMs(0) => at,
            grace => format!("{at} (and {} s of grace)", grace.0.div_euclid(1000)),
        }
    }

    /// Until when late money still pays.
    fn late(&self) -> String {
        let terms = &self.payment.terms;
        let last = decision::last_accepted_at(terms);
        if last > terms.deadline() {
            let last = readable(last.0);
            format!("; until {last} it still pays, flagged as late")
        } else {
            String::new()
        }
    }

    fn deciding(&self) -> String {
        let txid = self.payment.judged.txid;
        txid.filter(TxId::exists).map_or_else(
            || "The deciding transaction".to_owned(),
            |txid| format!("Transaction {}{txid}", self.payment.kind.hash_prefix()),
        )
    }

    fn block_height(&self) -> String {
        let block = self.payment.judged.block;
        block.map_or_else(|| "?".to_owned(), |block| block.id.height.to_string())
    }

    fn confirmations(&self) -> String {
        let block = self.payment.judged.block;
        let count = block.map_or(0, |block| self.view.confirmations(block.id.height));
        match count {
            1 => "1 confirmation".to_owned(),
            count => format!("{count} confirmations"),
        }
    }

    fn depth_rule(&self) -> String {
        let Depth {
            rule,
            confirmations,
        } = self.payment.terms.depth;
        let called = match rule {
            DepthRule::Confirmations => {
                return format!("It must be {confirmations} deep before the payment is paid.");
            }
            DepthRule::Safe => "safe",
            DepthRule::Finalized => "final",
        };
        if self.view.counts_confirmations(rule) {
            format!(
                "Its block must be {called} before the payment is paid; {chain} names no such \
                 blocks, so {confirmations} confirmations count instead.",
                chain = self.payment.chain
            )
        } else {
            format!("Its block must be {called} before the payment is paid.")
        }
    }

    fn why_paid(&self) -> String {
        let judged = &self.payment.judged;
        let since = judged
            .paid_at
            .map_or_else(String::new, |at| format!(" since {}", readable(at.0)));
        let why = match judged.reason {
            Some(Reason::WithinTolerance) => format!(
                "{} is missing, which is within the allowed {}",
                self.money(judged.shortfall),
                self.money(self.payment.terms.allowed_shortfall)
            ),
            Some(Reason::Overpaid) => "more came than was asked for".to_owned(),
            Some(Reason::Operator) => "an operator accepted it".to_owned(),
            Some(_) | None => "the amount is exact".to_owned(),
        };
        let depth = match judged.block {
            Some(_) => format!(
                " {} is in block {} with {}.",
                self.deciding(),
                self.block_height(),
                self.confirmations()
            ),
            None => String::new(),
        };
        let last = if judged.is_final {
            " It can no longer change."
        } else {
            " It is not final yet: a deep reorganisation would still withdraw it."
        };
        format!("It is paid{since}: {why}.{depth}{last}")
    }

    fn why_invalid(&self) -> String {
        let judged = &self.payment.judged;
        let missing = self.money(judged.shortfall);
        match judged.reason {
            Some(Reason::Underpaid) => format!(
                "One transaction came with too little: {missing} is missing, and only {} may be.",
                self.money(self.payment.terms.allowed_shortfall)
            ),
            Some(Reason::Split) => format!(
                "Several transactions came, {} together, but one alone must cover the amount.",
                self.money(judged.received)
            ),
            Some(Reason::WrongAsset) => {
                "Only money of another asset came; it is never converted.".to_owned()
            }
            Some(Reason::Late) => format!("The money came after {}.", self.deadline()),
            Some(Reason::AfterCancel) => {
                "The money came after the payment had been withdrawn.".to_owned()
            }
            Some(Reason::DoubleSpent) => {
                "Another transaction that spends the same money was confirmed instead.".to_owned()
            }
            Some(Reason::ConfirmTimeout) => format!(
                "{} has been seen for too long without being in a block.",
                self.deciding()
            ),
            Some(Reason::Reorged) => {
                "Its money was in a block that left the best chain, and it is nowhere now."
                    .to_owned()
            }
            Some(reason) => format!("Its reason is {reason}."),
            None => "Money came that does not satisfy the rules.".to_owned(),
        }
    }

    fn amounts(&self) -> Option<String> {
        let judged = &self.payment.judged;
        if judged.received.is_zero() {
            return None;
        }
        let surplus = match judged.surplus {
            Amount::ZERO => String::new(),
            surplus => format!(", and {} is too much", self.money(surplus)),
        };
        let (received, counted) = (self.money(judged.received), self.money(judged.counted));
        Some(format!(
            "{received} has come; {counted} counts towards the amount{surplus}."
        ))
    }

    fn transfers(&self) -> Vec<String> {
        let transfers = &self.payment.transfers;
        let shown = transfers.iter().take(MAX_TRANSFERS);
        let mut sentences: Vec<_> = shown.map(|transfer| self.transfer(transfer)).collect();
        let more = transfers.len().saturating_sub(MAX_TRANSFERS);
        if more > 0 {
            sentences.push(format!(
                "{more} more transfers are listed by `payment show`."
            ));
        }
        sentences
    }

    fn transfer(&self, transfer: &Transfer) -> String {
        let prefix = self.payment.kind.hash_prefix();
        let amount = transfer.amount.display(transfer.decimals);
        let place = match &transfer.place {
            Place::Mempool => "in the mempool".to_owned(),
            Place::Block(anchor) => format!("in block {}", anchor.block.id.height),
            Place::Evicted => "gone from the mempool".to_owned(),
            Place::Replaced { by, .. } => format!("replaced by {prefix}{by}"),
            Place::Orphaned => "gone with a block that left the best chain".to_owned(),
        };
        let Transfer {
            txid,
            position,
            asset,
            ..
        } = transfer;
        let meaning = meaning(transfer.disposition);
        if !txid.exists() {
            return format!("Transfer {position}: {amount} {asset}, {place}; {meaning}.");
        }
        format!("Transfer {prefix}{txid} {position}: {amount} {asset}, {place}; {meaning}.")
    }

    fn flags(&self) -> Vec<String> {
        let flags = self.payment.judged.flags.iter();
        flags.filter_map(about_flag).map(str::to_owned).collect()
    }

    /// What the administration of tokens did that concerns it.
    fn token_notices(&self) -> impl Iterator<Item = String> {
        let notices = self.payment.history.token_notices.iter();
        notices.map(|notice| format!("{}.", notice.sentence(self.payment)))
    }

    fn watching(&self) -> String {
        match self.payment.judged.watch_until_at {
            None => "Its address stays watched for as long as this can change.".to_owned(),
            Some(until) if self.now > until && self.payment.judged.status == Status::New => {
                "Its address stays watched until this is judged.".to_owned()
            }
            Some(until) if self.now > until => format!(
                "Its address was watched until {}; later money is not recorded.",
                readable(until.0)
            ),
            Some(until) => format!("Its address is watched until {}.", readable(until.0)),
        }
    }
}

const fn meaning(disposition: Disposition) -> &'static str {
    match disposition {
        Disposition::Dust => "too little to mean anything",
        Disposition::WrongAsset => "of another asset, not counted",
        Disposition::AfterCancel => "came after the payment was withdrawn, not counted",
        Disposition::Late => "too late, not counted",
        Disposition::Short => "not enough",
        Disposition::Surplus => "beside what was asked for",
        Disposition::Counted => "counted",
    }
}

/// Flags that say more than status and reason.
const fn about_flag(flag: Flag) -> Option<&'static str> {
    match flag {
        Flag::Degraded => Some("Its evidence is weaker than full verification."),
        Flag::Duplicate => Some("Another transaction came beside the deciding one."),
        Flag::Late => Some("Money came after the deadline."),
        Flag::Manual => Some("An operator decided about it."),
        Flag::Reorged => Some("A block with its money left the best chain at least once."),
        Flag::Replaced => Some("A transaction of it was replaced at least once."),
        Flag::Reversed => Some("It was paid before, and that was withdrawn."),
        Flag::Simulated => Some("It is from a simulated chain: no real money moved."),
        Flag::WrongAsset => Some("Money of another asset came to its address."),
        Flag::Overpaid | Flag::Split | Flag::Underpaid => None,
    }
}

#[cfg(test)]
mod tests;
