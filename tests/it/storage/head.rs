//! Where the daemon remembers how far its journal went.

use std::process::Command;

use crate::confirmd::Confirmd;
use crate::confirmd::command::CONFIRMD;
use crate::nodes::bitcoind::Bitcoind;
use crate::nodes::scratch_folder;

#[test]
fn under_systemd_the_head_lies_in_the_state_directory() {
    let node = Bitcoind::start();
    let state = scratch_folder();
    let mut confirmd = Confirmd::with(&node)
        .env("STATE_DIRECTORY", &state.path().display().to_string())
        .start();
    assert!(state.path().join("head").is_file());
    let beside = confirmd.database().with_file_name("head");
    assert!(
        !beside.exists(),
        "what `init` left beside the database is taken over"
    );
    confirmd.set_env("STATE_DIRECTORY", None);
    confirmd.restart();
    assert!(
        beside.is_file(),
        "without the service it is beside the database"
    );
}

#[test]
fn init_keeps_the_head_where_the_daemon_does() {
    let node = Bitcoind::start();
    let state = scratch_folder();
    let confirmd = Confirmd::with(&node).configured();
    let init = Command::new(CONFIRMD)
        .arg("--config")
        .arg(confirmd.config_file())
        .arg("init")
        .env("STATE_DIRECTORY", state.path())
        .output();
    let init = init.expect("the binary under test");
    assert!(init.status.success(), "{init:?}");
    assert!(state.path().join("head").is_file());
    assert!(!confirmd.database().with_file_name("head").exists());
}
