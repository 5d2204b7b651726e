//! Tokens: what each one is, and the rules that its administration sets. A branch of the chain
//! has its own rules, so that a transaction may end otherwise on another branch.
//!
//! Sources: the published contracts of Tether (`TetherToken`) and Circle (`FiatTokenV2_2`).

use super::abi;
use alloy_primitives::{Address, B256, Bytes, Log, U256, keccak256};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Where a token's fees go.
const FEES_GO_TO: Address = Address::repeat_byte(0x0f);
/// A rate of 100 %.
const ALL_BASIS_POINTS: u16 = 10_000;

/// A token contract that is there from genesis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its contract.
    pub contract: [u8; 20],
    /// What it calls itself; a fake one may lie.
    pub symbol: String,
    /// Digits after the point of one whole unit.
    pub decimals: u8,
    /// How it behaves.
    pub kind: TokenKind,
}

/// How a token behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// As USDT: a fee may be switched on, senders may be blacklisted, all may be paused, and
    /// `transfer` returns nothing.
    Tether,
    /// As USDC: everybody involved may be blacklisted, all may be paused.
    Circle,
    /// No administration.
    Plain,
}

/// What a token's administration may change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The fee of each transfer: this part of it, but no more than `maximum`. Tether only.
    Fee {
        /// Ten thousandths; at most all.
        basis_points: u16,
        /// In base units.
        maximum: U256,
    },
    /// This account may no longer move it.
    Blacklist([u8; 20]),
    /// This account may move it again.
    Unblacklist([u8; 20]),
    /// Nobody may move it.
    Pause,
    /// Everybody may move it again.
    Unpause,
}

/// The contract reverts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused;

/// A part of a transfer, as its log says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moved {
    pub to: Address,
    pub amount: U256,
}

/// The tokens of a chain with their rules after one block.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger(BTreeMap<Address, Entry>);

#[derive(Debug, Clone)]
struct Entry {
    token: Arc<Token>,
    rules: Rules,
}

#[derive(Debug, Clone, Default)]
struct Rules {
    fee_basis_points: u16,
    fee_maximum: U256,
    blacklist: BTreeSet<Address>,
    paused: bool,
}

impl Ledger {
    /// These tokens, with nothing switched on.
    pub(super) fn new(tokens: Vec<Token>) -> Self {
        let entry = |token: Token| {
            let (contract, rules) = (token.contract.into(), Rules::default());
            let token = Arc::new(token);
            (contract, Entry { token, rules })
        };
        Self(tokens.into_iter().map(entry).collect())
    }

    /// The token at this contract.
    pub(super) fn token(&self, contract: Address) -> Option<&Token> {
        self.0.get(&contract).map(|entry| &*entry.token)
    }

    /// What a transfer moves: the net amount, then the fee if there is one. A contract that is no
    /// token moves nothing.
    pub(super) fn transfer(
        &self,
        contract: Address,
        caller: Address,
        from: Address,
        to: Address,
        amount: U256,
    ) -> Result<Vec<Moved>, Refused> {
        let Some(Entry { token, rules }) = self.0.get(&contract) else {
            return Ok(Vec::new());
        };
        let involved: &[Address] = match token.kind {
            TokenKind::Tether => &[from],
            TokenKind::Circle => &[caller, from, to],
            TokenKind::Plain => &[],
        };
        let listed = involved.iter().any(|one| rules.blacklist.contains(one));
        if rules.paused || listed {
            return Err(Refused);
        }
        Ok(rules.split(to, amount))
    }

    /// Changes a token's rules, and returns the log that says so.
    pub(super) fn change(&mut self, contract: Address, change: &Change) -> Result<Log, Refused> {
        let entry = self.0.get_mut(&contract).ok_or(Refused)?;
        let (event, indexed, data) = entry.rules.apply(entry.token.kind, change)?;
        let topics = std::iter::once(keccak256(event)).chain(indexed).collect();
        Ok(Log::new_unchecked(contract, topics, abi::words(&data)))
    }
}

