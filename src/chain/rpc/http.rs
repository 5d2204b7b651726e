//! The transport of real life: HTTP/1.1 with kept connections, over TLS where the URL says so.
//!
//! No redirect is followed and no proxy taken from the environment: a call goes where the
//! operator said, or nowhere.

use super::{
    secrets,
    transport::{HttpRequest, HttpResponse, Limits, Transport, TransportError, Verb},
};
use crate::config::{SecretUrl, percent_decoded};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};
use reqwest::{
    Client, RequestBuilder, Response, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderValue, RETRY_AFTER},
    redirect,
};
use secrecy::{ExposeSecret, SecretString};
use std::{error::Error, fmt, time::Duration};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};

/// The largest raw block is half as large.
const HINTED_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What an endpoint answers beyond this is read one answer at a time, so that a dozen under way cannot fill the memory:
/// traces are that long, and blocks of the busiest chains.
const ALONE_BEYOND_BYTES: usize = 16 * 1024 * 1024;

/// A node in reach answers the handshake well within this.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Shorter than bitcoind's `rpcservertimeout` of 30 s, so that it is us who close.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// An HTTP endpoint.
pub struct HttpTransport {
    client: Client,
    url: Url,
    user: Option<(String, SecretString)>,
    place: String,
    secrets: Vec<SecretString>,
    /// Whoever has it reads beyond `alone_beyond_bytes`.
    alone: Semaphore,
    alone_beyond_bytes: usize,
}

/// Scheme, host and port.
impl fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}

