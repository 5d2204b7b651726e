//! Rows of the public views as JSON objects, the one form that listings show and print.

use crate::{
    clock::{Clock, SystemClock},
    store::{
        StoreError,
        reader::{Cell, Table},
    },
};
use serde_json::{Map, Value};
use std::time::Duration;

/// A row by column names.
pub(super) type Row = Map<String, Value>;

/// Columns that hold JSON.
const DOCUMENTS: &[&str] = &["data", "metadata"];

/// Every row as the view has it, but with JSON columns as the documents that they hold.
pub(super) fn rows(table: &Table) -> Vec<Row> {
    let row = |cells: &Vec<Cell>| {
        let pairs = table.columns.iter().zip(cells);
        pairs
            .map(|(column, cell)| (column.clone(), value(column, cell)))
            .collect()
    };
    table.rows.iter().map(row).collect()
}

/// The only row, if there is one.
pub(super) fn only(table: &Table) -> Option<Row> {
    rows(table).pop()
}

/// The only row, which may be written any moment: looks again `every` so often, for as long.
pub(super) fn only_within(
    wait_ms: u64,
    every: Duration,
    look: impl Fn() -> Result<Table, StoreError>,
) -> Result<Option<Row>, StoreError> {
    within(wait_ms, every, || Ok(only(&look()?)))
}

/// What may be there any moment: looks again `every` so often, for as long.
pub(super) fn within<T>(
    wait_ms: u64,
    every: Duration,
    look: impl Fn() -> Result<Option<T>, StoreError>,
) -> Result<Option<T>, StoreError> {
    let clock = SystemClock::new();
    loop {
        let found = look()?;
        if found.is_some() || clock.now().monotonic_ms >= wait_ms {
            return Ok(found);
        }
        std::thread::sleep(every);
    }
}

fn value(column: &str, cell: &Cell) -> Value {
    match cell {
        Cell::Nothing => Value::Null,
        Cell::Integer(number) => (*number).into(),
        Cell::Text(text) => {
            let document = DOCUMENTS
                .contains(&column)
                .then(|| serde_json::from_str(text));
            let document = document.and_then(Result::ok);
            document.unwrap_or_else(|| text.as_str().into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn documents_are_shown_as_such() {
        let table = Table {
            columns: ["needs_review", "version", "metadata", "data", "note"]
                .map(str::to_owned)
                .to_vec(),
            rows: vec![vec![
                Cell::Integer(1),
                Cell::Integer(1),
                Cell::Text("{\"a\":1}".to_owned()),
                Cell::Text("broken {".to_owned()),
                Cell::Nothing,
            ]],
        };
        assert_eq!(
            Value::Object(only(&table).unwrap()),
            json!({
                "needs_review": 1, "version": 1, "metadata": { "a": 1 }, "data": "broken {",
                "note": null,
            })
        );
    }
}
