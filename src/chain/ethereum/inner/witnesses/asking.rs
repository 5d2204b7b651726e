//! Asks endpoints what contracts moved in a block, and says what became of it with each.

use super::{Said, Witness, Word};
use crate::{
    chain::{
        SourceError,
        ethereum::{
            endpoint::Endpoint,
            trace::{self, Format, Root, TraceError},
        },
        rpc::{RpcError, Transport},
    },
    domain::{block::BlockRef, facts::Candidate},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout_at},
};

/// How long a trace is waited for before others are asked.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long others are waited for once one has told: whoever takes much longer than that keeps up with no chain.
const STRAGGLERS: Duration = Duration::from_secs(10);

/// Who answers, and what.
pub(super) struct Answered {
    pub operator: String,
    pub said: Said,
    pub answer: Result<Vec<Candidate>, SourceError>,
}

/// Asks these at once, each for so long; in their order.
pub(super) async fn ask_all<T: Transport>(
    block: BlockRef,
    roots: &Arc<[Root]>,
    witnesses: Vec<Witness<T>>,
) -> Vec<Answered> {
    let (mut asked, mut asking) = (Vec::new(), JoinSet::new());
    for (place, witness) in witnesses.into_iter().enumerate() {
        let roots = Arc::clone(roots);
        let late = SourceError::Transient(format!("{}: no trace in time", witness.endpoint));
        asked.push(Answered {
            operator: witness.operator.clone(),
            said: Said {
                at: witness.at,
                format: witness.format,
                word: Word::Silent,
            },
            answer: Err(late),
        });
        asking.spawn(async move { (place, ask(&witness, block, &roots).await) });
    }
    let mut until = Instant::now() + PATIENCE;
    while let Ok(Some(joined)) = timeout_at(until, asking.join_next()).await {
        let Ok((place, (word, answer))) = joined else {
            continue;
        };
        if word == Word::Told {
            until = until.min(Instant::now() + STRAGGLERS);
        }
        if let Some(known) = asked.get_mut(place) {
            (known.said.word, known.answer) = (word, answer);
        }
    }
    asked
}

async fn ask<T: Transport>(
    witness: &Witness<T>,
    block: BlockRef,
    roots: &[Root],
) -> (Word, Result<Vec<Candidate>, SourceError>) {
    let (endpoint, format) = (&witness.endpoint, witness.format);
    let read = |json: &str| trace::inner_credits(format, json, block.id.hash, roots);
    let credits = match endpoint.traces(format, &block, read).await {
        Ok(credits) => credits,
        Err(error) => {
            let word = if says_no(&error) {
                Word::Refused
            } else {
                Word::Nothing
            };
            return (word, Err(source_error(endpoint, format, &error)));
        }
    };
    let word = credits.as_ref().map_or(Word::Nothing, |_| Word::Told);
    let credits = credits.map_err(|error| {
        let (height, method) = (block.id.height, format.method());
        let text = format!("{endpoint}: {method}: block {height}: {error}");
        match error {
            TraceError::Elsewhere => SourceError::Transient(text),
            TraceError::Malformed(_)
            | TraceError::Count { .. }
            | TraceError::Missing(_)
            | TraceError::Contradiction(_) => SourceError::Permanent(text),
        }
    });
    (word, credits)
}

/// Whether a node says no, and not only that it is asked too much.
fn says_no(error: &RpcError) -> bool {
    error.code().is_some()
}

/// A node that says no has its reason, and is likely to say it again; one that says nothing, or that it is
/// asked too much, may answer later.
fn source_error<T: Transport>(
    endpoint: &Endpoint<T>,
    format: Format,
    error: &RpcError,
) -> SourceError {
    let text = format!("{endpoint}: {}: {error}", format.method());
    if says_no(error) || matches!(error, RpcError::TooLarge { .. }) {
        SourceError::Permanent(text)
    } else {
        SourceError::Transient(text)
    }
}
