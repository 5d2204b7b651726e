//! What gateways and operators may ask for, when, and what comes of it.

use super::check;

#[test]
fn cancel_needs_a_new_payment_without_money() {
    check(
        "BTC 0.4",
        "cancel => canceled/operator told=command,status\ncancel => duplicate",
    );
    check("BTC 0.4", "see a=0.4\ncancel => refused=not_new pending");
    check(
        "USDT 25",
        "mine a=1:USDC => new\ncancel => refused=money_seen new",
    );
    check(
        "BTC 0.4",
        "sleep 23m\nsee a=0.4 => new flags=late\ncancel => refused=money_seen",
    );
    check(
        "BTC 0.4",
        "see a=0.4\nevict a => new/dropped\ncancel => canceled/operator",
    );
    check(
        "BTC 0.4",
        "wait 23m => expired/deadline\ncancel => refused=not_new",
    );
}

// shows: A3
#[test]
fn money_after_a_cancel_is_invalid_at_depth() {
    check(
        "BTC 0.4",
        "
        cancel
        see a=0.4  => canceled/operator review a:after_cancel counted=0 received=0.4
        mine a     => canceled/operator
        blocks 1   => invalid/after_cancel review told=status
        rollback 2 => canceled/operator
        ",
    );
    check(
        "USDT 25",
        "cancel\nmine a=1:USDC => canceled/operator flags=wrong_asset review told=transfer,attention\nblocks 9 => canceled/operator",
    );
    check("BTC 0.4", "cancel\nwait 2h => canceled/operator");
}

#[test]
fn accept_needs_money_at_depth() {
    check("BTC 0.4", "accept => refused=nothing_at_depth");
    check("BTC 0.4", "mine a=0.1\naccept => refused=nothing_at_depth");
    check(
        "BTC 0.4",
        "mine a=0.000001\nblocks 5\naccept => refused=nothing_at_depth",
    );
    check(
        "BTC 0.4",
        "mine a=0.4\nblocks 1 => paid/exact\naccept => refused=not_acceptable",
    );
    check(
        "USDT 25",
        "mine a=1\nblocks 9 => invalid/underpaid\nagree 1000\naccept => refused=nothing_at_depth",
    );
    check(
        "BTC 0.4",
        "mine a=0.1\nblocks 1\nfreeze\naccept => refused=chain_frozen",
    );
    check(
        "BTC 0.4",
        "mine a=0.1\nblocks 1\naccept 0.1 => paid/operator\naccept => refused=not_acceptable",
    );
    check(
        "BTC 0.4",
        "mine a=0.1\nblocks 1\naccept 0.123456789 => refused=bad_amount",
    );
    check(
        "BTC 0.4",
        "mine a=0.1\nblocks 1\naccept 0 => refused=bad_amount",
    );
}

// shows: A8
#[test]
fn an_accepted_appeal_is_paid_by_the_operator() {
    check(
        "BTC 0.4",
        "
        mine a=0.1
        blocks 1   => invalid/underpaid review
        accept 0.1 => paid/operator flags=manual,underpaid reviewed told=command,status counted=0.1 short=0.3
        see b=0.4  => paid/operator review b:surplus surplus=0.4
        mine b
        blocks 99  => paid/operator final
        ",
    );
    check(
        "BTC 0.4",
        "wait 23m\nmine a=0.4\nblocks 1 => invalid/late\naccept => paid/operator flags=late,manual a:counted counted=0.4 reviewed",
    );
    check(
        "BTC 0.4",
        "cancel\nmine a=0.4\nblocks 1\naccept => paid/operator flags=manual a:counted",
    );
    check(
        "USDT 25",
        "mine a=25:USDC\nblocks 5 => new\naccept => paid/operator flags=manual,wrong_asset counted=0 reviewed\nfinalize => final",
    );
    check(
        "BTC 0.4",
        "mine a=0.2 b=0.2\nblocks 1 => invalid/split\naccept => paid/operator counted=0.4 a:counted b:counted",
    );
}

#[test]
fn an_acceptance_outlives_a_move_to_another_block() {
    check(
        "BTC 0.4",
        "
        mine a=0.1
        blocks 1
        accept       => paid/operator
        swap 2 a     => paid/operator told=transfer
        swap 1 / a   => paid/operator told=transfer
        rollback 1   => pending told=transfer,reversed
        ",
    );
}

