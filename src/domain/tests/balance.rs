//! Where nobody can tell what contracts move: what balances grow by is shown to a person, and never pays by itself.

use super::{check, story::Story};

/// The rows without a transaction.
fn grown(story: &Story) -> Vec<String> {
    let rows = story.payment.transfers.iter().filter(|row| row.is_growth());
    let shown = rows.map(|row| {
        assert!(!row.txid.exists());
        let amount = row.amount.display(row.decimals).to_string();
        let amount = amount.trim_end_matches('0').trim_end_matches('.');
        format!("{} {amount} {}", row.position, row.place.as_str())
    });
    shown.collect()
}

// shows: T10 T12
#[test]
fn what_a_balance_grew_by_is_told_at_once_and_never_pays_by_itself() {
    let story = check(
        "ETH 1",
        "
        balances
        base 5
        blocks 1
        look 6       => new flags=degraded review received=0 told=transfer,attention
        blocks 30    => new
        wait 3h
        blocks 1
        look 6       => new review
        cancel       => refused=money_seen
        ",
    );
    let rows = story.payment.transfers.iter();
    let rows: Vec<String> = rows.map(|row| row.position.to_string()).collect();
    assert_eq!(rows, ["balance:1001"]);
    let mut told = story.entries.iter().map(|entry| &entry.data);
    assert!(
        told.any(
            |data| data.contains("\"txid\":null,\"position\"") || data.contains("balance:1001")
        )
    );
}

#[test]
fn a_person_may_accept_it_at_depth_and_a_reorganisation_takes_it_back() {
    let mut story = check(
        "ETH 1",
        "
        balances
        base 0
        blocks 1
        look 1       => new review
        accept       => refused=nothing_at_depth
        blocks 11
        accept       => paid/operator flags=degraded,manual reviewed counted=1
        blocks 1     => paid/operator
        look 1       => paid/operator
        rollback 13  => invalid/reorged review
        blocks 1
        ",
    );
    story.act("look 0");
    assert_eq!(story.payment.judged.status.as_str(), "invalid");
    assert_eq!(story.payment.transfers.len(), 1);
}

// shows: T12
#[test]
fn what_is_traced_later_is_the_same_money() {
    let story = check(
        "ETH 1",
        "
        balances
        base 5
        blocks 2
        look 6        => new flags=degraded review
        past 1001 a=1 => confirming flags=degraded reviewed received=1 surplus=0 told=transfer,transfer,status
        blocks 11     => paid/exact counted=1 surplus=0 reviewed
        look 6        => paid/exact
        ",
    );
    assert_eq!(grown(&story), ["balance:1002 1 replaced"]);
    // A part of it, and the rest.
    let story = check(
        "ETH 1",
        "
        balances
        base 5
        blocks 2
        look 6
        past 1001 a=0.4 => confirming review told=transfer,transfer,status
        past 1001 a=0.4 => told=
        look 6          => told=
        past 1002 b=0.6 => confirming reviewed received=1
        ",
    );
    assert_eq!(grown(&story), ["balance:1002 0.6 replaced"]);
    // It was spent since.
    let story = check(
        "ETH 1",
        "
        balances
        base 5
        blocks 1
        look 6
        blocks 1
        look 0        => review
        past 1001 a=1 => confirming reviewed
        ",
    );
    assert_eq!(grown(&story), ["balance:1001 1 replaced"]);
}

#[test]
fn what_was_there_before_or_comes_later_is_other_money() {
    for told in ["past 990 a=1", "past 1000 a=1", "past 1003 a=1"] {
        let lines = format!(
            "
            balances
            base 5
            blocks 2
            look 6
            blocks 1
            {told}     => review
            "
        );
        let story = check("ETH 1", &lines);
        assert_eq!(grown(&story), ["balance:1002 1 confirmed"], "{told}");
    }
    // What was known when the balance was looked at was left out then.
    let story = check(
        "ETH 1",
        "
        balances
        base 5
        mine a=0.4?
        look 6
        weigh weighed  => confirming review
        ",
    );
    assert_eq!(grown(&story), ["balance:1001 0.6 confirmed"]);
}

/// One operator's word alone is no money, and takes none away.
#[test]
fn what_is_claimed_later_is_the_same_money_once_it_is_weighed() {
    for (word, expected, grown_is) in [
        ("weighed", "confirming reviewed", "replaced"),
        ("witnessed", "confirming reviewed", "replaced"),
        ("doubted", "new review", "confirmed"),
    ] {
        let lines = format!(
            "
            balances
            base 5
            blocks 1
            look 6
            past 1001 a=1? => new review
            weigh {word}   => {expected}
            "
        );
        let story = check("ETH 1", &lines);
        assert_eq!(grown(&story), [format!("balance:1001 1 {grown_is}")]);
    }
}

