//! What may be done to a sandbox, the same from a command line and over HTTP, and how it is done.
//!
//! Reads a payment as any gateway does, from the public views.

use crate::{
    chain::{bitcoin, ethereum},
    cli::rows::{Row, only},
    clock::{Clock, SystemClock},
    config::{self, Config},
    domain::{
        amount::Amount,
        asset::{Asset, AssetKind, ChainKind},
        facts::{CreditAsset, Destination},
        snapshot::txid_text,
        time::{SpanMs, UnixMs},
    },
    sandbox::{
        live::Live,
        world::{self, Refused},
    },
    store::reader::Reader,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{path::PathBuf, time::Duration};

/// How far behind its last moment a late transfer is sent.
const LATE_BY: SpanMs = SpanMs::from_secs(60);
/// How long a registration may take that was written a moment ago, and how often it is looked for.
const REGISTERED_WITHIN_MS: u64 = 2_000;
const LOOK: Duration = Duration::from_millis(20);
/// The longest outage: the simulated nodes keep no more of the past.
const LONGEST_OUTAGE: SpanMs = SpanMs::from_secs(12 * 3600);

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
    fn kinds(named: Option<Self>) -> Vec<ChainKind> {
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
    blocks: u32,
    /// On this chain only.
    #[arg(long)]
    #[serde(default)]
    chain: Option<Chain>,
}

/// A payer changes their mind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, clap::Args)]
#[serde(deny_unknown_fields)]
pub struct Replace {
    /// The payment.
    #[arg(value_name = "ID")]
    pub(super) payment_id: String,
    /// Pay the payment this much after all, in whole units.
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
    chain: Option<Chain>,
}

/// No node can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, clap::Args)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    /// For how much simulated time: 25m. At most 12h.
    #[arg(value_name = "DURATION")]
    duration: String,
}

/// What a second terminal may do to a sandbox that stays.
#[derive(Debug, Clone, PartialEq, Eq, clap::Subcommand)]
pub enum Deed {
    /// Pay for a payment: what it asks for, unless told otherwise.
    Pay(Pay),
    /// Make blocks at once.
    Mine(Blocks),
    /// Replace the last blocks by one more, empty ones; what was in them is mined again later.
    Reorg(Blocks),
    /// Replace the unconfirmed Bitcoin transaction of a payment (RBF) by one that pays elsewhere.
    Replace(Replace),
    /// Stop making blocks; again to go on.
    Stall(Stall),
    /// Let no node be reached for so much simulated time.
    Outage(Outage),
}

/// Why it was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Undone {
    /// There is no such thing.
    Missing(String),
    /// It cannot be done, or not now.
    Impossible(String),
}

impl Undone {
    pub(super) fn message(&self) -> &str {
        match self {
            Self::Missing(message) | Self::Impossible(message) => message,
        }
    }
}

impl From<Refused> for Undone {
    fn from(refused: Refused) -> Self {
        Self::Impossible(refused.to_string())
    }
}

impl Deed {
    /// Every name that a deed has.
    pub(super) const NAMES: [&'static str; 6] =
        ["pay", "mine", "reorg", "replace", "stall", "outage"];

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
            _ => return None,
        })
    }
}

/// Whoever carries out deeds.
#[derive(Debug, Clone)]
pub(super) struct Doer {
    pub(super) live: Live,
    pub(super) assets: Vec<Asset>,
    pub(super) database: PathBuf,
}

/// A payment as far as its payer must know it.
struct Bill {
    asset: Asset,
    to: Destination,
    chain: ChainKind,
    expected: Amount,
    /// When money stops being on time.
    last_moment: UnixMs,
}

impl Doer {
    pub(super) fn new(live: Live, config: &Config) -> Self {
        Self {
            live,
            assets: config.assets.clone(),
            database: config.database.path.clone(),
        }
    }

    /// Does it, and says what was done.
    pub(super) fn carry_out(&self, deed: &Deed) -> Result<Value, Undone> {
        match deed {
            Deed::Pay(pay) => self.pay(pay),
            Deed::Mine(Blocks { blocks, chain }) => {
                let chains = Chain::kinds(*chain);
                self.live.with(|world| world.mine(&chains, *blocks))?;
                Ok(self.state())
            }
            Deed::Reorg(Blocks { blocks, chain }) => {
                let chains = Chain::kinds(*chain);
                self.live.with(|world| world.reorg(&chains, *blocks))?;
                Ok(self.state())
            }
            Deed::Replace(replace) => self.replace(replace),
            Deed::Stall(Stall { chain }) => Ok(self.stall(*chain)),
            Deed::Outage(Outage { duration }) => self.outage(duration),
        }
    }

    fn stall(&self, chain: Option<Chain>) -> Value {
        let stalled = |kind: &ChainKind| {
            let stalled = self.live.with(|world| world.stall(*kind));
            (kind.as_str().to_owned(), stalled.into())
        };
        let all: Row = Chain::kinds(chain).iter().map(stalled).collect();
        json!({ "stalled": all })
    }

