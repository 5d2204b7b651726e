//! Blocks as nodes tell them, and every way in which what they tell contradicts itself.

use super::*;
use crate::{
    chain::ethereum::{
        fixture::{self, BlockBuilder, transfer_log},
        verify::{Fault, header_ref},
    },
    domain::{
        block::Height,
        facts::{BlockFacts, Payer},
        transfer::Position,
    },
};
use serde_json::{Value, json};

const TOKEN: Address = Address::repeat_byte(0x70);
const SHOP: Address = Address::repeat_byte(0x5e);

/// What a node tells.
#[derive(Clone)]
struct Case {
    block: Value,
    receipts: Value,
    expected: BlockRef,
}

/// Ether by a type that is not known, tokens by one that is, a failed one that is not, and a contract's creation.
fn case() -> Case {
    let log = |amount: u64| transfer_log(TOKEN, Address::ZERO, SHOP, U256::from(amount));
    // Of another sender: the filter would not miss one like the others.
    let other = transfer_log(TOKEN, Address::repeat_byte(1), SHOP, U256::from(27));
    let unknown = fixture::eip1559(7, SHOP.into(), U256::from(9));
    let create = fixture::eip1559(8, alloy_primitives::TxKind::Create, U256::from(9));
    let built = BlockBuilder::new(1, B256::ZERO)
        .ether(SHOP, U256::from(5))
        .logs(TOKEN, vec![log(25), log(26)])
        .tx(unknown, false, vec![])
        .tx(create, true, vec![other])
        .build();
    let mut block = built.block;
    for index in [0, 2, 3] {
        block["transactions"][index]["type"] = json!("0x7e");
    }
    let expected = header_ref(&block.to_string(), Height(1)).unwrap();
    Case {
        block,
        receipts: built.receipts,
        expected,
    }
}

impl Case {
    fn read(&self) -> Result<BlockFacts, String> {
        self.read_texts(&self.block.to_string(), &self.receipts.to_string())
    }

    fn read_texts(&self, block: &str, receipts: &str) -> Result<BlockFacts, String> {
        let unproven = VerifyError {
            block: self.expected.id,
            fault: Fault::UnknownType {
                index: 0,
                id: None,
                kind: 0x7e,
            },
        };
        let tokens = [TOKEN.into_array()];
        read(block, receipts, &self.expected, &tokens, &unproven).map(|block| {
            assert!(block.outline.is_some_and(|outline| !outline.is_proven));
            block.facts
        })
    }
}

#[test]
fn money_moves_by_value_and_status_and_by_logs_whatever_the_type() {
    let facts = case().read().unwrap();
    let told: Vec<_> = facts
        .credits
        .iter()
        .map(|credit| {
            assert_eq!(credit.evidence, Evidence::Told);
            assert_eq!(credit.destination.as_bytes(), SHOP.as_slice());
            let is_account = matches!(credit.payer, Payer::Account(_));
            let amount = credit.amount.base().to::<u64>();
            (credit.tx_index, credit.position, amount, is_account)
        })
        .collect();
    let expected = [
        (0, Position::Transaction, 5, false),
        (1, Position::Log(0), 25, true),
        (1, Position::Log(1), 26, true),
        (3, Position::Log(0), 27, true),
    ];
    assert_eq!(told, expected);
    assert_eq!(facts.credits.iter().next().unwrap().payer, Payer::Unknown);
    assert_eq!(facts.transactions.len(), 4);
    assert!(facts.unproven.unwrap().contains("of the unknown type 126"));
}

/// Who signed a transaction of a known type is known by its hash.
#[test]
fn a_known_transaction_must_hash_to_what_is_claimed_and_tells_who_signed_it() {
    let mut case = case();
    let ether = fixture::eip1559(0, SHOP.into(), U256::from(5));
    case.block["transactions"][0]["type"] = json!("0x2");
    let facts = case.read().unwrap();
    let paid = facts.credits.iter().next().unwrap();
    assert_eq!(
        paid.payer,
        crate::chain::ethereum::sender::signer_of(&ether)
    );
    case.block["transactions"][0]["value"] = json!("0x6");
    let said = case.read().unwrap_err();
    assert_eq!(said, "a transaction does not hash to what is claimed");
    // What nobody signed is a chain's own, under whatever type.
    for field in ["r", "s"] {
        case.block["transactions"][0][field] = json!("0x0");
    }
    let facts = case.read().unwrap();
    assert_eq!(facts.credits.iter().next().unwrap().payer, Payer::Unknown);
}

/// A format that we know leaves nothing open: the header says which transactions there are.
#[test]
fn where_all_types_are_known_none_may_be_missing() {
    let mut case = case();
    for index in [0, 2, 3] {
        case.block["transactions"][index]["type"] = json!("0x2");
    }
    case.read().unwrap();
    case.block["transactions"].as_array_mut().unwrap().pop();
    case.receipts.as_array_mut().unwrap().pop();
    let said = case.read().unwrap_err();
    assert_eq!(said, "its transactions are not those of its header");
}

