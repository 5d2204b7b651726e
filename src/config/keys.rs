//! What a configuration file says, key by key: which keys another file changes, and which of those
//! a running daemon takes over.
//!
//! Knows names and whether values are equal; never shows a value, which may be a secret.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};
use toml::de::{DeTable, DeValue};

/// What makes an asset what it is: another one needs a restart.
const IDENTITY: [&str; 3] = ["chain", "contract", "decimals"];
/// What may change about an asset for payments that come.
const ASSET_TERMS: [&str; 4] = ["confirmations", "tiers", "dust", "enabled"];

/// Every key of a file by its dotted path.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Keys(BTreeMap<String, String>);

impl Keys {
    /// The keys of a table and of all tables in it; a list is one key.
    pub(super) fn of(table: &DeTable<'_>) -> Self {
        let mut keys = Self::default();
        keys.take("", table);
        keys
    }

    fn take(&mut self, path: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let name = format!("{path}{}", name.get_ref());
            match value.get_ref().as_table() {
                Some(table) => self.take(&format!("{name}."), table),
                None => {
                    self.0.insert(name, written(value.get_ref()));
                }
            }
        }
    }

    /// The keys that stand in only one of two files, or with another value.
    #[must_use]
    pub fn changed(&self, other: &Self) -> BTreeSet<String> {
        let names = self.0.keys().chain(other.0.keys());
        names
            .filter(|name| self.0.get(*name) != other.0.get(*name))
            .cloned()
            .collect()
    }

    /// Whether a daemon that was started with this file takes a key over from another one while
    /// it runs.
    #[must_use]
    pub fn takes_over(&self, key: &str, other: &Self) -> bool {
        // An asset's code may have points in it.
        let term = key.strip_prefix("assets.");
        if let Some((code, term)) = term.and_then(|key| key.rsplit_once('.')) {
            return ASSET_TERMS.contains(&term) && self.is_same(code, other);
        }
        key.starts_with("payments.") || key == "database.operator_commands"
    }

    /// Whether both files have the asset and mean the same by it.
    fn is_same(&self, code: &str, other: &Self) -> bool {
        let key = |name: &str| format!("assets.{code}.{name}");
        self.0.contains_key(&key("chain"))
            && IDENTITY
                .iter()
                .all(|name| self.0.get(&key(name)) == other.0.get(&key(name)))
    }
}

/// Shows no value.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys")
    }
}

/// A value in one form, whatever the layout of the file.
fn written(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => format!("{number:?}"),
        DeValue::Float(number) => format!("{number:?}"),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(list) => {
            let items: Vec<String> = list.iter().map(|item| written(item.get_ref())).collect();
            format!("[{}]", items.join(", "))
        }
        DeValue::Table(table) => {
            let entries: BTreeMap<String, String> = table
                .iter()
                .map(|(name, value)| (name.get_ref().to_string(), written(value.get_ref())))
                .collect();
            format!("{entries:?}")
        }
    }
}

#[cfg(test)]
mod tests;
