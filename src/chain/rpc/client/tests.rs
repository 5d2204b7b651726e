//! The client against nodes in memory.

use super::*;
use crate::chain::rpc::{MemoryTransport, TransportError};
use crate::{clock::Now, domain::time::UnixMs};
use secrecy::ExposeSecret;
use serde_json::json;
use std::sync::{Mutex, atomic::AtomicUsize};

fn client(
    node: impl Fn(&HttpRequest) -> Result<HttpResponse, TransportError> + Send + Sync + 'static,
) -> Client<MemoryTransport> {
    Client::new(
        "local",
        MemoryTransport::new(node),
        Auth::None,
        clock(),
        silent(),
    )
}

/// Milliseconds on a clock that a test moves.
#[derive(Debug, Default)]
struct TestClock(AtomicU64);

impl Clock for TestClock {
    fn now(&self) -> Now {
        let monotonic_ms = self.0.load(Ordering::Relaxed);
        Now {
            wall: UnixMs(0),
            monotonic_ms,
        }
    }
}

fn clock() -> Arc<TestClock> {
    Arc::default()
}

/// A node that answers every call with its first parameter.
fn echo(request: &HttpRequest) -> HttpResponse {
    let Verb::Post(body) = &request.verb else {
        return HttpResponse::with_status(404, "Not found");
    };
    let answer = |call: &Value| json!({"id": call["id"], "result": call["params"][0]});
    let asked: Value = serde_json::from_slice(body).unwrap();
    let answers = match asked.as_array() {
        Some(calls) => calls.iter().rev().map(answer).collect(),
        None => answer(&asked),
    };
    HttpResponse::ok(answers.to_string())
}

async fn outcome_of(response: HttpResponse) -> String {
    let client = client(move |_| Ok(response.clone()));
    let result = client.call::<u64>("m", json!([]), Limits::ANSWER).await;
    match result {
        Ok(number) => number.to_string(),
        Err(error) => format!("{}: {error}", error.outcome()),
    }
}

const LIMITED: &str = r#"{"id":1,"error":{"code":429,"message":"Too Many Requests"}}"#;

/// Nodes say in an answer with HTTP status 200, too, that they are asked too often, each in its own way.
// shows: P5
#[tokio::test]
async fn too_often_is_told_from_too_much() {
    for (code, message, is_too_often) in [
        (-32005, "limit exceeded", true),
        (
            -32005,
            "daily request count exceeded, request rate limited",
            true,
        ),
        (-32007, "50/second request limit reached", true),
        (-32029, "Too many requests", true),
        (
            -32000,
            "Your app has exceeded its compute units per second capacity",
            true,
        ),
        (-32016, "over rate limit", true),
        (429, "too many results are asked for in this batch", true),
        (-32600, "Too many requests in batch, slow down", true),
        (-32005, "rate limit: no response for a second", true),
        (-32005, "The batch size limit was exceeded", false),
        (-32005, "query returned more than 10000 results", false),
        (-32003, "response too large", false),
        (-32000, "header not found", false),
    ] {
        let error = json!({"id": 1, "error": {"code": code, "message": message}});
        let counter = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&counter);
        let client = client(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            Ok(HttpResponse::ok(error.to_string()))
        });
        for _ in 0..2 {
            let asked = client.call::<u64>("m", json!([]), Limits::ANSWER).await;
            let limited = matches!(asked, Err(RpcError::RateLimited { .. }));
            assert_eq!(limited, is_too_often, "{code} {message}");
        }
        let times = if is_too_often { 1 } else { 2 };
        assert_eq!(
            counter.load(Ordering::Relaxed),
            times,
            "a pause is kept: {message}"
        );
    }
}

