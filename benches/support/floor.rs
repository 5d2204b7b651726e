//! The least that a client of a bitcoind can do with a block and yet believe it: one thread downloads
//! it over one kept connection to REST, parses it, visits every output, computes every txid and
//! checks the merkle root. What a daemon takes for a block is held against this.

use bitcoin::{Block, Transaction, Txid, consensus::deserialize, merkle_tree};
use std::{
    hint::black_box,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
};

/// A connection to a bitcoind's REST interface.
pub struct Floor {
    stream: BufReader<TcpStream>,
    body: Vec<u8>,
}

impl Floor {
    /// To a node on this machine, by its URL.
    pub fn connect(url: &str) -> Self {
        let place = url.trim_start_matches("http://");
        let stream = TcpStream::connect(place).expect("a node that listens");
        stream.set_nodelay(true).expect("a connection");
        Self {
            stream: BufReader::new(stream),
            body: Vec::new(),
        }
    }

    /// Downloads and checks a block.
    pub fn read(&mut self, hash: &str) -> Block {
        let block: Block = deserialize(self.raw(hash)).expect("a block");
        black_box(sum(&block));
        let txids: Vec<Txid> = block.txdata.iter().map(Transaction::compute_txid).collect();
        let root = merkle_tree::calculate_root(txids.iter().map(|txid| txid.to_raw_hash()));
        let expected = block.header.merkle_root.to_raw_hash();
        assert_eq!(root, Some(expected), "another block");
        block
    }

    /// Downloads a block.
    pub fn raw(&mut self, hash: &str) -> &[u8] {
        let request = format!("GET /rest/block/{hash}.bin HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let stream = self.stream.get_mut();
        stream.write_all(request.as_bytes()).expect("a connection");
        let length = self.length();
        self.body.resize(length, 0);
        let read = self.stream.read_exact(&mut self.body);
        read.expect("a whole body");
        &self.body
    }

    /// Reads the head of an answer: how long the body is.
    fn length(&mut self) -> usize {
        let (mut length, mut line) = (None, String::new());
        loop {
            line.clear();
            self.stream.read_line(&mut line).expect("a head");
            if line.trim_end().is_empty() {
                return length.expect("a length");
            }
            let (name, value) = line.split_once(':').unwrap_or_default();
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().ok();
            }
        }
    }
}

/// Of something from every output.
fn sum(block: &Block) -> u64 {
    let outputs = block.txdata.iter().flat_map(|tx| &tx.output);
    outputs.fold(0, |sum, output| {
        let last = output.script_pubkey.as_bytes().last().copied();
        sum.wrapping_add(output.value.to_sat() ^ u64::from(last.unwrap_or_default()))
    })
}