/// What is changed, to what (nothing for its removal), and what is said then (nothing where it does not matter).
const CHANGES: &str = "
block    /hash                            HASH     =>
block    /number                          \"0x2\"    => its number contradicts its hash
block    /timestamp                       \"0x2\"    => its header contradicts its hash
block    /logsBloom                       -        => its header cannot be read
block    /transactions                    -        => missing field `transactions`
block    /transactions                    []       => its transactions are not those of its header
block    /transactions                    {}       => a field of the wrong shape
block    /transactions/0                  HASH     => a field of the wrong shape
block    /transactions/0/hash             -        => missing field `hash`
block    /transactions/0/hash             HASH     => a receipt is of another transaction
block    /transactions/0/to               -        => missing field `to`
block    /transactions/0/to               \"0x\"     => a field of the wrong shape
block    /transactions/0/value            -        => missing field `value`
block    /transactions/0/value            \"0x-1\"   => a field of the wrong shape
block    /transactions/0/blockHash        HASH     => a transaction is of another place
block    /transactions/0/blockHash        -        => missing field `blockHash`
block    /transactions/0/transactionIndex \"0x1\"    => a transaction is of another place
block    /transactions/0/transactionIndex -        => missing field `transactionIndex`
receipts .                                []       => it has another number of receipts
receipts .                                {}       => a field of the wrong shape
receipts /0/status                        -        => missing field `status`
receipts /0/status                        \"0x2\"    => status is neither 0 nor 1
receipts /0/transactionHash               HASH     => a receipt is of another transaction
receipts /0/transactionIndex              \"0x1\"    => a receipt is of another transaction
receipts /0/blockHash                     HASH     => a receipt is of another transaction
receipts /3/cumulativeGasUsed             \"0x1\"    => the cumulative gas falls
receipts /1/logs                          []       => a log is of another place
receipts /3/logs                          []       => not those of its bloom filter
receipts /1/logs/0/logIndex               \"0x1\"    => a log is of another place
receipts /1/logs/0/removed                true     => a log is of another place
receipts /1/logs/0/blockHash              HASH     => a log is of another place
receipts /1/logs/0/transactionHash        HASH     => a log is of another place
receipts /1/logs/0/topics/0               HASH     => not those of its bloom filter
receipts /1/logs/0/topics                 [HASH,HASH,HASH,HASH,HASH] => more than 4 topics
receipts /1/logs/0/data                   -        => missing field `data`
";

#[test]
fn what_contradicts_itself_is_no_block() {
    let hash = json!(B256::repeat_byte(7)).to_string();
    for line in CHANGES.lines().filter(|line| !line.is_empty()) {
        let (change, words) = line.split_once("=>").unwrap();
        let parts: Vec<&str> = change.split_whitespace().collect();
        let [part, at, to] = parts[..] else {
            panic!("{line}")
        };
        let mut case = case();
        let told = match part {
            "block" => &mut case.block,
            _ => &mut case.receipts,
        };
        let to = (to != "-").then(|| serde_json::from_str(&to.replace("HASH", &hash)).unwrap());
        self::change(told, at.trim_start_matches('.'), to);
        match (case.read(), words.trim()) {
            (read, "") => drop(read.expect(line)),
            (read, words) => {
                let said = read.expect_err(line);
                assert!(said.contains(words), "{line}: {said}");
            }
        }
    }
}

fn change(told: &mut Value, at: &str, to: Option<Value>) {
    match (to, at.rsplit_once('/')) {
        (Some(to), _) => *told.pointer_mut(at).unwrap() = to,
        (None, Some((owner, field))) => {
            let owner = told.pointer_mut(owner).unwrap();
            owner.as_object_mut().unwrap().remove(field).unwrap();
        }
        (None, None) => panic!("nothing to remove"),
    }
}

#[test]
fn exchanged_receipts_and_transactions_that_come_twice_are_no_block() {
    let mut case = case();
    case.receipts.as_array_mut().unwrap().swap(0, 1);
    assert!(case.read().is_err());
    let mut twice = self::case();
    let mut again = twice.block["transactions"][0].clone();
    again["transactionIndex"] = json!("0x4");
    twice.block["transactions"]
        .as_array_mut()
        .unwrap()
        .push(again);
    assert_eq!(twice.read().unwrap_err(), "a transaction comes twice");
}

#[test]
fn what_is_endless_or_deep_is_refused_or_passed_over() {
    let case = case();
    let (block, receipts) = (case.block.to_string(), case.receipts.to_string());
    let many = format!("[{}0]", "0,".repeat(MAX_TRANSACTIONS));
    let flooded = json!({"transactions": []}).to_string();
    let flooded = format!("{},{}", &block[..block.len() - 1], &flooded[1..]);
    assert!(
        case.read_texts(&flooded, &receipts).is_err(),
        "a field that comes twice"
    );
    let said = case.read_texts(&block, &many).unwrap_err();
    assert!(!said.is_empty());
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let passed_over = receipts.replacen('{', &format!("{{\"extra\":{deep},"), 1);
    let shallow = case.read().map(|facts| facts.transactions);
    let read = case.read_texts(&block, &passed_over);
    assert!(read.is_err() || read.map(|facts| facts.transactions) == shallow);
    for broken in ["", "null", "[", &deep, "\u{0}"] {
        assert!(case.read_texts(broken, &receipts).is_err());
        assert!(case.read_texts(&block, broken).is_err());
    }
}
