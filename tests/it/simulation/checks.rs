//! What must hold after every step, read as a gateway reads it: the journal dense, every payment's
//! events a path of the table, no `paid` that the chain does not bear out; and in the end: nothing
//! that was read from the journal has changed, and every payment is as its last event says.

use super::{
    customers::Order,
    moments,
    rows::{cursor, units, untraced_at},
    world::World,
};
use confirmd::domain::time::UnixMs;
use rusqlite::{Connection, OpenFlags, Row, types::Value as Cell};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::Path,
};

/// Every step that a payment may take; `""` is before its registration.
pub const STEPS: [(&str, &[&str]); 9] = [
    ("", &["new"]),
    (
        "new",
        &[
            "pending",
            "confirming",
            "paid",
            "invalid",
            "expired",
            "canceled",
        ],
    ),
    (
        "pending",
        &["new", "confirming", "paid", "invalid", "expired"],
    ),
    (
        "confirming",
        &["new", "pending", "paid", "invalid", "expired"],
    ),
    ("paid", &["confirming", "pending", "invalid", "refunded"]),
    (
        "invalid",
        &[
            "new",
            "confirming",
            "pending",
            "paid",
            "expired",
            "canceled",
            "refunded",
        ],
    ),
    ("expired", &["new", "invalid", "paid"]),
    ("canceled", &["invalid", "paid"]),
    ("refunded", &[]),
];

/// What a gateway has read so far.
#[derive(Debug, Default)]
pub struct Reader {
    last_seq: i64,
    /// Of each payment: its status and version by the events.
    folded: HashMap<String, (String, i64)>,
    /// Of each payment: its row by its last event.
    last: BTreeMap<String, Value>,
    /// Up to where each chain was final.
    finalized: BTreeMap<String, u32>,
    /// All events read, put together.
    digest: u64,
    /// The same without their ids, which no two runs share.
    pub journal: u64,
    /// Of each payment, its history as announced.
    pub told: BTreeMap<String, Told>,
    /// How often each edge, reason, flag and kind of event was seen.
    pub coverage: BTreeMap<String, u64>,
}

/// What was announced of a payment before, which its facts alone do not tell.
#[derive(Debug, Clone, Default)]
pub struct Told {
    pub ever_paid: bool,
    pub expired: bool,
    pub canceled: bool,
    /// An operator or the gateway decided: the chain alone does not say where it is.
    pub decided: bool,
    /// A person looked, and what was to be reviewed is put away.
    pub looked_at: bool,
    /// Every reason and flag that it ever had.
    pub marks: BTreeSet<String>,
}

/// One row of `v1_event`.
#[derive(Debug)]
struct Event {
    seq: i64,
    id: String,
    /// All of the row but its id, as text.
    whole: String,
    payment: Option<String>,
    version: Option<i64>,
    kind: String,
    from: Option<String>,
    to: Option<String>,
    reason: Option<String>,
    data: Value,
}

impl Event {
    /// What stands for everything up to this event.
    fn after(&self, digest: u64) -> u64 {
        chained(chained(digest, &self.id), &self.whole)
    }
}

/// Opens the database as a gateway does.
pub fn open(dir: &Path) -> Connection {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(dir.join("confirmd.db"), flags).unwrap()
}

