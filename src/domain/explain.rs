//! What a payment waits for and why a person should look, for whoever puts it into words.
//!
//! Judges the payment as it stands and changes nothing. Knows no language and no calendar.

use super::{
    assess::{self, cause::Cause, gate::Wait},
    payment::Payment,
    time::UnixMs,
    view::ChainView,
};

/// What the row of a payment does not say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Explanation {
    /// What must happen before it changes, and everything that holds a verdict back now.
    pub waits: Vec<Wait>,
    /// Why a person should look; what was acknowledged is not among it.
    pub causes: Vec<Cause>,
}

/// Explains a payment.
#[must_use]
pub fn explain(payment: &Payment, view: &ChainView, now: UnixMs) -> Explanation {
    let assessment = assess::assess(payment, view, now);
    let mut waits = assessment.waits;
    if !payment.judged.is_final {
        waits.extend(hindrances(payment, view));
    }
    waits.sort_unstable();
    waits.dedup();
    let mut causes = assessment.causes;
    let is_open = |cause: &Cause| !payment.history.acked.contains(&cause.to_string());
    causes.retain(|cause| payment.judged.needs_review && is_open(cause));
    Explanation { waits, causes }
}

/// The gate names the first of these only, and nobody asks it before there is a verdict to make.
fn hindrances(payment: &Payment, view: &ChainView) -> impl Iterator<Item = Wait> {
    let all = [
        (payment.history.held.is_some(), Wait::Review),
        (!payment.scan.is_complete(), Wait::Scan),
        (!view.healthy, Wait::Health),
        (view.frozen.is_some(), Wait::Thaw),
    ];
    all.into_iter().filter(|(holds, _)| *holds).map(|(_, w)| w)
}
