//! A provider between a real node and the daemon: hands on every answer, each of a batch by itself, but for those
//! that it was told to give instead.

use std::io::{self, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use confirmd::chain::rpc::Verb;
use serde_json::{Value, json};

use super::recorded::{Lie, call};
use crate::hostile::front::{read, send};
use crate::nodes::anvil::Anvil;
use crate::nodes::rpc::{Rpc, RpcError};

/// Its threads end with their connections.
pub struct Middle {
    port: u16,
    provider: Arc<Provider>,
}

struct Provider {
    node: Rpc,
    lies: Mutex<Vec<Lie>>,
    twist: Mutex<Option<Twist>>,
    refused: Mutex<&'static [&'static str]>,
    told: AtomicUsize,
    gate: Mutex<Gate>,
    moved: Condvar,
}

/// Whether requests wait, and how many are being answered.
#[derive(Default)]
struct Gate {
    is_held: bool,
    answering: usize,
}

/// The answers to one method, and what is made of them; nothing is said where it gives nothing.
type Twist = (
    &'static str,
    Box<dyn Fn(Value) -> Result<Value, Refusal> + Send>,
);

/// A code and words.
pub type Refusal = (i64, &'static str);

impl Middle {
    /// Honest, until it is told otherwise.
    pub fn before(anvil: &Anvil) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let provider = Arc::new(Provider {
            node: anvil.rpc().clone(),
            lies: Mutex::default(),
            twist: Mutex::default(),
            refused: Mutex::default(),
            told: AtomicUsize::new(0),
            gate: Mutex::default(),
            moved: Condvar::new(),
        });
        let serving = Arc::clone(&provider);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let provider = Arc::clone(&serving);
                thread::spawn(move || provider.serve(stream));
            }
        });
        Self { port, provider }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// From now on this is its answer to these calls.
    pub fn lie(&self, lies: Vec<Lie>) {
        *self.provider.lies.lock().expect("no panic") = lies;
    }

    /// From now on this is made of its answers to this method, of null where the node refuses.
    pub fn twist(
        &self,
        method: &'static str,
        twist: impl Fn(Value) -> Result<Value, Refusal> + Send + 'static,
    ) {
        *self.provider.twist.lock().expect("no panic") = Some((method, Box::new(twist)));
    }

    /// From now on it offers no method whose name begins so.
    pub fn refuse(&self, beginnings: &'static [&'static str]) {
        *self.provider.refused.lock().expect("no panic") = beginnings;
    }

    pub fn be_honest(&self) {
        self.lie(Vec::new());
        *self.provider.twist.lock().expect("no panic") = None;
    }

    /// Answers nothing from now on, and nothing of what it was asked before: no answer is half of one moment and half
    /// of another.
    pub fn hold(&self) {
        let mut gate = self.provider.gate.lock().expect("no panic");
        gate.is_held = true;
        let is_busy = |gate: &mut Gate| gate.answering > 0;
        let idle = self.provider.moved.wait_while(gate, is_busy);
        drop(idle.expect("no panic"));
    }

    /// Answers again.
    pub fn release(&self) {
        self.provider.gate.lock().expect("no panic").is_held = false;
        self.provider.moved.notify_all();
    }

    /// How many answers of its own it has given.
    pub fn told(&self) -> usize {
        self.provider.told.load(Ordering::SeqCst)
    }
}

impl Provider {
    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        while let Some(request) = read(&mut reader)? {
            let Verb::Post(body) = &request.exchange.verb else {
                return Err(io::ErrorKind::InvalidInput.into());
            };
            let asked = serde_json::from_slice(body)?;
            self.enter();
            let answer = self.answer(&asked);
            self.leave();
            let answer = answer?;
            send(&mut stream, 200, "", answer.as_bytes())?;
        }
        Ok(())
    }

    /// Waits at the gate.
    fn enter(&self) {
        let gate = self.gate.lock().expect("no panic");
        let is_held = |gate: &mut Gate| gate.is_held;
        let mut gate = self.moved.wait_while(gate, is_held).expect("no panic");
        gate.answering += 1;
    }

    fn leave(&self) {
        self.gate.lock().expect("no panic").answering -= 1;
        self.moved.notify_all();
    }

    fn answer(&self, asked: &Value) -> io::Result<String> {
        let Value::Array(calls) = asked else {
            return self.answer_one(asked);
        };
        let answers = calls.iter().map(|call| self.answer_one(call));
        let answers = answers.collect::<io::Result<Vec<String>>>()?;
        Ok(format!("[{}]", answers.join(",")))
    }

    fn answer_one(&self, asked: &Value) -> io::Result<String> {
        let method = asked["method"].as_str().unwrap_or_default();
        let result = match self.lie_about(&call(method, &asked["params"])) {
            Some(lie) => format!(r#""result":{lie}"#),
            None if self.refuses(method) => refusal(-32601, "the method does not exist"),
            None => match self.node.try_call(method, asked["params"].clone()) {
                Ok(truth) => self.twisted(method, truth),
                Err(RpcError::Node { .. }) if self.twists(method) => {
                    self.twisted(method, Value::Null)
                }
                Err(RpcError::Node { code, message }) => refusal(code, &message),
                Err(RpcError::Transport(error)) => return Err(io::Error::other(error)),
            },
        };
        Ok(format!(
            r#"{{"jsonrpc":"2.0","id":{},{result}}}"#,
            asked["id"]
        ))
    }

    fn refuses(&self, method: &str) -> bool {
        let refused = self.refused.lock().expect("no panic");
        refused
            .iter()
            .any(|beginning| method.starts_with(beginning))
    }

    fn twists(&self, method: &str) -> bool {
        let twist = self.twist.lock().expect("no panic");
        twist.as_ref().is_some_and(|(of, _)| *of == method)
    }

    fn twisted(&self, method: &str, truth: Value) -> String {
        let twist = self.twist.lock().expect("no panic");
        let told = match twist.as_ref().filter(|(of, _)| *of == method) {
            Some((_, twist)) => twist(truth),
            None => Ok(truth),
        };
        match told {
            Ok(told) => format!(r#""result":{told}"#),
            Err((code, message)) => refusal(code, message),
        }
    }

    fn lie_about(&self, call: &str) -> Option<String> {
        let lies = self.lies.lock().expect("no panic");
        let (_, lie) = lies.iter().find(|(of, _)| of == call)?;
        self.told.fetch_add(1, Ordering::SeqCst);
        Some(lie.clone())
    }
}

fn refusal(code: i64, message: &str) -> String {
    let error = json!({"code": code, "message": message});
    format!(r#""error":{error}"#)
}
