//! A node that takes its time, on a paused clock: how long, by what it is asked.

use super::*;
use crate::chain::rpc::{HttpRequest, HttpResponse, TransportError, Verb};
use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};
use tokio::time::sleep;

/// How long the transport waits for an answer.
const FIRST_BYTE: Duration = Duration::from_secs(30);

/// So long there is no answer.
pub(super) const SILENT: Duration = FIRST_BYTE;

type Takes = Box<dyn Fn(&str) -> Duration + Send>;

/// One node, as several clients may reach it.
#[derive(Clone)]
pub(super) struct Distant {
    pub node: FakeNode,
    takes: Arc<Mutex<Takes>>,
    requests: Arc<AtomicUsize>,
}

impl Distant {
    /// Answers at once.
    pub fn new(node: FakeNode) -> Self {
        Self {
            node,
            takes: Arc::new(Mutex::new(Box::new(|_| Duration::ZERO))),
            requests: Arc::default(),
        }
    }

    /// From now on a request, as JSON, takes so long.
    pub fn takes(&self, takes: impl Fn(&str) -> Duration + Send + 'static) {
        *self.takes.lock().unwrap() = Box::new(takes);
    }

    /// How many requests came.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

impl Transport for Distant {
    async fn exchange(&self, request: &HttpRequest) -> Result<HttpResponse, TransportError> {
        let Verb::Post(body) = &request.verb else {
            panic!("only POST")
        };
        self.requests.fetch_add(1, Ordering::Relaxed);
        let takes = self.takes.lock().unwrap()(&String::from_utf8_lossy(body));
        sleep(takes.min(FIRST_BYTE)).await;
        if takes >= FIRST_BYTE {
            return Err(TransportError::TimedOut {
                missing: "answer",
                limit: FIRST_BYTE,
            });
        }
        self.node.transport().exchange(request).await
    }

    fn place(&self) -> &'static str {
        "memory"
    }
}
