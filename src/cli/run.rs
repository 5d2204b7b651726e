//! `run`: the daemon.

use super::{Context, failure::Failure, open::require_owner};
use crate::{config::Config, daemon, logging};

pub(super) fn run(context: &mut Context) -> Result<(), Failure> {
    let config = Config::load(&context.config)?;
    require_owner(&config.database.path)?;
    let wanted = std::env::var("RUST_LOG").ok();
    logging::start(context.log_format, wanted.as_deref())?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    Ok(daemon::run(&config, &context.config)?)
}
