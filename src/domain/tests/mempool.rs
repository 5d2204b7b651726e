//! Unconfirmed money: seen, replaced, evicted, back again.

use super::check;

// shows: M1
#[test]
fn first_seen_is_kept_when_mined() {
    let story = check(
        "BTC 0.4",
        "see a=0.4 => pending txid=a\nwait 10m\nmine a => confirming txid=a",
    );
    assert_eq!(
        story.payment.judged.first_seen_at,
        Some(super::setup::START)
    );
    assert_ne!(
        story.payment.judged.confirmed_at,
        story.payment.judged.first_seen_at
    );
}

// shows: M2
#[test]
fn replaced_by_one_that_pays_elsewhere_it_is_new_again() {
    let story = check(
        "BTC 0.4",
        "
        see a=0.4@x
        replace a z => new/dropped flags=replaced a@replaced told=transfer,status a:short received=0
        ",
    );
    let place = story.payment.transfers[0].place;
    let by = super::setup::txid("z");
    assert_eq!(
        place,
        crate::domain::transfer::Place::Replaced {
            by,
            confirmed_in: None
        }
    );
}

// shows: M3
#[test]
fn a_replacement_that_pays_us_takes_over() {
    for (amount, outcome) in [
        ("0.5", "paid/overpaid flags=overpaid,replaced"),
        ("0.4", "paid/exact flags=replaced"),
        ("0.3", "invalid/underpaid flags=replaced,underpaid"),
    ] {
        check(
            "BTC 0.4",
            &format!(
                "
                see a=0.4@x
                see b={amount}@x,y => pending txid=b received={amount} a@replaced
                mine b
                blocks 1           => {outcome}
                "
            ),
        );
        check(
            "BTC 0.4",
            &format!(
                "
                see a=0.4@x
                mine b={amount}@x  => confirming txid=b a@replaced
                blocks 1           => {outcome}
                "
            ),
        );
    }
}

#[test]
fn one_more_replacement_is_no_news_about_older_ones() {
    let story = check(
        "BTC 0.4",
        "
        see a=0.4@x
        see b=0.4@x => told=transfer,transfer
        see c=0.4@x => told=transfer,transfer a@replaced b@replaced
        replace a z => told=
        ",
    );
    assert_eq!(story.payment.transfers.len(), 3);
}

#[test]
fn what_a_list_holds_is_back_as_early_as_it_was() {
    let story = check(
        "BTC 0.4",
        "
        see a=0.4@x
        replace a z => new/dropped a@replaced
        wait 5m
        list a      => pending a@mempool told=transfer,status
        list a      => told=
        evict a     => new/dropped a@evicted
        list a      => pending a@mempool
        list other  => pending told=
        mine a      => confirming
        list a      => confirming a@confirmed told=
        swap 1 a
        rollback 1
        conflict a z
        list a      => invalid/double_spent a@replaced
        ",
    );
    let first_seen_at = story.payment.transfers[0].first_seen_at;
    assert_eq!(first_seen_at, super::setup::START);
}

#[test]
fn a_replacement_is_as_early_even_when_one_that_pays_elsewhere_came_between() {
    check(
        "BTC 0.4",
        "see a=0.4@x\nreplace a z\nwait 2h => expired/deadline\nsee b=0.4@x\nmine b\nblocks 1 => paid/exact",
    );
}

#[test]
fn a_replacement_after_the_deadline_is_as_early_as_what_it_replaced() {
    check(
        "BTC 0.4",
        "see a=0.4@x\nwait 2h\nsee b=0.4@x => pending flags=replaced",
    );
    check(
        "BTC 0.4",
        "see a=0.4@x\nwait 2h\nmine b=0.4@x => confirming flags=replaced",
    );
    check(
        "BTC 0.4",
        "see a=0.4\nwait 2h\nreplace a b\nmine b=0.4 => expired/deadline flags=replaced\nblocks 1 => paid/exact",
    );
    // An eviction in between does not break the chain.
    check(
        "BTC 0.4",
        "see a=0.4@x\nwait 5m\nevict a => new/dropped\nwait 1h => expired/deadline\nsee b=0.4@x => expired/deadline flags=replaced\nmine b\nblocks 1 => paid/exact",
    );
}

#[test]
fn dust_in_time_keeps_no_price_open() {
    check(
        "BTC 0.4",
        "
        see a=0.000001@x => new
        wait 2h          => expired/deadline
        mine b=0.4@x
        blocks 1         => invalid/late
        ",
    );
}

