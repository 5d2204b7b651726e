//! The command line: arguments, and one file a command.
//!
//! Commands read the public views and write the inbox like any gateway; only `run`, `sandbox`,
//! `init` and `chain release` touch the database itself. Must not judge payments.

mod chain;
mod check;
mod events;
mod exit;
mod failure;
mod inbox;
mod init;
mod open;
mod payment;
mod rows;
mod run;
mod sandbox;
mod screen;
mod status;
pub mod time;

use clap::{Parser, Subcommand};
use std::{ffi::OsString, path::PathBuf, process::ExitCode};

pub use exit::Exit;
use failure::Failure;
pub use sandbox::Deed;
use screen::Screen;

use crate::logging::LogFormat;

/// What is read when no file is named.
const USUAL_CONFIG: &str = "/etc/confirmd/config.toml";

/// Watches Bitcoin and Ethereum for a payment gateway and says when a payment is paid.
///
/// Exit codes: 0 ok, 1 the asked-for thing failed, 2 usage, 65 database corrupt or foreign,
/// 69 a needed service is unreachable, 74 I/O, 78 bad configuration.
#[derive(Debug, Parser)]
#[command(name = "confirmd", version, max_term_width = 100)]
struct Arguments {
    /// The configuration [default: /etc/confirmd/config.toml]
    #[arg(short, long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How log lines look.
    #[arg(long, global = true, value_enum, default_value_t)]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon.
    Run,
    /// Validate the configuration, then ask every node who and how it is.
    Check(check::Arguments),
    /// Make both databases, or check their owner, group and mode.
    Init,
    /// Show chains, their lag, and open payments.
    Status(status::Arguments),
    /// Register payments, look at them, and ask for changes.
    #[command(subcommand)]
    Payment(payment::Command),
    /// Act on a whole chain.
    #[command(subcommand)]
    Chain(chain::Command),
    /// Show the journal.
    Events(events::Arguments),
    /// Watch the real daemon work on simulated chains: no node, no configuration, no money.
    Sandbox(sandbox::Arguments),
}

/// What every command gets.
struct Context {
    config: PathBuf,
    /// Whether the command line says which configuration.
    is_config_named: bool,
    log_format: LogFormat,
    screen: Screen,
}

/// Carries out what the arguments say.
#[must_use]
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    let mut context = Context {
        is_config_named: arguments.config.is_some(),
        config: arguments.config.unwrap_or_else(|| USUAL_CONFIG.into()),
        log_format: arguments.log_format,
        screen: Screen::standard(),
    };
    let result = carry_out(&arguments.command, &mut context);
    let exit = match result {
        Ok(()) => Exit::Ok,
        Err(failure) => {
            screen::complain(&failure.message);
            failure.exit
        }
    };
    exit.into()
}

fn carry_out(command: &Command, context: &mut Context) -> Result<(), Failure> {
    match command {
        Command::Run => run::run(context),
        Command::Check(arguments) => check::run(arguments, context),
        Command::Init => init::run(context),
        Command::Status(arguments) => status::run(arguments, context),
        Command::Payment(command) => payment::run(command, context),
        Command::Chain(command) => chain::run(command, context),
        Command::Events(arguments) => events::run(arguments, context),
        Command::Sandbox(arguments) => sandbox::run(arguments, context),
    }
}

/// Help and version are no failures.
fn usage(error: &clap::Error) -> ExitCode {
    let exit = if error.use_stderr() {
        Exit::Usage
    } else {
        Exit::Ok
    };
    match error.print() {
        Ok(()) => exit.into(),
        Err(_) => Exit::Io.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn options_that_hold_everywhere_may_stand_behind_the_command() {
        let line = "confirmd payment list --config /x.toml --log-format json --json";
        let arguments = Arguments::try_parse_from(line.split(' ')).unwrap();
        assert_eq!(arguments.config, Some(PathBuf::from("/x.toml")));
        assert_eq!(arguments.log_format, LogFormat::Json);
    }

    #[test]
    fn the_usual_file_is_read_when_none_is_named() {
        let arguments = Arguments::try_parse_from(["confirmd", "run"]).unwrap();
        assert_eq!(arguments.config, None);
        assert_eq!(arguments.log_format, LogFormat::Text);
        let help = Arguments::command().render_help().to_string();
        assert!(
            help.contains(&format!("[default: {USUAL_CONFIG}]")),
            "{help}"
        );
    }
}
