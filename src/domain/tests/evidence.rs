//! What contracts moved: worth what vouches for it.

use super::{check, story::Story};
use crate::domain::{evidence::Evidence, facts::Fact, transfer::Position};

// shows: T10
#[test]
fn nothing_rests_on_what_one_operator_claims() {
    check(
        "ETH 1",
        "
        mine a=1?      => new a:dust received=0
        blocks 11      => new flags= reviewed
        wait 3h
        blocks 1       => new
        weigh doubted  => expired/deadline review
        ",
    );
}

#[test]
fn a_claim_that_others_or_the_balance_bear_out_is_money() {
    check(
        "ETH 1",
        "
        mine a=1?
        weigh witnessed => confirming
        blocks 11       => paid/exact flags= reviewed
        ",
    );
    check(
        "ETH 1",
        "
        mine a=1?
        weigh weighed   => confirming flags=degraded
        blocks 11       => paid/exact flags=degraded
        ",
    );
    check(
        "ETH 1",
        "
        mine a=0.4?
        weigh witnessed
        blocks 11       => invalid/underpaid
        ",
    );
}

#[test]
fn a_claim_that_the_balance_contradicts_is_no_money_but_a_person_looks() {
    check(
        "ETH 1",
        "
        mine a=1?
        weigh doubted   => new review received=0
        blocks 11       => new
        mine b=1        => confirming
        blocks 11       => paid/exact review
        ack             => paid/exact reviewed
        ",
    );
}

/// What only endpoints tell is money, and its payment says for ever that nothing proved it.
#[test]
fn what_is_only_told_pays_and_is_flagged() {
    for terms in ["ETH 1", "USDT 25"] {
        let amount = terms.rsplit_once(' ').unwrap().1;
        check(
            terms,
            &format!(
                "
                mine a={amount}~   => confirming flags=degraded
                blocks 11          => paid/exact flags=degraded reviewed
                "
            ),
        );
    }
    // A proof that comes later counts, whatever is told again, and the flag stays.
    let mut story = check("ETH 1", "blocks 1");
    let told = story.connect(&["a=1~"]);
    let mut proven = told.clone();
    for fact in &mut proven {
        if let Fact::Mined { credit, .. } = fact {
            credit.evidence = Evidence::Proven;
        }
    }
    for facts in [told.clone(), proven, told] {
        story.take(facts);
    }
    assert_eq!(story.payment.transfers[0].evidence, Evidence::Proven);
    assert_eq!(story.payment.judged.flags.to_string(), "degraded");
}

/// A block that nothing proves is proved by no balance either.
#[test]
fn what_is_claimed_in_a_block_that_is_only_told_is_flagged_whatever_vouches_for_it() {
    for vouched in ["weighed", "witnessed"] {
        check(
            "ETH 1",
            &format!(
                "
                mine a=1~?       => new flags=degraded
                weigh {vouched}  => confirming flags=degraded
                blocks 11        => paid/exact flags=degraded reviewed
                "
            ),
        );
    }
    check(
        "ETH 1",
        "mine a=1?\nweigh witnessed\nblocks 11 => paid/exact flags=",
    );
}

#[test]
fn no_claim_makes_a_payment_invalid() {
    check(
        "ETH 1",
        "
        mine a=0.4?
        blocks 30       => new
        wait 3h
        blocks 1        => new
        weigh doubted   => expired/deadline review
        ",
    );
}

#[test]
fn what_is_vouched_for_stays_so_when_it_is_told_again_in_the_same_block_and_only_there() {
    let mut story = check("ETH 1", "blocks 1");
    let claim = story.connect(&["a=1?"]);
    story.take(claim.clone());
    story.act("weigh witnessed");
    story.take(claim);
    story.act("blocks 11");
    assert_eq!(story.payment.judged.status.as_str(), "paid");
    // In another block it is a claim again.
    check(
        "ETH 1",
        "
        mine a=1?
        weigh witnessed
        swap 1 a / b=0
        blocks 11       => new
        ",
    );
}

#[test]
fn who_expires_without_all_traces_is_flagged_and_looked_at() {
    check(
        "ETH 1",
        "
        blocks 1
        gap
        wait 23m
        blocks 1       => expired/deadline flags=degraded review
        ack            => expired/deadline reviewed
        ",
    );
    check(
        "ETH 1",
        "
        untraced       => new flags=degraded reviewed
        wait 23m
        blocks 1       => expired/deadline flags=degraded review
        ",
    );
    // Tokens do not need them.
    check(
        "USDT 25",
        "
        blocks 1
        gap
        untraced
        wait 23m
        blocks 1       => expired/deadline flags= reviewed
        ",
    );
}

