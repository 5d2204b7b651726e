//! The watcher on a real store, told by hand what followers and gateways would tell it.

mod agreement;
mod backfill;
mod balances;
mod claims;
mod clock;
mod commits;
mod depth;
mod forged;
mod health;
mod held;
mod mempool;
mod money;
mod progress;
mod reload;
mod requests;
mod reuse;
mod rollback;
mod scans;
mod time;
mod token_events;
mod traces;
mod turns;
mod two_chains;
mod undated;
mod watched_again;
mod world;

use crate::domain::time::SpanMs;

const MINUTE: SpanMs = SpanMs::from_secs(60);
const DAY: SpanMs = SpanMs::from_secs(86_400);
const DAY_BACK: SpanMs = SpanMs::from_secs(-86_400);