#[test]
fn an_acceptance_is_void_when_its_money_leaves_the_chain() {
    check(
        "BTC 0.4",
        "
        mine a=0.1
        blocks 1
        accept      => paid/operator
        rollback 2  => pending flags=manual,reorged,reversed,underpaid review told=transfer,reversed
        mine a
        blocks 1    => invalid/underpaid
        ",
    );
    // In another block with less it is other money.
    check(
        "USDT 25",
        "
        mine a=20
        blocks 5
        accept      => paid/operator
        swap 6 a=19 => confirming told=transfer,reversed
        blocks 5    => invalid/underpaid
        ",
    );
    check(
        "USDT 25",
        "
        mine a=10+10
        blocks 5
        accept      => paid/operator
        swap 6 a=10 => confirming told=transfer,transfer,reversed
        ",
    );
    check(
        "USDT 25",
        "mine a=25:USDC\nblocks 5\naccept\nrollback 6 => invalid/reorged told=transfer,reversed\nmine a => invalid/wrong_asset",
    );
}

// shows: A8
#[test]
fn reject_ends_automatic_changes_until_new_money_calls_again() {
    check(
        "BTC 0.4",
        "
        reject      => refused=not_invalid
        mine a=0.1
        blocks 1    => invalid/underpaid review
        reject      => invalid/underpaid reviewed told=command
        reject      => duplicate
        rollback 2  => invalid/underpaid reviewed
        see b=0.4   => invalid/underpaid review
        mine b
        blocks 9    => invalid/underpaid review
        accept      => paid/operator
        ",
    );
}

#[test]
fn new_money_on_a_rejected_payment_calls_for_review_even_if_it_would_pay() {
    check(
        "BTC 0.4",
        "
        see a=0.4
        conflict a z => invalid/double_spent
        reject       => reviewed
        see b=0.4    => invalid/double_spent review
        ack          => reviewed
        mine b       => invalid/double_spent reviewed
        ",
    );
}

#[test]
fn ack_clears_review_until_another_cause_comes() {
    check(
        "BTC 0.4",
        "
        mine a=0.4 b=0.1
        blocks 1    => paid/exact review
        ack         => paid/exact reviewed told=command
        mine c=0.1  => paid/exact review
        ack         => reviewed
        rollback 3  => pending review
        mine a b c
        blocks 1    => paid/exact review
        ack         => paid/exact reviewed
        ",
    );
    check("BTC 0.4", "ack => new told=command reviewed");
}

#[test]
fn only_ack_and_reject_put_a_reversal_away() {
    check(
        "BTC 0.4",
        "
        mine a=0.4
        blocks 1   => paid/exact
        rollback 2 => pending review
        mine a
        blocks 1   => paid/exact review
        refunded   => refunded/operator review
        ack        => reviewed
        ",
    );
    check(
        "BTC 0.4",
        "
        mine a=0.4
        blocks 1   => paid/exact
        rollback 2 => pending review
        evict a
        mine b=0.1
        blocks 1   => invalid/underpaid review
        accept     => paid/operator review
        ack        => reviewed
        ",
    );
}

// shows: A8
#[test]
fn extend_moves_the_deadline_and_reopens() {
    check(
        "BTC 0.4",
        "extend 60m => new told=command\nwait 30m => new\nwait 33m => expired/deadline",
    );
    check(
        "BTC 0.4",
        "wait 23m => expired/deadline\nextend 60m => new told=command,status\nsee a=0.4 => pending flags=\nmine a\nblocks 1 => paid/exact",
    );
    check(
        "BTC 0.4",
        "extend 19m => refused=deadline_passed\nextend 366d => refused=deadline_too_far",
    );
    check(
        "BTC 0.4",
        "wait 23m\nsee a=0.4\nextend 60m => refused=money_seen",
    );
    check("BTC 0.4", "wait 23m\nmine a=0.000001\nextend 60m => new");
    check("BTC 0.4", "cancel\nextend 60m => refused=not_extendable");
    check("BTC 0.4", "see a=0.4\nextend 60m => refused=not_extendable");
}

