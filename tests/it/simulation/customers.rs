//! The gateway and its customers: who orders what, and how they pay, rightly and wrongly.

use super::world::World;
use bitcoin::{Address, Network, ScriptBuf};
use confirmd::{
    domain::{block::TxId, facts::Destination, request::Request, time::UnixMs},
    random::Random,
    sandbox::bitcoin::Tx,
};

const MINUTE: u64 = 60_000;

/// One payment that the gateway asked for.
#[derive(Debug, Clone)]
pub struct Order {
    pub id: String,
    pub script: Destination,
    pub sats: u64,
}

/// What a customer does next, and when, after the order.
#[derive(Debug, Clone)]
pub enum Deed {
    /// Pays this many satoshi in this many outputs of one transaction.
    Pay { sats: u64, outputs: u64 },
    /// Replaces the last payment: pays this to the order, or everything to themselves.
    Replace { sats: Option<u64> },
    /// Has another transaction mined that spends the same coin.
    DoubleSpend,
    /// The last payment falls out of the mempool.
    Drop,
    /// Sends the last payment again.
    Resend,
    /// Spends the change of a payment and pays the order with it.
    PayFromChange { sats: u64 },
    /// The gateway asks something.
    Ask { kind: &'static str, body: String },
}

/// Names of what customers do, for the coverage.
pub const HABITS: [&str; 19] = [
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
];

/// An order with its customer's deeds, each at a time after now.
pub struct Story {
    pub order: Order,
    pub habit: &'static str,
    /// When the registration is written into the inbox.
    pub registered_at: u64,
    /// What the registration says of its creation.
    pub created_at: u64,
    pub deeds: Vec<(u64, Deed)>,
}

/// A script that nobody had before, and how its address is written.
fn address(random: &mut Random) -> (Destination, String) {
    let program: [u8; 20] = random.bytes();
    let script = ScriptBuf::new_p2wpkh(&bitcoin::WPubkeyHash::from_raw_hash(
        bitcoin::hashes::Hash::from_byte_array(program),
    ));
    let text = Address::from_script(&script, Network::Regtest)
        .unwrap()
        .to_string();
    (Destination::new(script.as_bytes()).unwrap(), text)
}

/// What is written into the inbox to register an order.
pub fn registration(order: &Order) -> String {
    let script = ScriptBuf::from_bytes(order.script.as_bytes().to_vec());
    let address = Address::from_script(&script, Network::Regtest).unwrap();
    let (whole, rest) = (order.sats / 100_000_000, order.sats % 100_000_000);
    format!(r#"{{"asset": "BTC", "address": "{address}", "amount": "{whole}.{rest:08}"}}"#)
}

/// Draws a story that begins now.
pub fn draw(n: u64, now_ms: u64, block_ms: u64, random: &mut Random) -> Story {
    let (script, _) = address(random);
    let sats = random.between(20_000, 300_000_000);
    let order = Order {
        id: format!("order-{n}"),
        script,
        sats,
    };
    let habit = *random.pick(&HABITS).unwrap();
    let soon = now_ms + random.between(1_000, 18 * MINUTE);
    let later = soon + random.between(1_000, 3 * block_ms + 20 * MINUTE);
    let pay = |sats: u64| Deed::Pay { sats, outputs: 1 };
    let ask = |kind: &'static str, body: &str| Deed::Ask {
        kind,
        body: body.to_owned(),
    };
    let mut registered_at = now_ms;
    let deeds = match habit {
        "exact" => vec![(soon, pay(sats))],
        "near" => vec![(soon, pay(sats - sats / 100))],
        "short" => vec![(soon, pay(sats - sats / 10))],
        "over" => vec![(soon, pay(sats + sats / 20))],
        "twice" => vec![(soon, pay(sats)), (later, pay(sats))],
        "halves" => vec![(soon, pay(sats / 2)), (later, pay(sats - sats / 2))],
        "late" => vec![(soon + 25 * MINUTE, pay(sats))],
        "dust" => vec![(soon, pay(500)), (later, pay(sats))],
        "outputs" => vec![(
            soon,
            Deed::Pay {
                sats,
                outputs: random.between(2, 5),
            },
        )],
        "before" => {
            registered_at = soon + random.between(1_000, 30 * MINUTE);
            vec![(soon, pay(sats))]
        }
        "replaced_away" => vec![(soon, pay(sats)), (later, Deed::Replace { sats: None })],
        "replaced_more" => vec![
            (soon, pay(sats / 2)),
            (later, Deed::Replace { sats: Some(sats) }),
        ],
        "double_spent" => vec![(soon, pay(sats)), (later, Deed::DoubleSpend)],
        "dropped" => vec![
            (soon, pay(sats)),
            (later, Deed::Drop),
            (later + random.between(1_000, 40 * MINUTE), Deed::Resend),
        ],
        "cancel" => vec![(soon, ask("cancel", "{}"))],
        "cancel_paid" => vec![
            (soon, ask("cancel", "{}")),
            (soon + random.between(0, 2 * MINUTE), pay(sats)),
        ],
        "chain" => vec![
            (soon, Deed::PayFromChange { sats }),
            (later, Deed::Replace { sats: None }),
        ],
        "commands" => {
            let kinds = [
                "ack", "accept", "reject", "refunded", "cancel", "extend", "rescan",
            ];
            let amount = [sats, sats / 2, sats * 2][usize::try_from(random.below(3)).unwrap()];
            let mut deeds = vec![(soon, pay(amount))];
            for _ in 0..random.between(1, 3) {
                let at = now_ms + random.between(1_000, 120 * MINUTE);
                let kind = *random.pick(&kinds).unwrap();
                deeds.push((at, ask(kind, "")));
            }
            deeds
        }
        _ => Vec::new(),
    };
    Story {
        order,
        habit,
        registered_at,
        created_at: now_ms,
        deeds,
    }
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
    world: &mut World,
    order: &Order,
    last: Option<TxId>,
    deed: &Deed,
    now: UnixMs,
) -> Option<TxId> {
    let last_tx = last.and_then(|txid| Some(world.paying.get(&txid)?.tx.clone()));
    let elsewhere = Destination::new(&[&[0x00, 0x14][..], &[0xee; 20]].concat()).unwrap();
    match deed {
        Deed::Pay { sats, outputs } => {
            let coin = world.coins.fresh();
            let part = sats / outputs;
            let mut paid: Vec<(Destination, u64)> =
                (1..*outputs).map(|_| (order.script, part)).collect();
            paid.push((order.script, sats - part * (outputs - 1)));
            paid.push((elsewhere, 1_000));
            let tx = Tx::new(&[coin], &paid);
            world.broadcast(&tx, now).then_some(tx.txid)
        }
        Deed::PayFromChange { sats } => {
            let coin = world.coins.fresh();
            let parent = Tx::new(&[coin], &[(elsewhere, sats + 5_000)]);
            world.broadcast(&parent, now);
            let child = Tx::new(&[parent.out_point(0)], &[(order.script, *sats)]);
            world.broadcast(&child, now);
            // Whoever replaces, replaces the parent.
            Some(child.txid)
        }
        Deed::Replace { sats } => {
            let first = last_tx?;
            let to = sats.map_or((elsewhere, 700), |sats| (order.script, sats));
            let tx = Tx::new(&first.inputs, &[to, (elsewhere, 800)]);
            world.broadcast(&tx, now).then_some(tx.txid)
        }
        Deed::DoubleSpend => {
            let first = last_tx?;
            let rival = Tx::new(&first.inputs, &[(elsewhere, 900)]);
            if world.broadcast(&rival, now) {
                world.mine_these(now, vec![rival]);
            }
            last
        }
        Deed::Drop => {
            world.view.evict(last?);
            last
        }
        Deed::Resend => {
            let tx = last_tx?;
            world.broadcast(&tx, now);
            last
        }
        Deed::Ask { .. } => last,
    }
}

/// A row of the inbox.
pub fn row(seq: i64, kind: &str, id: &str, body: String, at: UnixMs) -> Request {
    Request {
        seq,
        request_id: format!("request-{seq}"),
        kind: kind.to_owned(),
        payment_id: id.to_owned(),
        body,
        actor: Some("gateway".to_owned()),
        created_at: at,
    }
}
