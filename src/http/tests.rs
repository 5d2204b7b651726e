//! The pages over a real socket.

use super::{
    limited::{MAX_CONNECTIONS, MAX_INPUT_LEN, MAX_LIFE},
    *,
};
use crate::{
    clock::Now,
    domain::{asset::ChainName, time::UnixMs},
    health::STALL_MS,
    metrics::Labels,
};
use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
};

/// A monotonic clock that stands where it is set.
#[derive(Debug, Default)]
struct SetClock(AtomicU64);

impl Clock for SetClock {
    fn now(&self) -> Now {
        Now {
            wall: UnixMs(0),
            monotonic_ms: self.0.load(Ordering::Relaxed),
        }
    }
}

struct Server {
    address: SocketAddr,
    health: Health,
    clock: Arc<SetClock>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<io::Result<()>>,
}

async fn start() -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (health, clock) = (Health::default(), Arc::new(SetClock::default()));
    let shared: Arc<dyn Clock> = Arc::<SetClock>::clone(&clock);
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(serve(
        listener,
        Metrics::new(&Labels::default()).unwrap(),
        health.clone(),
        shared,
        async {
            let _ = stopped.await;
        },
    ));
    Server {
        address,
        health,
        clock,
        stop,
        task,
    }
}

/// A server whose watcher ticked at 1 ms and whose one chain has this reason not to be ready.
async fn start_with_chain(reason: Option<&str>) -> Server {
    let server = start().await;
    server.clock.0.store(2, Ordering::Relaxed);
    server.health.update(|snapshot| {
        snapshot.watcher_ticked_ms = 1;
        snapshot.chains = vec![(ChainName::new("bitcoin"), reason.map(str::to_owned))];
    });
    server
}

impl Server {
    async fn send(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        read_to_end(&mut stream).await
    }

    async fn get(&self, path: &str) -> String {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"))
            .await
    }

    #[track_caller]
    fn body(answer: &str) -> Value {
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap()
    }
}

/// What comes until the server closes or resets the connection.
async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn metrics_are_shown_in_the_text_format() {
    let answer = start().await.get("/metrics").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("content-type: text/plain; version=0.0.4; charset=utf-8"));
    assert!(answer.contains("\nconfirmd_build_info{"));
}

#[tokio::test]
async fn a_daemon_that_has_not_judged_anything_yet_is_live_but_not_ready() {
    let server = start().await;
    assert!(server.get("/livez").await.starts_with("HTTP/1.1 200 OK"));
    let answer = server.get("/readyz").await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert_eq!(Server::body(&answer)["daemon"]["reason"], "is starting");
}

#[tokio::test]
async fn a_healthy_daemon_is_ready() {
    let server = start_with_chain(None).await;
    let answer = server.get("/readyz").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    let good = json!({ "ready": true, "reason": null });
    assert_eq!(
        Server::body(&answer),
        json!({
            "ready": true, "daemon": good, "database": good, "inbox": good,
            "chains": { "bitcoin": good },
        })
    );
}

#[tokio::test]
async fn what_is_to_be_said_of_a_ready_chain_is_said() {
    let server = start_with_chain(None).await;
    server.health.update(|snapshot| {
        snapshot.remarks = vec![(ChainName::new("bitcoin"), "no block for 95 minutes".into())];
    });
    let answer = server.get("/readyz").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    let said = json!({ "ready": true, "reason": null, "remark": "no block for 95 minutes" });
    assert_eq!(Server::body(&answer)["chains"]["bitcoin"], said);
}

#[tokio::test]
async fn an_endpoint_that_is_left_alone_is_told_with_the_reason_until_it_is_back() {
    let server = start_with_chain(None).await;
    let bitcoin = ChainName::new("bitcoin");
    server
        .health
        .endpoint(&bitcoin, "b", "unreachable", "b: no answer within 2 s");
    server
        .health
        .endpoint(&ChainName::new("other"), "b", "lying", "another block");
    let answer = server.get("/readyz").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    let said = json!({
        "ready": true, "reason": null,
        "endpoints": { "b": { "state": "unreachable", "reason": "b: no answer within 2 s" } },
    });
    assert_eq!(Server::body(&answer)["chains"]["bitcoin"], said);
    server.health.endpoint(&bitcoin, "a", "alive", "");
    let answer = server.get("/readyz").await;
    let remark = &Server::body(&answer)["chains"]["bitcoin"]["remark"];
    assert_eq!(remark, "only a is left of 2 endpoints");
    server.health.endpoint(&bitcoin, "b", "alive", "");
    let answer = server.get("/readyz").await;
    let said = json!({ "ready": true, "reason": null });
    assert_eq!(Server::body(&answer)["chains"]["bitcoin"], said);
}

