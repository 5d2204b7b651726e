//! What stands between the daemon and a simulated node: honest, until it is told how to behave.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use confirmd::chain::rpc::{HttpRequest, HttpResponse, Limits, Verb};
use confirmd::domain::asset::ChainKind;
use confirmd::sandbox::live::Live;
use serde_json::{Value, json};

/// The pace of one that is slow on purpose.
const DRIP: Duration = Duration::from_secs(1);

/// How a server behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    Honest,
    /// A body of a gigabyte, announced.
    Huge,
    /// A body without an end, in pieces.
    Endless,
    /// A small body that unpacks into a gigabyte.
    Bomb,
    /// Headers without an end.
    HeaderFlood,
    /// The head at a byte a second.
    SlowHead,
    /// The body at a byte a second.
    SlowBody,
    /// The request is read, and that is all.
    Silent,
    /// The connection breaks within the body.
    Broken,
    /// Another place is named, which is this server.
    Redirect,
    /// A page for people, as a proxy shows it.
    Html,
    /// This status, with words that are no JSON.
    Status(u16),
    /// An error that repeats what was sent to it.
    Echo,
    /// Answers to other calls.
    WrongIds,
    /// One answer too few.
    ShortBatch,
    /// All answers, the last one first.
    Reordered,
    /// Brackets in brackets.
    Deep,
}

/// A server in front of a node. Its threads end with their connections.
pub struct Front {
    port: u16,
    manner: Arc<Mutex<Manner>>,
}

struct Server {
    live: Live,
    chain: ChainKind,
    manner: Arc<Mutex<Manner>>,
}

pub struct Request {
    head: String,
    pub exchange: HttpRequest,
}

impl Front {
    pub fn of(live: &Live, chain: ChainKind) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let manner = Arc::new(Mutex::new(Manner::Honest));
        let server = Arc::new(Server {
            live: live.clone(),
            chain,
            manner: Arc::clone(&manner),
        });
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = Arc::clone(&server);
                thread::spawn(move || server.serve(stream));
            }
        });
        Self { port, manner }
    }

    pub const fn port(&self) -> u16 {
        self.port
    }

    /// From now on it behaves like this; what it is in the middle of breaks off.
    pub fn behave(&self, manner: Manner) {
        *self.manner.lock().expect("no panic") = manner;
    }
}

impl Server {
    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut stream = stream;
        while let Some(request) = read(&mut reader)? {
            let manner = self.manner();
            let honest = self
                .live
                .with(|world| world.respond(self.chain, &request.exchange));
            self.answer(manner, &request, honest, &mut stream)?;
        }
        Ok(())
    }

    fn manner(&self) -> Manner {
        *self.manner.lock().expect("no panic")
    }

    fn answer(
        &self,
        manner: Manner,
        request: &Request,
        honest: HttpResponse,
        stream: &mut TcpStream,
    ) -> io::Result<()> {
        let honest = honest.body;
        match manner {
            Manner::Honest => send(stream, 200, "", &honest),
            Manner::Huge => {
                head(stream, 200, "Content-Length: 1073741824")?;
                self.repeat(manner, stream, &[b' '; 0x1000], Duration::ZERO)
            }
            Manner::Endless => {
                head(stream, 200, "Transfer-Encoding: chunked")?;
                let piece = [&b"1000\r\n"[..], &[b' '; 0x1000], b"\r\n"].concat();
                self.repeat(manner, stream, &piece, Duration::ZERO)
            }
            Manner::Bomb => {
                head(stream, 200, "Content-Encoding: gzip\r\nConnection: close")?;
                stream.write_all(&bomb())?;
                Err(io::ErrorKind::ConnectionAborted.into())
            }
            Manner::HeaderFlood => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
                self.repeat(manner, stream, b"X-Flood: water\r\n", Duration::ZERO)
            }
            Manner::SlowHead => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nX-Slow: ")?;
                self.repeat(manner, stream, b"x", DRIP)
            }
            Manner::SlowBody => {
                head(stream, 200, "Content-Length: 1000")?;
                self.repeat(manner, stream, b" ", DRIP)
            }
            Manner::Silent => self.repeat(manner, stream, b"", DRIP),
            Manner::Broken => {
                head(stream, 200, &format!("Content-Length: {}", honest.len()))?;
                stream.write_all(&honest[..honest.len() / 2])?;
                Err(io::ErrorKind::ConnectionAborted.into())
            }
            Manner::Redirect => {
                let location = format!(
                    "Location: http://127.0.0.1:{}/",
                    stream.local_addr()?.port()
                );
                send(stream, 307, &location, b"")
            }
            Manner::Html => send(stream, 200, "", b"<html><h1>Sign in, please</h1></html>"),
            Manner::Status(status) => send(stream, status, "Retry-After: 1", b"<h1>No.</h1>"),
            Manner::Echo => send(stream, 200, "", &echo(&request.head, &honest)),
            Manner::WrongIds => send(stream, 200, "", &each(&honest, wrong_id)),
            Manner::Deep => send(stream, 200, "", &deep(&honest)),
            Manner::ShortBatch => send(stream, 200, "", &list(&honest, |all| drop(all.pop()))),
            Manner::Reordered => send(stream, 200, "", &list(&honest, |all| all.reverse())),
        }
    }

    /// Sends the same again and again, as long as that is its manner and somebody is there.
    fn repeat(
        &self,
        manner: Manner,
        stream: &mut TcpStream,
        bytes: &[u8],
        pace: Duration,
    ) -> io::Result<()> {
        while self.manner() == manner {
            stream.write_all(bytes)?;
            thread::sleep(pace); // it is as slow as it is told to be
        }
        Err(io::ErrorKind::ConnectionAborted.into())
    }
}

