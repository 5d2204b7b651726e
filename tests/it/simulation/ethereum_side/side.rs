//! What happens on Ethereum: blocks come and go, nodes lag, stray and catch up, people pay.

use super::EthereumSide;
use crate::simulation::{
    ethereum_intents::{by_contract, intent},
    truth::Truth,
    world::{Forgetting, Meddling, Payment, Side, Trick, in_common},
};
use confirmd::{
    chain::rpc::{HttpRequest, HttpResponse},
    domain::{
        block::{BlockHash, BlockRef, Height, TxId},
        time::UnixMs,
    },
    random::Random,
    sandbox::{
        ethereum::{Kind, SimulatedNode, Tx},
        json_rpc,
        tree::{Branch, Linked as _},
    },
};
use std::sync::Arc;

impl Side for EthereumSide {
    fn respond(&self, request: &HttpRequest) -> HttpResponse {
        let node = SimulatedNode {
            chain: &self.chain,
            view: &self.view,
        };
        json_rpc::respond(&node, request)
    }

    fn truth(&self) -> &Truth {
        &self.truth
    }

    fn head(&self) -> BlockRef {
        self.view.head(&self.chain).unwrap().reference()
    }

    fn best(&self) -> BlockRef {
        self.proposers_head()
    }

    fn in_common(&self, head: BlockRef) -> Option<BlockRef> {
        in_common(self.chain.tree(), &self.branch, head)
    }

    fn branch_to(&self, head: BlockHash) -> Option<Arc<Branch>> {
        self.last_branch.to(self.chain.tree(), head)
    }

    fn is_forged(&self, block: BlockHash) -> bool {
        self.forged.contains(&block)
    }

    fn is_away(&self) -> bool {
        self.lagging.is_some()
    }

    fn unconfirmed(&self) -> Vec<TxId> {
        Vec::new()
    }

    fn has_unconfirmed(&self, _: TxId) -> bool {
        false
    }

    fn mine(&mut self, at: UnixMs, share: u64) {
        let (mut picked, mut left) = (Vec::new(), Vec::new());
        for tx in std::mem::take(&mut self.waiting) {
            if self.random.chance(share) {
                picked.push(tx);
            } else {
                left.push(tx);
            }
        }
        self.waiting = left;
        let waited: Vec<Tx> = picked.iter().chain(&self.waiting).cloned().collect();
        self.go_on_apart(at, &waited);
        picked.extend(self.of_strangers());
        let block = self.mine_on(self.proposers_head(), at, picked);
        self.adopt(block);
    }

    fn reorg(&mut self, at: UnixMs, depth: u32, grow: u32, share: u64) {
        let head = self.proposers_head();
        let Some(fork) = self.branch.at(head.id.height.minus(depth)) else {
            return;
        };
        let mut parent = self.chain.block(fork).unwrap().reference();
        let mut rest = self.mined_above(parent.id.height, depth);
        for _ in 0..grow {
            let (mut picked, mut left) = (Vec::new(), Vec::new());
            for tx in rest {
                if self.random.chance(share) {
                    let fails = self.random.chance(self.fails_again);
                    picked.push(if fails { tx.failing() } else { tx });
                } else {
                    left.push(tx);
                }
            }
            rest = left;
            parent = self.mine_on(parent, at, picked);
        }
        // Most of what was left out waits again; some is never seen any more.
        for tx in rest {
            if self.random.chance(self.waits_again) {
                self.waiting.push(tx);
            }
        }
        self.adopt(parent);
    }

    fn loose_blocks(&self) -> u32 {
        let depth = self.tags.unwrap_or(self.final_depth.saturating_sub(1));
        let lowest = self.highest.minus(depth).max(Height(1));
        self.proposers_head().id.height.minus(lowest.0).0
    }

    fn final_height(&self) -> Height {
        let by_depth = self.highest.minus(self.final_depth);
        self.tagged.unwrap_or(by_depth)
    }

    fn safe_height(&self) -> Height {
        self.final_height().max(self.safest.unwrap_or_default())
    }

    fn return_to(&mut self, head: BlockRef) {
        self.adopt(head);
        let waits = |tx: &Tx| self.truth.place(tx.id(), &self.branch).is_none();
        self.waiting.retain(waits);
    }

    fn lag(&mut self) {
        self.lagging.get_or_insert(self.head());
    }

    fn stopped_below(&self, by: u32) -> Option<BlockRef> {
        let mut down = self.chain.tree().down_from(self.lagging?.id.hash);
        Some(down.nth(usize::try_from(by).ok()?)?.reference())
    }

    fn hear_of(&mut self, head: BlockRef) {
        self.view.set_head(&self.chain, head.id.hash);
        if let Some(depth) = self.tags {
            // Nothing that the proposers left is called final by anybody.
            let common = self
                .in_common(head)
                .map_or(Height(0), |block| block.id.height);
            let [tagged, safe] =
                [depth, super::half(depth)].map(|d| self.highest.minus(d).min(common));
            self.name(Some(tagged), Some(safe));
        }
    }

    fn stray(&mut self, at: UnixMs, fork: Height, share: u64) {
        let parent = self.branch.at(fork).unwrap();
        let mut parent = self.chain.block(parent).unwrap().reference();
        let height = self.proposers_head().id.height;
        while parent.id.height < height {
            parent = self.mine_on(parent, at, Vec::new());
        }
        let mut picked = self.waiting.clone();
        picked.retain(|_| self.random.chance(share));
        let head = self.mine_on(parent, at, picked);
        self.lagging = Some(head);
        self.hear_of(head);
    }

    fn is_syncing(&self) -> bool {
        self.view.syncing
    }

    fn sync(&mut self, is_on: bool) {
        self.view.syncing = is_on;
    }

    fn catch_up(&mut self) {
        self.lagging = None;
        self.hear_of(self.proposers_head());
    }

    fn pay(&mut self, how: &Payment, _: UnixMs) -> Option<TxId> {
        let kinds = [
            Kind::Legacy,
            Kind::AccessList,
            Kind::DynamicFee,
            Kind::Blob,
            Kind::SetCode,
        ];
        let kind = *self.random.pick(&kinds).unwrap();
        let is_plain = how.trick == Trick::None && how.beside.is_empty();
        let by_a_contract = how.asset == "ETH" && is_plain && self.payers.chance(self.contracts);
        let intent = if by_a_contract {
            by_contract(how, self.payers.below(5))
        } else {
            intent(how, kind)
        };
        let mut tx = self.sender.sign(intent);
        if how.trick == Trick::Fails {
            tx = tx.failing();
        }
        let txid = tx.id();
        self.sent.insert(txid, tx.clone());
        if how.trick != Trick::Stuck {
            self.waiting.push(tx);
        }
        Some(txid)
    }

    fn meddle(&mut self, last: TxId, how: &Meddling, _: UnixMs) -> Option<TxId> {
        match how {
            Meddling::Replace(_) | Meddling::DoubleSpend | Meddling::Drop => {
                // What waits is in no mempool that anybody looks at.
                self.waiting.retain(|tx| tx.id() != last);
            }
            Meddling::Resend => {
                let is_waiting = self.waiting.iter().any(|tx| tx.id() == last);
                let is_mined = self.truth.place(last, &self.branch).is_some();
                if let (false, false, Some(tx)) = (is_waiting, is_mined, self.sent.get(&last)) {
                    self.waiting.push(tx.clone());
                }
            }
        }
        Some(last)
    }

    fn forget(&mut self, _: Forgetting, _: &mut Random) -> bool {
        false
    }
}
