//! What a test does with simulated nodes of both chains: whatever happens there, it lets happen.

use alloy_primitives::{Address, keccak256};
use bitcoin::hashes::Hash as _;
use bitcoin::{Network, ScriptBuf, WPubkeyHash};
use confirmd::chain::{bitcoin as btc, ethereum as eth};
use confirmd::domain::amount::Amount;
use confirmd::domain::asset::ChainKind;
use confirmd::domain::facts::{CreditAsset, Destination};
use confirmd::sandbox::live::Live;
use confirmd::sandbox::world::{CHAIN_ID, Pay, World, tokens};

use super::config::{BTC_DEPTH, Config, ETH_DEPTH, Followed, POLL, TOKEN_DEPTH};
use super::listeners::Listeners;

/// Both nodes. Gone when dropped.
pub struct Simulated {
    pub live: Live,
    listeners: Listeners,
}

impl Simulated {
    pub fn start() -> Self {
        let listeners = Listeners::start();
        Self {
            live: listeners.live.clone(),
            listeners,
        }
    }

    /// Looks at the world, or changes it.
    pub fn with<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        self.live.with(act)
    }

    pub fn height(&self, chain: ChainKind) -> u64 {
        self.with(|world| world.tip(chain).id.height.0.into())
    }

    /// The hash of the last block, as the views print it.
    pub fn tip(&self, chain: ChainKind) -> String {
        let hash = self.with(|world| world.tip(chain).id.hash);
        format!("{}{hash}", chain.hash_prefix())
    }

    /// Makes blocks with everything that waits.
    pub fn mine(&self, chain: ChainKind, blocks: u64) {
        let blocks = u32::try_from(blocks).expect("a few blocks");
        let mined = self.with(|world| world.mine(&[chain], blocks));
        mined.expect("blocks");
    }

    /// Sends base units of BTC, ETH, USDT or USDC to an address; the txid, as the views print it.
    pub fn pay(&self, asset: &str, address: &str, units: u64) -> String {
        let [tether, circle] = tokens().map(|token| CreditAsset::Token(token.contract));
        let (chain, asset) = match asset {
            "BTC" => (ChainKind::Bitcoin, CreditAsset::Native),
            "ETH" => (ChainKind::Ethereum, CreditAsset::Native),
            "USDT" => (ChainKind::Ethereum, tether),
            "USDC" => (ChainKind::Ethereum, circle),
            _ => panic!("there is no {asset}"),
        };
        let pay = Pay {
            chain,
            to: destination(chain, address),
            asset,
            amount: Amount::from_u64(units),
        };
        let txid = self.with(|world| world.pay(&pay)).expect("a transaction");
        format!("{}{txid}", chain.hash_prefix())
    }
}

/// An address that nobody has but who knows the seed.
pub fn address(chain: ChainKind, seed: &str) -> String {
    let word = keccak256(seed);
    match chain {
        ChainKind::Bitcoin => {
            let hash = WPubkeyHash::from_slice(&word[..20]).expect("20 bytes");
            let script = ScriptBuf::new_p2wpkh(&hash);
            let address = bitcoin::Address::from_script(&script, Network::Regtest);
            address.expect("a standard script").to_string()
        }
        ChainKind::Ethereum => Address::from_word(word).to_string(),
    }
}

/// The exact bytes behind an address.
pub fn destination(chain: ChainKind, address: &str) -> Destination {
    match chain {
        ChainKind::Bitcoin => {
            btc::parse_address(address, Network::Regtest)
                .expect("BTC")
                .0
        }
        ChainKind::Ethereum => eth::parse_address(address).expect("an account").0,
    }
}

/// Follows the simulated chain of this kind at this URL, under any name.
pub fn follow(config: &mut Config, kind: ChainKind, name: &str, url: &str) {
    let mut set =
        |key: &str, value: toml::Value| config.set(&format!("chains.{name}.{key}"), value);
    set("kind", kind.as_str().into());
    set("poll_interval", POLL.into());
    match kind {
        ChainKind::Bitcoin => {
            set("network", "regtest".into());
            set("rpc_url", url.into());
        }
        ChainKind::Ethereum => {
            let id = i64::try_from(CHAIN_ID).expect("a small number");
            set("chain_id", id.into());
            config.endpoint_of(name, url);
        }
    }
}

impl Followed for Simulated {
    fn configure(&self, config: &mut Config) {
        let url = self.listeners.url(ChainKind::Bitcoin);
        follow(config, ChainKind::Bitcoin, "bitcoin", &url);
        config.set("assets.BTC.chain", "bitcoin");
        config.set("assets.BTC.confirmations", BTC_DEPTH);
        let url = self.listeners.url(ChainKind::Ethereum);
        follow(config, ChainKind::Ethereum, "ethereum", &url);
        config.set("assets.ETH.chain", "ethereum");
        config.set("assets.ETH.confirmations", ETH_DEPTH);
        for token in tokens() {
            let asset = format!("assets.{}", token.symbol);
            let contract = Address::from(token.contract).to_string();
            config.set(&format!("{asset}.chain"), "ethereum");
            config.set(&format!("{asset}.contract"), contract);
            config.set(&format!("{asset}.decimals"), i64::from(token.decimals));
            config.set(&format!("{asset}.confirmations"), TOKEN_DEPTH);
        }
    }
}
