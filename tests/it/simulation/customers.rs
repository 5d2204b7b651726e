//! The gateway and its customers: who orders what, and how they pay, rightly and wrongly.

use super::{
    terms::Terms,
    world::{Meddling, Payment, Side, Trick, Which},
};
use bitcoin::{Address, Network, ScriptBuf};
use confirmd::{
    domain::{block::TxId, facts::Destination, request::Request, time::UnixMs},
    random::Random,
};
use serde_json::{Map, Value};

const MINUTE: u64 = 60_000;

/// One payment that the gateway asked for.
#[derive(Debug, Clone)]
pub struct Order {
    pub id: String,
    pub which: Which,
    pub asset: &'static str,
    pub to: Destination,
    /// In base units.
    pub amount: u64,
    pub terms: Terms,
}

impl Order {
    /// Digits after the point of one whole unit.
    pub fn decimals(&self) -> u32 {
        decimals(self.asset)
    }

    /// The least that means anything.
    pub fn dust(&self) -> u64 {
        match self.asset {
            "BTC" => 546,
            "ETH" => 1_000_000_000_000,
            _ => 10_000,
        }
    }
}

/// Digits after the point of one whole unit.
pub fn decimals(asset: &str) -> u32 {
    match asset {
        "BTC" => 8,
        "ETH" => 18,
        _ => 6,
    }
}