/// An event's signature, its indexed argument and its data.
type Event = (&'static str, Option<B256>, Vec<B256>);

impl Rules {
    fn split(&self, to: Address, amount: U256) -> Vec<Moved> {
        // Divided first, so that no amount is too large; a ten thousandth of a rest is nothing.
        let (whole, rest) = amount.div_rem(U256::from(ALL_BASIS_POINTS));
        let rate = U256::from(self.fee_basis_points);
        let of_rest = rest.saturating_mul(rate) / U256::from(ALL_BASIS_POINTS);
        let fee = whole.saturating_mul(rate).saturating_add(of_rest);
        let fee = fee.min(self.fee_maximum);
        let amount = amount.saturating_sub(fee);
        let fee = (!fee.is_zero()).then_some(Moved {
            to: FEES_GO_TO,
            amount: fee,
        });
        std::iter::once(Moved { to, amount }).chain(fee).collect()
    }

    fn apply(&mut self, kind: TokenKind, change: &Change) -> Result<Event, Refused> {
        if kind == TokenKind::Plain {
            return Err(Refused);
        }
        Ok(match change {
            Change::Fee { .. } if kind == TokenKind::Circle => return Err(Refused),
            Change::Fee {
                basis_points,
                maximum,
            } => {
                self.fee_basis_points = (*basis_points).min(ALL_BASIS_POINTS);
                self.fee_maximum = *maximum;
                let rate = abi::number(U256::from(self.fee_basis_points));
                let said = vec![rate, abi::number(*maximum)];
                ("Params(uint256,uint256)", None, said)
            }
            Change::Blacklist(account) => {
                self.blacklist.insert(account.into());
                let named = ["AddedBlackList(address)", "Blacklisted(address)"];
                about(kind, named, account)
            }
            Change::Unblacklist(account) => {
                self.blacklist.remove(&Address::from(account));
                let named = ["RemovedBlackList(address)", "UnBlacklisted(address)"];
                about(kind, named, account)
            }
            Change::Pause => {
                self.paused = true;
                ("Pause()", None, Vec::new())
            }
            Change::Unpause => {
                self.paused = false;
                ("Unpause()", None, Vec::new())
            }
        })
    }
}

/// An event about an account, which Circle indexes and Tether does not.
fn about(kind: TokenKind, [tether, circle]: [&'static str; 2], account: &[u8; 20]) -> Event {
    let word = abi::account(account.into());
    match kind {
        TokenKind::Tether | TokenKind::Plain => (tether, None, vec![word]),
        TokenKind::Circle => (circle, Some(word), Vec::new()),
    }
}

/// The call that makes this change.
pub(super) fn administration(change: &Change) -> Bytes {
    let account = |account: &[u8; 20]| abi::account(account.into());
    match change {
        Change::Fee {
            basis_points,
            maximum,
        } => {
            let rate = abi::number(U256::from(*basis_points));
            abi::call("setParams(uint256,uint256)", &[rate, abi::number(*maximum)])
        }
        Change::Blacklist(who) => abi::call("addBlackList(address)", &[account(who)]),
        Change::Unblacklist(who) => abi::call("removeBlackList(address)", &[account(who)]),
        Change::Pause => abi::call("pause()", &[]),
        Change::Unpause => abi::call("unpause()", &[]),
    }
}

impl Token {
    /// What a call that changes nothing returns; `None` when the contract reverts.
    pub(super) fn view(&self, input: &[u8]) -> Option<Bytes> {
        let asked = |function| input.starts_with(&abi::selector(function));
        if asked("decimals()") {
            Some(abi::words(&[abi::number(U256::from(self.decimals))]))
        } else if asked("symbol()") || asked("name()") {
            Some(abi::string(&self.symbol))
        } else {
            None
        }
    }

    /// What a successful `transfer` returns.
    pub(super) fn transfer_output(&self) -> Bytes {
        match self.kind {
            TokenKind::Tether => Bytes::new(),
            TokenKind::Circle | TokenKind::Plain => abi::words(&[abi::number(U256::ONE)]),
        }
    }
}
