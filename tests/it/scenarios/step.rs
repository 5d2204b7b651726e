//! The steps of a scenario: how each is written, and what it means as a value. Knows no daemon.

mod deed;

pub use deed::{Deed, Issuing, Paying, tags};

use super::{
    expect::{self, Expectation},
    words::{Asset, Trouble, Words},
};
use crate::simulation::{stage::COMMIT_POINTS, world::Which};
use deed::DEEDS;

/// One thing that happens or is looked at.
#[derive(Debug, Clone)]
pub enum Step {
    Deed(Deed),
    Register(Registration),
    /// The gateway or an operator asks something about a payment.
    Ask(String, Ask),
    Stop,
    Start,
    Wait {
        until: Moment,
        mining: Vec<Which>,
    },
    Expect {
        at_once: bool,
        what: Expectation,
    },
}

/// How long something lasts.
#[derive(Debug, Clone)]
pub enum Moment {
    In(u64),
    /// So long after a payment was registered.
    After(u64, String),
}

/// A payment that the gateway asks for.
#[derive(Debug, Clone)]
pub struct Registration {
    pub id: String,
    pub asset: Asset,
    pub amount: u64,
    /// The payment whose address it has too.
    pub address_of: Option<String>,
    /// How many milliseconds ago the request was written.
    pub written_ago: u64,
    pub terms: Vec<Term>,
}

/// A field of the request beside the usual.
#[derive(Debug, Clone)]
pub enum Term {
    Tolerance(String),
    Policy(String),
    Confirmations(u32),
    /// The deadline, so long after the request is written.
    ExpiresIn(u64),
    ScanFromHeight(u32),
    ScanFromAgo(u64),
}

/// What may be asked about a payment.
#[derive(Debug, Clone)]
pub enum Ask {
    Cancel,
    Reject,
    Ack,
    Accept(Option<String>),
    Refunded(Option<String>),
    /// The deadline, so long after the registration.
    Extend(u64),
    /// Milliseconds ago.
    Rescan(u64),
    /// A kind and a body as they stand.
    Raw(String, String),
}

