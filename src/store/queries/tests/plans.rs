//! By which indexes it is answered what the watcher and gateways ask.

use super::*;
use crate::store::{
    queries::inner::{
        CLAIMED, CLAIMED_AT, LAST_OPEN, LOOKED_ABOVE, OPEN, OPEN_AFTER, OPEN_UNTIL, UNLOOKED_AFTER,
    },
    scans::{MOVED, SCAN_REFUSED, SCANNING, past::PAST},
    token_events::{CHAIN_WIDE, OPEN_COUNT, OPEN_KEYS},
    watches::{OWNER, WATCH_ENDED, WATCHED},
};

/// The plan of a statement, one step a line.
fn plan(store: &Store, sql: &str) -> String {
    let mut statement = store
        .conn
        .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
        .unwrap();
    let parameters = statement.parameter_count();
    let params = rusqlite::params_from_iter(std::iter::repeat_n(1_i64, parameters));
    let steps = statement.query_map(params, |row| row.get::<_, String>(3));
    steps
        .unwrap()
        .collect::<Result<Vec<_>, _>>()
        .unwrap()
        .join("\n")
}

/// Each question, and how it is answered.
const PLANS: &[(&str, &str)] = &[
    (WATCHED, "SCAN p USING COVERING INDEX payment_watched"),
    (
        DUE_HEIGHT,
        "SEARCH payment USING INDEX payment_due_height (chain_key=? AND due_height<?)",
    ),
    (
        DUE_FINAL,
        "SEARCH payment USING INDEX payment_due_final (chain_key=? AND due_final_height<?)",
    ),
    (
        DUE_TRACED,
        "SEARCH payment USING INDEX payment_due_traced (chain_key=? AND due_traced_height<?)",
    ),
    (
        CLAIMED,
        "SEARCH transfer USING COVERING INDEX transfer_claimed (chain_key=? AND (block_height,payment_key)>(?,?))",
    ),
    (
        CLAIMED_AT,
        "SEARCH transfer USING COVERING INDEX transfer_claimed (chain_key=? AND block_height=?)",
    ),
    (
        LOOKED_ABOVE,
        "SEARCH payment USING COVERING INDEX payment_looked (chain_key=? AND looked_height>?)",
    ),
    (
        OPEN_UNTIL,
        "SEARCH payment USING INDEX payment_open (asset=? AND expires_at<?)",
    ),
    (OPEN_AFTER, "INDEX payment_open_round (asset=? AND rowid>?)"),
    (
        UNLOOKED_AFTER,
        "INDEX payment_open_round (asset=? AND rowid>?)",
    ),
    (LAST_OPEN, "INDEX payment_open_round (asset=?)"),
    (
        DUE_AT,
        "SEARCH payment USING INDEX payment_due_at (chain_key=? AND due_at<?)",
    ),
    (
        ANCHORED_ABOVE,
        "SEARCH transfer USING COVERING INDEX transfer_anchor (chain_key=? AND block_height>?)",
    ),
    (
        CONFLICTED_ABOVE,
        "SEARCH transfer USING COVERING INDEX transfer_conflict (chain_key=? AND conflict_height>?)",
    ),
    (
        HOLDER,
        "INDEX transfer_credit (chain_key=? AND txid=? AND position=?)",
    ),
    (
        NOT_DEEP_ANY_MORE,
        "SEARCH t USING INDEX transfer_anchor (chain_key=? AND block_height>? AND block_height<?)",
    ),
    (LOOSE, "SEARCH t USING INDEX transfer_loose (chain_key=?)"),
    (
        SCAN_REFUSED,
        "SEARCH payment USING INDEX payment_scanning (chain_key=? AND rowid>?)",
    ),
    (
        SCANNING,
        "SEARCH payment USING INDEX payment_scanning (chain_key=?)",
    ),
    (
        PAST,
        "SEARCH payment USING INDEX payment_scanning (chain_key=?)",
    ),
    (
        WATCH_ENDED,
        "SEARCH p USING INDEX payment_watch_until (chain_key=? AND watch_until_at<?)",
    ),
    (
        OWNER,
        "SEARCH payment USING INDEX payment_watched (chain_key=? AND destination=?)",
    ),
    (
        OPEN_KEYS,
        "SEARCH payment USING COVERING INDEX payment_status (status=? AND asset=?)",
    ),
    (
        OPEN_COUNT,
        "SEARCH payment USING COVERING INDEX payment_status (status=? AND asset=?)",
    ),
    (
        CHAIN_WIDE,
        "SEARCH event USING INDEX sqlite_autoindex_event_1 (payment_key=? AND version=?)",
    ),
    (COUNTS, "SCAN payment USING COVERING INDEX payment_status"),
];

