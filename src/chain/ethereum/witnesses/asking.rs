//! Asks endpoints what contracts moved in a block, and says what became of it with each.

use super::{Said, Task, Witness, Word};
use crate::{
    chain::{
        SourceError,
        ethereum::{
            endpoint::{Endpoint, LIMIT_EXCEEDED},
            trace::{self, Format, Root, TraceError},
        },
        rpc::{RpcError, Transport},
    },
    domain::{block::BlockRef, facts::Candidate},
};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, timeout_at};

/// How long a trace is waited for before others are asked.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who answers, and what.
pub(super) struct Answered {
    pub operator: String,
    pub said: Said,
    pub answer: Result<Vec<Candidate>, SourceError>,
}

/// Asks these at once, each for so long.
pub(super) async fn ask_all<T: Transport>(
    block: BlockRef,
    roots: &Arc<[Root]>,
    witnesses: Vec<Witness<T>>,
) -> Vec<Answered> {
    let mut asked = Vec::new();
    for witness in witnesses {
        let roots = Arc::clone(roots);
        let (at, format) = (witness.at, witness.format);
        let (operator, name) = (witness.operator.clone(), witness.endpoint.to_string());
        let asking = Task(tokio::spawn(
            async move { ask(&witness, block, &roots).await },
        ));
        asked.push((at, format, operator, name, asking));
    }
    let until = Instant::now() + PATIENCE;
    let mut answers = Vec::new();
    for (at, format, operator, name, mut asking) in asked {
        let late = || SourceError::Transient(format!("{name}: no trace within {PATIENCE:?}"));
        let (word, answer) = match timeout_at(until, &mut asking.0).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => (Word::Nothing, Err(late())),
        };
        answers.push(Answered {
            operator,
            said: Said { at, format, word },
            answer,
        });
    }
    answers
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
    error.code().is_some_and(|code| code != LIMIT_EXCEEDED)
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
