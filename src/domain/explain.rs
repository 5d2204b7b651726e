//! Sentences for support staff: why a payment is where it is, and what would change it.
//!
//! Judges the payment as it stands and puts the judgement into words; changes nothing.

use super::{
    assess::{self, decision, gate::Wait, money, money::Money},
    block::Height,
    payment::{Payment, ScanFrom},
    snapshot::txid_text,
    status::{Reason, Status},
    time::{SpanMs, UnixMs},
    transfer::Disposition,
    view::ChainView,
};

/// Why the payment is where it is and what would change it, one sentence an entry.
#[must_use]
pub fn explain(payment: &Payment, view: &ChainView, now: UnixMs) -> Vec<String> {
    let assessment = assess::assess(payment, view, now);
    let mut sentences = vec![status(payment)];
    sentences.push(amounts(payment));
    let money = money::gather(payment);
    sentences.extend(money.iter().map(|money| transaction(payment, money, view)));
    sentences.extend(deadline(payment, now));
    let mut waits = assessment.waits;
    waits.sort_unstable();
    waits.dedup();
    sentences.extend(waits.iter().map(|wait| waiting(payment, view, *wait)));
    if payment.judged.needs_review {
        let open = |cause: &&String| !payment.history.acked.contains(*cause);
        let causes: Vec<&str> = assessment
            .causes
            .iter()
            .filter(open)
            .map(String::as_str)
            .collect();
        sentences.push(format!("A person should look: {}.", causes.join(", ")));
    }
    sentences
}

fn status(payment: &Payment) -> String {
    let judged = &payment.judged;
    let why = match judged.reason {
        Some(reason) => because(reason),
        None => without_reason(judged.status),
    };
    let last = if judged.is_final {
        " It is final: nothing on the chain changes it any more."
    } else {
        ""
    };
    format!("The payment is {}: {why}.{last}", judged.status)
}

const fn without_reason(status: Status) -> &'static str {
    match status {
        Status::New => "no significant money in time is known",
        Status::Pending => "the deciding transaction is in no block yet",
        Status::Confirming => "the deciding transaction is in a block, not yet deep enough",
        Status::Paid => "amount, time and depth hold",
        Status::Invalid => "the money that came does not satisfy the terms",
        Status::Expired => "the deadline passed",
        Status::Canceled => "it was withdrawn",
        Status::Refunded => "the money was returned",
    }
}

const fn because(reason: Reason) -> &'static str {
    match reason {
        Reason::Dropped => "its unconfirmed transaction is gone from the mempool",
        Reason::Reorged => "the block that held its transaction left the best chain",
        Reason::Exact => "the exact amount came in time and is deep enough",
        Reason::WithinTolerance => "a little less came than was asked for, within the tolerance",
        Reason::Overpaid => "more came than was asked for, in time and deep enough",
        Reason::Operator => "an operator decided so",
        Reason::Underpaid => "too little came",
        Reason::Split => "several transactions came and none of them suffices alone",
        Reason::WrongAsset => "only money of another asset came",
        Reason::Late => "the money came after the deadline",
        Reason::AfterCancel => "money came after the payment was withdrawn",
        Reason::DoubleSpent => "a conflicting transaction confirmed, so the payer's never can",
        Reason::ConfirmTimeout => "its transaction was seen but got into no block for too long",
        Reason::Deadline => "the deadline passed with no significant money in time",
        Reason::Gateway => "the gateway decided so",
    }
}

fn amounts(payment: &Payment) -> String {
    let (judged, terms) = (&payment.judged, &payment.terms);
    let text = |amount: super::amount::Amount| amount.display(terms.decimals);
    format!(
        "Asked for {} {} (up to {} may be missing); received {}, counted {}, missing {}, too \
         much {}.",
        text(terms.amount_expected),
        terms.asset,
        text(terms.allowed_shortfall),
        text(judged.received),
        text(judged.counted),
        text(judged.shortfall),
        text(judged.surplus),
    )
}

