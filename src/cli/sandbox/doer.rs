//! Carries out what is asked of a sandbox.
//!
//! Reads a payment as any gateway does, from the public views, and asks through the inbox.

use super::{
    deeds::{Blocks, Chain, Deed, Force, Outage, Pay, Replace, Stall},
    place::Facts,
};
use crate::{
    chain::{bitcoin, ethereum},
    cli::{
        inbox::Author,
        rows::{Row, only_within, rows, within},
    },
    config::{self, Config},
    domain::{
        amount::Amount,
        asset::{Asset, AssetKind, ChainKind},
        block::{BlockId, TxId},
        facts::{CreditAsset, Destination},
        snapshot::txid_text,
        time::{SpanMs, UnixMs},
    },
    sandbox::{
        live::Live,
        world::{self, Refused, Replaced, Unconfirmed, World},
    },
    store::{
        StoreError,
        inbox::InboxWriter,
        reader::{Reader, Table},
    },
};
use serde_json::{Value, json};
use std::{fmt::Display, time::Duration};

/// How long the daemon may take to see what was done, and how often it is looked at. Nothing fails
/// when it takes longer.
const SEEN_WITHIN_MS: u64 = 5_000;
/// How far behind its last moment a late transfer is sent.
const LATE_BY: SpanMs = SpanMs::from_secs(60);
/// How long the daemon may take over a request that was written a moment ago, and how often it is
/// looked for.
const ANSWERED_WITHIN_MS: u64 = 2_000;
const LOOK: Duration = Duration::from_millis(20);
/// The longest outage: the simulated nodes keep no more of the past.
const LONGEST_OUTAGE: SpanMs = SpanMs::from_secs(12 * 3600);

/// What a Bitcoin transaction pays in.
const BITCOIN: &str = "BTC";

/// Why it was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Undone {
    /// It cannot be understood.
    Unclear(String),
    /// There is no such thing.
    Missing(String),
    /// It cannot be done, or not now.
    Impossible(String),
}

impl Undone {
    pub(super) fn message(&self) -> &str {
        match self {
            Self::Unclear(message) | Self::Missing(message) | Self::Impossible(message) => message,
        }
    }
}

impl From<Refused> for Undone {
    fn from(refused: Refused) -> Self {
        Self::Impossible(refused.to_string())
    }
}

/// Whoever carries out deeds.
#[derive(Debug, Clone)]
pub(super) struct Doer {
    pub(super) live: Live,
    pub(super) assets: Vec<Asset>,
    pub(super) facts: Facts,
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
    pub(super) fn new(live: Live, config: &Config, facts: Facts) -> Self {
        Self {
            live,
            assets: config.assets.clone(),
            facts,
        }
    }

    /// Does it, and says what was done.
    pub(super) fn carry_out(&self, deed: &Deed) -> Result<Value, Undone> {
        match deed {
            Deed::Pay(pay) => self.pay(pay),
            Deed::Mine(Blocks { blocks, chain }) => {
                self.changes_blocks(*chain, |world, chains| world.mine(chains, *blocks))
            }
            Deed::Reorg(Blocks { blocks, chain }) => {
                self.changes_blocks(*chain, |world, chains| world.reorg(chains, *blocks))
            }
            Deed::Replace(replace) => self.replace(replace),
            Deed::Stall(Stall { chain, off }) => {
                let chains = Chain::kinds(*chain);
                self.live
                    .with(|world| chains.iter().for_each(|chain| world.stall(*chain, !off)));
                Ok(self.state())
            }
            Deed::Outage(Outage { duration }) => self.outage(duration),
            Deed::Force(force) => self.force(force),
            Deed::State => Ok(self.whole_state()),
        }
    }

