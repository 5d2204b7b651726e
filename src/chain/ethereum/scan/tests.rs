//! Which credits and what else a verified block holds, and what of it is nobody's money.

use super::*;
use crate::chain::ethereum::{
    fixture::{self, BlockBuilder, Built, transfer_log},
    verify::header_ref,
};
use crate::domain::block::Height;
use alloy_primitives::{Bytes, TxKind};

const TOKEN: Address = address!("0xdac17f958d2ee523a2206206994597c13d831ec7");
const OTHER: Address = address!("0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48");
const FAKE: Address = address!("0x00000000000000000000000000000000000000fa");
const PAYER: Address = address!("0x00000000000000000000000000000000000000aa");
const SHOP: Address = address!("0x00000000000000000000000000000000000c0ffe");

fn scanned(built: &Built) -> Result<BlockFacts, VerifyError> {
    let number = u32::try_from(built.header.number).unwrap();
    let block = built.block.to_string();
    let expected = header_ref(&block, Height(number))?;
    let tokens = [TOKEN.into_array(), OTHER.into_array()];
    verify_and_scan(&block, &built.receipts.to_string(), &expected, &tokens)
}

fn facts(builder: BlockBuilder) -> BlockFacts {
    scanned(&builder.build()).unwrap()
}

fn block() -> BlockBuilder {
    BlockBuilder::new(100, B256::repeat_byte(7))
}

fn wei(amount: u64) -> U256 {
    U256::from(amount)
}

fn token_log(amount: u64) -> Log {
    transfer_log(TOKEN, PAYER, SHOP, wei(amount))
}

/// The credits as text: transaction, position, asset, amount.
fn credits(facts: &BlockFacts) -> Vec<String> {
    let one = |credit: Candidate| {
        let asset = match credit.asset {
            CreditAsset::Native => "ether".to_owned(),
            CreditAsset::Token(contract) => format!("{:.6}", Address::from(contract).to_string()),
        };
        assert_eq!(credit.destination.as_bytes(), SHOP.as_slice());
        assert!(!credit.coinbase);
        let Candidate {
            tx_index,
            position,
            amount,
            ..
        } = credit;
        format!("{tx_index} {position} {asset} {}", amount.base())
    };
    facts.credits.iter().map(one).collect()
}

/// A log with the Transfer topic that is no ERC-20 transfer.
fn odd_log(change: impl FnOnce(&mut Vec<B256>, &mut Bytes)) -> Vec<Log> {
    let log = token_log(5);
    let (mut topics, mut data) = (log.topics().to_vec(), log.data.data);
    change(&mut topics, &mut data);
    vec![Log::new_unchecked(TOKEN, topics, data)]
}

fn dirty(topic: &mut B256) {
    topic.0[11] = 1;
}

/// Logs of one call, the credits expected of them, and what is expected to be refused.
type LogCase = (
    &'static str,
    Vec<Log>,
    Vec<&'static str>,
    Vec<IgnoredReason>,
);

fn real_transfers() -> Vec<LogCase> {
    let other_event = Log::new_unchecked(TOKEN, vec![B256::ZERO], Bytes::new());
    vec![
        (
            "one",
            vec![token_log(25)],
            vec!["0 log:0 0xdAC1 25"],
            vec![],
        ),
        (
            "two to one address, and the ordinal counts every log",
            vec![token_log(1), other_event, token_log(2)],
            vec!["0 log:0 0xdAC1 1", "0 log:2 0xdAC1 2"],
            vec![],
        ),
        (
            "of another configured token",
            vec![transfer_log(OTHER, PAYER, SHOP, wei(3))],
            vec!["0 log:0 0xA0b8 3"],
            vec![],
        ),
        (
            "net of a fee, as the log says, whatever the call's data asked for",
            vec![token_log(99)],
            vec!["0 log:0 0xdAC1 99"],
            vec![],
        ),
        (
            "minted from nobody",
            vec![transfer_log(TOKEN, Address::ZERO, SHOP, wei(9))],
            vec!["0 log:0 0xdAC1 9"],
            vec![],
        ),
        (
            "beside a fake token's in a transaction to the real one",
            vec![transfer_log(FAKE, PAYER, SHOP, wei(999)), token_log(7)],
            vec!["0 log:1 0xdAC1 7"],
            vec![IgnoredReason::UnknownToken],
        ),
    ]
}

