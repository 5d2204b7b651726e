//! What log and metrics tell of long work.

use super::{
    forged::logged,
    world::{World, register_body},
};
use crate::{
    chain::{Ask, ChainInput},
    domain::{block::Height, time::SpanMs},
};

/// The node tells of a best block so far above ours.
fn hear_of_tip(world: &mut World, above: u32) {
    let mut status = world.status();
    status.tip.id.height = status.tip.id.height.plus(above);
    world.give(ChainInput::Status(status));
}

/// Blocks that the follower fetches after one another, within so many seconds.
fn fetch(world: &mut World, blocks: u32, seconds: i64) {
    for _ in 0..blocks {
        let facts = world.next_block(&[]);
        world.blocks.push(facts.block);
        world.give(ChainInput::Advance {
            disconnect_to: None,
            connected: vec![facts],
        });
    }
    world.wait(SpanMs::from_secs(seconds));
}

/// The lines of the log that have this text.
fn lines<'a>(log: &'a str, text: &str) -> Vec<&'a str> {
    log.lines().filter(|line| line.contains(text)).collect()
}

#[test]
fn catching_up_is_told_while_it_goes_on_and_when_it_is_over() {
    let log = logged(|| {
        let mut world = World::new();
        hear_of_tip(&mut world, 500);
        world.tick();
        for (blocks, seconds) in [(25, 5), (50, 5), (0, 10), (30, 10), (394, 10)] {
            fetch(&mut world, blocks, seconds);
            let left = 600 - world.tip().id.height.0;
            hear_of_tip(&mut world, left);
            world.tick();
        }
        fetch(&mut world, 1, 1);
        world.tick();
        world.tick();
    });
    let told = lines(&log, "catching up");
    assert_eq!(told.len(), 2, "{log}");
    for (line, wanted) in told.iter().zip([
        "height=175 tip=600 behind=425 blocks_per_second=7.5",
        "height=205 tip=600 behind=395 blocks_per_second=3.0",
    ]) {
        assert!(line.contains(wanted), "{line}");
    }
    assert_eq!(lines(&log, "caught up").len(), 1, "{log}");
    assert!(lines(&log, "caught up")[0].contains("height=600"), "{log}");
}

#[test]
fn a_few_blocks_are_caught_up_with_in_silence() {
    let log = logged(|| {
        let mut world = World::new();
        hear_of_tip(&mut world, 100);
        world.tick();
        for blocks in [50, 49, 1] {
            fetch(&mut world, blocks, 10);
            let left = 200 - world.tip().id.height.0;
            hear_of_tip(&mut world, left);
            world.tick();
        }
    });
    assert!(
        !log.contains("catching up") && !log.contains("caught up"),
        "{log}"
    );
}

/// Registers the n-th address, whose past starts there; the scan's name.
fn scan_from(world: &mut World, address: usize, from: Option<u32>) -> u64 {
    let mut body: serde_json::Value = serde_json::from_str(&register_body(address)).unwrap();
    if let Some(from) = from {
        body["scan_from"] = from.into();
    }
    world.ask("register", &format!("p{address}"), &body.to_string());
    let asks = world.asks().into_iter();
    let mut batches = asks.filter_map(|(_, ask)| match ask {
        Ask::Backfill { batch, .. } => Some(batch),
        Ask::Spenders(_) | Ask::Unconfirmed(_) | Ask::Growth(..) | Ask::Balances(..) => None,
    });
    batches.next().expect("a scan")
}

fn portion(world: &mut World, batch: u64, to: u32) {
    world.give(ChainInput::Backfill {
        untraced: false,
        batch,
        blocks: Vec::new(),
        to: Height(to),
    });
    world.tick();
}

/// What `/metrics` says is left of a scan.
fn left(world: &mut World) -> u32 {
    world.tick();
    let page = world.watcher.metrics.render().unwrap();
    let name = "confirmd_scan_blocks_left{chain=\"bitcoin\"} ";
    let line = page.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap().parse().unwrap()
}

#[test]
fn the_metric_counts_the_past_blocks_that_are_left_down_to_zero() {
    let mut world = World::new();
    assert_eq!(left(&mut world), 0);
    let batch = scan_from(&mut world, 0, Some(50));
    assert_eq!(left(&mut world), 51);
    portion(&mut world, batch, 70);
    assert_eq!(left(&mut world), 30);
    portion(&mut world, batch, 100);
    assert_eq!(left(&mut world), 0);
    let batch = scan_from(&mut world, 1, Some(90));
    assert_eq!(left(&mut world), 11);
    let message = "pruned".to_owned();
    world.give(ChainInput::BackfillRefused { batch, message });
    assert_eq!(left(&mut world), 0);
}

#[test]
fn a_start_by_time_counts_from_the_first_block_that_is_known() {
    let mut world = World::new();
    let lowest = world.blocks[0].id.height;
    assert_eq!(world.blocks.len(), 3);
    let batch = scan_from(&mut world, 0, None);
    assert_eq!(left(&mut world), 3);
    portion(&mut world, batch, lowest.0);
    assert_eq!(left(&mut world), 2);
}

#[test]
fn a_long_scan_is_told_while_it_goes_on() {
    let log = logged(|| {
        let mut world = World::new();
        let batch = scan_from(&mut world, 0, Some(10));
        world.tick();
        for (to, seconds) in [(20, 5), (41, 5), (41, 10), (100, 10)] {
            world.wait(SpanMs::from_secs(seconds));
            portion(&mut world, batch, to);
        }
    });
    let told = lines(&log, "blocks_per_second");
    assert_eq!(told.len(), 1, "{log}");
    let wanted = "next=42 to=100 left=59 blocks_per_second=3.2";
    assert!(told[0].contains(wanted), "{log}");
}
