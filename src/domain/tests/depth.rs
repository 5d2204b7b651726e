//! Money that must be in a block that nodes call safe or final.

use super::{
    check,
    setup::{FALLBACK_DEPTH, Setup},
    story::Story,
};
use crate::domain::{
    block::Height,
    terms::{Depth, DepthRule},
};

#[test]
fn money_is_deep_once_its_block_is_called_what_was_asked_for() {
    check(
        "USDT 25 confirmations=safe",
        "
        mine a=25   => confirming
        blocks 200  => confirming
        safe 1000   => confirming
        safe 1001   => paid/exact unfinal told=status
        final 1000  => paid/exact unfinal
        final 1001  => paid/exact final told=finalized
        ",
    );
    check(
        "USDT 25 confirmations=finalized",
        "
        mine a=25   => confirming
        blocks 200  => confirming
        safe 1100   => confirming
        final 1000  => confirming
        final 1001  => paid/exact final told=status,finalized
        ",
    );
}

#[test]
fn what_is_final_is_safe() {
    check(
        "USDT 25 confirmations=safe",
        "mine a=25\nblocks 9\nfinal 1001 => paid/exact final",
    );
}

#[test]
fn confirmations_count_neither_with_tags_nor_before_the_rule_of_no_tags() {
    for rule in ["safe", "finalized"] {
        check(
            &format!("USDT 25 confirmations={rule}"),
            "
            untagged    => new
            mine a=25   => confirming
            blocks 3    => confirming
            blocks 1    => paid/exact final
            ",
        );
        check(
            &format!("USDT 25 confirmations={rule}"),
            "
            untagged    => new
            mine a=25   => confirming
            blocks 3    => confirming
            tagged      => confirming
            blocks 9    => confirming
            final 1001  => paid/exact final
            ",
        );
    }
}

/// The chain's own depth may be lowered after the registration.
#[test]
fn without_tags_money_waits_for_the_depth_of_its_own_terms_too() {
    check(
        "USDT 25 confirmations=finalized",
        "
        untagged    => new
        mine a=25   => confirming
        final 1001  => confirming unfinal
        blocks 3    => confirming
        blocks 1    => paid/exact final
        ",
    );
}

#[test]
fn a_young_chain_has_safe_blocks_before_it_has_final_ones() {
    check(
        "USDT 25 confirmations=safe",
        "
        untagged 100 => new
        mine a=25    => confirming
        blocks 2     => confirming
        safe 1001    => paid/exact unfinal
        ",
    );
}

#[test]
fn what_is_due_is_what_is_missing() {
    let due = |setup: &str, lines: &str| {
        let due = check(setup, lines).payment.judged.due;
        assert_eq!(due.traced_height, None);
        (due.height, due.safe_height, due.final_height)
    };
    let at = |height| Some(Height(height));
    let cases = [
        ("6", "mine a=25", (at(1006), None, None)),
        ("safe", "mine a=25", (None, at(1001), None)),
        ("finalized", "mine a=25", (None, None, at(1001))),
        (
            "safe",
            "mine a=25\nblocks 9\nsafe 1001",
            (None, None, at(1001)),
        ),
        (
            "finalized",
            "untagged\nmine a=25",
            (at(1005), None, at(1001)),
        ),
        ("safe", "untagged\nmine a=25", (at(1005), at(1001), None)),
        (
            "finalized",
            "untagged\nmine a=25\nfinal 1001",
            (at(1005), None, None),
        ),
        // Nothing that is over already: it would be looked at with every block.
        (
            "finalized",
            "untagged 100\nmine a=25\nblocks 20",
            (None, None, at(1001)),
        ),
    ];
    for (rule, lines, expected) in cases {
        let setup = format!("USDT 25 confirmations={rule}");
        assert_eq!(due(&setup, lines), expected, "{rule}: {lines}");
    }
    let settled = due(
        "USDT 25 confirmations=finalized",
        "mine a=25\nfinal 1001 => paid/exact final",
    );
    assert_eq!(settled, (None, None, None));
}

#[test]
fn a_safe_block_that_leaves_takes_its_payment_back() {
    check(
        "USDT 25 confirmations=safe",
        "
        mine a=25
        blocks 9
        safe 1005   => paid/exact
        swap 10 a / => confirming flags=reorged,reversed review told=transfer,reversed a@confirmed
        blocks 9    => confirming
        safe 1001   => paid/exact review
        swap 9 /    => paid/exact
        final 1001  => paid/exact final
        ",
    );
    check(
        "USDT 25 confirmations=safe",
        "
        mine a=25
        blocks 3
        safe 1003   => paid/exact
        swap 4 / /  => invalid/reorged flags=reorged,reversed
        safe 1003   => invalid/reorged
        mine a      => confirming
        safe 1004   => paid/exact
        ",
    );
}

#[test]
fn nothing_is_said_of_money_that_is_not_that_deep() {
    // Too little, late, after a cancel, of another asset: all at the same depth.
    for rule in ["safe 1001", "final 1001"] {
        let (word, _) = rule.split_once(' ').unwrap();
        let policy = if word == "safe" { "safe" } else { "finalized" };
        let check = |lines: &str| {
            check(
                &format!("USDT 25 confirmations={policy}"),
                &lines.replace("TAG", rule),
            );
        };
        check("mine a=24\nblocks 99 => confirming\nTAG => invalid/underpaid");
        check("cancel\nmine a=25\nblocks 99 => canceled/operator\nTAG => invalid/after_cancel");
        check("mine a=25\naccept => refused=nothing_at_depth\nTAG => paid/exact");
        check(
            "mine a=24\nblocks 99\naccept => refused=nothing_at_depth\nTAG\naccept => paid/operator",
        );
    }
    check(
        "USDT 25 confirmations=safe",
        "
        wait 23m
        mine        => expired/deadline
        mine a=25   => expired/deadline
        blocks 9    => expired/deadline
        safe 1002   => invalid/late
        ",
    );
    check(
        "USDT 25 confirmations=safe policy=sum",
        "
        mine a=20
        mine b=5    => confirming
        safe 1001   => confirming
        safe 1002   => paid/exact
        ",
    );
}

#[test]
fn a_tag_alone_pays_nobody() {
    check(
        "USDT 25 confirmations=finalized",
        "
        agree 1000
        mine a=25
        final 1001  => confirming
        unhealthy
        agree 1001  => confirming
        healthy     => paid/exact final
        ",
    );
    check(
        "USDT 25 confirmations=safe",
        "mine a=25\nfreeze\nsafe 1001 => confirming\nthaw => paid/exact",
    );
}

#[test]
fn a_number_that_is_asked_for_stands_above_the_asset() {
    check(
        "USDT 25 confirmations=finalized confirmations=2",
        "mine a=25 => confirming\nblocks 1 => paid/exact unfinal",
    );
    let setup = Setup::read("USDT 25 confirmations=finalized");
    let depth = Story::begin(&setup).payment.terms.depth;
    let rule = DepthRule::Finalized;
    let confirmations = FALLBACK_DEPTH;
    let registered = Depth {
        rule,
        confirmations,
    };
    assert_eq!(depth, registered);
}