// shows: P5
#[tokio::test]
async fn errors_are_told_apart_by_what_the_caller_does() {
    let refusal = r#"{"id":1,"error":{"code":-28,"message":"Loading block index"}}"#;
    for (status, body, expected) in [
        (200, r#"{"id":1,"result":5}"#, "5"),
        (
            200,
            r#"{"id":1,"result":null}"#,
            "malformed: an unexpected result: invalid type: null, expected u64 at line 1 column 4",
        ),
        (200, refusal, "error: Loading block index (code -28)"),
        (500, refusal, "error: Loading block index (code -28)"),
        (404, refusal, "error: Loading block index (code -28)"),
        (500, r#"{"id":1,"result":5}"#, "transient: HTTP status 500"),
        (502, "<html>Bad gateway", "transient: HTTP status 502"),
        (
            503,
            "Work queue depth exceeded",
            "transient: the node is too busy (HTTP 503)",
        ),
        (
            200,
            "<html>Sign in",
            "malformed: HTML instead of a JSON-RPC answer",
        ),
        (
            301,
            "",
            "malformed: a redirect (HTTP 301), which is not followed",
        ),
        (
            401,
            "",
            "unauthorized: the node refuses our credentials (HTTP 401); check how they are configured",
        ),
        (
            403,
            "",
            "unauthorized: the node refuses our credentials (HTTP 403); check how they are configured",
        ),
        (429, "", "rate_limited: rate limited for 1 s"),
        (200, LIMITED, "rate_limited: rate limited for 1 s"),
    ] {
        let response = HttpResponse::with_status(status, body);
        assert_eq!(outcome_of(response).await, expected, "{status} {body}");
    }
}

#[tokio::test]
async fn null_is_a_result_for_who_expects_it() {
    let client = client(|request| Ok(echo(request)));
    let asked = json!([null]);
    let null = client.call::<Option<u64>>("m", asked, Limits::ANSWER).await;
    assert_eq!(null, Ok(None));
}

#[tokio::test]
async fn a_pause_is_kept_capped_and_ends() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let node = MemoryTransport::new(move |request| {
        if counter.fetch_add(1, Ordering::Relaxed) == 0 {
            let mut response = HttpResponse::with_status(429, "");
            response.retry_after_secs = Some(1_000_000_000);
            return Ok(response);
        }
        Ok(echo(request))
    });
    let time = Arc::new(TestClock::default());
    let shared: Arc<TestClock> = Arc::clone(&time);
    let client = Client::new("local", node, Auth::None, shared, silent());
    let ask = || client.call::<u64>("m", json!([5]), Limits::ANSWER);
    let limited = |secs| {
        Err(RpcError::RateLimited {
            retry_after: Duration::from_secs(secs),
        })
    };
    assert_eq!(ask().await, limited(300));
    time.0.store(100_000, Ordering::Relaxed);
    assert_eq!(ask().await, limited(200));
    assert_eq!(sent.load(Ordering::Relaxed), 1);
    time.0.store(300_000, Ordering::Relaxed);
    assert_eq!(ask().await, Ok(5));
}

// shows: P6
#[tokio::test]
async fn a_rotated_cookie_is_read_again_and_the_call_succeeds() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "__cookie__:old").unwrap();
    let node = MemoryTransport::new(|request| match &request.authorization {
        Some(header) if header.expose_secret() == "Basic X19jb29raWVfXzpuZXc=" => Ok(echo(request)),
        Some(_) | None => Ok(HttpResponse::with_status(401, "")),
    });
    let client = Client::new(
        "local",
        node,
        Auth::Cookie(file.path().into()),
        clock(),
        silent(),
    );
    let ask = || client.call::<u64>("m", json!([5]), Limits::ANSWER);
    assert!(matches!(ask().await, Err(RpcError::Unauthorized(_))));
    std::fs::write(file.path(), "__cookie__:new").unwrap();
    assert_eq!(ask().await, Ok(5));
    assert_eq!(ask().await, Ok(5));
}

