//! What the journal and the explanations say.

use super::{
    check,
    setup::{shown, txid},
};
use crate::domain::{
    apply::apply,
    assess::{
        cause::{About, Cause},
        gate::{Wait, just_after},
    },
    block::Height,
    event::EventKind,
    explain::explain,
    payment::Hold,
    status::{Reason, Status},
    time::UnixMs,
};

#[test]
fn a_snapshot_has_the_columns_of_the_payment_with_their_scale() {
    let story = check("ETH 0.15", "mine a=0.15\nblocks 11 => paid/exact");
    let data = shown(story.entries.last().unwrap());
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
        "watch_until_at": null, "version": 4, "depth_rule": "confirmations",
    });
    assert_eq!(data, expected);
}

#[test]
fn each_entry_shows_the_reason_that_it_leads_to_and_what_a_person_should_know() {
    let story = check(
        "BTC 0.4",
        "mine a=0.1\nblocks 1 => invalid/underpaid\nsee c=25:USDC",
    );
    let dropped = check("BTC 0.4", "see a=0.4\nevict a => new/dropped");
    let accepted = check("BTC 0.4", "mine a=0.1\nblocks 1\naccept => paid/operator");
    let mut attentions = Vec::new();
    let others = dropped.entries.iter().chain(&accepted.entries);
    for entry in story.entries.iter().chain(others) {
        let data: serde_json::Value = serde_json::from_str(&entry.data).unwrap();
        let reason = entry.reason.map(Reason::as_str);
        assert_eq!(data["reason"].as_str(), reason, "{data}");
        if entry.kind == EventKind::Attention {
            attentions.push(data["attention"]["code"].clone());
            assert_ne!(data["attention"]["message"], "");
        }
    }
    assert_eq!(attentions, ["wrong_asset"]);
}

#[test]
fn a_payment_is_final_from_the_entry_on_that_says_so() {
    let story = check(
        "USDT 25",
        "mine a=25\nblocks 4\nfinalize\nblocks 1 => paid/exact final",
    );
    let finals: Vec<_> = story
        .entries
        .iter()
        .map(|entry| (entry.kind, shown(entry)["final"].clone()))
        .collect();
    let [.., paid, last] = &finals[..] else {
        panic!("{finals:?}");
    };
    assert_eq!(*paid, (EventKind::Status, 0.into()));
    assert_eq!(*last, (EventKind::Finalized, 1.into()));
}

#[test]
fn each_entry_shows_the_row_as_it_is_after_it() {
    let story = check("BTC 0.4", "see a=0.4");
    let statuses: Vec<(&str, serde_json::Value)> = story
        .entries
        .iter()
        .map(|entry| (entry.kind.as_str(), shown(entry)["status"].clone()))
        .collect();
    let expected = [
        ("registered", "new".into()),
        ("transfer", "new".into()),
        ("status", "pending".into()),
    ];
    assert_eq!(statuses, expected);
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
        "amount": "0.40000000", "from_address": null, "state": "replaced", "evidence": "proven",
        "disposition": "short", "replaced_by": txid("z").to_string(),
        "first_seen_at": 1_800_000_000_000_i64, "block_height": null, "block_hash": null,
        "block_at": null, "confirmations": 0,
    });
    assert_eq!(shown(entry)["transfer"], expected);
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
    assert_eq!(shown(entry)["command"], expected);
}

#[test]
fn what_a_payment_waits_for_is_named() {
    // Times in minutes after registration; the deadline is 20 and 2 of grace.
    let poll = |minutes: i64| Wait::Poll(UnixMs(1_800_000_000_001 + minutes * 60_000));
    let (cursor, last) = (|h| Wait::Cursor(Height(h)), |h| Wait::Final(Height(h)));
    let cases = [
        ("BTC 0.4", "judge", vec![poll(22)]),
        ("BTC 0.4", "see a=0.4", vec![poll(24 * 60)]),
        ("BTC 0.4", "mine a=0.4", vec![cursor(1002)]),
        ("BTC 0.4", "mine a=0.4\nblocks 1", vec![last(1001)]),
        (
            "BTC 0.4",
            "mine a=0.4\nunhealthy\nblocks 1",
            vec![Wait::Health],
        ),
        ("BTC 0.4", "mine a=0.4\nfreeze\nblocks 1", vec![Wait::Thaw]),
        (
            "BTC 0.4",
            "mine a=0.4\nunhealthy\nfreeze",
            vec![Wait::Health, Wait::Thaw, cursor(1002)],
        ),
        ("BTC 0.4 scan_from=900", "judge", vec![Wait::Scan, poll(22)]),
    ];
    for (setup, lines, expected) in cases {
        let story = check(setup, lines);
        let mut found = explain(&story.payment, &story.view, story.now);
        let end = story.payment.judged.watch_until_at.map(just_after);
        found
            .waits
            .retain(|wait| end.map(Wait::Poll) != Some(*wait));
        assert_eq!(found.waits, expected, "{setup}: {lines}");
    }
}

#[test]
fn why_a_person_should_look_is_named_until_somebody_did() {
    let about = |about, name| Cause::Money(about, txid(name));
    let cases = [
        ("BTC 0.4", "mine a=0.4\nblocks 1", vec![]),
        (
            "BTC 0.4",
            "mine a=0.1\nblocks 1",
            vec![
                Cause::Invalid(Some(Reason::Underpaid)),
                about(About::Invalid, "a"),
            ],
        ),
        ("BTC 0.4", "mine a=0.1\nblocks 1\nack", vec![]),
        (
            "USDT 25",
            "mine a=1:USDC",
            vec![about(About::WrongAsset, "a")],
        ),
        (
            "USDT 25",
            "mine a=1:USDC\nack\nmine b=1:USDC",
            vec![about(About::WrongAsset, "b")],
        ),
        (
            "BTC 0.4",
            "mine a=0.5\nblocks 1",
            vec![about(About::Excess, "a")],
        ),
    ];
    for (setup, lines, expected) in cases {
        let story = check(setup, lines);
        let found = explain(&story.payment, &story.view, story.now);
        assert_eq!(found.causes, expected, "{setup}: {lines}");
    }
}

#[test]
fn a_hold_is_a_wait_and_a_cause_and_a_final_payment_waits_for_nobody() {
    let mut story = check("BTC 0.4", "mine a=0.4");
    story.payment.history.held = Some(Hold {
        at: UnixMs(7),
        status: Status::Paid,
        problem: "disk".to_owned(),
    });
    story.payment.judged.needs_review = true;
    let found = explain(&story.payment, &story.view, story.now);
    assert_eq!(found.waits[0], Wait::Review);
    assert_eq!(found.causes, [Cause::Held(UnixMs(7))]);
    let mut story = check("BTC 0.4", "mine a=0.4\nblocks 1\nfinalize\njudge");
    assert!(story.payment.judged.is_final);
    story.view.healthy = false;
    let found = explain(&story.payment, &story.view, story.now);
    assert!(!found.waits.contains(&Wait::Health), "{found:?}");
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
    assert_eq!(shown(entry)["needs_review"], 0);
    assert_eq!(step.payment.version, story.payment.version + 1);
}
