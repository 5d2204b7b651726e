//! Which address belongs to which payment, from registration to the end of its watch window.

use super::{
    Store,
    error::{Fault, StoreError},
    rows::field::Fields,
};
use crate::{
    bugs::{Bug, planted},
    domain::{
        asset::ChainName,
        facts::Destination,
        payment::{Payment, PaymentId, PaymentKey},
        time::UnixMs,
    },
};
use rusqlite::{Row, params};

/// An address and the payment that it belongs to now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// On which chain.
    pub chain: ChainName,
    /// The address in the chain's bytes.
    pub destination: Destination,
    /// Whose it is.
    pub payment: PaymentKey,
}

/// Every watched address in ascending order of chain and bytes, from the index alone.
pub(super) const WATCHED: &str = "SELECT c.name, p.destination, p.key
   FROM payment AS p INDEXED BY payment_watched CROSS JOIN chain AS c ON c.key = p.chain_key
  WHERE p.watching = 1";

pub(super) const WATCH_ENDED: &str = "SELECT c.name, p.destination, p.key
   FROM payment AS p CROSS JOIN chain AS c ON c.key = p.chain_key
  WHERE p.chain_key = (SELECT key FROM chain WHERE name = ?1)
    AND p.watching = 1 AND p.status <> 'new' AND p.watch_until_at < ?2
  ORDER BY p.watch_until_at LIMIT ?3";

pub(super) const OWNER: &str = "SELECT key, payment_id FROM payment
  WHERE chain_key = (SELECT key FROM chain WHERE name = ?1) AND destination = ?2 AND watching = 1";

impl Watched {
    pub(super) fn by(payment: &Payment) -> Self {
        Self {
            chain: payment.chain.clone(),
            destination: payment.destination,
            payment: payment.key,
        }
    }
}

impl Store {
    /// Tells every watched address, in ascending order of chain and bytes, without holding them
    /// all. One that this does not tell belongs to nobody.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn watched(&self, mut tell: impl FnMut(Watched)) -> Result<(), StoreError> {
        self.each(WATCHED, [], |row| {
            tell(read_watched(row)?);
            Ok(())
        })
    }

    /// Gives up addresses of a chain whose watch window is over, at most `limit`, and says which.
    /// Until this is called an address stays its payment's: call it before registering.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn end_watches(
        &mut self,
        chain: &ChainName,
        now: UnixMs,
        limit: u32,
    ) -> Result<Vec<Watched>, StoreError> {
        let mut ended = Vec::new();
        self.each(WATCH_ENDED, params![chain.as_str(), now.0, limit], |row| {
            ended.push(read_watched(row)?);
            Ok(())
        })?;
        if ended.is_empty() || planted(Bug::WatchNeverEnds) {
            return Ok(Vec::new());
        }
        self.sound()?;
        match self.give_up(&ended) {
            Ok(()) => Ok(ended),
            Err(fault) => Err(self.note(fault.into())),
        }
    }

    fn give_up(&mut self, ended: &[Watched]) -> Result<(), Fault> {
        let tx = self.conn.transaction()?;
        for watched in ended {
            tx.prepare_cached("UPDATE payment SET watching = 0 WHERE key = ?")?
                .execute([watched.payment.0])?;
        }
        Ok(tx.commit()?)
    }

    /// The payment that an address belongs to now.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn address_owner(
        &self,
        chain: &ChainName,
        destination: &Destination,
    ) -> Result<Option<(PaymentKey, PaymentId)>, StoreError> {
        let mut owner = None;
        let params = params![chain.as_str(), destination.as_bytes()];
        self.each(OWNER, params, |row| {
            let mut fields = Fields::new(row);
            owner = Some((PaymentKey(fields.next()?), fields.parse(PaymentId::new)?));
            Ok(())
        })?;
        Ok(owner)
    }
}

fn read_watched(row: &Row<'_>) -> Result<Watched, Fault> {
    let mut fields = Fields::new(row);
    Ok(Watched {
        chain: fields.parse(|text| Some(ChainName::new(text)))?,
        destination: fields.destination()?,
        payment: PaymentKey(fields.next()?),
    })
}

#[cfg(test)]
mod tests;
