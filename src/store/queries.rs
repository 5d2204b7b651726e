//! What the watcher asks: lists of keys and small facts, every one through an index.

mod inner;

use super::{
    Store,
    commit::{last_seq, recent},
    connection::{self, Checkpoint},
    error::{Fault, StoreError},
    rows::{self, chain::StoredChain},
};
use crate::domain::{
    asset::{AssetCode, ChainKind, ChainName},
    block::{Height, TxId},
    facts::{Destination, OutPoint},
    payment::{Payment, PaymentKey},
    status::Status,
    step::InboxPosition,
    terms::MAX_CONFIRMATIONS,
    time::UnixMs,
    transfer::{Position, Transfer},
};
use rusqlite::{OptionalExtension, Params, Row, params};
use std::collections::{BTreeSet, HashMap};

/// A transfer that is in no block and whose transaction may still be conflicted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loose {
    /// Its transaction.
    pub txid: TxId,
    /// Whose it is.
    pub payment: PaymentKey,
    /// What the transaction spends.
    pub inputs: Vec<OutPoint>,
    /// Whether it is in the mempool; otherwise it was evicted, replaced or orphaned.
    pub in_mempool: bool,
}

/// How far a chain has come.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reached {
    /// The cursor, as far as verdicts may rest on it.
    pub scanned: Option<Height>,
    /// What is called safe, or can no longer change.
    pub safe: Option<Height>,
    /// What can no longer change.
    pub finalized: Option<Height>,
    /// Up to where it is known what contracts moved.
    pub traced: Option<Height>,
}

/// How many payments have an asset and a status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// In what.
    pub asset: AssetCode,
    /// What they are.
    pub status: Status,
    /// How many.
    pub payments: u64,
}

const DUE_HEIGHT: &str = "SELECT key FROM payment
  WHERE chain_key = (SELECT key FROM chain WHERE name = ?1) AND scanning = 0 AND due_height <= ?2
  ORDER BY due_height LIMIT ?3";

const DUE_SAFE: &str = "SELECT key FROM payment
  WHERE chain_key = (SELECT key FROM chain WHERE name = ?1) AND scanning = 0
    AND due_safe_height <= ?2
  ORDER BY due_safe_height LIMIT ?3";

const DUE_FINAL: &str = "SELECT key FROM payment
  WHERE chain_key = (SELECT key FROM chain WHERE name = ?1) AND scanning = 0
    AND due_final_height <= ?2
  ORDER BY due_final_height LIMIT ?3";

const DUE_TRACED: &str = "SELECT key FROM payment
  WHERE chain_key = (SELECT key FROM chain WHERE name = ?1) AND scanning = 0
    AND due_traced_height <= ?2
  ORDER BY due_traced_height LIMIT ?3";

const DUE_AT: &str = "SELECT key FROM payment
  WHERE chain_key = (SELECT key FROM chain WHERE name = ?1) AND scanning = 0 AND due_at <= ?2
  ORDER BY due_at LIMIT ?3";

/// What was written under a wall clock that was ahead looks as if it came from the future.
const WAKE: &str = "UPDATE payment SET due_at = ?2
  WHERE chain_key = (SELECT key FROM chain WHERE name = ?1) AND scanning = 0
    AND due_at > ?2 AND updated_at > ?2";

const LAST_WRITTEN: &str = "SELECT max(at) FROM (
    SELECT max(updated_at) AS at FROM chain UNION ALL
    SELECT occurred_at FROM (SELECT occurred_at FROM event ORDER BY seq DESC LIMIT 1))";

const ANCHORED_ABOVE: &str = "SELECT payment_key FROM transfer
  WHERE chain_key = (SELECT key FROM chain WHERE name = ?1) AND block_height > ?2";

/// Coinbase money needs 100 confirmations, whatever the payment asks for.
const NOT_DEEP_ANY_MORE: &str = "SELECT t.payment_key
   FROM transfer AS t JOIN payment AS p ON p.key = t.payment_key
  WHERE t.chain_key = (SELECT key FROM chain WHERE name = ?1)
    AND t.block_height > ?2 - ?3 AND t.block_height <= ?2
    AND t.block_height + max(p.confirmations_required, 100 * t.coinbase) - 1 > ?2";

