//! When everything counts as done.

use super::*;
use crate::{
    domain::{
        asset::ChainKind,
        block::{BlockHash, BlockId, BlockRef, Height},
        step::{ChainStep, Step},
        time::UnixMs,
        view::{ChainView, FreezeReason},
    },
    store::{ChainEntry, Kind, Options, Store},
};

const AT: UnixMs = UnixMs(1_700_000_000_000);

fn block(height: u32) -> BlockRef {
    BlockRef {
        id: BlockId {
            height: Height(height),
            hash: BlockHash([1; 32]),
        },
        parent: BlockHash([0; 32]),
        time: AT,
    }
}

/// A chain whose cursor is at block 100.
fn view(name: &str, tip: u32) -> ChainView {
    ChainView {
        name: ChainName::new(name),
        kind: ChainKind::Bitcoin,
        scanned: Some(block(100)),
        tip: Some(block(tip)),
        finalized: None,
        safe: None,
        tagged: false,
        agreed: None,
        held: None,
        traced: None,
        traced_at: None,
        untraced_at: None,
        untraced_height: None,
        traced_by: None,
        frozen: None,
        healthy: true,
        polled_at: None,
    }
}

/// What is lacking when the chain `a` was recorded like this, beside one that nobody follows.
fn lacks(recorded: Option<(ChainView, Option<&str>)>, has_daemon: bool) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(&Options::private(dir.path(), Kind::Live), AT).unwrap();
    let entries = ["a", "removed"].map(|name| ChainEntry {
        name: ChainName::new(name),
        kind: ChainKind::Bitcoin,
        network: "regtest".to_owned(),
    });
    store.sync_registry(&entries, &[], AT).unwrap();
    if let Some((view, error)) = recorded {
        let chain = ChainStep {
            view,
            error: error.map(str::to_owned),
            disconnected_to: None,
            history: Vec::new(),
            connected: Vec::new(),
            scan: None,
        };
        let step = Step {
            chain: Some(chain),
            ..Step::new(AT)
        };
        store.commit(&step).unwrap();
    }
    let reader = Reader::open(&dir.path().join("confirmd.db")).unwrap();
    let found = look(&reader, &[ChainName::new("a")], has_daemon).unwrap();
    found.lacks
}

#[test]
fn a_chain_is_done_at_its_nodes_tip_while_it_is_healthy() {
    let failed = |tip| ChainView {
        healthy: false,
        ..view("a", tip)
    };
    let frozen = ChainView {
        frozen: Some(FreezeReason::BelowFinality),
        ..view("a", 100)
    };
    for (recorded, wanted) in [
        (Some((view("a", 100), None)), None),
        (
            Some((view("a", 101), None)),
            Some("a: not quite at its node's tip"),
        ),
        (
            Some((failed(100), Some("no answer for 60 s: \u{1b}[2J"))),
            Some(r"a: no answer for 60 s: \u{1b}[2J"),
        ),
        // As a start leaves it.
        (
            Some((failed(100), None)),
            Some("a: its node was not heard yet"),
        ),
        (
            Some((frozen, Some("block 90 is another"))),
            Some("a: block 90 is another"),
        ),
        (
            Some((
                failed(900),
                Some("scanned to 100, 800 blocks behind the node"),
            )),
            Some("a: 800 blocks behind its node, at block 100 of 900"),
        ),
        (None, Some("a: its node was not heard yet")),
    ] {
        let shown = format!("{recorded:?}");
        let lacks = lacks(recorded, true);
        assert_eq!(lacks, Vec::from_iter(wanted), "{shown}");
    }
}

#[test]
fn what_a_daemon_left_behind_is_not_done() {
    let lacks = lacks(Some((view("a", 100), None)), false);
    assert_eq!(
        lacks,
        ["no daemon is running, so nothing goes on until one is started"]
    );
}