type Parse<T> = fn(&mut Words<'_>) -> Result<T, Trouble>;

/// Every step by its first word.
const STEPS: [(&str, Parse<Step>); 12] = [
    ("register", |w| Ok(Step::Register(registration(w)?))),
    ("request", |w| ask(w, raw)),
    ("cancel", |w| ask(w, |_| Ok(Ask::Cancel))),
    ("accept", |w| ask(w, |w| Ok(Ask::Accept(amount(w)?)))),
    ("reject", |w| ask(w, |_| Ok(Ask::Reject))),
    ("ack", |w| ask(w, |_| Ok(Ask::Ack))),
    ("refunded", |w| ask(w, |w| Ok(Ask::Refunded(amount(w)?)))),
    ("extend", |w| ask(w, extend)),
    ("rescan", |w| ask(w, rescan)),
    ("daemon", daemon),
    ("wait", wait),
    ("expect", |w| {
        let at_once = w.take_if("at once");
        let what = expect::parse(w)?;
        Ok(Step::Expect { at_once, what })
    }),
];

/// Reads one step.
pub fn parse(line: &str) -> Result<Step, Trouble> {
    let mut words = Words::new(line);
    let steps = STEPS.map(|(name, parse)| (name, Ok(parse)));
    let deeds = DEEDS.map(|(name, parse)| (name, Err(parse)));
    let all: Vec<_> = steps.into_iter().chain(deeds).collect();
    let step = match words.one_of("step", &all)? {
        Ok(step) => step(&mut words)?,
        Err(deed) => Step::Deed(deed(&mut words)?),
    };
    words.finish()?;
    Ok(step)
}

fn name(words: &mut Words<'_>) -> Result<String, Trouble> {
    words.take("name").map(str::to_owned)
}

/// An amount, when one comes.
fn amount(words: &mut Words<'_>) -> Result<Option<String>, Trouble> {
    let comes = words.has_number();
    comes
        .then(|| words.take("amount").map(str::to_owned))
        .transpose()
}

fn registration(words: &mut Words<'_>) -> Result<Registration, Trouble> {
    let id = name(words)?;
    let text = words.take("amount")?;
    let asset = words.asset()?;
    let mut registration = Registration {
        id,
        asset,
        amount: asset.units(text)?,
        address_of: None,
        written_ago: 0,
        terms: Vec::new(),
    };
    while !words.is_empty() {
        let term = words.one_of("term", &TERMS)?;
        term(&mut registration, words)?;
    }
    Ok(registration)
}

type Say = fn(&mut Registration, &mut Words<'_>) -> Result<(), Trouble>;

/// What may be said of a payment beside what has to be.
const TERMS: [(&str, Say); 7] = [
    ("tolerance", |r, w| {
        r.terms
            .push(Term::Tolerance(w.take("tolerance")?.to_owned()));
        Ok(())
    }),
    ("policy", |r, w| {
        r.terms.push(Term::Policy(w.take("policy")?.to_owned()));
        Ok(())
    }),
    ("confirmations", |r, w| {
        r.terms.push(Term::Confirmations(w.number("number")?));
        Ok(())
    }),
    ("expires-in", |r, w| {
        r.terms.push(Term::ExpiresIn(w.span()?));
        Ok(())
    }),
    ("scan-from", |r, w| {
        let is_height = w.take_if("height");
        r.terms.push(if is_height {
            Term::ScanFromHeight(w.number("height")?)
        } else {
            Term::ScanFromAgo(ago(w)?)
        });
        Ok(())
    }),
    ("address-of", |r, w| {
        r.address_of = Some(name(w)?);
        Ok(())
    }),
    ("written", |r, w| {
        r.written_ago = ago(w)?;
        Ok(())
    }),
];

fn ago(words: &mut Words<'_>) -> Result<u64, Trouble> {
    let span = words.span()?;
    words.expect("ago")?;
    Ok(span)
}

fn ask(words: &mut Words<'_>, what: Parse<Ask>) -> Result<Step, Trouble> {
    let id = name(words)?;
    Ok(Step::Ask(id, what(words)?))
}

fn raw(words: &mut Words<'_>) -> Result<Ask, Trouble> {
    let kind = name(words)?;
    Ok(Ask::Raw(kind, words.take_all().to_owned()))
}

fn extend(words: &mut Words<'_>) -> Result<Ask, Trouble> {
    words.expect("to")?;
    words.span().map(Ask::Extend)
}

fn rescan(words: &mut Words<'_>) -> Result<Ask, Trouble> {
    words.expect("from")?;
    ago(words).map(Ask::Rescan)
}

fn daemon(words: &mut Words<'_>) -> Result<Step, Trouble> {
    const NAMES: [(&str, Parse<Step>); 3] = [
        ("stops", |_| Ok(Step::Stop)),
        ("starts", |_| Ok(Step::Start)),
        ("dies", |w| {
            if !w.take_if("at") {
                return Ok(Step::Deed(Deed::Kill));
            }
            let point = w.one_of("point", &COMMIT_POINTS.map(|point| (point, point)))?;
            Ok(Step::Deed(Deed::CrashAt(point)))
        }),
    ];
    let parse = words.one_of("deed of the daemon", &NAMES)?;
    parse(words)
}

fn wait(words: &mut Words<'_>) -> Result<Step, Trouble> {
    let until = if words.take_if("until") {
        let span = words.span()?;
        words.expect("after")?;
        Moment::After(span, name(words)?)
    } else {
        Moment::In(words.span()?)
    };
    let mut mining = Vec::new();
    if words.take_if("mining") {
        while !words.is_empty() {
            mining.push(words.chain()?);
        }
    }
    Ok(Step::Wait { until, mining })
}
