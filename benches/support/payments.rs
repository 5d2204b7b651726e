//! Payments by number: the n-th has an address, an id and a registration that follow from n.

use alloy_primitives::{Address, hex, keccak256};
use bitcoin::{Network, ScriptBuf, WPubkeyHash, hashes::Hash};
use confirmd::domain::{request::Request, time::UnixMs};

/// On which chain, and in what, a measurement's payments are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// In BTC, to P2WPKH.
    Bitcoin,
    /// In USDT.
    Ethereum,
    /// In ether.
    Ether,
}

impl Side {
    pub const fn chain(self) -> &'static str {
        match self {
            Self::Bitcoin => "bitcoin",
            Self::Ethereum | Self::Ether => "ethereum",
        }
    }

    const fn asset(self) -> &'static str {
        match self {
            Self::Bitcoin => "BTC",
            Self::Ethereum => "USDT",
            Self::Ether => "ETH",
        }
    }

    const fn amount(self) -> &'static str {
        match self {
            Self::Bitcoin => "0.015",
            Self::Ethereum => "25",
            Self::Ether => "0.01",
        }
    }

    pub fn address(self, n: u64) -> String {
        match self {
            Self::Bitcoin => bitcoin::Address::from_script(&script(n), Network::Regtest)
                .expect("a standard script")
                .to_string(),
            Self::Ethereum | Self::Ether => account(n).to_string(),
        }
    }
}

/// What every payment expects in base units: 0.015 BTC.
pub const SATS: u64 = 1_500_000;
/// What every payment expects in base units: 25 USDT.
pub const MICRO_USDT: u64 = 25_000_000;
/// What every payment expects in base units: 0.01 ether.
pub const WEI: u64 = 10_000_000_000_000_000;

/// The n-th script.
pub fn script(n: u64) -> ScriptBuf {
    ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array(account(n).into_array()))
}

/// The n-th account.
pub fn account(n: u64) -> Address {
    Address::from_slice(&keccak256(n.to_be_bytes())[..20])
}

/// The n-th id: as scattered as a UUID.
pub fn id(n: u64) -> String {
    hex::encode(&keccak256((!n).to_be_bytes())[..16])
}

/// The n-th registration; from the block `scan_from` on, when that is given.
pub fn registration(side: Side, n: u64, created_at: UnixMs, scan_from: Option<u32>) -> Request {
    let mut body = serde_json::json!({
        "asset": side.asset(), "address": side.address(n), "amount": side.amount(),
        "metadata": {"order": n},
    });
    if let Some(height) = scan_from {
        body["scan_from"] = height.into();
    }
    Request {
        seq: i64::try_from(n).expect("a small number") + 1,
        request_id: format!("register-{}", id(n)),
        kind: "register".to_owned(),
        payment_id: id(n),
        body: body.to_string(),
        actor: None,
        created_at,
    }
}
