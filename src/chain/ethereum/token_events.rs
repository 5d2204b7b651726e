//! What the administration of a token logs: which of a verified block's logs say that a configured token
//! was paused, changed its fee, or blacklisted somebody. Pure; does not know who is watched.
//!
//! Sources: the published contracts of Tether (`TetherToken`), Circle (`FiatTokenV2_2` and its proxy of
//! `ZeppelinOS`), `OpenZeppelin`'s `Pausable`, and EIP-1967. A log is known by its contract and its first topic.
//! Whether its arguments are indexed differs from contract to contract, so they are read as one list: topics,
//! then words of data. What is missing or no address is left out, and the act is told all the same.

use super::scan::{SYSTEM_EMITTER, account};
use crate::bugs::{Bug, planted};
use crate::domain::{
    amount::Amount,
    token::{TokenAct, TokenEvent},
    transfer::Position,
};
use alloy_primitives::{Address, B256, Log, U256, b256};

/// `Pause()`: Tether, Circle.
const PAUSE: B256 = b256!("0x6985a02210a168e66602d3235cb6db0e70f92b3ba4d376a33c0f3d9434bff625");
/// `Unpause()`: Tether, Circle.
const UNPAUSE: B256 = b256!("0x7805862f689e2f13df9f062ff482ad3ad112aca9e0847911ed832e158c525b33");
/// `Paused(address)`: `OpenZeppelin`; the account is who paused it.
const PAUSED: B256 = b256!("0x62e78cea01bee320cd4e420270b5ea74000d11b0c9f74754ebdbfc544b05a258");
/// `Unpaused(address)`: `OpenZeppelin`.
const UNPAUSED: B256 = b256!("0x5db9ee0a495bf2e6ff9c91a7834c1ba4fdd244a5e8aa4e537bd38aeae4b073aa");
/// `Params(uint256,uint256)`: Tether; ten-thousandths, and the most in base units.
const PARAMS: B256 = b256!("0xb044a1e409eac5c48e5af22d4af52670dd1a99059537a78b31b48c6500a6354e");
/// `Deprecate(address)`: Tether.
const DEPRECATE: B256 = b256!("0xcc358699805e9a8b7f77b522628c7cb9abd07d9efb86b6fb616af1609036a99e");
/// `Upgraded(address)`: EIP-1967 indexes the address, `ZeppelinOS` does not.
const UPGRADED: B256 = b256!("0xbc7cd75a20ee27fd9adebab32041f755214dbc6bffa90cc0225b39da2e5c2d3b");
/// `AddedBlackList(address)`: Tether.
const ADDED: B256 = b256!("0x42e160154868087d6bfdc0ca23d96a1c1cfa32f1b72ba9ba27b69b98a0d819dc");
/// `RemovedBlackList(address)`: Tether.
const REMOVED: B256 = b256!("0xd7e9ec6e6ecd65492dce6bf513cd6867560d49544421d0783ddf06e76c24470c");
/// `DestroyedBlackFunds(address,uint256)`: Tether.
const DESTROYED: B256 = b256!("0x61e6e66b0d6339b2980aecc6ccc0039736791f0ccde9ed512e789a7fbdd698c6");
/// `Blacklisted(address)`: Circle, which indexes the address.
const BLACKLISTED: B256 =
    b256!("0xffa4e6181777692565cf28528fc88fd1516ea86b56da075235fa575af6a4b855");
/// `UnBlacklisted(address)`: Circle.
const UNBLACKLISTED: B256 =
    b256!("0x117e3210bb9aa7d9baff172026820255c6f6c30ba8999d1c2fd88e2848137c4e");

const ACTS: [(B256, TokenAct); 12] = [
    (PAUSE, TokenAct::Paused),
    (UNPAUSE, TokenAct::Unpaused),
    (PAUSED, TokenAct::Paused),
    (UNPAUSED, TokenAct::Unpaused),
    (PARAMS, TokenAct::FeeChanged),
    (DEPRECATE, TokenAct::Deprecated),
    (UPGRADED, TokenAct::Upgraded),
    (ADDED, TokenAct::Blacklisted),
    (REMOVED, TokenAct::Unblacklisted),
    (DESTROYED, TokenAct::FundsDestroyed),
    (BLACKLISTED, TokenAct::Blacklisted),
    (UNBLACKLISTED, TokenAct::Unblacklisted),
];

/// A word is 32 bytes.
const WORD: usize = 32;
/// No event that is known has more arguments.
const ARGUMENTS_MAX: usize = 2;

/// The act that this log tells of, when its contract is one of these tokens.
pub(super) fn read(
    log: &Log,
    (tx_index, position): (u32, Position),
    tokens: &[[u8; 20]],
) -> Option<TokenEvent> {
    let contract = log.address.into_array();
    if !tokens.contains(&contract) || log.address == SYSTEM_EMITTER {
        return None;
    }
    let topic = log.topics().first()?;
    let (_, act) = ACTS.iter().find(|(known, _)| known == topic)?;
    if *act == TokenAct::Upgraded && planted(Bug::UpgradeUnread) {
        return None;
    }
    let arguments = arguments(log);
    let first = arguments.first();
    let named = first.filter(|_| names_somebody(*act));
    let of_figures = match act {
        TokenAct::FeeChanged => &arguments[..],
        TokenAct::FundsDestroyed => arguments.get(1..).unwrap_or_default(),
        TokenAct::Paused
        | TokenAct::Unpaused
        | TokenAct::Deprecated
        | TokenAct::Upgraded
        | TokenAct::Blacklisted
        | TokenAct::Unblacklisted => &[],
    };
    let figure = |word: &B256| Amount::from_base(U256::from_be_bytes(word.0));
    Some(TokenEvent {
        contract,
        act: *act,
        tx_index,
        position,
        account: named.and_then(account).map(Address::into_array),
        figures: of_figures.iter().map(figure).collect(),
    })
}

/// Whether its first argument is an account, or the contract that takes over.
const fn names_somebody(act: TokenAct) -> bool {
    act.names_account() || matches!(act, TokenAct::Deprecated | TokenAct::Upgraded)
}

/// The event's arguments as far as they are there, indexed or not: no event that is known indexes a
/// later one and not those before.
fn arguments(log: &Log) -> Vec<B256> {
    let indexed = log.topics().iter().skip(1).copied();
    let words = log.data.data.chunks_exact(WORD).map(B256::from_slice);
    indexed.chain(words).take(ARGUMENTS_MAX).collect()
}

#[cfg(test)]
mod tests;