#[test]
fn every_question_of_the_watcher_is_answered_by_an_index() {
    let (_dir, store) = store();
    for (sql, wanted) in PLANS {
        let plan = plan(&store, sql);
        assert!(plan.contains(wanted), "{sql}\n{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
    }
    let sql = format!("SELECT key FROM payment WHERE chain_key = ?1 AND {MOVED} ORDER BY key");
    let plan = plan(&store, &sql);
    let wanted = "SEARCH payment USING INDEX payment_scanning (chain_key=? AND rowid<?)";
    assert!(plan.contains(wanted), "{plan}");
}

#[test]
fn what_contracts_moved_is_asked_about_through_an_index() {
    let (_dir, store) = store();
    for (sql, wanted) in [
        (OPEN, "SEARCH payment USING INDEX payment_open (asset=?)"),
        (
            HOLDER_OF_MOVES,
            "INDEX transfer_credit (chain_key=? AND txid=? AND position>? AND position<?)",
        ),
        (
            HOLDER_OF_SUM,
            "INDEX transfer_credit (chain_key=? AND txid=? AND position>? AND position<?)",
        ),
    ] {
        let plan = plan(&store, sql);
        assert!(plan.contains(wanted), "{sql}\n{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
    }
}

#[test]
fn every_question_of_a_gateway_is_answered_by_an_index() {
    let (_dir, store) = store();
    for (sql, wanted) in [
        (
            "SELECT * FROM v1_event WHERE seq > ? ORDER BY seq",
            "SEARCH e USING INTEGER PRIMARY KEY (rowid>?)",
        ),
        (
            "SELECT * FROM v1_event WHERE payment_id = ? ORDER BY version",
            "SEARCH e USING INDEX sqlite_autoindex_event_1 (payment_key=?)",
        ),
        (
            "SELECT * FROM v1_payment WHERE payment_id = ?",
            "SEARCH p USING INDEX sqlite_autoindex_payment_1 (payment_id=?)",
        ),
        (
            "SELECT * FROM v1_payment WHERE status = ?",
            "SEARCH p USING INDEX payment_status (status=?)",
        ),
        (
            "SELECT * FROM v1_payment WHERE address = ?",
            "SEARCH p USING INDEX payment_address (address=?)",
        ),
        (
            "SELECT * FROM v1_payment WHERE txid = ?",
            "SEARCH p USING INDEX payment_txid (txid=?)",
        ),
        (
            "SELECT * FROM v1_payment WHERE last_seq > ?",
            "SEARCH p USING INDEX payment_last_seq (last_seq>?)",
        ),
        (
            "SELECT * FROM v1_payment WHERE needs_review = 1",
            "SCAN p USING INDEX payment_review",
        ),
        (
            "SELECT * FROM v1_transfer WHERE payment_id = ?",
            "SEARCH t USING PRIMARY KEY (payment_key=?)",
        ),
        (
            "SELECT * FROM v1_transfer WHERE txid = ?",
            "SEARCH t USING INDEX transfer_txid (txid=?)",
        ),
        (
            "SELECT * FROM v1_request WHERE request_id = ?",
            "SEARCH request USING INDEX sqlite_autoindex_request_1 (request_id=?)",
        ),
        (
            "SELECT * FROM v1_request WHERE payment_id = ?",
            "SEARCH request USING INDEX request_payment (payment_id=?)",
        ),
    ] {
        let plan = plan(&store, sql);
        assert!(plan.contains(wanted), "{sql}\n{plan}");
    }
}
