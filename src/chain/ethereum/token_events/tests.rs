//! Which logs tell of an act, and what is made of those that are not as they should be.

use super::*;
use crate::chain::ethereum::{
    fixture::{self, BlockBuilder, transfer_log},
    verify::header_ref,
    verify_and_scan,
};
use alloy_primitives::{Bytes, address, keccak256};

const USDT: Address = address!("0xdac17f958d2ee523a2206206994597c13d831ec7");
const FAKE: Address = address!("0x00000000000000000000000000000000000000fa");
const WHO: Address = address!("0x00000000000000000000000000000000000c0ffe");

/// Every event that is known, as its source declares it.
const KNOWN: [(&str, TokenAct); 12] = [
    ("Pause()", TokenAct::Paused),
    ("Unpause()", TokenAct::Unpaused),
    ("Paused(address)", TokenAct::Paused),
    ("Unpaused(address)", TokenAct::Unpaused),
    ("Params(uint256,uint256)", TokenAct::FeeChanged),
    ("Deprecate(address)", TokenAct::Deprecated),
    ("Upgraded(address)", TokenAct::Upgraded),
    ("AddedBlackList(address)", TokenAct::Blacklisted),
    ("RemovedBlackList(address)", TokenAct::Unblacklisted),
    (
        "DestroyedBlackFunds(address,uint256)",
        TokenAct::FundsDestroyed,
    ),
    ("Blacklisted(address)", TokenAct::Blacklisted),
    ("UnBlacklisted(address)", TokenAct::Unblacklisted),
];

fn word(number: u64) -> B256 {
    U256::from(number).into()
}

fn log(contract: Address, signature: &str, indexed: &[B256], data: &[B256]) -> Log {
    let topics = std::iter::once(keccak256(signature)).chain(indexed.iter().copied());
    Log::new_unchecked(contract, topics.collect(), data.concat().into())
}

/// What a log of the token tells: act, account, figures.
fn told(log: &Log) -> Option<String> {
    let event = read(log, (3, Position::Log(5)), &[USDT.into_array()])?;
    assert_eq!(event.contract, USDT.into_array());
    assert_eq!((event.tx_index, event.position), (3, Position::Log(5)));
    let account = event.account.map(|account| Address::from(account) == WHO);
    let account = account.map_or("-", |is_who| if is_who { "who" } else { "another" });
    let figures: Vec<U256> = event.figures.iter().map(|figure| figure.base()).collect();
    Some(format!("{} {account} {figures:?}", event.act))
}

#[test]
fn every_topic_is_the_hash_of_its_declaration() {
    for ((signature, act), (topic, of)) in KNOWN.into_iter().zip(ACTS) {
        assert_eq!((keccak256(signature), act), (topic, of), "{signature}");
    }
}

#[test]
fn the_logs_of_real_tokens_are_read() {
    let who = WHO.into_word();
    let cases: [(&str, &[B256], &[B256], &str); 14] = [
        ("Pause()", &[], &[], "token_paused - []"),
        ("Unpause()", &[], &[], "token_unpaused - []"),
        ("Paused(address)", &[], &[who], "token_paused - []"),
        ("Unpaused(address)", &[], &[who], "token_unpaused - []"),
        (
            "Params(uint256,uint256)",
            &[],
            &[word(10), word(5_000_000)],
            "token_fee_changed - [10, 5000000]",
        ),
        ("Deprecate(address)", &[], &[who], "token_deprecated who []"),
        ("Upgraded(address)", &[who], &[], "token_upgraded who []"),
        ("Upgraded(address)", &[], &[who], "token_upgraded who []"),
        (
            "AddedBlackList(address)",
            &[],
            &[who],
            "token_blacklisted who []",
        ),
        (
            "RemovedBlackList(address)",
            &[],
            &[who],
            "token_unblacklisted who []",
        ),
        (
            "DestroyedBlackFunds(address,uint256)",
            &[],
            &[who, word(25)],
            "token_funds_destroyed who [25]",
        ),
        (
            "Blacklisted(address)",
            &[who],
            &[],
            "token_blacklisted who []",
        ),
        (
            "UnBlacklisted(address)",
            &[who],
            &[],
            "token_unblacklisted who []",
        ),
        (
            "Blacklisted(address)",
            &[word(7)],
            &[],
            "token_blacklisted another []",
        ),
    ];
    for (signature, indexed, data, expected) in cases {
        let log = log(USDT, signature, indexed, data);
        assert_eq!(told(&log).as_deref(), Some(expected), "{signature}");
    }
}

