//! From the configuration file to what a command works on.

use super::{Context, failure::Failure};
use crate::{config::Database, store::views::Views};

impl Context {
    /// Where the databases are, from a configuration that is valid as a whole.
    pub(super) fn database(&self) -> Result<Database, Failure> {
        Ok(Database::load(&self.config)?)
    }

    /// The public views.
    pub(super) fn views(&self) -> Result<Views, Failure> {
        Ok(Views::open(&self.database()?.path)?)
    }
}
