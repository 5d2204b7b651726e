//! What the journal and the explanations say.

use super::{check, setup::txid};
use crate::domain::{apply::apply, event::EventKind, explain::explain};

#[test]
fn a_snapshot_has_the_columns_of_the_payment_with_their_scale() {
    let story = check("ETH 0.15", "mine a=0.15\nblocks 11 => paid/exact");
    let data = &story.entries.last().unwrap().data;
    let text = format!("0x{}", txid("a"));
    let expected = serde_json::json!({
        "payment_id": "order-1", "chain": "ethereum", "asset": "ETH", "address": "addr",
        "amount_expected": "0.150000000000000000", "amount_received": "0.150000000000000000",
        "amount_counted": "0.150000000000000000", "shortfall": "0.000000000000000000",
        "surplus": "0.000000000000000000", "allowed_shortfall": "0.000000000000000000",
        "policy": "single", "status": "paid", "reason": "exact", "flags": "",
        "needs_review": 0, "final": 0, "confirmations": 12, "confirmations_required": 12,
        "txid": text, "block_height": 1001, "block_at": 1_800_000_000_000_i64,
        "block_hash": format!("0x{}", story.payment.judged.block.unwrap().id.hash),
        "first_seen_at": 1_800_000_000_000_i64, "confirmed_at": 1_800_000_000_000_i64,
        "paid_at": 1_800_000_000_000_i64, "expires_at": 1_800_001_200_000_i64,
        "grace_ms": 120_000, "late_accept_ms": 0, "closed_at": null,
        "created_at": 1_800_000_000_000_i64, "updated_at": 1_800_000_000_000_i64,
        "watch_until_at": null, "version": 4,
    });
    assert_eq!(*data, expected);
}

#[test]
fn each_entry_shows_the_row_as_it_is_after_it() {
    let story = check("BTC 0.4", "see a=0.4");
    let shown: Vec<(&str, &str)> = story
        .entries
        .iter()
        .map(|entry| (entry.kind.as_str(), entry.data["status"].as_str().unwrap()))
        .collect();
    let expected = [
        ("registered", "new"),
        ("transfer", "new"),
        ("status", "pending"),
    ];
    assert_eq!(shown, expected);
}

#[test]
fn a_transfer_entry_carries_its_transfer() {
    let story = check("BTC 0.4", "see a=0.4\nreplace a z");
    let entry = story
        .entries
        .iter()
        .rfind(|e| e.kind == EventKind::Transfer)
        .unwrap();
    let expected = serde_json::json!({
        "txid": txid("a").to_string(), "position": "vout:0", "asset": "BTC",
        "amount": "0.40000000", "from_address": null, "state": "replaced",
        "disposition": "short", "replaced_by": txid("z").to_string(),
        "first_seen_at": 1_800_000_000_000_i64, "block_height": null, "block_hash": null,
        "block_at": null, "confirmations": 0,
    });
    assert_eq!(entry.data["transfer"], expected);
}

#[test]
fn a_command_entry_carries_its_request() {
    let story = check("BTC 0.4", "mine a=0.4\nblocks 1\nrefunded 0.1");
    let entry = story.entries.last().unwrap();
    assert_eq!(entry.kind, EventKind::Command);
    let expected = serde_json::json!({
        "request_id": "r1", "kind": "refunded", "actor": "operator:ann", "note": null,
        "amount": "0.1", "txid": null,
    });
    assert_eq!(entry.data["command"], expected);
}

#[test]
fn support_staff_read_why_and_what_would_change_it() {
    let cases = [
        (
            "BTC 0.4",
            "judge",
            ["The payment is new", "within 22 minutes is in time"],
        ),
        (
            "BTC 0.4",
            "see a=0.4",
            ["in no block yet", "not in a block (mempool): it pays"],
        ),
        (
            "BTC 0.4",
            "mine a=0.4",
            ["1 of 2 confirmations", "at block 1002, 1 block from now"],
        ),
        (
            "BTC 0.4",
            "mine a=0.4\nblocks 1",
            ["the exact amount came", "final once block 1001"],
        ),
        (
            "BTC 0.4",
            "mine a=0.1\nblocks 1",
            ["too little came", "A person should look: invalid:"],
        ),
        (
            "BTC 0.4",
            "mine a=0.4\nunhealthy\nblocks 1",
            ["until the node answers", "confirming"],
        ),
        (
            "BTC 0.4",
            "mine a=0.4\nfreeze\nblocks 1",
            ["the chain is frozen", "confirming"],
        ),
        (
            "BTC 0.4 scan_from=900",
            "wait 1h",
            ["from block 900 on are scanned", "ended 38 minutes ago"],
        ),
        (
            "BTC 0.4",
            "wait 1h",
            ["expired: the deadline passed", "received 0.00000000"],
        ),
        (
            "USDT 25",
            "mine a=1:USDC",
            ["1.000000 USDC", "so it is not counted"],
        ),
        (
            "BTC 0.4 late_accept=1h",
            "judge",
            ["for 1 hour after that", "up to 0.00000000"],
        ),
    ];
    for (setup, lines, expected) in cases {
        let story = check(setup, lines);
        let text = explain(&story.payment, &story.view, story.now).join("\n");
        for part in expected {
            assert!(text.contains(part), "{lines}: no {part:?} in\n{text}");
        }
    }
}

#[test]
fn steps_about_one_payment_add_up_to_one() {
    let mut story = super::story::Story::begin(&super::setup::Setup::read("BTC 0.4"));
    let facts = story.seen("a=0.4");
    let first = apply(&story.payment, &facts, &story.view, story.now).unwrap();
    let facts = story.connect(&["a", "b=0.1"]);
    let second = apply(&first.payment, &facts, &story.view, story.now).unwrap();
    let (entries, last) = (first.entries.len(), second.payment.clone());
    let both = first.then(second);
    assert_eq!(both.payment, last);
    assert_eq!(both.changed, [0, 1]);
    assert!(both.entries.len() > entries);
    let versions: Vec<u64> = both
        .entries
        .iter()
        .map(|e| e.payment.as_ref().unwrap().1)
        .collect();
    assert_eq!(versions, [2, 3, 4, 5, 6]);
}

#[test]
fn a_column_never_changes_without_an_entry() {
    let mut story = check("BTC 0.4", "judge");
    story.payment.judged.needs_review = true;
    let step = apply(&story.payment, &[], &story.view, story.now).unwrap();
    assert_eq!(step.entries.len(), 1);
    let entry = &step.entries[0];
    assert_eq!((entry.kind, entry.from), (EventKind::Status, entry.to));
    assert_eq!(entry.data["needs_review"], 0);
    assert_eq!(step.payment.version, story.payment.version + 1);
}