/// The next request on a connection; `None` at its end.
pub fn read(reader: &mut BufReader<TcpStream>) -> io::Result<Option<Request>> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(None);
        }
    }
    let lower = head.to_lowercase();
    let length = lower
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |digits| digits.parse().expect("a length"))];
    reader.read_exact(&mut body)?;
    let exchange = HttpRequest {
        verb: Verb::Post(body),
        path: String::new(),
        authorization: None,
        limits: Limits::ANSWER,
    };
    Ok(Some(Request { head, exchange }))
}

fn head(stream: &mut TcpStream, status: u16, fields: &str) -> io::Result<()> {
    let fields = if fields.is_empty() { "X: y" } else { fields };
    write!(stream, "HTTP/1.1 {status} Said\r\n{fields}\r\n\r\n")
}

pub fn send(stream: &mut TcpStream, status: u16, field: &str, body: &[u8]) -> io::Result<()> {
    let field = if field.is_empty() { "X: y" } else { field };
    let length = body.len();
    head(
        stream,
        status,
        &format!("{field}\r\nContent-Length: {length}"),
    )?;
    stream.write_all(body)
}

fn parse(honest: &[u8]) -> Value {
    serde_json::from_slice(honest).expect("an answer of our own")
}

/// The answers with something done to each.
fn each(honest: &[u8], change: impl Fn(&mut Value)) -> Vec<u8> {
    let mut answer = parse(honest);
    if let Value::Array(all) = &mut answer {
        all.iter_mut().for_each(change);
    } else {
        change(&mut answer);
    }
    answer.to_string().into_bytes()
}

/// The answers with something done to their list, where it is one.
fn list(honest: &[u8], change: impl Fn(&mut Vec<Value>)) -> Vec<u8> {
    let mut answer = parse(honest);
    if let Value::Array(all) = &mut answer {
        change(all);
    }
    answer.to_string().into_bytes()
}

fn wrong_id(answer: &mut Value) {
    answer["id"] = json!(answer["id"].as_u64().unwrap_or(0) + 1_000);
}

fn echo(head: &str, honest: &[u8]) -> Vec<u8> {
    let lines: Vec<&str> = head.lines().filter(|line| !line.is_empty()).collect();
    let message = format!("out of order \u{1b}[31m {}", lines.join(" | "));
    each(honest, |answer| {
        *answer = json!({"id": answer["id"], "error": {"code": -32603, "message": message}});
    })
}

/// Text, because no JSON library would make it.
fn deep(honest: &[u8]) -> Vec<u8> {
    let (open, close) = ("[".repeat(100_000), "]".repeat(100_000));
    let answer = |of: &Value| format!(r#"{{"id":{},"result":{open}{close}}}"#, of["id"]);
    let text = if let Value::Array(all) = parse(honest) {
        let all: Vec<String> = all.iter().map(answer).collect();
        format!("[{}]", all.join(","))
    } else {
        answer(&parse(honest))
    };
    text.into_bytes()
}

/// A gzip stream of a gigabyte of zeros: the byte 0, then "258 bytes back by 1" again and again.
fn bomb() -> Vec<u8> {
    const TURNS: usize = 520_000;
    let header = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    // One final block with fixed codes. One run behind its beginning fills whole bytes, and so do eight more.
    let run = "1100010100000";
    let begun = packed(&format!("11000110000{run}"));
    let turn = packed(&run.repeat(8));
    [&header[..], &begun, &turn.repeat(TURNS)].concat()
}

/// Bits as bytes, the first bit lowest.
fn packed(bits: &str) -> Vec<u8> {
    let bits: Vec<u8> = bits.bytes().map(|bit| bit - b'0').collect();
    let byte = |bits: &[u8]| bits.iter().rev().fold(0, |byte, bit| byte << 1 | bit);
    bits.chunks(8).map(byte).collect()
}
