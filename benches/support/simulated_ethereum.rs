//! A simulated Ethereum node behind a port, whose blocks hold what a program wants.

use crate::support::{
    configuration::{ANVILS_CHAIN_ID, USDT},
    payments,
};
use alloy_primitives::U256;
use confirmd::{
    chain::rpc::{HttpRequest, Limits, Verb},
    domain::{
        block::{BlockHash, BlockRef},
        time::UnixMs,
    },
    sandbox::{
        ethereum::{Chain, Intent, Move, Sender, SimulatedNode, Token, TokenKind, Tx, View},
        json_rpc::{Node, respond},
    },
};
use serde_json::json;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// When the chain began: in 2023. On a local chain nobody minds.
const BEGAN: UnixMs = UnixMs(1_700_000_000_000);
/// Between two blocks.
const BLOCK_MS: i64 = 12_000;
/// A contract that calls tokens.
const ROUTER: [u8; 20] = [0xc0; 20];
/// A token that nobody watches.
const ANOTHER: [u8; 20] = [0xdb; 20];

/// The node. Its threads end with the program.
pub struct Simulation {
    node: Arc<Mutex<(Chain, View)>>,
    place: SocketAddr,
    sender: Sender,
}

impl Simulation {
    pub fn start() -> Self {
        let token = |contract, symbol: &str| Token {
            contract,
            symbol: symbol.to_owned(),
            decimals: 6,
            kind: TokenKind::Tether,
        };
        let tokens = vec![token(USDT, "USDT"), token(ANOTHER, "OTHER")];
        let chain = Chain::new(ANVILS_CHAIN_ID, BEGAN, tokens).with_contract(ROUTER);
        let view = View::new(&chain);
        let node = Arc::new(Mutex::new((chain, view)));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let place = listener.local_addr().expect("an address");
        let serving = Arc::clone(&node);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, node) = (stream.expect("a connection"), Arc::clone(&serving));
                thread::spawn(move || serve(stream, &node));
            }
        });
        Self {
            node,
            place,
            sender: Sender::new(ANVILS_CHAIN_ID, 0),
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.place)
    }

    pub fn genesis(&self) -> BlockRef {
        self.with(|chain, _| chain.genesis())
    }

    /// A transaction that moves ether.
    pub fn ether(&mut self, to: u64) -> Tx {
        let to = payments::account(to);
        self.sender.sign(Intent::ether(to, U256::ONE))
    }

    /// A transaction that pays these payments in USDT.
    pub fn usdt(&mut self, to: impl Iterator<Item = u64>) -> Tx {
        self.tokens(USDT, to)
    }

    /// A transaction that moves tokens that nobody watches.
    pub fn other_tokens(&mut self, to: impl Iterator<Item = u64>) -> Tx {
        self.tokens(ANOTHER, to)
    }

    fn tokens(&mut self, token: [u8; 20], to: impl Iterator<Item = u64>) -> Tx {
        let moves = to.map(|n| Move {
            token,
            from: None,
            to: payments::account(n).into_array(),
            amount: U256::from(payments::MICRO_USDT),
        });
        self.sender.sign(Intent::tokens(ROUTER, moves.collect()))
    }

    /// Makes a block on that one; the node does not have it yet.
    pub fn block_on(&self, parent: &BlockRef, transactions: Vec<Tx>) -> BlockRef {
        let at = UnixMs(parent.time.0 + BLOCK_MS);
        self.with(|chain, _| chain.extend(parent.id.hash, at, transactions))
            .expect("a parent")
    }

    /// The node has this block and those below it.
    pub fn set_head(&self, block: &BlockRef) {
        self.with(|chain, view| view.set_head(chain, block.id.hash));
    }

    /// What the node answers of a block of its own: its transactions, and its receipts.
    pub fn answers(&self, hash: BlockHash) -> [String; 2] {
        let hash = format!("0x{hash}");
        let calls = [
            ("eth_getBlockByHash", vec![json!(hash), json!(true)]),
            ("eth_getBlockReceipts", vec![json!(hash)]),
        ];
        self.with(|chain, view| {
            let node = SimulatedNode { chain, view };
            calls.map(|(method, params)| {
                let answer = node.call(method, &params);
                answer.expect("a block").get().to_owned()
            })
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut Chain, &mut View) -> T) -> T {
        let mut node = self.node.lock().expect("a node");
        let (chain, view) = &mut *node;
        act(chain, view)
    }
}

/// Answers one connection until the client closes it.
fn serve(stream: TcpStream, node: &Mutex<(Chain, View)>) {
    stream.set_nodelay(true).expect("a connection");
    let mut stream = BufReader::new(stream);
    while let Some(length) = length(&mut stream) {
        let mut body = vec![0; length];
        stream.read_exact(&mut body).expect("a whole request");
        let request = HttpRequest {
            verb: Verb::Post(body),
            path: "/".to_owned(),
            authorization: None,
            limits: Limits::ANSWER,
        };
        let body = {
            let node = node.lock().expect("a node");
            let (chain, view) = &*node;
            respond(&SimulatedNode { chain, view }, &request).body
        };
        let length = body.len();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        let sent = stream.get_mut().write_all(head.as_bytes());
        // A client may give up.
        if sent
            .and_then(|()| stream.get_mut().write_all(&body))
            .is_err()
        {
            return;
        }
    }
}

/// Reads the head of a request: how long its body is, or `None` at the connection's end.
fn length(stream: &mut impl BufRead) -> Option<usize> {
    let (mut length, mut line) = (None, String::new());
    loop {
        line.clear();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line.trim_end().is_empty() {
            return length;
        }
        let (name, value) = line.split_once(':').unwrap_or_default();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok();
        }
    }
}
