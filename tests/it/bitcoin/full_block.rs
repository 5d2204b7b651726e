//! A block of mainnet's size, with all that mainnet has in one: exactly what is watched is credited.

use bitcoin::consensus::encode::serialize_hex;
use bitcoin::hashes::{Hash as _, hash160};
use bitcoin::{Address, Network, PubkeyHash, ScriptBuf, Transaction, TxOut, WPubkeyHash};
use serde_json::{Value, json};

use crate::confirmd::Confirmd;
use crate::nodes::anybodys::output;
use crate::nodes::bitcoind::Bitcoind;
use crate::nodes::full_block::{AIRDROP, Coins, ORDINARY, bare_key, program};

/// What each payment asks for.
const SATS: u64 = 1_500_000;

/// The most memory that a daemon may have had by then, to which nothing of the block remains: over RPC a block is
/// there as text of twice its size, too.
const MEMORY_MAX_KIB: u64 = 64 * 1024;

/// What is less is not as full as a block of mainnet.
const FULL_WEIGHT: u64 = 3_990_000;

/// Each payment's id, its script, and whether it is paid.
fn watched() -> Vec<(&'static str, ScriptBuf, bool)> {
    let hash = |byte: u8| hash160::Hash::from_byte_array([byte; 20]);
    let key = hash160::Hash::hash(&bare_key());
    let pkh = |hash: hash160::Hash| ScriptBuf::new_p2pkh(&PubkeyHash::from_raw_hash(hash));
    let wpkh = |hash: hash160::Hash| ScriptBuf::new_p2wpkh(&WPubkeyHash::from_raw_hash(hash));
    vec![
        ("airdrop-first", wpkh(hash(1)), true),
        ("airdrop-middle", wpkh(hash(2)), true),
        ("airdrop-last", wpkh(hash(3)), true),
        ("ordinary", wpkh(hash(4)), true),
        ("pkh", pkh(hash(5)), true),
        (
            "sh",
            ScriptBuf::new_p2sh(&bitcoin::ScriptHash::from_raw_hash(hash(6))),
            true,
        ),
        ("wsh", program_of_version_0(&[7; 32]), true),
        ("taproot", program(1, &[8; 32]), true),
        ("future", program(16, &[9; 40]), true),
        ("twice", wpkh(hash(10)), true),
        // Nobody pays them, but what is paid looks like it.
        ("key-of-a-bare-key", pkh(key), false),
        ("witness-of-a-bare-key", wpkh(key), false),
        ("look-alike", wpkh(hash(11)), false),
        ("taproot-look-alike", program(1, &[12; 32]), false),
    ]
}

fn program_of_version_0(hash: &[u8; 32]) -> ScriptBuf {
    [&[0, 32][..], hash].concat().into()
}

/// What stands near the scripts of the unpaid: longer, pushed in other ways, inside data, of another version, or
/// worth nothing.
fn look_alikes() -> Vec<TxOut> {
    let (own, taproot) = ([&[0, 20][..], &[11; 20]].concat(), [12; 32]);
    let scripts = [
        [&own[..], &[0x61]].concat(),
        [&[0x61][..], &own].concat(),
        [&[0, 0x4c, 20][..], &[11; 20]].concat(),
        [&[0x6a, 22][..], &own].concat(),
        [&[0x51, 20][..], &[11; 20]].concat(),
        [&[0, 32][..], &taproot].concat(),
        [&[0x52, 32][..], &taproot].concat(),
        [&[32][..], &taproot, &[0xac]].concat(),
    ];
    let mut outputs: Vec<TxOut> = scripts
        .into_iter()
        .map(|script| output(SATS, script.into()))
        .collect();
    outputs.push(output(0, own.into()));
    outputs
}

/// The transactions of the block: what is watched is at its ends, in its middle, and between what is odd.
fn transactions(coins: &Coins) -> Vec<Transaction> {
    let watched = watched();
    let pay = |id: &str, sats: u64| {
        let (_, script, _) = watched
            .iter()
            .find(|(known, ..)| *known == id)
            .expect("a payment");
        output(sats, script.clone())
    };
    let in_full = |id: &str| pay(id, SATS);
    let airdrop = coins.airdrop(&[
        (0, in_full("airdrop-first")),
        (AIRDROP / 2, in_full("airdrop-middle")),
        (AIRDROP - 1, in_full("airdrop-last")),
    ]);
    let mut between_odd = ["pkh", "sh", "wsh", "taproot", "future"]
        .map(in_full)
        .to_vec();
    between_odd.extend(look_alikes());
    // Two outputs of one transaction, far from one another.
    between_odd.insert(1, pay("twice", SATS / 3));
    between_odd.push(pay("twice", SATS - SATS / 3));
    let mut all = coins.ordinary(&in_full("ordinary"));
    all.insert(ORDINARY / 3, airdrop);
    all.insert(ORDINARY / 4, coins.odd(&between_odd));
    let unusual = coins.unusual(&all);
    all.splice(9..9, unusual);
    all
}

