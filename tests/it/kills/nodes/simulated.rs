//! The simulated nodes, whose blocks cost next to nothing.

use confirmd::domain::asset::ChainKind;
use confirmd::sandbox::world::{Unconfirmed, World};

use super::{Coin, Nodes};
use crate::confirmd::Confirmd;
use crate::confirmd::daemon::Setup;
use crate::confirmd::simulated::{self, destination};

pub struct Simulated(simulated::Simulated);

impl Simulated {
    pub fn start() -> Self {
        Self(simulated::Simulated::start())
    }
}

/// Replaces the payment in the mempool that pays this address.
fn replace(world: &mut World, address: &str) {
    let to = destination(ChainKind::Bitcoin, address);
    world
        .replace(Unconfirmed::Paying(to), None)
        .expect("a payment in the mempool");
}

impl Nodes for Simulated {
    fn followed(&self) -> Setup {
        Confirmd::with(&self.0)
    }

    fn height(&self, chain: ChainKind) -> u64 {
        self.0.height(chain)
    }

    fn tip(&self, chain: ChainKind) -> String {
        self.0.tip(chain)
    }

    fn new_address(&self, coin: Coin, seed: &str) -> String {
        simulated::address(coin.chain(), seed)
    }

    fn pay(&self, coin: Coin, address: &str, units: u64) -> String {
        let (asset, _, _) = coin.price();
        self.0.pay(asset, address, units)
    }

    fn mine(&self, chain: ChainKind, blocks: u64) {
        self.0.mine(chain, blocks);
    }

    fn mine_empty(&self) {
        let mined = self.0.with(|world| world.mine_empty(ChainKind::Bitcoin));
        mined.expect("a block");
    }

    /// By one more; their payments wait for the next block.
    fn replace_blocks(&self, chain: ChainKind, depth: u64) {
        let depth = u32::try_from(depth).expect("a few blocks");
        let replaced = self.0.with(|world| world.reorg(&[chain], depth));
        replaced.expect("blocks that are not final");
    }

    fn may_roll_back(&self) -> bool {
        false
    }

    fn has_forgotten(&self, _coin: Coin, _txid: &str) -> bool {
        false
    }

    fn replace(&self, address: &str, _txid: &str) {
        self.0.with(|world| replace(world, address));
    }

    fn double_spend(&self, address: &str, _txid: &str) {
        self.0.with(|world| {
            world.reorg(&[ChainKind::Bitcoin], 1).expect("a block");
            replace(world, address);
            world.mine(&[ChainKind::Bitcoin], 1).expect("a block");
        });
    }
}
