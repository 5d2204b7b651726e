//! Numbering and writing journal entries.
//!
//! Numbers are dense and ids are no random numbers: the same step committed again after a crash
//! gives the same rows.

use crate::{
    bugs::{Bug, planted},
    domain::{
        event::Entry,
        payment::{Payment, PaymentKey},
        status::{Reason, Status},
        time::UnixMs,
    },
    store::{error::Fault, rows::field::integer},
};
use alloy_primitives::keccak256;
use rusqlite::{Connection, OptionalExtension, params, types::Value};

pub(super) struct Journal<'a> {
    conn: &'a Connection,
    database_id: &'a str,
    recorded_at: UnixMs,
    before: i64,
    last: i64,
}

impl<'a> Journal<'a> {
    pub(super) fn open(
        conn: &'a Connection,
        database_id: &'a str,
        recorded_at: UnixMs,
    ) -> Result<Self, Fault> {
        let last = last_seq(conn)?;
        Ok(Self {
            conn,
            database_id,
            recorded_at,
            before: last,
            last,
        })
    }

    pub(super) const fn recorded_at(&self) -> UnixMs {
        self.recorded_at
    }

    /// The last number given; [`Self::rewind`] goes back to it.
    pub(super) const fn mark(&self) -> i64 {
        self.last
    }

    /// Gives the numbers after `mark` again, because their entries were rolled back.
    pub(super) fn rewind(&mut self, mark: i64) {
        if !planted(Bug::JournalNotRewound) {
            self.last = mark;
        }
    }

    /// Writes the next entry, which is about no payment.
    pub(super) fn add(&mut self, entry: &Entry) -> Result<(), Fault> {
        match entry.payment {
            None => self.insert(None, entry).map(|_| ()),
            Some(_) => Err(Fault::Guard(
                "an entry of a payment stands beside it".to_owned(),
            )),
        }
    }

    /// Writes the next entry, which is about this payment, and says its number.
    pub(super) fn add_of(&mut self, payment: &Payment, entry: &Entry) -> Result<i64, Fault> {
        match &entry.payment {
            Some((id, version)) if *id == payment.id => {
                self.insert(Some((payment.key, *version)), entry)
            }
            Some(_) | None => Err(Fault::Guard("an entry tells of another payment".to_owned())),
        }
    }

    fn insert(&mut self, payment: Option<(PaymentKey, u64)>, entry: &Entry) -> Result<i64, Fault> {
        let seq = self
            .last
            .checked_add(1)
            .ok_or_else(|| Fault::Guard("the journal is full".to_owned()))?;
        let version = payment.map_or(Ok(Value::Null), |(_, version)| integer(version))?;
        self.conn
            .prepare_cached(
                "INSERT INTO event (seq, event_id, payment_key, version, kind, from_status,
                                    to_status, reason, data, occurred_at, recorded_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?
            .execute(params![
                seq,
                event_id(self.recorded_at, self.database_id, seq),
                payment.map(|(key, _)| key.0),
                version,
                entry.kind.as_str(),
                entry.from.map(Status::as_str),
                entry.to.map(Status::as_str),
                entry.reason.map(Reason::as_str),
                entry.data,
                entry.occurred_at.0,
                self.recorded_at.0,
            ])?;
        self.last = seq;
        Ok(seq)
    }

    /// The first number given, if any, and the last of the whole journal.
    pub(super) fn close(self) -> (Option<i64>, i64) {
        let first = (self.last > self.before).then(|| self.before.saturating_add(1));
        (first, self.last)
    }
}

/// The highest number of the journal; 0 for an empty one.
pub(in crate::store) fn last_seq(conn: &Connection) -> Result<i64, Fault> {
    let last = conn
        .prepare_cached("SELECT seq FROM event ORDER BY seq DESC LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(last.unwrap_or(0))
}

/// A version 7 UUID (RFC 9562) of the time and of a hash instead of random bits.
fn event_id(recorded_at: UnixMs, database_id: &str, seq: i64) -> String {
    let hash = keccak256([database_id.as_bytes(), &seq.to_be_bytes()].concat());
    let mut bits = [0_u8; 10];
    for (bit, from) in bits.iter_mut().zip(hash) {
        *bit = from;
    }
    let millis = u64::try_from(recorded_at.0).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &bits)
        .into_uuid()
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_id_is_a_version_7_uuid_of_time_database_and_number() {
        let id = event_id(UnixMs(1_700_000_000_000), "a", 1);
        assert_eq!(&id[..15], "018bcfe5-6800-7");
        assert_eq!(id, event_id(UnixMs(1_700_000_000_000), "a", 1));
        for (at, database, seq) in [(1, "a", 1), (0, "b", 1), (0, "a", 2)] {
            let other = event_id(UnixMs(1_700_000_000_000 + at), database, seq);
            assert_ne!(id, other, "{at} {database} {seq}");
        }
        assert_eq!(&event_id(UnixMs(-1), "a", 1)[..13], "00000000-0000");
    }
}
