//! The seam between this program and any node: one HTTP exchange.
//!
//! Simulations and tests stand behind the same trait as the network, so that everything above it
//! is the real code. It knows nothing of JSON.

use secrecy::SecretString;
use std::{future::Future, time::Duration};

/// How one HTTP exchange is made: over the network, or by a function in memory.
pub trait Transport: Send + Sync + 'static {
    /// Sends the request and returns the whole answer, whatever its status.
    ///
    /// # Errors
    /// When no whole answer came within the request's limits.
    fn exchange(
        &self,
        request: &HttpRequest,
    ) -> impl Future<Output = Result<HttpResponse, TransportError>> + Send;

    /// The node's place as it may be shown to anybody: scheme, host and port.
    fn place(&self) -> &str;

    /// What must never be shown, although a node may repeat it to us.
    fn secrets(&self) -> &[SecretString] {
        &[]
    }
}

/// What is sent.
#[derive(Debug, Clone)]
pub struct HttpRequest {
    /// GET, or POST with a body.
    pub verb: Verb,
    /// What follows the endpoint's own path, beginning with a slash; usually nothing.
    pub path: String,
    /// The whole `Authorization` header.
    pub authorization: Option<SecretString>,
    /// How long and how large the answer may be.
    pub limits: Limits,
}

/// How it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verb {
    /// Ask for a resource.
    Get,
    /// Send these bytes as JSON.
    Post(Vec<u8>),
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// The HTTP status.
    pub status: u16,
    /// The `Retry-After` header in seconds from now.
    pub retry_after_secs: Option<u64>,
    /// The decompressed body.
    pub body: Vec<u8>,
}

impl HttpResponse {
    /// An answer with status 200.
    #[must_use]
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::with_status(200, body)
    }

    /// An answer with any status.
    #[must_use]
    pub fn with_status(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            retry_after_secs: None,
            body: body.into(),
        }
    }
}

/// How large and how slow an answer may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest body in bytes, counted after decompression.
    pub max_body_bytes: usize,
    /// From the start until the answer's headers are there.
    pub first_byte: Duration,
    /// From the start until its last byte is there.
    pub total: Duration,
}

const MIB: usize = 1024 * 1024;

impl Limits {
    /// Most answers: a few kilobytes at most, with room for surprises.
    pub const ANSWER: Self = Self::new(MIB, 30, 60);
    /// A raw block, a block's receipts, the list of a mempool: 4 MB of Bitcoin are 8 MB of hex,
    /// and the largest Ethereum blocks come to about 20 MB of JSON.
    pub const BULK: Self = Self::new(64 * MIB, 30, 120);
    /// A batch, which is split when its answer would be larger.
    pub const BATCH: Self = Self::new(32 * MIB, 30, 120);
    /// The call frames of a whole block, which a node may compute for long: each call with all that it was
    /// given and all that it answered.
    pub const TRACE: Self = Self::new(256 * MIB, 60, 90);

    const fn new(max_body_bytes: usize, first_byte_secs: u64, total_secs: u64) -> Self {
        Self {
            max_body_bytes,
            first_byte: Duration::from_secs(first_byte_secs),
            total: Duration::from_secs(total_secs),
        }
    }
}

/// Why there is no whole answer. Texts hold no URL and no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// No connection.
    #[error("cannot connect: {0}")]
    Unreachable(String),
    /// Too slow.
    #[error("no {missing} within {} s", limit.as_secs())]
    TimedOut {
        /// What did not come in time.
        missing: &'static str,
        /// How long it might have taken.
        limit: Duration,
    },
    /// The connection or the encoding broke in the middle.
    #[error("the answer broke off: {0}")]
    Broken(String),
    /// More than was allowed.
    #[error("the answer is larger than {limit_bytes} bytes")]
    TooLarge {
        /// The most that was allowed.
        limit_bytes: usize,
    },
}
