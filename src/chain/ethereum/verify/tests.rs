//! Blocks that verify, and every way in which a changed one does not.

use super::*;
use crate::{
    chain::ethereum::{
        fixture::{self, BlockBuilder, transfer_log},
        scan::verify_and_scan,
    },
    domain::facts::BlockFacts,
};
use alloy_primitives::{Address, B256, U256};
use proptest::prelude::*;
use serde_json::{Value, json};

const TOKEN: Address = Address::repeat_byte(0x70);
const SHOP: Address = Address::repeat_byte(0x5e);

/// Fields that no root and no hash binds, in blocks and transactions.
const UNBOUND_IN_BLOCK: [&str; 11] = [
    "hash",
    "size",
    "totalDifficulty",
    "uncles",
    "blockHash",
    "blockNumber",
    "blockTimestamp",
    "transactionIndex",
    "from",
    "removed",
    "blobs",
];

/// Fields of receipts and logs that the receipts root binds.
const BOUND_IN_RECEIPTS: [&str; 5] = ["status", "cumulativeGasUsed", "address", "topics", "data"];

/// A real node's block with four types of transactions, and its receipts.
pub(in crate::chain::ethereum) fn anvil() -> (String, String) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/ethereum");
    let read = |part| std::fs::read_to_string(format!("{folder}/anvil.{part}.json"));
    (read("block").unwrap(), read("receipts").unwrap())
}

/// Fields that forks have added to headers, in their order.
const ADDED: [&str; 6] = [
    "baseFeePerGas",
    "withdrawalsRoot",
    "blobGasUsed",
    "excessBlobGas",
    "parentBeaconBlockRoot",
    "requestsHash",
];

/// An answer that may be tampered with, and what the untouched one means.
struct Case {
    block: Value,
    receipts: Value,
    expected: BlockRef,
    facts: String,
}

impl Case {
    fn new(block: Value, receipts: Value) -> Self {
        let height = u32::from_str_radix(&block["number"].as_str().unwrap()[2..], 16).unwrap();
        let expected = header_ref(&block.to_string(), Height(height)).unwrap();
        let mut case = Self {
            block,
            receipts,
            expected,
            facts: String::new(),
        };
        case.facts = show(&case.scan().unwrap());
        case
    }

    fn from_anvil() -> Self {
        let (block, receipts) = anvil();
        let json = |text: &str| serde_json::from_str(text).unwrap();
        Self::new(json(&block), json(&receipts))
    }

    fn constructed() -> Self {
        let log = |amount: u64| transfer_log(TOKEN, SHOP, SHOP.create(0), U256::from(amount));
        let value = U256::from(5);
        let built = BlockBuilder::new(19_000_000, B256::repeat_byte(3))
            .tx(fixture::legacy(0, SHOP.into(), value, None), true, vec![])
            .tx(
                fixture::legacy(1, SHOP.into(), value, Some(1)),
                true,
                vec![],
            )
            .tx(fixture::eip2930(2, SHOP.into(), value), true, vec![log(1)])
            .tx(fixture::eip1559(3, SHOP.into(), value), false, vec![])
            .tx(fixture::eip4844(4, SHOP, value), true, vec![log(2), log(3)])
            .tx(fixture::eip7702(5, SHOP, value), true, vec![])
            .withdrawals(&[(SHOP, 1), (SHOP, 2)])
            .build();
        Self::new(built.block, built.receipts)
    }

    fn scan(&self) -> Result<BlockFacts, VerifyError> {
        let usdt = alloy_primitives::address!("0x5fbdb2315678afecb367f032d93f642f64180aa3");
        let (block, receipts) = (self.block.to_string(), self.receipts.to_string());
        let tokens = [TOKEN.into_array(), usdt.into_array()];
        verify_and_scan(&block, &receipts, &self.expected, &tokens)
    }

    /// Applies a change to the answer under this pointer and undoes it afterwards.
    fn with(
        &mut self,
        at: &Leaf,
        change: impl FnOnce(&mut Value),
    ) -> Result<BlockFacts, VerifyError> {
        let before = (self.block.clone(), self.receipts.clone());
        let tree = if at.in_receipts {
            &mut self.receipts
        } else {
            &mut self.block
        };
        change(tree.pointer_mut(&at.pointer).unwrap());
        let result = self.scan();
        (self.block, self.receipts) = before;
        result
    }

    fn leaves(&self) -> Vec<Leaf> {
        let mut found = Vec::new();
        collect(&self.block, false, String::new(), &mut found);
        collect(&self.receipts, true, String::new(), &mut found);
        found
    }

