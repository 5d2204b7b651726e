//! The world in which stories are told: assets, defaults, blocks, names for transactions.

use crate::domain::{
    amount::Amount,
    asset::{Asset, AssetCode, AssetKind, ChainKind, ChainName, Tier},
    block::{BlockHash, BlockId, BlockRef, Height, TxId},
    event::Entry,
    facts::OutPoint,
    payment::ScanFrom,
    register::Defaults,
    request::Register,
    terms::{Depth, DepthRule, Policy},
    time::{SpanMs, UnixMs},
    transfer::Position,
    view::ChainView,
};

/// The moment at which every story begins.
pub const START: UnixMs = UnixMs(1_800_000_000_000);
/// The height of the cursor then.
pub const START_HEIGHT: u32 = 1000;

/// Confirmations that count on a chain without tags where a payment waits for one.
pub const FALLBACK_DEPTH: u32 = 5;

/// What an entry shows.
pub fn shown(entry: &Entry) -> serde_json::Value {
    serde_json::from_str(&entry.data).expect("an object")
}

/// Milliseconds in a text like `90s`, `5m`, `2h`, `3d`.
pub fn span(text: &str) -> SpanMs {
    let (number, unit) = text.split_at(text.len() - 1);
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86400,
        _ => panic!("no span: {text}"),
    };
    SpanMs::from_secs(number.parse::<i64>().unwrap() * factor)
}

/// The assets of every story.
pub fn asset(code: &str) -> Asset {
    let (chain, kind, decimals, dust, confirmations) = match code {
        "BTC" => ("bitcoin", AssetKind::Native, 8, 546, 2),
        "ETH" => ("ethereum", AssetKind::Native, 18, 1_000_000_000_000, 12),
        "USDT" => ("ethereum", AssetKind::Token([1; 20]), 6, 10_000, 6),
        "USDC" => ("ethereum", AssetKind::Token([2; 20]), 6, 10_000, 6),
        _ => panic!("no asset: {code}"),
    };
    let tiers = if code == "BTC" {
        vec![Tier {
            above: Amount::parse("0.5", 8).unwrap(),
            depth: Depth::of(6),
        }]
    } else {
        Vec::new()
    };
    Asset {
        code: AssetCode::new(code),
        chain: ChainName::new(chain),
        kind,
        decimals,
        depth: Depth::of(confirmations),
        tiers,
        dust: Amount::from_u64(dust),
        enabled: true,
    }
}

pub fn kind_of(asset: &Asset) -> ChainKind {
    match asset.chain.as_str() {
        "bitcoin" => ChainKind::Bitcoin,
        _ => ChainKind::Ethereum,
    }
}

pub fn defaults() -> Defaults {
    Defaults {
        expires_in: span("20m"),
        grace: span("2m"),
        watch_after_close: span("30d"),
        policy: Policy::Single,
        tolerance_bp: 0,
        late_accept: SpanMs(0),
        confirm_timeout: span("24h"),
    }
}

pub fn block(height: u32, fork: u8, parent: BlockHash, time: UnixMs) -> BlockRef {
    let mut hash = [fork; 32];
    hash[..4].copy_from_slice(&height.to_be_bytes());
    BlockRef {
        id: BlockId {
            height: Height(height),
            hash: BlockHash(hash),
        },
        parent,
        time,
    }
}

pub fn txid(name: &str) -> TxId {
    let mut bytes = [0x11; 32];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    TxId(bytes)
}

pub fn view(kind: ChainKind, cursor: BlockRef, now: UnixMs) -> ChainView {
    let height = cursor.id.height;
    ChainView {
        name: ChainName::new(kind.as_str()),
        kind,
        scanned: Some(cursor),
        tip: Some(cursor),
        finalized: Some(height.minus(100)),
        safe: None,
        tagged: kind == ChainKind::Ethereum,
        agreed: Some(cursor),
        held: Some(height),
        traced: Some(height),
        traced_at: None,
        untraced_at: None,
        untraced_height: None,
        traced_by: None,
        frozen: None,
        healthy: true,
        polled_at: Some(now),
    }
}

/// Terms of a story: `BTC 1` and options as `name=value`.
pub struct Setup {
    pub asset: Asset,
    pub register: Register,
    pub defaults: Defaults,
    /// How long the request waited for the daemon.
    pub waited: SpanMs,
}

impl Setup {
    /// Reads `BTC 1 tolerance=1% policy=sum grace=0s late_accept=1h confirmations=3 waited=1h`.
    pub fn read(text: &str) -> Self {
        let mut words = text.split_whitespace();
        let asset = asset(words.next().unwrap());
        let mut setup = Self {
            register: Register {
                asset: asset.code.as_str().to_owned(),
                address: "addr".to_owned(),
                amount: words.next().unwrap().to_owned(),
                expires_at: None,
                confirmations: None,
                tolerance: None,
                policy: None,
                scan_from: Some(ScanFrom::Height(Height(START_HEIGHT + 1))),
                metadata: None,
            },
            asset,
            defaults: defaults(),
            waited: SpanMs(0),
        };
        words.for_each(|word| setup.option(word));
        setup
    }

    fn option(&mut self, word: &str) {
        let (name, value) = word.split_once('=').unwrap();
        match name {
            "tolerance" => self.register.tolerance = Some(value.to_owned()),
            "policy" => self.register.policy = Policy::parse(value),
            "confirmations" => match DepthRule::parse(value) {
                Some(rule) => {
                    let confirmations = FALLBACK_DEPTH;
                    self.asset.depth = Depth {
                        rule,
                        confirmations,
                    };
                }
                None => self.register.confirmations = value.parse().ok(),
            },
            "grace" => self.defaults.grace = span(value),
            "late_accept" => self.defaults.late_accept = span(value),
            "confirm_timeout" => self.defaults.confirm_timeout = span(value),
            "waited" => self.waited = span(value),
            "watch" => self.defaults.watch_after_close = span(value),
            "scan_from" => {
                let height = Height(value.parse().unwrap());
                self.register.scan_from = Some(ScanFrom::Height(height));
            }
            _ => panic!("no option: {word}"),
        }
    }
}

pub fn outpoint(name: &str) -> OutPoint {
    OutPoint {
        txid: txid(name),
        vout: 0,
    }
}

pub fn position(asset: &Asset, n: u32) -> Position {
    match (asset.kind, kind_of(asset)) {
        (AssetKind::Native, ChainKind::Ethereum) => Position::Transaction,
        (AssetKind::Native, ChainKind::Bitcoin) => Position::Output(n),
        (AssetKind::Token(_), _) => Position::Log(n),
    }
}