/// What a customer does next, and when, after the order.
#[derive(Debug, Clone)]
pub enum Deed {
    /// Pays so much in so many parts of one transaction.
    Pay { amount: u64, parts: u64 },
    /// Pays so much, and somebody else in the same transaction.
    PayBoth {
        amount: u64,
        beside: (Destination, u64),
    },
    /// Pays with another asset of the chain.
    PayOther { asset: &'static str, amount: u64 },
    /// Pays so that something is special about it.
    PayOddly { amount: u64, trick: Trick },
    /// Replaces the last payment: pays this to the order, or everything to themselves.
    Replace { amount: Option<u64> },
    /// Something else with the last payment.
    Meddle(Meddling),
    /// The gateway asks something.
    Ask { kind: &'static str, body: String },
}

/// Names of what customers do, for the coverage.
pub const HABITS: [&str; 26] = [
    "exact",
    "near",
    "short",
    "over",
    "twice",
    "halves",
    "late",
    "never",
    "dust",
    "outputs",
    "before",
    "replaced_away",
    "replaced_more",
    "double_spent",
    "dropped",
    "cancel",
    "cancel_paid",
    "chain",
    "commands",
    "wrong_asset",
    "sham",
    "extended",
    "cancel_accepted",
    "stuck",
    "cancel_paid_late",
    "cancel_wrong_accepted",
];

/// An order with its customer's deeds, each at a time after now.
pub struct Story {
    pub order: Order,
    pub habit: &'static str,
    /// When the registration is written into the inbox.
    pub registered_at: u64,
    pub deeds: Vec<(u64, Deed)>,
}

/// A destination that nobody had before.
pub fn destination(which: Which, random: &mut Random) -> Destination {
    let bytes: [u8; 20] = random.bytes();
    match which {
        Which::Ethereum => Destination::new(&bytes).unwrap(),
        Which::Bitcoin => Destination::new(&[&[0x00, 0x14][..], &bytes].concat()).unwrap(),
    }
}

/// An amount as the gateway writes it.
pub fn decimal(amount: u64, decimals: u32) -> String {
    let unit = 10_u64.pow(decimals);
    let width = usize::try_from(decimals).unwrap();
    format!("{}.{:0width$}", amount / unit, amount % unit)
}

/// What is written into the inbox to register an order.
pub fn registration(order: &Order) -> String {
    let address = match order.which {
        Which::Bitcoin => {
            let script = ScriptBuf::from_bytes(order.to.as_bytes().to_vec());
            Address::from_script(&script, Network::Regtest)
                .unwrap()
                .to_string()
        }
        Which::Ethereum => alloy_primitives::hex::encode_prefixed(order.to.as_bytes()),
    };
    let mut body = Map::new();
    body.insert("asset".to_owned(), order.asset.into());
    body.insert("address".to_owned(), address.into());
    let amount = decimal(order.amount, order.decimals());
    body.insert("amount".to_owned(), amount.into());
    order.terms.write(&mut body);
    Value::Object(body).to_string()
}

/// What is ordered, in what, and for how much.
fn draw_order(n: u64, random: &mut Random) -> Order {
    let assets = [
        (Which::Bitcoin, "BTC", 20_000, 300_000_000),
        (
            Which::Ethereum,
            "ETH",
            2_000_000_000_000_000,
            2_000_000_000_000_000_000,
        ),
        (Which::Ethereum, "USDT", 1_000_000, 9_000_000_000),
        (Which::Ethereum, "USDC", 1_000_000, 9_000_000_000),
    ];
    let (which, asset, low, high) = *random.pick(&assets).unwrap();
    Order {
        id: format!("order-{n}"),
        which,
        asset,
        to: destination(which, random),
        amount: random.between(low, high),
        terms: Terms::default(),
    }
}

/// Draws a story that begins now.
pub fn draw(n: u64, now_ms: u64, block_ms: u64, random: &mut Random) -> Story {
    let order = draw_order(n, random);
    let habit = *random.pick(&HABITS).unwrap();
    let soon = now_ms + random.between(1_000, 18 * MINUTE);
    let later = soon + random.between(1_000, 3 * block_ms + 20 * MINUTE);
    let registered_at = match habit {
        "before" => soon + random.between(1_000, 30 * MINUTE),
        _ => now_ms,
    };
    let deeds = deeds(&order, habit, (now_ms, soon, later), random);
    Story {
        order,
        habit,
        registered_at,
        deeds,
    }
}

const fn pay(amount: u64) -> Deed {
    Deed::Pay { amount, parts: 1 }
}

const fn ask(kind: &'static str) -> Deed {
    let body = String::new();
    Deed::Ask { kind, body }
}

fn deeds(
    order: &Order,
    habit: &str,
    (now, soon, later): (u64, u64, u64),
    random: &mut Random,
) -> Vec<(u64, Deed)> {
    let amount = order.amount;
    match habit {
        "exact" | "before" => vec![(soon, pay(amount))],
        "near" => vec![(soon, pay(amount - amount / 100))],
        "short" => vec![(soon, pay(amount - amount / 10))],
        "over" => vec![(soon, pay(amount + amount / 20))],
        "twice" => vec![(soon, pay(amount)), (later, pay(amount))],
        "halves" => vec![(soon, pay(amount / 2)), (later, pay(amount - amount / 2))],
        "late" => vec![(soon + 25 * MINUTE, pay(amount))],
        "dust" => vec![(soon, pay(order.dust() - 10)), (later, pay(amount))],
        "outputs" => {
            let parts = random.between(2, 5);
            vec![(soon, Deed::Pay { amount, parts })]
        }
        "wrong_asset" => other_asset(order).map_or_else(Vec::new, |other| {
            let right = if random.chance(400) {
                vec![(later, pay(amount))]
            } else {
                Vec::new()
            };
            std::iter::once((soon, other)).chain(right).collect()
        }),
        "sham" => {
            let trick = Trick::Sham(random.next());
            vec![(soon, Deed::PayOddly { amount, trick })]
        }
        "commands" => commands(order, (now, soon), random),
        _ => mempool_deeds(order, habit, (now, soon, later), random),
    }
}

/// What goes on in the mempool, and what the gateway asks meanwhile.
fn mempool_deeds(
    order: &Order,
    habit: &str,
    (now, soon, later): (u64, u64, u64),
    random: &mut Random,
) -> Vec<(u64, Deed)> {
    let amount = order.amount;
    match habit {
        "replaced_away" => vec![(soon, pay(amount)), (later, Deed::Replace { amount: None })],
        "replaced_more" => {
            let amount = Some(amount);
            vec![
                (soon, pay(order.amount / 2)),
                (later, Deed::Replace { amount }),
            ]
        }
        "double_spent" => vec![
            (soon, pay(amount)),
            (later, Deed::Meddle(Meddling::DoubleSpend)),
        ],
        "dropped" => {
            let again = later + random.between(1_000, 40 * MINUTE);
            vec![
                (soon, pay(amount)),
                (later, Deed::Meddle(Meddling::Drop)),
                (again, Deed::Meddle(Meddling::Resend)),
            ]
        }
        "cancel" => vec![(soon, ask("cancel"))],
        "cancel_paid" => {
            let after = soon + random.between(0, 2 * MINUTE);
            vec![(soon, ask("cancel")), (after, pay(amount))]
        }
        "cancel_paid_late" => vec![(now + MINUTE, ask("cancel")), (later, pay(amount))],
        "extended" => {
            let after = now + random.between(5, 40) * MINUTE;
            let paid = after + random.between(1_000, 30 * MINUTE);
            vec![(after, ask("extend")), (paid, pay(amount))]
        }
        "cancel_wrong_accepted" => {
            let accepted = later + random.between(30, 240) * MINUTE;
            let other = other_asset(order).unwrap_or_else(|| pay(amount));
            vec![
                (now + MINUTE, ask("cancel")),
                (soon, other),
                (accepted, ask("accept")),
            ]
        }
        "cancel_accepted" => {
            let accepted = later + random.between(30, 240) * MINUTE;
            vec![
                (now + MINUTE, ask("cancel")),
                (soon, pay(amount)),
                (accepted, ask("accept")),
            ]
        }
        "stuck" => {
            let trick = Trick::Stuck;
            let dropped = soon + random.between(20, 300) * MINUTE;
            let drop = Deed::Meddle(Meddling::Drop);
            vec![(soon, Deed::PayOddly { amount, trick }), (dropped, drop)]
        }
        "chain" => {
            let trick = Trick::FromChange;
            vec![
                (soon, Deed::PayOddly { amount, trick }),
                (later, Deed::Replace { amount: None }),
            ]
        }
        _ => Vec::new(),
    }
}

fn other_asset(order: &Order) -> Option<Deed> {
    let (asset, amount) = match order.asset {
        "ETH" => ("USDT", 25_000_000),
        "USDT" => ("USDC", 25_000_000),
        "USDC" => ("ETH", 10_000_000_000_000_000),
        _ => return None,
    };
    Some(Deed::PayOther { asset, amount })
}

fn commands(order: &Order, (now, soon): (u64, u64), random: &mut Random) -> Vec<(u64, Deed)> {
    let kinds = [
        "ack", "accept", "reject", "refunded", "cancel", "extend", "rescan",
    ];
    let amounts = [order.amount, order.amount / 2, order.amount * 2];
    let amount = *random.pick(&amounts).unwrap();
    let mut deeds = vec![(soon, pay(amount))];
    for _ in 0..random.between(1, 3) {
        let at = now + random.between(1_000, 120 * MINUTE);
        let kind = *random.pick(&kinds).unwrap();
        deeds.push((at, ask(kind)));
    }
    deeds
}

/// The body of a command that needs one; `now` is the wall clock.
pub fn command_body(kind: &str, given: &str, now: UnixMs, random: &mut Random) -> String {
    let minutes = |n: u64| i64::try_from(n * MINUTE).unwrap();
    match kind {
        "extend" => {
            let until = now.0 + minutes(random.between(1, 90));
            format!(r#"{{"expires_at": {until}}}"#)
        }
        "rescan" => {
            let from = now.0 - minutes(random.between(1, 180));
            format!(r#"{{"scan_from": {from}}}"#)
        }
        "accept" | "reject" | "ack" | "refunded" => r#"{"note": "simulated"}"#.to_owned(),
        _ if given.is_empty() => "{}".to_owned(),
        _ => given.to_owned(),
    }
}

/// Carries out what a customer does on the chain; what was paid last, if something was.
pub fn act(
    side: &mut dyn Side,
    order: &Order,
    last: Option<TxId>,
    deed: &Deed,
    now: UnixMs,
) -> Option<TxId> {
    let plain = |asset, amount| Payment {
        to: order.to,
        asset,
        amount,
        parts: 1,
        beside: Vec::new(),
        trick: Trick::None,
    };
    let payment = match deed {
        Deed::Pay { amount, parts } => Payment {
            parts: *parts,
            ..plain(order.asset, *amount)
        },
        Deed::PayBoth { amount, beside } => Payment {
            beside: vec![*beside],
            ..plain(order.asset, *amount)
        },
        Deed::PayOther { asset, amount } => plain(asset, *amount),
        Deed::PayOddly { amount, trick } => Payment {
            trick: *trick,
            ..plain(order.asset, *amount)
        },
        Deed::Replace { amount } => {
            let to = amount.map(|amount| (order.to, amount));
            return side.meddle(last?, &Meddling::Replace(to), now);
        }
        Deed::Meddle(how) => return side.meddle(last?, how, now),
        Deed::Ask { .. } => return last,
    };
    side.pay(&payment, now)
}

/// A row of the inbox.
pub fn row(seq: i64, kind: &str, id: &str, body: String, at: UnixMs) -> Request {
    Request {
        seq,
        request_id: format!("request-{seq}"),
        kind: kind.to_owned(),
        payment_id: id.to_owned(),
        body,
        actor: Some(if seq % 5 == 0 { "operator" } else { "gateway" }.to_owned()),
        created_at: at,
    }
}
