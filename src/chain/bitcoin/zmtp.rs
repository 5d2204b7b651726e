//! ZMTP 3.0 (rfc.zeromq.org/spec/23) as far as a subscriber needs it: shake hands without security,
//! subscribe, read messages. Whoever answers the port may be anybody, so that nothing is kept that is
//! larger than what a notification needs.

use std::io;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

/// Frames of a message.
const FRAMES_MAX: usize = 3;
/// Bytes of a frame: a topic, a hash with a letter and a number, a number; and of a command.
const FRAME_MAX: usize = 255;

/// Bits of a frame's first byte.
const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;

const GREETING: usize = 64;

/// A connection to a publisher.
pub(super) struct Subscriber(BufReader<TcpStream>);

struct Frame {
    flags: u8,
    body: Vec<u8>,
}

impl Subscriber {
    /// Connects to `host:port` and subscribes to these topics.
    ///
    /// # Errors
    /// Of the connection, or `InvalidData` when no publisher answers there.
    pub(super) async fn connect(address: &str, topics: &[&str]) -> io::Result<Self> {
        let mut subscriber = Self(BufReader::new(TcpStream::connect(address).await?));
        subscriber.write(&greeting()).await?;
        let mut theirs = [0; GREETING];
        subscriber.0.read_exact(&mut theirs).await?;
        check_greeting(&theirs)?;
        subscriber.write(&ready()).await?;
        let answer = subscriber.frame().await?;
        if answer.flags & COMMAND == 0 || !answer.body.starts_with(b"\x05READY") {
            return Err(wrong("its handshake ends without READY"));
        }
        for topic in topics {
            subscriber.write(&subscription(topic)?).await?;
        }
        Ok(subscriber)
    }

    /// The frames of the next message.
    ///
    /// # Errors
    /// When the connection ends, and for what no publisher of notifications sends.
    pub(super) async fn message(&mut self) -> io::Result<Vec<Vec<u8>>> {
        let mut frames = Vec::new();
        loop {
            let Frame { flags, body } = self.frame().await?;
            if flags & COMMAND != 0 {
                continue;
            }
            if frames.len() == FRAMES_MAX {
                return Err(wrong("a message has more than three frames"));
            }
            frames.push(body);
            if flags & MORE == 0 {
                return Ok(frames);
            }
        }
    }

    async fn frame(&mut self) -> io::Result<Frame> {
        let flags = self.0.read_u8().await?;
        if flags & !(MORE | LONG | COMMAND) != 0 {
            return Err(wrong("a frame has unknown flags"));
        }
        let length = if flags & LONG == 0 {
            u64::from(self.0.read_u8().await?)
        } else {
            self.0.read_u64().await?
        };
        let length = usize::try_from(length).ok();
        let length = length.filter(|length| *length <= FRAME_MAX);
        let length = length.ok_or_else(|| wrong("a frame is longer than a notification's"))?;
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await?;
        Ok(Frame { flags, body })
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes).await?;
        self.0.flush().await
    }
}

/// Signature, version 3.0, the mechanism NULL, not as a server.
fn greeting() -> [u8; GREETING] {
    let mut greeting = [0; GREETING];
    let parts: [(usize, &[u8]); 3] = [(0, &[0xff]), (9, &[0x7f, 3, 0]), (12, b"NULL")];
    for (at, part) in parts {
        for (to, from) in greeting.iter_mut().skip(at).zip(part) {
            *to = *from;
        }
    }
    greeting
}

fn check_greeting(greeting: &[u8; GREETING]) -> io::Result<()> {
    let [0xff, _, _, _, _, _, _, _, _, 0x7f, major, _, mechanism @ ..] = greeting else {
        return Err(wrong("it does not speak ZMTP"));
    };
    if *major < 3 {
        return Err(wrong("it speaks ZMTP of before 3.0"));
    }
    if !mechanism.starts_with(b"NULL\0") {
        return Err(wrong(
            "it asks for security, which bitcoind's publisher does not",
        ));
    }
    Ok(())
}

/// The command READY of a subscriber.
fn ready() -> Vec<u8> {
    let body = b"\x05READY\x0bSocket-Type\0\0\0\x03SUB";
    [&[COMMAND, 25][..], body].concat()
}

/// A message that subscribes to what begins with a topic.
fn subscription(topic: &str) -> io::Result<Vec<u8>> {
    let length = u8::try_from(topic.len() + 1).map_err(|_| wrong("a topic is too long"))?;
    Ok([&[0, length, 1], topic.as_bytes()].concat())
}