    /// Makes or unmakes blocks, and waits until the daemon has followed.
    fn changes_blocks(
        &self,
        chain: Option<Chain>,
        change: impl FnOnce(&mut World, &[ChainKind]) -> Result<(), Refused>,
    ) -> Result<Value, Undone> {
        let chains = Chain::kinds(chain);
        let tips = self.live.with(|world| {
            change(world, &chains)?;
            let tips = chains.iter().map(|kind| world.tip(*kind).id);
            Ok::<Vec<BlockId>, Refused>(tips.collect())
        })?;
        let followed = self.sees(|reader| is_followed(reader, &chains, &tips));
        Ok(with(self.state(), json!({ "followed": followed })))
    }

    /// Waits until the daemon's database shows it; not while its nodes are away. What was done is
    /// done, also when nobody can look.
    fn sees(&self, shows: impl Fn(&Reader) -> Result<bool, StoreError>) -> bool {
        let Ok(reader) = Reader::open(&self.facts.database) else {
            return false;
        };
        let seen = within(SEEN_WITHIN_MS, LOOK, || {
            let is_away = self.live.with(|world| world.away_until().is_some());
            let is_shown = !is_away && shows(&reader).unwrap_or(false);
            Ok((is_away || is_shown).then_some(is_shown))
        });
        matches!(seen, Ok(Some(true)))
    }

    fn outage(&self, duration: &str) -> Result<Value, Undone> {
        let span = config::span(duration)
            .map_err(|message| Undone::Unclear(format!("{duration:?} {message}")))?;
        if span > LONGEST_OUTAGE {
            return Err(Undone::Impossible("the longest outage is 12h".to_owned()));
        }
        let until = self.live.clock().now().wall.plus(span);
        self.live.with(|world| world.go_away(until));
        // None when that is now.
        let away_until = self.live.with(|world| world.away_until());
        Ok(json!({ "away_until": away_until.map(|until| until.0) }))
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
        let late = bill.last_moment.plus(LATE_BY);
        if pay.late && late > self.live.clock().now().wall {
            self.live.with(|world| world.pay_at(late, transfer))?;
            return Ok(json!({ "sent_at": late.0 }));
        }
        let txid = self.live.with(|world| world.pay(&transfer))?;
        let txid = txid_text(bill.chain, txid);
        if !bill.chain.has_mempool() {
            return Ok(json!({ "txid": txid }));
        }
        let seen = self.sees(|reader| Ok(!states_of(reader, &txid)?.is_empty()));
        Ok(json!({ "txid": txid, "seen": seen }))
    }

    fn replace(&self, Replace { tx, amount }: &Replace) -> Result<Value, Undone> {
        let called = TxId::from_hex(tx).filter(|txid| self.live.with(|world| world.waits(*txid)));
        let (which, asset) = if let Some(txid) = called {
            (Unconfirmed::Called(txid), self.asset(BITCOIN)?)
        } else {
            let bill = self.bill(tx)?;
            (Unconfirmed::Paying(bill.to), bill.asset)
        };
        let amount = amount.as_ref().map(|text| read(text, &asset)).transpose()?;
        let Replaced { gone, by } = self.live.with(|world| world.replace(which, amount))?;
        let [gone, by] = [gone, by].map(|txid| txid_text(ChainKind::Bitcoin, txid));
        let seen = self.sees(|reader| {
            let [was, is] = [states_of(reader, &gone)?, states_of(reader, &by)?];
            let has_gone = !was.is_empty() && !was.iter().any(|state| state == "mempool");
            Ok(has_gone && (amount.is_none() || !is.is_empty()))
        });
        Ok(json!({ "txid": by, "replaced": gone, "seen": seen }))
    }

    /// Where everything stands, and where it is.
    pub(super) fn whole_state(&self) -> Value {
        with(self.state(), json!(self.facts))
    }

    /// Where everything stands.
    fn state(&self) -> Value {
        self.live.with(|world| {
            let height = |kind| world.tip(kind).id.height;
            json!({
                "now": self.live.clock().now().wall.0,
                "height": {
                    "bitcoin": height(ChainKind::Bitcoin),
                    "ethereum": height(ChainKind::Ethereum),
                },
                "stalled": {
                    "bitcoin": world.is_stalled(ChainKind::Bitcoin),
                    "ethereum": world.is_stalled(ChainKind::Ethereum),
                },
                "away_until": world.away_until().map(|until| until.0),
            })
        })
    }

