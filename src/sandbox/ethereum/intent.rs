//! What a transaction is to do, before anybody has signed it. Says nothing of how it ends: that
//! depends on the block.

use super::{abi, frame::Frame, token::Change};
use alloy_primitives::{Address, B256, Bytes, Log, TxKind, U256, b256};

/// The hash of `Transfer(address,address,uint256)` (ERC-20).
const TRANSFER: B256 = b256!("0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");

/// How a transaction is encoded (EIP-2718).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Type 0 from before EIP-155: names no chain.
    Unprotected,
    /// Type 0.
    Legacy,
    /// Type 1 (EIP-2930).
    AccessList,
    /// Type 2 (EIP-1559).
    DynamicFee,
    /// Type 3 (EIP-4844).
    Blob,
    /// Type 4 (EIP-7702).
    SetCode,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Unprotected,
        Self::Legacy,
        Self::AccessList,
        Self::DynamicFee,
        Self::Blob,
        Self::SetCode,
    ];
}

/// One transfer of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// The token's contract.
    pub token: [u8; 20],
    /// Whose money; `None` is whoever signs. Allowances are not looked at.
    pub from: Option<[u8; 20]>,
    /// Who gets it.
    pub to: [u8; 20],
    /// How much in base units, before the token's fee.
    pub amount: U256,
}

/// The shape of a log with the topic of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogShape {
    /// Exactly as ERC-20 has it.
    Proper,
    /// A fourth topic, as ERC-721.
    FourTopics,
    /// The receiver is not among the topics.
    TwoTopics,
    /// No data.
    NoData,
    /// 31 bytes of data.
    ShortData,
    /// 33 bytes of data.
    LongData,
    /// The topic of the sender is more than an address.
    DirtySender,
    /// The topic of the receiver is more than an address.
    DirtyReceiver,
}

impl LogShape {
    /// Every shape that is no transfer.
    pub const MALFORMED: [Self; 7] = [
        Self::FourTopics,
        Self::TwoTopics,
        Self::NoData,
        Self::ShortData,
        Self::LongData,
        Self::DirtySender,
        Self::DirtyReceiver,
    ];

    /// A log of this shape.
    pub(super) fn log(self, contract: Address, from: Address, to: Address, amount: U256) -> Log {
        let (mut from, mut to) = (abi::account(from), abi::account(to));
        match self {
            Self::DirtySender => from = dirty(from),
            Self::DirtyReceiver => to = dirty(to),
            Self::Proper
            | Self::FourTopics
            | Self::TwoTopics
            | Self::NoData
            | Self::ShortData
            | Self::LongData => {}
        }
        let amount = abi::number(amount);
        let topics = match self {
            Self::FourTopics => vec![TRANSFER, from, to, amount],
            Self::TwoTopics => vec![TRANSFER, from],
            Self::Proper
            | Self::NoData
            | Self::ShortData
            | Self::LongData
            | Self::DirtySender
            | Self::DirtyReceiver => vec![TRANSFER, from, to],
        };
        let data = match self {
            Self::NoData => Bytes::new(),
            Self::ShortData => Bytes::copy_from_slice(amount.get(1..).unwrap_or_default()),
            Self::LongData => [amount.as_slice(), &[0]].concat().into(),
            Self::Proper
            | Self::FourTopics
            | Self::TwoTopics
            | Self::DirtySender
            | Self::DirtyReceiver => abi::words(&[amount]),
        };
        Log::new_unchecked(contract, topics, data)
    }
}

fn dirty(account: B256) -> B256 {
    let above_address = U256::ONE << 160;
    B256::from(U256::from_be_bytes(account.0) | above_address)
}

/// One thing that a transaction's code does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Move(Move),
    Change {
        token: Address,
        change: Change,
    },
    Log {
        contract: Address,
        shape: LogShape,
        to: Address,
        amount: U256,
    },
    Call(Frame),
}

/// What a transaction is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    pub(super) kind: Kind,
    pub(super) to: TxKind,
    pub(super) value: U256,
    pub(super) input: Bytes,
    pub(super) steps: Vec<Step>,
}

/// What it does.
impl Intent {
    /// Pays ether.
    #[must_use]
    pub fn ether(to: impl Into<Address>, value: U256) -> Self {
        Self {
            kind: Kind::DynamicFee,
            to: TxKind::Call(to.into()),
            value,
            input: Bytes::new(),
            steps: Vec::new(),
        }
    }

