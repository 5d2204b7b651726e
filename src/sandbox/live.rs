//! The world as it is now: whoever looks at it first lets everything happen that is due.
//!
//! So no thread is needed that makes blocks, and nobody ever sees the world late.

use super::world::World;
use crate::clock::Clock;
use std::sync::{Arc, Mutex, PoisonError};

/// A world on a clock. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Live {
    world: Arc<Mutex<World>>,
    clock: Arc<dyn Clock>,
}

impl Live {
    /// A new world, at the clock's time.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            world: Arc::new(Mutex::new(World::new(clock.now().wall))),
            clock,
        }
    }

    /// Its clock.
    #[must_use]
    pub const fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Looks at the present world, or changes it.
    pub fn with<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.advance(self.clock.now().wall);
        act(&mut world)
    }
}