impl HttpTransport {
    /// An endpoint at `url`; nothing is sent yet.
    ///
    /// # Errors
    /// When TLS cannot be set up on this machine, or the URL is not HTTP.
    pub fn new(url: &Url) -> Result<Self, TransportError> {
        install_tls_provider();
        let encrypted = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(TransportError::Unreachable("the URL is not HTTP".into())),
        };
        let mut builder = Client::builder()
            .user_agent(concat!("confirmd/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .tcp_nodelay(true);
        if !encrypted {
            // Without this, a machine without CA certificates could not reach a local node.
            builder = builder.tls_certs_only([]);
        }
        let client = builder.build().map_err(unreachable)?;
        let (bare, user) = without_user(url);
        Ok(Self {
            client,
            place: SecretUrl(url.clone()).to_string(),
            secrets: secrets::of_url(url),
            url: bare,
            user,
            alone: Semaphore::new(1),
            alone_beyond_bytes: ALONE_BEYOND_BYTES,
        })
    }

    fn builder(&self, request: &HttpRequest) -> RequestBuilder {
        let builder = match &request.verb {
            Verb::Get => self.client.get(self.target(&request.path)),
            Verb::Post(body) => self
                .client
                .post(self.target(&request.path))
                .header(CONTENT_TYPE, "application/json")
                .body(body.clone()),
        };
        match (authorization(request), &self.user) {
            (Some(header), _) => builder.header(AUTHORIZATION, header),
            (None, Some((user, password))) => {
                builder.basic_auth(user, Some(password.expose_secret()))
            }
            (None, None) => builder,
        }
    }

    /// Reads the body piece by piece, so that neither a long one nor a small one that unpacks into
    /// a huge one is ever held.
    async fn read(
        &self,
        mut response: Response,
        limits: Limits,
    ) -> Result<Vec<u8>, TransportError> {
        let limit_bytes = limits.max_body_bytes;
        // What a node says of the length is a hint, and no reason to take much memory for it.
        let told = usize::try_from(response.content_length().unwrap_or(0)).unwrap_or(0);
        let mut body = Vec::with_capacity(told.min(limit_bytes).min(HINTED_BYTES_MAX));
        let mut alone = None;
        while let Some(piece) = response.chunk().await.map_err(broken)? {
            let bytes = body.len().saturating_add(piece.len());
            if bytes > limit_bytes {
                return Err(TransportError::TooLarge { limit_bytes });
            }
            if bytes > self.alone_beyond_bytes && alone.is_none() {
                // It is never closed.
                alone = self.alone.acquire().await.ok();
                body.reserve_exact(limit_bytes.saturating_sub(body.len()));
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }

    /// The endpoint's own path and query, with `path` after the path.
    fn target(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        if !path.is_empty() {
            let joined = format!("{}{path}", url.path().trim_end_matches('/'));
            url.set_path(&joined);
        }
        url
    }
}

impl Transport for HttpTransport {
    async fn exchange(&self, request: &HttpRequest) -> Result<HttpResponse, TransportError> {
        let Limits {
            first_byte, total, ..
        } = request.limits;
        let began = Instant::now();
        let response = timeout_at(began + first_byte, self.builder(request).send())
            .await
            .map_err(|_| timed_out("answer", first_byte))?
            .map_err(|error| classify(error, first_byte))?;
        let status = response.status().as_u16();
        let retry_after_secs = retry_after_secs(&response);
        let body = timeout_at(began + total, self.read(response, request.limits))
            .await
            .map_err(|_| timed_out("end of the answer", total))??;
        Ok(HttpResponse {
            status,
            retry_after_secs,
            body,
        })
    }

    fn place(&self) -> &str {
        &self.place
    }

    fn secrets(&self) -> &[SecretString] {
        &self.secrets
    }
}

/// A number of seconds, or a date (RFC 9110, 10.2.3), counted by the node's own clock: ours may
/// differ. A moment that has passed is now.
fn retry_after_secs(response: &Response) -> Option<u64> {
    let said = |name| response.headers().get(name)?.to_str().ok();
    let asked = said(RETRY_AFTER)?;
    if let Ok(secs) = asked.parse() {
        return Some(secs);
    }
    let (then, now) = (date_secs(asked)?, date_secs(said(DATE)?)?);
    Some(u64::try_from(then.saturating_sub(now)).unwrap_or(0))
}

fn date_secs(text: &str) -> Option<i64> {
    let read = DateTimeParser::new().parse_timestamp(text);
    read.ok().map(Timestamp::as_second)
}

fn authorization(request: &HttpRequest) -> Option<HeaderValue> {
    let secret = request.authorization.as_ref()?;
    let mut header = HeaderValue::from_str(secret.expose_secret()).ok()?;
    header.set_sensitive(true);
    Some(header)
}

/// A URL without user and password, and the header that signs in with them.
pub(in crate::chain) fn signed_in(url: &Url) -> (Url, Option<HeaderValue>) {
    let (bare, user) = without_user(url);
    let header = user.and_then(|(user, password)| {
        let login = STANDARD.encode(format!("{user}:{}", password.expose_secret()));
        let mut header = HeaderValue::from_str(&format!("Basic {login}")).ok()?;
        header.set_sensitive(true);
        Some(header)
    });
    (bare, header)
}

fn without_user(url: &Url) -> (Url, Option<(String, SecretString)>) {
    let mut bare = url.clone();
    let password = percent_decoded(url.password().unwrap_or_default());
    let user = percent_decoded(url.username());
    let user = (!user.is_empty()).then(|| (user, password.into()));
    // Both fail only for URLs that cannot have a user.
    let _ = bare.set_username("");
    let _ = bare.set_password(None);
    (bare, user)
}

/// One provider of TLS for the whole process.
pub(in crate::chain) fn install_tls_provider() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Fails only when another thread was faster, with the same provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

const fn timed_out(missing: &'static str, limit: Duration) -> TransportError {
    TransportError::TimedOut { missing, limit }
}

fn classify(error: reqwest::Error, first_byte: Duration) -> TransportError {
    if error.is_connect() && error.is_timeout() {
        timed_out("connection", CONNECT_TIMEOUT)
    } else if error.is_timeout() {
        timed_out("answer", first_byte)
    } else if error.is_connect() {
        unreachable(error)
    } else {
        broken(error)
    }
}

fn unreachable(error: reqwest::Error) -> TransportError {
    TransportError::Unreachable(root_cause(error))
}

fn broken(error: reqwest::Error) -> TransportError {
    TransportError::Broken(root_cause(error))
}

/// The innermost reason: what surrounds it repeats the URL or says "error sending request".
fn root_cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests;
