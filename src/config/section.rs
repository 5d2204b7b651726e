//! Reading one table of the file key by key, so that every problem is found at its line.
//!
//! Knows TOML's types; must not know what a key means. A key that nobody asked for is refused
//! when the section is closed.

use super::report::Report;
use std::{cell::RefCell, ops::RangeInclusive};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// How alike two names must be for one to be suggested in place of the other, from 0 to 1.
const ALIKE: f64 = 0.8;

/// One table of the file.
pub(super) struct Section<'a> {
    /// Its name with the names around it: `chains.bitcoin`.
    pub(super) path: String,
    /// Where it begins.
    pub(super) line: usize,
    pub(super) report: &'a Report<'a>,
    table: Option<&'a DeTable<'a>>,
    known: RefCell<Vec<&'static str>>,
}

/// One value of the file.
pub(super) struct Entry<'a> {
    /// Its key with the sections around it.
    pub(super) path: String,
    /// Where it is.
    pub(super) line: usize,
    report: &'a Report<'a>,
    value: &'a DeValue<'a>,
}

impl<'a> Section<'a> {
    /// The whole file.
    pub(super) const fn root(table: &'a DeTable<'a>, report: &'a Report<'a>) -> Self {
        Self {
            path: String::new(),
            line: 1,
            report,
            table: Some(table),
            known: RefCell::new(Vec::new()),
        }
    }

    /// The value of a key, if it is there; the key is known from now on.
    pub(super) fn get(&self, key: &'static str) -> Option<Entry<'a>> {
        self.known.borrow_mut().push(key);
        self.table?
            .get_key_value(key)
            .map(|(name, value)| self.entry(name, value))
    }

    fn entry(
        &self,
        name: &'a Spanned<std::borrow::Cow<'a, str>>,
        value: &'a Spanned<DeValue<'a>>,
    ) -> Entry<'a> {
        Entry {
            path: self.path_of(name.get_ref()),
            line: self.report.line_of(name.span().start),
            report: self.report,
            value: value.get_ref(),
        }
    }

    /// A key's name with the sections around it.
    pub(super) fn path_of(&self, key: &str) -> String {
        match self.path.as_str() {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        }
    }

    /// The value of a key that must be there.
    pub(super) fn require(&self, key: &'static str, what: &str) -> Option<Entry<'a>> {
        let entry = self.get(key);
        if entry.is_none() {
            self.problem(key, format!("is missing; {what}"));
        }
        entry
    }

    /// A value read by `parse`, or `default` when the key is not there; `None` when it is wrong.
    pub(super) fn read_or<T>(
        &self,
        key: &'static str,
        default: T,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        match self.get(key) {
            Some(entry) => entry.read(parse),
            None => Some(default),
        }
    }

    /// A truth value, or `default` when the key is not there.
    pub(super) fn flag_or(&self, key: &'static str, default: bool) -> Option<bool> {
        self.get(key).map_or(Some(default), |entry| entry.flag())
    }

    /// A whole number, or `default` when the key is not there.
    pub(super) fn number_or(
        &self,
        key: &'static str,
        default: u32,
        range: RangeInclusive<u32>,
    ) -> Option<u32> {
        let entry = self.get(key);
        entry.map_or(Some(default), |entry| entry.number(range))
    }

    /// A table inside this one; an absent one reads as empty.
    pub(super) fn section(&self, key: &'static str) -> Option<Self> {
        match self.get(key) {
            Some(entry) => entry.section(),
            None => Some(Self {
                path: self.path_of(key),
                line: self.line,
                report: self.report,
                table: None,
                known: RefCell::new(Vec::new()),
            }),
        }
    }

    /// Every table inside this one, under names that the operator chose, in the order of lines.
    pub(super) fn named_sections(&self) -> Vec<(&'a str, Self)> {
        let mut sections: Vec<_> = self
            .table
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| {
                let section = self.entry(name, value).section()?;
                Some((name.get_ref().as_ref(), section))
            })
            .collect();
        sections.sort_by_key(|(_, section)| section.line);
        sections
    }

    /// A problem with one key of this section, at the section's own line.
    pub(super) fn problem(&self, key: &str, message: impl Into<String>) {
        self.report.problem(self.line, &self.path_of(key), message);
    }

