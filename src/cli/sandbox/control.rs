//! The sandbox's HTTP endpoint: `POST /pay` and its like with a JSON body, `GET /` for the state.

use super::{
    deeds::Deed,
    doer::{Doer, Undone},
};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    middleware::{self, Next},
    response::Response,
    routing::{get, post},
};
use serde_json::{Value, json};
use std::{future::Future, io, net::SocketAddr};
use tokio::net::TcpListener;

/// Serves until `stop` resolves.
pub(super) async fn serve(
    listener: TcpListener,
    doer: Doer,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let at = listener.local_addr()?;
    let pages = Router::new()
        .route("/", get(state))
        .route("/{name}", post(carry_out))
        .fallback(nowhere)
        .method_not_allowed_fallback(nowhere)
        .layer(middleware::from_fn_with_state(at, only_here))
        .with_state(doer);
    axum::serve(listener, pages)
        .with_graceful_shutdown(stop)
        .await
}

/// A page in somebody's browser may have any name resolved to this machine, but not its address.
async fn only_here(State(at): State<SocketAddr>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST);
    let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
    if host != at.to_string() && host != format!("localhost:{}", at.port()) {
        let message = format!("this is http://{at}/, and answers under no other name");
        return refuse(StatusCode::MISDIRECTED_REQUEST, &message);
    }
    next.run(request).await
}

async fn state(State(doer): State<Doer>) -> Response {
    answer(StatusCode::OK, &doer.whole_state())
}

async fn carry_out(
    State(doer): State<Doer>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    // A page in somebody's browser may send anything but this without asking first.
    if !is_json(&headers) {
        return refuse(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "send the header Content-Type: application/json",
        );
    }
    let deed = match Deed::read(&name, &body) {
        Some(Ok(deed)) => deed,
        Some(Err(error)) => return refuse(StatusCode::BAD_REQUEST, &error.to_string()),
        None => return refuse(StatusCode::NOT_FOUND, &unknown(&format!("{name:?}"))),
    };
    let done = tokio::task::spawn_blocking(move || doer.carry_out(&deed)).await;
    match done {
        Ok(Ok(said)) => answer(StatusCode::OK, &said),
        Ok(Err(undone @ Undone::Unclear(_))) => refuse(StatusCode::BAD_REQUEST, undone.message()),
        Ok(Err(undone @ Undone::Missing(_))) => refuse(StatusCode::NOT_FOUND, undone.message()),
        Ok(Err(undone @ Undone::Impossible(_))) => refuse(StatusCode::CONFLICT, undone.message()),
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// The media type, whatever its parameters (RFC 9110, 8.3.1).
fn is_json(headers: &HeaderMap) -> bool {
    let sent = headers.get(header::CONTENT_TYPE);
    let sent = sent
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let media_type = sent.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/json")
}

async fn nowhere(method: Method, uri: Uri) -> Response {
    let asked = format!("{method} {}", uri.path());
    refuse(StatusCode::NOT_FOUND, &unknown(&asked))
}

fn unknown(asked: &str) -> String {
    let names = Deed::NAMES.map(|name| format!("POST /{name}")).join(", ");
    format!("there is no {asked}; there are GET / and {names}")
}

fn refuse(status: StatusCode, message: &str) -> Response {
    answer(status, &json!({ "error": message }))
}

fn answer(status: StatusCode, body: &Value) -> Response {
    let mut response = Response::new(Body::from(format!("{body}\n")));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
