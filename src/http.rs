//! `/metrics`, `/livez` and `/readyz` on the configured address.
//!
//! Answers from memory only: it must not know the database, so that it answers while that is
//! stuck. Whoever connects can neither hold a connection for long nor send much.

mod limited;
#[cfg(test)]
mod tests;

use crate::{
    clock::Clock,
    domain::asset::ChainName,
    health::{Health, Snapshot},
    metrics::Metrics,
};
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use limited::Limited;
use serde_json::{Value, json};
use std::{future::Future, io, sync::Arc};
use tokio::net::TcpListener;

/// What the pages are made of.
#[derive(Clone)]
struct Sources {
    metrics: Metrics,
    health: Health,
    clock: Arc<dyn Clock>,
}

/// Serves until `shutdown` resolves and open connections are answered or have timed out.
///
/// # Errors
/// When the listener fails as a whole; a single connection's failure ends only that.
pub async fn serve(
    listener: TcpListener,
    metrics: Metrics,
    health: Health,
    clock: Arc<dyn Clock>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let sources = Sources {
        metrics,
        health,
        clock,
    };
    axum::serve(Limited::new(listener), pages(sources))
        .with_graceful_shutdown(shutdown)
        .await
}

fn pages(sources: Sources) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .layer(middleware::from_fn(one_small_request))
        .with_state(sources)
}

/// Refuses a body, which no page reads, and ends the connection with the answer.
async fn one_small_request(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let has_body = headers.contains_key(header::TRANSFER_ENCODING)
        || headers
            .get(header::CONTENT_LENGTH)
            .is_some_and(|length| length.as_bytes() != b"0");
    let mut response = if has_body {
        StatusCode::PAYLOAD_TOO_LARGE.into_response()
    } else {
        next.run(request).await
    };
    let close = header::HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    response
}

async fn metrics(State(sources): State<Sources>) -> Response {
    match sources.metrics.render() {
        Ok(text) => answer(
            StatusCode::OK,
            "text/plain; version=0.0.4; charset=utf-8",
            text,
        ),
        Err(error) => answer(
            StatusCode::INTERNAL_SERVER_ERROR,
            "text/plain; charset=utf-8",
            error.to_string(),
        ),
    }
}

async fn livez(State(sources): State<Sources>) -> Response {
    let stalled = sources.health.read().stalled(sources.clock.now());
    json_answer(
        stalled.is_none(),
        &json!({ "live": stalled.is_none(), "reason": stalled }),
    )
}

async fn readyz(State(sources): State<Sources>) -> Response {
    let snapshot = sources.health.read();
    let stalled = snapshot.stalled(sources.clock.now());
    let ready = stalled.is_none() && snapshot.is_ready();
    json_answer(ready, &readiness(&snapshot, ready, stalled.as_deref()))
}

fn readiness(snapshot: &Snapshot, ready: bool, stalled: Option<&str>) -> Value {
    let chains = snapshot.chains.iter();
    let chains: serde_json::Map<_, _> = chains
        .map(|(name, reason)| {
            let mut remarks = snapshot.remarks.iter().filter(|(of, _)| of == name);
            let remark = remarks.next().map(|(_, remark)| remark.clone());
            let remark = remark.or_else(|| snapshot.last_endpoint(name));
            let mut said = serde_json::Map::new();
            said.insert("ready".to_owned(), json!(reason.is_none()));
            said.insert("reason".to_owned(), json!(reason));
            said.extend(remark.map(|remark| ("remark".to_owned(), json!(remark))));
            let left_alone = left_alone(snapshot, name);
            if !left_alone.is_empty() {
                said.insert("endpoints".to_owned(), Value::Object(left_alone));
            }
            (name.to_string(), Value::Object(said))
        })
        .collect();
    json!({
        "ready": ready,
        "daemon": part(stalled.or_else(|| snapshot.starting())),
        "database": part(snapshot.database.as_deref()),
        "inbox": part(snapshot.inbox.as_deref()),
        "chains": chains,
    })
}

/// A chain's endpoints that are left alone.
fn left_alone(snapshot: &Snapshot, chain: &ChainName) -> serde_json::Map<String, Value> {
    let left_alone = snapshot
        .endpoints(chain)
        .filter(|(_, _, why)| !why.is_empty());
    let said = |state, why| json!({ "state": state, "reason": why });
    let said = left_alone.map(|(name, state, why)| (name.to_owned(), said(state, why)));
    said.collect()
}

fn part(reason: Option<&str>) -> Value {
    json!({ "ready": reason.is_none(), "reason": reason })
}

fn json_answer(good: bool, body: &Value) -> Response {
    let status = if good {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    answer(status, "application/json", format!("{body}\n"))
}

fn answer(status: StatusCode, content_type: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let content_type = header::HeaderValue::from_static(content_type);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}
