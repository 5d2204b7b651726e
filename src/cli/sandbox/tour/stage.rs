//! What acts are made of: a gateway that registers and reads, people who pay, and patience.
//!
//! The gateway here does what any gateway does: it writes `inbox.db` and reads the public views.

use crate::{
    cli::{
        Exit,
        failure::Failure,
        rows::{Row, only, rows},
        sandbox::{
            board::Board,
            deeds::{Deed, Pay, Replace},
            doer::{Doer, Undone},
            running::Sandbox,
            words,
        },
    },
    clock::{Clock, SystemClock},
    domain::asset::ChainKind,
    random::Random,
    sandbox::{live::Live, world::World},
    store::{
        inbox::{InboxWriter, NewRequest},
        reader::Reader,
    },
};
use serde_json::{Value, json};
use std::time::Duration;

/// How long anything may take: in real time far longer than on a busy machine, and beside that the
/// simulated time of any act, in which several blocks of Bitcoin come and a deadline passes.
const PATIENCE_MS: u64 = 60_000;
const PATIENCE_SIMULATED_MS: u64 = 3 * 3_600_000;
/// How often the gateway looks.
const LOOK: Duration = Duration::from_millis(15);
/// Minutes until an ordinary deadline: seconds for whoever plays it, on a busy machine too.
const HOUR: i64 = 60;

/// How an act ends other than as said.
pub(super) enum Ending {
    /// Something else came of it; the tour goes on.
    Wrong(String),
    /// The tour is over.
    Over(Failure),
}

impl<E: Into<Failure>> From<E> for Ending {
    fn from(error: E) -> Self {
        Self::Over(error.into())
    }
}

/// What a gateway asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order {
    pub(super) id: &'static str,
    pub(super) asset: &'static str,
    pub(super) amount: &'static str,
    pub(super) policy: Option<&'static str>,
    /// Simulated minutes until the deadline.
    pub(super) minutes: i64,
}

impl Order {
    pub(super) const fn new(id: &'static str, asset: &'static str, amount: &'static str) -> Self {
        Self {
            id,
            asset,
            amount,
            policy: None,
            minutes: HOUR,
        }
    }
}

/// Everything that acts work with.
pub(super) struct Stage<'a> {
    pub(super) board: Board<'a>,
    sandbox: &'a Sandbox,
    doer: Doer,
    reader: Reader,
    gateway: InboxWriter,
    clock: SystemClock,
    addresses: Random,
    /// The last entry of the journal that was shown.
    shown: i64,
    patience_ms: u64,
    promises: Vec<(&'static str, &'static str, &'static str)>,
    wrong: Vec<String>,
}

impl<'a> Stage<'a> {
    pub(super) fn new(sandbox: &'a Sandbox, board: Board<'a>) -> Result<Self, Failure> {
        Ok(Self {
            board,
            doer: Doer::new(sandbox.live.clone(), &sandbox.config, sandbox.facts.clone()),
            reader: Reader::open(&sandbox.facts.database)?,
            gateway: InboxWriter::open(&sandbox.facts.inbox)?,
            clock: SystemClock::new(),
            addresses: Random::new(7),
            shown: 0,
            patience_ms: patience_ms(sandbox.facts.speed),
            promises: Vec::new(),
            wrong: Vec::new(),
            sandbox,
        })
    }

    /// Registers an order and waits until it is watched.
    pub(super) fn order(&mut self, order: Order) -> Result<(), Ending> {
        let now = self.clock.now().wall;
        let span_ms = order.minutes.saturating_mul(60_000);
        let body = json!({
            "asset": order.asset,
            "address": self.address(order.asset),
            "amount": order.amount,
            "policy": order.policy,
            "expires_at": now.0.saturating_add(span_ms),
        });
        self.gateway.insert(&NewRequest {
            request_id: format!("register-{}", order.id),
            kind: "register".to_owned(),
            payment_id: order.id.to_owned(),
            body: crate::cli::inbox::body(body).to_string(),
            actor: Some("gateway".to_owned()),
            created_at: now,
        })?;
        self.board.follow(order.id);
        self.until(&format!("{} is registered", order.id), |stage| {
            Ok(stage.row(order.id)?.is_some())
        })
    }

    /// An address that nobody had before.
    fn address(&mut self, asset: &str) -> String {
        if asset == "BTC" {
            let program = bitcoin::hashes::Hash::from_byte_array(self.addresses.bytes());
            let script =
                bitcoin::ScriptBuf::new_p2wpkh(&bitcoin::WPubkeyHash::from_raw_hash(program));
            let address = bitcoin::Address::from_script(&script, bitcoin::Network::Regtest);
            return address
                .map(|address| address.to_string())
                .unwrap_or_default();
        }
        alloy_primitives::Address::from(self.addresses.bytes::<20>()).to_string()
    }

    /// A customer pays what the order asks for.
    pub(super) fn pay(&mut self, id: &str) -> Result<(), Ending> {
        self.send(id, None, None)
    }

    /// A customer pays something else.
    pub(super) fn pay_other(&mut self, id: &str, amount: &str, asset: &str) -> Result<(), Ending> {
        self.send(id, Some(amount.to_owned()), Some(asset.to_owned()))
    }

    fn send(
        &mut self,
        id: &str,
        amount: Option<String>,
        asset: Option<String>,
    ) -> Result<(), Ending> {
        self.carry_out(&Deed::Pay(Pay {
            payment_id: id.to_owned(),
            amount,
            asset,
            late: false,
        }))
    }

