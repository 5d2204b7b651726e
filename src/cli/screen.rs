//! What people and scripts see: tables, fields, JSON lines.
//!
//! Aligned and coloured on a terminal, plain when piped. Texts that others wrote pass through
//! [`harmless`], so that no note or node message can steer a terminal.

use super::{failure::Failure, rows::Row, time::readable};
use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Table, presets,
};
use serde_json::{Number, Value};
use std::io::{self, IsTerminal, Write};

/// How a value is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Show {
    Text,
    /// Right-aligned.
    Number,
    /// Milliseconds since 1970 as a date.
    Time,
    /// A status with its colour.
    Status,
    /// 1 as `yes` in the colour of attention, 0 as nothing.
    Warning,
    /// 1 and 0 as `yes` and `no`.
    Truth,
}

/// One column: its title, the field it shows, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column(
    pub(super) &'static str,
    pub(super) &'static str,
    pub(super) Show,
);

/// Standard output, or a buffer in tests.
pub(super) struct Screen {
    out: Box<dyn Write>,
    /// Whether a person looks at it.
    pub(super) is_terminal: bool,
    /// Whether colours are wanted.
    pub(super) is_coloured: bool,
}

/// A terminal that says it has fewer columns does not know its width.
const NARROWEST: u16 = 40;

/// How a line stands out where colours are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paint {
    Plain,
    Bold,
    Dim,
    Good,
    Bad,
}

impl Paint {
    /// Select Graphic Rendition (ECMA-48, 8.3.117).
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "0",
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Good => "32",
            Self::Bad => "31",
        }
    }
}

impl Screen {
    /// Standard output; `NO_COLOR` (<https://no-color.org>) is honoured.
    pub(super) fn standard() -> Self {
        let out = io::stdout();
        let is_terminal = out.is_terminal();
        let says = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            out: Box::new(out),
            is_terminal,
            is_coloured: is_terminal && !is_dumb && !says("NO_COLOR"),
        }
    }

    #[cfg(test)]
    pub(super) fn of(out: Box<dyn Write>, is_coloured: bool) -> Self {
        Self {
            out,
            is_terminal: is_coloured,
            is_coloured,
        }
    }

    /// One line.
    pub(super) fn line(&mut self, text: &str) -> Result<(), Failure> {
        let written = writeln!(self.out, "{text}").and_then(|()| self.out.flush());
        match written {
            // The reader has seen enough, as `head` does.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                Err(Failure::new(super::Exit::Ok, ""))
            }
            written => Ok(written?),
        }
    }

    /// The text in a colour, where colours are wanted.
    pub(super) fn painted(&self, text: &str, paint: Paint) -> String {
        if self.is_coloured && paint != Paint::Plain {
            format!("\u{1b}[{}m{text}\u{1b}[0m", paint.code())
        } else {
            text.to_owned()
        }
    }

    /// One JSON object on a line.
    pub(super) fn json(&mut self, value: &Value) -> Result<(), Failure> {
        self.line(&value.to_string())
    }

    /// Rows as JSON lines, or as a table, or `nothing` in words.
    pub(super) fn listing(
        &mut self,
        columns: &[Column],
        rows: Vec<Row>,
        as_json: bool,
        nothing: &str,
    ) -> Result<(), Failure> {
        if as_json {
            return rows
                .into_iter()
                .try_for_each(|row| self.json(&Value::Object(row)));
        }
        if rows.is_empty() {
            return self.line(nothing);
        }
        self.table(columns, &rows)
    }

    /// Rows under a header.
    pub(super) fn table(&mut self, columns: &[Column], rows: &[Row]) -> Result<(), Failure> {
        let mut table = self.empty_table();
        table.set_header(
            columns
                .iter()
                .map(|Column(title, ..)| Cell::new(title).add_attribute(Attribute::Bold)),
        );
        for row in rows {
            table.add_row(columns.iter().map(|column| cell(column, row)));
        }
        keep_whole(&mut table, columns);
        self.show(&mut table)
    }

    /// One row as lines of `name  value`; what is unknown is left out.
    pub(super) fn fields(&mut self, columns: &[Column], row: &Row) -> Result<(), Failure> {
        let mut table = self.empty_table();
        for column in columns {
            if !text(column, row).is_empty() {
                let title = Cell::new(column.0).add_attribute(Attribute::Bold);
                let value = cell(column, row).set_alignment(CellAlignment::Left);
                table.add_row([title, value]);
            }
        }
        self.show(&mut table)
    }

    fn empty_table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        if self.is_coloured {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        if self.is_terminal && table.width().is_some_and(|width| width >= NARROWEST) {
            table.set_content_arrangement(ContentArrangement::Dynamic);
        }
        table
    }

    fn show(&mut self, table: &mut Table) -> Result<(), Failure> {
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        let lines: Vec<_> = table.lines().collect();
        lines.iter().try_for_each(|line| self.line(line.trim_end()))
    }
}