#[test]
fn a_direct_payment_does_not_wait_for_traces_but_a_refusal_does() {
    check(
        "ETH 1",
        "
        trace 1000
        mine a=1
        blocks 11      => paid/exact
        ",
    );
    check(
        "ETH 1",
        "
        mine a=0.4
        trace 1000
        blocks 11      => confirming
        traced         => invalid/underpaid
        ",
    );
}

#[test]
fn a_chain_that_nobody_traces_waits_for_no_traces() {
    check(
        "ETH 1",
        "
        trace
        wait 23m
        blocks 1       => expired/deadline flags= reviewed
        ",
    );
}

/// The same two moves, told by a client that counts the calls between differently.
#[test]
fn a_move_that_is_told_again_under_another_number_is_the_same_money() {
    let told = |story: &mut Story, numbers: [u32; 2], evidence: Evidence| {
        let mut facts = if story.payment.transfers.is_empty() {
            story.connect(&["a=0.4+0.4"])
        } else {
            story.told_again("a")
        };
        for (fact, number) in facts.iter_mut().zip(numbers) {
            if let Fact::Mined { credit, .. } = fact {
                credit.position = Position::Trace(vec![number]);
                credit.evidence = evidence;
            }
        }
        story.take(facts);
    };
    let mut story = check("ETH 0.8 policy=sum", "blocks 1");
    told(&mut story, [0, 1], Evidence::Claimed);
    told(&mut story, [2, 5], Evidence::Witnessed);
    story.act("blocks 11");
    let judged = &story.payment.judged;
    assert_eq!(judged.status.as_str(), "paid");
    assert!(judged.surplus.is_zero(), "{:?}", story.payment.transfers);
    assert_eq!(story.payment.transfers.len(), 2);
    told(&mut story, [1, 7], Evidence::Witnessed);
    assert_eq!(
        story.payment.transfers.len(),
        2,
        "one is known, one renumbered"
    );
}

/// A client that counts the empty calls between gives the same moves other numbers, and some of them the
/// numbers of others.
#[test]
fn moves_that_are_told_again_under_each_others_numbers_are_the_same_money() {
    let told = |story: &mut Story, amounts: &str, numbers: [u32; 2]| {
        let mut facts = if story.payment.transfers.is_empty() {
            story.connect(&[amounts])
        } else {
            story.told_again("a")
        };
        for (fact, number) in facts.iter_mut().zip(numbers) {
            if let Fact::Mined { credit, .. } = fact {
                credit.position = Position::Trace(vec![number]);
                credit.evidence = Evidence::Witnessed;
            }
        }
        story.take(facts);
        let rows = story.payment.transfers.iter();
        let rows = rows.map(|row| (row.position.to_string(), row.amount));
        rows.collect::<Vec<_>>()
    };
    for numbers in [[1, 2], [0, 1], [2, 3], [2, 1], [7, 8], [0, 2]] {
        let mut story = check("ETH 0.9 policy=sum", "blocks 1");
        let first = told(&mut story, "a=0.4+0.5", [1, 2]);
        let again = told(&mut story, "a=0.4+0.5", numbers);
        assert_eq!(again, first, "{numbers:?}");
        story.act("blocks 11");
        assert_eq!(story.payment.judged.status.as_str(), "paid", "{numbers:?}");
        assert!(story.payment.judged.surplus.is_zero(), "{numbers:?}");
    }
}

/// One that was withheld before takes a number that is left.
#[test]
fn a_move_that_is_told_later_is_added_whatever_its_number() {
    let mut story = check("ETH 0.9 policy=sum", "blocks 1");
    let named = |facts: &mut [Fact], numbers: &[u32]| {
        for (fact, number) in facts.iter_mut().zip(numbers) {
            if let Fact::Mined { credit, .. } = fact {
                credit.position = Position::Trace(vec![*number]);
                credit.evidence = Evidence::Witnessed;
            }
        }
    };
    let mut facts = story.connect(&["a=0.4+0.5"]);
    named(&mut facts, &[1, 2]);
    let later = facts.pop();
    story.take(facts);
    assert_eq!(story.payment.transfers.len(), 1);
    let mut facts = story.told_again("a");
    facts.truncate(2);
    drop(later);
    named(&mut facts, &[0, 1]);
    story.take(facts);
    let rows = story.payment.transfers.iter();
    let rows: Vec<String> = rows
        .map(|row| format!("{} {}", row.position, row.amount.display(18)))
        .collect();
    let expected = [
        "trace:1 0.400000000000000000",
        "trace:0 0.500000000000000000",
    ];
    assert_eq!(rows, expected);
}