#[tokio::test]
async fn a_batch_comes_back_in_order_and_in_bearable_portions() {
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&requests);
    let client = client(move |request| {
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(echo(request))
    });
    let calls: Vec<Call> = (0..250).map(|n| Call::new("m", json!([n]))).collect();
    let outcomes = client.batch(&calls).await.unwrap();
    let numbers: Vec<u64> = outcomes
        .into_iter()
        .map(|outcome| client.read(&outcome.unwrap()).unwrap())
        .collect();
    assert_eq!(numbers, (0..250).collect::<Vec<u64>>());
    assert_eq!(requests.load(Ordering::Relaxed), 3);
    assert!(client.batch(&[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_batch_with_too_large_an_answer_is_split() {
    let long = "x".repeat(12 * 1024 * 1024);
    let too_long = "x".repeat(33 * 1024 * 1024);
    let client = client(|request| Ok(echo(request)));
    let texts = [&long, &long, &too_long, &long, &long];
    let calls: Vec<Call> = texts.iter().map(|t| Call::new("m", json!([t]))).collect();
    let outcomes = client.batch(&calls).await.unwrap();
    let lengths: Vec<Option<usize>> = outcomes
        .iter()
        .map(|outcome| outcome.as_ref().ok().map(|raw| raw.get().len() - 2))
        .collect();
    let whole = Some(long.len());
    assert_eq!(lengths, [whole, whole, None, whole, whole]);
    assert!(matches!(outcomes[2], Err(RpcError::TooLarge { .. })));
}

#[tokio::test]
async fn what_a_node_repeats_of_our_secrets_is_hidden() {
    let node = MemoryTransport::new(|request| {
        let header = request.authorization.as_ref().unwrap().expose_secret();
        let message = format!("{header} is wrong, hunter2 too");
        let error = json!({"code": -1, "message": message});
        let Verb::Post(body) = &request.verb else {
            return Ok(HttpResponse::with_status(400, message));
        };
        let asked: Value = serde_json::from_slice(body).unwrap();
        let answer = match asked.as_array() {
            Some(calls) => json!([{"id": calls[0]["id"], "error": error}]),
            None => json!({"id": asked["id"], "error": error}),
        };
        Ok(HttpResponse::ok(answer.to_string()))
    });
    let auth = Auth::Password {
        user: "u".into(),
        password: "hunter2".to_owned().into(),
    };
    let client = Client::new("local", node, auth, clock(), silent());
    let expected = "Basic *** is wrong, *** too";
    let call = client.call::<u64>("m", json!([]), Limits::ANSWER).await;
    let batch = client.batch(&[Call::new("m", json!([]))]).await.unwrap();
    let get = client.get("block", "/x".into(), Limits::BULK).await;
    let texts = [
        call.unwrap_err().to_string(),
        batch[0].as_ref().unwrap_err().to_string(),
        get.unwrap_err().to_string(),
    ];
    for text in texts {
        assert!(text.starts_with(expected), "{text}");
    }
}

#[tokio::test]
async fn every_exchange_is_observed_once() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let observer: Observer = Arc::new(move |method, outcome, _| {
        log.lock().unwrap().push((method, outcome));
    });
    let client = Client::new(
        "local",
        MemoryTransport::new(|request| Ok(echo(request))),
        Auth::None,
        clock(),
        observer,
    );
    let _ = client.call::<u64>("one", json!([5]), Limits::ANSWER).await;
    let _ = client
        .call::<u64>("two", json!(["x"]), Limits::ANSWER)
        .await;
    let _ = client
        .batch(&[
            Call::new("three", json!([1])),
            Call::new("four", json!([1])),
        ])
        .await;
    let _ = client.get("rest", "/x".into(), Limits::BULK).await;
    let expected = [
        ("one", "ok"),
        ("two", "malformed"),
        ("three", "ok"),
        ("rest", "error"),
    ];
    assert_eq!(*seen.lock().unwrap(), expected);
}

/// A node that takes a question and never answers.
struct Silent;

impl Transport for Silent {
    async fn exchange(&self, _: &HttpRequest) -> Result<HttpResponse, TransportError> {
        std::future::pending().await
    }

    fn place(&self) -> &'static str {
        "nowhere"
    }
}

#[tokio::test]
async fn a_call_that_is_given_up_is_observed_as_too_slow() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let observer: Observer = Arc::new(move |method, outcome, took| {
        log.lock().unwrap().push((method, outcome, took));
    });
    let time = clock();
    let shared: Arc<TestClock> = Arc::clone(&time);
    let client = Client::new("local", Silent, Auth::None, shared, observer);
    let mut call = Box::pin(client.call::<u64>("one", json!([]), Limits::ANSWER));
    assert!(at_once(&mut call).is_none(), "it waits");
    assert_eq!(*seen.lock().unwrap(), []);
    time.0.store(5_000, Ordering::Relaxed);
    drop(call);
    let expected = [("one", "timeout", Duration::from_secs(5))];
    assert_eq!(*seen.lock().unwrap(), expected);
}

/// What a future says when it is asked once.
fn at_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::Pin::new(future).poll(&mut context) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}

#[tokio::test]
async fn a_busy_node_that_says_for_how_long_is_left_alone_so_long() {
    let client = client(|_| {
        let mut response = HttpResponse::with_status(503, "");
        response.retry_after_secs = Some(20);
        Ok(response)
    });
    let said = client.call::<u64>("m", json!([]), Limits::ANSWER).await;
    let retry_after = Duration::from_secs(20);
    assert_eq!(said, Err(RpcError::RateLimited { retry_after }));
    assert_eq!(client.paused_for_ms(), 20_000);
}

#[tokio::test]
async fn errors_name_the_endpoint_and_the_method() {
    let client = client(|_| Err(TransportError::Unreachable("refused".into())));
    let error = client
        .call::<u64>("getblock", json!([]), Limits::ANSWER)
        .await;
    let error = client.source_error("getblock", &error.unwrap_err());
    assert_eq!(
        error,
        SourceError::Transient("local (memory) getblock: cannot connect: refused".into())
    );
}
