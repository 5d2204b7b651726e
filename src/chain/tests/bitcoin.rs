//! The bitcoind in memory as one of the nodes under test.

use super::Node;
use crate::{
    chain::{
        bitcoin::{
            BitcoinSource,
            fake::{Fake, output, spending, wpkh},
        },
        rpc::MemoryTransport,
    },
    domain::block::BlockRef,
};
use bitcoin::Block;

pub struct Bitcoind {
    fake: Fake,
    unheard: Vec<Block>,
    mined: u8,
}

impl Node for Bitcoind {
    type Source = BitcoinSource<MemoryTransport>;
    const HAS_MEMPOOL: bool = true;
    const SHOWS_PURE_ROLLBACKS: bool = true;

    fn new() -> Self {
        Self {
            fake: Fake::new(),
            unheard: Vec::new(),
            mined: 0,
        }
    }

    fn source(&self) -> Self::Source {
        self.fake.source()
    }

    fn mine_one(&mut self) {
        self.mined += 1;
        let paying = spending(self.mined, 0, vec![output(1000, &wpkh(1))]);
        self.fake.mine(vec![paying]);
    }

    fn roll_back(&mut self, depth: usize) {
        self.fake.state().disconnect(depth);
    }

    fn lag(&mut self, depth: usize) {
        let mut state = self.fake.state();
        let kept = state.best.len() - depth;
        self.unheard = state.best.split_off(kept);
    }

    fn keep_up(&mut self) {
        self.fake.state().best.append(&mut self.unheard);
    }

    fn best(&self) -> Vec<BlockRef> {
        let state = self.fake.state();
        let heights = (0..).take(state.best.len());
        heights.map(|height| state.block_ref(height)).collect()
    }

    fn lose_body(&mut self, height: u32) {
        self.fake.state().bodiless = Some(height);
    }

    /// Changes every body that is asked for, which is the tip's alone.
    fn forge(&mut self, _: u32) {
        self.fake.state().tamper = Some(|bytes| bytes[90] ^= 1);
    }

    fn heal(&mut self) {
        let mut state = self.fake.state();
        state.bodiless = None;
        state.tamper = None;
    }
}