#[test]
fn a_log_that_is_not_as_it_should_be_is_told_with_what_it_has() {
    let who = WHO.into_word();
    let mut dirty = who;
    dirty.0[11] = 1;
    let blacklist = "AddedBlackList(address)";
    let destroyed = "DestroyedBlackFunds(address,uint256)";
    let fee = "Params(uint256,uint256)";
    let cases: [(&str, &[B256], &[B256], &str); 8] = [
        (blacklist, &[], &[], "token_blacklisted - []"),
        (blacklist, &[], &[dirty], "token_blacklisted - []"),
        (blacklist, &[dirty], &[], "token_blacklisted - []"),
        (blacklist, &[], &[who, who, who], "token_blacklisted who []"),
        (
            destroyed,
            &[who],
            &[word(25)],
            "token_funds_destroyed who [25]",
        ),
        (destroyed, &[], &[who], "token_funds_destroyed who []"),
        (fee, &[], &[word(10)], "token_fee_changed - [10]"),
        (
            "Pause()",
            &[who, who, who],
            &[who, dirty],
            "token_paused - []",
        ),
    ];
    for (signature, indexed, data, expected) in cases {
        let log = log(USDT, signature, indexed, data);
        assert_eq!(told(&log).as_deref(), Some(expected), "{signature}");
    }
    let topics = vec![keccak256(blacklist)];
    let short = Log::new_unchecked(USDT, topics, Bytes::from(vec![0; 31]));
    assert_eq!(told(&short).as_deref(), Some("token_blacklisted - []"));
}

#[test]
fn other_contracts_and_other_logs_tell_nothing() {
    let bare = Log::new_unchecked(USDT, Vec::new(), Bytes::new());
    let mut anonymous = log(USDT, "Pause()", &[], &[]);
    anonymous.data = alloy_primitives::LogData::new_unchecked(
        vec![word(1)],
        keccak256("Pause()").to_vec().into(),
    );
    for log in [
        bare,
        anonymous,
        log(FAKE, "Pause()", &[], &[]),
        log(USDT, "Pausing()", &[], &[]),
        log(USDT, "OwnershipTransferred(address,address)", &[], &[]),
        transfer_log(USDT, FAKE, WHO, U256::from(1)),
    ] {
        assert_eq!(told(&log), None, "{log:?}");
    }
    let system = log(SYSTEM_EMITTER, "Pause()", &[], &[]);
    let tokens = [SYSTEM_EMITTER.into_array()];
    assert_eq!(read(&system, (0, Position::Log(0)), &tokens), None);
}

#[test]
fn a_verified_block_tells_the_acts_of_its_successful_transactions_beside_the_credits() {
    let pause = || log(USDT, "Pause()", &[], &[]);
    let listed = log(USDT, "AddedBlackList(address)", &[], &[WHO.into_word()]);
    let moved = transfer_log(USDT, FAKE, WHO, U256::from(25));
    let failed = fixture::eip1559(0, USDT.into(), U256::ZERO);
    let built = BlockBuilder::new(100, B256::repeat_byte(7))
        // Impossible by protocol; a chain that keeps such logs tells nothing by them.
        .tx(failed, false, vec![pause()])
        .logs(
            FAKE,
            vec![log(FAKE, "Pause()", &[], &[]), moved, listed, pause()],
        )
        .build();
    let block = built.block.to_string();
    let expected = header_ref(&block, crate::domain::block::Height(100)).unwrap();
    let tokens = [USDT.into_array()];
    let facts = verify_and_scan(&block, &built.receipts.to_string(), &expected, &tokens).unwrap();
    let events = facts.token_events.iter();
    let told: Vec<_> = events
        .map(|event| (event.tx_index, event.position.to_string(), event.act))
        .collect();
    let expected = [
        (1, "log:2".to_owned(), TokenAct::Blacklisted),
        (1, "log:3".to_owned(), TokenAct::Paused),
    ];
    assert_eq!(told, expected);
    assert_eq!(facts.credits.len(), 1);
}
