//! People who pay each other: what blocks hold beside what concerns a gateway.

use super::{customers, world::Which};
use confirmd::{domain::facts::Destination, random::Random};

/// By default there are none.
pub struct Strangers {
    pub random: Random,
    /// How many transactions a block holds at most.
    pub most: u64,
}

impl Default for Strangers {
    fn default() -> Self {
        Self {
            random: Random::new(0),
            most: 0,
        }
    }
}

impl Strangers {
    /// Who gets how much in a block, in base units.
    pub fn payments(&mut self, which: Which) -> impl Iterator<Item = (Destination, u64)> {
        let count = self.random.between(0, self.most);
        (0..count).map(move |_| {
            let to = customers::destination(which, &mut self.random);
            (to, self.random.between(1, 1_000_000_000))
        })
    }
}
