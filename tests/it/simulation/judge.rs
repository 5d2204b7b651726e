//! The judge: small, slow, separate. From the whole true chain history it says where every
//! payment must be, and compares.

use super::{
    checks::{Told, cursor, txid},
    customers::Order,
    naive::{At, Books, Truth, Tx},
    world::World,
};
use confirmd::{
    domain::{block::TxId, time::UnixMs},
    sandbox::tree::{Branch, Linked as _},
};
use rusqlite::{Connection, Row};
use serde_json::Value;
use std::collections::BTreeMap;

/// The dust limit of the configuration.
const DUST: u64 = 546;

/// A watch window ends with a poll after its time, and money may take that long to be seen.
const WATCH_SLACK_MS: i64 = 2 * 3_600_000;

/// Checks that a payment that has just become `paid` has its money at depth on this branch.
pub fn is_borne_out(
    world: &World,
    branch: &Branch,
    order: &Order,
    data: &Value,
) -> Result<(), String> {
    let required = data["confirmations_required"].as_u64().unwrap();
    let allowed = sats(data["allowed_shortfall"].as_str().unwrap());
    let deep = |txid: &TxId| {
        let (block, _) = world.place(*txid, branch)?;
        let confirmations = branch.height().0.checked_sub(block.id.height.0)? + 1;
        (u64::from(confirmations) >= required).then(|| paid_by(world, *txid, order))
    };
    let none = Vec::new();
    let all = world.by_script.get(&order.script).unwrap_or(&none);
    let deep: Vec<u64> = all.iter().filter_map(deep).collect();
    let best = if data["policy"] == "sum" {
        deep.iter().sum()
    } else {
        deep.iter().copied().max().unwrap_or(0)
    };
    if best + allowed >= order.sats {
        Ok(())
    } else {
        Err(format!(
            "only {best} of {} satoshi are deep enough: {data}",
            order.sats
        ))
    }
}

/// What a transaction pays an order.
fn paid_by(world: &World, txid: TxId, order: &Order) -> u64 {
    let credits = world.paying[&txid].tx.credits.iter();
    let ours = credits.filter(|credit| credit.to == order.script);
    ours.map(|credit| u64::try_from(credit.amount.base()).unwrap())
        .sum()
}

/// The satoshi of a decimal text.
fn sats(text: &str) -> u64 {
    let (whole, rest) = text.split_once('.').unwrap();
    whole.parse::<u64>().unwrap() * 100_000_000 + rest.parse::<u64>().unwrap()
}

/// A row of `v1_payment`, as far as the judge looks at it.
struct Shown {
    id: String,
    state: String,
    received: u64,
    counted: u64,
    surplus: u64,
    is_final: bool,
    allowed: u64,
    policy: String,
    required: u32,
    expires_at: i64,
    grace: i64,
    late_accept: i64,
    watch_until: Option<i64>,
    created_at: i64,
}

impl Shown {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let money = |column: &str| -> rusqlite::Result<u64> {
            let text: String = row.get(column)?;
            Ok(sats(&text))
        };
        let status: String = row.get("status")?;
        let reason: Option<String> = row.get("reason")?;
        let reason = reason.map_or(String::new(), |reason| format!("/{reason}"));
        Ok(Self {
            id: row.get("payment_id")?,
            state: format!("{status}{reason}"),
            received: money("amount_received")?,
            counted: money("amount_counted")?,
            surplus: money("surplus")?,
            is_final: row.get("final")?,
            allowed: money("allowed_shortfall")?,
            policy: row.get("policy")?,
            required: row.get("confirmations_required")?,
            expires_at: row.get("expires_at")?,
            grace: row.get("grace_ms")?,
            late_accept: row.get("late_accept_ms")?,
            watch_until: row.get("watch_until_at")?,
            created_at: row.get("created_at")?,
        })
    }
}

/// A row of `v1_transfer`.
struct Transfer {
    txid: TxId,
    position: String,
    sats: u64,
    state: String,
    first_seen_at: i64,
    block_hash: Option<String>,
}

/// What the judge is told beside the database and the world.
pub struct Case<'a> {
    pub world: &'a World,
    pub orders: &'a std::collections::HashMap<String, Order>,
    pub told: &'a BTreeMap<String, Told>,
    pub now: UnixMs,
    pub confirm_timeout_ms: u64,
}

