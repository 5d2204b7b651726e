//! What the world does by itself and when told.

use super::*;
