//! Deadlines, lateness, and what the state of the source holds back.

mod source;

use super::check;

// shows: A2
#[test]
fn money_on_time_may_be_mined_late() {
    check(
        "BTC 0.4",
        "
        wait 20m   => new
        wait 119s  => new
        see a=0.4  => pending flags=
        wait 3h    => pending
        mine a     => confirming
        blocks 1   => paid/exact flags= reviewed
        ",
    );
    // In the last millisecond of the grace it is still on time.
    check(
        "BTC 0.4 grace=120s",
        "wait 22m\nsee a=0.4 => pending flags=",
    );
}

// shows: A2
#[test]
fn a_second_after_the_deadline_is_late() {
    check(
        "BTC 0.4",
        "
        wait 1319s
        sleep 2s
        see a=0.4  => new flags=late a:late counted=0 short=0.4 received=0.4 review
        wait 1s    => expired/deadline review
        mine a     => expired/deadline
        blocks 1   => invalid/late flags=late txid=a review a:late
        ",
    );
}

// shows: A3
#[test]
fn late_and_over_shows_both() {
    check(
        "BTC 0.4",
        "
        wait 23m  => expired/deadline
        mine a=0.5 => expired/deadline flags=late,overpaid surplus=0
        blocks 1  => invalid/late flags=late,overpaid counted=0 surplus=0 told=status
        ",
    );
    check(
        "BTC 0.4",
        "wait 23m\nmine a=0.3\nblocks 1 => invalid/late flags=late,underpaid",
    );
}

#[test]
fn inside_late_accept_money_counts_with_the_flag() {
    check(
        "BTC 0.4 late_accept=1h",
        "
        wait 23m   => expired/deadline
        see a=0.4  => expired/deadline flags=late a:counted counted=0.4
        mine a     => expired/deadline
        blocks 1   => paid/exact flags=late
        ",
    );
    check(
        "BTC 0.4 late_accept=1h",
        "wait 83m\nmine a=0.4\nblocks 1 => invalid/late",
    );
}

#[test]
fn on_time_is_known_by_the_block_too_and_never_moves_later() {
    // The daemon was away while the block was made: its time counts, not ours.
    check(
        "BTC 0.4",
        "
        unhealthy
        sleep 10m
        mine a=0.4
        sleep 5h     => confirming
        swap 1 / a   => confirming flags=reorged
        healthy
        poll
        blocks 1     => paid/exact flags=reorged
        ",
    );
    // Seen by us only long after the deadline, in a block that was in time, then in a later one.
    check(
        "BTC 0.4",
        "
        blocks 1
        wait 30m        => expired/deadline
        rescan 900
        past 1001 a=0.4 => expired/deadline flags=
        swap 1 a        => expired/deadline flags=reorged
        scanned 1000
        blocks 1        => paid/exact flags=reorged
        ",
    );
}

#[test]
fn of_all_blocks_that_held_money_the_earliest_says_when_it_was_there() {
    for again in ["swap 1 a", "swap 1 / a", "rollback 1\nmine a"] {
        let again = again.replace('\n', "\n        ");
        check(
            "BTC 0.4",
            &format!(
                "
        wait 23m    => expired/deadline
        mine a=0.4  => expired/deadline flags=late a:late
        behind 10m
        {again}     => expired/deadline flags=reorged a:counted
        behind 0m
        swap 1 a    => expired/deadline flags=reorged a:counted
        blocks 1    => paid/exact flags=reorged
        "
            ),
        );
    }
    check(
        "USDT 25",
        "
        wait 23m    => new
        behind 2m
        mine a=25   => confirming flags=
        behind 0m
        swap 1 a    => confirming flags=reorged
        blocks 5    => paid/exact flags=reorged
        ",
    );
}

#[test]
fn a_deadline_waits_for_a_healthy_poll_that_began_after_it() {
    check(
        "BTC 0.4",
        "
        sleep 2h   => new
        judge      => new
        poll       => expired/deadline
        ",
    );
    check(
        "BTC 0.4",
        "
        unhealthy
        wait 2h    => new
        wait 2h    => new
        healthy    => expired/deadline
        ",
    );
}

#[test]
fn a_deadline_waits_for_a_poll_that_began_after_the_registration() {
    check(
        "BTC 0.4 waited=2h",
        "
        judge            => new
        blocks 1         => new
        sleep 1m         => new
        judge            => new
        poll             => expired/deadline
        ",
    );
    check(
        "BTC 0.4 waited=2h",
        "sleep 1m\nmine a=0.4 => new flags=late\nblocks 9 => new\npoll => invalid/late",
    );
}

