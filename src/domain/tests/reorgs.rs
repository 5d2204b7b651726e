//! Blocks that leave the best chain, and money that comes and goes with them.

use super::check;

// shows: F3
#[test]
fn a_replaced_block_does_not_confirm_though_the_height_grows() {
    check(
        "BTC 0.4",
        "
        mine a=0.4   => confirming
        swap 1 / /   => pending flags=reorged told=transfer,status a@mempool
        evict a      => new/reorged a@orphaned
        blocks 5     => new/reorged
        ",
    );
}

// shows: F4
#[test]
fn a_transaction_mined_again_is_one_transfer_in_a_new_block() {
    let again = [
        ("swap 1 a", 1001),
        ("swap 1 / a", 1002),
        ("swap 1 x=0.1:BTC a", 1001),
    ];
    for (action, height) in again {
        let story = check(
            "BTC 0.4",
            &format!("mine a=0.4\n{action} => confirming a@confirmed\nblocks 1"),
        );
        assert_eq!(story.payment.judged.block.unwrap().id.height.0, height);
        assert!(
            story
                .payment
                .judged
                .flags
                .has(crate::domain::flags::Flag::Reorged)
        );
        assert_eq!(story.payment.judged.status.as_str(), "paid");
        let rows = story.payment.transfers.iter();
        assert_eq!(
            rows.filter(|t| t.txid == super::setup::txid("a")).count(),
            1
        );
    }
}

// shows: F5
#[test]
fn a_pure_rollback_unconfirms_at_once() {
    check("BTC 0.4", "mine a=0.4\nrollback 1 => pending a@mempool");
    check("USDT 25", "mine a=25\nrollback 1 => new/reorged a@orphaned");
}

// shows: F12
#[test]
fn a_reversal_is_one_event_and_mined_again_it_is_paid_again() {
    check(
        "BTC 0.4",
        "
        mine a=0.4
        blocks 1     => paid/exact reviewed
        rollback 2   => pending flags=reorged,reversed review told=transfer,reversed
        mine a       => confirming review
        blocks 1     => paid/exact flags=reorged,reversed review told=status
        ack          => paid/exact reviewed told=command
        ",
    );
    check(
        "USDT 25",
        "
        mine a=25
        blocks 5     => paid/exact
        swap 6 /     => invalid/reorged flags=reorged,reversed review told=transfer,reversed
        mine a       => confirming
        blocks 5     => paid/exact review told=status
        ",
    );
}

#[test]
fn a_paid_payment_mined_again_below_depth_is_reversed_to_confirming() {
    check(
        "USDT 25",
        "
        mine a=25
        blocks 5       => paid/exact
        swap 6 / / a   => confirming flags=reorged,reversed told=transfer,reversed
        blocks 5       => paid/exact
        ",
    );
    // Deep enough in the new blocks too: nothing was withdrawn.
    check(
        "USDT 25",
        "
        mine a=25
        blocks 9
        swap 10 a / / / / / / / => paid/exact flags=reorged told=transfer reviewed
        ",
    );
}

#[test]
fn once_paid_never_again_new_expired_or_canceled() {
    check(
        "BTC 0.4",
        "
        mine a=0.4
        blocks 1   => paid/exact
        wait 5h
        rollback 2 => pending
        wait 48h   => pending
        evict a    => invalid/reorged told=transfer,status
        wait 9d    => invalid/reorged
        see a      => pending
        mine a     => confirming
        blocks 1   => paid/exact
        ",
    );
}

#[test]
fn a_reversal_is_told_even_by_an_unhealthy_source() {
    check(
        "USDT 25",
        "
        mine a=25
        blocks 5   => paid/exact
        unhealthy
        rollback 6 => invalid/reorged told=transfer,reversed
        ",
    );
}

// shows: F13
#[test]
fn a_conflict_that_confirms_is_a_double_spend() {
    check(
        "BTC 0.4",
        "
        see a=0.4
        conflict a z => invalid/double_spent flags=replaced review a@replaced
        blocks 9     => invalid/double_spent
        wait 2h      => invalid/double_spent
        ",
    );
    check(
        "BTC 0.4",
        "
        mine a=0.4
        blocks 1     => paid/exact
        rollback 2   => pending
        conflict a z => invalid/double_spent flags=reorged,replaced,reversed told=transfer,status
        rollback 1   => invalid/reorged a@replaced told=transfer,status
        mine a       => confirming
        ",
    );
    check(
        "BTC 0.4",
        "
        see a=0.4
        conflict a z => invalid/double_spent
        rollback 1   => new/dropped
        see b=0.4    => pending flags=replaced
        ",
    );
}