    /// The payer takes an unconfirmed transaction back.
    pub(super) fn replace(&mut self, id: &str) -> Result<(), Ending> {
        self.carry_out(&Deed::Replace(Replace {
            tx: id.to_owned(),
            amount: None,
        }))
    }

    fn carry_out(&mut self, deed: &Deed) -> Result<(), Ending> {
        let done = self.doer.carry_out(deed);
        done.map(drop)
            .map_err(|undone: Undone| Ending::Wrong(undone.message().to_owned()))
    }

    /// Changes the world.
    pub(super) fn world<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        let live: &Live = &self.sandbox.live;
        live.with(act)
    }

    /// How many blocks of Bitcoin stand on a payment's money, with its own.
    pub(super) fn depth(&self, id: &str) -> Result<u32, Ending> {
        let row = self.row(id)?.unwrap_or_default();
        let height = row.get("block_height").and_then(Value::as_u64).unwrap_or(0);
        let tip = self.world(|world| world.tip(ChainKind::Bitcoin).id.height);
        let depth = u64::from(tip.0).saturating_sub(height).saturating_add(1);
        Ok(u32::try_from(depth).unwrap_or(u32::MAX))
    }

    /// Waits until a payment has this status and reason.
    pub(super) fn becomes(&mut self, id: &str, status: &str, reason: &str) -> Result<(), Ending> {
        let what = format!("{id} becomes {}", words::state(status, reason));
        self.until(&what, |stage| stage.is(id, status, reason))
    }

    /// Waits until a payment has this status and reason, which it keeps to the end of the tour.
    pub(super) fn ends(
        &mut self,
        id: &'static str,
        status: &'static str,
        reason: &'static str,
    ) -> Result<(), Ending> {
        self.promises.push((id, status, reason));
        self.becomes(id, status, reason)
    }

    /// Waits until the journal has an entry of this kind about a payment.
    pub(super) fn hears(&mut self, id: &str, kind: &str) -> Result<(), Ending> {
        self.until(&format!("the journal tells {kind} of {id}"), |stage| {
            let events = rows(&stage.reader.events_of(id)?);
            let is_it = |event: &Row| event.get("kind").and_then(Value::as_str) == Some(kind);
            Ok(events.iter().any(is_it))
        })
    }

    fn is(&self, id: &str, status: &str, reason: &str) -> Result<bool, Failure> {
        let row = self.row(id)?.unwrap_or_default();
        let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or("");
        Ok(text("status") == status && text("reason") == reason)
    }

    fn row(&self, id: &str) -> Result<Option<Row>, Failure> {
        Ok(only(&self.reader.payment(id)?))
    }

    /// Shows the journal as it grows until something is so.
    fn until(
        &mut self,
        what: &str,
        is_so: impl Fn(&Self) -> Result<bool, Failure>,
    ) -> Result<(), Ending> {
        let began_ms = self.clock.now().monotonic_ms;
        loop {
            // Before the journal is read, so that it is shown as far as the reader saw.
            let is_so = is_so(self)?;
            self.show_journal()?;
            if is_so {
                return Ok(());
            }
            self.require_going()?;
            if self.clock.now().monotonic_ms.saturating_sub(began_ms) > self.patience_ms {
                return Err(Ending::Wrong(format!("waited in vain until {what}")));
            }
            std::thread::sleep(LOOK);
        }
    }

    fn require_going(&self) -> Result<(), Failure> {
        if self.sandbox.is_ending() {
            let message = "the tour was ended before its last act";
            return Err(Failure::new(Exit::Failed, message));
        }
        if self.sandbox.has_failed() {
            return Err(Failure::failed("the daemon ended by itself"));
        }
        Ok(())
    }

    fn show_journal(&mut self) -> Result<(), Failure> {
        self.board.journal(&self.reader, &mut self.shown)?;
        self.board.refresh(&self.reader, &self.sandbox.live)
    }

    /// Something did not come out as said.
    pub(super) fn note_wrong(&mut self, what: String) {
        self.wrong.push(what);
    }

    pub(super) fn wrong(&self) -> &[String] {
        &self.wrong
    }

    /// Every promised payment as it is in the end, held against what was promised.
    pub(super) fn outcomes(&mut self) -> Result<Vec<Row>, Failure> {
        let mut outcomes = Vec::new();
        for (id, status, reason) in self.promises.clone() {
            if !self.is(id, status, reason)? {
                let promised = words::state(status, reason);
                self.note_wrong(format!("{id} did not stay {promised}"));
            }
            outcomes.extend(self.row(id)?.map(without_simulated));
        }
        Ok(outcomes)
    }
}

/// A row without the flag that all of a sandbox have.
fn without_simulated(mut row: Row) -> Row {
    if let Some(Value::String(flags)) = row.get_mut("flags") {
        let others = flags.split(',').filter(|flag| *flag != "simulated");
        *flags = others.collect::<Vec<_>>().join(",");
    }
    row
}

fn patience_ms(speed: u32) -> u64 {
    PATIENCE_MS.saturating_add(PATIENCE_SIMULATED_MS / u64::from(speed).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_any_speed_there_is_time_for_blocks_and_deadlines() {
        let hour_ms = 3_600_000;
        for speed in [1, 2, 20, 300, 1000] {
            assert!(
                patience_ms(speed) * u64::from(speed) >= 3 * hour_ms,
                "{speed}"
            );
            assert!(patience_ms(speed) >= 60_000, "{speed}");
        }
    }
}
