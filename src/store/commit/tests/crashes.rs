//! Ends the process at named points of a commit and looks at what is left.

use crate::store::testing::*;
use std::{
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Command, Stdio},
};

const DIR: &str = "CONFIRMD_TEST_CRASH_DIR";

/// Not a test of its own: the process that is ended. Registers payments one by one.
#[test]
fn child_registers_payments() {
    let Ok(dir) = std::env::var(DIR) else {
        return;
    };
    let options = crate::store::Options::private(Path::new(&dir), crate::store::Kind::Live);
    let mut store = crate::store::Store::open(&options, NOW).unwrap();
    let (chains, assets) = registry();
    store.sync_registry(&chains, &assets, NOW).unwrap();
    let first = store.next_payment_key().unwrap().0;
    for key in first..first + 5 {
        let mut step = step(vec![registered(payment(key, &format!("p{key}")))]);
        step.chain = advance(None, &[block(u32::try_from(1000 + key).unwrap())]).chain;
        store.commit(&step).unwrap();
        crate::crash::point("test_after_commit");
        store.checkpoint().unwrap();
    }
}

fn run_until(dir: &Path, point: &str) -> bool {
    let status = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "store::commit::tests::crashes::child_registers_payments",
        ])
        .env(DIR, dir)
        .env("CONFIRMD_ABORT_AT", point)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success() || status.signal().is_some(), "{status:?}");
    status.signal().is_some()
}

#[test]
fn a_process_that_ends_anywhere_leaves_whole_steps_behind() {
    let dir = tempfile::tempdir().unwrap();
    let mut expected = 0;
    for (point, ended, done) in [
        ("migration", true, 0),
        ("after_begin:1", true, 0),
        ("mid_step:1", true, 0),
        ("test_after_commit:1", true, 1),
        ("after_begin:3", true, 2),
        ("mid_step:3", true, 2),
        ("checkpoint:2", true, 2),
        ("test_after_commit:5", true, 5),
        ("nowhere", false, 5),
    ] {
        assert_eq!(run_until(dir.path(), point), ended, "{point}");
        expected += done;
        let store = open(&dir);
        let left = ask(
            &store,
            "SELECT (SELECT count(*) FROM v1_payment), (SELECT count(*) FROM v1_event),
                    (SELECT coalesce(max(seq), 0) FROM v1_event),
                    (SELECT coalesce(max(scanned_height), 1000) - 1000 FROM v1_chain)",
        );
        let wanted = format!("{expected}|{expected}|{expected}|{expected}");
        assert_eq!(left, wanted, "{point}");
    }
}
