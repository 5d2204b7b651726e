//! How much came, in what, and what it is worth to the payment.

use super::check;
use crate::domain::amount::Amount;

// shows: A1
#[test]
fn exact_short_over_double_and_dust_in_every_asset() {
    let cases = [
        ("BTC", "0.4", "0.396", "0.395", "0.41", "0.00000545"),
        ("ETH", "0.15", "0.1485", "0.14", "0.2", "0.0000009"),
        ("USDT", "25", "24.75", "24.749999", "26", "0.009999"),
        ("USDC", "25", "24.75", "24.749999", "26", "0.009999"),
    ];
    for (asset, exact, inside, outside, over, dust) in cases {
        let setup = format!("{asset} {exact} tolerance=1%");
        let once = |amount: &str, outcome: &str| {
            check(
                &setup,
                &format!("mine a={amount} => confirming\nblocks 11 => {outcome}"),
            );
        };
        once(exact, "paid/exact flags= reviewed surplus=0 short=0");
        once(inside, "paid/within_tolerance flags= reviewed surplus=0");
        once(
            outside,
            "invalid/underpaid flags=underpaid review surplus=0",
        );
        once(over, "paid/overpaid flags=overpaid review short=0");
        check(
            &setup,
            &format!("mine a={dust} => new received=0 told=transfer a:dust reviewed"),
        );
        check(
            &setup,
            &format!(
                "mine a={exact} b={exact}
                 blocks 11 => paid/exact flags=duplicate review surplus={exact} a:counted b:surplus"
            ),
        );
    }
}

// shows: M9
#[test]
fn outputs_of_one_transaction_are_summed() {
    check(
        "BTC 0.4",
        "
        see a=0.1+0.3  => pending received=0.4 flags= told=transfer,transfer,status
        mine a
        blocks 1       => paid/exact
        ",
    );
    check(
        "USDT 25",
        "mine a=10+15 => confirming\nblocks 5 => paid/exact flags=",
    );
}

// shows: M10
#[test]
fn two_halves_are_split_under_single_and_paid_under_sum() {
    check(
        "BTC 0.4",
        "
        see a=0.2  => pending flags=underpaid counted=0.2 short=0.2
        mine a b=0.2 => confirming flags=split,underpaid received=0.4 counted=0.2
        blocks 1   => invalid/split flags=split,underpaid review a:short b:short surplus=0
        ",
    );
    check(
        "BTC 0.4 policy=sum",
        "
        mine a=0.2 => confirming flags=underpaid
        mine b=0.2 => confirming flags= received=0.4 counted=0.4 txid=b
        blocks 1   => paid/exact flags= a:counted b:counted reviewed
        ",
    );
}

#[test]
fn too_little_under_sum_is_underpaid_and_never_split() {
    check(
        "BTC 0.4 policy=sum",
        "
        mine a=0.1 b=0.1 => confirming flags=underpaid counted=0.2
        blocks 1         => invalid/underpaid flags=underpaid a:short b:short
        see c=0.2        => pending flags= counted=0.4 txid=c
        mine c           => confirming
        blocks 1         => paid/exact reviewed
        see d=0.1        => paid/exact flags=duplicate d:surplus review
        ",
    );
}

#[test]
fn a_later_sufficient_transaction_pays_and_the_earlier_money_is_surplus() {
    check(
        "BTC 0.4",
        "
        mine a=0.1
        blocks 1   => invalid/underpaid review
        see b=0.4  => pending flags=duplicate surplus=0.1 a:surplus b:counted
        mine b     => confirming
        blocks 1   => paid/exact flags=duplicate surplus=0.1 review
        ",
    );
}

#[test]
fn the_earliest_sufficient_transaction_decides() {
    check(
        "BTC 0.4",
        "
        see a=0.5     => pending txid=a flags=overpaid
        wait 1s
        see b=0.4     => pending txid=a flags=duplicate,overpaid surplus=0.5
        mine b        => confirming txid=b flags=duplicate surplus=0.5
        mine a        => paid/exact txid=b
        ",
    );
}

#[test]
fn without_a_sufficient_one_the_largest_decides() {
    check(
        "BTC 0.4",
        "
        see a=0.1  => pending txid=a flags=underpaid
        see b=0.3  => pending txid=b flags=split,underpaid counted=0.3 short=0.1
        see c=0.3  => pending txid=b
        ",
    );
}

#[test]
fn the_excess_of_the_deciding_transaction_is_surplus_but_its_transfer_is_counted_whole() {
    check(
        "BTC 0.4",
        "mine a=0.45 => confirming received=0.45 counted=0.4 surplus=0.05 a:counted review",
    );
}

// shows: T8
#[test]
fn wrong_assets_are_told_at_once_and_never_counted() {
    check(
        "USDT 25",
        "
        mine a=25:USDC => new flags=wrong_asset received=0 told=transfer,attention a:wrong_asset review
        mine b=1:ETH   => new told=transfer,attention
        mine c=25      => confirming flags=wrong_asset
        blocks 5       => paid/exact flags=wrong_asset review c:counted
        ",
    );
}