/// Compares every payment with where the truth puts it, when faults have stopped and everything
/// is scanned. Returns how many were compared.
pub fn settle(db: &Connection, case: &Case<'_>) -> Result<u64, String> {
    let head = case.world.head().id.hash;
    if cursor(db) != Some(head) {
        return Err(format!("the cursor is not at the node's head {head}"));
    }
    let branch = Branch::to(case.world.chain.tree(), head);
    let mut statement = db.prepare("SELECT * FROM v1_payment").unwrap();
    let rows = statement.query_map([], Shown::read).unwrap();
    let mut compared = 0;
    for shown in rows.map(Result::unwrap) {
        let transfers = transfers(db, &shown.id);
        let order = &case.orders[&shown.id];
        if came_after_watch(case.world, &branch, order, &shown) {
            continue;
        }
        nothing_invented(case.world, &branch, order, &transfers)
            .map_err(|why| format!("{}: {why}", shown.id))?;
        nothing_lost(case, &branch, order, &shown, &transfers)
            .map_err(|why| format!("{}: {why}", shown.id))?;
        compared += u64::from(compare(db, case, &branch, &shown, &transfers)?);
    }
    Ok(compared)
}

fn transfers(db: &Connection, id: &str) -> Vec<Transfer> {
    let mut statement = db
        .prepare_cached(
            "SELECT txid, position, amount, state, first_seen_at, block_hash
               FROM v1_transfer WHERE payment_id = ? AND position <> 'dust'",
        )
        .unwrap();
    let rows = statement.query_map([id], |row| {
        let (id, amount): (String, String) = (row.get(0)?, row.get(2)?);
        Ok(Transfer {
            txid: txid(&id),
            position: row.get(1)?,
            sats: sats(&amount),
            state: row.get(3)?,
            first_seen_at: row.get(4)?,
            block_hash: row.get(5)?,
        })
    });
    rows.unwrap().map(Result::unwrap).collect()
}

/// Whether money moved when the address was no longer watched, or nearly so: nobody says then
/// what must be recorded of it.
fn came_after_watch(world: &World, branch: &Branch, order: &Order, shown: &Shown) -> bool {
    let Some(until) = shown.watch_until else {
        return false;
    };
    let all = world.by_script.get(&order.script);
    all.into_iter().flatten().any(|txid| {
        let block = world.place(*txid, branch);
        let seen = world.paying[txid].visible_at.0;
        let last = block.map_or(seen, |(block, _)| block.time.0.max(seen));
        last > until - WATCH_SLACK_MS
    })
}

/// Every transfer is a true credit, and stands where it truly stands.
fn nothing_invented(
    world: &World,
    branch: &Branch,
    order: &Order,
    transfers: &[Transfer],
) -> Result<(), String> {
    for transfer in transfers {
        let paying = world
            .paying
            .get(&transfer.txid)
            .ok_or("an unknown transaction")?;
        let credit = paying.tx.credits.iter().find(|credit| {
            credit.to == order.script && credit.position.to_string() == transfer.position
        });
        let amount = credit.map(|credit| u64::try_from(credit.amount.base()).unwrap());
        if amount != Some(transfer.sats) {
            return Err(format!(
                "{} of {} is {amount:?}",
                transfer.position, transfer.txid
            ));
        }
        let block = world.place(transfer.txid, branch);
        let shown = transfer.block_hash.clone();
        let truly = block.map(|(block, _)| block.id.hash.to_string());
        if shown != truly {
            return Err(format!(
                "{} is in block {shown:?}, not {truly:?}",
                transfer.txid
            ));
        }
        let is_known = world.view.has_unconfirmed(transfer.txid);
        let state_holds = match transfer.state.as_str() {
            "confirmed" => truly.is_some(),
            "mempool" => is_known,
            _ => truly.is_none() && !is_known,
        };
        if !state_holds {
            return Err(format!("{} is {}, wrongly", transfer.txid, transfer.state));
        }
        if transfer.first_seen_at < first_visible(world, transfer.txid) - 1 {
            return Err(format!("{} was seen before it existed", transfer.txid));
        }
    }
    Ok(())
}

/// When a transaction, or one whose first-seen time it may inherit, was first there to be seen.
fn first_visible(world: &World, txid: TxId) -> i64 {
    let tx = &world.paying[&txid].tx;
    let related = world
        .paying
        .values()
        .filter(|other| other.tx.conflicts_with(tx));
    related
        .map(|other| other.visible_at.0)
        .min()
        .unwrap_or(i64::MAX)
}

