//! `chain`: what an operator does to a whole chain.

use super::{
    Context,
    failure::Failure,
    inbox::operator,
    open::{require_owner, store_options},
};
use crate::{
    clock::{Clock, SystemClock},
    domain::asset::ChainName,
    store::{ReleaseError, Store},
};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Release a chain that was frozen by a change below finality; the daemon must be stopped.
    Release(Release),
}

#[derive(Debug, clap::Args)]
pub(super) struct Release {
    /// The chain.
    name: String,
    /// Why it is safe; recorded for good.
    #[arg(long)]
    note: String,
}

pub(super) fn run(command: &Command, context: &mut Context) -> Result<(), Failure> {
    let Command::Release(Release { name, note }) = command;
    let database = context.database()?;
    require_owner(&database.path)?;
    let now = SystemClock::new().now().wall;
    let mut store = Store::open(&store_options(&database), now)?;
    let released = store.release(&ChainName::new(name), note, &operator(), now);
    store.close()?;
    released.map_err(|error| match error {
        ReleaseError::Unknown(_) | ReleaseError::NotFrozen(_) => Failure::failed(error.to_string()),
        ReleaseError::Store(error) => error.into(),
    })?;
    context.screen.line(&format!(
        "{name} is released: the next start follows its node once below finality"
    ))
}