// shows: F14
#[test]
fn a_change_below_finality_freezes_and_changes_nothing() {
    check(
        "USDT 25",
        "
        mine a=25
        blocks 5
        finalize  => paid/exact final
        freeze    => paid/exact final
        thaw      => paid/exact final
        ",
    );
    check(
        "USDT 25",
        "mine a=25\nfreeze\nblocks 9 => confirming\nthaw\nblocks 1 => paid/exact",
    );
}

#[test]
fn final_fixes_status_reason_and_counted_money_but_later_money_is_told() {
    check(
        "USDT 25",
        "
        mine a=25
        blocks 5
        finalize   => paid/exact final reviewed
        mine b=25  => paid/exact final flags=duplicate surplus=25 review a:counted b:surplus told=transfer
        ack        => reviewed
        mine c=1:USDC => paid/exact final review told=transfer,attention
        ",
    );
}

#[test]
fn a_rollback_of_final_money_calls_for_a_person() {
    check(
        "USDT 25",
        "
        mine a=25
        blocks 5
        finalize   => paid/exact final reviewed
        rollback 6 => paid/exact final review counted=25 told=transfer,attention
        ",
    );
}

#[test]
fn mined_after_expiry_of_dropped_money_the_facts_decide() {
    check(
        "BTC 0.4",
        "
        see a=0.4  => pending
        evict a    => new/dropped a@evicted
        wait 2h    => expired/deadline
        mine a     => expired/deadline flags=
        blocks 1   => paid/exact flags=
        ",
    );
    check(
        "BTC 0.4",
        "
        see a=0.3
        evict a
        wait 2h    => expired/deadline
        mine a     => expired/deadline flags=underpaid
        blocks 1   => invalid/underpaid
        ",
    );
}

#[test]
fn late_money_that_leaves_the_chain_leaves_an_expired_payment() {
    check(
        "USDT 25",
        "
        wait 23m
        blocks 1
        mine a=25
        blocks 5   => invalid/late
        rollback 6 => expired/deadline flags=reorged
        mine a     => expired/deadline flags=late,reorged
        blocks 5   => invalid/late
        ",
    );
}

#[test]
fn a_contract_may_credit_something_else_when_mined_again() {
    check(
        "USDT 25",
        "
        mine a=25
        blocks 5      => paid/exact
        swap 6 a=24   => confirming received=24 flags=reorged,reversed,underpaid
        blocks 5      => invalid/underpaid
        ",
    );
    check(
        "USDT 25",
        "
        mine a=15+10  => confirming received=25
        swap 1 a=15   => confirming received=15 told=transfer,transfer
        blocks 5      => invalid/underpaid a:short
        ",
    );
}

#[test]
fn a_conflict_with_late_money_is_no_double_spend_of_an_open_payment() {
    check(
        "BTC 0.4",
        "
        sleep 23m
        see a=0.4    => new flags=late
        conflict a z => new/dropped
        poll         => expired/deadline
        ",
    );
}

#[test]
fn confirmed_at_belongs_to_the_deciding_transaction_and_goes_with_its_block() {
    let at = |lines: &str| check("BTC 0.4", lines).payment.judged.confirmed_at;
    let after = |text: &str| Some(super::setup::START.plus(super::setup::span(text)));
    assert_eq!(at("see a=0.4"), None);
    assert_eq!(
        at("see a=0.4\nwait 5m\nmine a\nwait 5m\nblocks 9"),
        after("5m")
    );
    assert_eq!(at("mine a=0.1\nwait 5m\nmine b=0.4"), after("5m"));
    assert_eq!(at("mine a=0.4\nwait 5m\nswap 1 a"), after("0s"));
    assert_eq!(at("mine a=0.4\nrollback 1"), None);
    assert_eq!(at("mine a=0.4\nrollback 1\nwait 5m\nmine a"), after("5m"));
}
