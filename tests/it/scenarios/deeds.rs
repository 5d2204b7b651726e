//! What a step does: to the chains, to the nodes, to the daemon's process, or in the inbox.

use super::{
    player::Player,
    step::{Ask, Deed, Issuing, Paying, Registration, Term},
    words::{ASSETS, Asset, Trouble},
};
use crate::simulation::{
    customers::{self, Order},
    ethereum_intents::{account, contract_of},
    terms::Terms,
    wire::AmidWalk,
    world::{Forgetting, Meddling, Payment, Trick, Which},
};
use confirmd::{
    clock::Clock as _,
    crash::{self, Disk},
    domain::{block::TxId, facts::Destination, time::UnixMs},
    sandbox::ethereum::Change,
};
use serde_json::{Value, json};
use std::sync::Arc;

impl Player {
    /// Does what is done to the world or to the process.
    pub fn act(&mut self, deed: &Deed) -> Result<(), Trouble> {
        self.unseen = true;
        match deed {
            Deed::Order(wanted) => {
                let order = self.order_for(wanted)?;
                self.stage.orders.insert(wanted.id.clone(), order);
            }
            Deed::Pay(paying) => return self.pay(paying),
            Deed::Replace { tx, by, called } => {
                return self.replace(tx, by.as_ref(), called.as_ref());
            }
            Deed::DoubleSpend(tx) => return self.meddle(tx, &Meddling::DoubleSpend),
            Deed::Evict(tx) => return self.meddle(tx, &Meddling::Drop),
            Deed::SendAgain(tx) => return self.meddle(tx, &Meddling::Resend),
            Deed::Blocks {
                which,
                count,
                empty,
            } => (0..*count).for_each(|_| self.mine(*which, *empty)),
            Deed::Reorg {
                which,
                depth,
                to,
                empty,
                amid_walk,
            } => self.reorg(*which, (*depth, *to), share(*empty), *amid_walk),
            Deed::Mint(id, amount) => return self.mint(id, amount),
            Deed::Crowd(count) => self.stage.shared.world().bitcoin.crowd(*count),
            Deed::Remember(which, name) => {
                let head = self.stage.shared.world().side(*which).head();
                self.heads.insert(name.clone(), head);
            }
            Deed::ReturnTo(which, name) => {
                let head = self.heads.get(name).ok_or("no such head is remembered")?;
                let at = self.stage.clock.truth();
                let mut world = self.stage.shared.world();
                world.odd_side(*which, at).return_to(*head);
            }
            Deed::Lag(which) => self.stage.shared.world().side_mut(*which).lag(),
            Deed::CatchUp(which) => {
                let at = self.stage.clock.truth();
                self.stage.shared.world().odd_side(*which, at).catch_up();
            }
            Deed::Node(which, weather) => self.stage.shared.wire(*which).weather = *weather,
            Deed::Lie(which, lie) => self.stage.shared.wire(*which).lie.clone_from(lie),
            Deed::Withdraw(id, amount) => return self.withdraw(id, amount),
            Deed::Delegate(id) => {
                let to = self.order(id)?.to;
                self.stage.shared.world().ethereum.delegate(&to);
            }
            Deed::LogMovedEther => self.stage.shared.world().ethereum.log_moved_ether(),
            Deed::Tags(depth) => self.stage.shared.world().ethereum.tag(*depth),
            Deed::SwitchFee => self.stage.shared.world().ethereum.switch_fee(),
            Deed::Issuer(act) => return self.issue(act),
            Deed::Mempool { is_lost } => self.change_mempool(*is_lost),
            Deed::Kill => self.stage.kill(),
            Deed::CrashAt(point) => crash::unwind_at(point),
            Deed::DiskFull(true) => crash::set_disk(Disk::Full),
            Deed::DiskFull(false) => crash::set_disk(Disk::Sound),
            Deed::Clock(by_ms) => self.stage.clock.skew(*by_ms),
        }
        Ok(())
    }

    fn reorg(&self, which: Which, blocks: (u32, u32), share: u64, amid_walk: Option<u32>) {
        let (depth, grow) = blocks;
        let at = self.stage.clock.truth();
        if let Some(answers) = amid_walk {
            let clock = Arc::clone(&self.stage.clock);
            self.stage.shared.wire(which).amid_walk = Some(AmidWalk {
                answers,
                clock,
                depth,
                grow,
                share,
            });
        } else {
            let mut world = self.stage.shared.world();
            world.odd_side(which, at).reorg(at, depth, grow, share);
        }
    }

    fn mint(&self, id: &str, amount: &str) -> Result<(), Trouble> {
        let order = self.order(id)?;
        let sats = asset_of(&order).units(amount)?;
        self.stage.shared.world().bitcoin.mint(order.to, sats);
        Ok(())
    }

    fn withdraw(&self, id: &str, amount: &str) -> Result<(), Trouble> {
        let order = self.order(id)?;
        let wei = asset_of(&order).units(amount)?;
        self.stage.shared.world().ethereum.withdraw(&order.to, wei);
        Ok(())
    }