#[test]
fn whoever_accepted_what_grew_accepted_what_brought_it() {
    let story = check(
        "ETH 1",
        "
        balances
        base 0
        blocks 1
        look 1
        blocks 11
        accept        => paid/operator counted=1
        past 1001 a=1 => paid/operator counted=1 surplus=0 reviewed flags=degraded,manual told=transfer,transfer
        blocks 1      => paid/operator
        rollback 13   => invalid/reorged review
        ",
    );
    assert_eq!(grown(&story), ["balance:1001 1 replaced"]);
    let story = check(
        "ETH 1",
        "
        balances
        base 0
        blocks 1
        look 1
        blocks 11
        accept          => paid/operator counted=1
        past 1001 a=0.4 => paid/operator counted=1 surplus=0 reviewed
        finalize        => paid/operator final
        past 1001 b=0.6 => paid/operator counted=1 surplus=0 reviewed final
        ",
    );
    assert_eq!(grown(&story), ["balance:1001 0.6 replaced"]);
    let lost = |entry: &crate::domain::event::Entry| entry.data.contains("final_money_lost");
    assert!(!story.entries.iter().any(lost));
    // Money that was returned does not come again.
    check(
        "ETH 1",
        "
        balances
        base 0
        blocks 1
        look 1
        blocks 11
        accept
        refunded      => refunded/operator
        wait 5m
        past 1001 a=1 => refunded/operator reviewed
        ",
    );
}

#[test]
fn the_same_money_is_never_told_twice_and_later_money_is_told_beside_it() {
    let story = check(
        "ETH 1",
        "
        balances
        base 5
        mine a=0.4    => confirming
        look 5.4      => confirming flags=underpaid reviewed
        blocks 1
        look 5.9      => confirming flags=degraded,underpaid review
        look 5.9      => told=
        blocks 1
        look 5.9      => told=
        mine b=0.1
        look 6.25     => review
        ",
    );
    let grown = grown(&story);
    assert_eq!(grown.len(), 2, "{grown:?}");
    assert!(grown[0].starts_with("balance:1002"), "{grown:?}");
    assert!(grown[1].starts_with("balance:1004"), "{grown:?}");
}

#[test]
fn who_spends_of_it_hides_money_and_invents_none() {
    let story = check(
        "ETH 1",
        "
        balances
        base 5
        mine a=1
        look 2        => confirming flags= reviewed
        blocks 1
        look 2        => confirming flags=
        blocks 1
        look 2.5      => confirming flags=degraded review
        ",
    );
    assert_eq!(grown(&story).len(), 1);
}

#[test]
fn less_than_dust_waits_until_more_comes() {
    let story = check(
        "ETH 1",
        "
        balances
        base 0
        blocks 1
        look 0.0000000001 => new flags=
        blocks 1
        look 0.5          => new flags=degraded
        ",
    );
    assert_eq!(grown(&story).len(), 1);
}

#[test]
fn a_block_that_leaves_takes_along_what_grew_in_it() {
    let mut story = check(
        "ETH 1",
        "
        balances
        base 5
        blocks 2
        look 6
        rollback 1    => new reviewed
        blocks 2
        ",
    );
    assert_eq!(grown(&story).len(), 1);
    assert!(grown(&story)[0].ends_with("orphaned"));
    // Other money in another block of that height.
    story.act("rollback 1");
    story.act("look 5.7");
    let rows = grown(&story);
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert!(rows[0].ends_with("confirmed"), "{rows:?}");
    assert_eq!(
        story.payment.transfers[0].amount.display(18).to_string(),
        "0.700000000000000000"
    );
}

/// What was compared on a branch that left says nothing.
#[test]
fn a_base_that_leaves_is_asked_for_anew() {
    let story = check(
        "ETH 1",
        "
        balances
        blocks 3
        base 5
        rollback 2
        ",
    );
    let balance = story.payment.history.balance.unwrap();
    assert_eq!((balance.since.0, balance.base), (1001, None));
}

// shows: P9
#[test]
fn nobody_expires_before_the_balance_is_looked_at_after_the_deadline() {
    check(
        "ETH 1",
        "
        balances
        base 5
        wait 23m
        blocks 1      => new
        look 5        => expired/deadline flags= reviewed
        ",
    );
    check(
        "ETH 1",
        "
        balances
        base 5
        wait 23m
        blocks 1
        look 6        => new flags=degraded review
        ",
    );
    // Tokens have nothing to do with it.
    check(
        "USDT 25",
        "
        balances
        wait 23m
        blocks 1      => expired/deadline
        ",
    );
}

#[test]
fn nobody_is_refused_before_the_balance_is_looked_at() {
    check(
        "ETH 1",
        "
        balances
        base 0
        mine a=0.4
        blocks 11     => confirming
        look 0.4      => invalid/underpaid
        ",
    );
    check(
        "ETH 1",
        "
        balances
        base 0
        mine a=0.4
        blocks 11
        look 1        => confirming review
        ",
    );
}

#[test]
fn a_direct_payment_waits_for_no_balance() {
    check(
        "ETH 1",
        "
        balances
        mine a=1
        blocks 11     => paid/exact flags= reviewed
        ",
    );
}

// shows: A3
#[test]
fn whoever_is_closed_is_not_looked_at_and_waits_for_no_look() {
    check(
        "ETH 1",
        "
        balances
        base 0
        wait 3h
        blocks 1
        look 0       => expired/deadline
        mine a=1     => expired/deadline
        blocks 11    => invalid/late
        ",
    );
    check(
        "ETH 1",
        "
        balances
        base 0
        blocks 1
        look 0
        cancel       => canceled/operator
        mine a=1     => canceled/operator
        blocks 11    => invalid/after_cancel
        ",
    );
}

#[test]
fn what_a_person_looked_at_and_did_not_accept_holds_nobody_back() {
    check(
        "ETH 1",
        "
        balances
        base 0
        blocks 1
        look 0.001   => new review
        wait 3h
        blocks 1
        look 0.001   => new review
        ack          => expired/deadline flags=degraded
        ",
    );
}
