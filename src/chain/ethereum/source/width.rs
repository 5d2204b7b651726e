//! How many blocks are fetched at a time: more hide the round trip to a distant endpoint, fewer spare one that
//! cannot keep up. Pure.

/// More than this gains little, and a dozen long answers at once take memory.
const MAX: usize = 8;

/// Far below the request rates of hosted endpoints.
const FIRST: usize = 4;

/// So many at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Width(usize);

impl Default for Width {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl Width {
    /// How many blocks to fetch at once.
    pub(super) const fn blocks(self) -> usize {
        self.0
    }

    /// So many were fetched at once, and all came, or not.
    pub(super) fn learn(&mut self, fetched: usize, came: bool) {
        if !came {
            self.0 = self.0.div_euclid(2).max(1);
        } else if fetched >= self.0 {
            self.0 = self.0.saturating_add(1).min(MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_parts_widen_it_and_a_failure_halves_it() {
        let mut width = Width::default();
        let mut told = Vec::new();
        let learned = [
            (4, true),
            (4, true),
            (5, true),
            (6, true),
            (7, true),
            (8, true),
            (8, false),
            (4, false),
            (2, false),
            (1, false),
            (1, true),
        ];
        for (fetched, came) in learned {
            width.learn(fetched, came);
            told.push(width.blocks());
        }
        // A part that was not full says nothing.
        assert_eq!(told, [5, 5, 6, 7, 8, 8, 4, 2, 1, 1, 2]);
    }
}