    fn is_bound(&self, leaf: &Leaf) -> bool {
        let named = |names: &[&str]| leaf.pointer.split('/').any(|part| names.contains(&part));
        if leaf.in_receipts {
            return named(&BOUND_IN_RECEIPTS);
        }
        if named(&UNBOUND_IN_BLOCK) {
            return false;
        }
        // Given twice, or computed: the other one counts.
        let owner = leaf.pointer.rsplit_once('/').unwrap().0;
        let of_tx = owner.starts_with("/transactions");
        let kind = self.block.pointer(&format!("{owner}/type"));
        let legacy = kind.is_some_and(|kind| kind == "0x0");
        let priced = kind.is_some_and(|kind| kind == "0x0" || kind == "0x1");
        !of_tx
            || match leaf.pointer.rsplit('/').next().unwrap() {
                "v" => legacy,
                "chainId" | "yParity" => !legacy,
                "gasPrice" => priced,
                _ => true,
            }
    }
}

#[derive(Debug, Clone)]
struct Leaf {
    in_receipts: bool,
    pointer: String,
}

fn collect(value: &Value, in_receipts: bool, pointer: String, found: &mut Vec<Leaf>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, field)| {
            collect(field, in_receipts, format!("{pointer}/{name}"), found);
        }),
        Value::Array(items) => items.iter().enumerate().for_each(|(index, item)| {
            collect(item, in_receipts, format!("{pointer}/{index}"), found);
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => found.push(Leaf {
            in_receipts,
            pointer,
        }),
    }
}

fn show(facts: &BlockFacts) -> String {
    format!("{facts:?}")
}

/// Another value of the same shape.
fn alter(value: &mut Value) {
    *value = match &*value {
        Value::String(text) if text == "0x" => "0x00".into(),
        Value::String(text) => {
            let (kept, last) = text.split_at(text.len() - 1);
            format!("{kept}{}", if last == "1" { "0" } else { "1" }).into()
        }
        Value::Bool(b) => (!b).into(),
        Value::Number(_) => 1.into(),
        Value::Null => "0x00000000000000000000000000000000000000aa".into(),
        Value::Array(_) | Value::Object(_) => panic!("no leaf"),
    };
}

#[test]
fn altering_any_field_is_refused_when_the_hash_binds_it_and_else_changes_nothing() {
    let mut refused = 0;
    for mut case in [Case::from_anvil(), Case::constructed()] {
        for leaf in case.leaves() {
            let result = case.with(&leaf, alter);
            if case.is_bound(&leaf) {
                assert!(result.is_err(), "accepted with another {leaf:?}");
                refused += 1;
            } else {
                assert_eq!(show(&result.unwrap()), case.facts, "{leaf:?}");
            }
        }
    }
    assert!(refused > 400, "only {refused} bound fields were tried");
}

// shows: P2
#[test]
fn withholding_inventing_and_reordering_is_refused() {
    type Change = fn(&mut Vec<Value>);
    let changes: [(&str, Change); 4] = [
        ("one withheld", |list| drop(list.pop())),
        ("the first withheld", |list| drop(list.remove(0))),
        ("one invented", |list| list.push(list[0].clone())),
        ("two exchanged", |list| list.swap(0, 1)),
    ];
    let lists = [
        (false, "/transactions"),
        (false, "/withdrawals"),
        (true, ""),
        (true, "/4/logs"),
    ];
    for (in_receipts, pointer) in lists {
        for (name, change) in changes {
            let leaf = Leaf {
                in_receipts,
                pointer: pointer.to_owned(),
            };
            let result =
                Case::constructed().with(&leaf, |list| change(list.as_array_mut().unwrap()));
            assert!(result.is_err(), "{name} in {leaf:?}");
        }
    }
}

/// Before Shanghai there is no root, and nobody took anything out: whoever is said to have earned something would be
/// looked at otherwise.
#[test]
fn without_a_root_nobody_has_taken_anything_out() {
    let built = BlockBuilder::new(7, B256::ZERO).build();
    let mut case = Case::new(built.block, built.receipts);
    let one = json!({
        "index": "0x1", "validatorIndex": "0x2", "address": SHOP, "amount": "0x3",
    });
    for (told, is_refused) in [
        (json!([]), false),
        (Value::Null, false),
        (json!([one]), true),
    ] {
        case.block["withdrawals"] = told;
        assert_eq!(case.scan().is_err(), is_refused, "{}", case.block);
    }
}

#[test]
fn half_written_answers_are_refused_and_may_heal() {
    for (part, value, said) in [
        ("", "[]", "its number of receipts contradicts its hash"),
        ("", "null", "its list of receipts cannot be read"),
        ("", "{}", "its list of receipts cannot be read"),
        ("/2/logs", "[]", "its list of receipts contradicts its hash"),
        ("/2/logs", "null", "its list of receipts cannot be read"),
        ("/2", "null", "its list of receipts cannot be read"),
        (
            "/2/status",
            "null",
            "the field `status` is missing or impossible",
        ),
        (
            "/2/status",
            "\"0x2\"",
            "the field `status` is missing or impossible",
        ),
        (
            "/2/cumulativeGasUsed",
            "\"0x1\"",
            "its cumulative gas contradicts its hash",
        ),
    ] {
        let leaf = Leaf {
            in_receipts: true,
            pointer: part.to_owned(),
        };
        let change = |at: &mut Value| *at = serde_json::from_str(value).unwrap();
        let error = Case::constructed().with(&leaf, change).unwrap_err();
        assert!(
            error.to_string().contains(said),
            "{part} = {value}: {error}"
        );
        assert!(error.may_heal());
    }
}

