//! `status --wait`: reads until everything is caught up, and shows how far it is.
//!
//! Only what the database holds counts, and only while a daemon has it open: the rows of a daemon
//! that ended say nothing of where the nodes are now.

use super::{
    progress::{Work, catching_up, scanning},
    with_lag,
};
use crate::{
    chain::says_the_same,
    cli::{
        failure::Failure,
        rows::{Row, rows},
        screen::harmless,
    },
    domain::asset::ChainName,
    store::{StoreError, reader::Reader},
};
use indicatif::{
    HumanDuration, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle,
};
use serde_json::Value;
use std::{
    fmt,
    io::{self, Write as _},
    time::Duration,
};

/// How often the database is read.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// So many looks in a row must find nothing left: one alone may fall between the moment at which a
/// daemon opens the database and the one at which it makes every chain unhealthy.
const LOOKS: u32 = 2;
const BAR: &str = "{prefix:12} {bar:24} {percent:>3} %  {msg}{pace}";

/// What one look found.
#[derive(Debug, PartialEq, Eq)]
struct Look {
    /// What is not as it should be yet; done when empty.
    lacks: Vec<String>,
    /// What is under way.
    work: Vec<Work>,
}

/// Returns once these chains are at their nodes' tips and no payment of theirs waits for its past.
pub(super) fn until_done(reader: &Reader, configured: &[ChainName]) -> Result<(), Failure> {
    let mut shown = Shown::new();
    let mut done = 0_u32;
    loop {
        let has_daemon = reader.has_daemon()?;
        match look(reader, configured, has_daemon) {
            Ok(look) => {
                shown.update(&look);
                let is_done = look.lacks.is_empty();
                done = if is_done { done.saturating_add(1) } else { 0 };
            }
            Err(error) if error.is_transient() => {}
            Err(error) => return Err(error.into()),
        }
        if done >= LOOKS {
            return Ok(());
        }
        std::thread::sleep(LOOK_INTERVAL);
    }
}

fn look(reader: &Reader, configured: &[ChainName], has_daemon: bool) -> Result<Look, StoreError> {
    let scans = reader.past_scans()?;
    let chains: Vec<Row> = rows(&reader.chains()?).into_iter().map(with_lag).collect();
    let mut found = Look {
        lacks: Vec::new(),
        work: Vec::new(),
    };
    if !has_daemon {
        let words = "no daemon is running, so nothing goes on until one is started";
        found.lacks.push(words.to_owned());
    }
    for name in configured {
        let is_it = |row: &&Row| row.get("chain").is_some_and(|chain| chain == name.as_str());
        let row = chains.iter().find(is_it);
        let scan = scans.iter().find(|scans| scans.chain == *name);
        let behind = row.and_then(catching_up);
        let scan = scan.and_then(scanning);
        let work: Vec<Work> = behind.into_iter().chain(scan).collect();
        found
            .lacks
            .extend(work.iter().map(|work| work.words.clone()));
        if !work.iter().any(|work| !work.is_scan) {
            found.lacks.extend(lack(name, row));
        }
        found.work.extend(work);
    }
    Ok(found)
}

/// Why a chain that is not catching up is not at its node's tip, if so.
fn lack(name: &ChainName, row: Option<&Row>) -> Option<String> {
    let text = |key: &str| row.and_then(|row| row.get(key)).and_then(Value::as_str);
    let lag = row.and_then(|row| row.get("lag")).and_then(Value::as_i64);
    let why = match (text("state"), lag) {
        (Some("ok"), Some(0)) => return None,
        (Some("ok"), Some(_)) => "not quite at its node's tip",
        (Some("ok") | None, _) => "no block is recorded yet",
        (Some(_), _) => text("error").unwrap_or("its node was not heard yet"),
    };
    Some(format!("{name}: {}", harmless(why)))
}

/// What is shown on standard error.
struct Shown {
    all: MultiProgress,
    bars: Vec<Bar>,
    lacks: Vec<String>,
}

/// The bar of something under way. It counts from the first look on, as its rate does.
struct Bar {
    of: (String, bool),
    base: Option<u64>,
    shown: ProgressBar,
}

impl Shown {
    fn new() -> Self {
        Self {
            all: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()),
            bars: Vec::new(),
            lacks: Vec::new(),
        }
    }

    fn update(&mut self, look: &Look) {
        for lack in &look.lacks {
            if !self.lacks.iter().any(|told| says_the_same(told, lack)) {
                self.line(&format!("waiting: {lack}"));
            }
        }
        self.lacks.clone_from(&look.lacks);
        let all = &self.all;
        self.bars.retain(|bar| {
            let goes_on = look.work.iter().any(|work| bar.is_of(work));
            if !goes_on {
                bar.shown.finish_and_clear();
                all.remove(&bar.shown);
            }
            goes_on
        });
        for work in &look.work {
            self.bar(work);
        }
    }

    /// Above the bars, or alone. Where standard error is gone, the exit code is left to tell.
    fn line(&self, text: &str) {
        let _ = if self.all.is_hidden() {
            writeln!(io::stderr(), "{text}")
        } else {
            self.all.println(text)
        };
    }

    fn bar(&mut self, work: &Work) {
        let at = self.bars.iter().position(|bar| bar.is_of(work));
        if let Some(bar) = at.and_then(|at| self.bars.get_mut(at)) {
            return bar.update(work);
        }
        let shown = self.all.add(ProgressBar::no_length());
        if let Ok(style) = ProgressStyle::with_template(BAR) {
            shown.set_style(style.with_key("pace", pace).progress_chars("#>-"));
        }
        let what = if work.is_scan { " past" } else { "" };
        shown.set_prefix(format!("{}{what}", work.chain));
        let mut bar = Bar {
            of: (work.chain.clone(), work.is_scan),
            base: None,
            shown,
        };
        bar.update(work);
        self.bars.push(bar);
    }
}

impl Bar {
    fn is_of(&self, work: &Work) -> bool {
        self.of.0 == work.chain && self.of.1 == work.is_scan
    }

    fn update(&mut self, work: &Work) {
        if let Some((next, to)) = work.next.zip(work.to) {
            let base = *self.base.get_or_insert(next);
            let all = to.saturating_add(1).saturating_sub(base);
            let at = next.saturating_sub(1);
            self.shown.set_message(format!("block {at} of {to}"));
            self.shown.set_length(all);
            self.shown.set_position(next.saturating_sub(base).min(all));
        }
    }
}

/// Rate and time left, once something was done.
fn pace(state: &ProgressState, text: &mut dyn fmt::Write) {
    let rate = state.per_sec();
    if rate > 0.0 {
        let left = HumanDuration(state.eta());
        // A text in memory takes everything.
        let _ = write!(text, ", {rate:.1} blocks/s, {left} left");
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        for bar in &self.bars {
            bar.shown.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests;
