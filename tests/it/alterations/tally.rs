//! What was altered how often, and what came of it.

use std::collections::BTreeMap;

use super::alter::Expected;

/// What came of an alteration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Bound, and noticed.
    pub noticed: u32,
    /// Unbound, and without any effect.
    pub unchanged: u32,
    /// The same in another spelling: refused, or read as it was meant.
    pub respelled: u32,
}

impl Row {
    pub const fn sum(self) -> u32 {
        self.noticed + self.unchanged + self.respelled
    }

    const fn count(&mut self, expected: Expected) {
        match expected {
            Expected::Noticed => self.noticed += 1,
            Expected::Unchanged => self.unchanged += 1,
            Expected::Either => self.respelled += 1,
        }
    }
}

/// Rows by what was done, by which answer, and by which field.
#[derive(Debug, Default)]
pub struct Tally {
    pub deeds: BTreeMap<String, Row>,
    pub kinds: BTreeMap<String, Row>,
    pub fields: BTreeMap<String, Row>,
    pub all: Row,
}

impl Tally {
    pub fn count(&mut self, deed: String, kind: String, field: &str, expected: Expected) {
        self.all.count(expected);
        self.deeds.entry(deed).or_default().count(expected);
        self.kinds.entry(kind).or_default().count(expected);
        let field = self.fields.entry(field.to_owned());
        field.or_default().count(expected);
    }

    pub fn print(&self) {
        let line = |name: &str, row: &Row| {
            let Row {
                noticed,
                unchanged,
                respelled,
            } = row;
            println!(
                "{name:<36} {:>6} {noticed:>8} {unchanged:>10} {respelled:>10}",
                row.sum()
            );
        };
        println!(
            "{:<36} {:>6} {:>8} {:>10} {:>10}",
            "", "all", "noticed", "unchanged", "respelled"
        );
        for rows in [&self.deeds, &self.kinds, &self.fields] {
            for (name, row) in rows {
                line(name, row);
            }
            println!();
        }
        line("all", &self.all);
    }
}
