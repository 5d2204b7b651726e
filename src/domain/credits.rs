//! The credits of a block, kept so that thousands of them cost little: nearly none is anybody's.
//!
//! Who is watched is not known in here. A [`Tag`] is a first look: whoever asks for the credits
//! under some tags gets a few too many, never one too few.

use super::{
    amount::Amount,
    evidence::Evidence,
    facts::{Candidate, CreditAsset, Destination, Payer},
    transfer::Position,
};

/// The length of a witness program of 20 bytes with its version, the usual destination.
const USUAL_LEN: usize = 22;

/// A destination's last eight bytes, or all of a shorter one. Equal destinations have equal tags;
/// others rarely do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub u64);

impl Tag {
    /// Of these bytes.
    #[must_use]
    pub fn of(destination: &[u8]) -> Self {
        let short = || {
            destination
                .iter()
                .fold(0, |tag, byte| tag << 8 | u64::from(*byte))
        };
        let tail = destination.last_chunk::<8>();
        Self(tail.map_or_else(short, |tail| u64::from_be_bytes(*tail)))
    }
}

/// Credits in block order.
#[derive(Debug, Clone, Default)]
pub struct Credits {
    tags: Vec<Tag>,
    form: Form,
}

#[derive(Debug, Clone)]
enum Form {
    Listed(Vec<Candidate>),
    Packed(Box<Packed>),
}

impl Default for Form {
    fn default() -> Self {
        Self::Listed(Vec::new())
    }
}

impl Credits {
    /// How many.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.tags.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.tags.is_empty()
    }

    /// Of each credit, in order.
    #[must_use]
    pub fn tags(&self) -> &[Tag] {
        &self.tags
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = Candidate> {
        self.tagged(|_| true)
    }

    /// Those with a tag that is wanted.
    pub fn tagged(&self, is_wanted: impl Fn(Tag) -> bool) -> impl Iterator<Item = Candidate> {
        let places = self.tags.iter().enumerate();
        let wanted = places.filter(move |(_, tag)| is_wanted(**tag));
        wanted.filter_map(|(place, _)| match &self.form {
            Form::Listed(candidates) => candidates.get(place).cloned(),
            Form::Packed(packed) => packed.get(place),
        })
    }
}

impl FromIterator<Candidate> for Credits {
    fn from_iter<I: IntoIterator<Item = Candidate>>(candidates: I) -> Self {
        let candidates: Vec<Candidate> = candidates.into_iter().collect();
        let tag = |candidate: &Candidate| candidate.destination.tag();
        Self {
            tags: candidates.iter().map(tag).collect(),
            form: Form::Listed(candidates),
        }
    }
}

impl From<Outputs> for Credits {
    fn from(outputs: Outputs) -> Self {
        Self {
            tags: outputs.tags,
            form: Form::Packed(Box::new(outputs.packed)),
        }
    }
}

/// A transaction's output that credits somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Output {
    /// Which of the block's transactions.
    pub tx_index: u32,
    /// Which of the transaction's outputs.
    pub vout: u32,
    /// How much, in satoshi.
    pub sats: u64,
    /// Whether it is newly minted.
    pub coinbase: bool,
}

impl Output {
    /// The credit to this destination.
    #[must_use]
    pub fn credit(self, destination: Destination) -> Candidate {
        Candidate {
            destination,
            asset: CreditAsset::Native,
            amount: Amount::from_u64(self.sats),
            tx_index: self.tx_index,
            position: Position::Output(self.vout),
            payer: Payer::Unknown,
            coinbase: self.coinbase,
            evidence: Evidence::Proven,
        }
    }
}

/// Outputs and what they credit, in some 70 bytes each.
#[derive(Debug, Clone, Default)]
pub struct Outputs {
    tags: Vec<Tag>,
    packed: Packed,
}

/// Outputs without their tags.
#[derive(Debug, Clone, Default)]
struct Packed {
    places: Vec<Place>,
    /// One after the other.
    destinations: Vec<u8>,
}

#[derive(Debug, Clone)]
struct Place {
    output: Output,
    /// Where in the destinations its own begins.
    at: usize,
    len: u8,
}

impl Outputs {
    /// None yet, with room for so many.
    #[must_use]
    pub fn with_capacity(outputs: usize) -> Self {
        Self {
            tags: Vec::with_capacity(outputs),
            packed: Packed {
                places: Vec::with_capacity(outputs),
                destinations: Vec::with_capacity(outputs.saturating_mul(USUAL_LEN)),
            },
        }
    }

    /// Adds one, unless these bytes are too many for a [`Destination`].
    pub fn push(&mut self, destination: &[u8], output: Output) {
        let Some(len) = Destination::fitting(destination) else {
            return;
        };
        let packed = &mut self.packed;
        self.tags.push(Tag::of(destination));
        packed.places.push(Place {
            output,
            at: packed.destinations.len(),
            len,
        });
        packed.destinations.extend_from_slice(destination);
    }
}

impl Packed {
    fn get(&self, place: usize) -> Option<Candidate> {
        let Place { output, at, len } = self.places.get(place)?;
        let end = at.checked_add(usize::from(*len))?;
        let destination = Destination::new(self.destinations.get(*at..end)?)?;
        Some(output.credit(destination))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destination(len: u8) -> Destination {
        let bytes: Vec<u8> = (1..=len).collect();
        Destination::new(&bytes).unwrap()
    }

    fn output(vout: u32) -> Output {
        Output {
            tx_index: vout / 2,
            vout,
            sats: u64::from(vout).saturating_add(1000),
            coinbase: vout < 2,
        }
    }

    #[test]
    fn packed_outputs_come_out_as_they_went_in() {
        let lengths = [22, 42, 0, 1, 34, 25];
        let mut outputs = Outputs::with_capacity(1);
        for (vout, len) in (0..).zip(lengths) {
            outputs.push(&[1; Destination::MAX_LEN + 1], output(vout));
            outputs.push(destination(len).as_bytes(), output(vout));
        }
        let expected: Vec<Candidate> = (0..)
            .zip(lengths)
            .map(|(vout, len)| output(vout).credit(destination(len)))
            .collect();
        let packed = Credits::from(outputs);
        let listed: Credits = expected.iter().cloned().collect();
        assert_eq!(packed.iter().collect::<Vec<_>>(), expected);
        assert_eq!(listed.iter().collect::<Vec<_>>(), expected);
        assert_eq!((packed.len(), packed.tags()), (6, listed.tags()));
    }

    #[test]
    fn only_credits_with_a_wanted_tag_are_told() {
        let credits: Credits = [22, 23, 22]
            .into_iter()
            .zip(0..)
            .map(|(len, vout)| output(vout).credit(destination(len)))
            .collect();
        let wanted = destination(22).tag();
        let found: Vec<Position> = credits
            .tagged(|tag| tag == wanted)
            .map(|credit| credit.position)
            .collect();
        assert_eq!(found, [Position::Output(0), Position::Output(2)]);
    }

    #[test]
    fn a_tag_is_of_the_last_eight_bytes() {
        for (bytes, tag) in [
            (&[][..], 0),
            (&[7], 7),
            (&[1, 2, 3, 4, 5, 6, 7], 0x01_0203_0405_0607),
            (&[1, 2, 3, 4, 5, 6, 7, 8], 0x0102_0304_0506_0708),
            (&[9, 1, 2, 3, 4, 5, 6, 7, 8], 0x0102_0304_0506_0708),
        ] {
            assert_eq!(Tag::of(bytes), Tag(tag), "{bytes:?}");
        }
    }
}
