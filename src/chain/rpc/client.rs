//! The JSON-RPC client: calls and batches with limits, one renewal of credentials, a pause when
//! the node asks for one, and a report of every exchange to the metrics.

use super::{
    auth::{Auth, Credentials, Login},
    envelope,
    error::RpcError,
    secrets::scrub,
    transport::{HttpRequest, HttpResponse, Limits, Transport, Verb},
};
use crate::{chain::SourceError, clock::Clock};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde_json::{Value, value::RawValue};
use std::{
    fmt,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

pub use super::envelope::Call;

/// Is told of every exchange: the method (of a batch the first one's), the outcome (`ok` or
/// [`RpcError::outcome`], or [`RpcError::GIVEN_UP`]) and how long it took.
pub type Observer = Arc<dyn Fn(&'static str, &'static str, Duration) + Send + Sync>;

/// An observer that does nothing.
#[must_use]
pub fn silent() -> Observer {
    Arc::new(|_, _, _| {})
}

/// The most calls in one request: what public endpoints still accept.
const MAX_BATCH_CALLS: usize = 100;

/// The longest pause that a node may ask for; beyond it, asking again is cheaper than silence.
const MAX_PAUSE: Duration = Duration::from_mins(5);

/// The pause when a node says "too many requests" and not for how long.
const DEFAULT_PAUSE: Duration = Duration::from_secs(1);

/// A client of one endpoint; clones share its connections.
pub struct Client<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    name: String,
    transport: T,
    credentials: Credentials,
    clock: Arc<dyn Clock>,
    observer: Observer,
    next_id: AtomicU64,
    /// On the monotonic clock.
    paused_until_ms: AtomicU64,
}

impl<T> Clone for Client<T> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

/// The endpoint's name and place.
impl<T: Transport> fmt::Display for Client<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({})",
            self.shared.name,
            self.shared.transport.place()
        )
    }
}

