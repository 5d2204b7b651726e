//! Asking several things at once, but never more at a time than a node answers gladly.

use crate::chain::SourceError;
use std::{collections::BTreeMap, future::Future};
use tokio::task::{JoinError, JoinSet};

/// Runs the tasks, at most `at_once` at a time, and returns their results in the tasks' order.
/// After a failure no further task is begun, so the list may be shorter than the tasks'; it
/// holds the failure then. Dropping the future ends all of them.
pub(super) async fn in_order<F, R>(tasks: Vec<F>, at_once: usize) -> Vec<Result<R, SourceError>>
where
    F: Future<Output = Result<R, SourceError>> + Send + 'static,
    R: Send + 'static,
{
    let mut waiting = tasks
        .into_iter()
        .enumerate()
        .map(|(place, task)| async move { (place, task.await) });
    let mut running = JoinSet::new();
    let mut results = BTreeMap::new();
    let mut failed = false;
    waiting.by_ref().take(at_once).for_each(|task| {
        running.spawn(task);
    });
    while let Some(joined) = running.join_next().await {
        let (place, result) = joined.unwrap_or_else(|error| (usize::MAX, Err(died(&error))));
        failed |= result.is_err();
        results.insert(place, result);
        if let (false, Some(task)) = (failed, waiting.next()) {
            running.spawn(task);
        }
    }
    results.into_values().collect()
}

fn died(error: &JoinError) -> SourceError {
    SourceError::Transient(format!("a request was abandoned: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    // shows: M12
    #[tokio::test]
    async fn results_keep_the_order_and_no_more_run_than_allowed() {
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let task = |n: usize| {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            async move {
                let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                for _ in 0..(20 - n) {
                    tokio::task::yield_now().await;
                }
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(n)
            }
        };
        let results = in_order((0..20).map(task).collect(), 3).await;
        let results: Result<Vec<usize>, SourceError> = results.into_iter().collect();
        assert_eq!(results, Ok((0..20).collect()));
        assert_eq!(most.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn a_failure_stops_what_has_not_begun() {
        let begun = Arc::new(AtomicUsize::new(0));
        let task = |n: usize| {
            let begun = Arc::clone(&begun);
            async move {
                begun.fetch_add(1, Ordering::SeqCst);
                if n == 4 {
                    Err(SourceError::Transient("no".into()))
                } else {
                    Ok(n)
                }
            }
        };
        let results = in_order((0..20).map(task).collect(), 2).await;
        assert_eq!(results.iter().filter(|result| result.is_err()).count(), 1);
        assert!(begun.load(Ordering::SeqCst) < 8);
    }
}
