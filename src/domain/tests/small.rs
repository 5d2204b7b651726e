//! Money in many small credits, to an address that has as many rows as it may.

use super::{check, story::Story};
use crate::domain::{
    amount::Amount,
    apply::MAX_ROWS,
    transfer::{Position, Transfer},
};

/// A payment whose address is full of dust, asked for 0.02.
fn full() -> Story {
    let dust: Vec<String> = (0..MAX_ROWS).map(|n| format!("d{n}=0.000001")).collect();
    check("USDT 0.02", &format!("mine {} => new", dust.join(" ")))
}

/// The rows beside the dust: position, amount, state.
fn rows(story: &Story) -> Vec<(String, String, &'static str)> {
    let rows = story.payment.transfers.iter();
    let is_dust =
        |row: &&Transfer| row.position == Position::Dust || row.amount == Amount::from_u64(1);
    let money = rows.filter(|row| !is_dust(row));
    let shown = money.map(|row| {
        let amount = row.amount.display(6).to_string();
        (row.position.to_string(), amount, row.place.as_str())
    });
    shown.collect()
}

fn row(amount: &str, state: &'static str) -> (String, String, &'static str) {
    ("sum:USDT".to_owned(), amount.to_owned(), state)
}

#[test]
fn small_credits_of_a_transaction_are_one_row_and_pay_as_they_did() {
    let mut story = full();
    story.go_on("mine a=0.009+0.009+0.001 => confirming received=0.019");
    assert_eq!(rows(&story), [row("0.019000", "confirmed")]);
    // One transaction must pay the full amount; what is no dust has its own row, and counts with the others.
    story.go_on("mine b=0.009+0.01+0.001 => confirming received=0.039");
    let own = ("log:1".to_owned(), "0.010000".to_owned(), "confirmed");
    let all = rows(&story);
    assert_eq!(
        all,
        [
            row("0.019000", "confirmed"),
            row("0.010000", "confirmed"),
            own
        ]
    );
    story.go_on("blocks 5 => paid/exact surplus=0.019");
}

#[test]
fn a_reorganisation_moves_the_sum_and_counts_it_once() {
    let mut story = full();
    story.go_on("mine a=0.009+0.009+0.002 => confirming received=0.02");
    story.go_on("rollback 1 => new/reorged received=0");
    assert_eq!(rows(&story), [row("0.020000", "orphaned")]);
    story.go_on("mine a => confirming received=0.02");
    story.go_on("swap 1 x=0.000001 / a => confirming received=0.02");
    assert_eq!(rows(&story), [row("0.020000", "confirmed")]);
    // In another block its contract pays otherwise.
    story.go_on("swap 1 a=0.009+0.009 => confirming received=0.018");
    assert_eq!(rows(&story), [row("0.018000", "confirmed")]);
}

/// Told before the address was full, and more of it after a reorganisation.
#[test]
fn what_has_a_row_of_its_own_is_not_summed_up_too() {
    let mut story = check(
        "USDT 0.02",
        "mine a=0.006+0.006 => confirming received=0.012",
    );
    let dust: Vec<String> = (0..MAX_ROWS).map(|n| format!("d{n}=0.000001")).collect();
    story.go_on(&format!("swap 1 a / {} => confirming", dust.join(" ")));
    story.go_on("swap 2 a / x=0.000001 => confirming received=0.012");
    assert_eq!(rows(&story).len(), 2);
    story.go_on("swap 2 a=0.006+0.006+0.003+0.004 => confirming received=0.019");
    assert_eq!(rows(&story)[2], row("0.007000", "confirmed"));
}

#[test]
fn dust_is_no_money_for_being_summed_up() {
    let mut story = full();
    story.go_on("mine a=0.004+0.004 => new received=0");
    let sum = story.payment.transfers.last().unwrap();
    assert_eq!(sum.position.to_string(), "dust");
    // Of another asset, too, each has its own sum.
    story.go_on("mine b=0.006+0.006:USDC => new flags=wrong_asset received=0");
    let sum = story.payment.transfers.last().unwrap();
    assert_eq!(sum.position.to_string(), "sum:USDC");
}
