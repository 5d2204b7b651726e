//! What lies exactly on a bound: the last moment, the first block, the longest text.

use super::{
    check,
    setup::{START, block},
};
use crate::domain::{
    assess::money::{Standing, gather},
    asset::ChainKind,
    block::{BlockHash, BlockRef, Height},
    command::carry_out,
    payment::{Payment, Scan, ScanFrom},
    register::slack,
    request::{Request, parse},
    step::{InboxPosition, Step},
    time::{SpanMs, UnixMs},
    transfer::Place,
};

fn at(height: u32, time: UnixMs) -> BlockRef {
    block(height, 0, BlockHash([0; 32]), time)
}

#[test]
fn who_walks_down_stops_at_the_start_of_a_scan() {
    let height = ScanFrom::Height(Height(10));
    let time = ScanFrom::Time(START);
    let just_after = UnixMs(START.0 + 1);
    for (from, block, stops) in [
        (height, at(11, START), false),
        (height, at(10, START), true),
        (height, at(9, START), true),
        (time, at(10, just_after), false),
        (time, at(10, START), true),
        (time, at(0, just_after), true),
    ] {
        assert_eq!(from.is_reached_by(&block), stops, "{from:?} {block:?}");
    }
}

#[test]
fn a_scan_looks_at_blocks_between_its_start_and_what_is_known() {
    let scan = |from, to: Option<u32>| Scan {
        from,
        scanned_to: to.map(Height),
        goal: None,
    };
    let height = ScanFrom::Height(Height(10));
    for (to, block, looks) in [
        (None, 9, false),
        (None, 10, true),
        (None, 30, true),
        (Some(20), 10, false),
        (Some(20), 20, false),
        (Some(20), 21, true),
    ] {
        let looked = scan(height, to).looks_at(&at(block, START), ChainKind::Bitcoin);
        assert_eq!(looked, looks, "{to:?} {block}");
    }
    for kind in [ChainKind::Bitcoin, ChainKind::Ethereum] {
        let first = START.minus(slack(kind));
        let scan = scan(ScanFrom::Time(START), None);
        assert!(scan.looks_at(&at(5, first), kind), "{kind:?}");
        assert!(
            !scan.looks_at(&at(5, first.minus(SpanMs(1))), kind),
            "{kind:?}"
        );
    }
}

#[test]
fn a_scan_that_starts_at_the_cursor_still_has_that_block_to_look_at() {
    let cursor = Some(Height(10));
    let complete = |from| Scan::starting(ScanFrom::Height(Height(from)), cursor).is_complete();
    assert_eq!([9, 10, 11].map(complete), [false, false, true]);
    assert!(!Scan::starting(ScanFrom::Time(START), cursor).is_complete());
}

#[test]
fn a_scan_that_began_before_the_cursor_has_its_goal_with_the_first() {
    let began = || Scan::starting(ScanFrom::Time(START), None);
    let mut scan = began();
    scan.settle_goal(None);
    assert_eq!(scan, began());
    scan.settle_goal(Some(Height(10)));
    assert_eq!(scan.goal, Some(Height(10)));
    scan.settle_goal(Some(Height(20)));
    assert_eq!(scan.goal, Some(Height(10)), "once");
}

#[test]
fn a_refused_scan_counts_until_the_past_is_known_otherwise() {
    let mut payment = check("BTC 0.4", "judge => new").payment;
    assert_eq!(payment.scan_refusal(), None);
    payment.history.scan_refused = Some("pruned".to_owned());
    payment.scan.goal = Some(Height(20));
    payment.scan.scanned_to = Some(Height(19));
    assert_eq!(payment.scan_refusal(), Some("pruned"));
    payment.scan.scanned_to = payment.scan.goal;
    assert_eq!(payment.scan_refusal(), None);
}

fn asked(kind: &str, body: &str) -> Request {
    Request {
        seq: 1,
        request_id: "r".to_owned(),
        kind: kind.to_owned(),
        payment_id: "order-1".to_owned(),
        body: body.to_owned(),
        actor: None,
        created_at: START,
    }
}

#[test]
fn the_name_of_who_asks_has_256_bytes_at_most() {
    for (length, is_taken) in [(256, true), (257, false)] {
        let request = Request {
            actor: Some("a".repeat(length)),
            ..asked("cancel", "{}")
        };
        assert_eq!(parse(&request).is_ok(), is_taken, "{length}");
    }
}

