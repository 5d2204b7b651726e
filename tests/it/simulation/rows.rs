//! What the judge reads of the views, as a gateway reads them; reports also read the table behind one.

use super::{clock, world::Which};
use confirmd::domain::{
    block::{BlockHash, TxId},
    time::UnixMs,
};
use rusqlite::{Connection, Row, types::Value as Cell};

/// The base units of a decimal text with the asset's full scale.
pub fn units(text: &str) -> u64 {
    text.replace('.', "").parse().unwrap()
}

/// A row of `v1_payment`, as far as the judge looks at it.
pub struct Shown {
    pub id: String,
    pub state: String,
    pub received: u64,
    pub counted: u64,
    pub surplus: u64,
    pub is_final: bool,
    pub needs_review: bool,
    pub allowed: u64,
    pub policy: String,
    pub required: u32,
    pub rule: String,
    pub expires_at: i64,
    pub grace: i64,
    pub late_accept: i64,
    pub created_at: i64,
    pub watch_until: Option<i64>,
    pub flags: String,
}

impl Shown {
    /// Whether it is flagged so that what is known of it is not as certain as usual.
    pub fn is_degraded(&self) -> bool {
        self.flags.split(',').any(|flag| flag == "degraded")
    }

    pub fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let money = |column: &str| -> rusqlite::Result<u64> {
            let text: String = row.get(column)?;
            Ok(units(&text))
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
            needs_review: row.get("needs_review")?,
            allowed: money("allowed_shortfall")?,
            policy: row.get("policy")?,
            required: row.get("confirmations_required")?,
            rule: row.get("depth_rule")?,
            expires_at: row.get("expires_at")?,
            grace: row.get("grace_ms")?,
            late_accept: row.get("late_accept_ms")?,
            watch_until: row.get("watch_until_at")?,
            created_at: row.get("created_at")?,
            flags: row.get("flags")?,
        })
    }
}

/// A row of `v1_transfer`.
#[derive(Clone)]
pub struct Transfer {
    /// Of what only a balance tells it stands for none.
    pub txid: TxId,
    pub position: String,
    pub asset: String,
    pub amount: u64,
    pub state: String,
    pub first_seen_at: i64,
    pub block_hash: Option<String>,
    pub disposition: String,
}

impl Transfer {
    /// Whether only a balance tells of it.
    pub fn is_growth(&self) -> bool {
        self.position.starts_with("balance:")
    }
}

/// Every transfer of a payment but the sum of further dust, and what one operator alone says: that is no money,
/// whether it is true or not.
pub fn transfers(db: &Connection, id: &str) -> Vec<Transfer> {
    let mut statement = db
        .prepare_cached(
            "SELECT txid, position, asset, amount, state, first_seen_at, block_hash,
                    disposition
               FROM v1_transfer
              WHERE payment_id = ? AND position <> 'dust'
                AND NOT (evidence IN ('claimed', 'doubted') AND disposition = 'dust')",
        )
        .unwrap();
    let rows = statement.query_map([id], |row| {
        let (id, amount): (Option<String>, String) = (row.get(0)?, row.get(3)?);
        Ok(Transfer {
            txid: id.map_or(TxId([0; 32]), |id| txid(&id)),
            position: row.get(1)?,
            asset: row.get(2)?,
            amount: units(&amount),
            state: row.get(4)?,
            first_seen_at: row.get(5)?,
            block_hash: row.get(6)?,
            disposition: row.get(7)?,
        })
    });
    rows.unwrap().map(Result::unwrap).collect()
}

/// All rows about a payment, for a report.
pub fn everything_about(db: &Connection, id: &str) -> String {
    let queries = [
        "SELECT * FROM v1_payment WHERE payment_id = ?",
        "SELECT * FROM v1_transfer WHERE payment_id = ?",
        "SELECT seq, version, kind, from_status, to_status, reason, occurred_at, recorded_at,
                json_extract(data, '$.flags') AS flags, json_extract(data, '$.txid') AS txid,
                json_extract(data, '$.state') AS state, json_extract(data, '$.command.kind') AS request
           FROM v1_event WHERE payment_id = ? ORDER BY seq",
        "SELECT * FROM v1_request WHERE payment_id = ?",
        "SELECT scan_from_height, scan_from_at, scanned_to, scan_goal, history, due_height,
                due_safe_height, due_final_height, due_traced_height, due_at, held FROM payment WHERE payment_id = ?",
    ];
    queries.map(|sql| table(db, sql, id)).join("\n")
}

