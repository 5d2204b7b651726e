//! What a block must satisfy before a single transaction in it is believed.
//!
//! Everything that binds transactions to a header's hash is checked. The witness commitment is
//! not: no witness is evidence of a payment, and no output or input can be changed through it.

use super::{serialized::SerializedTx, wire};
use crate::bugs::{Bug, planted};
use crate::domain::{
    block::{BlockHash, BlockId, BlockRef, Height},
    time::UnixMs,
};
use bitcoin::{
    Network, Script, Target, TxMerkleNode,
    block::{Header, Version},
    consensus::{Params, deserialize},
    hashes::{Hash, sha256d},
    script::{Instruction, read_scriptint},
};

/// Why a block or a header is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The bytes are no block.
    #[error("cannot be parsed: {0}")]
    Unparsable(String),
    /// It is another block than the one asked for.
    #[error("is another block, {0}")]
    WrongHash(BlockHash),
    /// It does not follow the block that it should.
    #[error("follows another block, {0}")]
    WrongParent(BlockHash),
    /// Its target is easier than its network allows.
    #[error("claims a difficulty that its network does not have")]
    TooEasy,
    /// Its hash does not meet its own target.
    #[error("has no proof of work")]
    NoWork,
    /// Its transactions are not those that its header commits to.
    #[error("holds other transactions than its header commits to")]
    WrongMerkleRoot,
    /// It repeats transactions at its end, which leaves the merkle root as it was (CVE-2012-2459).
    #[error("repeats transactions")]
    RepeatedTransactions,
    /// The first transaction, and only the first, must be a coinbase; this also keeps inner
    /// nodes of the merkle tree from being passed off as transactions.
    #[error("has a coinbase transaction missing or misplaced")]
    WrongCoinbase,
    /// Its coinbase names another height (BIP 34).
    #[error("says that its height is another")]
    WrongHeight,
}

/// Mainnet's difficulty has not been below 2^40 since long before this height; a chain that
/// claims less here was made at home.
const MAINNET_HARD_SINCE: Height = Height(700_000);

/// Difficulty 2^40 in compact form: five bytes below the easiest target, `0x1d00ffff`.
const MAINNET_HARD_BITS: u32 = 0x1800_ffff;

/// A larger exponent overflows 256 bits.
const MAX_TARGET_EXPONENT: u32 = 0x20;

/// BIP 34 binds mainnet's blocks to their heights from here on.
const MAINNET_BIP34: Height = Height(227_931);

/// Below this, heights are written as one opcode, which the library does not read.
const FIRST_PUSHED_HEIGHT: Height = Height(17);

/// Parses and checks a header of 80 bytes that should hash to `asked`.
///
/// # Errors
/// See [`VerifyError`].
pub(super) fn header(
    raw: &[u8],
    asked: BlockId,
    network: Network,
) -> Result<BlockRef, VerifyError> {
    let header: Header = deserialize(raw).map_err(unparsable)?;
    check_header(&header, asked, network)
}

/// A block that was checked, in place.
#[derive(Debug)]
pub(super) struct Verified<'a> {
    /// Which, as its header says.
    pub(super) block: BlockRef,
    /// What it holds.
    pub(super) transactions: Vec<SerializedTx<'a>>,
}

/// Reads a raw block and checks it against the place in the chain where it was asked for.
///
/// # Errors
/// See [`VerifyError`].
pub(super) fn block<'a>(
    raw: &'a [u8],
    asked: &BlockRef,
    network: Network,
) -> Result<Verified<'a>, VerifyError> {
    let (header, body) = raw
        .split_at_checked(Header::SIZE)
        .ok_or_else(|| unparsable("ends within its header"))?;
    let header: Header = deserialize(header).map_err(unparsable)?;
    let block = check_header(&header, asked.id, network)?;
    if block.parent != asked.parent {
        return Err(VerifyError::WrongParent(block.parent));
    }
    let transactions = SerializedTx::read_all(body).map_err(unparsable)?;
    check_merkle_root(&transactions, header.merkle_root)?;
    let coinbase = check_coinbase(&transactions)?;
    check_height(&header, coinbase, asked.id.height, network)?;
    Ok(Verified {
        block,
        transactions,
    })
}