impl Reader {
    /// Reads what is new and checks it against what was read before, and against the truth.
    pub fn read(
        &mut self,
        db: &Connection,
        world: &World,
        orders: &HashMap<String, Order>,
        now: UnixMs,
    ) -> Result<(), String> {
        let events = events_after(db, self.last_seq);
        let verdicts = if events.is_empty() {
            BTreeMap::new()
        } else {
            self.verdicts(db)?
        };
        let is_paid = |event: &Event| event.to.as_deref() == Some("paid");
        for event in events {
            if event.seq != self.last_seq + 1 {
                return Err(format!(
                    "the journal goes from {} to {}",
                    self.last_seq, event.seq
                ));
            }
            self.last_seq = event.seq;
            self.digest = event.after(self.digest);
            self.journal = chained(self.journal, &event.whole);
            self.count(&format!("event {}", event.kind));
            let Some(payment) = event.payment.clone() else {
                continue;
            };
            self.follow(&payment, &event)?;
            let chain = orders[&payment].which.name();
            if self.is_verdict(&payment, &event) && !verdicts[chain] {
                return Err(format!(
                    "{payment}: {:?} became {:?} by an event {}, but its chain gives no verdicts",
                    event.from, event.to, event.kind
                ));
            }
            self.last.insert(payment.clone(), event.data.clone());
            if event.to.as_deref() == Some("expired") && event.from.as_deref() == Some("new") {
                let order = &orders[&payment];
                let is_looked_at = self.told.get(&payment).is_some_and(|told| told.looked_at);
                let untraced_at = untraced_at(db, order.which);
                moments::came_to_nothing(world, order, &event.data, untraced_at)
                    .or_else(|why| if is_looked_at { Ok(()) } else { Err(why) })
                    .map_err(|why| format!("{payment} is expired, but {why}"))?;
            }
            if event.kind == "finalized" {
                let order = &orders[&payment];
                moments::is_final_truly(world.side(order.which), order, &event.data)
                    .map_err(|why| format!("{payment} is final, but {why}"))?;
            }
            let turned_paid = is_paid(&event) && event.from.as_deref() != Some("paid");
            if turned_paid && event.reason.as_deref() != Some("operator") {
                let order = &orders[&payment];
                let side = world.side(order.which);
                let branch = cursor(db, order.which).and_then(|hash| side.branch_to(hash));
                let branch = branch.ok_or("paid before anything was scanned")?;
                if world.is_calm(order.which, now) {
                    moments::is_the_nodes(side, &branch)
                        .map_err(|why| format!("{payment} is paid, but {why}"))?;
                }
                moments::is_borne_out(side, &branch, order, &event.data)
                    .map_err(|why| format!("{payment} is paid, but {why}"))?;
            }
        }
        Ok(())
    }

    /// Reads everything again: no event has changed, and every row is what its last event says.
    pub fn reread(&self, db: &Connection) -> Result<(), String> {
        let events = events_after(db, 0).into_iter();
        let digest = events.fold(0, |digest, event| event.after(digest));
        if digest != self.digest {
            return Err("an event is not what it was when it was read".to_owned());
        }
        let mut statement = db.prepare("SELECT * FROM v1_payment").unwrap();
        let mut rows = statement.query([]).unwrap();
        let mut payments = 0;
        while let Some(row) = rows.next().unwrap() {
            payments += 1;
            let id: String = row.get("payment_id").unwrap();
            let last = self
                .last
                .get(&id)
                .ok_or_else(|| format!("{id} has no event"))?;
            is_as_told(row, last).map_err(|why| format!("{id}: {why}"))?;
        }
        if payments != self.last.len() {
            return Err(format!(
                "{payments} payments, but {} have events",
                self.last.len()
            ));
        }
        Ok(())
    }

    /// Which chains may give verdicts. What was final on one stays so.
    fn verdicts(&mut self, db: &Connection) -> Result<BTreeMap<String, bool>, String> {
        let sql = "SELECT chain, healthy AND frozen IS NULL, coalesce(finalized_height, 0),
                          coalesce(scanned_height, 0) FROM v1_chain";
        let mut statement = db.prepare_cached(sql).unwrap();
        let mut rows = statement.query([]).unwrap();
        let mut verdicts = BTreeMap::new();
        while let Some(row) = rows.next().unwrap() {
            let chain: String = row.get(0).unwrap();
            let (finalized, scanned): (u32, u32) = (row.get(2).unwrap(), row.get(3).unwrap());
            let before = self.finalized.insert(chain.clone(), finalized);
            if before > Some(finalized) || scanned < finalized {
                return Err(format!(
                    "{chain}: {before:?} was final, now {finalized} is, of {scanned}"
                ));
            }
            verdicts.insert(chain, row.get(1).unwrap());
        }
        Ok(verdicts)
    }

    /// What may be said only while a chain is healthy and not frozen. That the money of a paid
    /// payment is gone is said at once, and one that had expired before is expired again.
    fn is_verdict(&self, payment: &str, event: &Event) -> bool {
        let (from, to) = (event.from.as_deref(), event.to.as_deref());
        let turns = match to {
            Some("paid") => true,
            Some("expired") => from != Some("invalid"),
            Some("invalid") => !self.told[payment].ever_paid,
            _ => false,
        };
        event.kind == "finalized" || (from != to && turns)
    }

    fn count(&mut self, what: &str) {
        *self.coverage.entry(what.to_owned()).or_default() += 1;
    }

