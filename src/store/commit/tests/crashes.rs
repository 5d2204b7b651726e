//! Ends the process at named points of a commit and looks at what is left.

use crate::store::testing::*;

// shows: F15 S1
#[test]
fn a_process_that_ends_anywhere_leaves_whole_steps_behind() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options::private(dir.path(), Kind::Live);
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
        assert_eq!(run_until(&options, point), ended, "{point}");
        expected += done;
        let store = Store::open(&options, NOW).unwrap();
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