const CONFLICTED_ABOVE: &str = "SELECT payment_key FROM transfer
  WHERE chain_key = (SELECT key FROM chain WHERE name = ?1) AND conflict_height > ?2";

const LOOSE: &str = "SELECT t.txid, t.payment_key, t.inputs, t.state = 'mempool'
   FROM transfer AS t JOIN payment AS p ON p.key = t.payment_key
  WHERE t.chain_key = (SELECT key FROM chain WHERE name = ?1)
    AND t.block_height IS NULL AND t.conflict_height IS NULL
    AND (p.watching = 1 OR t.state = 'mempool') AND t.txid IS NOT NULL";

const COUNTS: &str = "SELECT asset, status, count(*) FROM payment GROUP BY status, asset";

/// The comparison with `dust` is what lets the index of credits be used.
const HOLDER: &str = "SELECT t.payment_key
   FROM transfer AS t JOIN payment AS p ON p.key = t.payment_key
  WHERE t.chain_key = (SELECT key FROM chain WHERE name = ?1) AND t.txid = ?2 AND t.position = ?3
    AND t.position <> 'dust' AND p.destination = ?4";

/// The same of a move of a contract, wherever in its transaction it is said to stand: how the calls between
/// are counted differs from client to client, and whoever holds one of them holds all to that address.
const HOLDER_OF_MOVES: &str = "SELECT t.payment_key
   FROM transfer AS t JOIN payment AS p ON p.key = t.payment_key
  WHERE t.chain_key = (SELECT key FROM chain WHERE name = ?1) AND t.txid = ?2
    AND t.position >= 'trace:' AND t.position < 'trace;'
    AND t.position <> 'dust' AND p.destination = ?3";

/// The same of a credit that is small beside others of its transaction: they may be one row.
const HOLDER_OF_SUM: &str = "SELECT t.payment_key
   FROM transfer AS t JOIN payment AS p ON p.key = t.payment_key
  WHERE t.chain_key = (SELECT key FROM chain WHERE name = ?1) AND t.txid = ?2
    AND t.position >= 'sum:' AND t.position < 'sum;'
    AND t.position <> 'dust' AND p.destination = ?3";

/// In which block something is claimed, and whose it is.
pub type Claim = (Height, PaymentKey);

/// A credit to an address: transaction, position, and the exact bytes that were credited.
pub type Credited = (TxId, Position, Destination);

