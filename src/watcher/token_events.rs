//! What tokens' administrations do: which payments it touches, and what is told of it chain-wide.
//!
//! An act that names an account touches the payment that owns the address, whatever its status; any other touches the
//! open payments that expect the asset, the first [`TOLD_MAX`] of them. Beside these there is one entry
//! about the chain for each block, asset and kind of act, however many logs there were; none for
//! accounts that nobody here watches. A block that comes back, or another one with the same
//! transactions, tells nothing again: the journal says what was told.

use super::{Watcher, blocks::transaction, plan::Plan, state::ChainState, touched::Touched};
use crate::{
    bugs::{Bug, planted},
    chain::ethereum::address::checksummed,
    domain::{
        asset::{Asset, ChainName},
        event::Entry,
        facts::{BlockFacts, CreditAsset, Destination, Fact},
        snapshot::txid_text,
        time::UnixMs,
        token::{TokenAct, TokenEvent, TokenNotice},
    },
    store::{Open, StoreError},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How many open payments one act is told to: a shop has fewer, and a commit stays short.
const TOLD_MAX: u32 = 1000;
/// How many logs of a block are listed for each kind of act.
const LISTED_MAX: usize = 20;
/// How far back in the journal's chain-wide entries it is looked for what was told: further than
/// any reorganisation reaches with acts in each of its blocks.
const REMEMBERED_MAX: u32 = 256;

/// The acts of one kind on one asset in one block.
#[derive(Debug)]
struct Group<'a> {
    facts: &'a BlockFacts,
    asset: &'a Asset,
    act: TokenAct,
    events: Vec<&'a TokenEvent>,
}

impl Watcher {
    /// Whom the acts of a block name.
    pub(super) fn touch_named(
        &self,
        chain: &ChainState,
        facts: &BlockFacts,
        touched: &mut Touched,
    ) {
        let named = facts.token_events.iter();
        for event in named.filter(|event| event.act.names_account()) {
            let asset = chain.spec.asset(CreditAsset::Token(event.contract));
            let destination = event.account.and_then(|who| Destination::new(&who));
            let Some((asset, destination)) = asset.zip(destination) else {
                continue;
            };
            let Some(fact) = fact(asset, facts, event) else {
                continue;
            };
            for key in self.index.owners(&chain.spec.name, &destination) {
                touched.add_credit(key, destination, fact.clone());
            }
        }
    }

    /// Tells of the acts in blocks that join the chain, and touches who uses the tokens. Blocks
    /// without any cost nothing.
    pub(super) fn touch_users_of_tokens(
        &self,
        chain: &ChainState,
        blocks: &[BlockFacts],
        touched: &mut Touched,
        plan: &mut Plan,
    ) -> Result<(), StoreError> {
        if blocks.iter().all(|facts| facts.token_events.is_empty()) {
            return Ok(());
        }
        let told = self.store.last_chain_wide(REMEMBERED_MAX)?;
        let told = told
            .iter()
            .filter_map(|data| serde_json::from_str(data).ok());
        let told: Vec<Value> = told.collect();
        for mut group in blocks.iter().flat_map(|facts| groups(chain, facts)) {
            if group.act.names_account() {
                group.events.retain(|event| self.is_ours(chain, event));
            }
            if group.events.is_empty() || was_told(chain, &group, &told) {
                continue;
            }
            let open = if group.act.names_account() {
                None
            } else {
                Some(self.touch_open(&group, touched)?)
            };
            plan.step
                .entries
                .push(entry(chain, &group, open.as_ref(), plan.step.at));
        }
        Ok(())
    }

    /// Every day tokens blacklist somebody: an account that is not watched concerns nobody here. One that
    /// cannot be read may be anybody's.
    fn is_ours(&self, chain: &ChainState, event: &TokenEvent) -> bool {
        let destination = event.account.and_then(|who| Destination::new(&who));
        destination.is_none_or(|who| {
            let mut owners = self.index.owners(&chain.spec.name, &who);
            owners.next().is_some()
        })
    }

    /// The last of the block's acts of this kind touches who waits for the asset.
    fn touch_open(&self, group: &Group<'_>, touched: &mut Touched) -> Result<Open, StoreError> {
        let open = self.store.open_payments(&group.asset.code, TOLD_MAX)?;
        let last = group.events.last().filter(|_| !planted(Bug::PauseUntold));
        if let Some(fact) = last.and_then(|event| fact(group.asset, group.facts, event)) {
            for key in &open.first {
                touched.add(*key, fact.clone());
            }
        }
        Ok(open)
    }
}

/// An act as a payment takes it.
fn fact(asset: &Asset, facts: &BlockFacts, event: &TokenEvent) -> Option<Fact> {
    let txid = transaction(facts, event.tx_index)?;
    let notice = TokenNotice {
        act: event.act,
        asset: asset.code.as_str().to_owned(),
        txid: txid.to_string(),
        position: event.position.to_string(),
        height: facts.block.id.height.0,
    };
    let block = facts.block;
    Some(Fact::Token { notice, block })
}

