//! Writing what changed about a chain: blocks, cursor, and the scans of the past that depend on
//! them.

use crate::{
    crash,
    domain::{
        block::{BlockId, BlockRef, Height},
        step::{ChainStep, ScanStep},
        time::UnixMs,
    },
    store::{
        RECENT_BLOCKS,
        error::Fault,
        rows,
        scans::{MOVED, moved},
    },
};
use rusqlite::{Connection, OptionalExtension, params, params_from_iter, types::Value};

pub(super) fn write(conn: &Connection, step: &ChainStep, at: UnixMs) -> Result<(), Fault> {
    let name = step.view.name.as_str();
    let (chain, had_cursor) = find(conn, name)?;
    if let Some(fork) = step.disconnected_to {
        disconnect(conn, chain, fork)?;
    }
    for block in step.history.iter().chain(&step.connected) {
        connect(conn, chain, block)?;
    }
    if let Some(cursor) = &step.view.scanned {
        settle_cursor(conn, chain, cursor)?;
        if !had_cursor {
            let first = step.connected.first().unwrap_or(cursor);
            settle_goals(conn, chain, first.id.height)?;
        }
    }
    if let Some(scan) = step.scan {
        advance_scan(conn, chain, scan)?;
        crash::point("mid_backfill");
    }
    let mut values = rows::chain::update(&step.view, step.error.as_deref());
    values.extend([Value::Integer(at.0), Value::Integer(chain)]);
    conn.prepare_cached(&rows::chain::UPDATE)?
        .execute(params_from_iter(values))?;
    Ok(())
}

/// The chain's key, and whether it had a cursor before.
fn find(conn: &Connection, name: &str) -> Result<(i64, bool), Fault> {
    conn.prepare_cached("SELECT key, scanned_height IS NOT NULL FROM chain WHERE name = ?")?
        .query_row([name], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?
        .ok_or_else(|| Fault::Guard(format!("there is no chain {name}")))
}

fn connect(conn: &Connection, chain: i64, block: &BlockRef) -> Result<(), Fault> {
    conn.prepare_cached(
        "INSERT INTO recent_block (chain_key, height, hash, parent, at) VALUES (?, ?, ?, ?, ?)",
    )?
    .execute(params![
        chain,
        block.id.height.0,
        block.id.hash.0,
        block.parent.0,
        block.time.0
    ])?;
    Ok(())
}

/// The cursor is the highest block that is kept, or the first; then old blocks go.
fn settle_cursor(conn: &Connection, chain: i64, cursor: &BlockRef) -> Result<(), Fault> {
    match highest(conn, chain)? {
        None => connect(conn, chain, cursor)?,
        Some(highest) if highest == cursor.id => {}
        Some(_) => {
            return Err(Fault::Guard(
                "the cursor moved without the blocks between".to_owned(),
            ));
        }
    }
    conn.prepare_cached("DELETE FROM recent_block WHERE chain_key = ? AND height <= ?")?
        .execute(params![
            chain,
            i64::from(cursor.id.height.0).saturating_sub(RECENT_BLOCKS)
        ])?;
    Ok(())
}

fn highest(conn: &Connection, chain: i64) -> Result<Option<BlockId>, Fault> {
    let row = conn
        .prepare_cached(
            "SELECT height, hash, parent, at FROM recent_block
              WHERE chain_key = ? ORDER BY height DESC LIMIT 1",
        )?
        .query_row([chain], rows::block::read_recent)
        .optional()?;
    Ok(row.map(|block| block.id))
}

/// Forgets blocks above the fork, and makes scans that had these blocks ahead of them end at the
/// fork: the blocks that replace them are followed, not scanned.
fn disconnect(conn: &Connection, chain: i64, fork: Height) -> Result<(), Fault> {
    conn.prepare_cached("DELETE FROM recent_block WHERE chain_key = ? AND height > ?")?
        .execute(params![chain, fork.0])?;
    crash::point("mid_rollback");
    conn.prepare_cached(
        "UPDATE payment SET scan_goal = ?2, scanned_to = min(scanned_to, ?2)
          WHERE chain_key = ?1 AND scanning = 1 AND scan_goal > ?2",
    )?
    .execute(params![chain, fork.0])?;
    finish_empty_scans(conn, chain)
}

/// Payments that were registered before the chain had a cursor are followed from its first block
/// on, and scanned up to it.
fn settle_goals(conn: &Connection, chain: i64, first: Height) -> Result<(), Fault> {
    conn.prepare_cached(
        "UPDATE payment SET scan_goal = ?2
          WHERE chain_key = ?1 AND scanning = 1 AND scan_goal IS NULL",
    )?
    .execute(params![chain, first.0])?;
    finish_empty_scans(conn, chain)
}

/// A scan that would start above its end has nothing to look at.
fn finish_empty_scans(conn: &Connection, chain: i64) -> Result<(), Fault> {
    conn.prepare_cached(
        "UPDATE payment SET scanned_to = scan_goal
          WHERE chain_key = ? AND scanning = 1 AND scan_from_height > scan_goal",
    )?
    .execute([chain])?;
    Ok(())
}

/// A held payment is not advanced: what its past holds may have been refused. One that cannot be
/// scanned is not part of the scan.
fn advance_scan(conn: &Connection, chain: i64, scan: ScanStep) -> Result<(), Fault> {
    conn.prepare_cached(&format!(
        "UPDATE payment SET scanned_to = min(max(coalesce(scanned_to, 0), ?2), scan_goal)
          WHERE chain_key = ?1 AND {MOVED}"
    ))?
    .execute(moved(chain, scan))?;
    Ok(())
}

/// The last blocks of a chain, ascending.
pub(in crate::store) fn recent(conn: &Connection, name: &str) -> Result<Vec<BlockRef>, Fault> {
    let mut statement = conn.prepare_cached(
        "SELECT height, hash, parent, at FROM recent_block
          WHERE chain_key = (SELECT key FROM chain WHERE name = ?) ORDER BY height",
    )?;
    let blocks = statement.query_map([name], rows::block::read_recent)?;
    Ok(blocks.collect::<Result<_, _>>()?)
}
