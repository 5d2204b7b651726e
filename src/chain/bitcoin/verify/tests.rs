//! Each check fails when, and only when, what it protects is changed.

use super::*;
use crate::chain::bitcoin::fake::{coinbase, mined, output, spending, wpkh};
use bitcoin::{
    Block, BlockHash as BareHash, CompactTarget, Transaction, TxOut, consensus::serialize,
};
use bitcoin_test_data::blocks::mainnet_702861;

const MAINNET_HEIGHT: Height = Height(702_861);

fn place(block: &Block, height: Height) -> BlockRef {
    BlockRef {
        id: BlockId {
            height,
            hash: wire::block_hash(block.block_hash()),
        },
        parent: wire::block_hash(block.header.prev_blockhash),
        time: UnixMs::from_secs(block.header.time.into()),
    }
}

fn mainnet() -> Block {
    deserialize(mainnet_702861()).unwrap()
}

/// A regtest block of a coinbase and `count` payments.
fn regtest(count: u8) -> Block {
    let mut txdata = vec![coinbase(5, 0, paying(9))];
    txdata.extend((0..count).map(|n| spending(n, 0, paying(n))));
    mined(BareHash::all_zeros(), 1_700_000_000, txdata)
}

fn paying(byte: u8) -> Vec<TxOut> {
    vec![output(1000, &wpkh(byte))]
}

/// Mines again after a change, so that only the changed rule can be broken.
fn mined_again(block: &Block) -> Block {
    mined(
        BareHash::all_zeros(),
        block.header.time,
        block.txdata.clone(),
    )
}

fn verdict(changed: &Block, asked: &BlockRef, network: Network) -> Option<VerifyError> {
    block(&serialize(changed), asked, network).err()
}

#[test]
fn a_real_block_passes() {
    let block = mainnet();
    let asked = place(&block, MAINNET_HEIGHT);
    let hash = "000000000000000000000c835b2adcaedc20fdf6ee440009c249452c726dafae";
    assert_eq!(asked.id.hash.to_string(), hash);
    let verified = super::block(mainnet_702861(), &asked, Network::Bitcoin).unwrap();
    let txids: Vec<_> = verified.transactions.iter().map(|tx| tx.txid).collect();
    let expected = block.txdata.iter().map(Transaction::compute_txid);
    assert_eq!(txids, expected.collect::<Vec<_>>());
    assert_eq!(verified.block, asked);
    let raw = serialize(&block.header);
    assert_eq!(header(&raw, asked.id, Network::Bitcoin), Ok(asked));
}

#[test]
fn a_change_anywhere_in_the_header_makes_it_another_block() {
    let asked = place(&mainnet(), MAINNET_HEIGHT);
    let changes: [fn(&mut Header); 6] = [
        |header| header.version = bitcoin::block::Version::TWO,
        |header| header.prev_blockhash = BareHash::all_zeros(),
        |header| header.merkle_root = TxMerkleNode::from_byte_array([0; 32]),
        |header| header.time += 1,
        |header| header.bits = CompactTarget::from_consensus(0x170e_92aa),
        |header| header.nonce += 1,
    ];
    for change in changes {
        let mut block = mainnet();
        change(&mut block.header);
        let found = wire::block_hash(block.block_hash());
        let wrong = Some(VerifyError::WrongHash(found));
        assert_eq!(verdict(&block, &asked, Network::Bitcoin), wrong);
    }
}

#[test]
fn a_header_is_exactly_80_bytes() {
    let block = regtest(1);
    let asked = place(&block, Height(5)).id;
    let raw = serialize(&block.header);
    for bad in [&raw[..79], &[raw.as_slice(), &[0]].concat(), &[]] {
        let verdict = header(bad, asked, Network::Regtest);
        assert!(
            matches!(verdict, Err(VerifyError::Unparsable(_))),
            "{verdict:?}"
        );
    }
    assert!(header(&raw, asked, Network::Regtest).is_ok());
}

#[test]
fn the_parent_must_be_the_one_expected() {
    let block = regtest(1);
    let mut asked = place(&block, Height(5));
    asked.parent = BlockHash([1; 32]);
    let wrong = Some(VerifyError::WrongParent(BlockHash([0; 32])));
    assert_eq!(verdict(&block, &asked, Network::Regtest), wrong);
}

