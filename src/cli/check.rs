//! `check`: validate the configuration, then ask every node who and how it is.

use super::{Context, failure::Failure};
use crate::config::Config;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(_arguments: &Arguments, context: &mut Context) -> Result<(), Failure> {
    Config::load(&context.config)?;
    Ok(())
}