fn transaction(payment: &Payment, money: &Money, view: &ChainView) -> String {
    let first = money
        .rows
        .first()
        .and_then(|row| payment.transfers.get(*row));
    let what = first.map_or_else(String::new, |transfer| {
        format!(
            "{} {}",
            money.amount.display(transfer.decimals),
            transfer.asset
        )
    });
    let place = match (money.anchor(), first) {
        (Some(anchor), _) => {
            let height = anchor.block.id.height;
            let required = money.depth_required(payment.terms.confirmations_required);
            let confirmations = view.confirmations(height);
            format!("in block {height} with {confirmations} of {required} confirmations")
        }
        (None, Some(transfer)) => format!("not in a block ({})", transfer.place.as_str()),
        (None, None) => String::new(),
    };
    let meaning = first.map_or("", |transfer| meaning(transfer.disposition));
    let txid = txid_text(payment.kind, money.txid);
    format!("Transaction {txid} brings {what}, {place}: {meaning}.")
}

const fn meaning(disposition: Disposition) -> &'static str {
    match disposition {
        Disposition::Dust => "too little to mean anything",
        Disposition::WrongAsset => "of another asset, so it is not counted",
        Disposition::AfterCancel => "it came after the payment was withdrawn",
        Disposition::Late => "it came after the deadline",
        Disposition::Short => "it does not suffice",
        Disposition::Surplus => "it is beside what was counted",
        Disposition::Counted => "it pays",
    }
}

fn deadline(payment: &Payment, now: UnixMs) -> Option<String> {
    let terms = &payment.terms;
    let at = terms.deadline();
    match payment.judged.status {
        Status::New | Status::Pending | Status::Confirming => {}
        Status::Paid | Status::Invalid | Status::Expired | Status::Canceled | Status::Refunded => {
            return None;
        }
    }
    let left = at.since(now);
    let text = if left > SpanMs(0) {
        format!("Money first seen within {} is in time", in_words(left))
    } else {
        format!(
            "The deadline and its grace ended {} ago",
            in_words(now.since(at))
        )
    };
    let last = decision::last_accepted_at(terms);
    let late = (last > at).then(|| {
        let window = in_words(last.since(at));
        format!("; for {window} after that it still counts, marked as late")
    });
    Some(format!("{text}{}.", late.unwrap_or_default()))
}

fn waiting(payment: &Payment, view: &ChainView, wait: Wait) -> String {
    match wait {
        Wait::Review => {
            "A verdict waits until a person looks at a refused change and acknowledges it."
                .to_owned()
        }
        Wait::Scan => {
            if let Some(why) = payment.scan_refusal() {
                return format!("A verdict waits because past blocks cannot be scanned: {why}.");
            }
            let from = match payment.scan.from {
                ScanFrom::Height(height) => format!("block {height}"),
                ScanFrom::Time(at) => format!("the time {}", at.0),
            };
            format!("A verdict waits until past blocks from {from} on are scanned.")
        }
        Wait::Health => "A verdict waits until the node answers and is up to date.".to_owned(),
        Wait::Thaw => "A verdict waits because the chain is frozen.".to_owned(),
        Wait::Agreement => "It waits until enough nodes agree on the block.".to_owned(),
        Wait::Poll(at) => format!("Time alone changes something at {} (ms since 1970).", at.0),
        Wait::Cursor(height) => {
            let blocks = blocks_to(view, height);
            format!("It is judged again at block {height}, {blocks} from now.")
        }
        Wait::Final(height) => format!("It becomes final once block {height} is final."),
    }
}

fn blocks_to(view: &ChainView, height: Height) -> String {
    let cursor = view.scanned.map_or(Height(0), |cursor| cursor.id.height);
    match height.0.saturating_sub(cursor.0) {
        1 => "1 block".to_owned(),
        blocks => format!("{blocks} blocks"),
    }
}

/// A span in its largest whole unit.
fn in_words(span: SpanMs) -> String {
    const UNITS: [(i64, &str); 4] = [
        (86_400_000, "day"),
        (3_600_000, "hour"),
        (60_000, "minute"),
        (1000, "second"),
    ];
    for (length, name) in UNITS {
        let count = span.0.checked_div(length).unwrap_or_default();
        if count > 0 {
            let plural = if count == 1 { "" } else { "s" };
            return format!("{count} {name}{plural}");
        }
    }
    "less than a second".to_owned()
}
