//! The library reads the same of the same bytes, and refuses the same.

use super::*;
use crate::chain::bitcoin::fake::{coinbase, output, spending, wpkh};
use bitcoin::{
    Block, Transaction,
    consensus::{deserialize, serialize},
};
use bitcoin_test_data::blocks::mainnet_702861;
use proptest::prelude::*;

/// What a transaction says, as far as it is evidence.
type Said = (Txid, bool, Vec<(OutPoint, Vec<u8>)>, Vec<(u64, Vec<u8>)>);

fn ours(tx: &SerializedTx<'_>) -> Said {
    let inputs = tx.inputs();
    let outputs = tx.outputs();
    (
        tx.txid,
        tx.is_coinbase(),
        inputs
            .map(|input| (input.previous_output, input.script_sig.to_bytes()))
            .collect(),
        outputs
            .map(|output| (output.sats, output.script_pubkey.to_bytes()))
            .collect(),
    )
}

fn theirs(tx: &Transaction) -> Said {
    let inputs = tx.input.iter();
    let outputs = tx.output.iter();
    (
        tx.compute_txid(),
        tx.is_coinbase(),
        inputs
            .map(|input| (input.previous_output, input.script_sig.to_bytes()))
            .collect(),
        outputs
            .map(|output| (output.value.to_sat(), output.script_pubkey.to_bytes()))
            .collect(),
    )
}

fn assert_same(raw: &[u8]) {
    let ours = SerializedTx::read(raw).ok().map(|tx| ours(&tx));
    let theirs = deserialize(raw).ok().map(|tx: Transaction| theirs(&tx));
    assert_eq!(ours, theirs, "{}", alloy_primitives::hex::encode(raw));
}

fn with_witness(items: &[&[u8]]) -> Transaction {
    let mut tx = spending(1, 7, vec![output(1000, &wpkh(1)), output(0, "6a")]);
    for item in items {
        tx.input[0].witness.push(item);
    }
    tx
}

#[test]
fn every_transaction_of_a_real_block_is_read_as_the_library_does() {
    let raw = mainnet_702861();
    let block: Block = deserialize(raw).unwrap();
    let all = SerializedTx::read_all(&raw[80..]).unwrap();
    let found: Vec<Said> = all.iter().map(ours).collect();
    let expected: Vec<Said> = block.txdata.iter().map(theirs).collect();
    assert_eq!(found, expected);
    for tx in &block.txdata {
        assert_same(&serialize(tx));
    }
}

#[test]
fn what_is_no_transaction_says_what_is_wrong() {
    let tx = serialize(&with_witness(&[&[1, 2, 3]]));
    let changed = |place: usize, bytes: &[u8]| {
        let mut tx = tx.clone();
        tx.splice(place..=place, bytes.iter().copied());
        tx
    };
    // Version 4, marker, flag, count of inputs, 36 + 1 + 4 of the input, count of outputs.
    let witnesses = tx.len() - 4 - 5;
    for (raw, expected) in [
        (tx[..tx.len() - 1].to_vec(), Malformed::End),
        (Vec::new(), Malformed::End),
        ([tx.as_slice(), &[0]].concat(), Malformed::Trailing),
        (changed(5, &[2]), Malformed::Flag),
        (changed(6, &[0xfd, 1, 0]), Malformed::LongCount),
        (changed(6, &[0xfe, 0xff, 0xff, 0, 0]), Malformed::LongCount),
        (
            changed(6, &[0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]),
            Malformed::LongCount,
        ),
        (changed(6, &[0xff; 9]), Malformed::End),
        (serialize(&with_witness(&[]))[..4].to_vec(), Malformed::End),
        (
            [&tx[..witnesses], &[0], &tx[tx.len() - 4..]].concat(),
            Malformed::NoWitness,
        ),
    ] {
        let found = SerializedTx::read(&raw).map(|tx| tx.txid);
        assert_eq!(found, Err(expected));
        assert_same(&raw);
    }
}

#[test]
fn counts_are_read_in_all_their_lengths() {
    for len in [0, 1, 0xfc, 0xfd, 0xfe, 0xffff, 0x1_0000, 0x1_0001] {
        let tx = with_witness(&[&vec![7; len]]);
        assert_same(&serialize(&tx));
        let tx = spending(1, 7, vec![output(1, &"51".repeat(len))]);
        assert_same(&serialize(&tx));
    }
}

#[test]
fn one_without_inputs_is_read_as_the_library_does() {
    let mut tx = with_witness(&[]);
    tx.input.clear();
    assert_same(&serialize(&tx));
}

#[test]
fn a_coinbase_spends_nothing_and_only_that() {
    let minted = coinbase(5, 0, vec![output(1, &wpkh(1))]);
    let mut two = minted.clone();
    two.input.push(minted.input[0].clone());
    let mut with_hash = minted.clone();
    with_hash.input[0].previous_output.vout = 0;
    for (tx, expected) in [(minted, true), (two, false), (with_hash, false)] {
        let raw = serialize(&tx);
        let found = SerializedTx::read(&raw).unwrap().is_coinbase();
        assert_eq!((found, tx.is_coinbase()), (expected, expected));
    }
}

#[test]
fn a_count_that_no_block_can_hold_takes_no_memory() {
    let raw = [&[0xff; 9][..], &[0; 100]].concat();
    assert_eq!(SerializedTx::read_all(&raw).err(), Some(Malformed::Flag));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn changed_bytes_are_read_as_the_library_does(
        legacy: bool,
        second: bool,
        items in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..5), 1..4),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), 0..12_u8, any::<u8>()), 0..4),
        cut in proptest::option::weighted(0.1, any::<prop::sample::Index>()),
    ) {
        let items: Vec<&[u8]> = if legacy { Vec::new() } else { items.iter().map(Vec::as_slice).collect() };
        let mut tx = with_witness(&items);
        if second {
            tx.input.push(spending(2, 8, Vec::new()).input[0].clone());
        }
        let mut raw = serialize(&tx);
        for (place, how, byte) in changes {
            let place = place.index(raw.len());
            match how {
                0 => raw.insert(place, byte),
                1 => drop(raw.remove(place)),
                // Where counts are, a small change of length says more than a random one.
                2..=5 => raw[place] = raw[place].wrapping_add(byte % 4),
                6 => raw[place] = 0xfd,
                _ => raw[place] = byte,
            }
        }
        if let Some(cut) = cut {
            raw.truncate(cut.index(raw.len()));
        }
        assert_same(&raw);
    }
}
