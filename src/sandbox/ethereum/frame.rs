//! The calls that a contract makes inside a transaction, as a trace shows them.

use alloy_primitives::{Address, Bytes, U256};

/// How a frame was entered (the types of geth's callTracer).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FrameKind {
    Call,
    StaticCall,
    DelegateCall,
    Create,
    SelfDestruct,
}

impl FrameKind {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Call => "CALL",
            Self::StaticCall => "STATICCALL",
            Self::DelegateCall => "DELEGATECALL",
            Self::Create => "CREATE",
            Self::SelfDestruct => "SELFDESTRUCT",
        }
    }

    /// Whether its value moves; a delegated call only repeats its caller's.
    pub(super) const fn moves_ether(self) -> bool {
        match self {
            Self::Call | Self::Create | Self::SelfDestruct => true,
            Self::StaticCall | Self::DelegateCall => false,
        }
    }
}

/// One call inside a transaction, and the calls inside of that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub(super) kind: FrameKind,
    pub(super) to: Address,
    pub(super) value: U256,
    pub(super) input: Bytes,
    pub(super) output: Bytes,
    pub(super) reverted: bool,
    pub(super) calls: Vec<Frame>,
}

impl Frame {
    /// A contract pays this account.
    #[must_use]
    pub fn call(to: impl Into<Address>, value: U256) -> Self {
        Self::new(FrameKind::Call, to.into(), value)
    }

    /// Runs another contract's code in its own name. The trace repeats the value, which does not
    /// move.
    #[must_use]
    pub fn delegate_call(to: impl Into<Address>, value: U256) -> Self {
        Self::new(FrameKind::DelegateCall, to.into(), value)
    }

    /// Asks another contract, changing nothing.
    #[must_use]
    pub fn static_call(to: impl Into<Address>) -> Self {
        Self::new(FrameKind::StaticCall, to.into(), U256::ZERO)
    }

    /// Makes a contract at this address and endows it.
    #[must_use]
    pub fn create(at: impl Into<Address>, value: U256) -> Self {
        Self::new(FrameKind::Create, at.into(), value)
    }

    /// The contract ends, and all it has goes to this account.
    #[must_use]
    pub fn self_destruct(to: impl Into<Address>, value: U256) -> Self {
        Self::new(FrameKind::SelfDestruct, to.into(), value)
    }

    /// It fails, and with it all that it called; its caller goes on.
    #[must_use]
    pub const fn reverted(mut self) -> Self {
        self.reverted = true;
        self
    }

    /// It makes these calls itself.
    #[must_use]
    pub fn with(mut self, calls: Vec<Self>) -> Self {
        self.calls = calls;
        self
    }

    /// Whose account acts within this frame, entered by `caller`.
    pub(super) const fn actor(&self, caller: Address) -> Address {
        match self.kind {
            FrameKind::DelegateCall => caller,
            FrameKind::Call
            | FrameKind::StaticCall
            | FrameKind::Create
            | FrameKind::SelfDestruct => self.to,
        }
    }

    /// A token is called.
    pub(super) fn token_call(token: Address, input: Bytes) -> Self {
        Self {
            input,
            ..Self::call(token, U256::ZERO)
        }
    }

    const fn new(kind: FrameKind, to: Address, value: U256) -> Self {
        Self {
            kind,
            to,
            value,
            input: Bytes::new(),
            output: Bytes::new(),
            reverted: false,
            calls: Vec::new(),
        }
    }
}