#[test]
fn a_hash_above_the_target_is_no_work() {
    let mut block = regtest(1);
    while block.header.target().is_met_by(block.block_hash()) {
        block.header.nonce += 1;
    }
    let asked = place(&block, Height(5));
    let verdict = verdict(&block, &asked, Network::Regtest);
    assert_eq!(verdict, Some(VerifyError::NoWork));
}

#[test]
fn a_target_must_be_one_that_the_network_has() {
    let low = Height(5);
    let hard = MAINNET_HARD_SINCE;
    let (easy, lazy) = (Some(VerifyError::TooEasy), Some(VerifyError::NoWork));
    for (bits, height, network, expected) in [
        (0x207f_ffff, low, Network::Regtest, &None),
        (0x207f_ffff, low, Network::Bitcoin, &easy),
        (0x207f_ffff, low, Network::Signet, &easy),
        (0x207f_ffff, low, Network::Testnet4, &easy),
        (0x1d00_ffff, low, Network::Bitcoin, &lazy),
        (0x1d00_ffff, hard, Network::Bitcoin, &easy),
        (0x1800_ffff, hard, Network::Bitcoin, &lazy),
        (0x1801_0000, hard, Network::Bitcoin, &easy),
        // Beyond 256 bits, where the library's shift would wrap around; negative; nothing.
        (0x217f_ffff, low, Network::Regtest, &easy),
        (0xff7f_ffff, low, Network::Regtest, &easy),
        (0x20ff_ffff, low, Network::Regtest, &lazy),
        (0, low, Network::Regtest, &lazy),
    ] {
        let mut block = regtest(1);
        block.header.bits = CompactTarget::from_consensus(bits);
        if expected.is_none() {
            block = mined_again(&block);
        }
        let found = verdict(&block, &place(&block, height), network);
        assert_eq!(&found, expected, "{bits:x} {network}");
    }
}

// shows: P2
#[test]
fn other_transactions_are_not_those_of_the_header() {
    let changes: [fn(&mut Vec<Transaction>); 6] = [
        |txs| txs[1].output[0].value += bitcoin::Amount::ONE_SAT,
        |txs| txs[2].output[0].script_pubkey = bitcoin::ScriptBuf::from_hex(&wpkh(77)).unwrap(),
        |txs| txs[3].input[0].previous_output.vout += 1,
        |txs| txs.swap(1, 2),
        |txs| drop(txs.pop()),
        Vec::clear,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut block = regtest(3);
        change(&mut block.txdata);
        let found = verdict(&block, &place(&block, Height(5)), Network::Regtest);
        assert_eq!(found, Some(VerifyError::WrongMerkleRoot), "change {number}");
    }
}

#[test]
fn a_repeated_tail_is_refused_although_the_merkle_root_stays() {
    // The tail that can be repeated is as long as the lowest bit of the count.
    for (payments, tail) in [(2, 1), (4, 1), (5, 2), (6, 1), (11, 4)] {
        let mut block = regtest(payments);
        let asked = place(&block, Height(5));
        assert_eq!(verdict(&block, &asked, Network::Regtest), None);
        let from = block.txdata.len() - tail;
        block.txdata.extend_from_within(from..);
        assert!(
            block.check_merkle_root(),
            "{payments}: the library is deceived"
        );
        let found = verdict(&block, &asked, Network::Regtest);
        assert_eq!(found, Some(VerifyError::RepeatedTransactions), "{payments}");
    }
}

#[test]
fn the_coinbase_is_the_first_transaction_and_only_that() {
    let changes: [fn(&mut Vec<Transaction>); 3] = [
        |txs| drop(txs.remove(0)),
        |txs| txs.swap(0, 1),
        |txs| txs.push(coinbase(6, 1, Vec::new())),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut block = regtest(3);
        change(&mut block.txdata);
        let block = mined_again(&block);
        let found = verdict(&block, &place(&block, Height(5)), Network::Regtest);
        assert_eq!(found, Some(VerifyError::WrongCoinbase), "change {number}");
    }
}

#[test]
fn mainnet_blocks_name_their_height() {
    let block = mainnet();
    let asked = place(&block, MAINNET_HEIGHT.plus(1));
    let found = verdict(&block, &asked, Network::Bitcoin);
    assert_eq!(found, Some(VerifyError::WrongHeight));
}
