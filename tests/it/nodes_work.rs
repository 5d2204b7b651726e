//! The harness and the test tokens do what the other tests take for granted.

use alloy_primitives::{Address, B256, U256, keccak256};

use crate::nodes::anvil::{Anvil, ETHER};
use crate::nodes::bitcoind::Bitcoind;
use crate::nodes::tokens::{self, Tokens};

const RECEIVER: Address = Address::repeat_byte(0x11);
const OTHER: Address = Address::repeat_byte(0x22);

/// Sends, mines one block, and reads the receipt.
fn mined(anvil: &Anvil, transaction: B256) -> crate::nodes::anvil::Receipt {
    anvil.mine(1);
    anvil.receipt(transaction).expect("a receipt")
}

/// The transfers that a receipt's logs tell: contract, receiver, value.
fn transfers(anvil: &Anvil, transaction: B256) -> Vec<(Address, Address, u64)> {
    let receipt = mined(anvil, transaction);
    assert!(receipt.succeeded, "{receipt:?}");
    let transfer = keccak256("Transfer(address,address,uint256)");
    receipt
        .logs
        .iter()
        .filter(|log| log.topics[0] == transfer)
        .map(|log| {
            let value = U256::from_be_slice(&log.data);
            (log.address, Address::from_word(log.topics[2]), value.to())
        })
        .collect()
}

#[test]
fn bitcoind_mines_reorganises_and_returns() {
    let node = Bitcoind::start();
    assert_eq!(node.height(), 110);
    let address = node.new_address("bech32m");
    let txid = node.send(&address, "0.015");
    assert!(node.mempool().contains(&txid));

    let first = node.mine(1);
    assert!(node.mempool().is_empty());
    let (gone, came) = node.reorg(1, 2);
    assert_eq!(gone, first);
    assert_eq!(node.tip(), came[1]);
    assert_eq!(node.height(), 112);
    assert!(node.mempool().contains(&txid), "back from its block");

    node.invalidate(&came[0]);
    node.reconsider(&first[0]);
    assert_eq!(node.tip(), first[0]);
    node.reconsider(&came[0]);
    assert_eq!(node.tip(), came[1]);
}

#[test]
fn bitcoind_replaces_payments() {
    let node = Bitcoind::start();
    let (watched, other) = (node.new_address("bech32"), node.new_address("legacy"));
    let paying = node.send_many(&[(&watched, "0.5"), (&watched, "0.5")]);
    let child = node.send_from_change_of(&paying, &[(&watched, "0.25")]);
    assert_eq!(node.mempool(), [paying.clone(), child].into());

    let replacement = node.replace(&paying, &[(&other, "0.5")]);
    assert_eq!(node.mempool(), [replacement.clone()].into());

    let conflict = node.sign_conflict(&replacement, &[]);
    node.mine_only(&[&conflict]);
    assert!(node.mempool().is_empty(), "the conflict was mined instead");
}

#[test]
fn bitcoind_forgets_and_takes_back_a_payment() {
    let mut node = Bitcoind::start();
    let address = node.new_address("p2sh-segwit");
    let txid = node.send(&address, "1");
    let raw = node.raw(&txid);
    let instead = node.expire_mempool();
    assert_eq!(node.mempool(), [instead.clone()].into());
    assert_eq!(node.broadcast(&raw), txid);

    node.restart();
    assert_eq!(node.mempool(), [instead, txid.clone()].into());
    node.restart_with_empty_mempool();
    assert!(node.mempool().is_empty());
    node.mine_only(&[&raw]);
    node.kill();
    node.restart();
    assert!(
        node.height() >= 110,
        "what was not synced to disk may be lost"
    );
}

#[test]
fn bitcoind_gives_raw_blocks_by_rest() {
    let node = Bitcoind::start_empty(&[]);
    let path = format!("/rest/block/{}.bin", node.tip());
    let (status, block) = node.rpc().get(&path).expect("an answer");
    assert_eq!((status, block.len()), (200, 285), "the genesis block");
    node.mine(3);
    assert_eq!(node.rollback(2).len(), 2);
    assert_eq!(node.height(), 1);
}

#[test]
fn anvil_mines_only_when_told_and_reorganises() {
    let anvil = Anvil::start_with(&["--chain-id", "1337"]);
    let sent: Vec<B256> = (1..=5).map(|n| anvil.send_eth(RECEIVER, n)).collect();
    assert_eq!(anvil.block_number(), 0);
    anvil.freeze();
    anvil.thaw();
    assert!(mined(&anvil, sent[4]).succeeded);
    assert_eq!(anvil.balance(RECEIVER), U256::from(15));
    assert_eq!(
        anvil.block(1)["transactions"],
        serde_json::json!(sent),
        "in the order sent"
    );

    anvil.mine(3);
    let replaced = anvil.hash_at(1);
    anvil.reorg(4);
    assert_eq!(anvil.block_number(), 4);
    assert_ne!(anvil.hash_at(1), replaced);
    assert!(anvil.receipt(sent[4]).is_none());

    let (replaced, at) = (anvil.hash_at(2), anvil.timestamp());
    anvil.reorg_to(3, 1);
    assert_eq!(anvil.block_number(), 2);
    assert_ne!(anvil.hash_at(2), replaced);
    assert!(anvil.timestamp() > at, "time does not go back");
}