#[test]
fn what_people_say_has_a_note() {
    for kind in ["accept", "reject", "ack", "refunded"] {
        let command = parse(&asked(kind, r#"{"note": "seen"}"#)).unwrap();
        assert_eq!(command.note(), Some("seen"), "{kind}");
    }
    assert_eq!(parse(&asked("cancel", "{}")).unwrap().note(), None);
}

#[test]
fn a_transaction_is_in_a_block_only_as_a_whole() {
    let mut payment = check("BTC 0.4", "mine a=0.2+0.2").payment;
    let standing = |payment: &Payment| gather(payment)[0].standing;
    assert!(matches!(standing(&payment), Standing::Mined(_)));
    payment.transfers[0].place = Place::Mempool;
    assert_eq!(standing(&payment), Standing::Mempool);
    payment.transfers[1].place = Place::Evicted;
    assert_eq!(standing(&payment), Standing::Mempool);
    payment.transfers[0].place = Place::Orphaned;
    assert_eq!(standing(&payment), Standing::Gone);
}

#[test]
fn a_body_has_8192_bytes_at_most() {
    for (length, is_taken) in [(8192, true), (8193, false)] {
        let body = format!("{{{}}}", " ".repeat(length - 2));
        assert_eq!(parse(&asked("cancel", &body)).is_ok(), is_taken, "{length}");
    }
}

#[test]
fn the_transaction_of_a_refund_has_128_bytes_at_most() {
    let story = check("BTC 0.4", "mine a=0.4\nblocks 1 => paid/exact");
    for (length, is_taken) in [(128, true), (129, false)] {
        let request = asked(
            "refunded",
            &format!("{{\"txid\":{:?}}}", "a".repeat(length)),
        );
        let command = parse(&request).unwrap();
        let done = carry_out(&story.payment, &command, &request, &story.view, story.now);
        assert_eq!(done.is_ok(), is_taken, "{length}");
    }
}

#[test]
fn a_deadline_may_be_moved_by_a_year_at_most() {
    let story = check("BTC 0.4", "judge => new");
    let last = story.now.plus(SpanMs::from_secs(365 * 24 * 3600));
    for (until, is_taken) in [(last, true), (UnixMs(last.0 + 1), false)] {
        let request = asked("extend", &format!(r#"{{"expires_at": {}}}"#, until.0));
        let command = parse(&request).unwrap();
        let done = carry_out(&story.payment, &command, &request, &story.view, story.now);
        assert_eq!(done.is_ok(), is_taken, "{}", until.0);
    }
}

#[test]
fn what_depends_on_what_did_not_come_waits_for_the_chain() {
    let register = r#"{"asset": "BTC", "address": "a", "amount": "1"}"#;
    for (kind, body, waits) in [
        ("cancel", "{}", true),
        ("accept", "{}", true),
        ("extend", r#"{"expires_at": 1}"#, true),
        ("register", register, false),
        ("reject", "{}", false),
        ("ack", "{}", false),
        ("refunded", "{}", false),
        ("rescan", r#"{"scan_from": 1}"#, false),
    ] {
        let command = parse(&asked(kind, body)).unwrap();
        assert_eq!(command.waits_for_chain(), waits, "{kind}");
    }
}

#[test]
fn only_accepting_and_rejecting_settle_an_appeal() {
    for (kind, settles) in [
        ("accept", true),
        ("reject", true),
        ("ack", false),
        ("cancel", false),
        ("refunded", false),
    ] {
        let request = asked(kind, "{}");
        let command = parse(&request).unwrap();
        assert_eq!(command.settles_appeal(), settles, "{kind}");
    }
}

#[test]
fn a_step_with_anything_in_it_is_committed() {
    let empty = Step::new(START);
    assert!(empty.is_empty());
    let position = InboxPosition {
        inbox_id: "inbox".to_owned(),
        seq: 1,
    };
    let read = Step {
        inbox: Some(position),
        ..Step::new(START)
    };
    assert!(!read.is_empty());
}

/// Dust and other assets were seen, but do not pay.
#[test]
fn a_payment_was_first_seen_with_its_first_money_that_counts() {
    let story = check(
        "BTC 0.4",
        "
        see d=0.000001 => new
        sleep 60s
        see a=0.4      => pending
        ",
    );
    assert_eq!(story.payment.judged.first_seen_at, Some(story.now));
    let gone = check("BTC 0.4", "see a=0.4 => pending\nevict a => new/dropped");
    assert_eq!(gone.payment.judged.first_seen_at, None);
}

#[test]
fn too_little_in_the_last_moment_is_short_and_not_late() {
    check(
        "BTC 0.4 grace=120s",
        "wait 22m\nsee a=0.3 => pending a:short flags=underpaid",
    );
}
