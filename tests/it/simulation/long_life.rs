//! A daemon that lives for a week with many addresses to watch: what it holds and what it stores
//! must not grow with time.
//!
//! Days and addresses may be others: `CONFIRMD_DAYS=365 CONFIRMD_ADDRESSES=10000`.

use super::{
    customers::{self, Order},
    directory, from_environment,
    plan::{Faults, Plan},
    providers::Providers,
    run::Simulation,
    terms::Terms,
    virtual_time,
    world::Which,
};
use confirmd::random::Random;
use rusqlite::Connection;
use std::{
    collections::BTreeMap,
    process::Command,
    time::{Duration, Instant},
};

const DAYS: u64 = 7;
const ADDRESSES: u64 = 100_000;
const DAY_MS: u64 = 86_400_000;
/// What is under way at one moment and not at another, in bytes: a block, a list, the rows of a portion.
/// Beside 100,000 addresses it is nothing; beside 10,000 it is a tenth.
const UNDER_WAY: usize = 128 << 10;
/// Set in the process that does nothing else, so that its heap is that of one life.
const ALONE: &str = "CONFIRMD_ALONE";

#[test]
fn a_long_life_needs_no_more_memory_than_a_short_one() {
    if std::env::var_os(ALONE).is_none() {
        let own = std::env::current_exe().unwrap();
        let name = "simulation::long_life::a_long_life_needs_no_more_memory_than_a_short_one";
        let alone = Command::new(own)
            .args(["--exact", name, "--nocapture"])
            .env(ALONE, "1")
            .output()
            .unwrap();
        print!("{}", String::from_utf8_lossy(&alone.stdout));
        let said = String::from_utf8_lossy(&alone.stderr);
        assert!(alone.status.success(), "{said}");
        return;
    }
    let runtime = virtual_time();
    let days = from_environment("CONFIRMD_DAYS", DAYS);
    let (short, long) = runtime.block_on(live(days));
    println!("held after a day: {short:?}");
    println!("held after {days} days: {long:?}");
    let addresses = i64::try_from(addresses()).unwrap();
    assert!(short.rows["payment"] > addresses, "all of them are watched");
    let (held, before) = (long.heap, short.heap);
    assert!(
        held <= before + before / 20 + UNDER_WAY,
        "after {days} days the daemon holds {held} bytes, after one {before}"
    );
    for (table, rows) in &long.rows {
        let before = short.rows[table];
        // A row for each order and each thing that happened to it; blocks only as many as may leave.
        let grows = ["event", "payment", "request", "transfer"].contains(&table.as_str());
        assert!(
            grows || *rows <= before,
            "{table}: {before} rows, then {rows}"
        );
    }
}

fn addresses() -> u64 {
    from_environment("CONFIRMD_ADDRESSES", ADDRESSES)
}

/// What a daemon holds.
#[derive(Debug)]
struct Held {
    /// Bytes on the heap; what SQLite takes is not among them, and has its own bounds.
    heap: usize,
    rows: BTreeMap<String, i64>,
}

/// A first life of a day, in which all addresses are registered, and a second of many days.
async fn live(days: u64) -> (Held, Held) {
    let dir = directory();
    let mut simulation = Simulation::new(plan(days), dir.path().to_owned());
    let began = Instant::now();
    simulation.begin();
    for (n, order) in (1..).zip(standing_orders()) {
        let now = simulation.stage.clock.truth();
        let body = customers::registration(&order);
        let body = format!(
            "{}, \"expires_at\": {}}}",
            body.trim_end_matches('}'),
            now.0 + i64::try_from(364 * DAY_MS).unwrap()
        );
        let row = customers::row(n, "register", &order.id, body, now);
        simulation.stage.inbox.push(row);
        simulation.stage.orders.insert(order.id.clone(), order);
    }
    simulation.until(DAY_MS).await.unwrap();
    let registered = began.elapsed();
    let short = held(&mut simulation).await;
    simulation.restart();
    simulation.until((days + 1) * DAY_MS).await.unwrap();
    let long = held(&mut simulation).await;
    report(&simulation, days, (registered, began.elapsed()));
    (short, long)
}

fn plan(days: u64) -> Plan {
    let calm = Plan {
        faults: Faults::default(),
        span_ms: (days + 1) * DAY_MS,
        bitcoin_block_ms: 60_000,
        bitcoin_poll_ms: 30_000,
        ethereum_block_ms: 30_000,
        ethereum_poll_ms: 30_000,
        watch_after_close_ms: 3_600_000,
        order_every_ms: 300_000,
        latency_ms: 0,
        strangers: 0,
        own_terms: 0,
        dust_flood: false,
        publishes: false,
        providers: Providers::ONE,
        ..Plan::draw(1, 24)
    };
    assert!(calm.final_depth < 200, "or a day is too short");
    calm
}

/// Orders that nobody pays and whose deadlines are a year away.
fn standing_orders() -> impl Iterator<Item = Order> {
    let mut random = Random::new(7);
    (0..addresses()).map(move |n| {
        let (which, asset) = match n % 2 {
            0 => (Which::Bitcoin, "BTC"),
            _ => (Which::Ethereum, "USDT"),
        };
        Order {
            id: format!("standing-{n}"),
            which,
            asset,
            to: customers::destination(which, &mut random),
            amount: 50_000_000,
            terms: Terms::default(),
        }
    })
}

/// What the daemon holds is what its end sets free.
async fn held(simulation: &mut Simulation) -> Held {
    let stage = &mut simulation.stage;
    let with = live_bytes();
    stage.system.take().unwrap().close().unwrap();
    // Its tasks end when the runtime comes to them.
    tokio::time::sleep(Duration::from_millis(10)).await;
    Held {
        heap: with - live_bytes(),
        rows: rows(&stage.db),
    }
}

fn live_bytes() -> usize {
    let stats = crate::ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

fn rows(db: &Connection) -> BTreeMap<String, i64> {
    let mut names = db
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
        .unwrap();
    let names = names.query_map([], |row| row.get(0)).unwrap();
    names
        .map(|name| {
            let name: String = name.unwrap();
            let count = format!("SELECT count(*) FROM {name}");
            let rows = db.query_row(&count, [], |row| row.get(0)).unwrap();
            (name, rows)
        })
        .collect()
}

fn report(simulation: &Simulation, days: u64, (first, all): (Duration, Duration)) {
    let blocks = Which::BOTH.map(|which| {
        let world = simulation.stage.shared.world();
        world.side(which).head().id.height.0
    });
    println!(
        "{} standing orders and a day in {:.0?}, {days} more days in {:.0?}; blocks {blocks:?}",
        addresses(),
        first,
        all.saturating_sub(first)
    );
}
