//! `run`: the daemon.

use super::{Context, Exit, failure::Failure};
use crate::{config::Config, logging};

pub(super) fn run(context: &mut Context) -> Result<(), Failure> {
    let config = Config::load(&context.config)?;
    let wanted = std::env::var("RUST_LOG").ok();
    logging::start(context.log_format, wanted.as_deref())
        .map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    Ok(())
}
