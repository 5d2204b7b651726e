//! How far each chain is followed, and what of it is final and safe.

use super::Case;
use crate::simulation::{
    ethereum_side::half,
    plan::Plan,
    rows::{cursor, finalized, safe},
    world::{Side, Which},
};
use std::ops::RangeInclusive;

/// Up to where a chain is final, and up to where it is safe.
pub struct Heights {
    pub finalized: u32,
    pub safe: u32,
}

/// Checks that all of a chain is scanned and nothing is called what it is not.
pub fn are_right(case: &Case<'_>, side: &dyn Side, which: Which) -> Result<Heights, String> {
    let head = side.head().id.hash;
    if cursor(case.db, which) != Some(head) {
        return Err(format!(
            "{which:?}: the cursor is not at the node's head {head}"
        ));
    }
    let finalized = finalized(case.db, which).unwrap_or(0);
    let justified = final_heights(case.plan, side, which);
    if !justified.contains(&finalized) {
        return Err(format!(
            "{which:?}: {finalized} is final, not {justified:?}"
        ));
    }
    let safe = safe(case.db, which).unwrap_or(0);
    let justified = safe_heights(case.plan, side, which);
    if !justified.contains(&safe) {
        return Err(format!("{which:?}: {safe} is safe, not {justified:?}"));
    }
    Ok(Heights { finalized, safe })
}

/// What may be final: as deep below the head as it was promised, or below the highest block that
/// there ever was, since what was final stays so.
fn final_heights(plan: &Plan, side: &dyn Side, which: Which) -> RangeInclusive<u32> {
    let by_depth = u32::try_from(plan.final_depth).unwrap();
    let depth = match which {
        Which::Bitcoin => by_depth,
        Which::Ethereum => plan.tags.unwrap_or(by_depth),
    };
    side.head().id.height.minus(depth).0..=side.final_height().0
}

/// What may be called safe: what nodes named last, and nothing that they never named.
fn safe_heights(plan: &Plan, side: &dyn Side, which: Which) -> RangeInclusive<u32> {
    match (which, plan.tags) {
        (Which::Ethereum, Some(depth)) => {
            side.head().id.height.minus(half(depth)).0..=side.safe_height().0
        }
        (Which::Ethereum | Which::Bitcoin, _) => 0..=0,
    }
}
