//! The transport of tests and simulations: a function stands for the node.

use super::transport::{HttpRequest, HttpResponse, Transport, TransportError};
use std::{fmt, future::Future, sync::Arc};

type Node = dyn Fn(&HttpRequest) -> Result<HttpResponse, TransportError> + Send + Sync;

/// A node that is a function in this process.
#[derive(Clone)]
pub struct MemoryTransport(Arc<Node>);

impl MemoryTransport {
    /// A node that answers as `node` does; its answers keep to the request's size limit.
    pub fn new(
        node: impl Fn(&HttpRequest) -> Result<HttpResponse, TransportError> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(node))
    }
}

impl fmt::Debug for MemoryTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryTransport")
    }
}

impl Transport for MemoryTransport {
    fn exchange(
        &self,
        request: &HttpRequest,
    ) -> impl Future<Output = Result<HttpResponse, TransportError>> + Send {
        let limit_bytes = request.limits.max_body_bytes;
        let answer = (self.0)(request).and_then(|response| {
            if response.body.len() > limit_bytes {
                Err(TransportError::TooLarge { limit_bytes })
            } else {
                Ok(response)
            }
        });
        std::future::ready(answer)
    }

    fn place(&self) -> &'static str {
        "memory"
    }
}