impl Store {
    /// Payments of a chain whose judgement may change by itself by now, ascending: the cursor,
    /// safety, finality, traces or the clock reached what they wait for, and their past is scanned. At most
    /// `limit` for each of the five, those that wait for the least first.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn due(
        &self,
        chain: &ChainName,
        reached: Reached,
        now: UnixMs,
        limit: u32,
    ) -> Result<Vec<PaymentKey>, StoreError> {
        let chain = chain.as_str();
        let mut keys = BTreeSet::new();
        for (sql, reached) in [
            (DUE_HEIGHT, reached.scanned),
            (DUE_SAFE, reached.safe),
            (DUE_FINAL, reached.finalized),
            (DUE_TRACED, reached.traced),
        ] {
            if let Some(height) = reached {
                keys.extend(self.keys(sql, params![chain, height.0, limit])?);
            }
        }
        keys.extend(self.keys(DUE_AT, params![chain, now.0, limit])?);
        Ok(keys.into_iter().collect())
    }

    /// Makes payments of a chain due that were last changed later than now, by a wall clock that
    /// was ahead: what they wait for was told by that clock. Looks at every payment that waits for
    /// a later time, so it is for the moment at which the clock is trusted again.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn wake_from_future(&mut self, chain: &ChainName, now: UnixMs) -> Result<(), StoreError> {
        self.sound()?;
        let woken = self.conn.execute(WAKE, params![chain.as_str(), now.0]);
        let noted = woken.map_err(|error| self.note(Fault::from(error).into()));
        noted.map(drop)
    }

    /// The latest time at which anything was written, by the clock of then.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn last_written(&self) -> Result<Option<UnixMs>, StoreError> {
        let mut last = None;
        self.each(LAST_WRITTEN, [], |row| {
            last = row.get::<_, Option<i64>>(0)?.map(UnixMs);
            Ok(())
        })?;
        Ok(last)
    }

    /// Payments with money, or with a conflict that confirmed, in a block above this height;
    /// ascending. Without a limit: a disconnect concerns all of them at once.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn anchored_above(
        &self,
        chain: &ChainName,
        height: Height,
    ) -> Result<Vec<PaymentKey>, StoreError> {
        let mut keys = self.keys(ANCHORED_ABOVE, params![chain.as_str(), height.0])?;
        keys.extend(self.keys(CONFLICTED_ABOVE, params![chain.as_str(), height.0])?);
        Ok(keys.into_iter().collect())
    }

    /// Payments with money in a block that a cursor at this height leaves below the depth that
    /// they require: a cursor that fell takes confirmations away from blocks that stayed.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn not_deep_any_more(
        &self,
        chain: &ChainName,
        cursor: Height,
    ) -> Result<Vec<PaymentKey>, StoreError> {
        let values = params![chain.as_str(), cursor.0, MAX_CONFIRMATIONS];
        let keys = self.keys(NOT_DEEP_ANY_MORE, values)?;
        Ok(keys.into_iter().collect())
    }

    /// Transfers that are in no block and that no block conflicts: those in the mempool, and of
    /// watched addresses those that were evicted, replaced or orphaned. The latter may come back,
    /// and a block that spends their inputs makes their payment `double_spent`, so their inputs
    /// are looked out for as long as the address is watched; nothing stays in the mempool for
    /// ever because its address is another's.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn loose(&self, chain: &ChainName) -> Result<Vec<Loose>, StoreError> {
        let mut loose = Vec::new();
        self.each(LOOSE, [chain.as_str()], |row| {
            let mut fields = rows::field::Fields::new(row);
            loose.push(Loose {
                txid: fields.parse(TxId::from_hex)?,
                payment: PaymentKey(fields.next()?),
                inputs: rows::transfer::read_inputs(fields.next()?)?,
                in_mempool: fields.next()?,
            });
            Ok(())
        })?;
        Ok(loose)
    }

    /// Which payment holds each of these credits already, in the order asked; `None` for one that
    /// is new. A credit stays with its payment even when the address belongs to a later one.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn holder_of(
        &self,
        chain: &ChainName,
        kind: ChainKind,
        credits: &[Credited],
    ) -> Result<Vec<Option<PaymentKey>>, StoreError> {
        // A transaction may have any number of moves to an address, and they are one payment's.
        let mut of_moves: HashMap<(TxId, Destination), Option<PaymentKey>> = HashMap::new();
        let find = |credit: &Credited| {
            let (txid, position, destination) = credit;
            let is_move = matches!(position, Position::Trace(_));
            let moves = Some((*txid, *destination)).filter(|_| is_move);
            if let Some(known) = moves.and_then(|moves| of_moves.get(&moves)) {
                return Ok(*known);
            }
            let holder = credit_holder(&self.conn, chain, kind, credit)?;
            of_moves.extend(moves.map(|moves| (moves, holder)));
            Ok(holder)
        };
        Ok(credits.iter().map(find).collect::<Result<_, Fault>>()?)
    }

    /// A chain as it was last committed, with its last blocks; `None` for an unknown one.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn chain(&self, name: &ChainName) -> Result<Option<StoredChain>, StoreError> {
        Ok(chain(&self.conn, name)?)
    }

    /// The number that the next payment gets; further ones of the same step count on from it.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn next_payment_key(&self) -> Result<PaymentKey, StoreError> {
        let sql = "SELECT coalesce(max(key), 0) + 1 FROM payment";
        Ok(PaymentKey(self.conn.query_row(sql, [], |row| row.get(0))?))
    }

    /// The highest number of the journal; 0 for an empty one.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn last_seq(&self) -> Result<i64, StoreError> {
        Ok(last_seq(&self.conn)?)
    }

    /// How far the inbox is read; `None` before its first row.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn inbox_position(&self) -> Result<Option<InboxPosition>, StoreError> {
        let row = self
            .conn
            .prepare_cached("SELECT inbox_id, seq FROM inbox_position")?
            .query_row([], |row| {
                Ok(InboxPosition {
                    inbox_id: row.get(0)?,
                    seq: row.get(1)?,
                })
            })
            .optional()?;
        Ok(row)
    }

    /// Which of these requests have their outcome already, in the order asked.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn known_requests(&self, request_ids: &[String]) -> Result<Vec<String>, StoreError> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT 1 FROM request WHERE request_id = ?")?;
        let mut known = Vec::new();
        for id in request_ids {
            if statement.exists([id])? {
                known.push(id.clone());
            }
        }
        Ok(known)
    }

    /// How many payments there are of each asset and status; walks an index of all payments.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn counts(&self) -> Result<Vec<Count>, StoreError> {
        let mut counts = Vec::new();
        self.each(COUNTS, [], |row| {
            let mut fields = rows::field::Fields::new(row);
            counts.push(Count {
                asset: fields.parse(|text| Some(AssetCode::new(text)))?,
                status: fields.parse(Status::parse)?,
                payments: fields.count()?,
            });
            Ok(())
        })?;
        Ok(counts)
    }

    /// The size of the WAL file in bytes; 0 when there is none.
    #[must_use]
    pub fn wal_bytes(&self) -> u64 {
        let wal = super::files::beside(&self.path, "-wal");
        std::fs::metadata(wal).map_or(0, |found| found.len())
    }

    /// Writes the WAL back into the main file and empties it, without waiting for readers.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn checkpoint(&self) -> Result<Checkpoint, StoreError> {
        crate::crash::point("checkpoint");
        Ok(connection::checkpoint(&self.conn)?)
    }

    pub(super) fn keys(
        &self,
        sql: &str,
        params: impl Params,
    ) -> Result<BTreeSet<PaymentKey>, StoreError> {
        let mut statement = self.conn.prepare_cached(sql)?;
        let keys = statement.query_map(params, |row| Ok(PaymentKey(row.get(0)?)))?;
        Ok(keys.collect::<Result<_, _>>()?)
    }

    pub(super) fn each(
        &self,
        sql: &str,
        params: impl Params,
        mut take: impl FnMut(&Row<'_>) -> Result<(), Fault>,
    ) -> Result<(), StoreError> {
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        while let Some(row) = rows.next()? {
            take(row)?;
        }
        Ok(())
    }
}

