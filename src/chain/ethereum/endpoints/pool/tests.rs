//! Who is asked after what.

use super::*;
use crate::metrics::values::ENDPOINT_STATES;

const NOW: u64 = 1_000_000;

#[test]
fn the_leader_is_asked_first_and_then_the_others() {
    let mut pool = Pool::new(3);
    assert_eq!(pool.order(NOW), [0, 1, 2]);
    pool.lead(1);
    assert_eq!(pool.order(NOW), [1, 2, 0]);
    pool.answered(2);
    assert_eq!(pool.order(NOW), [1, 2, 0], "who only answered leads nobody");
}

#[test]
fn one_that_failed_is_left_alone_for_longer_each_time() {
    let mut pool = Pool::new(2);
    let mut pauses = Vec::new();
    for _ in 0..9 {
        pool.failed(0, Failure::Unreachable, NOW);
        let back = (0..=LONGEST_PAUSE_MS).step_by(5_000);
        let pause = back
            .into_iter()
            .find(|pause| pool.order(NOW + pause).contains(&0));
        pauses.push(pause.unwrap() / 1000);
    }
    assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
    pool.answered(0);
    pool.failed(0, Failure::Unreachable, NOW);
    assert_eq!(pool.order(NOW + 4_999), [1]);
    assert_eq!(pool.order(NOW + 5_000), [0, 1]);
}

#[test]
fn one_that_was_disproved_is_left_alone_for_longer_although_it_answers() {
    let mut pool = Pool::new(2);
    pool.failed(0, Failure::Lie, NOW);
    pool.answered(0);
    pool.failed(0, Failure::Lie, NOW);
    assert_eq!(pool.order(NOW + 9_999), [1]);
    assert_eq!(pool.order(NOW + 10_000), [0, 1]);
}

#[test]
fn each_failure_has_its_pause_and_its_name() {
    for (failure, pause, name) in [
        (Failure::RateLimited { pause_ms: 700 }, 700, "rate_limited"),
        (Failure::Unreachable, 5_000, "unreachable"),
        (Failure::Unfit, 60_000, "unfit"),
        (Failure::Lie, 5_000, "lying"),
    ] {
        let mut pool = Pool::new(2);
        pool.failed(0, failure, NOW);
        assert_eq!(pool.standing(0).as_str(), name);
        assert_eq!(pool.order(NOW + pause - 1), [1], "{name}");
        assert_eq!(pool.order(NOW + pause), [0, 1], "{name}");
    }
}

#[test]
fn when_all_failed_all_are_asked_and_first_the_one_that_is_back_soonest() {
    let mut pool = Pool::new(3);
    pool.failed(0, Failure::Unfit, NOW);
    pool.failed(1, Failure::Unreachable, NOW);
    pool.failed(2, Failure::Unfit, NOW + 1);
    assert_eq!(pool.order(NOW + 1), [1, 0, 2]);
    let mut alone = Pool::new(1);
    alone.failed(0, Failure::Lie, NOW);
    assert_eq!(alone.order(NOW), [0], "the last one is kept");
}

/// A state that the metric does not know would show an endpoint that stands nowhere.
#[test]
fn every_standing_has_a_series_of_its_own() {
    let next = |standing: &Standing| match standing {
        Standing::Untried => Some(Standing::Alive),
        Standing::Alive => Some(Standing::RateLimited),
        Standing::RateLimited => Some(Standing::Behind),
        Standing::Behind => Some(Standing::Unreachable),
        Standing::Unreachable => Some(Standing::Unfit),
        Standing::Unfit => Some(Standing::Lying),
        Standing::Lying => None,
    };
    let all = std::iter::successors(Some(Standing::Untried), next);
    let names: Vec<&str> = all.map(Standing::as_str).collect();
    assert_eq!(names, ENDPOINT_STATES);
}
