//! Transactions by hand, as a source of either chain reports them.

use crate::{
    domain::{
        amount::Amount,
        asset::ChainKind,
        block::{BlockRef, TxId},
        facts::{BlockFacts, Candidate, CreditAsset, Destination, OutPoint, Payer, Spend},
        transfer::Position,
    },
    watcher::state::AddressFormat,
};

/// Addresses that tests pay to, valid on regtest.
pub const ADDRESSES: [&str; 2] = [
    "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080",
    "bcrt1q6rz28mcfaxtmd6v789l9rrlrusdprr9pz3cppk",
];

/// The same on Ethereum.
const ACCOUNTS: [&str; 2] = [
    "0x00000000000000000000000000000000000000a1",
    "0x00000000000000000000000000000000000000a2",
];

/// The contract of the token that carries bitcoin on Ethereum.
pub const WRAPPED: [u8; 20] = [0xbb; 20];

/// How a chain writes its addresses.
pub fn format(kind: ChainKind) -> AddressFormat {
    match kind {
        ChainKind::Bitcoin => AddressFormat::Bitcoin(::bitcoin::Network::Regtest),
        ChainKind::Ethereum => AddressFormat::Ethereum,
    }
}

/// The n-th address of a chain as text.
pub fn address(kind: ChainKind, n: usize) -> &'static str {
    match kind {
        ChainKind::Bitcoin => ADDRESSES[n],
        ChainKind::Ethereum => ACCOUNTS[n],
    }
}

/// The n-th address of a chain in its bytes.
pub fn destination(kind: ChainKind, n: usize) -> Destination {
    format(kind).parse(address(kind, n)).unwrap().0
}

/// A transaction that pays addresses.
#[derive(Clone)]
pub struct Tx {
    pub txid: TxId,
    pub pays: Vec<(usize, u64)>,
    pub spends: Vec<OutPoint>,
}

impl Tx {
    /// The n-th transaction pays 0.015 BTC to the first address and spends an output of its own.
    pub fn paying(n: u8) -> Self {
        Self {
            txid: TxId([n; 32]),
            pays: vec![(0, 1_500_000)],
            spends: vec![output(n)],
        }
    }

    /// Pays another address instead.
    pub fn to(mut self, to: usize) -> Self {
        self.pays[0].0 = to;
        self
    }

    /// Pays another amount instead.
    pub fn of(mut self, sats: u64) -> Self {
        self.pays[0].1 = sats;
        self
    }

    /// Pays once more.
    pub fn and(mut self, to: usize, sats: u64) -> Self {
        self.pays.push((to, sats));
        self
    }

    pub fn spending(self, n: u8) -> Self {
        Self {
            spends: vec![output(n)],
            ..self
        }
    }

    pub fn credits(&self, kind: ChainKind, tx_index: u32) -> Vec<Candidate> {
        let pays = (0_u32..).zip(&self.pays);
        pays.map(|(n, (to, sats))| Candidate {
            evidence: crate::domain::evidence::Evidence::Proven,
            destination: destination(kind, *to),
            asset: match kind {
                ChainKind::Bitcoin => CreditAsset::Native,
                ChainKind::Ethereum => CreditAsset::Token(WRAPPED),
            },
            amount: Amount::from_u64(*sats),
            tx_index,
            position: match kind {
                ChainKind::Bitcoin => Position::Output(n),
                ChainKind::Ethereum => Position::Log(n),
            },
            payer: Payer::Unknown,
            coinbase: false,
        })
        .collect()
    }
}

fn output(n: u8) -> OutPoint {
    OutPoint {
        txid: TxId([0xf0 ^ n; 32]),
        vout: 0,
    }
}

/// A block with these transactions.
pub fn facts(kind: ChainKind, block: BlockRef, transactions: &[Tx]) -> BlockFacts {
    let indexed = || (0_u32..).zip(transactions);
    let spends = |(tx_index, tx): (u32, &Tx)| -> Vec<Spend> {
        let spend = |outpoint: &OutPoint| Spend {
            outpoint: *outpoint,
            tx_index,
        };
        match kind {
            ChainKind::Bitcoin => tx.spends.iter().map(spend).collect(),
            ChainKind::Ethereum => Vec::new(),
        }
    };
    BlockFacts {
        transactions: transactions.iter().map(|tx| tx.txid).collect(),
        credits: indexed().flat_map(|(n, tx)| tx.credits(kind, n)).collect(),
        spends: indexed().flat_map(spends).collect(),
        ..BlockFacts::empty(block)
    }
}
