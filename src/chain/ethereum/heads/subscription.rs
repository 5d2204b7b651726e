//! A WebSocket (RFC 6455) on which an endpoint announces its blocks. Whoever answers may be anybody, so that
//! nothing is kept that is larger than an announcement needs.

use crate::{
    chain::rpc::{install_tls_provider, scrubbed, signed_in},
    config::SecretUrl,
    domain::block::{BlockHash, BlockId, Height},
};
use alloy_primitives::{B256, U64};
use futures_util::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use serde_json::json;
use std::fmt;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, client_async_tls_with_config,
    tungstenite::{
        self, Message, client::IntoClientRequest as _, http::header::AUTHORIZATION,
        protocol::WebSocketConfig,
    },
};

/// A header is some 2 KiB of JSON; some chains announce the hashes of withdrawals and more beside it.
const MESSAGE_MAX: usize = 256 * 1024;

/// Messages that may come before the answer to our subscription.
const FOREIGN_MAX: usize = 16;

/// The number of our one call.
const CALL: u64 = 1;

/// A subscription to new heads.
pub(super) struct Subscription {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    url: SecretUrl,
    /// What the endpoint calls it.
    id: String,
}

/// Why there is no subscription, or none any more; scheme, host and port, and no secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refused(String);

impl Refused {
    pub(super) fn here(url: &SecretUrl, why: &impl fmt::Display) -> Self {
        let why = scrubbed(&why.to_string(), &url.0);
        Self(format!("{url}: {why}"))
    }
}

/// What an endpoint sends: an answer or an announcement.
#[derive(Deserialize)]
struct Said {
    id: Option<u64>,
    result: Option<String>,
    error: Option<serde_json::Value>,
    params: Option<Params>,
}

#[derive(Deserialize)]
struct Params {
    subscription: String,
    result: Head,
}

#[derive(Deserialize)]
struct Head {
    number: U64,
    hash: B256,
}

impl Subscription {
    /// Connects and subscribes.
    pub(super) async fn open(url: &SecretUrl) -> Result<Self, Refused> {
        let socket = connect(url).await?;
        let mut subscription = Self {
            socket,
            url: url.clone(),
            id: String::new(),
        };
        let call = json!({
            "jsonrpc": "2.0", "id": CALL, "method": "eth_subscribe", "params": ["newHeads"],
        });
        let sent = subscription
            .socket
            .send(Message::text(call.to_string()))
            .await;
        sent.map_err(|error| subscription.refused(&error))?;
        for _ in 0..FOREIGN_MAX {
            let Some(said) = subscription
                .said()
                .await?
                .filter(|said| said.id == Some(CALL))
            else {
                continue;
            };
            return match (said.result, said.error) {
                (Some(id), None) => Ok(Self { id, ..subscription }),
                (_, Some(error)) => Err(subscription.refused(&format!("eth_subscribe: {error}"))),
                (None, None) => Err(subscription.refused(&"eth_subscribe: no answer that we know")),
            };
        }
        Err(subscription.refused(&"eth_subscribe: other messages come than its answer"))
    }

    /// The next block that is announced; nothing for a message of another kind.
    pub(super) async fn next(&mut self) -> Result<Option<BlockId>, Refused> {
        let params = self.said().await?.and_then(|said| said.params);
        let ours = params.filter(|params| params.subscription == self.id);
        Ok(ours.and_then(|params| block_id(&params.result)))
    }

    /// The next message, if it can be read. The library answers pings.
    async fn said(&mut self) -> Result<Option<Said>, Refused> {
        loop {
            let message = match self.socket.next().await {
                Some(Ok(message)) => message,
                Some(Err(error)) => return Err(self.refused(&error)),
                None => return Err(self.refused(&"the connection is closed")),
            };
            match message {
                Message::Text(text) => return Ok(serde_json::from_str(text.as_str()).ok()),
                Message::Binary(_) => return Ok(None),
                Message::Close(_) => return Err(self.refused(&"the endpoint closes")),
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    fn refused(&self, why: &impl fmt::Display) -> Refused {
        Refused::here(&self.url, why)
    }
}

fn block_id(head: &Head) -> Option<BlockId> {
    let height = u32::try_from(head.number.to::<u64>()).ok()?;
    Some(BlockId {
        height: Height(height),
        hash: BlockHash(head.hash.0),
    })
}

/// No proxy is taken from the environment and no redirect followed, as with calls.
async fn connect(url: &SecretUrl) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>, Refused> {
    install_tls_provider();
    let (bare, authorization) = signed_in(&url.0);
    let refused = |error: tungstenite::Error| Refused::here(url, &error);
    let unreachable = |error: std::io::Error| Refused::here(url, &error);
    let mut request = bare.as_str().into_client_request().map_err(refused)?;
    if let Some(authorization) = authorization {
        request.headers_mut().insert(AUTHORIZATION, authorization);
    }
    // Resolving a name blocks.
    let addresses = tokio::task::spawn_blocking(move || bare.socket_addrs(|| None)).await;
    let interrupted = |_| Refused::here(url, &"resolving the name was interrupted");
    let addresses = addresses.map_err(interrupted)?.map_err(unreachable)?;
    let stream = TcpStream::connect(addresses.as_slice()).await;
    let stream = stream.map_err(unreachable)?;
    stream.set_nodelay(true).map_err(unreachable)?;
    let limits = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_MAX))
        .max_frame_size(Some(MESSAGE_MAX));
    let opened = client_async_tls_with_config(request, stream, Some(limits), None).await;
    opened.map(|(socket, _)| socket).map_err(refused)
}
