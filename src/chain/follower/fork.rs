//! The walk down the node's best chain to a block of ours: headers only, changing nothing.

use super::window::{Window, follows, parent};
use crate::{
    chain::{ChainSource, SourceError},
    domain::block::{BlockId, BlockRef, Height},
};

/// The most headers in one request: a request stays inside every source's answer limit, and a
/// day of Bitcoin comes in one.
pub(super) const HEADER_BATCH: u32 = 128;

/// The first step down. Nearly every reorg is one or two blocks deep.
const FIRST_STEP: u32 = 8;

/// The part of the node's best chain that is not ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path {
    /// The block that the path stands on.
    pub head: BlockId,
    /// The node's blocks above it, ascending and linked.
    pub blocks: Vec<BlockRef>,
}

impl Path {
    /// The path that these blocks are; `None` for none, and for genesis, which nothing precedes.
    pub(super) fn above(blocks: Vec<BlockRef>) -> Option<Self> {
        let head = parent(blocks.first()?)?;
        Some(Self { head, blocks })
    }
}

/// What a walk found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Walk {
    /// The path's head is a block of ours: the fork point.
    Found(Path),
    /// Down to the floor there is no block of ours.
    Below(Path),
}

/// Walks down from the path's head until it is a block of ours, no lower than `floor`.
pub(super) async fn walk<S: ChainSource>(
    source: &mut S,
    window: &Window,
    floor: Height,
    mut path: Path,
) -> Result<Walk, SourceError> {
    let mut step = FIRST_STEP;
    loop {
        let below_floor = path.head.height < floor;
        if !below_floor && window.contains(path.head) {
            return Ok(Walk::Found(path));
        }
        if below_floor || path.head.height == floor {
            return Ok(Walk::Below(path));
        }
        let to = floor.max(path.head.height.minus(step));
        path = descend(source, path, to, window).await?;
        step = step.saturating_mul(4).min(HEADER_BATCH);
    }
}

/// Lengthens the path downwards until it stands on the block at `to`, or on a block of `ours`.
pub(super) async fn descend<S: ChainSource>(
    source: &mut S,
    mut path: Path,
    to: Height,
    ours: &Window,
) -> Result<Path, SourceError> {
    while path.head.height > to {
        let from = to.plus(1).max(path.head.height.minus(HEADER_BATCH - 1));
        let count = path.head.height.minus(from.0).0.saturating_add(1);
        let mut below = linked_headers(source, from, count).await?;
        if below.last().map(|top| top.id) != Some(path.head) {
            return Err(moved(path.head.height));
        }
        let foreign = |block: &BlockRef| !ours.contains(block.id);
        let common = below.partition_point(|block| !foreign(block));
        below.drain(..common);
        below.append(&mut path.blocks);
        path = Path::above(below).ok_or_else(|| moved(from))?;
        if common > 0 {
            break;
        }
    }
    Ok(path)
}

/// Headers of the node's best chain from `from` on, at least one and at most `count`, ascending
/// and linked, in whatever order they were answered.
pub(super) async fn linked_headers<S: ChainSource>(
    source: &mut S,
    from: Height,
    count: u32,
) -> Result<Vec<BlockRef>, SourceError> {
    let mut headers = source.headers(from, count).await?;
    headers.sort_unstable_by_key(|header| header.id.height);
    let starts = headers.first().is_some_and(|first| first.id.height == from);
    let fits = u32::try_from(headers.len()).is_ok_and(|len| len <= count);
    let links = headers
        .windows(2)
        .all(|pair| matches!(pair, [lower, upper] if follows(lower.id, upper)));
    if starts && fits && links {
        Ok(headers)
    } else {
        Err(moved(from))
    }
}

/// The node's answers contradict each other: it reorganised in between, or does not tell the
/// truth. Either way the next poll starts from its tip again.
pub(super) fn moved(at: Height) -> SourceError {
    SourceError::Behind(format!(
        "the node's headers around block {at} do not link up; it may have switched branches"
    ))
}