    /// Asks the daemon as anybody would, and waits for what becomes of it.
    fn force(&self, force: &Force) -> Result<Value, Undone> {
        let Force { payment_id, status } = force;
        self.bill(payment_id)?;
        let body = json!({ "status": status });
        let request = Author::called("sandbox").request(None, "force", payment_id, &body);
        let request = request.map_err(|failure| unreadable(&failure.message))?;
        let mut inbox = InboxWriter::open(&self.facts.inbox).map_err(|error| unreadable(&error))?;
        inbox.insert(&request).map_err(|error| unreadable(&error))?;
        let outcome = self.soon(|reader| reader.request(&request.request_id))?;
        let outcome = outcome.ok_or_else(|| {
            let message =
                "the daemon has not decided it yet; the request stays and may take effect";
            Undone::Impossible(message.to_owned())
        })?;
        let of = |key: &str| outcome.get(key).and_then(Value::as_str);
        match of("outcome") {
            Some("refused") => Err(Undone::Impossible(
                of("message").unwrap_or_default().to_owned(),
            )),
            Some(_) | None => Ok(json!({ "status": status })),
        }
    }

    fn bill(&self, id: &str) -> Result<Bill, Undone> {
        let row = self.soon(|reader| reader.payment(id))?;
        let row = row.ok_or_else(|| Undone::Missing(format!("there is no payment {id:?}")))?;
        self.bill_of(&row)
            .ok_or_else(|| Undone::Impossible(format!("the payment {id:?} cannot be read")))
    }

    /// A row that may be written any moment.
    fn soon(
        &self,
        look: impl Fn(&Reader) -> Result<Table, StoreError>,
    ) -> Result<Option<Row>, Undone> {
        let reader = Reader::open(&self.facts.database).map_err(|error| unreadable(&error))?;
        only_within(ANSWERED_WITHIN_MS, LOOK, || look(&reader)).map_err(|error| unreadable(&error))
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

/// An object with the fields of another one too.
fn with(mut object: Value, others: Value) -> Value {
    if let (Some(object), Value::Object(others)) = (object.as_object_mut(), others) {
        object.extend(others);
    }
    object
}

fn read(text: &str, asset: &Asset) -> Result<Amount, Undone> {
    Amount::parse(text, asset.decimals)
        .map_err(|error| Undone::Unclear(format!("amount {text:?}: {error}")))
}

/// Whether the daemon has followed these chains to these blocks. A branch that takes another's
/// place is longer, so that its height tells.
fn is_followed(
    reader: &Reader,
    chains: &[ChainKind],
    tips: &[BlockId],
) -> Result<bool, StoreError> {
    let followed = rows(&reader.chains()?);
    let scanned = |kind: ChainKind| {
        let chain = followed
            .iter()
            .find(|row| row.get("chain").and_then(Value::as_str) == Some(kind.as_str()))?;
        chain.get("scanned_height")?.as_u64()
    };
    let mut wanted = chains.iter().zip(tips);
    Ok(wanted.all(|(kind, tip)| scanned(*kind) >= Some(tip.height.0.into())))
}

/// The states of a transaction's transfers, as far as the daemon knows it.
fn states_of(reader: &Reader, txid: &str) -> Result<Vec<String>, StoreError> {
    let transfers = rows(&reader.transfers_of(txid)?);
    let state = |row: &Row| Some(row.get("state")?.as_str()?.to_owned());
    Ok(transfers.iter().filter_map(state).collect())
}

const fn credit_asset(asset: &Asset) -> CreditAsset {
    match asset.kind {
        AssetKind::Native => CreditAsset::Native,
        AssetKind::Token(contract) => CreditAsset::Token(contract),
    }
}

fn unreadable(error: &dyn Display) -> Undone {
    Undone::Impossible(format!("the databases cannot be used: {error}"))
}