/// The acts of a block by asset and kind, in a fixed order.
fn groups<'a>(
    chain: &'a ChainState,
    facts: &'a BlockFacts,
) -> impl Iterator<Item = Group<'a>> + use<'a> {
    let mut groups: BTreeMap<_, Group<'a>> = BTreeMap::new();
    for event in &facts.token_events {
        let act = event.act;
        let Some(asset) = chain.spec.asset(CreditAsset::Token(event.contract)) else {
            continue;
        };
        let group = groups
            .entry((event.contract, act))
            .or_insert_with(|| Group {
                facts,
                asset,
                act,
                events: Vec::new(),
            });
        group.events.push(event);
    }
    groups.into_values()
}

/// The logs of a group that are listed: transaction and place.
fn listed(chain: &ChainState, group: &Group<'_>) -> Vec<(String, String)> {
    let place = |event: &&TokenEvent| {
        let txid = transaction(group.facts, event.tx_index)?;
        let txid = txid_text(chain.spec.kind, txid);
        Some((txid, event.position.to_string()))
    };
    let events = group.events.iter().take(LISTED_MAX);
    events.filter_map(place).collect()
}

/// Whether the journal has every log of a group: its listed ones by name, the others by number.
fn was_told(chain: &ChainState, group: &Group<'_>, told: &[Value]) -> bool {
    let about = |data: &&Value| {
        let token = data.get("token");
        let code = token.and_then(|token| token.get("code")?.as_str());
        let asset = token.and_then(|token| token.get("asset")?.as_str());
        is_of(&chain.spec.name, data)
            && (code, asset) == (Some(group.act.as_str()), Some(group.asset.code.as_str()))
    };
    let told: Vec<&Value> = told.iter().filter(about).collect();
    let has = |data: &Value, (txid, position): &(String, String)| {
        let logs = data.pointer("/token/logs").and_then(Value::as_array);
        let text = |log: &Value, key: &str| log.get(key)?.as_str().map(str::to_owned);
        logs.into_iter().flatten().any(|log| {
            text(log, "txid").as_ref() == Some(txid)
                && text(log, "position").as_ref() == Some(position)
        })
    };
    let count = |data: &Value| data.pointer("/token/count").and_then(Value::as_u64);
    let all = u64::try_from(group.events.len()).unwrap_or(u64::MAX);
    listed(chain, group).iter().all(|log| {
        let mut told = told.iter();
        told.any(|data| {
            has(data, log) && (group.events.len() <= LISTED_MAX || count(data) >= Some(all))
        })
    })
}

fn is_of(chain: &ChainName, data: &Value) -> bool {
    data.get("chain").and_then(Value::as_str) == Some(chain.as_str())
}

/// One entry about the chain for all acts of a group.
fn entry(chain: &ChainState, group: &Group<'_>, open: Option<&Open>, at: UnixMs) -> Entry {
    let Group { asset, act, .. } = group;
    let block = group.facts.block;
    let logs = listed(chain, group).into_iter().zip(&group.events);
    let logs = logs.map(|((txid, position), event)| {
        let figures = event.figures.iter();
        json!({
            "txid": txid,
            "position": position,
            "account": event.account.map(checksummed),
            "figures": figures.map(|figure| figure.base().to_string()).collect::<Vec<_>>(),
        })
    });
    let contract = group
        .events
        .first()
        .map(|event| checksummed(event.contract));
    let told = open.map(|open| open.first.len());
    let data = json!({
        "chain": chain.spec.name,
        "token": {
            "code": act.as_str(),
            "asset": asset.code.as_str(),
            "contract": contract,
            "block_height": block.id.height.0,
            "block_hash": format!("{}{}", chain.spec.kind.hash_prefix(), block.id.hash),
            "count": group.events.len(),
            "logs": logs.collect::<Vec<_>>(),
            "open_payments": open.map(|open| open.payments),
            "told_payments": told,
        },
        "message": message(group, open),
    });
    Entry::attention(&data, at)
}

fn message(group: &Group<'_>, open: Option<&Open>) -> String {
    let asset = &group.asset.code;
    let what = match group.act {
        TokenAct::Paused => "was paused by its contract: nobody can move it for now",
        TokenAct::Unpaused => "is no longer paused by its contract",
        TokenAct::FeeChanged => "takes another fee of each transfer, which the figures tell",
        TokenAct::Deprecated => {
            "was deprecated: transfers of the contract that takes its place are not seen"
        }
        TokenAct::Upgraded => "has other code now: its contract was upgraded",
        TokenAct::Blacklisted => {
            "can no longer be moved from watched accounts, or from some that its log does not name"
        }
        TokenAct::Unblacklisted => {
            "can be moved again from watched accounts, or from some that its log does not name"
        }
        TokenAct::FundsDestroyed => {
            "was destroyed on watched accounts, or on some that its log does not name"
        }
    };
    let waiting = open.map_or_else(String::new, |open| {
        format!("; {} open payments expect it", open.payments)
    });
    let height = group.facts.block.id.height;
    format!("{asset} {what} (block {height}){waiting}")
}
