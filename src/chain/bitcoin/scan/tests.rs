//! What is a candidate and what is not, in made and in real blocks.

use super::*;
use crate::{
    chain::bitcoin::fake::{coinbase, mined, output, spending, wpkh},
    domain::{
        amount::Amount,
        block::{BlockHash, BlockId, Height},
        facts::{Candidate, CreditAsset, Payer},
        time::UnixMs,
        transfer::Position,
    },
};
use bitcoin::{
    Block, BlockHash as Hash, Transaction,
    consensus::{deserialize, serialize},
    hashes::Hash as _,
};
use bitcoin_test_data::blocks::mainnet_702861;

fn place(block: &Block, height: u32) -> BlockRef {
    BlockRef {
        id: BlockId {
            height: Height(height),
            hash: wire::block_hash(block.block_hash()),
        },
        parent: wire::block_hash(block.header.prev_blockhash),
        time: UnixMs(0),
    }
}

fn scanned(txdata: Vec<Transaction>) -> BlockFacts {
    let block = mined(Hash::all_zeros(), 1_700_000_000, txdata);
    scan_block(&serialize(&block), &place(&block, 5), Network::Regtest).unwrap()
}

#[test]
fn only_scripts_that_an_address_can_name_are_candidates() {
    let key33 = "02".repeat(33);
    let key65 = format!("04{}", "ab".repeat(64));
    let hash20 = "11".repeat(20);
    for (name, script, nameable) in [
        ("P2PKH", format!("76a914{hash20}88ac"), true),
        ("P2SH", format!("a914{hash20}87"), true),
        ("P2WPKH", format!("0014{hash20}"), true),
        ("P2WSH", format!("0020{}", "22".repeat(32)), true),
        ("P2TR", format!("5120{}", "33".repeat(32)), true),
        (
            "version 16, longest",
            format!("6028{}", "44".repeat(40)),
            true,
        ),
        ("anchor", "51024e73".into(), true),
        (
            "witness program too long",
            format!("6029{}", "44".repeat(41)),
            false,
        ),
        ("witness program too short", "510101".into(), false),
        ("P2PK", format!("21{key33}ac"), false),
        ("P2PK, long", format!("41{key65}ac"), false),
        ("data", "6a0b68656c6c6f20776f726c64".into(), false),
        ("bare multisig", format!("5121{key33}21{key33}52ae"), false),
        ("nothing", String::new(), false),
        ("P2PKH and more", format!("76a914{hash20}88acac"), false),
    ] {
        let facts = scanned(vec![
            coinbase(5, 0, vec![]),
            spending(1, 0, vec![output(1, &script)]),
        ]);
        let found: Vec<String> = facts
            .credits
            .iter()
            .map(|credit| format!("{:?}", credit.destination))
            .collect();
        let expected = if nameable { vec![script] } else { vec![] };
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn a_candidate_says_what_where_and_whether_it_must_ripen() {
    let facts = scanned(vec![
        coinbase(5, 0, vec![output(5_000_000_000, &wpkh(1))]),
        spending(
            1,
            7,
            vec![
                output(0, &wpkh(2)),
                output(1000, "6a"),
                output(2000, &wpkh(3)),
            ],
        ),
    ]);
    let candidate = |byte: u8, sats, tx_index, vout, coinbase| Candidate {
        evidence: crate::domain::evidence::Evidence::Proven,
        destination: Destination::new(&alloy_primitives::hex::decode(wpkh(byte)).unwrap()).unwrap(),
        asset: CreditAsset::Native,
        amount: Amount::from_u64(sats),
        tx_index,
        position: Position::Output(vout),
        payer: Payer::Unknown,
        coinbase,
    };
    let expected = [
        candidate(1, 5_000_000_000, 0, 0, true),
        candidate(3, 2000, 1, 2, false),
    ];
    assert_eq!(facts.credits.iter().collect::<Vec<_>>(), expected);
    assert_eq!(facts.ignored, [(IgnoredReason::ZeroValue, 1)]);
    let outpoint = OutPoint {
        txid: TxId([1; 32]),
        vout: 7,
    };
    assert_eq!(
        facts.spends,
        [Spend {
            outpoint,
            tx_index: 1
        }]
    );
    assert_eq!(facts.block.time, UnixMs(1_700_000_000_000));
}

#[test]
fn a_real_block_gives_the_same_as_reading_it_plainly() {
    let raw = mainnet_702861();
    let block: Block = deserialize(raw).unwrap();
    let facts = scan_block(raw, &place(&block, 702_861), Network::Bitcoin).unwrap();
    let txids: Vec<String> = block
        .txdata
        .iter()
        .map(|tx| tx.compute_txid().to_string())
        .collect();
    let found: Vec<String> = facts.transactions.iter().map(TxId::to_string).collect();
    assert_eq!(found, txids);
    let mut expected = Vec::new();
    for tx in &block.txdata {
        for (vout, out) in tx.output.iter().enumerate() {
            let named = bitcoin::Address::from_script(&out.script_pubkey, Network::Bitcoin);
            if named.is_ok() && out.value.to_sat() > 0 {
                expected.push((tx.compute_txid().to_string(), vout, out.value.to_sat()));
            }
        }
    }
    let found: Vec<(String, usize, u64)> = facts
        .credits
        .iter()
        .map(|credit| {
            let Position::Output(vout) = credit.position else {
                panic!("not an output")
            };
            let txid = facts.transactions[usize::try_from(credit.tx_index).unwrap()];
            let sats = u64::try_from(credit.amount.base()).unwrap();
            (txid.to_string(), usize::try_from(vout).unwrap(), sats)
        })
        .collect();
    assert_eq!(found, expected);
    let inputs: usize = block.txdata.iter().skip(1).map(|tx| tx.input.len()).sum();
    assert_eq!(facts.spends.len(), inputs);
    assert!(
        facts
            .credits
            .iter()
            .take_while(|credit| credit.coinbase)
            .count()
            > 0
    );
}

#[test]
fn a_block_is_read_to_its_last_byte_and_not_beyond() {
    let raw = mainnet_702861();
    let block: Block = deserialize(raw).unwrap();
    let asked = place(&block, 702_861);
    let long = [raw, &[0]].concat();
    for bad in [&raw[..raw.len() - 1], &raw[..100], &[], &long] {
        let verdict = scan_block(bad, &asked, Network::Bitcoin);
        assert!(
            matches!(verdict, Err(VerifyError::Unparsable(_))),
            "{} bytes",
            bad.len()
        );
    }
}

#[test]
fn another_block_than_asked_for_is_never_returned() {
    let block = mined(Hash::all_zeros(), 1, vec![coinbase(5, 0, vec![])]);
    let mut asked = place(&block, 5);
    asked.id.hash = BlockHash([9; 32]);
    let verdict = scan_block(&serialize(&block), &asked, Network::Regtest);
    assert!(matches!(verdict, Err(VerifyError::WrongHash(_))));
}
