//! What people are told of work under way.

use super::*;
use crate::{
    cli::screen::tests::row,
    domain::{asset::ChainName, block::Height, time::UnixMs},
};
use serde_json::json;

fn chain(scanned: u32, tip: u32) -> Row {
    row(json!({ "chain": "bitcoin", "scanned_height": scanned, "tip_height": tip }))
}

const NONE: fn() -> PastScans = || PastScans {
    chain: ChainName::new("bitcoin"),
    payments: 0,
    from: None,
    next: None,
    goal: None,
    refused: 0,
    held: 0,
};

#[test]
fn a_chain_that_lags_is_told_with_its_share_and_one_close_to_its_tip_is_not() {
    for (scanned, tip, wanted) in [
        (840_000, 840_000, None),
        (839_998, 840_000, None),
        (840_001, 840_000, None),
        (
            839_997,
            840_000,
            Some("bitcoin: 3 blocks behind its node, at block 839997 of 840000 (99.99 %)"),
        ),
        (
            0,
            840_000,
            Some("bitcoin: 840000 blocks behind its node, at block 0 of 840000 (0.00 %)"),
        ),
    ] {
        let told = lines(&[chain(scanned, tip)], &[NONE()], false);
        assert_eq!(told, Vec::from_iter(wanted), "{scanned} {tip}");
    }
    let unknown = row(json!({ "chain": "bitcoin", "tip_height": 9, "scanned_height": null }));
    assert_eq!(lines(&[unknown], &[], false), Vec::<String>::new());
}

#[test]
fn scans_are_told_with_what_is_known_of_them() {
    let scans = |payments, from, next, goal| PastScans {
        payments,
        from,
        next: Option::map(next, Height),
        goal: Option::map(goal, Height),
        ..NONE()
    };
    let height = |height| Some(ScanFrom::Height(Height(height)));
    let time = Some(ScanFrom::Time(UnixMs(1_795_305_168_000)));
    for (scans, wanted) in [
        (
            scans(3, height(100), Some(150), Some(299)),
            "3 payments wait for their past to be scanned, from block 100 to 299, 150 left (25.00 %)",
        ),
        (
            scans(1, height(100), Some(100), Some(100)),
            "1 payment waits for its past to be scanned, from block 100 to 100, 1 left (0.00 %)",
        ),
        (
            scans(2, time, None, Some(299)),
            "2 payments wait for their past to be scanned, from 2026-11-21 23:52:48Z to block 299",
        ),
        (
            scans(2, time, Some(290), Some(299)),
            "2 payments wait for their past to be scanned, from 2026-11-21 23:52:48Z to block 299, 10 left",
        ),
        (
            scans(2, height(100), Some(100), None),
            "2 payments wait for their past to be scanned, once the chain's first block is known",
        ),
    ] {
        let told = lines(&[], &[scans], false);
        assert_eq!(told, [format!("bitcoin: {wanted}")]);
    }
}

#[test]
fn a_past_that_nobody_scans_is_named_though_nobody_waits_for_it() {
    let scans = PastScans {
        refused: 2,
        held: 1,
        ..NONE()
    };
    let told = lines(&[], std::slice::from_ref(&scans), true);
    assert_eq!(
        told,
        [
            "bitcoin: 2 payments have a past that cannot be scanned (scan_refused); \
             see `confirmd payment list --review`",
            "bitcoin: 1 payment is on hold and not scanned; see `confirmd payment list --review`",
        ]
    );
    assert_eq!(scanning(&scans), None);
}

#[test]
fn a_terminal_shows_a_bar_that_is_full_only_when_all_is_done() {
    for (scanned, bar) in [
        (500, "[############------------] 50.04 %  "),
        (996, "[#######################-] 99.60 %  "),
    ] {
        let told = lines(&[chain(scanned, 1000)], &[], true);
        assert!(told[0].starts_with(bar), "{told:?}");
    }
}
