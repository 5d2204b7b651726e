//! What the judge reads of the views, as a gateway reads them.

use super::checks::txid;
use confirmd::domain::block::TxId;
use rusqlite::{Connection, Row};

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
    pub expires_at: i64,
    pub grace: i64,
    pub late_accept: i64,
    pub created_at: i64,
    pub watch_until: Option<i64>,
}

impl Shown {
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
            expires_at: row.get("expires_at")?,
            grace: row.get("grace_ms")?,
            late_accept: row.get("late_accept_ms")?,
            watch_until: row.get("watch_until_at")?,
            created_at: row.get("created_at")?,
        })
    }
}

/// A row of `v1_transfer`.
pub struct Transfer {
    pub txid: TxId,
    pub position: String,
    pub asset: String,
    pub amount: u64,
    pub state: String,
    pub first_seen_at: i64,
    pub block_hash: Option<String>,
    pub disposition: String,
}

/// Every transfer of a payment but the sum of further dust.
pub fn transfers(db: &Connection, id: &str) -> Vec<Transfer> {
    let mut statement = db
        .prepare_cached(
            "SELECT txid, position, asset, amount, state, first_seen_at, block_hash,
                    disposition
               FROM v1_transfer WHERE payment_id = ? AND position <> 'dust'",
        )
        .unwrap();
    let rows = statement.query_map([id], |row| {
        let (id, amount): (String, String) = (row.get(0)?, row.get(3)?);
        Ok(Transfer {
            txid: txid(&id),
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
