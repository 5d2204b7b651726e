//! Finds every credit in a block: tokens by their contracts' logs, ether by the value
//! of successful transactions. Pure; does not know who is watched.
//!
//! Calldata is never evidence. Withdrawals and fees are no payments.

use super::{
    sender, token_events,
    trace::Outline,
    trace::Root,
    verify::{self, VerifiedTx, VerifyError},
    wire::Envelope,
};
use crate::bugs::{Bug, planted};
use crate::domain::{
    amount::Amount,
    block::{BlockRef, TxId},
    evidence::Evidence,
    facts::{BlockFacts, Candidate, CreditAsset, Destination, IgnoredReason, Payer},
    token::TokenEvent,
    transfer::Position,
};
use alloy_consensus::Transaction;
use alloy_primitives::{Address, B256, Log, U256, address, b256};
use std::collections::BTreeMap;

/// `keccak256("Transfer(address,address,uint256)")` (ERC-20).
pub const TRANSFER: B256 =
    b256!("0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");

/// Emits a Transfer log for every move of ether where EIP-7708 is active; the ether itself is
/// found by other means, so its logs say nothing new.
pub(super) const SYSTEM_EMITTER: Address = address!("0xfffffffffffffffffffffffffffffffffffffffe");

/// Checks a block and its receipts, both as the JSON that a node answers, and finds its credits
/// in ether and in these token contracts.
///
/// # Errors
/// When any part contradicts the block's hash, or cannot be read.
pub fn verify_and_scan(
    block_json: &str,
    receipts_json: &str,
    expected: &BlockRef,
    tokens: &[[u8; 20]],
) -> Result<BlockFacts, VerifyError> {
    read(block_json, receipts_json, expected, tokens).map(|block| block.facts)
}

/// A block that was read.
#[derive(Debug, Clone)]
pub(super) struct Block {
    /// Its credits.
    pub facts: BlockFacts,
    /// What its traces are compared with, where code may have run in it.
    pub outline: Option<Outline>,
}

/// A transaction and what came of it.
pub(super) struct Tx<'a> {
    pub id: TxId,
    /// `None` where a contract is created.
    pub to: Option<Address>,
    pub value: U256,
    pub succeeded: bool,
    pub logs: &'a [Log],
    pub gas_used: u64,
    /// As its hash binds it; `None` where its type cannot be encoded: then nobody knows who signed it.
    pub envelope: Option<&'a Envelope>,
}

/// What a transaction burns that does nothing but move its value.
const PLAIN_GAS: u64 = 21_000;

impl Tx<'_> {
    /// Whether code may have run in it: a plain move of its value burns a known amount.
    pub fn may_run_code(&self) -> bool {
        let has_no_input = self.envelope.is_some_and(|tx| tx.input().is_empty());
        let is_plain = self.gas_used == PLAIN_GAS && has_no_input;
        self.succeeded && !(is_plain && self.logs.is_empty())
    }
}

impl VerifiedTx {
    fn as_read(&self) -> Tx<'_> {
        Tx {
            id: self.id,
            to: self.envelope.to(),
            value: self.envelope.value(),
            succeeded: self.succeeded,
            logs: &self.logs,
            gas_used: self.gas_used,
            envelope: Some(&self.envelope),
        }
    }
}

/// As [`verify_and_scan`], with what its traces are compared with.
pub(super) fn read(
    block_json: &str,
    receipts_json: &str,
    expected: &BlockRef,
    tokens: &[[u8; 20]],
) -> Result<Block, VerifyError> {
    let block = verify::verify(block_json, receipts_json, expected)?;
    let transactions: Vec<Tx<'_>> = block.transactions.iter().map(VerifiedTx::as_read).collect();
    let mut read = scan(block.block, &transactions, tokens, Evidence::Proven);
    let earners = block.earners.iter().copied();
    read.facts.earners = earners.filter_map(destination).collect();
    Ok(read)
}

