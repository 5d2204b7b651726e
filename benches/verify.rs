//! What believing a Bitcoin block costs: parsing, checking and scanning it, against rust-bitcoin's
//! parsing, ids and merkle root of the same bytes. Goal: at most 1.5 times that.
#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a program that measures prints figures and says what went wrong by panicking"
)]

mod support;

use bitcoin::{Block, Network, Transaction, Txid, consensus::deserialize};
use bitcoin_test_data::blocks::mainnet_702861;
use confirmd::{
    chain::bitcoin::scan_block,
    domain::{
        block::{BlockId, BlockRef, Height},
        time::UnixMs,
    },
};
use criterion::{Criterion, Throughput};
use support::{
    bitcoin::{Chain, shown},
    cpu::{self, Cpu},
    figures::compare,
};

/// Raw bytes of a block, and all that is known of it beforehand.
struct Case {
    name: &'static str,
    bytes: Vec<u8>,
    asked: BlockRef,
    network: Network,
}

impl Case {
    fn mainnet() -> Self {
        let bytes = mainnet_702861().to_vec();
        let block: Block = deserialize(&bytes).expect("a block");
        let asked = BlockRef {
            id: BlockId {
                height: Height(702_861),
                hash: shown(block.block_hash()),
            },
            parent: shown(block.header.prev_blockhash),
            time: UnixMs::from_secs(block.header.time.into()),
        };
        Self {
            name: "mainnet_702861_1.4MB",
            bytes,
            asked,
            network: Network::Bitcoin,
        }
    }

    fn generated() -> Self {
        let block = Chain::new().next(&[]);
        Self {
            name: "generated_4MB",
            bytes: block.bytes,
            asked: block.asked,
            network: Network::Regtest,
        }
    }

    fn confirmd(&self) -> impl Sized + use<> {
        scan_block(&self.bytes, &self.asked, self.network).expect("a valid block")
    }

    fn rust_bitcoin(&self) -> impl Sized + use<> {
        let block: Block = deserialize(&self.bytes).expect("a block");
        let txids: Vec<Txid> = block.txdata.iter().map(Transaction::compute_txid).collect();
        assert!(is_root_of(&block, &txids), "another merkle root");
        (block, txids)
    }
}

/// As [`Block::check_merkle_root`], without computing every id a second time.
fn is_root_of(block: &Block, txids: &[Txid]) -> bool {
    let hashes = txids.iter().map(|txid| txid.to_raw_hash());
    let root = bitcoin::merkle_tree::calculate_root(hashes);
    root.map(Into::into) == Some(block.header.merkle_root)
}

fn main() {
    let cases = [Case::mainnet(), Case::generated()];
    let mut criterion = cpu::criterion();
    for case in &cases {
        bench(&mut criterion, case);
    }
    criterion.final_summary();
    if cpu::is_measuring() {
        for case in &cases {
            let (rust_bitcoin, confirmd) = (
                || cpu::of(|| case.rust_bitcoin()),
                || cpu::of(|| case.confirmd()),
            );
            compare(case.name, 1.5, rust_bitcoin, confirmd);
        }
    }
}

fn bench(criterion: &mut Criterion<Cpu>, case: &Case) {
    let mut group = criterion.benchmark_group(case.name);
    group.throughput(Throughput::Bytes(
        u64::try_from(case.bytes.len()).unwrap_or(u64::MAX),
    ));
    group.bench_function("rust_bitcoin", |b| b.iter(|| case.rust_bitcoin()));
    group.bench_function("confirmd", |b| b.iter(|| case.confirmd()));
    group.finish();
}
