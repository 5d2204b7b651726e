//! Which endpoints can tell what contracts move, and in which way: found when each is met, when it refuses what it
//! seemed to offer, and now and then where another way would be better.

use super::{
    tracers::Tracers,
    witnesses::{Said, Task, Word},
};
use crate::chain::ethereum::{
    endpoint::{Endpoint, Probed, Tracer},
    endpoints::{Race, STRAGGLERS},
    source::EthereumSource,
    trace::Format,
};
use crate::{
    chain::{STATE_BLOCKS, SourceError, rpc::Transport},
    domain::{block::BlockRef, view::TracedBy},
};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::{Instant, timeout};

/// How long it may take to say that a method is there.
const PROBE_PATIENCE: Duration = Duration::from_secs(2);

/// How often is asked who did not say.
const PROBE_EVERY: Duration = Duration::from_mins(1);

/// The same while nothing at all is known of a chain, and for how long that is so.
const FIRST_PROBES: Duration = Duration::from_secs(5);
const NEW_FOR: Duration = Duration::from_mins(3);

/// Longer than that, so that whoever is slow with these alone is not taken for one that is silent.
const CONNECT_PATIENCE: Duration = Duration::from_secs(8);

/// Every node has the state of so many last blocks, whatever it is busy with.
const FRESH_BLOCKS: u32 = STATE_BLOCKS / 2;

/// What is known of who can tell it, and who is being asked.
pub(in crate::chain::ethereum) struct Able {
    /// Whether it matters what contracts moved: nobody can be paid in ether otherwise.
    pub(in crate::chain::ethereum) is_wanted: bool,
    /// How it was known last, in an earlier run at first.
    traced_before: Option<TracedBy>,
    /// Whether an earlier run knew somebody who traces.
    was_traced: bool,
    pub(super) tracers: Tracers,
    /// Who is being asked what it tells.
    probing: Race<Result<Probed, SourceError>>,
    /// When those are asked next who did not say.
    next_probe: Option<Instant>,
    /// Since when endpoints are asked that.
    met_since: Option<Instant>,
    /// Those that are tried whether they can tell it better by now, with their connections.
    trials: BTreeMap<usize, (u32, Task<Tracer>)>,
}

impl Default for Able {
    fn default() -> Self {
        Self {
            is_wanted: false,
            traced_before: None,
            was_traced: false,
            tracers: Tracers::default(),
            probing: Race::aside(),
            next_probe: None,
            met_since: None,
            trials: BTreeMap::new(),
        }
    }
}

impl Able {
    /// It matters, and an earlier run knew it in this way.
    pub(in crate::chain::ethereum) fn wanted(before: Option<TracedBy>) -> Self {
        Self {
            is_wanted: true,
            traced_before: before,
            was_traced: matches!(before, Some(TracedBy::CallTracer | TracedBy::TraceBlock)),
            ..Self::default()
        }
    }

    /// Whether what a node says of a block that is nowhere suffices: not where nobody traced before.
    const fn is_convinced(&self) -> bool {
        match self.traced_before {
            None | Some(TracedBy::CallTracer | TracedBy::TraceBlock) => true,
            Some(TracedBy::Balance | TracedBy::Nothing) => false,
        }
    }

    /// Whether endpoints still have time to say for the first time what they can tell.
    fn is_new(&self) -> bool {
        self.met_since.is_none_or(|since| since.elapsed() < NEW_FOR)
    }
}

impl<T: Transport> EthereumSource<T> {
    /// Finds out what is not known yet, or not any more, of what endpoints tell.
    pub(in crate::chain::ethereum) async fn meet_witnesses(&mut self) {
        if !self.able.is_wanted {
            return;
        }
        let patience = if self.begin_probes() {
            STRAGGLERS
        } else {
            Duration::ZERO
        };
        self.end_probes(Instant::now() + patience).await;
        self.end_trials().await;
        self.begin_trials();
    }

    /// Asks those of whom it is not known whether they can tell what contracts move, and those that refused it
    /// in the way in which they seemed to tell it; whether anybody is.
    fn begin_probes(&mut self) -> bool {
        let now = Instant::now();
        let is_unknown = |endpoint: &Endpoint<T>| endpoint.tracer() == Tracer::Unknown;
        let back = self.endpoints.back();
        let wanted = self.endpoints.all().filter(|(at, endpoint)| {
            let is_wanted =
                is_unknown(endpoint) || self.able.tracers.refuses(*at, self.able.was_traced);
            is_wanted && back.contains(at)
        });
        let whom: Vec<usize> = wanted.map(|(at, _)| at).collect();
        if whom.is_empty() || self.able.next_probe.is_some_and(|next| next > now) {
            return false;
        }
        self.able.met_since.get_or_insert(now);
        let is_first = self.able.traced_before.is_none() && self.able.is_new();
        self.able.next_probe = Some(now + if is_first { FIRST_PROBES } else { PROBE_EVERY });
        let convinces = self.able.is_convinced();
        for at in whom {
            let question = move |endpoint: Endpoint<T>| async move {
                let known = endpoint.tracer();
                let probing = timeout(PROBE_PATIENCE, endpoint.probe_tracer(convinces));
                Ok(probing.await.unwrap_or(Ok(Probed::As(known))))
            };
            let probing = &mut self.able.probing;
            self.endpoints
                .begin(probing, at, CONNECT_PATIENCE, question);
        }
        true
    }

