//! One kept HTTP connection to a node on this machine, and as little around it as there can be: what a
//! client takes is held against a client that does nothing else.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
};

pub struct Connection {
    stream: BufReader<TcpStream>,
    body: Vec<u8>,
}

impl Connection {
    /// To a node by its URL.
    pub fn open(url: &str) -> Self {
        let place = url.trim_start_matches("http://");
        let stream = TcpStream::connect(place).expect("a node that listens");
        stream.set_nodelay(true).expect("a connection");
        Self {
            stream: BufReader::new(stream),
            body: Vec::new(),
        }
    }

    pub fn get(&mut self, path: &str) -> &[u8] {
        self.exchange(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
    }

    pub fn post(&mut self, json: &str) -> &[u8] {
        let length = json.len();
        self.exchange(&format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{json}"
        ))
    }

    fn exchange(&mut self, request: &str) -> &[u8] {
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
