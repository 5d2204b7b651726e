//! A payment whose change the database refused: what waits for a person, and what does not.

use super::check;

#[test]
fn a_held_payment_gets_no_verdict() {
    for (told, stays) in [
        ("mine a=0.4\nhold\nblocks 9", "confirming"),
        ("mine a=0.1\nhold\nblocks 9", "confirming"),
        ("hold\nwait 2h", "new"),
        ("see a=0.4\nhold\nwait 25h", "pending"),
        ("hold\nsee a=0.4\nconflict a z", "new/dropped"),
        ("wait 2h\nhold\nmine a=0.4\nblocks 9", "expired/deadline"),
        ("cancel\nhold\nmine a=0.4\nblocks 9", "canceled/operator"),
    ] {
        check("BTC 0.4", &format!("{told} => {stays} review"));
    }
}

#[test]
fn a_held_payment_becomes_final_only_after_a_look() {
    check(
        "USDT 25",
        "mine a=25\nblocks 5\nhold\nfinalize => paid/exact unfinal\nack => paid/exact final",
    );
}

#[test]
fn facts_go_on_and_so_does_what_needs_no_verdict() {
    check(
        "BTC 0.4",
        "
        hold
        see a=0.4   => pending review a@mempool
        mine a      => confirming review a@confirmed
        rollback 1  => pending
        evict a     => new/reorged a@orphaned
        ",
    );
}

#[test]
fn that_its_money_is_gone_is_said_of_a_held_payment_too() {
    check(
        "USDT 25",
        "
        mine a=25
        blocks 5    => paid/exact
        hold
        rollback 6  => invalid/reorged review flags=reorged,reversed
        ",
    );
}

#[test]
fn a_look_ends_the_hold_and_the_facts_decide() {
    for (told, command, verdict) in [
        ("mine a=0.4\nhold\nblocks 1", "ack", "paid/exact reviewed"),
        (
            "mine a=0.1\nhold\nblocks 1",
            "ack",
            "invalid/underpaid review",
        ),
        ("hold\nwait 2h", "ack", "expired/deadline reviewed"),
        (
            "mine a=0.1\nhold\nblocks 1",
            "accept",
            "paid/operator reviewed",
        ),
        (
            "mine a=0.1\nblocks 1\nhold",
            "reject",
            "invalid/underpaid reviewed",
        ),
        (
            "mine a=0.1\nblocks 1\nhold",
            "refunded",
            "refunded/operator reviewed",
        ),
        (
            "mine a=0.4\nblocks 1\nhold",
            "refunded",
            "refunded/operator reviewed",
        ),
    ] {
        let story = check(
            "BTC 0.4",
            &format!("{told} => review\n{command} => {verdict}"),
        );
        assert_eq!(story.payment.history.held, None, "{told} {command}");
    }
}

#[test]
fn other_requests_leave_the_hold() {
    for (told, command, outcome) in [
        ("hold", "cancel", "canceled/operator"),
        ("hold", "extend 60m", "new"),
        ("hold", "rescan 900", "new"),
        ("mine a=0.4\nblocks 1\nhold", "refunded 0.1", "paid/exact"),
    ] {
        let story = check("BTC 0.4", &format!("{told}\n{command} => {outcome} review"));
        assert!(story.payment.history.held.is_some(), "{told} {command}");
    }
}

#[test]
fn the_past_of_a_held_payment_is_scanned_after_a_look() {
    check(
        "BTC 0.4 scan_from=900",
        "
        hold
        past 950 a=0.4 => confirming
        scanned 1000   => confirming
        ack            => confirming reviewed
        scanned 1000   => paid/exact
        ",
    );
}

#[test]
fn a_second_hold_calls_for_a_second_look() {
    check(
        "BTC 0.4",
        "
        hold
        ack         => new reviewed
        wait 1m
        hold        => review
        mine a=0.4  => confirming review
        blocks 1    => confirming review
        ack         => paid/exact reviewed
        ",
    );
}