    /// Refuses every key that nobody asked for.
    pub(super) fn close(&self) {
        let known = self.known.borrow();
        for (name, value) in self.table.into_iter().flatten() {
            if !known.contains(&name.get_ref().as_ref()) {
                let entry = self.entry(name, value);
                let message = format!("is no known key; {}", advice(name.get_ref(), &known));
                entry.problem(message);
            }
        }
    }
}

impl<'a> Entry<'a> {
    /// A text, read by `parse`.
    pub(super) fn read<T>(&self, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        match parse(self.text()?) {
            Ok(value) => Some(value),
            Err(message) => {
                self.problem(message);
                None
            }
        }
    }

    /// A text.
    pub(super) fn text(&self) -> Option<&'a str> {
        let DeValue::String(text) = self.value else {
            return self.mismatch("a text in quotes");
        };
        Some(text.as_ref())
    }

    /// A truth value.
    pub(super) fn flag(&self) -> Option<bool> {
        let DeValue::Boolean(flag) = self.value else {
            return self.mismatch("true or false");
        };
        Some(*flag)
    }

    /// A truth value or a text, whichever it is.
    pub(super) fn flag_or_text(&self) -> Option<Result<bool, &'a str>> {
        if let DeValue::Boolean(flag) = self.value {
            Some(Ok(*flag))
        } else {
            self.text().map(Err)
        }
    }

    /// A whole number inside a range or one of some words, whichever it is.
    pub(super) fn number_or_text(
        &self,
        range: RangeInclusive<u32>,
        words: &str,
    ) -> Option<Result<u32, &'a str>> {
        match self.value {
            DeValue::String(text) => Some(Err(text.as_ref())),
            DeValue::Integer(_) => self.number(range).map(Ok),
            DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => {
                self.mismatch(&format!("a whole number without quotes, {words}"))
            }
        }
    }

    /// A whole number inside a range.
    pub(super) fn number<N>(&self, range: RangeInclusive<N>) -> Option<N>
    where
        N: TryFrom<u64> + PartialOrd + std::fmt::Display,
    {
        let DeValue::Integer(digits) = self.value else {
            return self.mismatch("a whole number without quotes");
        };
        let number = u64::from_str_radix(digits.as_str(), digits.radix()).ok();
        let number = number.and_then(|number| N::try_from(number).ok());
        let fits = number.filter(|number| range.contains(number));
        if fits.is_none() {
            let (low, high) = (range.start(), range.end());
            self.problem(format!("must be between {low} and {high}"));
        }
        fits
    }

    /// A table.
    pub(super) fn section(&self) -> Option<Section<'a>> {
        let DeValue::Table(table) = self.value else {
            return self.mismatch("a table");
        };
        Some(Section {
            path: self.path.clone(),
            line: self.line,
            report: self.report,
            table: Some(table),
            known: RefCell::new(Vec::new()),
        })
    }

    /// A list of tables, numbered from 1.
    pub(super) fn sections(&self) -> Option<Vec<Section<'a>>> {
        let DeValue::Array(items) = self.value else {
            return self.mismatch("a list of tables");
        };
        let sections = items.iter().enumerate().map(|(i, item)| {
            let entry = Entry {
                path: format!("{}[{}]", self.path, i.saturating_add(1)),
                line: self.report.line_of(item.span().start),
                report: self.report,
                value: item.get_ref(),
            };
            entry.section()
        });
        sections.collect()
    }

    /// A problem with this value.
    pub(super) fn problem(&self, message: impl Into<String>) {
        self.report.problem(self.line, &self.path, message);
    }

    fn mismatch<T>(&self, wanted: &str) -> Option<T> {
        let found = match self.value {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with a point",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.problem(format!("is {found}; write {wanted}"));
        None
    }
}

/// The known name that is most like `name`, or all of them.
fn advice(name: &str, known: &[&str]) -> String {
    nearest(name, known.iter().copied()).map_or_else(
        || format!("known here: {}", known.join(", ")),
        |near| format!("did you mean {near:?}?"),
    )
}

/// The name that is most like `name`, when one is alike enough.
pub(super) fn nearest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    known
        .into_iter()
        .map(|near| (strsim::jaro_winkler(name, near), near))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, near)| near)
}
