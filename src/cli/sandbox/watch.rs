//! What is seen of a sandbox that stays: its journal as it grows and, on a terminal, its open payments.

use super::{board::Board, running::Sandbox};
use crate::{
    cli::{Exit, failure::Failure, rows::Row, screen::Screen},
    sandbox::live::Live,
    store::reader::Reader,
};
use serde_json::Value;
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver},
    },
    time::Duration,
};

/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// Until it is tried again.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a last look may take.
const LEAVE_WITHIN: Duration = Duration::from_secs(1);
/// The most payments under the lines, the latest ones.
const SHOWN: usize = 10;

/// Somebody who looks on and tells. Nothing waits for them: whoever started the sandbox may never
/// read what it writes.
pub(super) struct Watch {
    over: Arc<AtomicBool>,
    /// Hangs up when they are gone.
    gone: Receiver<()>,
}

impl Watch {
    /// Tells what comes after this entry of the journal.
    pub(super) fn begin(sandbox: &Sandbox, after: i64) -> Result<Self, Failure> {
        let over = Arc::new(AtomicBool::new(false));
        let (here, gone) = mpsc::channel();
        let (database, live) = (sandbox.facts.database.clone(), sandbox.live.clone());
        let is_over = Arc::clone(&over);
        std::thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || {
                let mut last = after;
                while let Err(failure) = watch(&database, &live, &is_over, &mut last) {
                    // Whoever reads our lines has enough.
                    if failure.exit == Exit::Ok || is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    tracing::error!(message = failure.message, "the journal cannot be shown");
                    std::thread::sleep(PAUSE);
                }
                drop(here);
            })?;
        Ok(Self { over, gone })
    }

    /// Lets them leave the terminal as it was.
    pub(super) fn end(self) {
        self.over.store(true, Ordering::Relaxed);
        self.gone.recv_timeout(LEAVE_WITHIN).ok();
    }
}

fn watch(
    database: &Path,
    live: &Live,
    is_over: &AtomicBool,
    last: &mut i64,
) -> Result<(), Failure> {
    let mut screen = Screen::standard();
    let mut board = Board::new(&mut screen);
    let reader = Reader::open(database)?;
    let mut open = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        for event in board.journal(&reader, last)? {
            follow(&mut open, &event);
        }
        show(&mut board, &open);
        board.refresh(&reader, live)?;
        std::thread::sleep(LOOK);
    }
    Ok(())
}

/// Whatever a payment's last entry says of it.
fn follow(open: &mut Vec<String>, event: &Row) {
    let text = |key: &str| event.get(key).and_then(Value::as_str);
    let (Some(id), Some(to)) = (text("payment_id"), text("to_status")) else {
        return;
    };
    open.retain(|known| known != id);
    if ["new", "pending", "confirming"].contains(&to) {
        open.push(id.to_owned());
    }
}

/// The latest of them.
fn show(board: &mut Board<'_>, open: &[String]) {
    let latest = open.get(open.len().saturating_sub(SHOWN)..).unwrap_or(open);
    if board.followed() != latest {
        board.clear();
        for id in latest {
            board.follow(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_payment_is_open_until_an_entry_closes_it_and_again_when_one_opens_it() {
        let mut open = Vec::new();
        for (id, to, wanted) in [
            (json!("a"), json!("new"), vec!["a"]),
            (json!("b"), json!("pending"), vec!["a", "b"]),
            (json!("a"), json!("confirming"), vec!["b", "a"]),
            (json!("b"), json!("paid"), vec!["a"]),
            (json!(null), json!(null), vec!["a"]),
            (json!("b"), json!("confirming"), vec!["a", "b"]),
        ] {
            let event = json!({ "payment_id": id, "to_status": to });
            follow(&mut open, event.as_object().unwrap());
            assert_eq!(open, wanted, "{event}");
        }
    }
}
