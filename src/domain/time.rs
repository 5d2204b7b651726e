//! Points in time and spans of it, as integer milliseconds.

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMs(pub i64);

/// A span of time in milliseconds.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct SpanMs(pub i64);

/// A wall clock that steps by less than this is trusted: nobody notices it.
pub const CLOCK_STEP_MAX: SpanMs = SpanMs::from_secs(60);

impl UnixMs {
    /// This time moved later by `span`; stops at the end of the representable range.
    #[must_use]
    pub const fn plus(self, span: SpanMs) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// This time moved earlier by `span`; stops at the end of the representable range.
    #[must_use]
    pub const fn minus(self, span: SpanMs) -> Self {
        Self(self.0.saturating_sub(span.0))
    }

    /// The span from `earlier` to this time; negative when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> SpanMs {
        SpanMs(self.0.saturating_sub(earlier.0))
    }

    /// A time given in whole seconds, as block headers do.
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1000))
    }
}

impl SpanMs {
    /// A span of whole seconds.
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1000))
    }
}
