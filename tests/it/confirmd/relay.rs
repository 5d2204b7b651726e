//! A cable between the daemon and a node that can be cut: the node lives on, and the daemon cannot reach it.
//! It can twist the node's words as well, hold answers back, and put those of a batch into another order.

mod answers;
mod jumble;

use answers::{Answers, Connection};
use jumble::Jumble;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// Forwards loopback connections to a node's port until it is cut.
pub struct Relay {
    port: u16,
    wire: Arc<Wire>,
}

#[derive(Default)]
struct Wire {
    cut: AtomicBool,
    target: AtomicU16,
    ends: Mutex<Vec<TcpStream>>,
    twist: Mutex<Option<Twist>>,
    answers: Answers,
    jumble: Mutex<Option<Jumble>>,
    connections: AtomicU64,
}

/// What the node says, and what the daemon hears instead.
#[derive(Clone)]
struct Twist {
    truth: Vec<u8>,
    lie: Vec<u8>,
}

impl Relay {
    /// A relay to the node at this URL.
    pub fn to(url: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let wire = Arc::<Wire>::default();
        wire.target.store(port_of(url), Ordering::SeqCst);
        let accepting = Arc::clone(&wire);
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let _ = accepting.forward(near);
            }
        });
        Self { port, wire }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Drops every connection, and each new one at once.
    pub fn cut(&self) {
        self.wire.cut.store(true, Ordering::SeqCst);
        for end in self.wire.ends.lock().expect("no panic").drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    /// Drops every connection; new ones lead to another node.
    pub fn lead_to(&self, url: &str) {
        self.cut();
        self.wire.target.store(port_of(url), Ordering::SeqCst);
        self.mend();
    }

    pub fn mend(&self) {
        self.wire.cut.store(false, Ordering::SeqCst);
    }

    /// From now on the daemon hears the lie wherever the node says the truth; no length changes.
    pub fn twist(&self, truth: &str, lie: &str) {
        assert_eq!(truth.len(), lie.len(), "an answer keeps its length");
        *self.wire.twist.lock().expect("no panic") = Some(Twist {
            truth: truth.into(),
            lie: lie.into(),
        });
    }

    /// What becomes of the node's answers on their way.
    pub fn answers(&self) -> &Answers {
        &self.wire.answers
    }

    /// From now on the answers of each batch come in another order, which the seed says.
    pub fn jumble(&self, seed: u64) {
        *self.wire.jumble.lock().expect("no panic") = Some(Jumble::new(seed));
    }

    /// How many batches came in another order.
    pub fn jumbled(&self) -> u64 {
        let jumble = self.wire.jumble.lock().expect("no panic");
        jumble.as_ref().map_or(0, |jumble| jumble.batches)
    }

    /// Ends [`twist`](Self::twist).
    pub fn be_true(&self) {
        *self.wire.twist.lock().expect("no panic") = None;
    }
}

fn port_of(url: &str) -> u16 {
    let (_, port) = url.rsplit_once(':').expect("a URL with a port");
    port.parse().expect("a port")
}

impl Wire {
    fn forward(self: &Arc<Self>, near: TcpStream) -> io::Result<()> {
        if self.cut.load(Ordering::SeqCst) {
            return Ok(()); // dropping it closes it
        }
        let target = self.target.load(Ordering::SeqCst);
        let far = TcpStream::connect((Ipv4Addr::LOCALHOST, target))?;
        let number = self.connections.fetch_add(1, Ordering::SeqCst);
        let on = Arc::new(Connection::new(number));
        let (asking, answering) = (Arc::clone(self), Arc::clone(self));
        let (from, to) = (near.try_clone()?, far.try_clone()?);
        pump(to, {
            let on = Arc::clone(&on);
            move |to| asking.pass_on(&on, from, to)
        });
        let (from, to) = (far.try_clone()?, near.try_clone()?);
        pump(to, move |to| {
            let ended = answering.hand_on(&on, from, to);
            answering.answers.ended(&on);
            ended
        });
        let mut ends = self.ends.lock().expect("no panic");
        ends.extend([near, far]);
        if self.cut.load(Ordering::SeqCst) {
            for end in ends.drain(..) {
                end.shutdown(Shutdown::Both)?;
            }
        }
        Ok(())
    }
}

/// Moves bytes on a thread of its own until there are no more.
fn pump(mut to: TcpStream, carry: impl FnOnce(&mut TcpStream) -> io::Result<()> + Send + 'static) {
    thread::spawn(move || {
        let _ = carry(&mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
}

impl Wire {
    fn pass_on(&self, on: &Connection, mut from: TcpStream, to: &mut TcpStream) -> io::Result<()> {
        let (mut part, mut before) = (vec![0; 65_536], Vec::new());
        loop {
            let read = from.read(&mut part)?;
            if read == 0 {
                return Ok(());
            }
            self.answers.asked(on, &mut before, &part[..read]);
            to.write_all(&part[..read])?;
        }
    }

    fn hand_on(&self, on: &Connection, mut from: TcpStream, to: &mut TcpStream) -> io::Result<()> {
        let (mut part, mut held) = (vec![0; 65_536], Vec::new());
        loop {
            let read = from.read(&mut part)?;
            held.extend_from_slice(&part[..read]);
            let twist = self.twist.lock().expect("no panic").clone();
            let unclear = twist.map_or(0, |twist| twist.apply(&mut held));
            let mut ready = held.len() - if read == 0 { 0 } else { unclear };
            if let Some(jumble) = self.jumble.lock().expect("no panic").as_mut()
                && !jumble.apply(&mut held)
                && read > 0
            {
                ready = 0;
            }
            if ready > 0 {
                self.answers.came(on);
            }
            to.write_all(&held[..ready])?;
            held.drain(..ready);
            if read == 0 {
                return Ok(());
            }
        }
    }
}

impl Twist {
    /// Puts the lie in place of the truth; how many bytes at the end may be the truth's beginning.
    fn apply(&self, bytes: &mut [u8]) -> usize {
        let len = self.truth.len();
        for at in 0..(bytes.len() + 1).saturating_sub(len) {
            if bytes[at..].starts_with(&self.truth) {
                bytes[at..at + len].copy_from_slice(&self.lie);
            }
        }
        let longest = bytes.len().min(len - 1);
        let begins = |kept: &usize| bytes.ends_with(&self.truth[..*kept]);
        (1..=longest).rev().find(begins).unwrap_or(0)
    }
}
