//! What the daemon says, read from its views as a gateway reads them, beside what is expected.

use super::{
    expect::{ChainClause, Clause, Expectation, Outcome, Transfer},
    player::{LOOK_MS, Player},
    words::{ASSETS, Trouble},
};
use crate::simulation::{rows, world::Which};
use confirmd::domain::block::TxId;
use rusqlite::{OptionalExtension as _, types::Value};
use std::collections::BTreeMap;

/// A row by the names of its columns.
type Row = BTreeMap<String, Value>;

impl Player {
    /// Whether it is so; what is otherwise, in words.
    pub fn check(&self, what: &Expectation) -> Result<(), Trouble> {
        match what {
            Expectation::Payment {
                id,
                status,
                clauses,
            } => self.check_payment(id, status, clauses),
            Expectation::Unknown(id) => match self.payment(id) {
                None => Ok(()),
                Some(_) => Err(format!("{id} is known")),
            },
            Expectation::Transfers(id, expected) => self.check_transfers(id, expected),
            Expectation::Events(id, expected) => self.check_events(id, expected),
            Expectation::Request { outcome, code } => self.check_request(*outcome, code.as_deref()),
            Expectation::Chain(which, clauses) => clauses
                .iter()
                .try_for_each(|clause| self.check_chain(*which, clause)),
        }
    }

    /// Everything that is known of what an expectation is about.
    pub fn about(&self, what: &Expectation) -> String {
        match what {
            Expectation::Payment { id, .. }
            | Expectation::Unknown(id)
            | Expectation::Transfers(id, _)
            | Expectation::Events(id, _) => rows::everything_about(&self.stage.db, id),
            Expectation::Request { .. } | Expectation::Chain(..) => String::new(),
        }
    }

    fn rows(&self, sql: &str, key: &str) -> Vec<Row> {
        let mut statement = self.stage.db.prepare(sql).unwrap();
        let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let rows = statement.query_map([key], |row| {
            let cell = |(n, name): (usize, &String)| Ok((name.clone(), row.get(n)?));
            names.iter().enumerate().map(cell).collect()
        });
        rows.unwrap().map(Result::unwrap).collect()
    }

    fn payment(&self, id: &str) -> Option<Row> {
        let sql = "SELECT * FROM v1_payment WHERE payment_id = ?";
        self.rows(sql, id).pop()
    }

    fn check_payment(&self, id: &str, status: &str, clauses: &[Clause]) -> Result<(), Trouble> {
        let row = self.payment(id).ok_or_else(|| format!("{id} is unknown"))?;
        let found = format!("{} {}", text(&row, "status"), text(&row, "reason"));
        if found.trim_end() != status {
            return Err(format!("{id} is {}, not {status}", found.trim_end()));
        }
        for clause in clauses {
            self.check_clause(id, &row, clause)?;
        }
        Ok(())
    }

    fn check_clause(&self, id: &str, row: &Row, clause: &Clause) -> Result<(), Trouble> {
        match clause {
            Clause::Money(column, expected) => {
                let code = text(row, "asset");
                let asset = ASSETS.iter().find(|asset| asset.code == code).unwrap();
                let found = text(row, column);
                if asset.units(&found)? == asset.units(expected)? {
                    return Ok(());
                }
                differ(column, expected, &found)
            }
            Clause::Number(column, expected) => {
                let (expected, found) = (expected.to_string(), text(row, column));
                same(column, &expected, &found)
            }
            Clause::Flags(expected) => {
                let mut expected = expected.clone();
                expected.sort();
                same("flags", &expected.join(","), &text(row, "flags"))
            }
            Clause::Txid(expected) => {
                let expected = expected.as_ref().map(|name| self.tx(name)).transpose()?;
                let found = text(row, "txid");
                let of = |txid: Option<TxId>| txid.map_or("none".to_owned(), |t| self.called(t));
                same("tx", &of(expected), &of(TxId::from_hex(&found)))
            }
            Clause::SeenWhenSent => {
                let txid = self.tx(id)?;
                let world = self.stage.shared.world();
                let sent = world.side(self.chain_of_order(id)).truth();
                let sent = sent.first_visible(txid, &self.stage.orders[id].to).0;
                let Value::Integer(seen) = row["first_seen_at"] else {
                    return Err("it was never seen".to_owned());
                };
                if (sent..sent + i64::try_from(LOOK_MS).unwrap()).contains(&seen) {
                    return Ok(());
                }
                Err(format!("it was sent at {sent} and seen at {seen}"))
            }
        }
    }

    fn chain_of_order(&self, id: &str) -> Which {
        self.stage.orders[id].which
    }

    /// The name of a transaction, or its id.
    fn called(&self, txid: TxId) -> String {
        let named = self.txs.iter().find(|(_, named)| **named == txid);
        let paid = self.last_paid.iter().filter(|(_, last)| **last == txid);
        let paid = paid.map(|(id, _)| id).min();
        named
            .map(|(name, _)| name)
            .or(paid)
            .map_or_else(|| txid.to_string(), Clone::clone)
    }