    pub fn mine(&mut self, which: Which, empty: bool) {
        let at = self.stage.clock.truth();
        let mut world = self.stage.shared.world();
        world.side_mut(which).mine(at, share(empty));
    }

    fn change_mempool(&mut self, is_lost: bool) {
        use crate::simulation::world::Side as _;
        let how = if is_lost {
            Forgetting::Everything
        } else {
            Forgetting::NoMore
        };
        let mut world = self.stage.shared.world();
        world.bitcoin.forget(how, &mut self.random);
    }

    fn order(&self, id: &str) -> Result<Order, Trouble> {
        let order = self.stage.orders.get(id);
        order
            .cloned()
            .ok_or_else(|| format!("{id} was never registered, nor ordered"))
    }

    fn issue(&self, act: &Issuing) -> Result<(), Trouble> {
        let (asset, change) = match act {
            Issuing::Pauses(asset) => (asset.code, Change::Pause),
            Issuing::Unpauses(asset) => (asset.code, Change::Unpause),
            Issuing::Blacklists(id) => {
                let order = self.order(id)?;
                (order.asset, Change::Blacklist(account(&order.to)))
            }
            Issuing::Unblacklists(id) => {
                let order = self.order(id)?;
                (order.asset, Change::Unblacklist(account(&order.to)))
            }
        };
        let token = contract_of(asset).ok_or_else(|| format!("{asset} is no token"))?;
        let mut world = self.stage.shared.world();
        world.ethereum.administer(token, change);
        Ok(())
    }

    fn pay(&mut self, paying: &Paying) -> Result<(), Trouble> {
        let order = self.order(&paying.id)?;
        let asset = paying.asset.unwrap_or_else(|| asset_of(&order));
        let amount = amount(&order, asset, paying.amount.as_deref())?;
        let mut beside: Vec<(Destination, u64)> = Vec::new();
        for (id, text) in &paying.beside {
            let other = self.order(id)?;
            beside.push((other.to, self::amount(&other, asset, text.as_deref())?));
        }
        let mut trick = paying.trick;
        if let Some(name) = &paying.change_of {
            trick = Trick::ChangeOf(self.tx(name)?);
        }
        let payment = Payment {
            to: order.to,
            asset: asset.code,
            amount,
            parts: paying.parts.into(),
            beside,
            trick,
        };
        let at = self.stage.clock.truth();
        let paid = {
            let mut world = self.stage.shared.world();
            world.side_mut(asset.which).pay(&payment, at)
        };
        let txid = paid.ok_or("no node takes the transaction")?;
        self.name(&paying.id, txid, paying.called.as_ref());
        for (id, _) in &paying.beside {
            self.last_paid.insert(id.clone(), txid);
        }
        Ok(())
    }

    fn name(&mut self, id: &str, txid: TxId, called: Option<&String>) {
        self.last_paid.insert(id.to_owned(), txid);
        if let Some(name) = called {
            self.txs.insert(name.clone(), txid);
        }
    }

    /// A transaction by its name, or the last that paid a payment.
    pub fn tx(&self, name: &str) -> Result<TxId, Trouble> {
        let found = self.txs.get(name).or_else(|| self.last_paid.get(name));
        let all: Vec<&str> = self.txs.keys().map(String::as_str).collect();
        found.copied().ok_or_else(|| {
            let all = all.join(", ");
            format!("{name} names no transaction and no payment paid by one; named are: {all}")
        })
    }

    /// The chain on which a transaction was sent.
    pub fn chain_of(&self, txid: TxId) -> Which {
        let world = self.stage.shared.world();
        let sent_on = |which: &Which| world.side(*which).truth().get(txid).is_some();
        Which::BOTH
            .into_iter()
            .find(sent_on)
            .unwrap_or(Which::Ethereum)
    }

    fn meddle(&mut self, name: &str, how: &Meddling) -> Result<(), Trouble> {
        let (txid, at) = (self.tx(name)?, self.stage.clock.truth());
        let which = self.chain_of(txid);
        let mut world = self.stage.shared.world();
        let done = world.side_mut(which).meddle(txid, how, at);
        done.map(|_| ())
            .ok_or_else(|| "that cannot be done".to_owned())
    }

    fn replace(
        &mut self,
        name: &str,
        by: Option<&(String, String)>,
        called: Option<&String>,
    ) -> Result<(), Trouble> {
        let (txid, at) = (self.tx(name)?, self.stage.clock.truth());
        let to = match by {
            None => None,
            Some((id, text)) => {
                let order = self.order(id)?;
                let amount = asset_of(&order).units(text)?;
                Some((order.to, amount))
            }
        };
        let replacement = {
            let mut world = self.stage.shared.world();
            let which = Which::Bitcoin;
            world
                .side_mut(which)
                .meddle(txid, &Meddling::Replace(to), at)
        };
        let replacement = replacement.ok_or("no node takes the replacement")?;
        if let Some((id, _)) = by {
            self.name(id, replacement, called);
        } else if let Some(name) = called {
            self.txs.insert(name.clone(), replacement);
        }
        Ok(())
    }

