//! What one operator's node believes while the others' follow the proposers: it stands still, or
//! shows a branch that nobody else has.

use super::EthereumSide;
use confirmd::{
    chain::rpc::{HttpRequest, HttpResponse},
    domain::{block::BlockRef, time::UnixMs},
    sandbox::{
        ethereum::{SimulatedNode, Tx, View},
        json_rpc,
        tree::Linked as _,
    },
};

/// A node's own view.
pub(super) struct Apart {
    view: View,
    head: BlockRef,
    /// Whether it shows blocks that nobody else has.
    forges: bool,
}

/// A branch that one node shows.
#[derive(Debug, Clone, Copy)]
pub struct Forged {
    /// How far below the true head it leaves.
    pub depth: u32,
    /// How many blocks of its own it has at first.
    pub grow: u32,
    /// About so many of a thousand transactions that it could hold are in it.
    pub share: u64,
    /// Whether it calls its own blocks final.
    pub is_final: bool,
}

impl EthereumSide {
    /// One node hears of nothing new, and stands so many blocks below where it was.
    pub fn fall_apart(&mut self, by: u32) {
        let head = self.proposers_head();
        let below = self.branch.at(head.id.height.minus(by));
        let head = below.and_then(|hash| self.chain.block(hash)).unwrap();
        let head = head.reference();
        self.show_apart(head, false);
    }

    /// One node shows a branch of its own, and goes on with it as the true one grows.
    pub fn forge_apart(&mut self, at: UnixMs, how: Forged) {
        let head = self.proposers_head();
        let fork = self.branch.at(head.id.height.minus(how.depth)).unwrap();
        let fork = self.chain.block(fork).unwrap();
        let mut parent = fork.reference();
        let lost = self.mined_above(parent.id.height, how.depth);
        let waiting = self.waiting.clone();
        let mut all: Vec<Tx> = lost.into_iter().chain(waiting).collect();
        for _ in 0..how.grow {
            let (picked, left) = all.into_iter().partition(|_| self.forger.chance(how.share));
            all = left;
            parent = self.mine_apart(parent, at, picked);
        }
        self.show_apart(parent, true);
        if let Some(apart) = self.apart.as_mut().filter(|_| how.is_final) {
            apart.view.finalize_to(Some(parent.id.height));
        }
    }

    /// All nodes are the same again.
    pub fn reunite(&mut self) {
        self.apart = None;
    }

    /// What the node that is apart answers.
    pub fn respond_apart(&self, request: &HttpRequest) -> HttpResponse {
        let view = self.apart.as_ref().map_or(&self.view, |apart| &apart.view);
        let chain = &self.chain;
        json_rpc::respond(&SimulatedNode { chain, view }, request)
    }

    /// A forged branch grows with the true one.
    pub(super) fn go_on_apart(&mut self, at: UnixMs, waiting: &[Tx]) {
        let Some(apart) = self.apart.as_ref().filter(|apart| apart.forges) else {
            return;
        };
        let (head, ours) = (apart.head, apart.view.branch());
        let is_new = |tx: &&Tx| self.truth.place(tx.id(), ours).is_none();
        let new: Vec<Tx> = waiting.iter().filter(is_new).cloned().collect();
        let picked = new.into_iter().filter(|_| self.forger.chance(500));
        let picked = picked.collect();
        let head = self.mine_apart(head, at, picked);
        if let Some(apart) = &mut self.apart {
            apart.view.set_head(&self.chain, head.id.hash);
            apart.head = head;
        }
    }

    fn mine_apart(&mut self, parent: BlockRef, at: UnixMs, picked: Vec<Tx>) -> BlockRef {
        let withdrawals = std::mem::take(&mut self.withdrawals);
        let block = self.mine_on(parent, at, picked);
        self.withdrawals = withdrawals;
        self.forged.insert(block.id.hash);
        block
    }

    fn show_apart(&mut self, head: BlockRef, forges: bool) {
        let mut view = self.view.clone();
        view.set_head(&self.chain, head.id.hash);
        self.apart = Some(Apart { view, head, forges });
    }
}