#[test]
fn usdt_takes_its_fee_from_what_arrives() {
    let anvil = Anvil::start();
    let tokens = Tokens::deploy(&anvil);
    let paid = tokens::transfer(&anvil, tokens.usdt, RECEIVER, 25_000_000);
    assert_eq!(
        transfers(&anvil, paid),
        [(tokens.usdt, RECEIVER, 25_000_000)]
    );

    tokens::set_fee(&anvil, tokens.usdt, 10, 5);
    let paid = tokens::transfer(&anvil, tokens.usdt, RECEIVER, 25_000_000);
    let owner = anvil.account(0);
    let expected = [
        (tokens.usdt, owner, 25_000),
        (tokens.usdt, RECEIVER, 24_975_000),
    ];
    assert_eq!(transfers(&anvil, paid), expected);
    let balance = anvil.read(tokens.usdt, "balanceOf(address)", &[RECEIVER.into()]);
    assert_eq!(balance, U256::from(49_975_000));
}

#[test]
fn tokens_refuse_the_paused_and_the_blocked() {
    let anvil = Anvil::start();
    let tokens = Tokens::deploy(&anvil);
    let refused = |transaction| !mined(&anvil, transaction).succeeded;

    tokens::pause(&anvil, tokens.usdt);
    assert!(refused(tokens::transfer(&anvil, tokens.usdt, RECEIVER, 1)));
    tokens::unpause(&anvil, tokens.usdt);
    tokens::blacklist_usdt(&anvil, tokens.usdt, RECEIVER);
    assert!(
        !refused(tokens::transfer(&anvil, tokens.usdt, RECEIVER, 1)),
        "USDT blocks senders"
    );
    tokens::blacklist_usdc(&anvil, tokens.usdc, RECEIVER);
    assert!(
        refused(tokens::transfer(&anvil, tokens.usdc, RECEIVER, 1)),
        "USDC blocks both"
    );
}

#[test]
fn usdt_forwards_when_deprecated_and_usdc_upgrades_in_place() {
    let anvil = Anvil::start();
    let tokens = Tokens::deploy(&anvil);
    let successor = tokens::deprecate_usdt(&anvil, tokens.usdt, anvil.account(0));
    let paid = tokens::transfer(&anvil, tokens.usdt, RECEIVER, 7);
    assert_eq!(transfers(&anvil, paid), [(successor, RECEIVER, 7)]);

    tokens::upgrade_usdc(&anvil, tokens.usdc);
    let paid = tokens::transfer(&anvil, tokens.usdc, RECEIVER, 8);
    assert_eq!(transfers(&anvil, paid), [(tokens.usdc, RECEIVER, 8)]);
}

#[test]
fn mischief_pays_batches_and_hides_reverted_transfers() {
    let anvil = Anvil::start();
    let tokens = Tokens::deploy(&anvil);
    let paid = tokens::batch(&anvil, &tokens, tokens.usdc, &[(RECEIVER, 5), (OTHER, 6)]);
    let expected = [(tokens.usdc, RECEIVER, 5), (tokens.usdc, OTHER, 6)];
    assert_eq!(transfers(&anvil, paid), expected);

    let args = [tokens.usdt.into(), RECEIVER.into(), 9.into()];
    let hidden = "transferInRevertedCall(address,address,uint256)";
    let hidden = anvil.invoke(tokens.mischief, hidden, &args);
    assert_eq!(transfers(&anvil, hidden), []);

    let both = tokens::log_and_transfer(&anvil, &tokens, RECEIVER, 1_000, 3);
    let expected = [
        (tokens.mischief, RECEIVER, 1_000),
        (tokens.usdt, RECEIVER, 3),
    ];
    assert_eq!(transfers(&anvil, both), expected);
}

#[test]
fn mischief_logs_malformed_transfers() {
    let anvil = Anvil::start();
    let tokens = Tokens::deploy(&anvil);
    let cases = [
        ("logOneTopic(address,address,uint256)", 1, 96),
        ("logTwoTopics(address,address,uint256)", 2, 64),
        ("logFourTopics(address,address,uint256)", 4, 0),
        ("logShortData(address,address,uint248)", 3, 31),
        ("logLongData(address,address,uint256)", 3, 64),
        ("logDirtyTopics(address,address,uint256)", 3, 32),
    ];
    for (signature, topics, data_len) in cases {
        let args = [OTHER.into(), RECEIVER.into(), 5.into()];
        let receipt = mined(&anvil, anvil.invoke(tokens.mischief, signature, &args));
        let log = &receipt.logs[0];
        assert_eq!(
            (log.topics.len(), log.data.len()),
            (topics, data_len),
            "{signature}"
        );
    }
}

#[test]
fn mischief_moves_ether_inside() {
    let anvil = Anvil::start();
    let tokens = Tokens::deploy(&anvil);
    let cases = [
        ("forward(address)", true, ETHER),
        ("forwardInHalves(address)", true, ETHER),
        ("destructTo(address)", true, ETHER),
        ("forwardInRevertedCall(address)", true, 0),
        ("forwardAndRevert(address)", false, 0),
        ("delegateTo(address)", true, 0),
    ];
    for (index, (signature, succeeds, credited)) in (0x40..).zip(cases) {
        let to = Address::repeat_byte(index);
        let sent = anvil.invoke_paying(tokens.mischief, ETHER, signature, &[to.into()]);
        assert_eq!(mined(&anvil, sent).succeeded, succeeds, "{signature}");
        assert_eq!(anvil.balance(to), U256::from(credited), "{signature}");
    }
}