/// Only texts are wrapped on a narrow terminal: half an amount is another amount.
fn keep_whole(table: &mut Table, columns: &[Column]) {
    for (column, shown) in table.column_iter_mut().zip(columns) {
        match shown.2 {
            Show::Text => {}
            Show::Number | Show::Time | Show::Status | Show::Warning | Show::Truth => {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
    }
}

fn cell(column: &Column, row: &Row) -> Cell {
    let text = text(column, row);
    let cell = Cell::new(&text);
    match column.2 {
        Show::Text | Show::Time | Show::Truth => cell,
        Show::Number => cell.set_alignment(CellAlignment::Right),
        Show::Status => match status_colour(&text) {
            Some(colour) => cell.fg(colour),
            None => cell,
        },
        Show::Warning => cell.fg(Color::Yellow),
    }
}

fn status_colour(status: &str) -> Option<Color> {
    match status {
        "paid" | "applied" | "ok" => Some(Color::Green),
        "pending" | "confirming" => Some(Color::Cyan),
        "invalid" | "refused" | "failed" => Some(Color::Red),
        "expired" | "canceled" | "refunded" => Some(Color::DarkGrey),
        _ => None,
    }
}

fn text(Column(_, key, show): &Column, row: &Row) -> String {
    let value = row.get(*key).unwrap_or(&Value::Null);
    match (show, value) {
        (Show::Warning, Value::Number(warns)) => yes_or(warns, "").to_owned(),
        (Show::Truth, Value::Number(truth)) => yes_or(truth, "no").to_owned(),
        (Show::Time, Value::Number(ms)) => ms.as_i64().map(readable).unwrap_or_default(),
        (_, Value::Null) => String::new(),
        (_, Value::Bool(holds)) => if *holds { "yes" } else { "no" }.to_owned(),
        (_, Value::String(text)) => harmless(text),
        (_, Value::Number(_) | Value::Array(_) | Value::Object(_)) => harmless(&value.to_string()),
    }
}

fn yes_or(truth: &Number, no: &'static str) -> &'static str {
    if truth.as_i64() == Some(0) { no } else { "yes" }
}

/// The text with control and direction characters escaped.
pub(super) fn harmless(text: &str) -> String {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().fold(String::new(), |mut shown, c| {
        if steers(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
        shown
    })
}

/// Says on standard error why a command failed.
pub(super) fn complain(message: &str) {
    if !message.is_empty() {
        // Where standard error is gone, only the exit code is left to tell.
        let _ = writeln!(io::stderr(), "confirmd: {message}");
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::json;
    use std::{cell::RefCell, rc::Rc};

    /// What a screen showed.
    #[derive(Clone, Default)]
    pub(in crate::cli) struct Shown(Rc<RefCell<Vec<u8>>>);

    impl Shown {
        pub(in crate::cli) fn text(&self) -> String {
            String::from_utf8(self.0.borrow().clone()).unwrap()
        }
    }

    impl Write for Shown {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    pub(in crate::cli) fn screen(is_coloured: bool) -> (Screen, Shown) {
        let shown = Shown::default();
        (Screen::of(Box::new(shown.clone()), is_coloured), shown)
    }

    pub(in crate::cli) fn row(value: Value) -> Row {
        let Value::Object(row) = value else {
            panic!("{value} is no row")
        };
        row
    }

    const COLUMNS: &[Column] = &[
        Column("payment", "id", Show::Text),
        Column("amount", "amount", Show::Number),
        Column("status", "status", Show::Status),
        Column("review", "review", Show::Warning),
    ];

    fn rows() -> Vec<Row> {
        vec![
            row(json!({ "id": "order-1", "amount": "1.50", "status": "paid", "review": 0 })),
            row(json!({ "id": "o-2", "amount": "100.00", "status": "invalid", "review": 1 })),
        ]
    }

    #[test]
    fn a_piped_table_is_aligned_and_plain() {
        let (mut screen, shown) = screen(false);
        screen.listing(COLUMNS, rows(), false, "nothing").unwrap();
        assert_eq!(
            shown.text(),
            "payment  amount  status   review\n\
             order-1    1.50  paid\n\
             o-2      100.00  invalid  yes\n"
        );
    }

    #[test]
    fn a_table_on_a_terminal_is_coloured() {
        let (mut screen, shown) = screen(true);
        screen.listing(COLUMNS, rows(), false, "nothing").unwrap();
        assert!(shown.text().contains("\u{1b}["), "{}", shown.text());
    }

    #[test]
    fn json_is_one_object_a_line() {
        let (mut screen, shown) = screen(true);
        screen.listing(COLUMNS, rows(), true, "nothing").unwrap();
        let text = shown.text();
        let ids: Vec<_> = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].clone())
            .collect();
        assert_eq!(ids, ["order-1", "o-2"]);
    }

    #[test]
    fn an_empty_listing_says_so_to_people_only() {
        let (mut first, shown) = screen(false);
        first
            .listing(COLUMNS, Vec::new(), false, "no payments")
            .unwrap();
        assert_eq!(shown.text(), "no payments\n");
        let (mut second, shown) = screen(false);
        second
            .listing(COLUMNS, Vec::new(), true, "no payments")
            .unwrap();
        assert_eq!(shown.text(), "");
    }

    #[test]
    fn fields_leave_out_what_is_unknown() {
        let (mut screen, shown) = screen(false);
        let row = row(json!({ "id": "order-1", "amount": null, "status": "new", "review": 0 }));
        screen.fields(COLUMNS, &row).unwrap();
        assert_eq!(shown.text(), "payment  order-1\nstatus   new\n");
    }

    #[test]
    fn a_text_of_others_cannot_steer_the_terminal() {
        let (mut screen, shown) = screen(false);
        let id = "a\u{1b}[2Jb\nc\u{202e}d";
        let row = row(json!({ "id": id, "amount": "", "status": "", "review": 0 }));
        screen.table(COLUMNS, &[row]).unwrap();
        assert!(
            shown.text().contains(r"a\u{1b}[2Jb\nc\u{202e}d"),
            "{}",
            shown.text()
        );
    }

    #[test]
    fn a_narrow_terminal_breaks_texts_and_no_amounts() {
        let (columns, amount) = (&COLUMNS[..2], "0.200000000000000000");
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(26);
        let row =
            row(json!({ "id": "an order with a long name, much too long", "amount": amount }));
        table.add_row(columns.iter().map(|column| cell(column, &row)));
        let whole = |table: &Table| table.lines().any(|line| line.contains(amount));
        assert!(!whole(&table));
        keep_whole(&mut table, columns);
        assert!(whole(&table));
    }
}
