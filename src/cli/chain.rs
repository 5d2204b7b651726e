//! `chain`: what an operator does to a whole chain.

use super::{Context, failure::Failure};

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

pub(super) fn run(command: &Command, _context: &mut Context) -> Result<(), Failure> {
    match command {
        Command::Release(Release { name, note }) => {
            Err(Failure::failed(format!("{name} {note}: not yet")))
        }
    }
}