    /// Takes what those who were asked have said until then.
    async fn end_probes(&mut self, until: Instant) {
        while let Some((at, answer)) = self.endpoints.next(&mut self.able.probing, until).await {
            let was = self.tracer(at);
            let tracer = match answer {
                Ok(Ok(Probed::As(tracer))) => tracer,
                Ok(Ok(Probed::Vague(else_tells))) if self.able.tracers.is_vague(at) => else_tells,
                Ok(Ok(Probed::Vague(_)) | Err(_)) | Err(_) => continue,
            };
            if was != Tracer::Unknown {
                let (endpoint, was, now) = (self.endpoints.name(at), was.as_str(), tracer.as_str());
                tracing::warn!(%endpoint, was, now, "it refuses to tell what contracts moved in new blocks");
            }
            if was != Tracer::Unknown || self.able.is_convinced() {
                self.able.tracers.tried(at, self.endpoints.connection(at));
            }
            self.go_by(at, tracer);
        }
    }

    /// Tries on our tip who could tell it in a better way by now, in the background: a trace takes a node long.
    fn begin_trials(&mut self) {
        let Some(tip) = self.tip else {
            return;
        };
        for at in self.endpoints.back() {
            let connection = self.endpoints.connection(at);
            let Some(endpoint) = self.endpoints.named(at) else {
                continue;
            };
            let is_due = self.able.tracers.is_due(at, endpoint.tracer(), connection);
            if is_due && !self.able.trials.contains_key(&at) {
                let endpoint = endpoint.clone();
                let trial = tokio::spawn(async move { endpoint.retry_tracer(tip).await });
                self.able.trials.insert(at, (connection, Task(trial)));
            }
        }
    }

    async fn end_trials(&mut self) {
        let ended = self.able.trials.iter();
        let ended = ended.filter(|(_, (_, trial))| trial.0.is_finished());
        let ended: Vec<usize> = ended.map(|(at, _)| *at).collect();
        for at in ended {
            let Some((connection, mut trial)) = self.able.trials.remove(&at) else {
                continue;
            };
            self.able.tracers.tried(at, connection);
            let was = self.tracer(at);
            let found = (&mut trial.0).await.unwrap_or(was);
            if found != was {
                let (endpoint, was, now) = (self.endpoints.name(at), was.as_str(), found.as_str());
                tracing::info!(%endpoint, was, now, "it tells what contracts move in another way by now");
                self.go_by(at, found);
            }
        }
    }

    /// Takes note of who told what contracts moved in a block, and who refused though it must have its state.
    pub(super) fn heed(&mut self, block: BlockRef, said: &[Said]) {
        let height = block.id.height;
        let is_fresh = self
            .tip
            .is_some_and(|tip| tip.height.minus(height.0).0 < FRESH_BLOCKS);
        for Said { at, format, word } in said.iter().copied() {
            // It may tell it in another way since it was asked.
            if self.tracer(at).format() != Some(format) {
                continue;
            }
            match word {
                Word::Told => self.able.tracers.told(at),
                Word::Refused if is_fresh => self.able.tracers.refused(at),
                Word::Refused | Word::Nothing => self.able.tracers.answered(at),
                Word::Silent => self.able.tracers.silent(at),
            }
        }
    }

    /// That is how an endpoint tells it from now on.
    fn go_by(&mut self, at: usize, tracer: Tracer) {
        self.endpoints.found(at, tracer);
        self.able.traced_before = self.method().or(self.able.traced_before);
    }

    fn tracer(&self, at: usize) -> Tracer {
        let endpoint = self.endpoints.named(at);
        endpoint.map_or(Tracer::Unknown, Endpoint::tracer)
    }

    /// Whether an endpoint may tell what contracts move. One that has not said so yet counts where an earlier run
    /// knew one that can, and at first where no run ever knew anything: what is not waited for is never looked at.
    pub(super) fn may_tell(&self, endpoint: &Endpoint<T>) -> bool {
        match endpoint.tracer() {
            Tracer::Tells(_) => true,
            Tracer::Unknown => match self.able.traced_before {
                Some(TracedBy::CallTracer | TracedBy::TraceBlock) => true,
                Some(TracedBy::Balance | TracedBy::Nothing) => false,
                None => self.able.is_new(),
            },
            Tracer::Balances | Tracer::Missing => false,
        }
    }

    /// By the best that enough endpoints offer; nothing while that is not known.
    pub(in crate::chain::ethereum) fn method(&self) -> Option<TracedBy> {
        let tracers = || self.endpoints.all().map(|(_, endpoint)| endpoint.tracer());
        let any = |tracer: Tracer| tracers().any(|known| known == tracer);
        let tells = |endpoint: &Endpoint<T>| endpoint.tracer().format().is_some();
        if !self.able.is_wanted {
            None
        } else if self.has_tellers(tells) {
            Some(if any(Tracer::Tells(Format::Calls)) {
                TracedBy::CallTracer
            } else {
                TracedBy::TraceBlock
            })
        } else if self.may_trace() || tracers().all(|known| known == Tracer::Unknown) {
            None
        } else if self.endpoints.all().any(|(_, known)| tells(known)) || any(Tracer::Balances) {
            Some(TracedBy::Balance)
        } else {
            Some(TracedBy::Nothing)
        }
    }
}