fn no_transfers() -> Vec<LogCase> {
    use IgnoredReason::{UnknownToken, ZeroValue};
    let sent = |token, from, amount| vec![transfer_log(token, from, SHOP, wei(amount))];
    let other_event = odd_log(|topics, _| topics[0] = B256::repeat_byte(1));
    vec![
        (
            "a fake token",
            sent(FAKE, PAYER, 25),
            vec![],
            vec![UnknownToken],
        ),
        (
            "a log of the paid account",
            sent(SHOP, PAYER, 25),
            vec![],
            vec![UnknownToken],
        ),
        ("a transfer that said false", vec![], vec![], vec![]),
        (
            "nothing moved",
            sent(TOKEN, PAYER, 0),
            vec![],
            vec![ZeroValue],
        ),
        (
            "an account that pays itself",
            sent(TOKEN, SHOP, 5),
            vec![],
            vec![ZeroValue],
        ),
        (
            "the system's log of ether",
            sent(SYSTEM_EMITTER, PAYER, 5),
            vec![],
            vec![],
        ),
        ("another event", other_event, vec![], vec![]),
        (
            "no topics",
            odd_log(|topics, _| topics.clear()),
            vec![],
            vec![],
        ),
    ]
}

fn malformed() -> Vec<LogCase> {
    let cases = [
        (
            "4 topics, as ERC-721",
            odd_log(|topics, _| topics.push(B256::ZERO)),
        ),
        ("2 topics", odd_log(|topics, _| topics.truncate(2))),
        ("1 topic", odd_log(|topics, _| topics.truncate(1))),
        ("no data", odd_log(|_, data| *data = Bytes::new())),
        ("31 bytes", odd_log(|_, data| data.truncate(31))),
        ("33 bytes", odd_log(|_, data| *data = vec![0; 33].into())),
        ("64 bytes", odd_log(|_, data| *data = vec![0; 64].into())),
        (
            "a dirty sender topic",
            odd_log(|topics, _| dirty(&mut topics[1])),
        ),
        (
            "a dirty receiver topic",
            odd_log(|topics, _| dirty(&mut topics[2])),
        ),
    ];
    let refused = |(name, logs)| (name, logs, vec![], vec![IgnoredReason::MalformedLog]);
    cases.map(refused).into()
}

// shows: T1 T2 T6 T7
#[test]
fn a_call_with_these_logs_gives_these_credits() {
    for cases in [real_transfers(), no_transfers(), malformed()] {
        for (name, logs, expected, ignored) in cases {
            let facts = facts(block().logs(TOKEN, logs));
            assert_eq!(credits(&facts), expected, "{name}");
            let ignored: Vec<_> = ignored.into_iter().map(|reason| (reason, 1)).collect();
            assert_eq!(facts.ignored, ignored, "{name}");
        }
    }
}

// shows: T14
#[test]
fn the_system_s_logs_are_no_token_even_when_configured_as_one() {
    let logs = vec![transfer_log(SYSTEM_EMITTER, PAYER, SHOP, wei(5))];
    let built = block().logs(SHOP, logs).build();
    let block = built.block.to_string();
    let expected = header_ref(&block, Height(100)).unwrap();
    let tokens = [SYSTEM_EMITTER.into_array()];
    let facts = verify_and_scan(&block, &built.receipts.to_string(), &expected, &tokens).unwrap();
    assert!(facts.credits.is_empty() && facts.ignored.is_empty());
}

// shows: T14
#[test]
fn ether_beside_the_system_s_log_is_credited_once() {
    let log = transfer_log(SYSTEM_EMITTER, PAYER, SHOP, wei(8));
    let tx = fixture::eip1559(0, SHOP.into(), wei(8));
    assert_eq!(
        credits(&facts(block().tx(tx, true, vec![log]))),
        ["0 tx ether 8"]
    );
}

#[test]
fn ether_is_credited_from_every_type_of_transaction() {
    let to = TxKind::Call(SHOP);
    // The parity of a signature is the nonce's: both are tried of each.
    for nonce in [0, 1] {
        let facts = facts(
            block()
                .tx(fixture::legacy(nonce, to, wei(1), None), true, vec![])
                .tx(fixture::legacy(nonce, to, wei(2), Some(1)), true, vec![])
                .tx(
                    fixture::legacy(nonce, to, wei(3), Some(0x5_0000_0000)),
                    true,
                    vec![],
                )
                .tx(fixture::eip2930(nonce, to, wei(4)), true, vec![])
                .tx(fixture::eip1559(nonce, to, wei(5)), true, vec![])
                .tx(fixture::eip4844(nonce, SHOP, wei(6)), true, vec![])
                .tx(fixture::eip7702(nonce, SHOP, wei(7)), true, vec![])
                .withdrawals(&[(SHOP, 32)]),
        );
        let expected: Vec<String> = (0..7).map(|n| format!("{n} tx ether {}", n + 1)).collect();
        assert_eq!(credits(&facts), expected);
        assert_eq!(facts.transactions.len(), 7);
        assert_eq!(facts.block.id.height, Height(100));
        assert!(facts.ignored.is_empty());
    }
}

// shows: T3
#[test]
fn a_failed_transaction_credits_nothing() {
    let value = fixture::eip1559(0, SHOP.into(), wei(5));
    let transfer = fixture::eip1559(1, TOKEN.into(), U256::ZERO);
    let facts = facts(
        block()
            .tx(value, false, vec![])
            // Impossible by protocol; a chain that keeps such logs still credits nothing.
            .tx(transfer, false, vec![token_log(5)]),
    );
    assert_eq!(credits(&facts), [""; 0]);
    assert_eq!(facts.ignored, [(IgnoredReason::Failed, 2)]);
}

