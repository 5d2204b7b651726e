//! How far the past of a chain's payments is scanned, for people: only what is committed.

use crate::{
    domain::{asset::ChainName, block::Height, payment::ScanFrom, time::UnixMs},
    store::{error::Fault, rows::field::Fields},
};
use rusqlite::{Connection, Row};

/// The scans of past blocks that a chain's payments still need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastScans {
    /// The chain.
    pub chain: ChainName,
    /// How many payments wait for their past to be scanned.
    pub payments: u32,
    /// Where the first of them starts: a block, or a time that is older than the blocks that are
    /// kept.
    pub from: Option<ScanFrom>,
    /// The next block to scan, if its height is known.
    pub next: Option<Height>,
    /// The last block to scan; `None` while the chain has no cursor.
    pub goal: Option<Height>,
    /// How many payments were refused their scan: blocks of their past cannot be had. They do not
    /// count as waiting, though each is tried again once in a while.
    pub refused: u32,
    /// How many payments are on hold until a person has looked, and their past with them.
    pub held: u32,
}

/// What the unfinished scans of a chain have in common. Starts by height and by time apart.
pub(in crate::store) const PAST: &str = "
    SELECT count(*) FILTER (WHERE held = 0 AND scan_refused = 0),
           count(*) FILTER (WHERE held = 0 AND scan_refused = 1),
           count(*) FILTER (WHERE held = 1),
           min(scan_from_height) FILTER (WHERE held = 0 AND scan_refused = 0),
           min(scan_from_at) FILTER (WHERE held = 0 AND scan_refused = 0),
           min(coalesce(scanned_to + 1, scan_from_height))
             FILTER (WHERE held = 0 AND scan_refused = 0),
           min(scan_from_at)
             FILTER (WHERE held = 0 AND scan_refused = 0 AND scanned_to IS NULL),
           max(scan_goal) FILTER (WHERE held = 0 AND scan_refused = 0)
      FROM payment WHERE chain_key = ? AND scanning = 1";

/// The block at which whoever walks down to a time may stop, if it is kept.
const REACHED: &str = "
    SELECT max(height) FROM recent_block WHERE chain_key = ? AND (at <= ? OR height = 0)";

/// The scans of every chain, by name.
pub(in crate::store) fn all(conn: &Connection) -> Result<Vec<PastScans>, Fault> {
    let mut chains = conn.prepare_cached("SELECT key, name FROM chain ORDER BY name")?;
    let mut found = chains.query([])?;
    let mut all = Vec::new();
    while let Some(row) = found.next()? {
        let mut fields = Fields::new(row);
        let key: i64 = fields.next()?;
        let chain = fields.parse(|text| Some(ChainName::new(text)))?;
        all.push(of_chain(conn, key, chain)?);
    }
    Ok(all)
}

fn of_chain(conn: &Connection, key: i64, chain: ChainName) -> Result<PastScans, Fault> {
    let mut statement = conn.prepare_cached(PAST)?;
    let mut found = statement.query([key])?;
    let row = found.next()?;
    let row = row.ok_or_else(|| Fault::Decode("a count without a row".to_owned()))?;
    read(conn, key, chain, row)
}

fn read(conn: &Connection, key: i64, chain: ChainName, row: &Row<'_>) -> Result<PastScans, Fault> {
    let mut fields = Fields::new(row);
    let (payments, refused, held) = (fields.next()?, fields.next()?, fields.next()?);
    let (first, first_at) = (fields.height_opt()?, fields.at_opt()?);
    let (next, next_at) = (fields.height_opt()?, fields.at_opt()?);
    let goal = fields.height_opt()?;
    let by_time = |at: Option<UnixMs>| at.map(|at| reached(conn, key, at)).transpose();
    let from = match (first, first_at.zip(by_time(first_at)?)) {
        (first, None) => first.map(ScanFrom::Height),
        (_, Some((at, None))) => Some(ScanFrom::Time(at)),
        (first, Some((_, Some(reached)))) => Some(ScanFrom::Height(lower(first, reached))),
    };
    let next = match (next, by_time(next_at)?) {
        (next, None) => next,
        (_, Some(None)) => None,
        (next, Some(Some(reached))) => Some(lower(next, reached)),
    };
    Ok(PastScans {
        chain,
        payments,
        from,
        next,
        goal,
        refused,
        held,
    })
}

fn reached(conn: &Connection, key: i64, at: UnixMs) -> Result<Option<Height>, Fault> {
    let mut statement = conn.prepare_cached(REACHED)?;
    let height = |row: &Row<'_>| Ok(Fields::new(row).height_opt());
    statement.query_row((key, at.0), height)?
}

fn lower(height: Option<Height>, other: Height) -> Height {
    height.map_or(other, |height| height.min(other))
}
