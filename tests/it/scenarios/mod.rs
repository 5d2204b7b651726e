//! Scenarios as text: `tests/scenarios/*.txt`, each played on the real adapters, followers,
//! watcher and store in chain time, in memory, on the same stage as the seeded simulation. What
//! the language has is said in `tests/README.md`.

mod deeds;
mod expect;
mod found;
mod player;
mod script;
mod step;
#[cfg(test)]
mod tests;
mod words;

use crate::simulation;
use player::Player;
use script::Script;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

fn read(name: &str) -> (PathBuf, Result<Script, String>) {
    let path = folder().join(format!("{name}.txt"));
    let text = std::fs::read_to_string(&path).unwrap();
    let short = PathBuf::from(format!("tests/scenarios/{name}.txt"));
    let script = script::parse(&short, &text);
    (short, script)
}

/// Plays a script on a stage of its own; what went wrong, in words.
fn run(script: &Script) -> Result<(), String> {
    let dir = simulation::directory();
    let runtime = simulation::virtual_time();
    runtime.block_on(Player::play(script, dir.path().to_owned()))
}

fn play(name: &str) {
    let (file, script) = read(name);
    let script = script.unwrap_or_else(|trouble| panic!("{trouble}"));
    if let Err(why) = run(&script) {
        panic!("{}: {}\n{why}", file.display(), script.heading);
    }
}

/// A test for each file, and the names of all.
macro_rules! scenarios {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            play(stringify!($name));
        })*

        const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

scenarios! {
    acceptance_is_void_when_its_money_leaves
    address_used_again
    address_used_again_on_ethereum
    amounts_in_bitcoin
    amounts_in_ether
    amounts_in_tokens
    another_chain_on_reconnect
    another_reorg_amid_the_walk
    answers_in_any_order
    answers_that_were_changed
    around_the_deadline
    block_that_cannot_be_read
    branch_that_comes_back
    cancel_and_money_race
    cancel_and_money_race_on_ethereum
    changed_byte_in_block_zero
    child_of_a_replaced_parent
    clock_jumps_a_day_ahead
    clock_jumps_back
    coinbase_that_ripens
    conflict_confirms_instead
    crash_inside_a_rollback
    deadline_on_a_frozen_chain
    down_over_the_deadline
    ether_with_calldata_or_delegated_code
    evicted_and_mined_later
    exact_payment_in_bitcoin
    exact_payment_in_ether_and_tokens
    extended_deadline
    failed_transactions
    finalized_tag_goes_away
    first_block_is_replaced
    first_seen_by_a_wrong_clock
    five_blocks_at_once
    five_payments_in_one_second
    full_disk
    full_disk_during_a_reorg
    head_that_flaps
    in_time_under_a_clock_ahead
    killed_at_every_point_of_a_commit
    late_and_over
    late_and_over_on_ethereum
    late_money_that_a_merchant_accepts
    log_beside_moved_ether
    look_alikes_of_a_token_transfer
    mined_again_elsewhere
    many_in_the_mempool_at_start
    money_after_a_cancel
    money_that_moves_after_its_window
    more_depth_for_more_money
    node_restarts_without_its_mempool
    node_that_answers_nonsense
    node_that_answers_slowly
    node_that_lags
    node_that_lies_about_headers
    node_that_lies_about_headers_of_ethereum
    null_for_an_announced_head
    one_transaction_pays_a_cancelled_payment_too
    operator_decides
    outage_across_a_deadline
    paid_while_the_daemon_was_down
    pure_rollback
    receipts_that_are_missing
    receipts_that_come_late
    refund_before_a_reorg
    registered_after_the_money_came
    registered_by_a_clock_that_was_ahead
    registered_in_the_instant_of_its_block
    reorg_below_finality
    reorg_below_the_finalized_tag
    reorg_that_a_lagging_node_missed
    reorg_while_down
    reorgs_of_growing_depth
    replaced_after_the_deadline
    replaced_by_one_that_pays_elsewhere
    replaced_by_one_that_pays_too
    replaced_by_two_empty_blocks
    requests_that_make_no_sense
    reversed_and_paid_again
    seen_again_under_a_clock_set_back
    several_outputs_of_one_transaction
    six_hours_without_nodes
    started_under_a_clock_set_back
    stated_refund
    three_days_of_downtime
    token_whose_issuer_acts
    token_with_its_fee_switched_on
    transaction_that_is_another
    two_halves
    unconfirmed_double_spend
    waiting_longer_than_is_waited_for
    waits_for_a_final_block
    waits_for_a_safe_block
    watch_window_is_over
    withdrawal_of_a_staker
    wrong_asset
}
