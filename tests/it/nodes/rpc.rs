//! A small blocking JSON-RPC client over HTTP/1.1, for the harness alone. One connection a call: slower than
//! a pool, and nothing to go stale when a node is stopped, frozen or started again.

use std::fmt;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

/// A call that takes longer has failed; mining a hundred blocks on a busy machine has not.
const CALL_LIMIT: Duration = Duration::from_mins(1);

/// Where to call, and as whom.
#[derive(Clone, Debug)]
pub struct Rpc {
    port: u16,
    path: String,
    cookie_file: Option<PathBuf>,
}

/// Why a call gave no result.
#[derive(Clone, Debug)]
pub enum RpcError {
    /// No answer, or none that is JSON-RPC: the node is down, starting, or refuses the login.
    Transport(String),
    /// The node's own error.
    Node { code: i64, message: String },
}

impl fmt::Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport(message) => write!(f, "{message}"),
            Self::Node { code, message } => write!(f, "error {code}: {message}"),
        }
    }
}

impl From<io::Error> for RpcError {
    fn from(error: io::Error) -> Self {
        Self::Transport(error.to_string())
    }
}

impl Rpc {
    /// A client of the node at `port` on the loopback interface, without a login.
    pub fn new(port: u16) -> Self {
        Self {
            port,
            path: "/".to_owned(),
            cookie_file: None,
        }
    }

    /// Logs in with what the file holds at the time of each call: bitcoind writes a new cookie at each start.
    pub fn with_cookie(self, file: PathBuf) -> Self {
        Self {
            cookie_file: Some(file),
            ..self
        }
    }

    /// The same node at another path, such as `/wallet/name`.
    pub fn at(&self, path: &str) -> Self {
        Self {
            path: path.to_owned(),
            ..self.clone()
        }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Calls, and panics with the node's words when it refuses.
    pub fn call(&self, method: &str, params: Value) -> Value {
        self.try_call(method, params)
            .unwrap_or_else(|error| panic!("{method} failed: {error}"))
    }

    /// Calls; `params` is an array, or an object where the node takes names.
    pub fn try_call(&self, method: &str, params: Value) -> Result<Value, RpcError> {
        let mut request = json!({"jsonrpc": "2.0", "id": 1, "method": method});
        request["params"] = params;
        let body = self.post(&request.to_string())?;
        let answer: Value = serde_json::from_slice(&body).map_err(|_| {
            let text = String::from_utf8_lossy(&body).into_owned();
            RpcError::Transport(format!("not JSON: {text:?}"))
        })?;
        let error = &answer["error"];
        if error.is_null() {
            return Ok(answer["result"].clone());
        }
        Err(RpcError::Node {
            code: error["code"].as_i64().unwrap_or_default(),
            message: error["message"].as_str().unwrap_or_default().to_owned(),
        })
    }

    /// Fetches a path, as bitcoind's REST interface has them: status and body.
    pub fn get(&self, path: &str) -> Result<(u16, Vec<u8>), RpcError> {
        self.exchange(&format!("GET {path} HTTP/1.1\r\n"), "")
    }

    fn post(&self, body: &str) -> Result<Vec<u8>, RpcError> {
        let head = format!("POST {} HTTP/1.1\r\n", self.path);
        match self.exchange(&head, body)? {
            (401, _) => Err(RpcError::Transport("the login is refused".to_owned())),
            (_, body) => Ok(body),
        }
    }

    fn exchange(&self, request_line: &str, body: &str) -> Result<(u16, Vec<u8>), RpcError> {
        let login = match &self.cookie_file {
            Some(file) => {
                let cookie = fs::read(file)?;
                format!("Authorization: Basic {}\r\n", BASE64.encode(cookie))
            }
            None => String::new(),
        };
        let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        connection.set_read_timeout(Some(CALL_LIMIT))?;
        connection.set_write_timeout(Some(CALL_LIMIT))?;
        let request = format!(
            "{request_line}Host: 127.0.0.1:{}\r\nConnection: close\r\n{login}\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.port,
            body.len(),
        );
        connection.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer)?;
        split(&answer).ok_or_else(|| RpcError::Transport("the answer was cut off".to_owned()))
    }
}

/// The status and the body of an answer whose connection has been closed.
fn split(answer: &[u8]) -> Option<(u16, Vec<u8>)> {
    let gap = b"\r\n\r\n";
    let head_len = answer.windows(gap.len()).position(|bytes| bytes == gap)?;
    let head = std::str::from_utf8(&answer[..head_len]).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, answer[head_len + gap.len()..].to_vec()))
}
