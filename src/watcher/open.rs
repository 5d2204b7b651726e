//! From the database to a watcher that knows what was known before.

use super::{
    Watcher,
    asks::Asks,
    clock_guard::ClockGuard,
    index::WatchIndex,
    past::Past,
    progress::Told,
    scans::Lanes,
    state::{ChainSpec, ChainState},
    turns::Looked,
    unconfirmed::Unconfirmed,
    undated::Undated,
    unproven::Unproven,
    untagged::Untagged,
    waiting::WaitingRequests,
};
use crate::{
    clock::Clock,
    domain::{register::Defaults, view::ChainView},
    health::Health,
    metrics::Metrics,
    store::{Store, StoreError},
};
use std::{collections::VecDeque, sync::Arc};

/// What a watcher is told at start.
#[derive(Debug)]
pub struct Settings {
    /// The chains to follow, each with its assets.
    pub chains: Vec<ChainSpec>,
    /// What a registration gets where it says nothing.
    pub defaults: Defaults,
    /// Whether `accept` and `reject` are carried out.
    pub operator_commands: bool,
}

impl Watcher {
    /// Takes over a database: cursors, watched addresses, unconfirmed transfers.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn open(
        store: Store,
        settings: Settings,
        clock: Arc<dyn Clock>,
        metrics: Metrics,
        health: Health,
    ) -> Result<Self, StoreError> {
        let mut index = WatchIndex::default();
        store.watched(|watched| {
            index.insert(&watched.chain, &watched.destination, watched.payment);
        })?;
        let mut chains: Vec<ChainState> = settings
            .chains
            .into_iter()
            .map(|spec| restore(&store, spec))
            .collect::<Result<_, _>>()?;
        let next_key = store.next_payment_key()?.0;
        let now = clock.now();
        let clock_guard = ClockGuard::new(now, store.last_written()?);
        if clock_guard.is_in_doubt() {
            for chain in &mut chains {
                chain.suspended_at = Some(None);
            }
            tracing::warn!(
                "the wall clock was later before; no verdicts until a chain's head agrees with it"
            );
        }
        let watcher = Self {
            store,
            clock,
            metrics,
            health,
            defaults: settings.defaults,
            operator_commands: settings.operator_commands,
            chains,
            index,
            waiting: WaitingRequests::default(),
            asks: Asks::default(),
            clock_guard,
            next_key,
            batches: 0,
        };
        watcher.count_payments()?;
        watcher.publish(now);
        Ok(watcher)
    }

    fn count_payments(&self) -> Result<(), StoreError> {
        for count in self.store.counts()? {
            self.metrics
                .payments(&count.asset, count.status, count.payments);
        }
        Ok(())
    }
}

fn restore(store: &Store, spec: ChainSpec) -> Result<ChainState, StoreError> {
    let stored = store.chain(&spec.name)?;
    let (view, recent, error) = match stored {
        Some(known) => (known.view, known.recent, known.error),
        None => (nothing_known(&spec), Vec::new(), None),
    };
    let mut unconfirmed = Unconfirmed::default();
    for row in store.loose(&spec.name)? {
        unconfirmed.insert(row.txid, row.payment, &row.inputs, row.in_mempool);
    }
    // Trust is not inherited: others may be asked now who were not, or more of them.
    let agreed = view.scanned.filter(|_| !spec.asks_others());
    let all = agreed.map(|cursor| cursor.id.height);
    Ok(ChainState {
        stored: (view.clone(), error.clone()),
        // Health and polls are observations: a restart makes them again.
        view: ChainView {
            healthy: false,
            polled_at: None,
            agreed,
            held: all.or(view.held),
            ..view
        },
        error,
        recent: VecDeque::from(recent),
        unconfirmed,
        // Nothing tells whether the clock is right at start but a head that agrees with it.
        suspended_at: spec.has_regular_blocks().then_some(None),
        waits_for_future: true,
        looked: Looked::default(),
        claims_asked: None,
        undated: Undated::default(),
        dates_asked_at: None,
        more_due: false,
        scans: Lanes::default(),
        past: Past::default(),
        answer: None,
        failure: None,
        unserved: None,
        untraceable: None,
        unlooked: None,
        unproven: Unproven::default(),
        has_old_head: false,
        told: Told::default(),
        untagged: Untagged::default(),
        stopped: None,
        spec,
    })
}

fn nothing_known(spec: &ChainSpec) -> ChainView {
    ChainView {
        name: spec.name.clone(),
        kind: spec.kind,
        scanned: None,
        tip: None,
        finalized: None,
        safe: None,
        tagged: false,
        agreed: None,
        held: None,
        traced: None,
        traced_at: None,
        untraced_at: None,
        untraced_height: None,
        traced_by: None,
        frozen: None,
        healthy: false,
        polled_at: None,
    }
}
