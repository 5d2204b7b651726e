//! What a bitcoind's ZMQ notification says, read from its three frames: topic, body, number
//! (Bitcoin Core, `doc/zmq.md`).

use crate::domain::block::TxId;

/// A kind of notification. Each has its own numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Topic {
    /// The best block changed.
    HashBlock,
    /// A block was connected or disconnected, or a transaction entered or left the mempool.
    Sequence,
}

impl Topic {
    pub(super) const ALL: [Self; 2] = [Self::HashBlock, Self::Sequence];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::HashBlock => "hashblock",
            Self::Sequence => "sequence",
        }
    }
}

/// What may be new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// The best chain.
    Chain,
    /// This transaction, in the mempool.
    Arrived(TxId),
    /// Nothing that is asked for at once.
    Nothing,
}

/// One notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Notice {
    pub(super) topic: Topic,
    pub(super) news: News,
    /// One more than that of the last of its topic, unless some were lost.
    pub(super) number: u32,
}

/// Reads a notification; `None` when it is none that we know.
pub(super) fn read(frames: &[&[u8]]) -> Option<Notice> {
    let [topic, body, number] = frames else {
        return None;
    };
    let is_named = |known: &Topic| known.as_str().as_bytes() == *topic;
    let topic = Topic::ALL.into_iter().find(is_named)?;
    let news = match topic {
        Topic::HashBlock => News::Chain,
        Topic::Sequence => sequence(body)?,
    };
    Some(Notice {
        topic,
        news,
        number: u32::from_le_bytes((*number).try_into().ok()?),
    })
}

/// A hash in the order in which it is printed, and a letter for what became of it.
fn sequence(body: &[u8]) -> Option<News> {
    let (hash, rest) = body.split_first_chunk::<32>()?;
    Some(match rest.first()? {
        b'C' | b'D' => News::Chain,
        b'A' => News::Arrived(TxId(*hash)),
        _ => News::Nothing,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: [u8; 32] = [0xab; 32];

    fn of_sequence(letter: &[u8]) -> Option<News> {
        let body = [&HASH[..], letter].concat();
        Some(read(&[b"sequence", &body, &[7, 0, 0, 0]])?.news)
    }

    #[test]
    fn a_notification_says_what_may_be_new() {
        let block = read(&[b"hashblock", &HASH, &[1, 2, 0, 0]]).unwrap();
        assert_eq!((block.topic, block.news), (Topic::HashBlock, News::Chain));
        assert_eq!(block.number, 0x201);
        let arrived = News::Arrived(TxId(HASH));
        assert_eq!(of_sequence(b"A\x01\0\0\0\0\0\0\0"), Some(arrived));
        assert_eq!(of_sequence(b"R\x01\0\0\0\0\0\0\0"), Some(News::Nothing));
        assert_eq!(of_sequence(b"C"), Some(News::Chain));
        assert_eq!(of_sequence(b"D"), Some(News::Chain));
    }

    #[test]
    fn what_is_no_notification_says_nothing() {
        let frames: [&[&[u8]]; 7] = [
            &[],
            &[b"hashblock", &HASH],
            &[b"hashblock", &HASH, &[0; 4], b""],
            &[b"hashblock", &HASH, &[0; 3]],
            &[b"rawblock", &HASH, &[0; 4]],
            &[b"sequence", &HASH[1..], &[0; 4]],
            &[b"sequence", &HASH, &[0; 4]],
        ];
        for frames in frames {
            assert_eq!(read(frames), None, "{frames:?}");
        }
    }
}
