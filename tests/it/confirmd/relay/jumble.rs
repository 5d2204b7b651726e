//! Batches whose answers come in another order than they were asked in.

use confirmd::random::Random;
use serde_json::value::RawValue;

/// A way to put answers into another order, by a seed.
pub struct Jumble {
    random: Random,
    /// How many batches are in another order now.
    pub batches: u64,
}

impl Jumble {
    pub fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            batches: 0,
        }
    }

    /// Puts the answers of a batch into another order, once the whole of it is here; whether it is.
    pub fn apply(&mut self, answer: &mut [u8]) -> bool {
        let Some(body) = body(answer) else {
            return false;
        };
        let Some(other) = self.reordered(body) else {
            return true;
        };
        self.batches += u64::from(!body.starts_with(other.as_bytes()));
        body.fill(b' ');
        body[..other.len()].copy_from_slice(other.as_bytes());
        true
    }

    /// The batch in another order, no longer than it was.
    fn reordered(&mut self, body: &[u8]) -> Option<String> {
        let mut answers: Vec<&RawValue> = serde_json::from_slice(body).ok()?;
        self.random.shuffle(&mut answers);
        let answers: Vec<&str> = answers.into_iter().map(RawValue::get).collect();
        Some(format!("[{}]", answers.join(",")))
    }
}

/// The body of an answer over HTTP; `None` as long as some of it is missing.
fn body(answer: &mut [u8]) -> Option<&mut [u8]> {
    let gap = b"\r\n\r\n";
    let head = answer.windows(gap.len()).position(|part| part == gap)?;
    let text = std::str::from_utf8(&answer[..head]).ok()?.to_lowercase();
    let mut lines = text.lines();
    let length = lines.find_map(|line| line.strip_prefix("content-length: "))?;
    let length: usize = length.trim().parse().ok()?;
    let begins = head + gap.len();
    answer.get_mut(begins..begins + length)
}