    /// Calls a token's `transfer`.
    #[must_use]
    pub fn token(token: [u8; 20], to: [u8; 20], amount: U256) -> Self {
        let transfer = Move {
            token,
            from: None,
            to,
            amount,
        };
        Self::calling(token, input_of(&transfer)).step(Step::Move(transfer))
    }

    /// Calls a token's `transferFrom`: with an amount of zero anybody may do so in anybody's name,
    /// to have an address that looks familiar in that account's history.
    #[must_use]
    pub fn token_from(token: [u8; 20], from: [u8; 20], to: [u8; 20], amount: U256) -> Self {
        let transfer = Move {
            token,
            from: Some(from),
            to,
            amount,
        };
        Self::calling(token, input_of(&transfer)).step(Step::Move(transfer))
    }

    /// Calls a token's `transfer`, which says `false` and does nothing.
    #[must_use]
    pub fn refused_token(token: [u8; 20], to: [u8; 20], amount: U256) -> Self {
        let transfer = Move {
            token,
            from: None,
            to,
            amount,
        };
        Self::calling(token, input_of(&transfer))
    }

    /// Has a contract make several transfers of tokens; one that is refused fails them all.
    #[must_use]
    pub fn tokens(router: impl Into<Address>, moves: Vec<Move>) -> Self {
        let all = Self::calling(router, abi::call("multicall()", &[]));
        moves
            .into_iter()
            .fold(all, |all, one| all.step(Step::Move(one)))
    }

    /// Calls a token's `transfer`, which emits a log of this shape and moves nothing. With a
    /// proper log the token lies, and nobody can know.
    #[must_use]
    pub fn odd_log(token: [u8; 20], shape: LogShape, to: [u8; 20], amount: U256) -> Self {
        Self::forged_log(token, token, shape, to, amount)
    }

    /// Calls a token's `transfer`, inside of which another contract emits a log; nothing moves.
    #[must_use]
    pub fn forged_log(
        token: [u8; 20],
        forger: impl Into<Address>,
        shape: LogShape,
        to: [u8; 20],
        amount: U256,
    ) -> Self {
        Self::refused_token(token, to, amount).step(Step::Log {
            contract: forger.into(),
            shape,
            to: to.into(),
            amount,
        })
    }

    /// Has a contract make these calls, as exchanges pay out in batches.
    #[must_use]
    pub fn batch(contract: impl Into<Address>, calls: Vec<Frame>) -> Self {
        let batch = Self::calling(contract, abi::call("payOut()", &[]));
        calls
            .into_iter()
            .fold(batch, |batch, call| batch.step(Step::Call(call)))
    }

    /// Makes a contract, whose constructor makes these calls. Always of a kind below blobs.
    #[must_use]
    pub fn create(value: U256, calls: Vec<Frame>) -> Self {
        let create = Self {
            to: TxKind::Create,
            input: Bytes::from_static(&[0x60, 0x01]),
            ..Self::ether(Address::ZERO, value)
        };
        calls
            .into_iter()
            .fold(create, |create, call| create.step(Step::Call(call)))
    }

    /// Changes a token's rules; everybody may.
    #[must_use]
    pub fn administer(token: [u8; 20], change: Change) -> Self {
        let input = super::token::administration(&change);
        let token = token.into();
        Self::calling(token, input).step(Step::Change { token, change })
    }
}

/// How it does so.
impl Intent {
    /// With ether, beside whatever else it does.
    #[must_use]
    pub const fn with_value(mut self, value: U256) -> Self {
        self.value = value;
        self
    }

    /// With calldata, which changes nothing else.
    #[must_use]
    pub fn with_calldata(mut self, input: impl Into<Bytes>) -> Self {
        self.input = input.into();
        self
    }

    /// Encoded like this.
    #[must_use]
    pub const fn of_kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    fn calling(contract: impl Into<Address>, input: Bytes) -> Self {
        Self::ether(contract, U256::ZERO).with_calldata(input)
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

/// The call that makes this transfer.
pub(super) fn input_of(transfer: &Move) -> Bytes {
    let (to, amount) = (
        abi::account(transfer.to.into()),
        abi::number(transfer.amount),
    );
    match transfer.from {
        None => abi::call("transfer(address,uint256)", &[to, amount]),
        Some(from) => {
            let from = abi::account(from.into());
            abi::call("transferFrom(address,address,uint256)", &[from, to, amount])
        }
    }
}
