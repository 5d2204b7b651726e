//! bitcoind and anvil.

use std::str::FromStr as _;

use alloy_primitives::{Address, B256};
use confirmd::domain::asset::ChainKind;

use super::{Coin, Nodes};
use crate::confirmd::daemon::Setup;
use crate::confirmd::simulated;
use crate::confirmd::{Confirmd, Ethereum};
use crate::nodes::bitcoind::Bitcoind;
use crate::nodes::tokens;

/// How many blocks anvil's epochs have, two of which make a block final.
const EPOCH: [&str; 2] = ["--slots-in-an-epoch", "6"];

/// So many blocks later every coin of the wallet is mature, and stays so when blocks are replaced: else the node
/// itself would forget payments that the victim has not seen.
const MATURITY: u64 = 110;

pub struct Real {
    btc: Bitcoind,
    eth: Ethereum,
}

impl Real {
    pub fn start() -> Self {
        let btc = Bitcoind::start();
        btc.mine(MATURITY);
        let eth = Ethereum::start_with(&EPOCH);
        Self { btc, eth }
    }
}

impl Nodes for Real {
    fn followed(&self) -> Setup {
        Confirmd::with(&self.btc).and(&self.eth)
    }

    fn height(&self, chain: ChainKind) -> u64 {
        match chain {
            ChainKind::Bitcoin => self.btc.height(),
            ChainKind::Ethereum => self.eth.anvil.block_number(),
        }
    }

    fn tip(&self, chain: ChainKind) -> String {
        match chain {
            ChainKind::Bitcoin => self.btc.tip(),
            ChainKind::Ethereum => self.eth.anvil.hash_at(self.height(chain)).to_string(),
        }
    }

    fn new_address(&self, coin: Coin, seed: &str) -> String {
        match coin.chain() {
            ChainKind::Bitcoin => self.btc.new_address("bech32"),
            ChainKind::Ethereum => simulated::address(ChainKind::Ethereum, seed),
        }
    }

    fn pay(&self, coin: Coin, address: &str, units: u64) -> String {
        let anvil = &self.eth.anvil;
        let account = || Address::from_str(address).expect("an address");
        match coin {
            Coin::Btc => {
                let amount =
                    bitcoin::Amount::from_sat(units).to_string_in(bitcoin::Denomination::Bitcoin);
                self.btc.send(address, &amount)
            }
            Coin::Eth => anvil.send_eth(account(), units).to_string(),
            Coin::Usdt => {
                let sent = tokens::transfer(anvil, self.eth.tokens.usdt, account(), units);
                sent.to_string()
            }
        }
    }

    fn mine(&self, chain: ChainKind, blocks: u64) {
        match chain {
            ChainKind::Bitcoin => drop(self.btc.mine(blocks)),
            ChainKind::Ethereum => self.eth.anvil.mine(blocks),
        }
    }

    fn mine_empty(&self) {
        self.btc.mine_empty(1);
    }

    /// On Bitcoin by one more, and their payments are in the mempool again; on Ethereum they are gone.
    fn replace_blocks(&self, chain: ChainKind, depth: u64) {
        match chain {
            ChainKind::Bitcoin => drop(self.btc.reorg(depth, depth + 1)),
            ChainKind::Ethereum => self.eth.anvil.reorg(depth),
        }
    }

    fn may_roll_back(&self) -> bool {
        true
    }

    fn has_forgotten(&self, coin: Coin, txid: &str) -> bool {
        match coin.chain() {
            ChainKind::Bitcoin => false,
            ChainKind::Ethereum => {
                let txid = B256::from_str(txid).expect("a hash");
                self.eth.anvil.receipt(txid).is_none()
            }
        }
    }

    fn replace(&self, _address: &str, txid: &str) {
        self.btc.replace(txid, &[]);
    }

    fn double_spend(&self, _address: &str, txid: &str) {
        self.btc.rollback(1);
        let conflict = self.btc.sign_conflict(txid, &[]);
        self.btc.mine_only(&[&conflict]);
        self.btc.mine_empty(1);
    }
}
