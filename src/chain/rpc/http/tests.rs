//! HTTP against real sockets whose other end is hostile.

use super::*;
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// A server on loopback that runs `answer` for every request it has read.
struct Server {
    url: Url,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(
        answer: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Self {
            url: Url::parse(&format!("http://127.0.0.1:{port}/")).unwrap(),
            connections: Arc::default(),
            requests: Arc::default(),
        };
        let (connections, requests) = (
            Arc::clone(&server.connections),
            Arc::clone(&server.requests),
        );
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                connections.fetch_add(1, Ordering::SeqCst);
                while let Some(request) = read_request(&mut stream) {
                    requests.lock().unwrap().push(request);
                    if answer(&mut stream).is_err() {
                        break;
                    }
                }
            }
        });
        server
    }

    /// A server that always sends these bytes.
    fn saying(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::start(move |stream| stream.write_all(&bytes))
    }

    async fn ask(&self, limits: Limits) -> Result<HttpResponse, TransportError> {
        let transport = HttpTransport::new(&self.url).unwrap();
        transport.exchange(&request(limits)).await
    }
}

/// One request: everything up to the empty line, and a body as long as announced.
fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let text = String::from_utf8(head).unwrap().to_lowercase();
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |digits| digits.parse().unwrap());
    stream.read_exact(&mut vec![0; length]).ok()?;
    Some(text)
}

fn request(limits: Limits) -> HttpRequest {
    HttpRequest {
        verb: Verb::Post(b"{}".to_vec()),
        path: String::new(),
        authorization: None,
        limits,
    }
}

/// Room for 1000 bytes and 300 ms.
const SMALL: Limits = Limits {
    max_body_bytes: 1000,
    first_byte: Duration::from_millis(300),
    total: Duration::from_millis(300),
};

const TOO_LARGE: Result<HttpResponse, TransportError> =
    Err(TransportError::TooLarge { limit_bytes: 1000 });

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let server = Server::saying("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let transport = HttpTransport::new(&server.url).unwrap();
    for _ in 0..5 {
        let response = transport.exchange(&request(SMALL)).await;
        assert_eq!(response, Ok(HttpResponse::ok("ok")));
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}

/// Of several traces of the largest size only one is held at a time.
#[tokio::test]
async fn very_long_answers_are_read_one_at_a_time() {
    let long = |stream: &mut TcpStream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n")?;
        stream.write_all(&[b' '; 900])
    };
    let server = Server::start(long);
    let mut transport = HttpTransport::new(&server.url).unwrap();
    transport.alone_beyond_bytes = 500;
    let held = transport.alone.acquire().await.unwrap();
    let waited = transport.exchange(&request(SMALL)).await;
    assert!(
        matches!(waited, Err(TransportError::TimedOut { .. })),
        "somebody else reads: {waited:?}"
    );
    drop(held);
    for _ in 0..2 {
        let whole = transport.exchange(&request(SMALL)).await.unwrap();
        assert_eq!(whole.body.len(), 900);
    }
    // Shorter ones wait for nobody.
    transport.alone_beyond_bytes = 900;
    let _held = transport.alone.acquire().await.unwrap();
    assert!(transport.exchange(&request(SMALL)).await.is_ok());
}

// shows: P5
#[tokio::test]
async fn an_endless_body_is_cut_off() {
    let server = Server::start(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")?;
        loop {
            stream.write_all(&[b' '; 4096])?;
        }
    });
    assert_eq!(server.ask(SMALL).await, TOO_LARGE);
}

#[tokio::test]
async fn a_body_of_just_the_limit_passes_and_one_byte_more_does_not() {
    let body = |len: usize| {
        let text = "x".repeat(len);
        Server::saying(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {len}\r\n\r\n{text}"
        ))
    };
    assert!(body(1000).ask(SMALL).await.is_ok());
    assert_eq!(body(1001).ask(SMALL).await, TOO_LARGE);
}

/// A gzip stream of `runs` × 258 zero bytes, at 13 bits a run.
fn bomb(runs: usize) -> Vec<u8> {
    let header = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    // One final block with fixed codes: the byte 0, then "258 bytes back by 1" again and again.
    let start = "11000110000";
    let run = "1100010100000";
    let bits: Vec<u8> = start
        .bytes()
        .chain(run.bytes().cycle().take(runs * run.len()))
        .collect();
    let packed = bits.chunks(8).map(|bits| {
        bits.iter()
            .rev()
            .fold(0, |byte, bit| byte << 1 | (bit - b'0'))
    });
    header.into_iter().chain(packed).collect()
}

fn gzipped(body: &[u8]) -> Server {
    let length = body.len();
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {length}\r\n\r\n");
    Server::saying([head.as_bytes(), body].concat())
}

// shows: P5
#[tokio::test]
async fn compressed_answers_are_read_and_bombs_are_not() {
    let small = [
        31, 139, 8, 0, 0, 0, 0, 0, 2, 255, 171, 86, 202, 76, 81, 178, 50, 172, 5, 0, 197, 248, 93,
        68, 8, 0, 0, 0,
    ];
    let read = gzipped(&small).ask(SMALL).await.unwrap();
    assert_eq!(read.body, br#"{"id":1}"#);
    let bomb = bomb(400);
    assert!(
        bomb.len() < 700,
        "the limit counts what comes out, not what went in"
    );
    assert_eq!(gzipped(&bomb).ask(SMALL).await, TOO_LARGE);
}

// shows: P5
#[tokio::test]
async fn a_dripping_and_a_silent_node_are_left() {
    let drip = Server::start(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n")?;
        loop {
            stream.write_all(b" ")?;
            thread::sleep(Duration::from_millis(20));
        }
    });
    let missing = |missing| Err(timed_out(missing, SMALL.total));
    assert_eq!(drip.ask(SMALL).await, missing("end of the answer"));
    let silent = Server::start(|_| Ok(()));
    assert_eq!(silent.ask(SMALL).await, missing("answer"));
}