#[test]
fn a_replacement_that_pays_more_than_was_there_in_time_is_late() {
    for (setup, before, after, outcome) in [
        ("BTC 0.4", "a=0.1@x", "b=0.4@x", "invalid/double_spent"),
        (
            "BTC 0.4",
            "a=0.00000546@x",
            "b=0.4@x",
            "invalid/double_spent",
        ),
        ("BTC 0.4", "a=0.4@x", "b=0.5@x", "paid/overpaid"),
        ("BTC 0.4 tolerance=1%", "a=0.396@x", "b=0.4@x", "paid/exact"),
        (
            "BTC 0.4 tolerance=1%",
            "a=0.395@x",
            "b=0.4@x",
            "invalid/double_spent",
        ),
        (
            "BTC 0.4 policy=sum",
            "a=0.2@x c=0.2@y",
            "b=0.2@x c",
            "paid/exact",
        ),
        (
            "BTC 0.4 policy=sum",
            "a=0.1@x c=0.2@y",
            "b=0.2@x c",
            "invalid/underpaid",
        ),
    ] {
        check(
            setup,
            &format!("see {before}\nwait 2h\nmine {after}\nblocks 1 => {outcome}"),
        );
    }
}

#[test]
fn dust_between_two_replacements_does_not_make_the_last_one_late() {
    check(
        "BTC 0.4",
        "
        see a=0.4@x                    => pending
        wait 2h                        => pending
        see d=0.000001@x b=0.4@x       => pending txid=b a@replaced d@replaced
        ",
    );
    for between in [
        "see d=0.000001@x",
        "replace a d\nsee d=0.000001@x",
        "see d=0.000001@x\nsee e=0.000002@x",
        "replace a z\nsee d=0.000001@x",
    ] {
        check(
            "BTC 0.4",
            &format!(
                "
                see a=0.4@x
                {between}
                wait 2h       => expired/deadline
                see b=0.4@x,y
                see c=0.4@y   => a@replaced b@replaced
                mine c
                blocks 1      => paid/exact flags=replaced
                "
            ),
        );
    }
}

#[test]
fn a_replacement_of_several_is_as_early_as_the_last_of_them() {
    for (setup, seen, outcome) in [
        ("BTC 0.4 policy=sum", "a=0.2@x c=0.2@y", "paid/exact"),
        (
            "BTC 0.4 policy=sum",
            "a=0.2@x c=0.1@y",
            "invalid/double_spent",
        ),
        // The same money twice is no more money.
        ("BTC 0.4", "a=0.2@x\nsee c=0.2@x", "invalid/double_spent"),
    ] {
        check(
            setup,
            &format!("see {seen}\nwait 2h\nmine b=0.4@x,y\nblocks 1 => {outcome}"),
        );
    }
}

#[test]
fn a_replacement_inherits_for_as_long_as_unconfirmed_money_is_waited_for() {
    for (wait, outcome) in [("23h", "paid/exact"), ("25h", "invalid/late")] {
        check(
            "BTC 0.4",
            &format!(
                "see a=0.4@x\nreplace a z\nwait {wait}\nsee b=0.4@x\nmine b\nblocks 1 => {outcome}"
            ),
        );
    }
}

#[test]
fn what_a_strangers_block_has_ended_passes_nothing_on() {
    check(
        "BTC 0.4",
        "see a=0.4@x,y\nconflict a z => invalid/double_spent\nwait 2h\nmine b=0.4@y\nblocks 1 => invalid/double_spent a@replaced",
    );
}

#[test]
fn what_lies_between_two_replacements_does_not_matter() {
    for between in ["b=0.000001@x", "b=0.1@x", "b=0.1@x,y"] {
        check(
            "BTC 0.4",
            &format!("see a=0.4@x\nsee {between}\nwait 2h\nmine c=0.4@x\nblocks 1 => paid/exact"),
        );
    }
}

// shows: M5
#[test]
fn evicted_and_later_mined_is_the_same_row() {
    let story = check(
        "BTC 0.4",
        "
        see a=0.4
        evict a   => new/dropped a@evicted told=transfer,status
        mine a    => confirming a@confirmed told=transfer,status
        blocks 1  => paid/exact flags=
        ",
    );
    assert_eq!(story.payment.transfers.len(), 1);
}

// shows: M11
#[test]
fn a_coinbase_waits_for_100() {
    check(
        "BTC 0.4",
        "mine a=0.4! => confirming\nblocks 98 => confirming\nblocks 1 => paid/exact",
    );
    check(
        "BTC 0.4 confirmations=120",
        "mine a=0.4!\nblocks 118 => confirming\nblocks 1 => paid/exact",
    );
    check(
        "BTC 0.4 policy=sum",
        "mine a=0.2! b=0.2\nblocks 98 => confirming\nblocks 1 => paid/exact",
    );
    check(
        "BTC 0.4",
        "mine a=0.4!\nrollback 1 => new/reorged a@orphaned",
    );
}

#[test]
fn old_news_of_the_mempool_does_not_overrule_a_block() {
    check(
        "BTC 0.4",
        "mine a=0.4\nsee a => confirming\nevict a => confirming\nreplace a z => confirming flags=",
    );
    check(
        "BTC 0.4",
        "see a=0.4\nconflict a z => invalid/double_spent\nsee a => invalid/double_spent\nmine a => confirming",
    );
}

#[test]
fn news_of_unknown_transactions_change_nothing() {
    check(
        "BTC 0.4",
        "see a=0.4\nevict z => pending told=\nreplace y z => pending told=\nconflict y z => pending told=",
    );
}