    /// An order as it is wanted, with an address of its own unless it says otherwise.
    fn order_for(&mut self, wanted: &Registration) -> Result<Order, Trouble> {
        let mut order = Order {
            id: wanted.id.clone(),
            which: wanted.asset.which,
            asset: wanted.asset.code,
            to: customers::destination(wanted.asset.which, &mut self.random),
            amount: wanted.amount,
            terms: Terms::default(),
        };
        if let Some(before) = self.stage.orders.get(&wanted.id) {
            order.to = before.to;
        }
        if let Some(other) = &wanted.address_of {
            order.to = self.order(other)?.to;
        }
        Ok(order)
    }

    /// Writes a registration into the inbox.
    pub fn register(&mut self, wanted: &Registration) -> Result<(), Trouble> {
        self.unseen = true;
        let order = self.order_for(wanted)?;
        let now = self.stage.clock.now().wall;
        let written = before(now, wanted.written_ago);
        let body = customers::registration(&order);
        let mut body: Value = serde_json::from_str(&body).unwrap();
        for term in &wanted.terms {
            let (field, value) = field(term, now, written);
            body[field] = value;
        }
        let order = self.stage.orders.entry(wanted.id.clone()).or_insert(order);
        let id = order.id.clone();
        let since = (self.stage.clock.elapsed_ms(), written);
        self.registered.entry(id.clone()).or_insert(since);
        self.write(&id, "register", body.to_string(), written, false);
        Ok(())
    }

    /// Writes another request into the inbox.
    pub fn ask(&mut self, id: &str, ask: &Ask) -> Result<(), Trouble> {
        self.unseen = true;
        let now = self.stage.clock.now().wall;
        let (kind, body) = match ask {
            Ask::Cancel => ("cancel", json!({})),
            Ask::Reject => ("reject", json!({"note": "no"})),
            Ask::Ack => ("ack", json!({"note": "looked at"})),
            Ask::Accept(amount) => ("accept", json!({"note": "yes", "amount": amount})),
            Ask::Refunded(amount) => ("refunded", json!({"note": "sent", "amount": amount})),
            Ask::Extend(to) => {
                let (_, registered) = self
                    .registered
                    .get(id)
                    .ok_or_else(|| format!("{id} was never registered"))?;
                ("extend", json!({"expires_at": after(*registered, *to).0}))
            }
            Ask::Rescan(ago) => ("rescan", json!({"scan_from": before(now, *ago).0})),
            Ask::Raw(kind, body) => {
                self.write(id, kind, body.clone(), now, false);
                return Ok(());
            }
        };
        let by_operator = matches!(ask, Ask::Accept(_) | Ask::Reject | Ask::Ack);
        self.write(id, kind, body.to_string(), now, by_operator);
        Ok(())
    }

    fn write(&mut self, id: &str, kind: &str, body: String, at: UnixMs, by_operator: bool) {
        let seq = i64::try_from(self.stage.inbox.len()).unwrap() + 1;
        let mut row = customers::row(seq, kind, id, body, at);
        let actor = if by_operator { "operator" } else { "gateway" };
        row.actor = Some(actor.to_owned());
        self.stage.inbox.push(row);
    }
}

/// Of a thousand transactions that wait, how many are mined.
const fn share(empty: bool) -> u64 {
    if empty { 0 } else { 1000 }
}

fn asset_of(order: &Order) -> Asset {
    let of_order = |asset: &&Asset| asset.code == order.asset;
    *ASSETS.iter().find(of_order).unwrap()
}

/// What is paid: so much, or what the order asks for.
fn amount(order: &Order, asset: Asset, text: Option<&str>) -> Result<u64, Trouble> {
    text.map_or(Ok(order.amount), |text| asset.units(text))
}

fn before(now: UnixMs, ms: u64) -> UnixMs {
    UnixMs(now.0 - i64::try_from(ms).unwrap())
}

fn after(now: UnixMs, ms: u64) -> UnixMs {
    UnixMs(now.0 + i64::try_from(ms).unwrap())
}

/// A term as a registration's body has it.
fn field(term: &Term, now: UnixMs, written: UnixMs) -> (&'static str, Value) {
    match term {
        Term::Tolerance(text) => ("tolerance", json!(text)),
        Term::Policy(text) => ("policy", json!(text)),
        Term::Confirmations(number) => ("confirmations", json!(number)),
        Term::ExpiresIn(ms) => ("expires_at", json!(after(written, *ms).0)),
        Term::ScanFromHeight(height) => ("scan_from", json!(height)),
        Term::ScanFromAgo(ms) => ("scan_from", json!(before(now, *ms).0)),
    }
}
