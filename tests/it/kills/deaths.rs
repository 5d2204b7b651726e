//! S1: the victim dies again and again, half of the times at named points of a commit, half at random moments
//! under load. After each death another user reads the journal and finds all that was there; in the end the
//! rows are those of a daemon that never died.

use std::collections::BTreeMap;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::load::Load;
use super::nodes::{Coin, Real, Simulated};
use super::world::{SIGABRT, SIGKILL, World};

/// How the random part falls, unless the environment names another number.
const SEED: u64 = 0x5eed_0060;
const SEED_VARIABLE: &str = "CONFIRMD_TEST_SEED";

/// A killed process lives at most so long.
const LIFE_MS: u64 = 300;

/// Names in the report.
const UNDER_LOAD: &str = "SIGKILL under load";
const AT_FIRST_START: &str = "SIGKILL at the first start";

/// Every named point.
const POINTS: [&str; 8] = [
    "migration",
    "inbox_read",
    "after_begin",
    "mid_step",
    "mid_rollback",
    "mid_backfill",
    "after_commit",
    "checkpoint",
];

/// What happens while the victim is killed, and where it ends itself the next time, at which passing.
type Death = (Load, &'static str, u32);

/// Twice as many deaths on simulated nodes, with the four at the first start a hundred.
const ON_SIMULATED_NODES: &[Death] = &[
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
    (Load::Grow, "mid_step", 4),
    (Load::Quiet, "after_commit", 2),
    (Load::Alone, "inbox_read", 1),
    (Load::DoubleSpend, "mid_rollback", 1),
    (Load::Early, "mid_backfill", 1),
    (Load::Reorg, "inbox_read", 1),
    (Load::Grow, "after_commit", 4),
    (Load::Replace, "after_commit", 2),
    (Load::Early, "after_begin", 5),
    (Load::Quiet, "checkpoint", 1),
    (Load::Reorg, "mid_step", 5),
    (Load::Grow, "inbox_read", 2),
    (Load::Alone, "inbox_read", 1),
    (Load::DoubleSpend, "checkpoint", 1),
    (Load::Early, "mid_backfill", 3),
    (Load::Reorg, "mid_rollback", 1),
    (Load::Grow, "after_begin", 2),
    (Load::Replace, "inbox_read", 2),
    (Load::Quiet, "mid_step", 1),
    (Load::Grow, "after_commit", 2),
];

/// Twice as many deaths on real nodes: what these alone show is how they themselves go on and go back while
/// nobody listens.
const ON_REAL_NODES: &[Death] = &[
    (Load::Grow, "mid_step", 1),
    (Load::Early, "mid_backfill", 1),
    (Load::Alone, "inbox_read", 1),
    (Load::DoubleSpend, "after_commit", 1),
    (Load::Grow, "after_begin", 3),
    (Load::Reorg, "mid_rollback", 1),
    (Load::Quiet, "checkpoint", 1),
    (Load::Replace, "after_begin", 2),
];

/// Deaths of each kind before there is a database.
const FIRST_DEATHS: usize = 2;

// shows: F15 S1
#[test]
fn a_hundred_deaths_leave_the_rows_of_a_daemon_that_never_died() {
    let mut world = World::new(Simulated::start(), seed());
    let mut report = Report::default();
    die_at_first_start(&mut world, &mut report);
    world.victim.start();
    world.settle();
    die_often(&mut world, ON_SIMULATED_NODES, &mut report);
    end_well(&mut world);
    world.read_all_again();
    report.print(&world);
    report.assert_complete(100);
}

// shows: F15 S1
#[test]
fn deaths_while_real_nodes_go_on_leave_the_rows_of_a_daemon_that_never_died() {
    let mut world = World::new(Real::start(), seed());
    let mut report = Report::default();
    world.victim.start();
    world.settle();
    die_often(&mut world, ON_REAL_NODES, &mut report);
    world.perform(Load::Grow);
    world.settle();
    world.read_all_again();
    report.print(&world);
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

    /// As many as that, and half of them at the points, each of which had one.
    fn assert_complete(&self, deaths: usize) {
        let killed = [AT_FIRST_START, UNDER_LOAD].map(|place| self.0[place]);
        assert_eq!(killed.iter().sum::<usize>(), deaths / 2);
        assert_eq!(self.0.values().sum::<usize>(), deaths);
        for point in POINTS {
            assert!(self.0.contains_key(point), "nobody died at {point}");
        }
    }
}

fn die_often(world: &mut World, deaths: &[Death], report: &mut Report) {
    for &(load, point, nth) in deaths {
        die_under(world, load, report);
        die_at(world, point, nth, report);
        world.audit();
        world.victim.start();
        world.settle();
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
        let life = Duration::from_millis(world.dice.below(LIFE_MS));
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
            world.await_scanned(&world.victim);
            world.victim.signal(Signal::SIGTERM);
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
    for coin in Coin::ALL {
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
    for (column, value) in [
        ("kind", "reversed"),
        ("kind", "finalized"),
        ("reason", "double_spent"),
    ] {
        let sql = format!("SELECT seq FROM v1_event WHERE {column} = ?");
        assert!(!ledger.query(&sql, &[value]).is_empty(), "no {value}");
    }
}
