//! Single columns: texts that must parse, read one after the other.

use crate::{
    domain::{
        amount::Amount,
        block::{BlockHash, Height, TxId},
        facts::Destination,
        time::UnixMs,
    },
    store::error::Fault,
};
use rusqlite::{
    Row,
    types::{FromSql, Value},
};

/// The columns of a row in the order in which the statement names them.
pub(in crate::store) struct Fields<'r, 's> {
    row: &'r Row<'s>,
    next: usize,
}

impl<'r, 's> Fields<'r, 's> {
    pub(in crate::store) const fn new(row: &'r Row<'s>) -> Self {
        Self { row, next: 0 }
    }

    pub(in crate::store) fn next<T: FromSql>(&mut self) -> Result<T, Fault> {
        let index = self.next;
        self.next = index.saturating_add(1);
        Ok(self.row.get(index)?)
    }

    /// The next column through `parse`.
    pub(in crate::store) fn parse<T>(
        &mut self,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, Fault> {
        let index = self.next;
        self.next = index.saturating_add(1);
        let text = self
            .row
            .get_ref(index)?
            .as_str()
            .map_err(|_| self.bad(index))?;
        parse(text).ok_or_else(|| self.bad(index))
    }

    /// The next column through `parse`, or nothing for NULL.
    pub(in crate::store) fn parse_opt<T>(
        &mut self,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        if self.row.get_ref(self.next)? == rusqlite::types::ValueRef::Null {
            self.next = self.next.saturating_add(1);
            return Ok(None);
        }
        self.parse(parse).map(Some)
    }

    pub(in crate::store) fn amount(&mut self, decimals: u8) -> Result<Amount, Fault> {
        self.parse(|text| Amount::parse(text, decimals).ok())
    }

    /// The next column as a number that is never negative.
    pub(in crate::store) fn count(&mut self) -> Result<u64, Fault> {
        let number: i64 = self.next()?;
        u64::try_from(number).map_err(|_| Fault::Decode("a count is negative".to_owned()))
    }

    pub(in crate::store) fn at(&mut self) -> Result<UnixMs, Fault> {
        self.next().map(UnixMs)
    }

    pub(in crate::store) fn at_opt(&mut self) -> Result<Option<UnixMs>, Fault> {
        Ok(self.next::<Option<i64>>()?.map(UnixMs))
    }

    pub(in crate::store) fn height_opt(&mut self) -> Result<Option<Height>, Fault> {
        Ok(self.next::<Option<u32>>()?.map(Height))
    }

    pub(in crate::store) fn txid_opt(&mut self) -> Result<Option<TxId>, Fault> {
        self.parse_opt(TxId::from_hex)
    }

    pub(in crate::store) fn hash_opt(&mut self) -> Result<Option<BlockHash>, Fault> {
        self.parse_opt(BlockHash::from_hex)
    }

    pub(in crate::store) fn destination(&mut self) -> Result<Destination, Fault> {
        let index = self.next;
        self.next = index.saturating_add(1);
        let bytes = self.row.get_ref(index)?.as_blob().ok();
        bytes
            .and_then(Destination::new)
            .ok_or_else(|| self.bad(index))
    }

    fn bad(&self, index: usize) -> Fault {
        let column = self.row.as_ref().column_name(index).unwrap_or("?");
        Fault::Decode(format!("column {column} holds no value of its kind"))
    }
}

/// A whole number that may not fit SQLite's 64 bits.
pub(in crate::store) fn integer(number: impl TryInto<i64>) -> Result<Value, Fault> {
    number
        .try_into()
        .map(Value::Integer)
        .map_err(|_| Fault::Guard("a number is beyond 63 bits".to_owned()))
}

pub(in crate::store) fn amount(amount: Amount, decimals: u8) -> Value {
    Value::Text(amount.display(decimals).to_string())
}

pub(in crate::store) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub(in crate::store) fn text_opt(text: Option<&str>) -> Value {
    text.map_or(Value::Null, self::text)
}

pub(in crate::store) fn at_opt(at: Option<UnixMs>) -> Value {
    at.map_or(Value::Null, |at| Value::Integer(at.0))
}

pub(in crate::store) fn height_opt(height: Option<Height>) -> Value {
    height.map_or(Value::Null, |height| Value::Integer(height.0.into()))
}