fn unparsable(error: impl std::fmt::Display) -> VerifyError {
    VerifyError::Unparsable(error.to_string())
}

fn check_header(
    header: &Header,
    asked: BlockId,
    network: Network,
) -> Result<BlockRef, VerifyError> {
    let hash = header.block_hash();
    let found = wire::block_hash(hash);
    if found != asked.hash {
        return Err(VerifyError::WrongHash(found));
    }
    let exponent = header.bits.to_consensus() >> 24;
    if exponent > MAX_TARGET_EXPONENT || header.target() > easiest(asked.height, network) {
        return Err(VerifyError::TooEasy);
    }
    if !header.target().is_met_by(hash) {
        return Err(VerifyError::NoWork);
    }
    Ok(BlockRef {
        id: asked,
        parent: wire::block_hash(header.prev_blockhash),
        time: UnixMs::from_secs(header.time.into()),
    })
}

fn easiest(height: Height, network: Network) -> Target {
    if network == Network::Bitcoin && height >= MAINNET_HARD_SINCE {
        Target::from_compact(bitcoin::CompactTarget::from_consensus(MAINNET_HARD_BITS))
    } else {
        Params::new(network).max_attainable_target
    }
}

/// The root of the tree over the ids. A level on which the two halves of a pair are equal can
/// be had by repeating the list's tail, and is refused.
fn check_merkle_root(
    transactions: &[SerializedTx<'_>],
    expected: TxMerkleNode,
) -> Result<(), VerifyError> {
    let txids = transactions.iter().map(|tx| tx.txid.to_byte_array());
    let mut level: Vec<[u8; 32]> = txids.collect();
    while level.len() > 1 {
        level = level.chunks(2).map(join).collect::<Result<_, _>>()?;
    }
    if level.first() == Some(expected.as_byte_array()) || planted(Bug::MerkleUnverified) {
        Ok(())
    } else {
        Err(VerifyError::WrongMerkleRoot)
    }
}

fn join(pair: &[[u8; 32]]) -> Result<[u8; 32], VerifyError> {
    let (left, right) = match pair {
        [left, right] if left == right => return Err(VerifyError::RepeatedTransactions),
        [left, right] => (left, right),
        // An odd node is paired with itself.
        [single] => (single, single),
        _ => return Err(VerifyError::WrongMerkleRoot),
    };
    let mut both = [0; 64];
    let (first, second) = both.split_at_mut(32);
    first.copy_from_slice(left);
    second.copy_from_slice(right);
    Ok(sha256d::Hash::hash(&both).to_byte_array())
}

/// Finds the coinbase where it must be, and only there.
fn check_coinbase<'a>(transactions: &[SerializedTx<'a>]) -> Result<SerializedTx<'a>, VerifyError> {
    match transactions.split_first() {
        Some((first, rest))
            if first.is_coinbase() && !rest.iter().any(SerializedTx::is_coinbase) =>
        {
            Ok(*first)
        }
        Some(_) | None => Err(VerifyError::WrongCoinbase),
    }
}

fn check_height(
    header: &Header,
    coinbase: SerializedTx<'_>,
    height: Height,
    network: Network,
) -> Result<(), VerifyError> {
    let bound_since = match network {
        Network::Bitcoin => MAINNET_BIP34,
        Network::Testnet4 | Network::Signet => FIRST_PUSHED_HEIGHT,
        // Activation there is a matter of options.
        Network::Testnet | Network::Regtest => return Ok(()),
    };
    let named = || {
        let script = coinbase.inputs().next()?.script_sig;
        pushed_height(script).filter(|_| header.version >= Version::TWO)
    };
    if height >= bound_since && named() != Some(height.0.into()) {
        return Err(VerifyError::WrongHeight);
    }
    Ok(())
}

/// The number that a coinbase's script pushes first (BIP 34).
fn pushed_height(script: &Script) -> Option<i64> {
    match script.instructions_minimal().next()?.ok()? {
        Instruction::PushBytes(number) => read_scriptint(number.as_bytes()).ok(),
        Instruction::Op(_) => None,
    }
}

#[cfg(test)]
mod tests;
