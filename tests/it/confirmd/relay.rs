//! A cable between the daemon and a node that can be cut: the node lives on, and the daemon cannot reach it.

use std::io;
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
}

fn port_of(url: &str) -> u16 {
    let (_, port) = url.rsplit_once(':').expect("a URL with a port");
    port.parse().expect("a port")
}

impl Wire {
    fn forward(&self, near: TcpStream) -> io::Result<()> {
        if self.cut.load(Ordering::SeqCst) {
            return Ok(()); // dropping it closes it
        }
        let target = self.target.load(Ordering::SeqCst);
        let far = TcpStream::connect((Ipv4Addr::LOCALHOST, target))?;
        pump(near.try_clone()?, far.try_clone()?);
        pump(far.try_clone()?, near.try_clone()?);
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
