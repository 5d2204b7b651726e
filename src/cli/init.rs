//! `init`: make both databases, or check who owns them.

use super::{Context, failure::Failure};

pub(super) fn run(context: &mut Context) -> Result<(), Failure> {
    context.database()?;
    Ok(())
}
