//! `init`: make both databases, or check their owner, group and mode.

use super::{Context, failure::Failure, open::require_owner};
use crate::{
    clock::{Clock, SystemClock},
    daemon::store_options,
    store::Store,
};

pub(super) fn run(context: &mut Context) -> Result<(), Failure> {
    let database = context.database()?;
    require_owner(&database.path)?;
    let was_there = database.path.exists();
    let store = Store::open(&store_options(&database), SystemClock::new().now().wall)?;
    let id = store.database_id().to_owned();
    store.close()?;
    let (path, inbox) = (database.path.display(), database.inbox.display());
    let found = if was_there { "are sound" } else { "are made" };
    context
        .screen
        .line(&format!("{path} and {inbox} {found} (database {id})"))
}