#[test]
fn closed_at_is_when_it_expired_or_was_canceled_and_an_extension_takes_it_back() {
    let at = |lines: &str| check("BTC 0.4", lines).payment.judged.closed_at;
    let after = |text: &str| Some(super::setup::START.plus(super::setup::span(text)));
    assert_eq!(at("wait 5m"), None);
    assert_eq!(at("wait 5m\ncancel\nwait 5m"), after("5m"));
    assert_eq!(at("wait 23m\nwait 5m"), after("23m"));
    assert_eq!(at("wait 23m\nextend 60m"), None);
}

#[test]
fn an_acceptance_stands_when_other_money_leaves_the_chain() {
    check(
        "BTC 0.4",
        "
        mine a=0.1
        blocks 1        => invalid/underpaid
        accept          => paid/operator
        mine c=25:USDC  => paid/operator flags=manual,underpaid,wrong_asset
        rollback 1      => paid/operator
        ",
    );
}

#[test]
fn money_that_comes_after_a_refund_is_told_whatever_it_is() {
    check(
        "BTC 0.4",
        "
        mine a=0.1
        blocks 1        => invalid/underpaid
        refunded        => refunded/operator flags=underpaid reviewed
        see b=0.1       => refunded/operator flags=split,underpaid told=transfer
        wait 1m
        see c=0.05      => refunded/operator flags=duplicate,split,underpaid review told=transfer,attention
        ",
    );
}

#[test]
fn refunded_is_said_by_the_gateway_and_ends_everything() {
    check("BTC 0.4", "refunded => refused=not_refundable");
    check(
        "BTC 0.4",
        "
        mine a=0.4
        blocks 1        => paid/exact
        refunded 0.1    => paid/exact told=command
        refunded 0.4    => refunded/operator told=command,status
        refunded        => duplicate
        wait 1h
        mine b=0.4      => refunded/operator flags=duplicate,late review told=transfer,attention
        ack             => refunded/operator reviewed
        ",
    );
    check(
        "BTC 0.4",
        "mine a=0.1\nblocks 1 => invalid/underpaid review\nrefunded => refunded/operator reviewed",
    );
    check(
        "BTC 0.4",
        "mine a=0.4\nblocks 1\nrefunded 0.000000001 => refused=bad_amount",
    );
    check(
        "USDT 25",
        "mine a=25\nblocks 5\nfinalize => final\nrefunded => refunded/operator final",
    );
}

#[test]
fn a_reorg_after_a_refund_is_a_reversal_without_a_new_status() {
    check(
        "USDT 25",
        "
        mine a=25
        blocks 5
        refunded   => refunded/operator reviewed
        rollback 6 => refunded/operator review told=transfer,reversed flags=reorged,reversed
        ",
    );
}

#[test]
fn rescan_looks_at_the_past_again_without_taking_anything_back() {
    check(
        "BTC 0.4",
        "
        wait 23m        => expired/deadline
        rescan 900      => expired/deadline told=command
        rescan 900      => refused=scan_under_way
        past 950 a=0.4  => expired/deadline
        scanned 1000    => paid/exact
        ",
    );
    check(
        "BTC 0.4",
        "
        mine a=0.4
        blocks 1        => paid/exact
        rescan 900      => paid/exact
        past 950 b=0.4  => paid/exact txid=b
        scanned 1002    => paid/exact flags=duplicate
        ",
    );
    check("BTC 0.4", "rescan 5000 => refused=nothing_to_scan");
    check(
        "BTC 0.4 watch=1h",
        "wait 23m\nwait 2h\nrescan 900 => refused=watch_over",
    );
}

#[test]
fn a_forced_status_takes_the_steps_of_the_table_and_stays() {
    check(
        "BTC 0.4",
        "
        force paid      => paid/forced told=command,status
        force paid      => duplicate
        see a=0.1       => paid/forced flags=underpaid
        wait 23m        => paid/forced
        force new       => refused=not_reachable
        force confirming => confirming/forced flags=reversed,underpaid
        force paid      => paid/forced
        force refunded  => refunded/forced
        force invalid   => refused=not_reachable
        ",
    );
    check(
        "BTC 0.4",
        "force expired => expired/forced\nwait 2h => expired/forced",
    );
}

#[test]
fn a_final_payment_is_forced_to_refunded_only() {
    check(
        "BTC 0.4",
        "
        mine a=0.4
        blocks 100      => paid/exact final
        force invalid   => refused=not_reachable
        force refunded  => refunded/forced
        ",
    );
}