// shows: P9 A9
#[test]
fn an_outage_across_the_deadline_expires_nobody_who_paid() {
    check(
        "BTC 0.4",
        "
        unhealthy
        sleep 10m
        mine a=0.4   => confirming
        sleep 25m
        blocks 2     => confirming
        healthy
        poll         => paid/exact flags=
        ",
    );
}

#[test]
fn on_ethereum_the_scanned_block_must_be_later_than_the_deadline() {
    check(
        "USDT 25",
        "
        wait 23m   => new
        wait 1h    => new
        blocks 1   => expired/deadline
        ",
    );
}

#[test]
fn native_money_does_not_expire_before_its_blocks_are_traced() {
    check(
        "ETH 1",
        "
        wait 23m
        trace 1000
        agree       => new
        ",
    );
    let mut story = check("ETH 1", "wait 23m");
    let facts = story.connect(&[]);
    story.view.traced = Some(crate::domain::block::Height(1000));
    story.view.traced_at = None;
    story.take(facts);
    assert_eq!(story.payment.judged.status.as_str(), "new");
    story.act("traced");
    story.act("judge");
    assert_eq!(story.payment.judged.status.as_str(), "expired");
}

#[test]
fn money_without_a_block_for_too_long_times_out_and_may_come_back() {
    check(
        "BTC 0.4 confirm_timeout=2h",
        "
        see a=0.4   => pending
        wait 2h     => pending
        wait 1s     => invalid/confirm_timeout review
        unhealthy   => invalid/confirm_timeout
        sleep 1h    => invalid/confirm_timeout
        mine a      => confirming
        blocks 1    => confirming
        healthy
        poll        => paid/exact reviewed
        ",
    );
    check(
        "BTC 0.4 confirm_timeout=2h",
        "
        see a=0.4
        wait 3h     => invalid/confirm_timeout
        evict a     => expired/deadline
        ",
    );
}

// shows: A12
#[test]
fn after_the_watch_window_later_money_is_another_payments() {
    check(
        "BTC 0.4 watch=1d",
        "
        wait 23m       => expired/deadline
        wait 25h       => expired/deadline
        mine a=0.1     => expired/deadline flags= received=0
        ",
    );
    check(
        "BTC 0.4 watch=1d",
        "wait 23m\nwait 25h\nsee a=0.4 => expired/deadline flags= received=0",
    );
    check(
        "BTC 0.4 watch=1d",
        "
        wait 23m       => expired/deadline
        wait 23h
        mine a=0.4     => expired/deadline flags=late
        blocks 1       => invalid/late
        wait 22h
        mine b=0.1     => invalid/late received=0.5
        ",
    );
}

#[test]
fn a_payment_that_nobody_could_judge_stays_watched() {
    check(
        "BTC 0.4 watch=1d",
        "
        unhealthy
        sleep 3d
        mine a=0.4 => new flags=late received=0.4
        healthy
        poll       => expired/deadline
        blocks 1   => invalid/late
        ",
    );
}

#[test]
fn the_watch_has_no_end_while_money_is_on_its_way_or_may_be_taken_back() {
    let ends = |lines: &str| {
        check("BTC 0.4 watch=1d", lines)
            .payment
            .judged
            .watch_until_at
    };
    let from_start = |text: &str| Some(super::setup::START.plus(super::setup::span(text)));
    assert_eq!(ends("judge"), from_start("1460m"));
    assert_eq!(ends("see a=0.4"), None);
    assert_eq!(ends("mine a=0.4"), None);
    assert_eq!(ends("mine a=0.4\nblocks 1"), None);
    assert_eq!(ends("mine a=0.4\nblocks 99"), from_start("1460m"));
    assert_eq!(ends("wait 2h"), from_start("26h"));
    // Late, and as long as a node keeps it unconfirmed it may be mined.
    let unconfirmed = "wait 2h\nwait 1h\nsee a=1";
    assert_eq!(ends(unconfirmed), from_start("339h"));
    let then = |lines: &str| ends(&format!("{unconfirmed}\nwait 1h\n{lines}"));
    assert_eq!(then("mine a"), from_start("28h"));
    assert_eq!(then("evict a"), from_start("28h"));
    assert_eq!(then("mine a\nrollback 1"), from_start("340h"));
    assert_eq!(ends("wait 2h\nwait 1h\nsee a=0.000001"), from_start("26h"));
    assert_eq!(
        ends("wait 2h\nsee a=0.1\nwait 3h\nevict a"),
        from_start("29h")
    );
}