// shows: P5
#[tokio::test]
async fn an_answer_that_breaks_off_is_no_answer() {
    let server = Server::start(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n[1,2")?;
        Err(std::io::ErrorKind::Other.into())
    });
    let answer = server.ask(SMALL).await;
    assert!(
        matches!(answer, Err(TransportError::Broken(_))),
        "{answer:?}"
    );
}

// shows: P5
#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Server::saying("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let location = &elsewhere.url;
    let server = Server::saying(format!(
        "HTTP/1.1 307 Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
    ));
    assert_eq!(server.ask(SMALL).await.unwrap().status, 307);
    assert_eq!(elsewhere.connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn status_and_pause_are_passed_on() {
    let server = Server::saying(
        "HTTP/1.1 429 Slow down\r\nRetry-After: 17\r\nContent-Length: 4\r\n\r\nslow",
    );
    let response = server.ask(SMALL).await.unwrap();
    assert_eq!(
        (response.status, response.retry_after_secs),
        (429, Some(17))
    );
    assert_eq!(response.body, b"slow");
}

#[tokio::test]
async fn a_pause_until_a_date_is_counted_by_the_nodes_own_clock() {
    const NOW: &str = "Date: Fri, 31 Dec 1999 23:59:29 GMT\r\n";
    for (until, date, secs) in [
        ("Fri, 31 Dec 1999 23:59:59 GMT", NOW, Some(30)),
        ("Sat, 01 Jan 2000 01:00:00 GMT", NOW, Some(3631)),
        ("Fri, 31 Dec 1999 20:00:00 GMT", NOW, Some(0)),
        ("Fri, 31 Dec 1999 23:59:59 GMT", "", None),
        ("tomorrow", NOW, None),
        ("-5", NOW, None),
    ] {
        let server = Server::saying(format!(
            "HTTP/1.1 503 Busy\r\n{date}Retry-After: {until}\r\nContent-Length: 0\r\n\r\n"
        ));
        let response = server.ask(SMALL).await.unwrap();
        assert_eq!(response.retry_after_secs, secs, "{until}, {date:?}");
    }
}

#[tokio::test]
async fn requests_go_where_the_url_says_with_what_it_says() {
    let mut server = Server::saying("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let port = server.url.port().unwrap();
    server.url = Url::parse(&format!("http://me:pw@127.0.0.1:{port}/v3/key?q=1")).unwrap();
    server.ask(SMALL).await.unwrap();
    let transport = HttpTransport::new(&server.url).unwrap();
    let get = HttpRequest {
        verb: Verb::Get,
        path: "/rest/x.bin".into(),
        authorization: Some("Basic Zm9v".to_owned().into()),
        limits: SMALL,
    };
    transport.exchange(&get).await.unwrap();
    let requests = server.requests.lock().unwrap();
    assert!(
        requests[0].starts_with("post /v3/key?q=1 http/1.1\r\n"),
        "{requests:?}"
    );
    assert!(
        requests[0].contains("authorization: basic bwu6chc=\r\n"),
        "{requests:?}"
    );
    assert!(
        requests[1].starts_with("get /v3/key/rest/x.bin?q=1 http/1.1\r\n"),
        "{requests:?}"
    );
    assert!(
        requests[1].contains("authorization: basic zm9v\r\n"),
        "{requests:?}"
    );
}

#[tokio::test]
async fn escapes_in_user_and_password_are_undone() {
    let mut server = Server::saying("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let port = server.url.port().unwrap();
    server.url = Url::parse(&format!("http://m%65:p%40w%3A@127.0.0.1:{port}/")).unwrap();
    server.ask(SMALL).await.unwrap();
    let requests = server.requests.lock().unwrap();
    // "me:p@w:", and the server reads in lower case.
    assert!(
        requests[0].contains("authorization: basic bwu6ceb3og==\r\n"),
        "{requests:?}"
    );
}

#[tokio::test]
async fn no_text_shows_more_of_the_url_than_scheme_host_and_port() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let server = Server::start(|_| Err(std::io::ErrorKind::Other.into()));
    let open = server.url.port().unwrap();
    for port in [closed, open] {
        let url =
            format!("http://canary-user:canary-pass@127.0.0.1:{port}/canary-path?canary=query");
        let transport = HttpTransport::new(&Url::parse(&url).unwrap()).unwrap();
        let error = transport.exchange(&request(SMALL)).await.unwrap_err();
        let shown = format!("{transport:?} {error} {error:?} {}", transport.place());
        assert!(
            shown.contains(&format!("http://127.0.0.1:{port}")),
            "{shown}"
        );
        assert!(!shown.contains("canary"), "{shown}");
    }
}

#[test]
fn only_http_is_spoken() {
    for (url, good) in [
        ("http://node", true),
        ("https://node/key", true),
        ("ftp://node/", false),
        ("file:///etc/passwd", false),
    ] {
        let transport = HttpTransport::new(&Url::parse(url).unwrap());
        assert_eq!(transport.is_ok(), good, "{url}");
    }
}
