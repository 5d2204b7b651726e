//! S1: sixty deaths, half of them at named points of a commit, half at random moments under load. After each
//! another user reads the journal and finds all that was there; in the end the rows are those of a daemon
//! that never died.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::load::Load;
use super::world::{Coin, SIGABRT, SIGKILL, World};

/// How the random part falls, unless the environment names another number.
const SEED: u64 = 0x5eed_0060;
const SEED_VARIABLE: &str = "CONFIRMD_TEST_SEED";

/// A killed process lives at most so long under load.
const LIFE_MS: u64 = 500;

/// A killed process lives at most so long after its first start.
const FIRST_LIFE_MS: u64 = 300;

/// Names in the report.
const UNDER_LOAD: &str = "SIGKILL under load";
const AT_FIRST_START: &str = "SIGKILL at the first start";

/// What happens while the victim is killed, and where it ends itself the next time, at which passing.
const DEATHS: &[(Load, &str, u32)] = &[
    (Load::Grow, "after_begin", 1),
    (Load::Grow, "mid_step", 1),
    (Load::Quiet, "mid_rollback", 1),
    (Load::Grow, "after_commit", 3),
    (Load::Replace, "inbox_read", 1),
    (Load::Early, "mid_backfill", 1),
    (Load::Reorg, "after_begin", 4),
    (Load::Grow, "checkpoint", 1),
    (Load::Alone, "inbox_read", 2),
    (Load::DoubleSpend, "mid_step", 1),
    (Load::Reorg, "mid_rollback", 1),
    (Load::Early, "mid_backfill", 2),
    (Load::Grow, "after_commit", 1),
    (Load::Replace, "after_begin", 2),
    (Load::Grow, "mid_step", 2),
    (Load::Quiet, "mid_rollback", 2),
    (Load::Reorg, "checkpoint", 1),
    (Load::Grow, "after_commit", 6),
    (Load::Alone, "inbox_read", 1),
    (Load::DoubleSpend, "after_begin", 3),
    (Load::Early, "mid_backfill", 3),
    (Load::Reorg, "after_commit", 2),
    (Load::Grow, "mid_step", 3),
    (Load::Reorg, "mid_rollback", 2),
    (Load::Grow, "checkpoint", 1),
    (Load::Replace, "mid_step", 2),
    (Load::Early, "mid_backfill", 2),
    (Load::Grow, "after_begin", 6),
];

/// Deaths of each kind before there is a database.
const FIRST_DEATHS: usize = 2;

// shows: S1
#[test]
fn sixty_deaths_leave_the_rows_of_a_daemon_that_never_died() {
    let mut world = World::new(seed());
    let mut report = Report::default();
    die_at_first_start(&mut world, &mut report);
    world.victim.start();
    world.settle();
    for &(load, point, nth) in DEATHS {
        die_under(&mut world, load, &mut report);
        die_at(&mut world, point, nth, &mut report);
        world.victim.start();
        world.settle();
    }
    end_well(&mut world);
    report.print(&world);
    report.assert_complete();
}

fn seed() -> u64 {
    std::env::var(SEED_VARIABLE).map_or(SEED, |text| text.parse().expect("a number"))
}

/// Deaths so far, by place.
#[derive(Default)]
struct Report(BTreeMap<&'static str, usize>);

impl Report {
    fn count(&mut self, place: &'static str) {
        *self.0.entry(place).or_default() += 1;
    }

    fn print(&self, world: &World) {
        for (place, deaths) in &self.0 {
            println!("{deaths:3} deaths: {place}");
        }
        let (orders, events) = (world.orders.len(), world.events());
        println!("{orders} payments, {events} events; the rows of both daemons are the same");
    }

    fn assert_complete(&self) {
        let points = DEATHS.iter().map(|(_, point, _)| *point);
        for place in points.chain(["migration", AT_FIRST_START, UNDER_LOAD]) {
            assert!(self.0.contains_key(place), "nobody died at {place}");
        }
        assert_eq!(self.0.values().sum::<usize>(), 60);
    }
}

/// There is no database yet, or an empty one, or one that was just made.
fn die_at_first_start(world: &mut World, report: &mut Report) {
    for _ in 0..FIRST_DEATHS {
        world.spawn_armed("migration", 1);
        world.examine(SIGABRT, "migration", |_| {});
        report.count("migration");
    }
    for _ in 0..FIRST_DEATHS {
        world.victim.spawn();
        let life = Duration::from_millis(world.dice.below(FIRST_LIFE_MS));
        let killer = world.kill_after(life);
        killer.join().expect("a kill");
        world.examine(SIGKILL, AT_FIRST_START, |_| {});
        report.count(AT_FIRST_START);
    }
}

/// Both daemons know the same; then the victim is killed at a random moment.
fn die_under(world: &mut World, load: Load, report: &mut Report) {
    let life = Duration::from_millis(world.dice.below(LIFE_MS));
    println!("{load:?}, killed after {life:?}");
    let killer = world.kill_after(life);
    world.perform(load);
    killer.join().expect("a kill");
    world.examine(SIGKILL, UNDER_LOAD, |_| {});
    report.count(UNDER_LOAD);
}

/// The victim starts with what it missed, and more comes until it has passed the point.
fn die_at(world: &mut World, point: &'static str, nth: u32, report: &mut Report) {
    println!("{point}:{nth}");
    world.spawn_armed(point, nth);
    match point {
        "mid_rollback" => {
            world.undo();
            world.examine(SIGABRT, point, World::undo);
        }
        "mid_backfill" => {
            world.register_early();
            world.examine(SIGABRT, point, World::register_early);
        }
        "inbox_read" => {
            register_all(world);
            world.examine(SIGABRT, point, register_all);
        }
        "checkpoint" => {
            world.go_on();
            world.victim.await_bitcoin(&world.btc);
            world.victim.await_ethereum(&world.eth.anvil);
            world.victim.signal("TERM");
            world.examine(SIGABRT, point, |_| {});
        }
        _ => {
            world.go_on();
            world.examine(SIGABRT, point, World::go_on);
        }
    }
    report.count(point);
}

fn register_all(world: &mut World) {
    for coin in [Coin::Btc, Coin::Eth, Coin::Usdt] {
        world.register(coin);
    }
}

/// What still waits is paid and buried; then it must have been worth the while.
fn end_well(world: &mut World) {
    world.perform(Load::Grow);
    world.mine_btc(3);
    world.mine_eth(4);
    world.settle();
    let ledger = world.control.ledger();
    for status in ["new", "paid", "invalid", "expired", "canceled"] {
        let sql = "SELECT payment_id FROM v1_payment WHERE status = ?";
        assert!(
            !ledger.query(sql, &[status]).is_empty(),
            "nothing is {status}"
        );
    }
    for wanted in [
        json!(["kind", "reversed"]),
        json!(["kind", "finalized"]),
        json!(["reason", "double_spent"]),
    ] {
        let (column, value) = (wanted[0].as_str(), wanted[1].as_str());
        let (column, value) = (column.expect("a column"), value.expect("a value"));
        let sql = format!("SELECT seq FROM v1_event WHERE {column} = ?");
        assert!(!ledger.query(&sql, &[value]).is_empty(), "no {value}");
    }
}
