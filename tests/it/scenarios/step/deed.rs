//! What is done to the world or to the process: how each deed is written, and what it means as a
//! value.

use super::{Parse, Registration, amount, name, registration};
use crate::{
    scenarios::words::{Asset, Trouble, Words},
    simulation::{
        lie::{Lie, Says},
        wire::Weather,
        world::{Trick, Which},
    },
};

/// What is done to the world, or to the process.
#[derive(Debug, Clone)]
pub enum Deed {
    /// Somebody gets an address, of which the daemon hears nothing yet.
    Order(Registration),
    Pay(Paying),
    /// A transaction takes the place of another one in the mempool.
    Replace {
        tx: String,
        by: Option<(String, String)>,
        called: Option<String>,
    },
    /// A transaction that spends the same is mined at once.
    DoubleSpend(String),
    Evict(String),
    SendAgain(String),
    Blocks {
        which: Which,
        count: u32,
        empty: bool,
    },
    Reorg {
        which: Which,
        depth: u32,
        to: u32,
        empty: bool,
        /// Not now, but when the node has answered so many questions about headers by height.
        amid_walk: Option<u32>,
    },
    /// The coinbase of the next block pays a payment so much.
    Mint(String, String),
    /// So many transactions of strangers wait in the mempool.
    Crowd(u32),
    /// The name under which a chain's head is remembered.
    Remember(Which, String),
    ReturnTo(Which, String),
    Lag(Which),
    CatchUp(Which),
    Node(Which, Weather),
    Mempool {
        is_lost: bool,
    },
    Lie(Which, Option<Lie>),
    SwitchFee,
    /// A token's issuer does something.
    Issuer(Issuing),
    /// A staker takes ether out to a payment's address.
    Withdraw(String, String),
    /// A payment's account lends its code from a contract.
    Delegate(String),
    LogMovedEther,
    Tags(Option<u32>),
    Kill,
    CrashAt(&'static str),
    DiskFull(bool),
    /// The wall clock is off by this many milliseconds.
    Clock(i64),
}

/// What a token's issuer does: to the token, or to a payment's account in the asset that it expects.
#[derive(Debug, Clone)]
pub enum Issuing {
    Pauses(Asset),
    Unpauses(Asset),
    Blacklists(String),
    Unblacklists(String),
}

/// A payment on a chain.
#[derive(Debug, Clone)]
pub struct Paying {
    pub id: String,
    /// As text; `None` is what was asked for.
    pub amount: Option<String>,
    /// `None` is the one that was asked for.
    pub asset: Option<Asset>,
    pub parts: u32,
    pub trick: Trick,
    /// The transaction whose change is spent.
    pub change_of: Option<String>,
    /// Whom the transaction pays too, and how much.
    pub beside: Vec<(String, Option<String>)>,
    pub called: Option<String>,
}

/// Every deed by its first word.
pub const DEEDS: [(&str, Parse<Deed>); 28] = [
    ("order", |w| Ok(Deed::Order(registration(w)?))),
    ("pay", pay),
    ("replace", replace),
    ("double-spend", |w| Ok(Deed::DoubleSpend(tx(w)?))),
    ("evict", |w| Ok(Deed::Evict(tx(w)?))),
    ("send", |w| {
        let tx = tx(w)?;
        w.expect("again")?;
        Ok(Deed::SendAgain(tx))
    }),
    ("block", |w| blocks(w, |_| Ok(1))),
    ("blocks", |w| blocks(w, |w| w.number("number of blocks"))),
    ("reorg", reorg),
    ("rollback", rollback),
    ("mint", |w| {
        let amount = w.take("amount")?.to_owned();
        w.expect("to")?;
        Ok(Deed::Mint(name(w)?, amount))
    }),
    ("crowd", |w| {
        w.number("number of transactions").map(Deed::Crowd)
    }),
    ("remember", |w| {
        let which = w.chain()?;
        w.expect("as")?;
        Ok(Deed::Remember(which, name(w)?))
    }),
    ("return", |w| {
        let which = w.chain()?;
        w.expect("to")?;
        Ok(Deed::ReturnTo(which, name(w)?))
    }),
    ("lag", |w| Ok(Deed::Lag(w.chain()?))),
    ("catch-up", |w| Ok(Deed::CatchUp(w.chain()?))),
    ("node", node),
    ("mempool", |w| {
        let is_lost = w.one_of("state", &[("lost", true), ("loaded", false)])?;
        Ok(Deed::Mempool { is_lost })
    }),
    ("lie", lie),
    ("truth", |w| Ok(Deed::Lie(w.chain()?, None))),
    ("switch-fee", |_| Ok(Deed::SwitchFee)),
    ("issuer", |w| issuer(w).map(Deed::Issuer)),
    ("withdraw", |w| {
        let amount = w.take("amount")?.to_owned();
        w.expect("to")?;
        Ok(Deed::Withdraw(name(w)?, amount))
    }),
    ("delegate", |w| Ok(Deed::Delegate(name(w)?))),
    ("log-moved-ether", |_| Ok(Deed::LogMovedEther)),
    ("tags", |w| tags(w).map(Deed::Tags)),
    ("disk", |w| {
        let full = w.one_of("state", &[("full", true), ("free", false)])?;
        Ok(Deed::DiskFull(full))
    }),
    ("clock", clock),
];

fn issuer(words: &mut Words<'_>) -> Result<Issuing, Trouble> {
    const ACTS: [(&str, Parse<Issuing>); 4] = [
        ("pauses", |w| w.asset().map(Issuing::Pauses)),
        ("unpauses", |w| w.asset().map(Issuing::Unpauses)),
        ("blacklists", |w| name(w).map(Issuing::Blacklists)),
        ("unblacklists", |w| name(w).map(Issuing::Unblacklists)),
    ];
    words.one_of("act", &ACTS)?(words)
}

/// How far below the head Ethereum's final block is.
pub fn tags(words: &mut Words<'_>) -> Result<Option<u32>, Trouble> {
    if words.take_if("none") {
        return Ok(None);
    }
    words.number("depth, nor none").map(Some)
}

fn tx(words: &mut Words<'_>) -> Result<String, Trouble> {
    words
        .take("transaction or payment paid by it")
        .map(str::to_owned)
}

fn called(words: &mut Words<'_>) -> Result<Option<String>, Trouble> {
    words.take_if("as").then(|| name(words)).transpose()
}

fn pay(words: &mut Words<'_>) -> Result<Deed, Trouble> {
    let mut paying = Paying {
        id: name(words)?,
        amount: amount(words)?,
        asset: None,
        parts: 1,
        trick: Trick::None,
        change_of: None,
        beside: Vec::new(),
        called: None,
    };
    if words.has_asset() {
        paying.asset = Some(words.asset()?);
    }
    while words.take_if("and") {
        let id = name(words)?;
        paying.beside.push((id, amount(words)?));
    }
    if words.take_if("in") {
        paying.parts = words.number("number of outputs")?.max(1);
        words.expect("parts")?;
    }
    paying.called = called(words)?;
    if words.take_if("change-of") {
        paying.change_of = Some(tx(words)?);
    } else if !words.is_empty() {
        paying.trick = trick(words)?;
    }
    Ok(Deed::Pay(paying))
}

fn trick(words: &mut Words<'_>) -> Result<Trick, Trouble> {
    const TRICKS: [(&str, Trick); 8] = [
        ("stuck", Trick::Stuck),
        ("failing", Trick::Fails),
        ("with-calldata", Trick::Calldata),
        ("fake-token", Trick::Sham(0)),
        ("zero-transfer", Trick::Sham(1)),
        ("returning-false", Trick::Sham(2)),
        ("log-of-another", Trick::Sham(3)),
        ("malformed-log", Trick::Sham(4)),
    ];
    let trick = words.one_of("way to pay", &TRICKS)?;
    if trick == Trick::Sham(4) {
        // Each fifth number is another shape.
        let shape = u64::from(words.number("shape of a log")?);
        return Ok(Trick::Sham(4 + 5 * shape));
    }
    Ok(trick)
}

fn replace(words: &mut Words<'_>) -> Result<Deed, Trouble> {
    let tx = tx(words)?;
    words.expect("by")?;
    let by = if words.take_if("nothing") {
        None
    } else {
        let amount = words.take("amount")?.to_owned();
        words.expect("to")?;
        Some((name(words)?, amount))
    };
    let called = called(words)?;
    Ok(Deed::Replace { tx, by, called })
}

fn blocks(words: &mut Words<'_>, count: Parse<u32>) -> Result<Deed, Trouble> {
    let which = words.chain()?;
    let count = count(words)?;
    let empty = words.take_if("empty");
    Ok(Deed::Blocks {
        which,
        count,
        empty,
    })
}

fn reorg(words: &mut Words<'_>) -> Result<Deed, Trouble> {
    let which = words.chain()?;
    let depth = words.number("number of blocks")?;
    words.expect("to")?;
    let to = words.number("number of blocks")?;
    let empty = words.take_if("empty");
    let answers = |w: &mut Words<'_>| w.number("number of answers");
    let amid_walk = words
        .take_if("amid-walk")
        .then(|| answers(words))
        .transpose()?;
    Ok(Deed::Reorg {
        which,
        depth,
        to,
        empty,
        amid_walk,
    })
}

fn rollback(words: &mut Words<'_>) -> Result<Deed, Trouble> {
    Ok(Deed::Reorg {
        which: words.chain()?,
        depth: words.number("number of blocks")?,
        to: 0,
        empty: true,
        amid_walk: None,
    })
}

fn node(words: &mut Words<'_>) -> Result<Deed, Trouble> {
    const WEATHERS: [(&str, Weather); 5] = [
        ("up", Weather::Fair),
        ("down", Weather::Down),
        ("slow", Weather::Slow),
        ("noisy", Weather::Noisy),
        ("jumbled", Weather::Jumbled),
    ];
    let which = words.chain()?;
    let weather = words.one_of("state of a node", &WEATHERS)?;
    Ok(Deed::Node(which, weather))
}

/// `lie CHAIN METHOD [about TEXT] [PART] says JSON` or `… changes`.
fn lie(words: &mut Words<'_>) -> Result<Deed, Trouble> {
    let which = words.chain()?;
    let method = words.take("method")?.to_owned();
    let about = words.take_if("about").then(|| name(words)).transpose()?;
    let part = words.peek().starts_with('/').then(|| name(words));
    let part = part.transpose()?.unwrap_or_default();
    let says = if words.take_if("changes") {
        Says::OtherEnd
    } else {
        words.expect("says")?;
        let text = words.take_all();
        let value = serde_json::from_str(text).map_err(|error| format!("{text:?}: {error}"))?;
        Says::Value(value)
    };
    let about = about.unwrap_or_default();
    let lie = Lie {
        method,
        about,
        part,
        says,
        told: false,
    };
    Ok(Deed::Lie(which, Some(lie)))
}

fn clock(words: &mut Words<'_>) -> Result<Deed, Trouble> {
    const SIGNS: [(&str, i64); 3] = [("ahead", 1), ("behind", -1), ("right", 0)];
    if words.take_if("right") {
        return Ok(Deed::Clock(0));
    }
    let by = i64::try_from(words.span()?).unwrap();
    let sign = words.one_of("direction", &SIGNS)?;
    Ok(Deed::Clock(sign * by))
}
