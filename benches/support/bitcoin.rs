//! Bitcoin blocks of a given weight that pass every check of regtest.

use super::{payments, rig};
use bitcoin::{
    Amount, Block, CompactTarget, Network, OutPoint, ScriptBuf, Sequence, Transaction, TxIn,
    TxMerkleNode, TxOut, Txid, WPubkeyHash, Witness,
    absolute::LockTime,
    block::{Header, Version},
    consensus::serialize,
    hashes::Hash,
    script::Builder,
    transaction,
};
use confirmd::{
    chain::bitcoin::scan_block,
    domain::{
        block::{BlockHash, BlockId, BlockRef, Height},
        facts::BlockFacts,
        time::UnixMs,
    },
};

/// Transactions in a block, the coinbase among them.
pub const TRANSACTIONS: usize = 7000;

/// The easiest target of regtest: every second hash meets it.
const EASIEST: u32 = 0x207f_ffff;

/// A block as a node sends it, and where it was asked for.
pub struct RawBlock {
    pub bytes: Vec<u8>,
    pub asked: BlockRef,
}

impl RawBlock {
    /// Verified and scanned, as the source does it.
    pub fn scan(&self) -> BlockFacts {
        scan_block(&self.bytes, &self.asked, Network::Regtest).expect("a valid block")
    }
}

/// A chain that grows by blocks of some 4 MB.
pub struct Chain {
    block: Block,
    height: Height,
    parent: BlockHash,
    spent: u32,
}

impl Chain {
    /// A chain after the rig's first block.
    pub fn new() -> Self {
        let first = rig::first_block();
        let header = Header {
            version: Version::TWO,
            prev_blockhash: bitcoin::BlockHash::from_byte_array(first.id.hash.0),
            merkle_root: TxMerkleNode::all_zeros(),
            time: u32::try_from(rig::NOW.0 / 1000).expect("a time before 2106"),
            bits: CompactTarget::from_consensus(EASIEST),
            nonce: 0,
        };
        let txdata = (0..TRANSACTIONS).map(ordinary).collect();
        Self {
            block: Block { header, txdata },
            height: first.id.height,
            parent: first.id.hash,
            spent: 0,
        }
    }

    /// The next block, in which these payments are paid.
    pub fn next(&mut self, paid: &[u64]) -> RawBlock {
        self.height = self.height.plus(1);
        self.block.txdata[0] = coinbase(self.height);
        let apart = TRANSACTIONS / (paid.len() + 1);
        for (place, n) in (1..).zip(paid) {
            self.spent += 1;
            self.block.txdata[place * apart] = payment(*n, self.spent);
        }
        self.seal();
        let asked = BlockRef {
            id: BlockId {
                height: self.height,
                hash: shown(self.block.block_hash()),
            },
            parent: self.parent,
            time: UnixMs::from_secs(self.block.header.time.into()),
        };
        self.parent = asked.id.hash;
        let bytes = serialize(&self.block);
        self.block.header.prev_blockhash = self.block.block_hash();
        RawBlock { bytes, asked }
    }

    /// Computes the merkle root and finds a nonce.
    fn seal(&mut self) {
        let root = self.block.compute_merkle_root();
        let header = &mut self.block.header;
        header.merkle_root = root.expect("transactions");
        while !header.target().is_met_by(header.block_hash()) {
            header.nonce = header.nonce.wrapping_add(1);
        }
    }
}

/// A hash as explorers and this program show it.
pub fn shown(hash: bitcoin::BlockHash) -> BlockHash {
    let mut bytes = hash.to_byte_array();
    bytes.reverse();
    BlockHash(bytes)
}

fn coinbase(height: Height) -> Transaction {
    let script = Builder::new().push_int(height.0.into()).push_int(0);
    let minted = TxIn {
        previous_output: OutPoint::null(),
        script_sig: script.into_script(),
        ..TxIn::default()
    };
    let reward = output(5_000_000_000, ScriptBuf::new_p2wpkh(&nobody(0, 0)));
    transaction(vec![minted], vec![reward])
}

/// One to five inputs signed by ECDSA, two to four outputs: 570 bytes on average.
fn ordinary(n: usize) -> Transaction {
    let inputs = (0..=n % 5).map(|i| input(number(n), number(i))).collect();
    let outputs = (0..2 + n % 3)
        .map(|i| output(10_000 + n as u64, ScriptBuf::new_p2wpkh(&nobody(n, i))))
        .collect();
    transaction(inputs, outputs)
}

fn payment(n: u64, spent: u32) -> Transaction {
    let paid = output(payments::SATS, payments::script(n));
    let change = output(7_000_000, ScriptBuf::new_p2wpkh(&nobody(0, 1)));
    transaction(vec![input(u32::MAX, spent)], vec![paid, change])
}

fn transaction(input: Vec<TxIn>, output: Vec<TxOut>) -> Transaction {
    Transaction {
        version: transaction::Version::TWO,
        lock_time: LockTime::ZERO,
        input,
        output,
    }
}

fn input(n: u32, vout: u32) -> TxIn {
    TxIn {
        previous_output: OutPoint::new(Txid::hash(&n.to_be_bytes()), vout),
        script_sig: ScriptBuf::new(),
        sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
        witness: Witness::from_slice(&[vec![0x30; 72], vec![0x02; 33]]),
    }
}

const fn output(sats: u64, script_pubkey: ScriptBuf) -> TxOut {
    TxOut {
        value: Amount::from_sat(sats),
        script_pubkey,
    }
}

fn nobody(n: usize, i: usize) -> WPubkeyHash {
    WPubkeyHash::hash(&[n.to_be_bytes(), i.to_be_bytes()].concat())
}

fn number(n: usize) -> u32 {
    u32::try_from(n).expect("a small number")
}
