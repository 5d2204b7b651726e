//! The words of a line, read one after another, and what numbers, times and names among them
//! mean. Every complaint says what was found and what is allowed.

use crate::simulation::{customers::decimals, world::Which};

/// What is wrong with a line, in words.
pub type Trouble = String;

/// An asset of the scenarios' chains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asset {
    pub code: &'static str,
    pub which: Which,
}

/// Every asset.
pub const ASSETS: [Asset; 4] = [
    Asset::new("BTC", Which::Bitcoin),
    Asset::new("ETH", Which::Ethereum),
    Asset::new("USDT", Which::Ethereum),
    Asset::new("USDC", Which::Ethereum),
];

impl Asset {
    const fn new(code: &'static str, which: Which) -> Self {
        Self { code, which }
    }

    /// The base units of a decimal text.
    pub fn units(self, text: &str) -> Result<u64, Trouble> {
        let wrong = || format!("{text:?} is no amount in {}; allowed: as 0.01", self.code);
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let digits = usize::try_from(decimals(self.code)).unwrap();
        if part.len() > digits {
            return Err(wrong());
        }
        let all = format!("{whole}{part:0<digits$}");
        all.parse().map_err(|_| wrong())
    }
}

/// The rest of a line.
#[derive(Debug, Clone)]
pub struct Words<'a>(&'a str);

impl<'a> Words<'a> {
    pub fn new(line: &'a str) -> Self {
        Self(line.trim())
    }

    /// The next word; empty at the end.
    pub fn peek(&self) -> &'a str {
        self.0.split_whitespace().next().unwrap_or_default()
    }

    /// Takes the next word; `what` names what it ought to be.
    pub fn take(&mut self, what: &str) -> Result<&'a str, Trouble> {
        let word = self.peek();
        if word.is_empty() {
            return Err(format!("{what} is missing at the end"));
        }
        self.0 = self.0[word.len()..].trim_start();
        Ok(word)
    }

    /// Takes everything that is left, as it stands.
    pub fn take_all(&mut self) -> &'a str {
        std::mem::take(&mut self.0)
    }

    /// Takes these words when they come next.
    pub fn take_if(&mut self, words: &str) -> bool {
        let mut ahead = self.clone();
        for word in words.split(' ') {
            if ahead.peek() != word {
                return false;
            }
            ahead.0 = ahead.0[word.len()..].trim_start();
        }
        *self = ahead;
        true
    }

    /// Takes these words, which have to come next.
    pub fn expect(&mut self, words: &str) -> Result<(), Trouble> {
        if self.take_if(words) {
            return Ok(());
        }
        Err(format!("{:?} stands where {words:?} belongs", self.peek()))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Nothing may be left.
    pub fn finish(&self) -> Result<(), Trouble> {
        if self.is_empty() {
            return Ok(());
        }
        Err(format!("{:?} is too much at the end", self.0))
    }

    /// Takes the name of one of these.
    pub fn one_of<T: Copy>(&mut self, what: &str, allowed: &[(&str, T)]) -> Result<T, Trouble> {
        let word = self.take(what)?;
        let found = allowed.iter().find(|(name, _)| *name == word);
        found.map(|(_, one)| *one).ok_or_else(|| {
            let names: Vec<&str> = allowed.iter().map(|(name, _)| *name).collect();
            format!("{word:?} is no {what}; allowed: {}", names.join(", "))
        })
    }

    pub fn chain(&mut self) -> Result<Which, Trouble> {
        let both = Which::BOTH.map(|which| (which.name(), which));
        self.one_of("chain", &both)
    }

    pub fn asset(&mut self) -> Result<Asset, Trouble> {
        self.one_of("asset", &ASSETS.map(|asset| (asset.code, asset)))
    }

    /// Whether an asset comes next.
    pub fn has_asset(&self) -> bool {
        ASSETS.iter().any(|asset| asset.code == self.peek())
    }

    /// Whether a number comes next.
    pub fn has_number(&self) -> bool {
        self.peek().starts_with(|c: char| c.is_ascii_digit())
    }

    pub fn number(&mut self, what: &str) -> Result<u32, Trouble> {
        let word = self.take(what)?;
        let wrong = || format!("{word:?} is no {what}; allowed: a whole number");
        word.parse().map_err(|_| wrong())
    }

    /// A span of time in milliseconds, as `1h30m`.
    pub fn span(&mut self) -> Result<u64, Trouble> {
        let word = self.take("span of time")?;
        span(word).ok_or_else(|| {
            format!("{word:?} is no span of time; allowed: as 500ms, 15s, 1h30m, 3d")
        })
    }
}

fn span(word: &str) -> Option<u64> {
    const UNITS: [(&str, u64); 5] = [
        ("ms", 1),
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
    ];
    let (mut rest, mut total) = (word, 0);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, after) = rest.split_at(digits);
        let unit = UNITS.iter().find(|(unit, _)| after.starts_with(unit))?;
        total += number.parse::<u64>().ok()? * unit.1;
        rest = &after[unit.0.len()..];
    }
    (!word.is_empty()).then_some(total)
}
