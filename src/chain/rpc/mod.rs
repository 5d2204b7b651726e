//! JSON-RPC over HTTP, once for every chain: the transport seam, limits on everything remote,
//! and errors that say what the caller does about them.
//!
//! It knows no method of any chain and no block; what an answer means is the sources' business.

mod auth;
mod client;
mod envelope;
mod error;
mod hex;
mod http;
mod memory;
mod secrets;
mod transport;

pub use auth::Auth;
pub use client::{Call, Client, Observer, silent};
pub use error::RpcError;
pub use hex::HexBytes;
pub use http::HttpTransport;
pub(in crate::chain) use http::{install_tls_provider, signed_in};
pub use memory::MemoryTransport;
pub(in crate::chain) use secrets::scrubbed;
pub use transport::{HttpRequest, HttpResponse, Limits, Transport, TransportError, Verb};
