//! HTTP in front of a simulated node, so that the daemon reaches it like any other.
//!
//! For this machine only: whoever starts it binds it to the loopback interface.

use super::live::Live;
use crate::{
    chain::rpc::{HttpRequest, HttpResponse, Limits, Verb},
    domain::asset::ChainKind,
};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderValue, Method, StatusCode, Uri, header},
    response::Response,
};
use std::{future::Future, io};
use tokio::net::TcpListener;

/// Answers for the node of this chain until `stop` resolves.
///
/// # Errors
/// When the listener fails as a whole.
pub async fn serve(
    listener: TcpListener,
    chain: ChainKind,
    live: Live,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let node = Router::new().fallback(exchange).with_state((chain, live));
    axum::serve(listener, node)
        .with_graceful_shutdown(stop)
        .await
}

/// The framework refuses bodies of more than 2 MB, far more than any batch of calls.
async fn exchange(
    State((chain, live)): State<(ChainKind, Live)>,
    method: Method,
    uri: Uri,
    body: Bytes,
) -> Response {
    let verb = if method == Method::GET {
        Verb::Get
    } else {
        Verb::Post(body.to_vec())
    };
    let request = HttpRequest {
        verb,
        path: uri.path().to_owned(),
        authorization: None,
        limits: Limits::ANSWER,
    };
    answer(live.with(|world| world.respond(chain, &request)))
}

fn answer(of_node: HttpResponse) -> Response {
    let mut response = Response::new(Body::from(of_node.body));
    *response.status_mut() =
        StatusCode::from_u16(of_node.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
