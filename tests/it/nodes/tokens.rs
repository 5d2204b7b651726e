//! The test tokens of `tests/tokens` on an anvil. Every function sends a transaction and returns its hash; the
//! test mines. Amounts are in base units: `25_000_000` is 25 USDT.

use alloy_primitives::{Address, B256};

use super::abi::Arg;
use super::anvil::Anvil;

const USDT: &str = include_str!("../../tokens/TestUSDT.bin");
const USDT_SUCCESSOR: &str = include_str!("../../tokens/TestUSDTSuccessor.bin");
const USDC: &str = include_str!("../../tokens/TestUSDC.bin");
const USDC_PROXY: &str = include_str!("../../tokens/TestUSDCProxy.bin");
const FAKE_USDT: &str = include_str!("../../tokens/FakeUSDT.bin");
const MISCHIEF: &str = include_str!("../../tokens/Mischief.bin");

/// One billion tokens with six decimals, all account 0's.
pub const SUPPLY: u64 = 1_000_000_000_000_000;

/// Where the contracts are. Account 0 deployed them, owns them and holds the supply.
#[derive(Clone, Copy, Debug)]
pub struct Tokens {
    pub usdt: Address,
    /// The proxy: the token's address.
    pub usdc: Address,
    pub fake_usdt: Address,
    /// Holds 1,000 USDT and 1,000 USDC, for its batches.
    pub mischief: Address,
}

impl Tokens {
    /// Deploys everything in one block.
    pub fn deploy(anvil: &Anvil) -> Self {
        let owner = anvil.account(0);
        let rules = anvil.deploy(USDC, &[]);
        let tokens = Self {
            usdt: anvil.deploy(USDT, &[SUPPLY.into()]),
            usdc: anvil.deploy(USDC_PROXY, &[rules.into()]),
            fake_usdt: anvil.deploy(FAKE_USDT, &[]),
            mischief: anvil.deploy(MISCHIEF, &[]),
        };
        let initialize = "initialize(address,uint256)";
        anvil.invoke(tokens.usdc, initialize, &[owner.into(), SUPPLY.into()]);
        anvil.invoke(
            tokens.fake_usdt,
            "mint(address,uint256)",
            &[owner.into(), SUPPLY.into()],
        );
        let last = [tokens.usdt, tokens.usdc]
            .map(|token| transfer(anvil, token, tokens.mischief, 1_000_000_000));
        anvil.mine(1);
        for transaction in last {
            let receipt = anvil.receipt(transaction).expect("a mined deployment");
            assert!(
                receipt.succeeded,
                "the test tokens do not work: {receipt:?}"
            );
        }
        tokens
    }
}

/// `transfer` of any token, from account 0.
pub fn transfer(anvil: &Anvil, token: Address, to: Address, amount: u64) -> B256 {
    anvil.invoke(
        token,
        "transfer(address,uint256)",
        &[to.into(), amount.into()],
    )
}

/// USDT's fee: basis points (below 20) of the amount, at most `max` whole tokens (below 50).
pub fn set_fee(anvil: &Anvil, usdt: Address, basis_points: u64, max: u64) -> B256 {
    anvil.invoke(
        usdt,
        "setParams(uint256,uint256)",
        &[basis_points.into(), max.into()],
    )
}

pub fn pause(anvil: &Anvil, token: Address) -> B256 {
    anvil.invoke(token, "pause()", &[])
}

pub fn unpause(anvil: &Anvil, token: Address) -> B256 {
    anvil.invoke(token, "unpause()", &[])
}

/// USDT refuses what this address sends.
pub fn blacklist_usdt(anvil: &Anvil, usdt: Address, user: Address) -> B256 {
    anvil.invoke(usdt, "addBlackList(address)", &[user.into()])
}

/// USDC refuses what this address sends or would receive.
pub fn blacklist_usdc(anvil: &Anvil, usdc: Address, user: Address) -> B256 {
    anvil.invoke(usdc, "blacklist(address)", &[user.into()])
}

/// Deploys a successor that gives `holder` the whole supply, and has USDT forward to it; the successor.
pub fn deprecate_usdt(anvil: &Anvil, usdt: Address, holder: Address) -> Address {
    let args = [usdt.into(), holder.into(), SUPPLY.into()];
    let successor = anvil.deploy(USDT_SUCCESSOR, &args);
    anvil.invoke(usdt, "deprecate(address)", &[successor.into()]);
    successor
}

/// Gives USDC other rules (the same code at another address); the new implementation.
pub fn upgrade_usdc(anvil: &Anvil, usdc: Address) -> Address {
    let rules = anvil.deploy(USDC, &[]);
    anvil.invoke(usdc, "upgradeTo(address)", &[rules.into()]);
    rules
}

/// One transaction in which `mischief` tells of one transfer in a log of its own, and makes another.
pub fn log_and_transfer(
    anvil: &Anvil,
    tokens: &Tokens,
    to: Address,
    logged: u64,
    moved: u64,
) -> B256 {
    let signature = "logAndTransfer(address,address,uint256,uint256)";
    let args = [tokens.usdt.into(), to.into(), logged.into(), moved.into()];
    anvil.invoke(tokens.mischief, signature, &args)
}

/// `mischief` writes logs that look like transfers of its own token, each in a transaction of its own:
/// malformed ones, and one, the last, as an ERC-20 would.
pub fn log_look_alikes(anvil: &Anvil, tokens: &Tokens, to: Address, amount: u64) {
    for function in [
        "logFourTopics(address,address,uint256)",
        "logTwoTopics(address,address,uint256)",
        "logOneTopic(address,address,uint256)",
        "logShortData(address,address,uint248)",
        "logLongData(address,address,uint256)",
        "logDirtyTopics(address,address,uint256)",
        "logClean(address,address,uint256)",
    ] {
        let args = [anvil.account(1).into(), to.into(), amount.into()];
        anvil.invoke(tokens.mischief, function, &args);
    }
}

/// One transaction in which `mischief` pays several addresses from its own tokens.
pub fn batch(anvil: &Anvil, tokens: &Tokens, token: Address, payouts: &[(Address, u64)]) -> B256 {
    let (to, amounts): (Vec<_>, Vec<_>) = payouts.iter().copied().unzip();
    let args: [Arg; 3] = [
        token.into(),
        to.as_slice().into(),
        amounts.as_slice().into(),
    ];
    anvil.invoke(tokens.mischief, "batch(address,address[],uint256[])", &args)
}
