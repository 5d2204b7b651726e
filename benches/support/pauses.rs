//! Pauses, so that polls find news at any moment of their interval.

use std::{collections::hash_map::RandomState, hash::BuildHasher, thread::sleep, time::Duration};

/// For anything up to this long.
pub fn sleep_for_a_part_of(poll: Duration) {
    let part = RandomState::new().hash_one(0) % 1000;
    let part = u32::try_from(part).expect("a small number");
    sleep(poll * part / 1000);
}
