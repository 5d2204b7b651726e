//! The sandbox's HTTP endpoint: `POST /pay` and its like with a JSON body, `GET /` for the state.

use super::{
    deeds::Deed,
    doer::{Doer, Undone},
};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
    routing::{get, post},
};
use serde_json::{Value, json};
use std::{future::Future, io};
use tokio::net::TcpListener;

/// Serves until `stop` resolves.
pub(super) async fn serve(
    listener: TcpListener,
    doer: Doer,
    facts: Value,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let pages = Router::new()
        .route("/", get(state))
        .route("/{name}", post(carry_out))
        .with_state((doer, facts));
    axum::serve(listener, pages)
        .with_graceful_shutdown(stop)
        .await
}

async fn state(State((doer, facts)): State<(Doer, Value)>) -> Response {
    let mut whole = doer.state();
    if let (Some(whole), Value::Object(facts)) = (whole.as_object_mut(), facts) {
        whole.extend(facts);
    }
    answer(StatusCode::OK, &whole)
}

async fn carry_out(
    State((doer, _)): State<(Doer, Value)>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    // A page in somebody's browser may send anything but this without asking first.
    if headers.get(header::CONTENT_TYPE) != Some(&HeaderValue::from_static("application/json")) {
        return refuse(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "send the header Content-Type: application/json",
        );
    }
    let deed = match Deed::read(&name, &body) {
        Some(Ok(deed)) => deed,
        Some(Err(error)) => return refuse(StatusCode::BAD_REQUEST, &error.to_string()),
        None => {
            let names = Deed::NAMES.join(", ");
            let message = format!("there is no {name:?}; there are: {names}");
            return refuse(StatusCode::NOT_FOUND, &message);
        }
    };
    let done = tokio::task::spawn_blocking(move || doer.carry_out(&deed)).await;
    match done {
        Ok(Ok(said)) => answer(StatusCode::OK, &said),
        Ok(Err(undone @ Undone::Missing(_))) => refuse(StatusCode::NOT_FOUND, undone.message()),
        Ok(Err(undone @ Undone::Impossible(_))) => refuse(StatusCode::CONFLICT, undone.message()),
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
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