    fn follow(&mut self, payment: &str, event: &Event) -> Result<(), String> {
        let (status, version) = self.folded.entry(payment.to_owned()).or_default();
        *version += 1;
        if event.version != Some(*version) {
            return Err(format!(
                "{payment}: version {:?} after {version}",
                event.version
            ));
        }
        let told = self.told.entry(payment.to_owned()).or_default();
        if event.kind == "command" {
            let kind = event.data["command"]["kind"].as_str().unwrap_or_default();
            told.decided |= ["accept", "reject", "refunded"].contains(&kind);
            told.looked_at |= kind == "ack";
        }
        let Some(to) = &event.to else {
            return Ok(());
        };
        let from = std::mem::replace(status, to.clone());
        if event.from.as_deref().unwrap_or_default() != from {
            return Err(format!(
                "{payment}: an event from {:?}, but it was {from}",
                event.from
            ));
        }
        let legal = STEPS.iter().find(|(at, _)| *at == from).map(|(_, to)| *to);
        if from != *to && !legal.unwrap_or_default().contains(&to.as_str()) {
            return Err(format!("{payment}: {from} became {to}"));
        }
        if from == "paid"
            && !["paid", "refunded"].contains(&to.as_str())
            && event.kind != "reversed"
        {
            return Err(format!(
                "{payment}: paid became {to} by an event {}",
                event.kind
            ));
        }
        told.ever_paid |= to == "paid";
        told.expired =
            to == "expired" || (told.expired && from != "expired") || (told.expired && to != "new");
        told.canceled |= to == "canceled";
        let received = event.data["amount_received"].as_str().unwrap_or_default();
        if to == "canceled" && from == "new" && units(received) > 0 {
            return Err(format!("{payment}: canceled with {received} of live money"));
        }
        // A payment that has a reason or a flag has it in many of its events.
        let flags = event.data["flags"].as_str().unwrap_or_default().split(',');
        let flags = flags.filter(|flag| !flag.is_empty());
        let reason = event.reason.as_deref().unwrap_or_default();
        let marks: Vec<String> = flags
            .map(|flag| format!("flag {flag}"))
            .chain([format!("reason {to}/{reason}")])
            .filter(|mark| told.marks.insert(mark.clone()))
            .collect();
        self.count(&format!("edge {from} -> {to}"));
        for mark in &marks {
            self.count(mark);
        }
        Ok(())
    }
}

/// Whether a row is what the payment's last event says. Confirmations grow without events.
fn is_as_told(row: &Row<'_>, last: &Value) -> Result<(), String> {
    for name in row.as_ref().column_names() {
        let Some(told) = last.get(name).filter(|_| name != "confirmations") else {
            continue;
        };
        let shown = match row.get(name).unwrap() {
            Cell::Integer(number) => Value::from(number),
            Cell::Text(text) => Value::from(text),
            Cell::Null | Cell::Real(_) | Cell::Blob(_) => Value::Null,
        };
        if *told != shown {
            return Err(format!("{name} is {shown}, but its last event says {told}"));
        }
    }
    Ok(())
}

/// What stands for everything up to this text.
fn chained(digest: u64, text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (digest, text).hash(&mut hasher);
    hasher.finish()
}

fn events_after(db: &Connection, seq: i64) -> Vec<Event> {
    let mut statement = db
        .prepare_cached(
            "SELECT seq, payment_id, version, kind, from_status, to_status, reason, data,
                    occurred_at, recorded_at, event_id
               FROM v1_event WHERE seq > ? ORDER BY seq",
        )
        .unwrap();
    let rows = statement.query_map([seq], |row| {
        let data: String = row.get(7)?;
        Ok(Event {
            seq: row.get(0)?,
            id: row.get("event_id")?,
            whole: whole(row)?,
            payment: row.get(1)?,
            version: row.get(2)?,
            kind: row.get(3)?,
            from: row.get(4)?,
            to: row.get(5)?,
            reason: row.get(6)?,
            data: serde_json::from_str(&data).unwrap(),
        })
    });
    rows.unwrap().map(Result::unwrap).collect()
}

fn whole(row: &Row<'_>) -> rusqlite::Result<String> {
    let but_id = row.as_ref().column_count() - 1;
    let cells = (0..but_id).map(|n| row.get::<_, Cell>(n));
    let cells: Vec<Cell> = cells.collect::<Result<_, _>>()?;
    Ok(format!("{cells:?}"))
}
