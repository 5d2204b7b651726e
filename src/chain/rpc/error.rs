//! Why a call has no result, by what the caller does about it.

use super::transport::TransportError;
use std::time::Duration;

/// Why a call has no result. Texts are shortened, printable and free of our own secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RpcError {
    /// The network or a busy node: try again later.
    #[error("{0}")]
    Transient(String),
    /// Too slow: try again later.
    #[error("{0}")]
    TimedOut(String),
    /// The node asks for a pause; until it is over, calls fail at once without being sent.
    #[error("rate limited for {} s", retry_after.as_millis().div_ceil(1000))]
    RateLimited {
        /// How long to wait.
        retry_after: Duration,
    },
    /// The node refuses our credentials, also after reading the cookie file again.
    #[error("{0}")]
    Unauthorized(String),
    /// The node understood and says no.
    #[error("{message} (code {code})")]
    Node {
        /// JSON-RPC error code.
        code: i64,
        /// Its words.
        message: String,
    },
    /// What came is no answer to what was asked.
    #[error("{0}")]
    Malformed(String),
    /// The answer is larger than its limit.
    #[error("the answer is larger than {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: usize,
    },
}

/// "Limit exceeded" (EIP-1474), HTTP's number, and what hosted endpoints made of them.
const TOO_OFTEN_CODES: [i64; 3] = [-32005, -32007, -32029];
const TOO_MANY_REQUESTS: i64 = 429;

/// Words of "too many requests", in lower case.
const TOO_OFTEN: &[&str] = &[
    "rate limit",
    "ratelimit",
    "too many requests",
    "request limit",
    "requests per second",
    "compute units per second",
];

/// Words of what asking later does not mend: fewer at once may.
const TOO_LARGE: &[&str] = &["batch", "response", "results", "too large", "block range"];

impl RpcError {
    /// The name in metrics of a call that nobody waited for to the end: it was too slow for them.
    pub const GIVEN_UP: &'static str = "timeout";

    /// The name in metrics.
    #[must_use]
    pub const fn outcome(&self) -> &'static str {
        match self {
            Self::Transient(_) => "transient",
            Self::TimedOut(_) => "timeout",
            Self::RateLimited { .. } => "rate_limited",
            Self::Unauthorized(_) => "unauthorized",
            Self::Node { .. } => "error",
            Self::Malformed(_) => "malformed",
            Self::TooLarge { .. } => "too_large",
        }
    }

    /// The JSON-RPC error code, when the node answered with one.
    #[must_use]
    pub const fn code(&self) -> Option<i64> {
        match self {
            Self::Node { code, .. } => Some(*code),
            Self::Transient(_)
            | Self::TimedOut(_)
            | Self::RateLimited { .. }
            | Self::Unauthorized(_)
            | Self::Malformed(_)
            | Self::TooLarge { .. } => None,
        }
    }

    /// Whether a node's own error, in an answer with HTTP status 200, means what status 429 means. Some say it
    /// by a code, most by words; the same codes are also used for a request or an answer that is too large, unless the
    /// words are clear.
    pub(super) fn says_too_often(&self) -> bool {
        let Self::Node { code, message } = self else {
            return false;
        };
        let message = message.to_ascii_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
        says(TOO_OFTEN)
            || *code == TOO_MANY_REQUESTS
            || TOO_OFTEN_CODES.contains(code) && !says(TOO_LARGE)
    }

    /// The same error with its texts changed.
    pub(super) fn map_text(self, change: impl Fn(&str) -> String) -> Self {
        match self {
            Self::Transient(text) => Self::Transient(change(&text)),
            Self::TimedOut(text) => Self::TimedOut(change(&text)),
            Self::Unauthorized(text) => Self::Unauthorized(change(&text)),
            Self::Malformed(text) => Self::Malformed(change(&text)),
            Self::Node { code, message } => Self::Node {
                code,
                message: change(&message),
            },
            Self::RateLimited { .. } | Self::TooLarge { .. } => self,
        }
    }
}

impl From<TransportError> for RpcError {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::TooLarge { limit_bytes } => Self::TooLarge { limit_bytes },
            TransportError::TimedOut { .. } => Self::TimedOut(error.to_string()),
            TransportError::Unreachable(_) | TransportError::Broken(_) => {
                Self::Transient(error.to_string())
            }
        }
    }
}
