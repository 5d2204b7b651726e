//! What the state of the source, a freeze and an unscanned past hold back.

use super::check;

#[test]
fn no_verdict_while_unhealthy() {
    check(
        "BTC 0.4",
        "
        unhealthy
        mine a=0.4  => confirming
        blocks 5    => confirming
        healthy     => paid/exact
        unhealthy   => paid/exact
        ",
    );
    check(
        "BTC 0.4",
        "
        mine a=0.1
        unhealthy
        blocks 5    => confirming
        healthy     => invalid/underpaid
        unhealthy   => invalid/underpaid
        ",
    );
    check(
        "BTC 0.4",
        "
        see a=0.4
        unhealthy
        conflict a z => new/dropped
        healthy
        poll         => invalid/double_spent
        ",
    );
}

#[test]
fn nothing_rises_on_a_frozen_chain_or_above_what_is_agreed() {
    check(
        "BTC 0.4",
        "
        mine a=0.4
        freeze      => confirming
        blocks 1    => confirming
        thaw
        blocks 1    => paid/exact
        ",
    );
    check(
        "USDT 25",
        "
        agree 1000
        mine a=25   => confirming
        blocks 9    => confirming
        agree 1001  => confirming
        agree 1005  => confirming
        agree 1006  => paid/exact
        agree 1000  => paid/exact
        finalize    => paid/exact unfinal
        agree 1001  => paid/exact final
        ",
    );
    check(
        "BTC 0.4",
        "freeze\nwait 2h => new\nthaw\nblocks 1\npoll => expired/deadline",
    );
}

/// Who pays late may have a liar show the transaction in an old block, or in any block in time, before it is mined.
// shows: P7
#[test]
fn a_block_that_no_quorum_ever_held_says_nothing_of_when_money_came() {
    // Dated back, after the deadline.
    check(
        "USDT 25",
        "
        agree 1000
        wait 30m    => new
        behind 29m
        mine a=25   => confirming
        behind 0m
        swap 1 / a  => new flags=late,reorged a:late
        agree
        blocks 5    => invalid/late flags=late,reorged
        ",
    );
    // Shown in time, and mined when the price was another.
    check(
        "USDT 25",
        "
        agree 1000
        mine a=25   => confirming
        swap 1 /    => new/reorged
        wait 30m
        mine a      => new flags=late,reorged a:late
        agree
        blocks 5    => invalid/late flags=late,reorged
        ",
    );
    // Once a quorum held the block, its time stays, whatever they hold now and wherever a liar shows the money later.
    check(
        "USDT 25",
        "
        mine a=25   => confirming
        agree 1000
        swap 1 /    => new/reorged
        wait 30m
        mine a      => confirming flags=reorged
        swap 1 /    => new/reorged
        mine a      => confirming flags=reorged
        agree
        blocks 5    => paid/exact flags=reorged
        ",
    );
}

#[test]
fn closed_payments_are_refused_money_only_by_what_is_agreed() {
    check(
        "USDT 25",
        "
        wait 2h
        blocks 1
        poll        => expired/deadline
        agree 1001
        mine a=25   => expired/deadline
        blocks 9    => expired/deadline
        agree 1006  => expired/deadline
        agree 1007  => invalid/late
        agree 1001  => invalid/late
        ",
    );
    check(
        "USDT 25",
        "
        cancel      => canceled/operator
        agree 1000
        mine a=25
        blocks 9    => canceled/operator
        agree 1006  => invalid/after_cancel
        ",
    );
}

#[test]
fn no_verdict_before_the_past_is_scanned() {
    check(
        "BTC 0.4 scan_from=990",
        "
        mine a=0.4   => confirming
        blocks 3     => confirming
        scanned 995  => confirming
        scanned 1000 => paid/exact
        ",
    );
    check(
        "BTC 0.4 scan_from=990",
        "
        wait 3h      => new
        scanned 1000 => expired/deadline
        ",
    );
}

#[test]
fn money_of_the_past_is_found_and_judged_like_any_other() {
    check(
        "BTC 0.4 scan_from=900",
        "
        past 950 a=0.4 => confirming txid=a
        scanned 1000   => paid/exact
        ",
    );
    check(
        "BTC 0.4 scan_from=900",
        "past 1000 a=0.4\nscanned 1000 => confirming\nblocks 1 => paid/exact",
    );
    check(
        "BTC 0.4 scan_from=900",
        "see a=0.4 => pending\nscanned 1000 => pending",
    );
    check(
        "BTC 0.4 scan_from=900",
        "past 900 a=0.4\nwait 30d\nscanned 1000 => paid/exact final",
    );
}

#[test]
fn a_rise_that_must_wait_leaves_a_closed_payment_as_it_was() {
    check(
        "BTC 0.4",
        "
        wait 30m
        mine a=0.4
        blocks 1       => invalid/late
        rescan 900
        past 950 b=0.4 => invalid/late txid=b
        scanned 1002   => paid/exact
        ",
    );
}

#[test]
fn a_rollback_below_the_scan_goal_cuts_the_scan_back() {
    let story = check(
        "BTC 0.4 scan_from=990",
        "
        blocks 1
        mine a=0.1
        scanned 999
        rollback 2
        ",
    );
    assert_eq!(story.payment.scan.goal.map(|h| h.0), Some(1000));
    assert!(!story.payment.scan.is_complete());
    let story = check("BTC 0.4", "blocks 2\nrescan 900\nscanned 1001\nrollback 2");
    assert_eq!(story.payment.scan.scanned_to.map(|h| h.0), Some(1000));
    assert_eq!(story.payment.scan.goal.map(|h| h.0), Some(1000));
}