// shows: T15 T16
#[test]
fn withdrawals_and_creations_and_empty_blocks_credit_nothing() {
    let creation = fixture::legacy(0, TxKind::Create, wei(5), Some(1));
    for builder in [
        block(),
        block().withdrawals(&[(SHOP, 1), (SHOP, 2)]),
        block().tx(creation, true, vec![]),
        block().ether(SHOP, U256::ZERO),
    ] {
        let facts = facts(builder);
        assert!(facts.credits.is_empty() && facts.ignored.is_empty());
    }
}

// shows: T5
#[test]
fn ten_thousand_poisonings_leave_the_one_payment() {
    let mut logs = vec![token_log(0); 10_000];
    logs.insert(5_000, token_log(25));
    let facts = facts(block().logs(TOKEN, logs));
    assert_eq!(credits(&facts), ["0 log:5000 0xdAC1 25"]);
    assert_eq!(facts.ignored, [(IgnoredReason::ZeroValue, 10_000)]);
}

#[test]
fn amounts_go_up_to_256_bits() {
    for amount in [
        U256::from(u64::MAX) + wei(1),
        U256::from(u128::MAX) + wei(1),
        U256::MAX,
    ] {
        let log = transfer_log(TOKEN, PAYER, SHOP, amount);
        let facts = facts(block().ether(SHOP, amount).logs(TOKEN, vec![log]));
        let amounts: Vec<U256> = facts.credits.iter().map(|c| c.amount.base()).collect();
        assert_eq!(amounts, [amount, amount]);
    }
}

// shows: T16
#[test]
fn an_unknown_type_is_named_with_its_block_and_transaction() {
    let mut built = block().ether(SHOP, wei(1)).ether(SHOP, wei(2)).build();
    built.block["transactions"][1]["type"] = "0x7e".into();
    let id = built.block["transactions"][1]["hash"].as_str().unwrap();
    let said = format!(
        "block 100 ({}): transaction 1 ({id}) is of the unknown type 126",
        built.hash
    );
    let error = scanned(&built).unwrap_err();
    assert_eq!(error.to_string(), said);
    assert!(!error.may_heal());
}

#[test]
fn a_real_node_s_block_gives_exactly_what_was_paid() {
    let (block, receipts) = crate::chain::ethereum::verify::tests::anvil();
    let expected = header_ref(&block, Height(3)).unwrap();
    let usdt = address!("0x5fbdb2315678afecb367f032d93f642f64180aa3").into_array();
    let facts = verify_and_scan(&block, &receipts, &expected, &[usdt]).unwrap();
    let ether = |n: u64| format!("tx ether {}", n * 100_000_000_000_000_000);
    let mut expected: Vec<String> = (0..4).map(|n| format!("{n} {}", ether(n + 1))).collect();
    for token in [
        "4 log:0 25000000",
        "5 log:0 1000000",
        "5 log:1 2000000",
        "6 log:1 7000000",
    ] {
        let (position, amount) = token.rsplit_once(' ').unwrap();
        expected.push(format!("{position} 0x5FbD {amount}"));
    }
    assert_eq!(credits(&facts), expected);
    assert_eq!(
        facts.ignored,
        [
            (IgnoredReason::UnknownToken, 9),
            (IgnoredReason::ZeroValue, 1),
            (IgnoredReason::Failed, 1)
        ]
    );
}

#[test]
fn the_signer_of_every_type_is_recovered() {
    let (block, receipts) = crate::chain::ethereum::verify::tests::anvil();
    let expected = header_ref(&block, Height(3)).unwrap();
    let facts = verify_and_scan(&block, &receipts, &expected, &[]).unwrap();
    let alice = address!("0x70997970c51812dc3a010c7d01b50e0d17dc79c8");
    let bob = address!("0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc");
    let payers: Vec<_> = facts
        .credits
        .iter()
        .map(|credit| sender::payer(&credit))
        .collect();
    let expected = [alice, alice, alice, bob].map(|who| Some(who.into_array()));
    assert_eq!(payers, expected);
}

#[test]
fn an_account_that_sends_ether_to_itself_is_recognised() {
    let (block, receipts) = crate::chain::ethereum::verify::tests::anvil();
    let expected = header_ref(&block, Height(3)).unwrap();
    let facts = verify_and_scan(&block, &receipts, &expected, &[]).unwrap();
    let mut credit = facts.credits.iter().next().unwrap();
    assert!(!sender::is_self_transfer(&credit));
    credit.destination = Destination::new(&sender::payer(&credit).unwrap()).unwrap();
    assert!(sender::is_self_transfer(&credit));
}
