//! Answers that wait in the relay until a test lets them go, and questions that are under way at once. Nothing
//! in here waits for time to pass.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};

use crate::confirmd::LIMIT;

/// The longest text by which questions are known.
const TEXT_MAX: usize = 64;

/// A connection, on which one question comes after the other.
pub struct Connection {
    number: u64,
    /// Whether its question has the text that is looked for, and no answer yet.
    is_asked: AtomicBool,
}

impl Connection {
    pub fn new(number: u64) -> Self {
        Self {
            number,
            is_asked: AtomicBool::new(false),
        }
    }
}

/// What is known of the questions with some text, and of their answers.
#[derive(Default)]
pub struct Answers {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    text: String,
    is_holding: bool,
    /// The connections whose answers wait, in the order in which they came.
    waiting: Vec<u64>,
    under_way: usize,
    most: usize,
}

impl Answers {
    /// From now on answers to questions with this text wait.
    pub fn hold(&self, text: &str) {
        assert!(text.len() <= TEXT_MAX, "{text:?} is too long");
        let mut state = self.state();
        text.clone_into(&mut state.text);
        state.is_holding = true;
        state.most = 0;
    }

    /// All that wait go on, and nothing waits any more.
    pub fn release(&self) {
        let mut state = self.state();
        state.is_holding = false;
        state.waiting.clear();
        self.changed.notify_all();
    }

    /// Comes back once so many answers wait.
    #[track_caller]
    pub fn await_held(&self, count: usize) {
        let too_few = |state: &mut State| state.waiting.len() < count;
        let waited = self
            .changed
            .wait_timeout_while(self.state(), LIMIT, too_few);
        let (state, _) = waited.expect("no panic");
        let (held, text) = (state.waiting.len(), state.text.clone());
        drop(state);
        assert!(held >= count, "{held} answers about {text} are held");
    }

    /// Lets one of those that wait go, by its place among them.
    pub fn let_go(&self, place: usize) {
        self.state().waiting.remove(place);
        self.changed.notify_all();
    }

    /// How many questions had no answer at the same time, since answers were held first.
    pub fn most_at_once(&self) -> usize {
        self.state().most
    }

    /// These bytes go to the node, and those stand before them.
    pub fn asked(&self, on: &Connection, before: &mut Vec<u8>, bytes: &[u8]) {
        before.extend_from_slice(bytes);
        let mut state = self.state();
        let text = state.text.as_bytes();
        let is_meant = !text.is_empty() && before.windows(text.len()).any(|part| part == text);
        before.drain(..before.len().saturating_sub(TEXT_MAX));
        if is_meant {
            before.clear();
            if !on.is_asked.swap(true, Ordering::SeqCst) {
                state.under_way += 1;
                state.most = state.most.max(state.under_way);
            }
        }
    }

    /// The node's answer is there; comes back when the daemon may have it.
    pub fn came(&self, on: &Connection) {
        if !on.is_asked.swap(false, Ordering::SeqCst) {
            return;
        }
        let mut state = self.state();
        if state.is_holding {
            state.waiting.push(on.number);
            self.changed.notify_all();
            let waits = |state: &mut State| state.waiting.contains(&on.number);
            state = self.changed.wait_while(state, waits).expect("no panic");
        }
        state.under_way -= 1;
    }

    /// Nobody waits for an answer on this connection any more.
    pub fn ended(&self, on: &Connection) {
        if on.is_asked.swap(false, Ordering::SeqCst) {
            self.state().under_way -= 1;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }
}