fn wrong(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::{net::TcpListener, time::timeout};

    /// The other side: accepts subscribers one after another and says what it is told.
    pub(in super::super) struct Speaker(TcpStream);

    impl Speaker {
        /// Accepts one subscriber and shakes hands; its subscriptions come back.
        pub(in super::super) async fn accept(listener: &TcpListener) -> (Self, Vec<String>) {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(&greeting()).await.unwrap();
            let mut theirs = [0; GREETING];
            stream.read_exact(&mut theirs).await.unwrap();
            check_greeting(&theirs).unwrap();
            let mut hello = vec![0; 27];
            stream.read_exact(&mut hello).await.unwrap();
            assert_eq!(hello, ready());
            let body = b"\x05READY\x0bSocket-Type\0\0\0\x03PUB";
            let answer = [&[COMMAND, 25][..], body].concat();
            stream.write_all(&answer).await.unwrap();
            let mut topics = Vec::new();
            for _ in 0..2 {
                let mut head = [0; 3];
                stream.read_exact(&mut head).await.unwrap();
                let [0, length, 1] = head else {
                    panic!("no subscription: {head:?}")
                };
                let mut topic = vec![0; usize::from(length) - 1];
                stream.read_exact(&mut topic).await.unwrap();
                topics.push(String::from_utf8(topic).unwrap());
            }
            (Self(stream), topics)
        }

        /// Says a message of these frames.
        pub(in super::super) async fn say(&mut self, frames: &[&[u8]]) {
            let last = frames.len() - 1;
            let mut bytes = Vec::new();
            for (place, frame) in frames.iter().enumerate() {
                let flags = if place == last { 0 } else { MORE };
                bytes.extend([flags, u8::try_from(frame.len()).unwrap()]);
                bytes.extend(*frame);
            }
            self.raw(&bytes).await;
        }

        pub(in super::super) async fn raw(&mut self, bytes: &[u8]) {
            self.0.write_all(bytes).await.unwrap();
        }
    }

    async fn pair() -> (Speaker, Subscriber) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let topics = ["hashblock", "sequence"];
        let connecting = Subscriber::connect(&address, &topics);
        let ((speaker, heard), subscriber) = tokio::join!(Speaker::accept(&listener), connecting);
        assert_eq!(heard, topics);
        (speaker, subscriber.unwrap())
    }

    #[tokio::test]
    async fn messages_come_frame_by_frame_and_commands_are_passed_over() {
        let (mut speaker, mut subscriber) = pair().await;
        speaker.raw(b"\x04\x06\x04PING\0").await;
        speaker.say(&[b"hashblock", &[7; 32], b""]).await;
        let message = subscriber.message().await.unwrap();
        assert_eq!(message, [b"hashblock".to_vec(), vec![7; 32], Vec::new()]);
        // A long frame may be short, too.
        speaker.raw(b"\x02\0\0\0\0\0\0\0\x01a").await;
        assert_eq!(subscriber.message().await.unwrap(), [b"a"]);
    }

    #[tokio::test]
    async fn what_no_publisher_of_notifications_sends_ends_the_connection_at_once() {
        for (bytes, why) in [
            (&b"\x02\x10\0\0\0\0\0\0\0"[..], "longer"),
            (b"\x02\xff\xff\xff\xff\xff\xff\xff\xff", "longer"),
            (b"\x02\0\0\0\0\0\0\x01\0", "longer"),
            (b"\x01\0\x01\0\x01\0\0\0", "more than three"),
            (b"\x08\0", "flags"),
        ] {
            let (mut speaker, mut subscriber) = pair().await;
            speaker.raw(bytes).await;
            let error = subscriber.message().await.unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
        let (speaker, mut subscriber) = pair().await;
        drop(speaker);
        let error = subscriber.message().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn who_is_no_publisher_is_told_from_one() {
        let mut other_mechanism = greeting();
        other_mechanism[12..17].copy_from_slice(b"CURVE");
        let mut old = greeting();
        old[10] = 2;
        for (hello, why) in [
            (&[b'H'; GREETING][..], "does not speak ZMTP"),
            (&other_mechanism, "asks for security"),
            (&old, "before 3.0"),
            (&[greeting().as_slice(), b"\0\x01x"].concat(), "READY"),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap().to_string();
            let answers = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                stream.write_all(hello).await.unwrap();
                stream
            };
            let connecting = timeout(Duration::from_secs(20), Subscriber::connect(&address, &[]));
            let (_stream, connected) = tokio::join!(answers, connecting);
            let error = connected.unwrap().err().unwrap();
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}