/// How the chains stand, for a report.
pub fn chains(db: &Connection) -> String {
    let queries = [
        "SELECT * FROM v1_chain WHERE chain <> ?",
        "SELECT name, traced_height, traced_at, untraced_at FROM chain WHERE name <> ?",
    ];
    queries.map(|sql| table(db, sql, "")).join("\n")
}

fn table(db: &Connection, sql: &str, id: &str) -> String {
    let mut statement = db.prepare(sql).unwrap();
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let rows = statement.query_map([id], |row| {
        let cell = |(n, name): (usize, &String)| {
            let shown = match row.get::<_, Cell>(n).unwrap() {
                Cell::Null => return None,
                Cell::Integer(at) if name.ends_with("_at") => clock::shown(UnixMs(at)),
                Cell::Integer(n) => n.to_string(),
                Cell::Text(text) => text,
                other @ (Cell::Real(_) | Cell::Blob(_)) => {
                    format!("{other:?}")
                }
            };
            Some(format!("{name}={shown}"))
        };
        let cells: Vec<String> = names.iter().enumerate().filter_map(cell).collect();
        Ok(cells.join(" "))
    });
    let rows: Vec<String> = rows.unwrap().map(Result::unwrap).collect();
    rows.join("\n")
}

/// The block up to which a chain is scanned.
pub fn cursor(db: &Connection, which: Which) -> Option<BlockHash> {
    let sql = "SELECT scanned_hash FROM v1_chain WHERE chain = ?";
    let hash: Option<String> = db.query_row(sql, [which.name()], |row| row.get(0)).unwrap();
    BlockHash::from_hex(&hash?)
}

/// How far a chain is scanned.
pub fn height(db: &Connection, which: Which) -> u32 {
    let sql = "SELECT coalesce(scanned_height, 0) FROM v1_chain WHERE chain = ?";
    db.query_row(sql, [which.name()], |row| row.get(0)).unwrap()
}

/// The highest block of a chain that is final.
pub fn finalized(db: &Connection, which: Which) -> Option<u32> {
    let sql = "SELECT finalized_height FROM v1_chain WHERE chain = ?";
    db.query_row(sql, [which.name()], |row| row.get(0)).unwrap()
}

/// The highest block of a chain that nodes called safe.
pub fn safe(db: &Connection, which: Which) -> Option<u32> {
    let sql = "SELECT safe_height FROM v1_chain WHERE chain = ?";
    db.query_row(sql, [which.name()], |row| row.get(0)).unwrap()
}

/// The time of the last block of which it is not known for certain what contracts moved in it.
pub fn untraced_at(db: &Connection, which: Which) -> Option<i64> {
    let sql = "SELECT untraced_at FROM chain WHERE name = ?";
    db.query_row(sql, [which.name()], |row| row.get(0)).unwrap()
}

/// Up to which block a payment's past was scanned for it.
pub fn scan_goal(db: &Connection, id: &str) -> u32 {
    let sql = "SELECT coalesce(scan_goal, 0) FROM payment WHERE payment_id = ?";
    db.query_row(sql, [id], |row| row.get(0)).unwrap()
}

/// Whether a chain is frozen.
pub fn is_frozen(db: &Connection, which: Which) -> bool {
    let sql = "SELECT frozen IS NOT NULL FROM v1_chain WHERE chain = ?";
    db.query_row(sql, [which.name()], |row| row.get(0)).unwrap()
}

/// The id that a column shows.
pub fn txid(text: &str) -> TxId {
    TxId::from_hex(text).unwrap()
}