/// What the block pays to the watched, found by comparing every output's bytes: id, txid, position and amount.
fn expected(transactions: &[Transaction]) -> Vec<[String; 4]> {
    let mut found = Vec::new();
    for (id, script, _) in watched() {
        for transaction in transactions {
            for (vout, paid) in transaction.output.iter().enumerate() {
                if paid.script_pubkey == script && paid.value.to_sat() > 0 {
                    let btc = format!("0.{:08}", paid.value.to_sat());
                    let txid = transaction.compute_txid().to_string();
                    found.push([id.to_owned(), txid, format!("vout:{vout}"), btc]);
                }
            }
        }
    }
    found.sort();
    found
}

fn credited(confirmd: &Confirmd) -> Vec<[String; 4]> {
    let rows = confirmd.ledger().query("SELECT * FROM v1_transfer", &[]);
    let text = |row: &Value, column: &str| row[column].as_str().unwrap_or_default().to_owned();
    let columns = ["payment_id", "txid", "position", "amount"];
    let mut rows: Vec<_> = rows
        .iter()
        .map(|row| columns.map(|column| text(row, column)))
        .collect();
    rows.sort();
    rows
}

fn follow(node: &Bitcoind, over_rest: bool) -> Confirmd {
    let confirmd = Confirmd::with(node)
        .set("chains.bitcoin.rest", over_rest)
        .start();
    let requests: Vec<String> = watched()
        .iter()
        .map(|(id, script, _)| {
            let address = Address::from_script(script, Network::Regtest);
            confirmd
                .register(id)
                .address(address.expect("an address"))
                .submit()
        })
        .collect();
    for request in requests {
        confirmd.await_applied(&request);
    }
    confirmd
}

fn peak_kib(confirmd: &Confirmd) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", confirmd.id()));
    let status = status.expect("a running process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let value = line.and_then(|rest| rest.split_whitespace().next());
    value.expect("a peak").parse().expect("a number")
}

#[test]
fn a_block_as_full_and_as_odd_as_can_be_credits_exactly_what_is_watched() {
    let node = Bitcoind::start_empty(&[]);
    let coins = Coins::mine(&node);
    let daemons = [true, false].map(|over_rest| (over_rest, follow(&node, over_rest)));
    let transactions = transactions(&coins);
    let raw: Vec<String> = transactions.iter().map(serialize_hex).collect();
    let raw: Vec<&str> = raw.iter().map(String::as_str).collect();
    let block = node.mine_only(&raw);
    let weight = node.rpc().call("getblock", json!([block, 1]))["weight"].as_u64();
    assert!(weight > Some(FULL_WEIGHT), "{weight:?}");
    node.mine_empty(1);

    let expected = expected(&transactions);
    let paid = watched().iter().filter(|(.., paid)| *paid).count();
    assert_eq!(
        expected.len(),
        paid + 1,
        "each once, and one twice: {expected:?}"
    );
    for (over_rest, confirmd) in &daemons {
        confirmd.await_bitcoin(&node);
        for (id, _, is_paid) in watched() {
            let becomes = if is_paid {
                json!({"status": "paid", "reason": "exact", "flags": "", "block_hash": block})
            } else {
                json!({"status": "new", "amount_received": "0.00000000"})
            };
            confirmd.await_payment(id, &becomes);
        }
        assert_eq!(credited(confirmd), expected);
        let fetched = |method: &str| {
            let labels = format!(r#"method="{method}",outcome="ok""#);
            let (_, page) = confirmd.page("/metrics");
            let mut lines = page.lines().filter(|line| line.contains(&labels));
            lines.any(|line| !line.ends_with(" 0"))
        };
        assert_eq!(
            [fetched("rest_block"), fetched("getblock")],
            [*over_rest, !over_rest]
        );
        let peak = peak_kib(confirmd);
        assert!(peak < MEMORY_MAX_KIB, "rest = {over_rest}: {peak} KiB");
    }
}
