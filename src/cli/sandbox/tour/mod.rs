//! The guided tour: acts on a stage, each with what it says will happen, what the gateway reads
//! meanwhile, and what came of it.

mod acts;
mod stage;

use super::{board::Board, running::Sandbox};
use crate::{
    cli::{
        failure::Failure,
        screen::{Column, Paint, Screen, Show},
    },
    clock::{Clock, SystemClock},
};
use acts::ACTS;
use stage::{Ending, Stage};

const OUTCOMES: &[Column] = &[
    Column("payment", "payment_id", Show::Text),
    Column("asset", "asset", Show::Text),
    Column("received", "amount_received", Show::Number),
    Column("status", "status", Show::Status),
    Column("reason", "reason", Show::Text),
    Column("flags", "flags", Show::Text),
    Column("review", "needs_review", Show::Warning),
];

/// Shows every act, then what became of all payments.
pub(super) fn guide(sandbox: &Sandbox, screen: &mut Screen) -> Result<(), Failure> {
    let clock = SystemClock::new();
    let began = sandbox.live.clock().now();
    let (rows, wrong) = {
        let mut stage = Stage::new(sandbox, Board::new(screen))?;
        open(&mut stage, sandbox.facts.speed)?;
        for (number, act) in (1..).zip(ACTS) {
            play(&mut stage, number, act)?;
        }
        (stage.outcomes()?, stage.wrong().to_vec())
    };
    let simulated_ms = sandbox
        .live
        .clock()
        .now()
        .monotonic_ms
        .saturating_sub(began.monotonic_ms);
    let spans = (clock.now().monotonic_ms / 1000, simulated_ms / 60_000);
    close(&rows, wrong.is_empty(), spans, screen)?;
    if wrong.is_empty() {
        Ok(())
    } else {
        let lines = wrong.join("\n");
        Err(Failure::failed(format!("not as the tour says:\n{lines}")))
    }
}

fn open(stage: &mut Stage<'_>, speed: u32) -> Result<(), Failure> {
    let lines = [
        format!("The real daemon on simulated chains, {speed} times as fast as real time: no node, no money."),
        String::new(),
        "A shop asks for payments; its gateway registers each one with confirmd: an address, an asset, an".to_owned(),
        "amount, a deadline. confirmd watches the chains and writes a journal, which the gateway reads as".to_owned(),
        "below: entry, time, payment, what happened. Goods are delivered on `paid`, and on nothing else.".to_owned(),
    ];
    lines.iter().try_for_each(|line| stage.board.line(line))
}

fn play(stage: &mut Stage<'_>, number: u32, act: &acts::Act) -> Result<(), Failure> {
    stage.board.line("")?;
    stage
        .board
        .painted(&format!("{number}. {}", act.title), Paint::Bold)?;
    for line in act.says {
        stage.board.line(&format!("   {line}"))?;
    }
    stage.board.line("")?;
    let ending = (act.play)(stage);
    stage.board.clear();
    match ending {
        Ok(()) => stage
            .board
            .painted(&format!("   => {}", act.result), Paint::Good),
        Err(Ending::Wrong(what)) => {
            stage
                .board
                .painted(&format!("   => not as said: {what}"), Paint::Bad)?;
            stage.note_wrong(format!("{number}. {}: {what}", act.title));
            Ok(())
        }
        Err(Ending::Over(failure)) => Err(failure),
    }
}

fn close(
    rows: &[crate::cli::rows::Row],
    as_said: bool,
    (seconds, minutes): (u64, u64),
    screen: &mut Screen,
) -> Result<(), Failure> {
    screen.line("")?;
    screen.table(OUTCOMES, rows)?;
    screen.line("")?;
    let count = rows.len();
    let verdict = if as_said {
        "all as said"
    } else {
        "not all as said"
    };
    let lines = [
        format!("{count} payments, {verdict}: {minutes} simulated minutes in {seconds} s."),
        "`review` waits for a person, who accepts, refunds or acknowledges: `confirmd payment --help`."
            .to_owned(),
        "Next: `confirmd sandbox --stay` keeps one running for your gateway's own tests (docs/sandbox.md)."
            .to_owned(),
    ];
    lines.iter().try_for_each(|line| screen.line(line))
}
