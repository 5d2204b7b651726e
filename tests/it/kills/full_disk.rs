//! S2: the disk under the database is full. The daemon stops where it is, says so, and goes on from there.

use serde_json::{Value, json};

use super::small_disk::{READERS, SmallDisk};
use crate::confirmd::{Confirmd, LIMIT, audit};
use crate::nodes::bitcoind::Bitcoind;
use crate::nodes::wait_for;

/// What the daemon says once when it cannot commit, and once when it can again.
const STOPPED: &str = "cannot commit; trying again until it works";
const WENT_ON: &str = "the database can be written again";

/// `EX_IOERR`: the daemon cannot start on a full disk.
const EXIT_IO: i32 = 74;

struct World {
    disk: SmallDisk,
    node: Bitcoind,
    confirmd: Confirmd,
}

/// A daemon on a small disk, and a payment to this address, which it watches.
fn world() -> (World, String) {
    let node = Bitcoind::start();
    let mut confirmd = Confirmd::with(&node).configured();
    let disk = SmallDisk::mount(&confirmd.folder().join("db"), READERS);
    confirmd.start();
    let address = node.new_address("bech32");
    let request = confirmd.register("order-1").address(&address).submit();
    confirmd.await_applied(&request);
    confirmd.await_bitcoin(&node);
    (
        World {
            disk,
            node,
            confirmd,
        },
        address,
    )
}

impl World {
    /// Fills the disk, pays order-1 and waits until the daemon says that it is stuck.
    fn get_stuck(&self, address: &str) {
        self.disk.fill();
        self.node.send(address, "0.015");
        self.node.mine(2);
        self.confirmd.await_log(STOPPED);
    }

    fn readiness(&self) -> (u16, Value) {
        let (status, page) = self.confirmd.page("/readyz");
        (status, serde_json::from_str(&page).expect("JSON"))
    }

    fn await_readiness(&self, wanted: u16) {
        let what = format!("/readyz to answer {wanted}");
        self.confirmd
            .await_true(&what, || self.readiness().0 == wanted);
    }

    /// Starts the daemon on the full disk. It either finds no room at all and ends, or has just as much as a
    /// failed commit had taken, and is stuck again; it says so in both cases.
    fn fail_to_start(&mut self) {
        self.confirmd.spawn();
        let ended = wait_for("the daemon to say that it is stuck", LIMIT, || {
            let ended = self.confirmd.exited().map(|status| status.code());
            let is_stuck = self.confirmd.log().matches(STOPPED).count() > 1;
            ended.map(Some).or(is_stuck.then_some(None))
        });
        assert!(ended.is_none_or(|code| code == Some(EXIT_IO)), "{ended:?}");
        assert!(self.confirmd.log_tail().contains("full"));
        self.confirmd.kill();
    }

    /// Audits the database while there is one, then takes its disk away.
    fn end(mut self) {
        audit::finish(&mut self.confirmd);
        drop(self.disk);
    }
}

// shows: S2
#[test]
fn a_full_disk_stops_the_daemon_where_it_is_until_there_is_room() {
    let (world, address) = world();
    let confirmd = &world.confirmd;
    let before = confirmd.ledger().journal();
    world.await_readiness(200);
    world.get_stuck(&address);

    world.await_readiness(503);
    let (_, page) = world.readiness();
    assert_eq!(page["database"]["ready"], false, "{page}");
    let reason = page["database"]["reason"].as_str().expect("a reason");
    assert!(reason.contains("cannot be written"), "{reason}");
    assert_eq!(
        confirmd.page("/livez").0,
        200,
        "waiting is no reason to be killed"
    );
    let other = confirmd
        .register("order-2")
        .address(world.node.new_address("bech32"))
        .submit();
    let stuck = confirmd.ledger().chain("bitcoin").expect("a chain");
    assert_ne!(stuck["scanned_hash"], world.node.tip(), "{stuck}");
    let order = confirmd.ledger().payment("order-1").expect("a payment");
    assert_eq!(order["status"], "new", "{order}");
    assert_eq!(confirmd.ledger().outcome(&other), None);

    world.disk.make_room();
    confirmd.await_log(WENT_ON);
    confirmd.await_payment("order-1", &json!({"status": "paid", "reason": "exact"}));
    confirmd.await_applied(&other);
    confirmd.await_bitcoin(&world.node);
    world.await_readiness(200);
    let (_, page) = world.readiness();
    assert_eq!(page["database"]["ready"], true, "{page}");
    assert_eq!(confirmd.ledger().journal()[..before.len()], before);
    assert_eq!(
        confirmd.log().matches(STOPPED).count(),
        1,
        "said once, not at every attempt"
    );
    world.end();
}

// shows: S2
#[test]
fn a_daemon_that_dies_on_a_full_disk_loses_nothing() {
    let (mut world, address) = world();
    let before = world.confirmd.ledger().journal();
    world.get_stuck(&address);
    world.confirmd.kill();
    assert_eq!(world.confirmd.ledger().journal(), before);

    world.fail_to_start();
    let reopened = world.confirmd.ledger().reopen();
    reopened.expect("a database that another user can open");
    let after = world.confirmd.ledger().journal();
    assert_eq!(after[..before.len()], before);

    world.disk.make_room();
    world.confirmd.start();
    world
        .confirmd
        .await_payment("order-1", &json!({"status": "paid", "reason": "exact"}));
    world.end();
}
