//! Blocks that were taken as endpoints tell them: their money is flagged, and that they are taken so is told.
//!
//! Which blocks are, the source decides; who is flagged, the domain by each credit's evidence.

use super::{Watcher, state::ChainState};
use crate::{
    chain::ChainInput,
    domain::{
        block::BlockRef,
        event::Entry,
        facts::BlockFacts,
        time::{SpanMs, UnixMs},
    },
};

/// It is told once an hour, however many blocks there are.
const TOLD_EVERY: SpanMs = SpanMs::from_secs(3600);

/// What is known of such blocks of a chain.
#[derive(Debug, Default)]
pub struct Unproven {
    /// The last one, and why; `None` once a block with transactions was proved again.
    last: Option<(BlockRef, String)>,
    /// When the block was made of which it was told last.
    told_at: Option<UnixMs>,
}

impl Unproven {
    /// What an operator should know of it.
    pub(super) fn remark(&self) -> Option<String> {
        let (block, why) = self.last.as_ref()?;
        let height = block.id.height;
        Some(format!(
            "block {height} is taken as it is told, and whoever it pays is flagged degraded: {why}"
        ))
    }

    fn is_news(&self, block: BlockRef) -> bool {
        let told_at = self.told_at;
        told_at.is_none_or(|told_at| block.time > told_at.plus(TOLD_EVERY))
    }
}

/// The first of these blocks that was not proved, where that is to be told.
fn first_told<'a>(chain: &ChainState, blocks: &'a [BlockFacts]) -> Option<(BlockRef, &'a str)> {
    let mut unproven = blocks
        .iter()
        .filter_map(|facts| Some((facts.block, facts.unproven.as_deref()?)));
    unproven.find(|(block, _)| chain.unproven.is_news(*block))
}

/// An entry of the journal for blocks that were not proved.
pub(super) fn entry(chain: &ChainState, blocks: &[BlockFacts], at: UnixMs) -> Option<Entry> {
    let (block, why) = first_told(chain, blocks)?;
    let data = serde_json::json!({
        "chain": chain.spec.name,
        "unproven": { "height": block.id.height.0, "hash": format!("0x{}", block.id.hash) },
        "message": format!(
            "no endpoint's answer can be verified, and on_unverifiable is \"degrade\": blocks are taken as \
             they are told, and payments by them are flagged degraded ({why})"
        ),
    });
    Some(Entry::attention(&data, at))
}

impl Watcher {
    /// Takes note of committed blocks that were not proved.
    pub(super) fn note_unproven(&mut self, at: usize, input: &ChainInput) {
        let blocks = input.joined();
        let unproven = blocks.iter().filter(|facts| facts.unproven.is_some());
        let count = u64::try_from(unproven.count()).unwrap_or(u64::MAX);
        let chain = self.chain_mut(at);
        if let Some((block, _)) = first_told(chain, blocks) {
            chain.unproven.told_at = Some(block.time);
        }
        for facts in blocks {
            if let Some(why) = &facts.unproven {
                chain.unproven.last = Some((facts.block, why.clone()));
            } else if !facts.transactions.is_empty() {
                chain.unproven.last = None;
            }
        }
        let name = self.chain(at).spec.name.clone();
        self.metrics.unproven_blocks(&name, count);
    }
}