#[test]
fn wrong_money_alone_is_invalid_after_the_deadline() {
    check(
        "USDT 25",
        "
        mine a=25:USDC => new
        wait 23m       => new
        blocks 1       => invalid/wrong_asset review
        blocks 9       => invalid/wrong_asset
        mine b=25      => invalid/wrong_asset flags=late,wrong_asset b:late
        blocks 5       => invalid/late flags=late,wrong_asset
        ",
    );
    check(
        "USDT 25",
        "
        wait 23m
        blocks 1       => expired/deadline
        mine a=25:USDC => expired/deadline flags=wrong_asset review told=transfer,attention
        blocks 5       => invalid/wrong_asset
        ",
    );
}

#[test]
fn dust_changes_nothing() {
    check(
        "BTC 0.4",
        "
        see a=0.000001  => new received=0 flags= reviewed
        mine a b=0.4    => confirming flags=
        blocks 1        => paid/exact flags= reviewed surplus=0
        ",
    );
    check(
        "BTC 0.4",
        "mine a=0.000001\nwait 23m => expired/deadline\ncancel => refused=not_new",
    );
    check("BTC 0.4", "mine a=0.000001\ncancel => canceled/operator");
}

#[test]
fn dust_is_judged_by_the_sum_of_its_transaction() {
    check(
        "BTC 0.00001",
        "mine a=0.000005+0.000005 => confirming received=0.00001 flags= a:counted",
    );
}

#[test]
fn dust_beyond_the_rows_of_an_address_is_one_row() {
    use crate::domain::{apply::MAX_ROWS, transfer::Position};
    let mut lines = String::new();
    for block in 0..11 {
        let dust = (0..100).map(|n| format!("d{block}x{n}=0.000001+0.000001"));
        let dust: Vec<String> = dust.collect();
        lines.push_str(&["mine ", &dust.join(" "), "\n"].concat());
    }
    lines.push_str("mine a=0.4 => confirming received=0.4\n");
    let story = check("BTC 0.4", &lines);
    let rows = &story.payment.transfers;
    assert_eq!(rows.len(), MAX_ROWS + 2);
    let aggregate = rows.iter().find(|t| t.position == Position::Dust).unwrap();
    assert_eq!(aggregate.amount.display(8).to_string(), "0.00120000");
    let first = aggregate.first_block_at.unwrap();
    assert!(story.blocks.iter().any(|block| block.time == first));
    // Unconfirmed dust has no row; dust of another asset has one row of its own.
    lines.push_str("see z=0.000001\nmine u=0.000001:USDC\nmine v=0.000002:USDC\n");
    let rows = check("BTC 0.4", &lines).payment.transfers;
    assert_eq!(rows.len(), MAX_ROWS + 3);
    let sums = rows.iter().filter(|t| t.position == Position::Dust);
    let sums: Vec<_> = sums
        .map(|t| t.amount.display(t.decimals).to_string())
        .collect();
    assert_eq!(sums, ["0.00120000", "0.000003"]);
}

#[test]
fn what_is_further_dust_depends_on_the_limit_that_judges_it() {
    use crate::domain::apply::MAX_ROWS;
    let dust: Vec<String> = (0..MAX_ROWS).map(|n| format!("d{n}=0.000001")).collect();
    let mut story = check("BTC 0.4", &format!("mine {}", dust.join(" ")));
    assert_eq!(story.payment.transfers.len(), MAX_ROWS);
    // The payment's own limit, when it is lower; that of another asset is that asset's.
    story.payment.terms.dust = Amount::from_u64(50);
    story.act("mine own=0.000001");
    assert_eq!(story.payment.transfers.len(), MAX_ROWS + 1);
    story.act("mine small=0.000001:USDC");
    story.act("mine small2=0.000001:USDC");
    assert_eq!(
        story.payment.transfers.len(),
        MAX_ROWS + 2,
        "one row for both"
    );
}

/// Whoever pays decides how many credits a transaction has, so each must cost the same.
#[test]
fn thousands_of_credits_in_one_transaction_are_taken_at_once() {
    use crate::domain::apply::MAX_ROWS;
    for (credits, rows, outcome) in [
        (5_000, MAX_ROWS + 1, "new received=0"),
        (10_000, 1, "confirming received=0.01"),
    ] {
        let amounts = vec!["0.000001"; credits].join("+");
        let story = check("USDT 0.02", &format!("mine a={amounts} => {outcome}"));
        assert_eq!(story.payment.transfers.len(), rows);
        let all = story
            .payment
            .transfers
            .iter()
            .fold(Amount::ZERO, |sum, row| sum.saturating_add(row.amount));
        assert_eq!(all, Amount::from_u64(u64::try_from(credits).unwrap()));
    }
}

// shows: T13
#[test]
fn amounts_beyond_64_and_128_bits_are_exact() {
    let big = "400000000000000000000000000000000000000000000000000";
    check(
        &format!("ETH {big} tolerance=0.01%"),
        &format!("mine a={big} => confirming received={big} short=0"),
    );
}