/// Every true credit on the chain, from when the payment was to be looked for, is a transfer.
fn nothing_lost(
    case: &Case<'_>,
    branch: &Branch,
    order: &Order,
    shown: &Shown,
    transfers: &[Transfer],
) -> Result<(), String> {
    let none = Vec::new();
    for txid in case.world.by_script.get(&order.script).unwrap_or(&none) {
        let Some((block, _)) = case.world.place(*txid, branch) else {
            continue;
        };
        let is_before = block.time.0 < shown.created_at - 2 * 3_600_000;
        let is_there = transfers.iter().any(|transfer| transfer.txid == *txid);
        if !is_there && !is_before {
            return Err(format!("{txid} in block {} was lost", block.id.height));
        }
    }
    Ok(())
}

/// Whether the payment is where the naive judge puts it; false when the chain alone cannot say.
fn compare(
    db: &Connection,
    case: &Case<'_>,
    branch: &Branch,
    shown: &Shown,
    transfers: &[Transfer],
) -> Result<bool, String> {
    let told = case.told.get(&shown.id).cloned().unwrap_or_default();
    if told.decided || told.is_final {
        return Ok(false);
    }
    // The time of the first block that held a transaction may have been another branch's.
    let mut judged = Vec::new();
    for earliest in [true, false] {
        let mut books = books(db, case, branch, shown, transfers, earliest);
        (books.ever_paid, books.expired, books.canceled) =
            (told.ever_paid, told.expired, told.canceled);
        let mut truth = books.judge();
        truth.state = truth.state.replace("canceled/operator", "canceled/gateway");
        judged.push(truth);
    }
    let found = Truth {
        state: shown.state.clone(),
        received: shown.received,
        counted: shown.counted,
        surplus: shown.surplus,
        is_final: shown.is_final,
    };
    if judged.contains(&found) {
        return Ok(true);
    }
    Err(format!(
        "{} is {found:?}, but the judge says {:?}",
        shown.id, judged[0]
    ))
}

fn books(
    db: &Connection,
    case: &Case<'_>,
    branch: &Branch,
    shown: &Shown,
    transfers: &[Transfer],
    earliest: bool,
) -> Books {
    let order = &case.orders[&shown.id];
    let mut txs = BTreeMap::new();
    for transfer in transfers {
        let place = case.world.place(transfer.txid, branch);
        let at = match place {
            Some((block, _)) => At::Block(block.id.height.0),
            None if case.world.view.has_unconfirmed(transfer.txid) => At::Mempool,
            None => match case.world.confirmed_conflict(transfer.txid, branch) {
                Some(height) => At::Conflicted(Some(height.0)),
                None => At::Evicted,
            },
        };
        let mined = &case.world.paying[&transfer.txid].mined;
        let times = mined.iter().map(|(block, _)| block.time.0);
        let first = if earliest {
            times.min()
        } else {
            place.map(|(block, _)| block.time.0)
        };
        let since = first.map_or(transfer.first_seen_at, |at| at.min(transfer.first_seen_at));
        let tx = Tx {
            sats: paid_by(case.world, transfer.txid, order),
            right_asset: true,
            at,
            index: place.map_or(0, |(_, index)| index),
            since,
            seen: transfer.first_seen_at,
            was_mined: transfer.state == "orphaned",
        };
        txs.insert(transfer.txid.to_string(), tx);
    }
    let finalized: Option<u32> = db
        .query_row("SELECT finalized_height FROM v1_chain", [], |row| {
            row.get(0)
        })
        .unwrap();
    Books {
        expected: order.sats,
        tolerated: shown.allowed,
        dust: DUST,
        sum_policy: shown.policy == "sum",
        depth: shown.required,
        deadline: shown.expires_at + shown.grace,
        late_accept: shown.late_accept,
        timeout: i64::try_from(case.confirm_timeout_ms).unwrap(),
        txs,
        tip: branch.height().0,
        finalized: finalized.unwrap_or(0),
        now: case.now.0,
        ever_paid: false,
        expired: false,
        canceled: false,
        accepted: Vec::new(),
        fixed: None,
        is_final: false,
        final_counted: Vec::new(),
    }
}

/// The node's head, for reports.
pub fn head_height(world: &World) -> u32 {
    let head = world.view.head(&world.chain);
    world
        .chain
        .tree()
        .get(head)
        .unwrap()
        .reference()
        .id
        .height
        .0
}
