//! `chain release`: an operator lets a chain go on that was frozen by a change below finality.

use super::{Context, failure::Failure, inbox::Author, open::require_owner};
use crate::{
    daemon::store_options,
    domain::{
        asset::ChainName,
        event::{Entry, EventKind},
        step::{ChainStep, Step},
        time::UnixMs,
        view::{ChainView, FreezeReason},
    },
    store::Store,
};
use serde_json::json;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Release a chain that was frozen by a change below finality; the daemon must be stopped.
    ///
    /// At its next start the daemon follows the node's chain, even below what was final, and
    /// payments may be reversed.
    Release(Release),
}

#[derive(Debug, clap::Args)]
pub(super) struct Release {
    /// The chain.
    name: String,
    /// Why the node's chain is the right one; recorded for good.
    #[arg(long)]
    note: String,
}

pub(super) fn run(command: &Command, context: &mut Context) -> Result<(), Failure> {
    let Command::Release(Release { name, note }) = command;
    let database = context.database()?;
    require_owner(&database.path)?;
    let author = Author::current();
    let mut store = Store::open(&store_options(&database), author.now)?;
    let result = release(&mut store, name, note, &author);
    store.close()?;
    result?;
    context.screen.line(&format!(
        "{name} is released: the daemon follows its node's chain at the next start"
    ))
}

fn release(store: &mut Store, name: &str, note: &str, author: &Author) -> Result<(), Failure> {
    let chain = ChainName::new(name);
    let known = store
        .chain(&chain)?
        .ok_or_else(|| Failure::failed(format!("there is no chain {name:?} in the database")))?;
    match known.view.frozen {
        Some(FreezeReason::BelowFinality) => {}
        Some(FreezeReason::Released) => {
            return Err(Failure::failed(format!("{name} is released already")));
        }
        Some(FreezeReason::Quorum) => {
            let message = format!("{name} waits for its quorum, which heals by itself");
            return Err(Failure::failed(message));
        }
        None => return Err(Failure::failed(format!("{name} is not frozen"))),
    }
    store.commit(&step(known.view, note, author))?;
    Ok(())
}

/// The chain stays frozen until the follower has taken up the node's chain: nothing rises before.
fn step(view: ChainView, note: &str, author: &Author) -> Step {
    let entry = entry(&view.name, note, author);
    let released = ChainView {
        frozen: Some(FreezeReason::Released),
        healthy: false,
        ..view
    };
    Step {
        chain: Some(ChainStep {
            view: released,
            error: Some("released by an operator; the daemon has not gone on yet".to_owned()),
            disconnected_to: None,
            history: Vec::new(),
            connected: Vec::new(),
            scan: None,
        }),
        entries: vec![entry],
        ..Step::new(author.now)
    }
}

fn entry(chain: &ChainName, note: &str, author: &Author) -> Entry {
    let at: UnixMs = author.now;
    Entry {
        payment: None,
        kind: EventKind::Attention,
        from: None,
        to: None,
        reason: None,
        data: json!({
            "chain": chain, "frozen": FreezeReason::Released.as_str(), "note": note,
            "actor": author.name(), "message": "an operator released the chain",
        })
        .to_string(),
        occurred_at: at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::asset::ChainKind,
        store::{ChainEntry, Kind, Options, reader::Reader},
    };

    fn frozen_store(dir: &std::path::Path, frozen: Option<FreezeReason>) -> Store {
        let author = Author::current();
        let mut store = Store::open(&Options::private(dir, Kind::Live), author.now).unwrap();
        let entry = ChainEntry {
            name: ChainName::new("bitcoin"),
            kind: ChainKind::Bitcoin,
            network: "regtest".to_owned(),
        };
        store.sync_registry(&[entry], &[], author.now).unwrap();
        let view = store
            .chain(&ChainName::new("bitcoin"))
            .unwrap()
            .unwrap()
            .view;
        let mut step = step(ChainView { ..view }, "", &author);
        step.entries.clear();
        if let Some(chain) = &mut step.chain {
            chain.view.frozen = frozen;
        }
        store.commit(&step).unwrap();
        store
    }

    fn released(frozen: Option<FreezeReason>, name: &str) -> Result<(), String> {
        let dir = tempfile::tempdir().unwrap();
        let mut store = frozen_store(dir.path(), frozen);
        let result = release(&mut store, name, "checked", &Author::current());
        result.map_err(|failure| failure.message)
    }

    #[test]
    fn a_frozen_chain_is_marked_and_the_journal_says_by_whom_and_why() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = frozen_store(dir.path(), Some(FreezeReason::BelowFinality));
        release(&mut store, "bitcoin", "checked", &Author::current()).unwrap();
        let view = store
            .chain(&ChainName::new("bitcoin"))
            .unwrap()
            .unwrap()
            .view;
        assert_eq!(view.frozen, Some(FreezeReason::Released));
        store.close().unwrap();
        let reader = Reader::open(&dir.path().join("confirmd.db")).unwrap();
        let events = crate::cli::rows::rows(&reader.events(0, 10).unwrap());
        assert_eq!(events.len(), 1);
        assert_eq!(events[0]["kind"], "attention");
        assert_eq!(events[0]["data"]["note"], "checked");
        let actor = events[0]["data"]["actor"].as_str().unwrap();
        assert!(actor.starts_with("operator:"), "{actor}");
    }

    #[test]
    fn only_a_chain_frozen_below_finality_is_released() {
        let cases = [
            (None, "bitcoin", "bitcoin is not frozen"),
            (
                Some(FreezeReason::Released),
                "bitcoin",
                "bitcoin is released already",
            ),
            (
                Some(FreezeReason::Quorum),
                "bitcoin",
                "bitcoin waits for its quorum, which heals by itself",
            ),
            (
                Some(FreezeReason::BelowFinality),
                "moon",
                "there is no chain \"moon\" in the database",
            ),
        ];
        for (frozen, name, message) in cases {
            assert_eq!(released(frozen, name), Err(message.to_owned()));
        }
    }
}
