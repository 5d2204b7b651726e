//! `sandbox`: the real daemon on simulated chains, with a guided tour, or standing by for a
//! gateway's own tests.
//!
//! Must not judge a payment, nor know how a block is made.

mod ask;
mod board;
mod control;
mod deeds;
mod doer;
mod house;
mod place;
mod running;
mod tour;
mod watch;
mod words;

use super::{Context, Exit, failure::Failure, screen::Screen};
use crate::{logging, store::reader::Reader};
pub use deeds::Deed;
use running::{Sandbox, Wish};
use std::path::{Path, PathBuf};
use watch::Watch;

/// A tour of half a minute: a Bitcoin block every two seconds.
const TOUR_SPEED: u32 = 300;
/// A Bitcoin block a minute, and a usual deadline in two: time to type.
const STAY_SPEED: u32 = 10;
/// An Ethereum block every 12 ms; no machine follows much faster.
const MAX_SPEED: i64 = 1000;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Keep running for integration work, without the tour, until Ctrl-C.
    #[arg(long)]
    stay: bool,
    /// Show the tour first, also with --stay.
    #[arg(long)]
    tour: bool,
    /// How many times as fast as real time everything runs: 300 for the tour, 10 with --stay.
    #[arg(long, value_name = "TIMES", value_parser = clap::value_parser!(u32).range(1..=MAX_SPEED))]
    speed: Option<u32>,
    /// Where the sandbox keeps its files; a new or empty directory, else a temporary one.
    ///
    /// Other commands find a sandbox with --stay by the file sandbox.json in this directory, or,
    /// without --dir, by confirmd-sandbox-UID.json in the user's runtime directory
    /// (`$XDG_RUNTIME_DIR`), else in the one for temporary files.
    #[arg(long, value_name = "DIR", global = true)]
    dir: Option<PathBuf>,
    #[command(subcommand)]
    deed: Option<Deed>,
}

/// Only what is wrong is worth a line beside the tour.
const USUAL_LOG: &str = "error";

pub(super) fn run(arguments: &Arguments, context: &mut Context) -> Result<(), Failure> {
    if context.is_config_named {
        let message = "a sandbox writes its own configuration and reads no other: leave -c away";
        return Err(Failure::new(Exit::Usage, message));
    }
    let dir = arguments.dir.as_deref();
    if let Some(deed) = &arguments.deed {
        if arguments.stay || arguments.tour || arguments.speed.is_some() {
            let message =
                "--stay, --tour and --speed start a sandbox; a command goes to one that runs";
            return Err(Failure::new(Exit::Usage, message));
        }
        return ask::ask(deed, dir, context);
    }
    let wanted = std::env::var("RUST_LOG").ok();
    let wanted = wanted.filter(|text| !text.trim().is_empty());
    let wanted = wanted.as_deref().unwrap_or(USUAL_LOG);
    logging::start(context.log_format, Some(wanted))?;
    let shows_tour = arguments.tour || !arguments.stay;
    let usual_speed = if shows_tour { TOUR_SPEED } else { STAY_SPEED };
    let mut sandbox = Sandbox::start(Wish {
        dir,
        speed: arguments.speed.unwrap_or(usual_speed),
        place: arguments.stay.then(|| place::path(dir)),
    })?;
    let shown = show(arguments.stay, shows_tour, &mut sandbox, context);
    let ended = sandbox.end();
    shown.and(ended)
}

fn show(
    stays: bool,
    shows_tour: bool,
    sandbox: &mut Sandbox,
    context: &mut Context,
) -> Result<(), Failure> {
    let mut shown = 0;
    if shows_tour {
        tour::guide(sandbox, &mut context.screen)?;
        shown = Reader::open(&sandbox.facts.database)?.last_seq()?;
    }
    if stays {
        // It stays for those who use it, whether or not anybody reads this.
        introduce(sandbox, &mut context.screen).ok();
        let watch = Watch::begin(sandbox, shown)?;
        sandbox.wait();
        watch.end();
    }
    Ok(())
}

/// Says where everything is.
fn introduce(sandbox: &Sandbox, screen: &mut Screen) -> Result<(), Failure> {
    let facts = &sandbox.facts;
    let place = sandbox.place().map(Path::display);
    let place = place.map(|place| place.to_string()).unwrap_or_default();
    let lines = [
        format!(
            "confirmd runs on simulated chains, {} times as fast as real time. Ctrl-C ends it.",
            facts.speed
        ),
        String::new(),
        format!("  confirmd.db  {}", facts.database.display()),
        format!("  inbox.db     {}", facts.inbox.display()),
        format!("  metrics      http://{}/metrics", facts.http),
        format!("  control      http://{}/ (docs/sandbox.md)", facts.control),
        format!("  found by     {place}"),
        String::new(),
        "In a second terminal:".to_owned(),
        format!(
            "  confirmd -c {} payment add --id order-1 --asset USDT --amount 25 \\",
            facts.config.display()
        ),
        "      --address 0x00000000000000000000000000000000000a11ce".to_owned(),
        "  confirmd sandbox pay order-1".to_owned(),
        "  confirmd sandbox --help".to_owned(),
        String::new(),
        "Its journal: entry, simulated time, payment, what happened.".to_owned(),
    ];
    lines.iter().try_for_each(|line| screen.line(line))
}
