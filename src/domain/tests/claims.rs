//! Any number of claims, which cost one operator nothing.

use super::{check, story::Story};
use crate::domain::{
    amount::Amount,
    apply::{MAX_ROWS, apply},
    evidence::Evidence,
    facts::Fact,
    transfer::{Position, Transfer},
};

/// What contracts moved in a new block, `of_each` times 0.01 in each of so many transactions.
fn claims(story: &mut Story, transactions: u32, of_each: u32) -> Vec<Fact> {
    let words: Vec<String> = (0..transactions).map(|n| format!("c{n}=0.01?")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let told = story.connect(&words);
    let all = told.iter().flat_map(|fact| {
        (0..of_each).map(|n| {
            let mut fact = fact.clone();
            if let Fact::Mined { credit, .. } = &mut fact {
                credit.position = Position::Trace(vec![n]);
            }
            fact
        })
    });
    all.collect()
}

/// The same by another client, which counts the calls between otherwise.
fn renumbered(facts: &[Fact], evidence: Evidence) -> Vec<Fact> {
    let mut facts = facts.to_vec();
    for fact in &mut facts {
        if let Fact::Mined { credit, .. } = fact {
            credit.evidence = evidence;
            if let Position::Trace(path) = &mut credit.position {
                path[0] = path[0] * 2 + 1;
            }
        }
    }
    facts
}

/// How many rows, and how much they hold.
fn held(story: &Story) -> (usize, String) {
    let rows = story.payment.transfers.iter();
    let all = rows.fold(Amount::ZERO, |sum, row: &Transfer| {
        sum.saturating_add(row.amount)
    });
    let all = all.display(18).to_string();
    let all = all.trim_end_matches('0').trim_end_matches('.');
    (story.payment.transfers.len(), all.to_owned())
}

// shows: T12
#[test]
fn as_many_claims_as_a_block_holds_are_few_rows() {
    for (transactions, of_each, rows) in [(1, 100_000, 1), (400, 250, 400)] {
        let mut story = check("ETH 25000", "blocks 1");
        let facts = claims(&mut story, transactions, of_each);
        let step = apply(&story.payment, &facts, &story.view, story.now).unwrap();
        let entries = step.entries.len();
        assert!(step.changed.len() <= rows && entries <= rows + 2);
        story.take(facts.clone());
        assert_eq!(held(&story), (rows, "1000".to_owned()));
        assert!(story.payment.judged.received.is_zero());
        // Told by another client, and by more operators, it is the same money.
        story.take(renumbered(&facts, Evidence::Claimed));
        assert_eq!(held(&story), (rows, "1000".to_owned()));
        story.take(renumbered(&facts, Evidence::Witnessed));
        assert_eq!(held(&story), (rows, "1000".to_owned()));
        let received = story.payment.judged.received.display(18).to_string();
        assert!(received.starts_with("1000."), "{received}");
    }
}

#[test]
fn a_sum_of_claims_is_money_when_they_are_borne_out_and_none_when_not() {
    let rows = u32::try_from(MAX_ROWS).unwrap();
    for (weighed, outcome) in [
        ("witnessed", "paid/exact received=15"),
        ("weighed", "paid/exact received=15 flags=degraded"),
        ("doubted", "new review received=0"),
    ] {
        let mut story = check("ETH 15", "blocks 1");
        let facts = claims(&mut story, 1, rows / 2 * 3);
        story.take(facts);
        assert_eq!(held(&story).0, 1);
        story.act(&format!("weigh {weighed}"));
        story.go_on(&format!("blocks 11 => {outcome}"));
    }
}

/// What is vouched for costs its senders what it costs anybody, and has its rows as before.
#[test]
fn what_is_vouched_for_has_rows_of_its_own_unless_it_is_too_many() {
    let most = u32::try_from(MAX_ROWS).unwrap();
    for (transactions, of_each, rows) in [(2, most - 1, 2 * MAX_ROWS - 2), (2, most + 1, 2)] {
        let mut story = check("ETH 10 policy=sum", "blocks 1");
        let facts = claims(&mut story, transactions, of_each);
        story.take(renumbered(&facts, Evidence::Witnessed));
        assert_eq!(held(&story).0, rows);
        let all = held(&story);
        story.take(facts);
        assert_eq!(held(&story), all);
    }
}

/// Neither as many rows beside it, nor as rows of its own once the address is not full.
#[test]
fn what_is_in_a_sum_stays_in_it_when_it_is_told_again() {
    let mut story = check("ETH 12 policy=sum", "blocks 1");
    let facts = claims(&mut story, 2, 600);
    story.take(facts.clone());
    assert_eq!(held(&story), (2, "12".to_owned()));
    story.act("weigh witnessed");
    let again = renumbered(&facts[..600], Evidence::Witnessed);
    story.take(again);
    assert_eq!(held(&story), (2, "12".to_owned()));
    story.go_on("blocks 11 => paid/exact received=12 surplus=0");
}

/// Told in part before, in rows; and of a block that another one takes the place of.
#[test]
fn what_has_rows_keeps_them_and_the_rest_is_summed_up() {
    let mut story = check("ETH 12", "blocks 1");
    let facts = claims(&mut story, 1, 1_200);
    story.take(facts[..600].to_vec());
    assert_eq!(held(&story), (600, "6".to_owned()));
    story.take(facts.clone());
    assert_eq!(held(&story), (601, "12".to_owned()));
    story.take(renumbered(&facts, Evidence::Witnessed));
    assert_eq!(held(&story), (601, "12".to_owned()));
    story.go_on("blocks 11 => paid/exact received=12 surplus=0");
}
