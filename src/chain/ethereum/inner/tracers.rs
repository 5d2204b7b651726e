//! How far endpoints keep what they said of tracing, and when each is tried again. Asks nobody.
//!
//! One that says it can tell and then does not, in time, is waited for a minute in all, not at each block: others
//! tell it meanwhile, or nobody does.
//!
//! That a method is there is known for certain once it told of a real block: of one that is nowhere, some say the
//! same as of any, as that tracing is switched off. So whoever refuses blocks whose state every node has, and tells
//! none of them for a while, is to tell it in another way. A node that is only busy may be among those, and an
//! operator may switch tracing on: whoever could tell it better is tried now and then, on a real block.

use crate::chain::ethereum::endpoint::Tracer;
use std::{collections::BTreeMap, time::Duration};
use tokio::time::Instant;

/// For so long an endpoint must refuse whatever it is asked.
const REFUSED_FOR: Duration = Duration::from_mins(1);

/// The same of one that is known to have traced: it is asked for more than it has the time for, or was restarted with
/// another configuration. Blocks wait for it as long as nodes keep their state, and are then given up.
const REFUSED_LONG: Duration = Duration::from_hours(4);

/// How often it must have done so at least.
const REFUSALS_MIN: u32 = 3;

/// One that says nothing for so long is not waited for.
const SILENT_FOR: Duration = Duration::from_mins(1);

/// How long then, until it is asked again.
const SILENT_REST: Duration = Duration::from_mins(5);

/// What it says that is neither yes nor no so often is a no: it knows no such method, in words of its own.
const VAGUE_MAX: u32 = 3;

/// How often is tried whether an endpoint can tell it in a better way.
const TRIED_EVERY: Duration = Duration::from_mins(10);

/// The same of one that was connected anew: its node may be another version.
const RENEWED_TRIED_EVERY: Duration = Duration::from_mins(1);

/// What is remembered of each endpoint, by its place.
#[derive(Debug, Default)]
pub(super) struct Tracers(BTreeMap<usize, Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// Whether it ever told what contracts moved in a block.
    has_told: bool,
    /// Since when it refuses, and how often it did.
    refuses: Option<(Instant, u32)>,
    /// Since when nothing comes from it in time, and until when it is not asked for that.
    silent: Option<(Instant, Instant)>,
    /// How often in a row it said neither that it tells nor that it does not.
    vague: u32,
    /// When it was last tried, and which of its connections that was.
    tried: Option<(Instant, u32)>,
}

impl Tracers {
    /// It told what contracts moved in a block.
    pub(super) fn told(&mut self, at: usize) {
        let kept = self.of(at);
        (kept.refuses, kept.silent, kept.has_told) = (None, None, true);
    }

    /// It told nothing of use, but it told it in time.
    pub(super) fn answered(&mut self, at: usize) {
        self.of(at).silent = None;
    }

    /// Nothing came from it in time.
    pub(super) fn silent(&mut self, at: usize) {
        let now = Instant::now();
        let (since, until) = self.of(at).silent.get_or_insert((now, now));
        if now.duration_since(*since) >= SILENT_FOR {
            *until = now + SILENT_REST;
        }
    }

    /// Whether nothing has come from it for so long that nobody waits for it now.
    pub(super) fn is_silent(&self, at: usize) -> bool {
        let silent = self.0.get(&at).and_then(|kept| kept.silent);
        silent.is_some_and(|(_, until)| until > Instant::now())
    }

    /// It said neither that it tells nor that it does not. Whether that is a no by now.
    pub(super) fn is_vague(&mut self, at: usize) -> bool {
        let kept = self.of(at);
        kept.vague = kept.vague.saturating_add(1);
        kept.vague >= VAGUE_MAX
    }

    /// It refused to tell it of a block whose state it must have.
    pub(super) fn refused(&mut self, at: usize) {
        let kept = self.of(at);
        kept.silent = None;
        let (_, times) = kept.refuses.get_or_insert((Instant::now(), 0));
        *times = times.saturating_add(1);
    }

    /// Whether it is to tell it in another way from now on, where an earlier run may have known it to tell it so.
    pub(super) fn refuses(&self, at: usize, known_before: bool) -> bool {
        let Some(kept) = self.0.get(&at) else {
            return false;
        };
        let patience = if kept.has_told || known_before {
            REFUSED_LONG
        } else {
            REFUSED_FOR
        };
        kept.refuses
            .is_some_and(|(since, times)| times >= REFUSALS_MIN && since.elapsed() >= patience)
    }

    /// It was asked, over this connection, in which way it tells it.
    pub(super) fn tried(&mut self, at: usize, connection: u32) {
        let kept = self.of(at);
        (kept.refuses, kept.vague) = (None, 0);
        kept.tried = Some((Instant::now(), connection));
    }

    /// Whether one that tells it in this way, over this connection, is to be tried for a better one.
    pub(super) fn is_due(&self, at: usize, tracer: Tracer, connection: u32) -> bool {
        if tracer == Tracer::Unknown || tracer.better().is_empty() {
            return false;
        }
        let tried = self.0.get(&at).and_then(|kept| kept.tried);
        tried.is_none_or(|(since, of)| {
            let is_renewed = of != connection && since.elapsed() >= RENEWED_TRIED_EVERY;
            is_renewed || since.elapsed() >= TRIED_EVERY
        })
    }

    fn of(&mut self, at: usize) -> &mut Kept {
        self.0.entry(at).or_default()
    }
}
