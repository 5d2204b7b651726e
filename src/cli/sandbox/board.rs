//! Where a sandbox is shown: lines, and below them on a terminal a table that lives.
//!
//! Knows how rows look; must not know what they mean.

use super::words;
use crate::{
    cli::{
        failure::Failure,
        rows::{Row, only, rows},
        screen::{Paint, Screen},
    },
    domain::asset::ChainKind,
    sandbox::live::Live,
    store::reader::Reader,
};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

/// The most entries that are read at once.
const BATCH: u32 = 200;
/// One payment: its name, how deep its money is, its status.
const PLAIN: &str = "   {prefix} {bar:18.} {pos:>2}/{len:<2} {msg}";
const COLOURED: &str = "   {prefix} {bar:18.cyan/dim} {pos:>2}/{len:<2} {msg}";

/// Lines, and the live table.
pub(super) struct Board<'a> {
    screen: &'a mut Screen,
    live: Option<Table>,
    followed: Vec<String>,
}

/// The payments that are shown.
struct Table {
    all: MultiProgress,
    head: ProgressBar,
    bars: Vec<ProgressBar>,
    style: ProgressStyle,
}

impl Table {
    fn new(is_coloured: bool) -> Option<Self> {
        let template = if is_coloured { COLOURED } else { PLAIN };
        let style = ProgressStyle::with_template(template).ok()?;
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stdout());
        let head = all.add(ProgressBar::no_length());
        head.set_style(ProgressStyle::with_template("   {msg}").ok()?);
        Some(Self {
            all,
            head,
            bars: Vec::new(),
            style: style.progress_chars("#>-"),
        })
    }
}

impl<'a> Board<'a> {
    pub(super) fn new(screen: &'a mut Screen) -> Self {
        let live = screen.is_terminal.then(|| Table::new(screen.is_coloured));
        // A terminal that cannot move its cursor gets lines alone.
        let live = live.flatten().filter(|table| !table.all.is_hidden());
        Self {
            live,
            screen,
            followed: Vec::new(),
        }
    }

    /// A line above the table.
    pub(super) fn line(&mut self, text: &str) -> Result<(), Failure> {
        match &self.live {
            Some(table) => Ok(table
                .all
                .println(if text.is_empty() { " " } else { text })?),
            None => self.screen.line(text),
        }
    }

    /// The same in a colour.
    pub(super) fn painted(&mut self, text: &str, paint: Paint) -> Result<(), Failure> {
        let text = self.screen.painted(text, paint);
        self.line(&text)
    }

    /// An entry of the journal.
    fn event(&mut self, event: &Row) -> Result<(), Failure> {
        let kind = event.get("kind").and_then(Value::as_str);
        let to = event.get("to_status").and_then(Value::as_str);
        let paint = match (kind, to) {
            (Some("reversed" | "attention"), _) | (Some("status"), Some("invalid")) => Paint::Bad,
            (Some("status"), Some("paid")) => Paint::Good,
            (Some("transfer" | "finalized"), _) => Paint::Dim,
            _ => Paint::Plain,
        };
        self.painted(&words::event(event), paint)
    }

    /// Shows this payment in the table until it is cleared.
    pub(super) fn follow(&mut self, id: &str) {
        self.followed.push(id.to_owned());
        if let Some(table) = &mut self.live {
            let bar = table.all.add(ProgressBar::new(1));
            bar.set_style(table.style.clone());
            bar.set_prefix(format!("{id:14}"));
            table.bars.push(bar);
        }
    }

    pub(super) fn followed(&self) -> &[String] {
        &self.followed
    }

    /// Shows the entries of the journal after `last`, which moves on, and says which they are.
    pub(super) fn journal(&mut self, reader: &Reader, last: &mut i64) -> Result<Vec<Row>, Failure> {
        let events = rows(&reader.events(*last, BATCH)?);
        for event in &events {
            *last = event.get("seq").and_then(Value::as_i64).unwrap_or(*last);
            self.event(event)?;
        }
        Ok(events)
    }

    /// Shows where chains and payments are.
    pub(super) fn refresh(&self, reader: &Reader, live: &Live) -> Result<(), Failure> {
        let Some(table) = &self.live else {
            return Ok(());
        };
        let [bitcoin, ethereum] = live.with(|world| {
            [ChainKind::Bitcoin, ChainKind::Ethereum].map(|chain| world.tip(chain).id.height)
        });
        let time = words::time(live.clock().now().wall.0);
        table
            .head
            .set_message(format!("{time}  bitcoin {bitcoin}  ethereum {ethereum}"));
        for (bar, id) in table.bars.iter().zip(&self.followed) {
            let Some(row) = only(&reader.payment(id)?) else {
                continue;
            };
            let number = |key: &str| row.get(key).and_then(Value::as_u64).unwrap_or(0);
            let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or("");
            let required = number("confirmations_required");
            bar.set_length(required);
            bar.set_position(number("confirmations").min(required));
            bar.set_message(words::state(text("status"), text("reason")));
        }
        Ok(())
    }

    /// Nothing is shown in the table any more.
    pub(super) fn clear(&mut self) {
        self.followed.clear();
        if let Some(table) = &mut self.live {
            for bar in table.bars.drain(..) {
                bar.finish_and_clear();
                table.all.remove(&bar);
            }
        }
    }
}

impl Drop for Board<'_> {
    fn drop(&mut self) {
        self.clear();
        if let Some(table) = &self.live {
            table.head.finish_and_clear();
        }
    }
}
