//! How far back a scan may start, as far as that is known before it is tried.
//!
//! Knows the recent blocks and the configured limit; what the node still has it cannot know.

use super::state::ChainState;
use crate::domain::{payment::ScanFrom, request::Refusal, time::UnixMs};

/// So many recent blocks tell how long a block takes; fewer may have come in a burst.
const SAMPLE_MIN: usize = 128;

/// Refuses a start that is further back than `max_rescan` blocks. For a start by time before the
/// recent blocks, their average distance tells how many that are.
pub(super) fn check_reach(chain: &ChainState, from: ScanFrom) -> Result<(), Refusal> {
    let Some(cursor) = chain.view.scanned else {
        return Ok(());
    };
    let height = cursor.id.height.0;
    let blocks = match from {
        ScanFrom::Height(from) => height.saturating_sub(from.0),
        ScanFrom::Time(time) => blocks_since(chain, time).min(height),
    };
    if blocks > chain.spec.max_rescan {
        let message = format!(
            "the scan would start about {blocks} blocks back; at most {} are allowed (max_rescan of chain {})",
            chain.spec.max_rescan, chain.spec.name
        );
        return Err(Refusal::new("scan_too_far", message));
    }
    Ok(())
}

/// How many blocks came after a time: counted in the recent blocks, estimated before them.
fn blocks_since(chain: &ChainState, time: UnixMs) -> u32 {
    let recent = &chain.recent;
    let is_counted = recent.front().is_none_or(|first| first.time <= time);
    if is_counted {
        let later = recent.iter().rev().take_while(|block| block.time > time);
        return u32::try_from(later.count()).unwrap_or(u32::MAX);
    }
    let known = u32::try_from(recent.len()).unwrap_or(u32::MAX);
    estimate(chain, time).map_or(known, |blocks| blocks.max(known))
}

fn estimate(chain: &ChainState, time: UnixMs) -> Option<u32> {
    let (first, last) = (chain.recent.front()?, chain.recent.back()?);
    if chain.recent.len() < SAMPLE_MIN {
        return None;
    }
    let blocks = i64::from(last.id.height.0.saturating_sub(first.id.height.0));
    let span_ms = last.time.since(first.time).0.max(1);
    let wanted_ms = last.time.since(time).0.max(0);
    let estimate = wanted_ms.checked_mul(blocks)?.checked_div(span_ms)?;
    Some(u32::try_from(estimate).unwrap_or(u32::MAX))
}