/// The credits of a block with these transactions, by what vouches for all of them.
pub(super) fn scan(
    block: BlockRef,
    transactions: &[Tx<'_>],
    tokens: &[[u8; 20]],
    evidence: Evidence,
) -> Block {
    let mut found = Found::by(evidence);
    for (index, tx) in (0..).zip(transactions) {
        found.native(index, tx);
        let first_only = planted(Bug::FirstLogOnly);
        for (ordinal, log) in (0..)
            .zip(tx.logs)
            .take_while(|(n, _)| *n == 0 || !first_only)
        {
            found.log(index, ordinal, tx, log, tokens);
            let place = (index, Position::Log(ordinal));
            let event = token_events::read(log, place, tokens).filter(|_| tx.succeeded);
            found.token_events.extend(event);
        }
    }
    let facts = BlockFacts {
        awaits_trace: transactions.iter().any(Tx::may_run_code),
        transactions: transactions.iter().map(|tx| tx.id).collect(),
        credits: found.credits.into_iter().collect(),
        ignored: found.ignored.into_iter().collect(),
        token_events: found.token_events,
        ..BlockFacts::empty(block)
    };
    let outline = facts.awaits_trace.then(|| Outline {
        transactions: facts.transactions.as_slice().into(),
        roots: transactions.iter().map(Root::of).collect(),
        is_proven: evidence == Evidence::Proven,
    });
    Block { facts, outline }
}

struct Found {
    credits: Vec<Candidate>,
    ignored: BTreeMap<IgnoredReason, u64>,
    evidence: Evidence,
    token_events: Vec<TokenEvent>,
}

impl Found {
    const fn by(evidence: Evidence) -> Self {
        Self {
            credits: Vec::new(),
            ignored: BTreeMap::new(),
            evidence,
            token_events: Vec::new(),
        }
    }

    fn ignore(&mut self, reason: IgnoredReason) {
        let count = self.ignored.entry(reason).or_default();
        *count = count.saturating_add(1);
    }

    /// The value of the transaction itself. Who signed is recovered for matches only, so that an
    /// account that pays itself is still among the credits: see [`sender::is_self_transfer`].
    fn native(&mut self, tx_index: u32, tx: &Tx<'_>) {
        let Some(destination) = tx.to.and_then(destination) else {
            return;
        };
        if tx.value.is_zero() {
            return;
        }
        if !tx.succeeded {
            return self.ignore(IgnoredReason::Failed);
        }
        self.credits.push(Candidate {
            destination,
            asset: CreditAsset::Native,
            amount: Amount::from_base(tx.value),
            tx_index,
            position: Position::Transaction,
            payer: tx.envelope.map_or(Payer::Unknown, sender::signer_of),
            coinbase: false,
            evidence: self.evidence,
        });
    }

    fn log(&mut self, tx_index: u32, ordinal: u32, tx: &Tx<'_>, log: &Log, tokens: &[[u8; 20]]) {
        if log.topics().first() != Some(&TRANSFER) || log.address == SYSTEM_EMITTER {
            return;
        }
        let token = tokens.first().filter(|_| planted(Bug::AnyToken));
        let contract = token.copied().unwrap_or(log.address.into_array());
        let asked = asked(tx).filter(|_| planted(Bug::FeeIgnored));
        match token_transfer(tx.succeeded, contract, log, tokens) {
            Err(reason) => self.ignore(reason),
            Ok(moved) => self.credits.push(Candidate {
                destination: moved.to,
                asset: CreditAsset::Token(contract),
                amount: asked.unwrap_or(moved.amount),
                tx_index,
                position: Position::Log(ordinal),
                payer: Payer::Account(moved.from.into_array()),
                coinbase: false,
                evidence: self.evidence,
            }),
        }
    }
}

struct Moved {
    from: Address,
    to: Destination,
    amount: Amount,
}

/// What a Transfer log moves; only the exact shape of ERC-20 counts.
fn token_transfer(
    succeeded: bool,
    contract: [u8; 20],
    log: &Log,
    tokens: &[[u8; 20]],
) -> Result<Moved, IgnoredReason> {
    if !tokens.contains(&contract) {
        return Err(IgnoredReason::UnknownToken);
    }
    // The protocol drops the logs of a failed transaction; a chain that keeps them changes nothing.
    if !succeeded {
        return Err(IgnoredReason::Failed);
    }
    let (from, to, amount) = erc20(log).ok_or(IgnoredReason::MalformedLog)?;
    // An account that pays itself gains nothing.
    if amount.is_zero() || from == to {
        return Err(IgnoredReason::ZeroValue);
    }
    Ok(Moved {
        from,
        to: destination(to).ok_or(IgnoredReason::MalformedLog)?,
        amount: Amount::from_base(amount),
    })
}

/// What a call of `transfer(address,uint256)` asks for, which is evidence of nothing.
fn asked(tx: &Tx<'_>) -> Option<Amount> {
    let word: [u8; 32] = tx.envelope?.input().get(36..68)?.try_into().ok()?;
    Some(Amount::from_base(U256::from_be_bytes(word)))
}

fn erc20(log: &Log) -> Option<(Address, Address, U256)> {
    let first_three = log.topics().get(..3).filter(|_| planted(Bug::FourTopics));
    let [_, from, to] = first_three.unwrap_or(log.topics()) else {
        return None;
    };
    let amount: [u8; 32] = log.data.data.as_ref().try_into().ok()?;
    let amount = U256::from_be_bytes(amount);
    let short = Some(amount.wrapping_to::<u64>()).filter(|_| planted(Bug::ShortAmounts));
    Some((
        account(from)?,
        account(to)?,
        short.map_or(amount, U256::from),
    ))
}

/// The account in a topic, whose upper 12 bytes must be zero.
pub(super) fn account(topic: &B256) -> Option<Address> {
    let word = Address::from_word(*topic);
    (word.into_word() == *topic).then_some(word)
}

fn destination(address: Address) -> Option<Destination> {
    Destination::new(address.as_slice())
}

#[cfg(test)]
mod tests;