#[tokio::test]
async fn a_chain_or_a_database_that_fails_makes_it_not_ready_with_the_reason() {
    let server = start_with_chain(Some("the node does not answer")).await;
    let answer = server.get("/readyz").await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    let body = Server::body(&answer);
    assert_eq!(
        body["chains"]["bitcoin"]["reason"],
        "the node does not answer"
    );
    assert_eq!(body["database"]["ready"], true);

    let server = start_with_chain(None).await;
    server
        .health
        .update(|snapshot| snapshot.database = Some("the disk is full".into()));
    let answer = server.get("/readyz").await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert_eq!(
        Server::body(&answer)["database"]["reason"],
        "the disk is full"
    );
}

#[tokio::test]
async fn an_inbox_that_somebody_holds_is_said_and_changes_no_readiness() {
    let server = start_with_chain(None).await;
    server
        .health
        .update(|snapshot| snapshot.inbox = Some("a writer holds it".into()));
    let answer = server.get("/readyz").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(
        Server::body(&answer)["inbox"]["reason"],
        "a writer holds it"
    );
}

#[tokio::test]
async fn a_loop_that_stands_still_is_neither_live_nor_ready() {
    let server = start_with_chain(None).await;
    server.clock.0.store(STALL_MS + 1, Ordering::Relaxed);
    assert!(server.get("/livez").await.starts_with("HTTP/1.1 200"));
    server.clock.0.store(STALL_MS + 2, Ordering::Relaxed);
    let answer = server.get("/livez").await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert_eq!(
        Server::body(&answer)["reason"],
        "the watcher has not moved for 30 s"
    );
    assert!(server.get("/readyz").await.starts_with("HTTP/1.1 503"));
}

#[tokio::test]
async fn what_is_not_a_small_get_of_a_page_is_refused() {
    let server = start().await;
    let cases = [
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404"),
        ("POST /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 405"),
        (
            "GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
            "HTTP/1.1 413",
        ),
        (
            "GET /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 413",
        ),
        ("nonsense\r\n\r\n", "HTTP/1.1 400"),
    ];
    for (request, status) in cases {
        let answer = server.send(request).await;
        assert!(answer.starts_with(status), "{request:?}: {answer:?}");
    }
    let long = format!(
        "GET /metrics HTTP/1.1\r\nX: {}\r\n",
        "x".repeat(MAX_INPUT_LEN)
    );
    assert_eq!(server.send(&long).await, "");
}

#[tokio::test]
async fn a_connection_that_never_asks_is_closed() {
    let server = start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\n")
        .await
        .unwrap();
    let began = Instant::now();
    assert_eq!(read_to_end(&mut stream).await, "");
    let took = began.elapsed();
    assert!((MAX_LIFE / 2..MAX_LIFE * 3).contains(&took), "{took:?}");
}

#[tokio::test]
async fn more_connections_than_allowed_wait_for_their_turn() {
    let server = start().await;
    let mut idle = Vec::new();
    for _ in 0..MAX_CONNECTIONS {
        idle.push(TcpStream::connect(server.address).await.unwrap());
    }
    let asking = server.get("/livez");
    tokio::pin!(asking);
    let early = tokio::time::timeout(Duration::from_millis(300), &mut asking).await;
    assert!(early.is_err(), "answered beside {MAX_CONNECTIONS} others");
    idle.clear();
    let answer = tokio::time::timeout(MAX_LIFE * 2, asking).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn it_stops_when_told_although_a_connection_is_open() {
    let server = start().await;
    let _idle = TcpStream::connect(server.address).await.unwrap();
    assert!(server.get("/livez").await.starts_with("HTTP/1.1 200"));
    server.stop.send(()).unwrap();
    let ended = tokio::time::timeout(MAX_LIFE * 2, server.task).await;
    ended.unwrap().unwrap().unwrap();
}
