//! `[assets.CODE]`: what is judged, at which depth.
//!
//! Must not know how a chain's nodes are reached.

use super::{
    chain,
    depth::{self, Home},
    section::Section,
    value,
};
use crate::domain::{
    amount::Amount,
    asset::{Asset, AssetCode, AssetKind, ChainKind, ChainName},
};

/// The most decimals of a token: with them 10^41 whole units still fit 256 bits.
const MAX_DECIMALS: u32 = 36;

/// An asset as far as it could be read.
pub(super) struct Found {
    pub(super) code: String,
    pub(super) line: usize,
    pub(super) chain: String,
    pub(super) asset: Option<Asset>,
}

/// Every asset of `[assets]` that names a chain.
pub(super) fn all(assets: &Section<'_>, chains: &[chain::Found]) -> Vec<Found> {
    let sections = assets.named_sections().into_iter();
    sections
        .filter_map(|(code, section)| found(code, &section, chains))
        .collect()
}

fn found(code: &str, section: &Section<'_>, chains: &[chain::Found]) -> Option<Found> {
    let line = section.line;
    let valid_code = value::asset_code(code);
    if let Err(message) = &valid_code {
        section.report.problem(line, &section.path, message);
    }
    let chain = section.require("chain", "name the chain that carries it");
    let chain = chain.and_then(|entry| entry.text());
    let home = chains
        .iter()
        .find(|found| Some(found.name.as_str()) == chain);
    let final_depth = home.and_then(|home| home.chain.as_ref());
    let home = Home {
        kind: home.and_then(|home| home.kind),
        final_depth: final_depth.map_or(1, |chain| chain.final_depth),
    };
    let asset = asset(&valid_code.ok()?, section, home);
    Some(Found {
        code: code.to_owned(),
        line,
        chain: chain?.to_owned(),
        asset: asset.map(|asset| Asset {
            chain: ChainName::new(chain.unwrap_or_default()),
            ..asset
        }),
    })
}

/// Reads an asset whose chain is filled in by the caller. Without a known kind of chain only
/// what does not depend on it is checked.
fn asset(code: &str, section: &Section<'_>, home: Home) -> Option<Asset> {
    let chain = home.kind;
    let kind = kind(section, chain);
    let decimals = decimals(section, kind, chain);
    let usual = kind
        .zip(chain)
        .map(|(kind, chain)| usual_depth(kind, chain));
    let depth = depth::read_or(section, usual.unwrap_or(1), home);
    let dust = dust(section, kind, decimals, chain);
    let tiers = depth::tiers(section, decimals, depth, home);
    let enabled = section.flag_or("enabled", true);
    section.close();
    Some(Asset {
        code: AssetCode::new(code),
        chain: ChainName::new(""),
        kind: kind?,
        decimals: decimals?,
        depth: depth?,
        tiers: tiers?,
        dust: dust?,
        enabled: enabled?,
    })
}

fn kind(section: &Section<'_>, chain: Option<ChainKind>) -> Option<AssetKind> {
    let Some(entry) = section.get("contract") else {
        return Some(AssetKind::Native);
    };
    if chain == Some(ChainKind::Bitcoin) {
        entry.problem("stands on a chain that has no contracts; remove it");
        return None;
    }
    entry.read(value::contract).map(AssetKind::Token)
}

const fn native_decimals(chain: ChainKind) -> u8 {
    match chain {
        ChainKind::Bitcoin => 8,
        ChainKind::Ethereum => 18,
    }
}

/// The depths that the promise to payers allows: minutes for tokens and ether, half an hour for
/// bitcoin.
const fn usual_depth(kind: AssetKind, chain: ChainKind) -> u32 {
    match (kind, chain) {
        (AssetKind::Native, ChainKind::Bitcoin) => 2,
        (AssetKind::Native, ChainKind::Ethereum) => 12,
        (AssetKind::Token(_), ChainKind::Bitcoin | ChainKind::Ethereum) => 6,
    }
}

fn decimals(
    section: &Section<'_>,
    kind: Option<AssetKind>,
    chain: Option<ChainKind>,
) -> Option<u8> {
    let given = section
        .get("decimals")
        .map(|entry| (entry.number(0..=MAX_DECIMALS), entry));
    match (kind?, given) {
        (AssetKind::Native, None) => chain.map(native_decimals),
        (AssetKind::Native, Some((given, entry))) => {
            let fixed = native_decimals(chain?);
            if given.is_some_and(|given| given != u32::from(fixed)) {
                entry.problem(format!(
                    "is always {fixed} for the chain's own money; remove it"
                ));
            }
            given.map(|_| fixed)
        }
        (AssetKind::Token(_), Some((given, _))) => u8::try_from(given?).ok(),
        (AssetKind::Token(_), None) => {
            section.problem(
                "decimals",
                "is missing; write what the contract's decimals() says",
            );
            None
        }
    }
}

/// Less than anybody would send on purpose.
fn usual_dust(kind: AssetKind, decimals: u8, chain: ChainKind) -> Amount {
    let text = match (kind, chain) {
        (AssetKind::Native, ChainKind::Bitcoin) => "0.00000546",
        (AssetKind::Native, ChainKind::Ethereum) => "0.000001",
        (AssetKind::Token(_), ChainKind::Bitcoin | ChainKind::Ethereum) => "0.01",
    };
    // A token with fewer decimals cannot express it: then only nothing is dust.
    Amount::parse(text, decimals).unwrap_or(Amount::from_u64(1))
}

fn dust(
    section: &Section<'_>,
    kind: Option<AssetKind>,
    decimals: Option<u8>,
    chain: Option<ChainKind>,
) -> Option<Amount> {
    let entry = section.get("dust");
    let (kind, decimals, chain) = (kind?, decimals?, chain?);
    match entry {
        None => Some(usual_dust(kind, decimals, chain)),
        Some(entry) => entry.read(|text| value::amount(text, decimals)),
    }
}