impl<T: Transport> fmt::Debug for Client<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<T: Transport> Client<T> {
    /// A client of the endpoint called `name` in the configuration.
    #[must_use]
    pub fn new(
        name: &str,
        transport: T,
        auth: Auth,
        clock: Arc<dyn Clock>,
        observer: Observer,
    ) -> Self {
        let shared = Shared {
            name: name.to_owned(),
            transport,
            credentials: Credentials::new(auth),
            clock,
            observer,
            next_id: AtomicU64::new(1),
            paused_until_ms: AtomicU64::new(0),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The endpoint's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// For how long the node asked not to be asked, from now on.
    #[must_use]
    pub fn paused_for_ms(&self) -> u64 {
        let until_ms = self.shared.paused_until_ms.load(Ordering::Relaxed);
        until_ms.saturating_sub(self.monotonic_ms())
    }

    /// Calls one method and reads its result; `Option<R>` also takes a `null`.
    ///
    /// # Errors
    /// See [`RpcError`]; a result that is no `R` is `Malformed`.
    pub async fn call<R: DeserializeOwned>(
        &self,
        method: &'static str,
        params: Value,
        limits: Limits,
    ) -> Result<R, RpcError> {
        let read = |result: &RawValue| self.read(result);
        self.call_and(method, params, limits, read).await
    }

    /// Calls one method and leaves its result as it came: going through a long one costs something.
    ///
    /// # Errors
    /// See [`RpcError`].
    pub async fn call_unread(
        &self,
        method: &'static str,
        params: Value,
        limits: Limits,
    ) -> Result<Box<RawValue>, RpcError> {
        let keep = |result: &RawValue| Ok(result.to_owned());
        self.call_and(method, params, limits, keep).await
    }

    /// Calls one method and reads its result where it lies: a copy of a very long one takes as much memory again.
    ///
    /// # Errors
    /// See [`RpcError`].
    pub async fn call_and_read<R>(
        &self,
        method: &'static str,
        params: Value,
        limits: Limits,
        read: impl FnOnce(&str) -> R,
    ) -> Result<R, RpcError> {
        let then = |result: &RawValue| Ok(read(result.get()));
        self.call_and(method, params, limits, then).await
    }

    async fn call_and<R>(
        &self,
        method: &'static str,
        params: Value,
        limits: Limits,
        then: impl FnOnce(&RawValue) -> Result<R, RpcError>,
    ) -> Result<R, RpcError> {
        let id = self.take_ids(1).start;
        let body = envelope::encode(id, &Call::new(method, params))?;
        self.observed(method, async {
            let response = self.post(body, limits).await?;
            then(accept(&response, envelope::decode(id, &response.body))?)
        })
        .await
    }

    /// Makes many calls in as few requests as the limits allow; outcomes in the calls' order.
    ///
    /// # Errors
    /// When the exchange as a whole failed; what the node says of one call is that call's own.
    pub async fn batch(
        &self,
        calls: &[Call],
    ) -> Result<Vec<Result<Box<RawValue>, RpcError>>, RpcError> {
        let mut outcomes = Vec::with_capacity(calls.len());
        let mut waiting: Vec<&[Call]> = calls.chunks(MAX_BATCH_CALLS).rev().collect();
        while let Some(part) = waiting.pop() {
            match self.one_batch(part).await {
                Ok(answers) => outcomes.extend(answers),
                Err(RpcError::TooLarge { .. }) if part.len() > 1 => {
                    let (head, tail) = part.split_at(part.len().div_ceil(2));
                    waiting.extend([tail, head]);
                }
                Err(error @ RpcError::TooLarge { .. }) => outcomes.push(Err(error)),
                Err(error) => return Err(error),
            }
        }
        Ok(outcomes)
    }

    async fn one_batch(
        &self,
        calls: &[Call],
    ) -> Result<Vec<Result<Box<RawValue>, RpcError>>, RpcError> {
        let Some(first) = calls.first() else {
            return Ok(Vec::new());
        };
        let ids = self.take_ids(calls.len());
        let body = envelope::encode_batch(ids.start, calls)?;
        self.observed(first.method, async {
            let response = self.post(body, Limits::BATCH).await?;
            let outcomes = accept(&response, envelope::decode_batch(ids, &response.body))?;
            Ok(outcomes
                .into_iter()
                .map(|outcome| self.clean(outcome.map(ToOwned::to_owned)))
                .collect())
        })
        .await
    }

    /// Gets a resource below the endpoint's address, as `kind` in metrics.
    ///
    /// # Errors
    /// Anything but status 200 is an error: `Node` with the HTTP status as its code where the
    /// node answered with words.
    pub async fn get(
        &self,
        kind: &'static str,
        path: String,
        limits: Limits,
    ) -> Result<Vec<u8>, RpcError> {
        self.observed(kind, async {
            let response = self.send(Verb::Get, path, limits).await?;
            if response.status == 200 {
                return Ok(response.body);
            }
            Err(RpcError::Node {
                code: response.status.into(),
                message: String::from_utf8_lossy(&response.body).into_owned(),
            })
        })
        .await
    }

    /// Reads one result of a batch; `Option<R>` also takes a `null`.
    ///
    /// # Errors
    /// `Malformed` when it is no `R`.
    pub fn read<R: DeserializeOwned>(&self, result: &RawValue) -> Result<R, RpcError> {
        let read = serde_json::from_str(result.get());
        self.clean(
            read.map_err(|error| RpcError::Malformed(format!("an unexpected result: {error}"))),
        )
    }

    /// The error as the follower needs it, naming endpoint and method.
    #[must_use]
    pub fn source_error(&self, method: &str, error: &RpcError) -> SourceError {
        let message = format!("{self} {method}: {error}");
        match error {
            RpcError::Unauthorized(_) => SourceError::Permanent(message),
            RpcError::Transient(_)
            | RpcError::TimedOut(_)
            | RpcError::RateLimited { .. }
            | RpcError::Node { .. }
            | RpcError::Malformed(_)
            | RpcError::TooLarge { .. } => SourceError::Transient(message),
        }
    }

    fn take_ids(&self, count: usize) -> Range<u64> {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        let first = self.shared.next_id.fetch_add(count, Ordering::Relaxed);
        first..first.saturating_add(count)
    }

    async fn observed<R>(
        &self,
        method: &'static str,
        work: impl Future<Output = Result<R, RpcError>>,
    ) -> Result<R, RpcError> {
        let mut exchange = Exchange {
            client: self,
            method,
            outcome: RpcError::GIVEN_UP,
            began_ms: self.monotonic_ms(),
        };
        let result = self.clean(work.await);
        exchange.outcome = result.as_ref().map_or_else(RpcError::outcome, |_| "ok");
        result
    }

    /// Every error passes here before anybody sees it.
    fn clean<R>(&self, result: Result<R, RpcError>) -> Result<R, RpcError> {
        result.map_err(|error| {
            if error.says_too_often() {
                return self.pause(None);
            }
            error.map_text(|text| self.showable(text))
        })
    }

    /// What a node said of itself, as it may be shown.
    #[must_use]
    pub fn showable(&self, text: &str) -> String {
        let mut secrets = self.shared.credentials.secrets();
        secrets.extend_from_slice(self.shared.transport.secrets());
        scrub(text, &secrets)
    }

    async fn post(&self, body: Vec<u8>, limits: Limits) -> Result<HttpResponse, RpcError> {
        self.send(Verb::Post(body), String::new(), limits).await
    }

    /// One exchange, and a second one when the cookie has changed.
    async fn send(
        &self,
        verb: Verb,
        path: String,
        limits: Limits,
    ) -> Result<HttpResponse, RpcError> {
        self.refuse_while_paused()?;
        let login = self.shared.credentials.current()?;
        let mut request = HttpRequest {
            verb,
            path,
            authorization: header(login.as_ref()),
            limits,
        };
        let mut response = self.shared.transport.exchange(&request).await?;
        if let (401, Some(refused)) = (response.status, login)
            && let Some(renewed) = self.shared.credentials.renewed(&refused)?
        {
            request.authorization = header(Some(&renewed));
            response = self.shared.transport.exchange(&request).await?;
        }
        self.judge(response)
    }

    /// Statuses that mean the same whatever was asked.
    fn judge(&self, response: HttpResponse) -> Result<HttpResponse, RpcError> {
        match response.status {
            status @ (401 | 403) => Err(RpcError::Unauthorized(format!(
                "the node refuses our credentials (HTTP {status}); check how they are configured"
            ))),
            429 => Err(self.pause(response.retry_after_secs)),
            status @ 300..=399 => Err(RpcError::Malformed(format!(
                "a redirect (HTTP {status}), which is not followed"
            ))),
            503 if response.retry_after_secs.is_some() => {
                Err(self.pause(response.retry_after_secs))
            }
            503 => Err(RpcError::Transient(
                "the node is too busy (HTTP 503)".into(),
            )),
            _ => Ok(response),
        }
    }

    fn pause(&self, asked_secs: Option<u64>) -> RpcError {
        let retry_after = asked_secs
            .map_or(DEFAULT_PAUSE, Duration::from_secs)
            .clamp(DEFAULT_PAUSE, MAX_PAUSE);
        let pause_ms = u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX);
        let until_ms = self.monotonic_ms().saturating_add(pause_ms);
        self.shared
            .paused_until_ms
            .store(until_ms, Ordering::Relaxed);
        RpcError::RateLimited { retry_after }
    }

    fn refuse_while_paused(&self) -> Result<(), RpcError> {
        match self.paused_for_ms() {
            0 => Ok(()),
            left_ms => Err(RpcError::RateLimited {
                retry_after: Duration::from_millis(left_ms),
            }),
        }
    }

    fn monotonic_ms(&self) -> u64 {
        self.shared.clock.now().monotonic_ms
    }
}

/// An exchange under way. Its end is observed also when nobody waits for the answer any longer.
struct Exchange<'a, T: Transport> {
    client: &'a Client<T>,
    method: &'static str,
    outcome: &'static str,
    began_ms: u64,
}

impl<T: Transport> Drop for Exchange<'_, T> {
    fn drop(&mut self) {
        let took_ms = self.client.monotonic_ms().saturating_sub(self.began_ms);
        let took = Duration::from_millis(took_ms);
        (self.client.shared.observer)(self.method, self.outcome, took);
    }
}

fn header(login: Option<&Login>) -> Option<SecretString> {
    login.map(|login| login.header.clone())
}

/// What was decoded, believed as far as the HTTP status allows: nodes send their errors with
/// any status, but results only with 200.
fn accept<R>(response: &HttpResponse, decoded: Result<R, RpcError>) -> Result<R, RpcError> {
    let status = response.status;
    match decoded {
        Err(error @ RpcError::Node { .. }) => Err(error),
        other if status == 200 => other,
        Ok(_) | Err(_) => Err(RpcError::Transient(format!("HTTP status {status}"))),
    }
}

#[cfg(test)]
mod tests;
