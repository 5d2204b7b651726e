//! What a portion of requests that concerns both chains leads to on each.

use super::world::{World, address};
use crate::{
    chain::{Ask, ChainInput},
    domain::{
        asset::{ChainKind, ChainName},
        block::Height,
        payment::ScanFrom,
    },
    watcher::Input,
};

const BOTH: [ChainKind; 2] = [ChainKind::Bitcoin, ChainKind::Ethereum];

fn name(kind: ChainKind) -> ChainName {
    ChainName::new(kind.as_str())
}

/// Registers a payment to the n-th address of a chain, whose past counts from a height on.
fn register(world: &mut World, kind: ChainKind, id: &str, n: usize, from: u32) {
    let asset = match kind {
        ChainKind::Bitcoin => "BTC",
        ChainKind::Ethereum => "WBTC",
    };
    let address = address(kind, n);
    let body = format!(
        r#"{{"asset": "{asset}", "address": "{address}", "amount": "0.015", "scan_from": {from}}}"#
    );
    world.ask("register", id, &body);
}

/// The scan that a chain's follower is asked to do, if any: its name and start.
fn scan(world: &mut World, kind: ChainKind) -> Option<(u64, u32)> {
    let asks = std::iter::from_fn(|| world.watcher.next_ask(&name(kind)));
    let scans = asks.filter_map(|ask| match ask {
        Ask::Backfill { batch, from, .. } => Some((batch, height(from))),
        Ask::Spenders(_) | Ask::Unconfirmed(_) | Ask::Growth(..) | Ask::Balances(..) => None,
    });
    scans.last()
}

fn height(from: ScanFrom) -> u32 {
    match from {
        ScanFrom::Height(height) => height.0,
        ScanFrom::Time(time) => panic!("a scan from {time:?}"),
    }
}

/// A scan finds nothing up to the cursor.
fn finish(world: &mut World, kind: ChainKind, batch: u64) {
    let found = ChainInput::Backfill {
        untraced: false,
        batch,
        blocks: Vec::new(),
        to: Height(100),
    };
    let found = Input::Chain(name(kind), found);
    world.watcher.handle(&found).unwrap();
}

/// On each chain one payment whose past is scanned, `old`, and one whose scan is under way, `late`: the
/// names of those scans.
fn both_scanning(world: &mut World) -> [u64; 2] {
    BOTH.map(|kind| {
        register(world, kind, &format!("old-{kind:?}"), 0, 98);
        let (batch, _) = scan(world, kind).expect("a scan");
        finish(world, kind, batch);
        register(world, kind, &format!("late-{kind:?}"), 1, 95);
        let (batch, from) = scan(world, kind).expect("a scan");
        assert_eq!(from, 95);
        batch
    })
}

/// The scans under way begin above the new starts: their end would pass for a scan from there.
#[test]
fn commands_on_both_chains_in_one_portion_drop_the_running_scan_of_each() {
    for [first, second] in [BOTH, [BOTH[1], BOTH[0]]] {
        let mut world = World::of_both();
        let running = both_scanning(&mut world);
        let rescans = [first, second].map(|kind| {
            let id = format!("old-{kind:?}");
            world.row("rescan", &id, r#"{"scan_from": 90}"#)
        });
        world.give_rows(rescans.to_vec());
        for (kind, batch) in BOTH.into_iter().zip(running) {
            finish(&mut world, kind, batch);
            for id in ["old", "late"] {
                let payment = world.payment(&format!("{id}-{kind:?}"));
                assert!(!payment.scan.is_complete(), "{id} of {kind:?}");
            }
            let (batch, from) = scan(&mut world, kind).expect("a scan of both payments");
            assert_eq!(from, 90, "{kind:?}");
            finish(&mut world, kind, batch);
            for id in ["old", "late"] {
                let payment = world.payment(&format!("{id}-{kind:?}"));
                assert!(payment.scan.is_complete(), "{id} of {kind:?}");
            }
        }
    }
}