    fn check_transfers(&self, id: &str, expected: &[Transfer]) -> Result<(), Trouble> {
        let mut wanted = Vec::new();
        for transfer in expected {
            let tx = self.called(self.tx(&transfer.tx)?);
            let by = transfer.replaced_by.as_ref();
            let by = by.map(|by| Ok::<_, Trouble>(format!(" by {}", self.called(self.tx(by)?))));
            let by = by.transpose()?.unwrap_or_default();
            wanted.push(format!(
                "{tx} {} {}{by}",
                transfer.state, transfer.disposition
            ));
        }
        let sql = "SELECT * FROM v1_transfer WHERE payment_id = ?";
        let shown = |row: Row| {
            let name = |column| TxId::from_hex(&text(&row, column)).map(|txid| self.called(txid));
            let by = name("replaced_by").map_or(String::new(), |by| format!(" by {by}"));
            let (state, disposition) = (text(&row, "state"), text(&row, "disposition"));
            let tx = name("txid").unwrap_or_default();
            format!("{tx} {state} {disposition}{by}")
        };
        let mut found: Vec<String> = self.rows(sql, id).into_iter().map(shown).collect();
        wanted.sort();
        found.sort();
        same("transfers", &wanted.join(", "), &found.join(", "))
    }

    fn check_events(&self, id: &str, expected: &[String]) -> Result<(), Trouble> {
        let sql = "SELECT *, json_extract(data, '$.command.kind') AS command
                     FROM v1_event WHERE payment_id = ? ORDER BY seq";
        let shown = |row: &Row| {
            let became = format!("{} {}", text(row, "to_status"), text(row, "reason"));
            let became = became.trim_end();
            match text(row, "kind").as_str() {
                "status" => became.to_owned(),
                "reversed" => format!("reversed to {became}"),
                "command" => format!("command {}", text(row, "command")),
                other => other.to_owned(),
            }
        };
        let found: Vec<String> = self.rows(sql, id).iter().map(shown).collect();
        let tail = &found[found.len().saturating_sub(expected.len())..];
        same("events", &expected.join(", "), &tail.join(", "))
    }

    fn check_request(&self, outcome: Outcome, code: Option<&str>) -> Result<(), Trouble> {
        let last = self.stage.inbox.last().ok_or("nothing was asked")?;
        let sql = "SELECT outcome, coalesce(code, '') FROM v1_request WHERE request_id = ?";
        let found: Option<(String, String)> = self
            .stage
            .db
            .query_row(sql, [&last.request_id], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()
            .unwrap();
        let found = found.map_or("open".to_owned(), |(outcome, code)| {
            format!("{outcome} {code}").trim_end().to_owned()
        });
        let word = match outcome {
            Outcome::Applied => "applied",
            Outcome::Duplicate => "duplicate",
            Outcome::Refused => "refused",
            Outcome::Open => "open",
        };
        let expected = format!("{word} {}", code.unwrap_or_default());
        same("request", expected.trim_end(), &found)
    }

    fn check_chain(&self, which: Which, clause: &ChainClause) -> Result<(), Trouble> {
        let sql = "SELECT * FROM v1_chain WHERE chain = ?";
        let row = self.rows(sql, which.name()).pop().ok_or("no such chain")?;
        let number = |wanted: bool| u8::from(wanted).to_string();
        let head = self.stage.shared.world().side(which).head();
        let is_at_tip = rows::cursor(&self.stage.db, which) == Some(head.id.hash);
        match clause {
            ChainClause::Healthy(is) => same("healthy", &number(*is), &text(&row, "healthy")),
            ChainClause::Frozen(is) => {
                let is_frozen = !text(&row, "frozen").is_empty();
                same("frozen", &number(*is), &number(is_frozen))
            }
            ChainClause::AtTip => same("at-tip", "true", &is_at_tip.to_string()),
            ChainClause::Behind => same("at-tip", "false", &is_at_tip.to_string()),
            ChainClause::Finalized(height) => same(
                "finalized",
                &height.to_string(),
                &text(&row, "finalized_height"),
            ),
            ChainClause::Says(words) => {
                let error = text(&row, "error");
                if error.contains(words) {
                    return Ok(());
                }
                differ("error", words, &error)
            }
        }
    }
}

/// A cell as text; nothing where there is none.
fn text(row: &Row, column: &str) -> String {
    match &row[column] {
        Value::Null => String::new(),
        Value::Integer(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        other @ (Value::Real(_) | Value::Blob(_)) => format!("{other:?}"),
    }
}

fn same(what: &str, expected: &str, found: &str) -> Result<(), Trouble> {
    if expected == found {
        return Ok(());
    }
    differ(what, expected, found)
}

fn differ(what: &str, expected: &str, found: &str) -> Result<(), Trouble> {
    Err(format!("{what}: {found:?}, not {expected:?}"))
}