// shows: P3
#[test]
fn a_block_other_than_the_one_asked_for_is_refused() {
    type Change = fn(&mut BlockRef);
    let cases: [(&str, Change); 3] = [
        ("contradicts its hash", |block| block.id.hash.0[0] ^= 1),
        ("its number", |block| block.id.height.0 += 1),
        ("its parent", |block| block.parent.0[0] ^= 1),
    ];
    for (said, change) in cases {
        let mut case = Case::constructed();
        change(&mut case.expected);
        let error = case.scan().unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[test]
fn a_bloom_that_is_not_the_logs_own_is_refused_though_the_hash_binds_it() {
    let mut built = BlockBuilder::new(5, B256::ZERO)
        .ether(SHOP, U256::from(1))
        .build();
    built.header.logs_bloom.0[0] = 1;
    built.block["logsBloom"] = serde_json::to_value(built.header.logs_bloom).unwrap();
    built.block["hash"] = serde_json::to_value(built.header.hash_slow()).unwrap();
    let (block, receipts) = (built.block.to_string(), built.receipts.to_string());
    let expected = header_ref(&block, Height(5)).unwrap();
    let error = verify_and_scan(&block, &receipts, &expected, &[]).unwrap_err();
    assert_eq!(error.fault, Fault::Contradiction(Part::Bloom));
}

#[test]
fn a_header_that_we_cannot_encode_is_not_believed() {
    let case = Case::constructed();
    let Value::Object(mut header) = case.block.clone() else {
        panic!()
    };
    assert_eq!(
        header_ref(&case.block.to_string(), case.expected.id.height),
        Ok(case.expected)
    );
    header.insert("extraData".into(), "0x01".into());
    let json = Value::Object(header).to_string();
    let error = header_ref(&json, case.expected.id.height).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("its header contradicts its hash"),
        "{error}"
    );
}

/// With a root of withdrawals that hashes as that of another field, nobody would look at the withdrawals.
#[test]
fn a_value_under_the_name_of_a_later_field_is_refused() {
    for (field, later) in [
        ("requestsHash", "blockAccessListHash"),
        ("withdrawalsRoot", "parentBeaconBlockRoot"),
        ("baseFeePerGas", "blobGasUsed"),
    ] {
        let mut case = Case::from_anvil();
        let fields = case.block.as_object_mut().unwrap();
        let moved = fields.remove(field).unwrap();
        // The header of a time at which that field was the last one.
        let newer = ADDED.iter().skip_while(|name| **name != field);
        newer.for_each(|name| drop(fields.remove(*name)));
        let mut honest = fields.clone();
        honest.insert(field.into(), moved.clone());
        fields.insert(later.into(), moved);
        let header: Header = serde_json::from_value(honest.into()).unwrap();
        case.expected.id.hash = BlockHash(header.hash_slow().0);
        let moved: Header = serde_json::from_value(case.block.clone()).unwrap();
        assert_eq!(moved.hash_slow(), header.hash_slow(), "it hashes the same");
        let error = case.scan().unwrap_err();
        assert_eq!(error.fault, Fault::Contradiction(Part::Header), "{later}");
    }
}

#[test]
fn errors_do_not_repeat_what_the_node_wrote() {
    let leaf = |in_receipts, pointer: &str| Leaf {
        in_receipts,
        pointer: pointer.to_owned(),
    };
    for at in [
        leaf(false, "/parentHash"),
        leaf(false, "/transactions"),
        leaf(false, "/transactions/0/value"),
        leaf(false, "/transactions/0/type"),
        leaf(true, "/0/logs"),
    ] {
        let error = Case::constructed()
            .with(&at, |value| *value = "s3cret".into())
            .unwrap_err();
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
}

fn junk() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "0x[0-9a-f]{0,70}".prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        Just(Value::Array(vec![])),
        Just(serde_json::json!({ "type": "0x2" })),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    // shows: P2
    #[test]
    fn whatever_a_node_changes_the_facts_are_the_same_or_refused(
        pick in any::<prop::sample::Index>(), up in 0_usize..3, value in junk(),
    ) {
        let mut case = Case::constructed();
        let leaves = case.leaves();
        let mut leaf = pick.get(&leaves).clone();
        for _ in 0..up {
            let parent = leaf.pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
            leaf.pointer = parent.to_owned();
        }
        if let Ok(facts) = case.with(&leaf, |at| *at = value) {
            prop_assert_eq!(show(&facts), case.facts);
        }
    }

    #[test]
    fn no_text_panics(block in ".{0,200}", receipts in ".{0,200}") {
        let expected = Case::constructed().expected;
        prop_assert!(verify_and_scan(&block, &receipts, &expected, &[]).is_err());
    }
}