    fn outage(&self, duration: &str) -> Result<Value, Undone> {
        let span = config::span(duration)
            .map_err(|message| Undone::Impossible(format!("{duration:?} {message}")))?;
        if span > LONGEST_OUTAGE {
            return Err(Undone::Impossible("the longest outage is 12h".to_owned()));
        }
        let until = self.live.clock().now().wall.plus(span);
        self.live.with(|world| world.go_away(until));
        Ok(json!({ "away_until": until.0 }))
    }

    fn pay(&self, pay: &Pay) -> Result<Value, Undone> {
        let bill = self.bill(&pay.payment_id)?;
        let asset = match &pay.asset {
            Some(code) => self.asset(code)?,
            None => bill.asset.clone(),
        };
        if asset.chain != bill.asset.chain {
            let message = format!(
                "{} is on another chain than {}",
                asset.code, bill.asset.code
            );
            return Err(Undone::Impossible(message));
        }
        let amount = match &pay.amount {
            Some(text) => read(text, &asset)?,
            None if asset.code == bill.asset.code => bill.expected,
            None => {
                let text = bill.expected.display(bill.asset.decimals).to_string();
                read(&text, &asset)?
            }
        };
        let transfer = world::Pay {
            chain: bill.chain,
            to: bill.to,
            asset: credit_asset(&asset),
            amount,
        };
        if pay.late {
            let at = bill.last_moment.plus(LATE_BY);
            self.live.with(|world| world.pay_at(at, transfer))?;
            return Ok(json!({ "sent_at": at.0 }));
        }
        let txid = self.live.with(|world| world.pay(&transfer))?;
        Ok(json!({ "txid": txid_text(bill.chain, txid) }))
    }

    fn replace(&self, replace: &Replace) -> Result<Value, Undone> {
        let bill = self.bill(&replace.payment_id)?;
        let amount = replace.amount.as_ref();
        let amount = amount.map(|text| read(text, &bill.asset)).transpose()?;
        let txid = self.live.with(|world| world.replace(bill.to, amount))?;
        Ok(json!({ "txid": txid_text(bill.chain, txid) }))
    }

    /// Where everything stands.
    pub(super) fn state(&self) -> Value {
        let (bitcoin, ethereum, away_until) = self.live.with(|world| {
            let height = |kind| world.tip(kind).id.height;
            (
                height(ChainKind::Bitcoin),
                height(ChainKind::Ethereum),
                world.away_until(),
            )
        });
        json!({
            "now": self.live.clock().now().wall.0,
            "height": { "bitcoin": bitcoin, "ethereum": ethereum },
            "away_until": away_until.map(|until| until.0),
        })
    }

    fn bill(&self, id: &str) -> Result<Bill, Undone> {
        let unreadable = |error: &dyn std::fmt::Display| {
            Undone::Impossible(format!("the database cannot be read: {error}"))
        };
        let reader = Reader::open(&self.database).map_err(|error| unreadable(&error))?;
        let clock = SystemClock::new();
        let row = loop {
            let found = reader.payment(id).map_err(|error| unreadable(&error))?;
            match only(&found) {
                Some(row) => break row,
                None if clock.now().monotonic_ms < REGISTERED_WITHIN_MS => {
                    std::thread::sleep(LOOK);
                }
                None => return Err(Undone::Missing(format!("there is no payment {id:?}"))),
            }
        };
        self.bill_of(&row)
            .ok_or_else(|| Undone::Impossible(format!("the payment {id:?} cannot be read")))
    }

    fn bill_of(&self, row: &Row) -> Option<Bill> {
        let text = |key: &str| row.get(key)?.as_str();
        let ms = |key: &str| row.get(key)?.as_i64();
        let asset = self.asset(text("asset")?).ok()?;
        let address = text("address")?;
        let (chain, to) = if asset.chain.as_str() == ChainKind::Bitcoin.as_str() {
            let (to, _) = bitcoin::parse_address(address, ::bitcoin::Network::Regtest).ok()?;
            (ChainKind::Bitcoin, to)
        } else {
            (
                ChainKind::Ethereum,
                ethereum::parse_address(address).ok()?.0,
            )
        };
        Some(Bill {
            expected: Amount::parse(text("amount_expected")?, asset.decimals).ok()?,
            asset,
            to,
            chain,
            last_moment: UnixMs(ms("expires_at")?).plus(SpanMs(ms("grace_ms")?)),
        })
    }

    fn asset(&self, code: &str) -> Result<Asset, Undone> {
        let found = self.assets.iter().find(|asset| asset.code.as_str() == code);
        found
            .cloned()
            .ok_or_else(|| Undone::Missing(format!("there is no asset {code:?}")))
    }
}

fn read(text: &str, asset: &Asset) -> Result<Amount, Undone> {
    Amount::parse(text, asset.decimals)
        .map_err(|error| Undone::Impossible(format!("amount {text:?}: {error}")))
}

const fn credit_asset(asset: &Asset) -> CreditAsset {
    match asset.kind {
        AssetKind::Native => CreditAsset::Native,
        AssetKind::Token(contract) => CreditAsset::Token(contract),
    }
}
