//! What may be done to a sandbox, the same from a command line and over HTTP.
//!
//! Knows the words; how it is done is the [doer's](super::doer).

use crate::domain::asset::ChainKind;
use serde::{Deserialize, Serialize};

/// One of the simulated chains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Chain {
    /// A block each ten minutes.
    Bitcoin,
    /// A block each twelve seconds.
    Ethereum,
}

impl Chain {
    const fn kind(self) -> ChainKind {
        match self {
            Self::Bitcoin => ChainKind::Bitcoin,
            Self::Ethereum => ChainKind::Ethereum,
        }
    }

    /// The chain, or all of them where none is named.
    pub(super) fn kinds(named: Option<Self>) -> Vec<ChainKind> {
        let all = [Self::Bitcoin, Self::Ethereum].into_iter();
        all.filter(|chain| named.is_none_or(|named| named == *chain))
            .map(Self::kind)
            .collect()
    }
}

/// Somebody pays for a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, clap::Args)]
#[serde(deny_unknown_fields)]
pub struct Pay {
    /// The payment.
    #[arg(value_name = "ID")]
    pub(super) payment_id: String,
    /// How much, in whole units; what the payment asks for when absent.
    #[arg(long)]
    #[serde(default)]
    pub(super) amount: Option<String>,
    /// In which asset of the same chain; the one that the payment asks for when absent.
    #[arg(long)]
    #[serde(default)]
    pub(super) asset: Option<String>,
    /// A minute after the deadline and its grace.
    #[arg(long)]
    #[serde(default)]
    pub(super) late: bool,
}

/// A number of blocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, clap::Args)]
#[serde(deny_unknown_fields)]
pub struct Blocks {
    /// How many blocks.
    #[arg(value_name = "N")]
    pub(super) blocks: u32,
    /// On this chain only.
    #[arg(long)]
    #[serde(default)]
    pub(super) chain: Option<Chain>,
}

/// A payer changes their mind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, clap::Args)]
#[serde(deny_unknown_fields)]
pub struct Replace {
    /// The transaction's id; or the payment, when only one unconfirmed transaction pays it.
    #[arg(value_name = "TX")]
    pub(super) tx: String,
    /// Pay this much after all, in whole units.
    #[arg(long)]
    #[serde(default)]
    pub(super) amount: Option<String>,
}

/// A chain stands still.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, clap::Args)]
#[serde(deny_unknown_fields)]
pub struct Stall {
    /// This chain only.
    #[arg(long)]
    #[serde(default)]
    pub(super) chain: Option<Chain>,
    /// Let it go on.
    #[arg(long)]
    #[serde(default)]
    pub(super) off: bool,
}

/// No node can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, clap::Args)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    /// For how much simulated time, from now on: 25m. At most 12h; 0s ends it.
    #[arg(value_name = "DURATION")]
    pub(super) duration: String,
}

/// A payment takes a status, whatever happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, clap::Args)]
#[serde(deny_unknown_fields)]
pub struct Force {
    /// The payment.
    #[arg(value_name = "ID")]
    pub(super) payment_id: String,
    /// Its new status.
    #[arg(value_name = "STATUS")]
    pub(super) status: String,
}

/// No arguments.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// What a second terminal may do to a sandbox that stays.
#[derive(Debug, Clone, PartialEq, Eq, clap::Subcommand)]
pub enum Deed {
    /// Pay for a payment: what it asks for, unless told otherwise.
    Pay(Pay),
    /// Make blocks at once.
    Mine(Blocks),
    /// Replace the last blocks by one more, empty ones; what was in them is mined again later.
    Reorg(Blocks),
    /// Replace an unconfirmed Bitcoin transaction (RBF) by one that pays elsewhere.
    Replace(Replace),
    /// Stop making blocks by themselves, until `stall --off`.
    Stall(Stall),
    /// Let no node be reached for so much simulated time.
    Outage(Outage),
    /// Give a payment a status that it may have next, whatever happened; it stays there.
    Force(Force),
    /// Show where its chains stand and where its files are.
    State,
}

impl Deed {
    /// Every name that a deed has.
    pub(super) const NAMES: [&'static str; 8] = [
        "pay", "mine", "reorg", "replace", "stall", "outage", "force", "state",
    ];

    /// Its name, on the command line and as the path of its request.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Pay(_) => "pay",
            Self::Mine(_) => "mine",
            Self::Reorg(_) => "reorg",
            Self::Replace(_) => "replace",
            Self::Stall(_) => "stall",
            Self::Outage(_) => "outage",
            Self::Force(_) => "force",
            Self::State => "state",
        }
    }

    /// Its arguments as a JSON object.
    ///
    /// # Errors
    /// None of what a deed has is without a JSON form.
    pub fn body(&self) -> serde_json::Result<Vec<u8>> {
        match self {
            Self::Pay(it) => serde_json::to_vec(it),
            Self::Mine(it) | Self::Reorg(it) => serde_json::to_vec(it),
            Self::Replace(it) => serde_json::to_vec(it),
            Self::Stall(it) => serde_json::to_vec(it),
            Self::Outage(it) => serde_json::to_vec(it),
            Self::Force(it) => serde_json::to_vec(it),
            Self::State => Ok(b"{}".to_vec()),
        }
    }

    /// The deed of this name with these arguments; `None` for an unknown name.
    #[must_use]
    pub fn read(name: &str, body: &[u8]) -> Option<serde_json::Result<Self>> {
        let body = if body.is_empty() { b"{}" } else { body };
        Some(match name {
            "pay" => serde_json::from_slice(body).map(Self::Pay),
            "mine" => serde_json::from_slice(body).map(Self::Mine),
            "reorg" => serde_json::from_slice(body).map(Self::Reorg),
            "replace" => serde_json::from_slice(body).map(Self::Replace),
            "stall" => serde_json::from_slice(body).map(Self::Stall),
            "outage" => serde_json::from_slice(body).map(Self::Outage),
            "force" => serde_json::from_slice(body).map(Self::Force),
            "state" => serde_json::from_slice(body).map(|Nothing {}| Self::State),
            _ => return None,
        })
    }
}
