//! The follower against a fake node, by behaviour.

mod agreement;
mod asks;
mod backfill;
mod bodies;
mod finality;
mod lag;
mod mempool;
mod past_traces;
mod random;
mod reorgs;
mod run;
mod start;
mod traces;

use super::Halt;
use crate::chain::SourceError;

/// Whether a poll ended because the node contradicted itself or lacked something.
fn is_behind<T>(polled: &Result<T, Halt>) -> bool {
    matches!(polled, Err(Halt::Source(SourceError::Behind(_))))
}

fn transient() -> SourceError {
    SourceError::Transient("reset by peer".into())
}

fn permanent() -> SourceError {
    SourceError::Permanent("another network".into())
}
