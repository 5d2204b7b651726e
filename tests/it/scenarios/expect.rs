//! What a scenario expects: how it is written, and what it means as a value. Knows no daemon.

use super::words::{Trouble, Words};
use crate::simulation::world::Which;

/// What must be so.
#[derive(Debug, Clone)]
pub enum Expectation {
    Payment {
        id: String,
        /// With its reason, as `paid exact`.
        status: String,
        clauses: Vec<Clause>,
    },
    /// The daemon knows no such payment.
    Unknown(String),
    /// All of a payment's transfers, in any order.
    Transfers(String, Vec<Transfer>),
    /// The last entries of a payment's journal, in order.
    Events(String, Vec<String>),
    /// How the last request ended.
    Request {
        outcome: Outcome,
        code: Option<String>,
    },
    Chain(Which, Vec<ChainClause>),
}

/// A detail of a payment.
#[derive(Debug, Clone)]
pub enum Clause {
    /// A column of money, and how much.
    Money(&'static str, String),
    /// A column with a number.
    Number(&'static str, u32),
    /// The flags, all of them.
    Flags(Vec<String>),
    /// The deciding transaction.
    Txid(Option<String>),
    /// It was first seen within a few polls after its transaction was sent.
    SeenWhenSent,
}

/// A transfer of a payment.
#[derive(Debug, Clone)]
pub struct Transfer {
    pub tx: String,
    pub state: String,
    pub disposition: String,
    pub replaced_by: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Applied,
    Duplicate,
    Refused,
    /// There is none yet.
    Open,
}

/// A detail of a chain.
#[derive(Debug, Clone)]
pub enum ChainClause {
    Healthy(bool),
    Frozen(bool),
    /// Scanned up to the node's head.
    AtTip,
    Behind,
    /// Its error contains this.
    Says(String),
    Finalized(u32),
}

type Parse<T> = fn(&mut Words<'_>) -> Result<T, Trouble>;

/// Reads what follows `expect`.
pub fn parse(words: &mut Words<'_>) -> Result<Expectation, Trouble> {
    if words.take_if("request") {
        return request(words);
    }
    if words.take_if("transfers of") {
        return transfers(words);
    }
    if words.take_if("events of") {
        return events(words);
    }
    if Which::BOTH.iter().any(|which| words.peek() == which.name()) {
        return chain(words);
    }
    payment(words)
}

fn request(words: &mut Words<'_>) -> Result<Expectation, Trouble> {
    const OUTCOMES: [(&str, Outcome); 4] = [
        ("applied", Outcome::Applied),
        ("duplicate", Outcome::Duplicate),
        ("refused", Outcome::Refused),
        ("open", Outcome::Open),
    ];
    let outcome = words.one_of("outcome", &OUTCOMES)?;
    let code = (outcome == Outcome::Refused).then(|| words.take("code"));
    let code = code.transpose()?.map(str::to_owned);
    Ok(Expectation::Request { outcome, code })
}

/// The name before a colon, and what stands between commas after it.
fn list<'a>(words: &mut Words<'a>) -> Result<(String, Vec<&'a str>), Trouble> {
    let id = words.take("payment")?;
    let id = id.strip_suffix(':').ok_or("a colon is missing")?;
    let members = words.take_all().split(',').map(str::trim);
    let members: Vec<&str> = members.filter(|member| !member.is_empty()).collect();
    if members.is_empty() {
        return Err("nothing follows the colon; allowed: none, or members with commas".to_owned());
    }
    Ok((id.to_owned(), members))
}

fn transfers(words: &mut Words<'_>) -> Result<Expectation, Trouble> {
    let (id, members) = list(words)?;
    if members == ["none"] {
        return Ok(Expectation::Transfers(id, Vec::new()));
    }
    let transfers: Result<_, Trouble> = members.into_iter().map(transfer).collect();
    Ok(Expectation::Transfers(id, transfers?))
}

fn transfer(text: &str) -> Result<Transfer, Trouble> {
    const STATES: [&str; 5] = ["mempool", "confirmed", "evicted", "replaced", "orphaned"];
    const DISPOSITIONS: [&str; 7] = [
        "counted",
        "surplus",
        "short",
        "wrong_asset",
        "late",
        "after_cancel",
        "dust",
    ];
    let mut words = Words::new(text);
    let tx = words.take("transaction")?.to_owned();
    let state = words.one_of("state", &STATES.map(|state| (state, state)))?;
    let disposition = words.one_of("disposition", &DISPOSITIONS.map(|one| (one, one)))?;
    let by = words.take_if("by").then(|| words.take("transaction"));
    let replaced_by = by.transpose()?.map(str::to_owned);
    words.finish()?;
    Ok(Transfer {
        tx,
        state: state.to_owned(),
        disposition: disposition.to_owned(),
        replaced_by,
    })
}

fn events(words: &mut Words<'_>) -> Result<Expectation, Trouble> {
    let (id, members) = list(words)?;
    let members = members.into_iter().map(str::to_owned).collect();
    Ok(Expectation::Events(id, members))
}

/// The parts of the rest of a line, with commas between.
fn parts<T>(words: &mut Words<'_>, parse: Parse<T>) -> Result<Vec<T>, Trouble> {
    let parts = words.take_all().split(',').filter(|part| !part.is_empty());
    let one = |part| {
        let mut words = Words::new(part);
        let clause = parse(&mut words)?;
        words.finish()?;
        Ok(clause)
    };
    parts.map(one).collect()
}

fn chain(words: &mut Words<'_>) -> Result<Expectation, Trouble> {
    let which = words.chain()?;
    Ok(Expectation::Chain(which, parts(words, chain_clause)?))
}

fn chain_clause(words: &mut Words<'_>) -> Result<ChainClause, Trouble> {
    const NAMES: [(&str, Parse<ChainClause>); 8] = [
        ("healthy", |_| Ok(ChainClause::Healthy(true))),
        ("unhealthy", |_| Ok(ChainClause::Healthy(false))),
        ("frozen", |_| Ok(ChainClause::Frozen(true))),
        ("free", |_| Ok(ChainClause::Frozen(false))),
        ("at-tip", |_| Ok(ChainClause::AtTip)),
        ("behind", |_| Ok(ChainClause::Behind)),
        ("says", |w| Ok(ChainClause::Says(w.take_all().to_owned()))),
        ("finalized", |w| {
            w.number("height").map(ChainClause::Finalized)
        }),
    ];
    let parse = words.one_of("state of a chain", &NAMES)?;
    parse(words)
}

/// Every status, and the reasons it may have; `""` is none.
const STATUSES: [(&str, &[&str]); 8] = [
    ("new", &["", "dropped", "reorged"]),
    ("pending", &[""]),
    ("confirming", &[""]),
    (
        "paid",
        &["exact", "within_tolerance", "overpaid", "operator"],
    ),
    (
        "invalid",
        &[
            "underpaid",
            "split",
            "wrong_asset",
            "late",
            "after_cancel",
            "double_spent",
            "confirm_timeout",
            "reorged",
        ],
    ),
    ("expired", &["deadline"]),
    ("canceled", &["gateway", "operator"]),
    ("refunded", &["gateway", "operator"]),
];

fn payment(words: &mut Words<'_>) -> Result<Expectation, Trouble> {
    let id = words.take("payment, chain or what else")?.to_owned();
    if words.take_if("unknown") {
        return Ok(Expectation::Unknown(id));
    }
    // A clause follows after a comma.
    let text = words.take_all();
    let (status, rest) = text.split_once(',').unwrap_or((text, ""));
    let status = status_in(status)?;
    let clauses = parts(&mut Words::new(rest), clause)?;
    Ok(Expectation::Payment {
        id,
        status,
        clauses,
    })
}

/// A status with its reason, as both are shown.
fn status_in(text: &str) -> Result<String, Trouble> {
    let mut words = Words::new(text);
    let names = STATUSES.map(|(name, reasons)| (name, (name, reasons)));
    let (status, reasons) = words.one_of("status", &names)?;
    let reason = words.take_all();
    if reasons.contains(&reason) {
        return Ok(format!("{status} {reason}").trim_end().to_owned());
    }
    let allowed = reasons.join(", ");
    Err(format!(
        "{status} has no reason {reason:?}; allowed: {allowed}"
    ))
}

fn clause(words: &mut Words<'_>) -> Result<Clause, Trouble> {
    const NAMES: [(&str, Parse<Clause>); 11] = [
        ("received", |w| money(w, "amount_received")),
        ("counted", |w| money(w, "amount_counted")),
        ("shortfall", |w| money(w, "shortfall")),
        ("surplus", |w| money(w, "surplus")),
        ("confirmations", |w| {
            Ok(Clause::Number("confirmations", w.number("number")?))
        }),
        ("flags", |w| {
            let flags = w.take_all().split_whitespace().map(str::to_owned);
            Ok(Clause::Flags(flags.collect()))
        }),
        ("review", |_| Ok(Clause::Number("needs_review", 1))),
        ("final", |_| Ok(Clause::Number("final", 1))),
        ("tx", |w| {
            Ok(Clause::Txid(Some(w.take("transaction")?.to_owned())))
        }),
        ("seen-when-sent", |_| Ok(Clause::SeenWhenSent)),
        ("no", |w| {
            let none = [("flags", 0), ("review", 1), ("tx", 2), ("finality", 3)];
            Ok(match w.one_of("thing to miss", &none)? {
                0 => Clause::Flags(Vec::new()),
                1 => Clause::Number("needs_review", 0),
                2 => Clause::Txid(None),
                _ => Clause::Number("final", 0),
            })
        }),
    ];
    let parse = words.one_of("detail of a payment", &NAMES)?;
    parse(words)
}

fn money(words: &mut Words<'_>, column: &'static str) -> Result<Clause, Trouble> {
    Ok(Clause::Money(column, words.take("amount")?.to_owned()))
}
