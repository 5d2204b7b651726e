//! A watcher of one chain or two as a daemon opens it, with a clock that is moved by hand.

use super::{
    START,
    tx::{WRAPPED, format},
};
use crate::{
    clock::{Clock, Now},
    domain::{
        amount::Amount,
        asset::{Asset, AssetCode, AssetKind, ChainKind, ChainName},
        register::Defaults,
        terms::{Depth, Policy},
        time::SpanMs,
    },
    health::Health,
    metrics::{Labels, Metrics},
    store::{ChainEntry, Kind, Options, Store, StoreError},
    watcher::{Settings, Watcher, state::ChainSpec},
};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

#[derive(Debug)]
pub struct HandClock(pub Mutex<Now>);

impl Clock for HandClock {
    fn now(&self) -> Now {
        *self.0.lock().unwrap()
    }
}

/// Bitcoin: native, or wrapped in a token.
fn asset(kind: ChainKind) -> Asset {
    Asset {
        code: AssetCode::new("BTC"),
        chain: ChainName::new(kind.as_str()),
        kind: match kind {
            ChainKind::Bitcoin => AssetKind::Native,
            ChainKind::Ethereum => AssetKind::Token(WRAPPED),
        },
        decimals: 8,
        depth: Depth::of(2),
        tiers: Vec::new(),
        dust: Amount::from_u64(546),
        enabled: true,
    }
}

const DEFAULTS: Defaults = Defaults {
    expires_in: SpanMs::from_secs(20 * 60),
    grace: SpanMs::from_secs(120),
    watch_after_close: SpanMs::from_secs(3600),
    policy: Policy::Single,
    tolerance_bp: 0,
    late_accept: SpanMs(0),
    confirm_timeout: SpanMs::from_secs(24 * 3600),
};

/// One chain with one asset.
pub fn settings(kind: ChainKind) -> Settings {
    let asset = asset(kind);
    let spec = ChainSpec {
        name: asset.chain.clone(),
        kind,
        addresses: format(kind),
        poll_interval: SpanMs::from_secs(2),
        final_depth: 100,
        max_rescan: 1000,
        quorum: 1,
        block_time: None,
        assets: vec![asset],
        is_local: true,
    };
    Settings {
        chains: vec![spec],
        defaults: DEFAULTS,
        operator_commands: true,
    }
}

/// One chain of a public network, whose head's time tells of the machine's clock.
pub fn public_settings(kind: ChainKind) -> Settings {
    let mut settings = settings(kind);
    settings.chains[0].is_local = false;
    settings.chains[0].block_time = Some(SpanMs::from_secs(600));
    settings
}

/// One chain where two operators must hold a block.
pub fn settings_with_quorum(kind: ChainKind) -> Settings {
    let mut settings = settings(kind);
    settings.chains[0].quorum = 2;
    settings
}

/// One chain whose own money is paid with, as if it were bitcoin.
pub fn settings_with_ether(kind: ChainKind) -> Settings {
    let mut settings = settings(kind);
    settings.chains[0].assets[0].kind = AssetKind::Native;
    settings
}

/// Both chains; bitcoin on Ethereum is called WBTC there.
pub fn settings_of_both() -> Settings {
    let mut both = settings(ChainKind::Bitcoin);
    let mut other = settings(ChainKind::Ethereum).chains.remove(0);
    other.assets[0].code = AssetCode::new("WBTC");
    both.chains.push(other);
    both
}

pub fn open(
    settings: Settings,
    dir: &TempDir,
    clock: &Arc<HandClock>,
) -> Result<Watcher, StoreError> {
    let mut store = Store::open(&Options::private(dir.path(), Kind::Live), START).unwrap();
    let chains = settings.chains.iter();
    let entries = chains.clone().map(|spec| ChainEntry {
        name: spec.name.clone(),
        kind: spec.kind,
        network: "regtest".to_owned(),
    });
    let entries: Vec<ChainEntry> = entries.collect();
    let assets: Vec<Asset> = chains.flat_map(|spec| spec.assets.clone()).collect();
    store.sync_registry(&entries, &assets, START).unwrap();
    let metrics = Metrics::new(&Labels::default()).unwrap();
    let clock: Arc<dyn Clock> = Arc::<HandClock>::clone(clock);
    Watcher::open(store, settings, clock, metrics, Health::default())
}
