//! What is under way: scans of past blocks, and whether a daemon works on them.

use super::Reader;
use crate::store::{
    StoreError, files,
    scans::past::{self, PastScans},
};
use std::io;

impl Reader {
    /// The scans of past blocks that payments still need, chain by chain, by name.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn past_scans(&self) -> Result<Vec<PastScans>, StoreError> {
        Ok(past::all(&self.conn)?)
    }

    /// Whether a daemon has the database open now: without one, what the rows say of nodes is as
    /// old as the last daemon.
    ///
    /// # Errors
    /// When the lock beside the database cannot be looked at.
    pub fn has_daemon(&self) -> io::Result<bool> {
        files::is_locked(&self.path)
    }
}
