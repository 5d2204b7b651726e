//! A cable between the daemon and a node that can be cut: the node lives on, and the daemon cannot reach it.
//! It can twist the node's words as well.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
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
        pump(near.try_clone()?, far.try_clone()?);
        pump_answers(Arc::clone(self), far.try_clone()?, near.try_clone()?);
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

fn pump(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
}

fn pump_answers(wire: Arc<Wire>, mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        let _ = wire.hand_on(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
}

impl Wire {
    fn hand_on(&self, from: &mut TcpStream, to: &mut TcpStream) -> io::Result<()> {
        let (mut part, mut held) = (vec![0; 65_536], Vec::new());
        loop {
            let read = from.read(&mut part)?;
            held.extend_from_slice(&part[..read]);
            let twist = self.twist.lock().expect("no panic").clone();
            let unclear = twist.map_or(0, |twist| twist.apply(&mut held));
            let ready = held.len() - if read == 0 { 0 } else { unclear };
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