/// The payment that holds a transfer like this one.
pub(super) fn holder(
    conn: &rusqlite::Connection,
    payment: &Payment,
    transfer: &Transfer,
) -> Result<Option<PaymentKey>, Fault> {
    let position = transfer.position.clone();
    let credit = (transfer.txid, position, payment.destination);
    credit_holder(conn, &payment.chain, payment.kind, &credit)
}

fn credit_holder(
    conn: &rusqlite::Connection,
    chain: &ChainName,
    kind: ChainKind,
    (txid, position, destination): &Credited,
) -> Result<Option<PaymentKey>, Fault> {
    let (chain, txid) = (chain.as_str(), rows::block::hash(kind, txid));
    let key = |row: &Row<'_>| row.get(0);
    let destination = destination.as_bytes();
    let key = if matches!(position, Position::Trace(_)) {
        let mut statement = conn.prepare_cached(HOLDER_OF_MOVES)?;
        statement.query_row(params![chain, txid, destination], key)
    } else {
        let mut statement = conn.prepare_cached(HOLDER)?;
        let position = position.to_string();
        statement.query_row(params![chain, txid, position, destination], key)
    };
    let mut key = key.optional()?;
    if key.is_none() && position.may_be_summed_up() {
        let mut statement = conn.prepare_cached(HOLDER_OF_SUM)?;
        let values = params![chain, txid, destination];
        key = statement.query_row(values, |row| row.get(0)).optional()?;
    }
    Ok(key.map(PaymentKey))
}

pub(super) fn chain(
    conn: &rusqlite::Connection,
    name: &ChainName,
) -> Result<Option<StoredChain>, Fault> {
    let mut statement = conn.prepare_cached(&rows::chain::SELECT)?;
    let mut rows = statement.query([name.as_str()])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let mut chain = rows::chain::read(row)?;
    chain.recent = recent(conn, name.as_str())?;
    Ok(Some(chain))
}

#[cfg(test)]
mod tests;
