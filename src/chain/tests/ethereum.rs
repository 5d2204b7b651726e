//! The Ethereum node in memory as one of the nodes under test.

use super::Node;
use crate::{
    chain::{
        ethereum::{
            EthereumSource, Network,
            fake_node::FakeNode,
            fixture::{Built, transfer_log},
            verify::header_ref,
        },
        rpc::{Auth, Client, MemoryTransport, silent},
    },
    clock::{Clock, SystemClock},
    domain::block::{BlockRef, Height},
};
use alloy_primitives::{Address, U256};
use serde_json::{Value, json};
use std::sync::Arc;

/// What tells blocks of one height apart.
const BRANCHES: [&str; 3] = ["first", "second", "third"];

pub struct Geth {
    fake: FakeNode,
    unheard: Vec<Built>,
    branch: usize,
}

impl Geth {
    /// Answers this call about the best block at this height so.
    fn fault(&self, method: &str, height: u32, answer: Value) {
        let at = usize::try_from(height).unwrap();
        let hash = self.fake.state().chain[at].hash;
        let call = format!("{method} [\"{hash}\"");
        self.fake.fault(call.leak(), answer);
    }
}

impl Node for Geth {
    type Source = EthereumSource<MemoryTransport>;
    const HAS_MEMPOOL: bool = false;
    const SHOWS_PURE_ROLLBACKS: bool = false;

    fn new() -> Self {
        Self {
            fake: FakeNode::new(),
            unheard: Vec::new(),
            branch: 0,
        }
    }

    fn source(&self) -> Self::Source {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let transport = self.fake.transport();
        let client = Client::new("local", transport, Auth::None, Arc::clone(&clock), silent());
        let network = Network {
            chain_id: 31_337,
            genesis: None,
        };
        EthereumSource::over(vec![client], network, Vec::new(), clock)
    }

    fn mine_one(&mut self) {
        let branch = BRANCHES[self.branch];
        let token = Address::repeat_byte(0x70);
        let log = transfer_log(token, Address::ZERO, token, U256::from(1));
        self.fake.mine(|block| {
            let block = block.extra(branch).logs(token, vec![log]);
            block.ether(Address::repeat_byte(1), U256::from(1000))
        });
    }

    fn roll_back(&mut self, depth: usize) {
        self.branch += 1;
        self.fake.roll_back(depth);
    }

    fn lag(&mut self, depth: usize) {
        let mut state = self.fake.state();
        let kept = state.chain.len() - depth;
        self.unheard = state.chain.split_off(kept);
    }

    fn keep_up(&mut self) {
        self.fake.state().chain.append(&mut self.unheard);
    }

    fn best(&self) -> Vec<BlockRef> {
        let state = self.fake.state();
        let refs = (0..)
            .zip(&state.chain)
            .map(|(height, built)| header_ref(&built.block.to_string(), Height(height)).unwrap());
        refs.collect()
    }

    fn lose_body(&mut self, height: u32) {
        self.fault("eth_getBlockByHash", height, Value::Null);
    }

    /// Takes the receipts of a block away, so that its token transfer is hidden.
    fn forge(&mut self, height: u32) {
        self.fault("eth_getBlockReceipts", height, json!([]));
    }

    fn heal(&mut self) {
        self.fake.heal();
    }
}
