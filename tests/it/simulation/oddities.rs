//! What few gateways and customers do: two orders paid at once, payments that fail or carry data,
//! bursts of dust, requests twice or malformed, an address given out again. They draw from a
//! source of their own, beside the ordinary ones.

use super::{
    agenda::Action,
    customers::{self, Deed, Order},
    run::Simulation,
    terms::{self, Terms},
    world::{Trick, Which},
};
use confirmd::domain::{facts::Destination, request::Request};

const MINUTE: u64 = 60_000;
/// An address is given out again when nobody can say any more that its last money was not seen.
const RESTS_MS: i64 = 4 * 3_600_000;

/// Names of what they do at any time.
const DRAWN: [&str; 7] = [
    "both",
    "fails",
    "calldata",
    "dust_burst",
    "again",
    "malformed",
    "reuse",
];

/// Names of everything that they do, for the coverage.
pub fn names() -> impl Iterator<Item = &'static str> {
    let terms = terms::NAMES;
    DRAWN.into_iter().chain(["dust_flood"]).chain(terms)
}

/// What nobody can carry out.
pub const MALFORMED: [(&str, &str); 12] = [
    ("register", ""),
    ("register", "{"),
    ("register", "[]"),
    ("register", "\u{0}"),
    ("register", r#"{"asset": "DOGE", "amount": "1"}"#),
    (
        "register",
        r#"{"asset": "BTC", "address": "bc1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq", "amount": "1"}"#,
    ),
    (
        "register",
        r#"{"asset": "ETH", "address": "0x12", "amount": "1"}"#,
    ),
    (
        "register",
        r#"{"asset": "USDT", "address": "0xa1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1", "amount": "-1"}"#,
    ),
    (
        "register",
        r#"{"asset": "USDT", "address": "0xa1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1", "amount": 1e400}"#,
    ),
    ("cancel", r#"{"because": "of an unknown field"}"#),
    ("extend", r#"{"expires_at": "tomorrow"}"#),
    ("explode", "{}"),
];

impl Simulation {
    pub(super) fn odd_customers(&mut self, per_mille: u64) {
        let random = &mut self.mischief.customers;
        if !random.chance(per_mille) {
            return;
        }
        let oddity = *random.pick(&DRAWN).unwrap();
        let done = match oddity {
            "both" => self.pay_both(),
            "fails" => self.pay_oddly(Trick::Fails, "USDT"),
            "calldata" => self.pay_oddly(Trick::Calldata, "ETH"),
            "dust_burst" => self.dust_burst(),
            "again" => self.ask_again(),
            "malformed" => self.ask_nonsense(),
            "reuse" => self.give_out_again(),
            other => unreachable!("{other}"),
        };
        if done {
            self.count(&format!("oddity {oddity}"));
        }
    }

    /// One transaction pays two orders.
    fn pay_both(&mut self) -> bool {
        let asset = *self.mischief.customers.pick(&["BTC", "USDC"]).unwrap();
        let [one, other] = [self.odd_order(asset, None), self.odd_order(asset, None)];
        let beside = (other.to, other.amount);
        let deed = Deed::PayBoth {
            amount: one.amount,
            beside,
        };
        self.odd_deed(&one, 15 * MINUTE, deed);
        true
    }

    /// Something is odd about the payment; sometimes the right one comes too.
    fn pay_oddly(&mut self, trick: Trick, asset: &'static str) -> bool {
        let asset = *self.mischief.customers.pick(&[asset, "ETH"]).unwrap();
        let order = self.odd_order(asset, None);
        let amount = order.amount;
        self.odd_deed(&order, 15 * MINUTE, Deed::PayOddly { amount, trick });
        if self.mischief.customers.chance(400) {
            self.odd_deed(&order, 30 * MINUTE, Deed::Pay { amount, parts: 1 });
        }
        true
    }

    /// Somebody sends a lot of dust; and the customer pays.
    fn dust_burst(&mut self) -> bool {
        let asset = *self.mischief.customers.pick(&["BTC", "USDT"]).unwrap();
        let order = self.odd_order(asset, None);
        for _ in 0..self.mischief.customers.between(10, 40) {
            let amount = self.mischief.customers.between(1, order.dust() - 1);
            self.odd_deed(&order, 12 * MINUTE, Deed::Pay { amount, parts: 1 });
        }
        let amount = order.amount;
        self.odd_deed(&order, 20 * MINUTE, Deed::Pay { amount, parts: 1 });
        true
    }

    /// A request comes again under another id.
    fn ask_again(&mut self) -> bool {
        let first = self.mischief.customers.pick(&self.stage.inbox).cloned();
        let Some(first) = first else { return false };
        self.ask_now(&first.kind, &first.payment_id, first.body);
        true
    }

    fn ask_nonsense(&mut self) -> bool {
        let (kind, body) = *self.mischief.customers.pick(&MALFORMED).unwrap();
        let known = self.mischief.customers.pick(&self.stage.inbox);
        let id = known.map_or_else(String::new, |row| row.payment_id.clone());
        let id = if kind == "register" {
            format!("{id}-no")
        } else {
            id
        };
        self.ask_now(kind, &id, body.to_owned());
        true
    }

    /// An address whose watch window is long over belongs to another order.
    fn give_out_again(&mut self) -> bool {
        let before = self.stage.clock.truth().0 - RESTS_MS;
        let sql = "SELECT payment_id FROM v1_payment AS p
                    WHERE watch_until_at < ?1 AND status <> 'new' AND NOT EXISTS
                          (SELECT 1 FROM v1_payment WHERE address = p.address AND payment_id <> p.payment_id)
                    ORDER BY payment_id";
        let mut statement = self.stage.db.prepare_cached(sql).unwrap();
        let rows = statement.query_map([before], |row| row.get(0)).unwrap();
        let ids: Vec<String> = rows.map(Result::unwrap).collect();
        drop(statement);
        let Some(id) = self.mischief.customers.pick(&ids) else {
            return false;
        };
        let last = self.stage.orders[id].clone();
        let order = self.odd_order(last.asset, Some(last.to));
        let amount = order.amount;
        self.odd_deed(&order, 15 * MINUTE, Deed::Pay { amount, parts: 1 });
        true
    }

    /// Registers an order of this asset.
    pub(super) fn odd_order(&mut self, asset: &'static str, to: Option<Destination>) -> Order {
        let random = &mut self.mischief.customers;
        let which = match asset {
            "BTC" => Which::Bitcoin,
            _ => Which::Ethereum,
        };
        let unit = 10_u64.pow(customers::decimals(asset));
        let order = Order {
            id: format!("order-{}", self.stage.orders.len()),
            which,
            asset,
            to: to.unwrap_or_else(|| customers::destination(which, random)),
            amount: random.between(unit, 2 * unit),
            terms: Terms::default(),
        };
        self.note(format_args!("{} is odd", order.id));
        let body = customers::registration(&order);
        self.stage.orders.insert(order.id.clone(), order.clone());
        self.ask_now("register", &order.id, body);
        order
    }

    pub(super) fn odd_deed(&mut self, order: &Order, within_ms: u64, deed: Deed) {
        let span = self.mischief.customers.between(1_000, within_ms);
        self.deeds.push((order.id.clone(), deed));
        self.plan_in(span, Action::Deed(self.deeds.len() - 1));
    }

    fn ask_now(&mut self, kind: &str, payment_id: &str, body: String) {
        let seq = i64::try_from(self.stage.inbox.len()).unwrap() + 1;
        self.note(format_args!("{payment_id}: the gateway asks {kind} {body}"));
        let now = self.stage.clock.truth();
        self.stage.inbox.push(Request {
            actor: Some("gateway".to_owned()),
            ..customers::row(seq, kind, payment_id, body, now)
        });
        let wait = self.mischief.customers.between(1, 2_000);
        self.plan_in(wait, Action::ReadInbox);
    }
}
