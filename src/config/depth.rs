//! `confirmations` of an asset and of its tiers: how deep money must be, as a number or as what
//! nodes call a block.

use super::{
    section::{Entry, Section},
    value,
};
use crate::domain::{
    asset::{ChainKind, Tier},
    terms::{Depth, DepthRule, MAX_CONFIRMATIONS},
};

/// What may stand beside a number.
const WORDS: &str = "\"safe\" or \"finalized\"";

/// What of an asset's chain matters here, as far as it could be read.
#[derive(Clone, Copy)]
pub(super) struct Home {
    pub(super) kind: Option<ChainKind>,
    pub(super) final_depth: u32,
}

impl Home {
    /// Where nodes name no block, one is final that has `final_depth` blocks above it.
    const fn called(self, rule: DepthRule) -> Depth {
        Depth {
            rule,
            confirmations: self.final_depth.saturating_add(1),
        }
    }
}

/// The `confirmations` of an asset, or so many.
pub(super) fn read_or(section: &Section<'_>, usual: u32, home: Home) -> Option<Depth> {
    let entry = section.get("confirmations");
    entry.map_or(Some(Depth::of(usual)), |entry| read(&entry, home))
}

fn read(entry: &Entry<'_>, home: Home) -> Option<Depth> {
    let word = match entry.number_or_text(1..=MAX_CONFIRMATIONS, WORDS)? {
        Ok(number) => return Some(Depth::of(number)),
        Err(text) => text,
    };
    let words = [
        (DepthRule::Safe.as_str(), DepthRule::Safe),
        (DepthRule::Finalized.as_str(), DepthRule::Finalized),
    ];
    let Ok(rule) = value::word(word, &words) else {
        entry.problem(format!(
            "{word:?} is neither \"safe\" nor \"finalized\"; write one of them, or a whole number \
             from 1 to {MAX_CONFIRMATIONS} without quotes"
        ));
        return None;
    };
    if home.kind == Some(ChainKind::Bitcoin) {
        entry.problem(format!(
            "{word:?} is said of no block of a Bitcoin chain; write a whole number from 1 to \
             {MAX_CONFIRMATIONS}"
        ));
        return None;
    }
    Some(home.called(rule))
}

/// Greater depths for greater amounts, ascending in both.
pub(super) fn tiers(
    section: &Section<'_>,
    decimals: Option<u8>,
    depth: Option<Depth>,
    home: Home,
) -> Option<Vec<Tier>> {
    let Some(entry) = section.get("tiers") else {
        return Some(Vec::new());
    };
    let (mut tiers, mut floor) = (Vec::<Tier>::new(), depth);
    let mut complete = true;
    for section in &entry.sections()? {
        let line = section.line;
        let path = section.path.clone();
        let report = section.report;
        let Some(tier) = tier(section, decimals, home) else {
            complete = false;
            continue;
        };
        let problem =
            |key: &str, message: &str| report.problem(line, &format!("{path}.{key}"), message);
        if tiers.last().is_some_and(|last| last.above >= tier.above) {
            problem(
                "above",
                "is not above the tier before it; sort the tiers by above",
            );
        }
        if floor.is_some_and(|floor| is_less(tier.depth, floor)) {
            problem("confirmations", "is less than what smaller amounts need");
        }
        floor = Some(tier.depth);
        tiers.push(tier);
    }
    complete.then_some(tiers)
}

/// What is safe is more than any number, and what is final more than what is safe.
fn is_less(one: Depth, other: Depth) -> bool {
    (one.rule, one.confirmations) < (other.rule, other.confirmations)
}

fn tier(section: &Section<'_>, decimals: Option<u8>, home: Home) -> Option<Tier> {
    let above = section.require("above", "write the amount above which the tier applies");
    let depth = section
        .require("confirmations", "write how many blocks larger amounts wait")
        .and_then(|entry| read(&entry, home));
    section.close();
    let above = above.zip(decimals);
    let above =
        above.and_then(|(entry, decimals)| entry.read(|text| value::amount(text, decimals)));
    Some(Tier {
        above: above?,
        depth: depth?,
    })
}
