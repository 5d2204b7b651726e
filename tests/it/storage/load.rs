//! S8: a hundred thousand registrations at once.

use std::time::Duration;

use serde_json::json;

use crate::confirmd::gateway::insert;
use crate::confirmd::{Confirmd, Ethereum, now_ms};
use crate::nodes::tokens::transfer;
use crate::nodes::wait_for;

const REGISTRATIONS: u64 = 100_000;

/// How long a debug build may take on a busy machine; how fast it must be is measured elsewhere.
const LOAD_LIMIT: Duration = Duration::from_mins(5);

fn receiver(number: u64) -> alloy_primitives::Address {
    let mut bytes = [0x77; 20];
    bytes[12..].copy_from_slice(&number.to_be_bytes());
    bytes.into()
}

// shows: S8
#[test]
fn a_hundred_thousand_registrations_have_one_outcome_each_and_the_chain_goes_on() {
    let ethereum = Ethereum::start();
    let mut confirmd = Confirmd::with(&ethereum).start();
    confirmd.await_ethereum(&ethereum.anvil);
    let inbox = confirmd.gateway().connect();
    inbox
        .execute_batch("BEGIN IMMEDIATE")
        .expect("a transaction");
    let now = now_ms();
    for number in 0..REGISTRATIONS {
        let body =
            json!({"asset": "USDT", "address": receiver(number), "amount": "25"}).to_string();
        let id = format!("order-{number}");
        insert(&inbox, &id, "register", &id, &body, now).expect("a row");
    }
    inbox.execute_batch("COMMIT").expect("a commit");
    transfer(
        &ethereum.anvil,
        ethereum.tokens.usdt,
        receiver(99_999),
        25_000_000,
    );
    ethereum.anvil.mine(2);

    let count = |sql: &str| {
        let rows = confirmd.ledger().query(sql, &[]);
        rows[0]["n"].as_u64().expect("a count")
    };
    let applied = "SELECT count(*) AS n FROM v1_request WHERE outcome = 'applied'";
    wait_for("every outcome", LOAD_LIMIT, || {
        (count(applied) == REGISTRATIONS).then_some(())
    });
    assert_eq!(count("SELECT count(*) AS n FROM v1_request"), REGISTRATIONS);
    assert_eq!(count("SELECT count(*) AS n FROM v1_payment"), REGISTRATIONS);
    assert_eq!(
        count("SELECT count(DISTINCT payment_id) AS n FROM v1_event"),
        REGISTRATIONS
    );
    confirmd.await_payment("order-99999", &json!({"status": "paid", "reason": "exact"}));

    confirmd.restart();
    transfer(
        &ethereum.anvil,
        ethereum.tokens.usdt,
        receiver(50_000),
        25_000_000,
    );
    ethereum.anvil.mine(2);
    confirmd.await_payment("order-50000", &json!({"status": "paid", "reason": "exact"}));
}
