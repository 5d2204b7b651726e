//! What comes of a transaction in a block: status, logs, frames, and what it truly credits.

use super::{
    abi,
    credit::{CreditKind, TrueCredit},
    frame::Frame,
    intent::{self, LogShape, Move, Step},
    token::{Change, Ledger, Refused},
    tx::{Signed, Tx},
};
use crate::domain::transfer::Position;
use alloy_consensus::Transaction;
use alloy_primitives::{Address, Log, U256, address};
use std::sync::Arc;

/// Where logs of moved ether come from, where the chain has them (EIP-7708).
const SYSTEM_EMITTER: Address = address!("0xfffffffffffffffffffffffffffffffffffffffe");

/// What came of a transaction.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    pub succeeded: bool,
    pub logs: Vec<Log>,
    /// The calls inside it, also of one that failed.
    pub frames: Vec<Frame>,
    pub credits: Vec<TrueCredit>,
}

/// Executes a transaction as a block's `tx_index`th.
pub(super) fn execute(
    tx: &Tx,
    tx_index: u32,
    ledger: &mut Arc<Ledger>,
    system_logs: bool,
) -> Outcome {
    let mut run = Run {
        tx,
        tx_index,
        system_logs,
        ledger: Arc::clone(ledger),
        outcome: Outcome {
            succeeded: true,
            logs: Vec::new(),
            frames: Vec::new(),
            credits: Vec::new(),
        },
    };
    let done = run.all(&tx.signed);
    if done.is_ok() && !tx.fails {
        *ledger = run.ledger;
        return run.outcome;
    }
    Outcome {
        succeeded: false,
        logs: Vec::new(),
        credits: Vec::new(),
        ..run.outcome
    }
}

struct Run<'a> {
    tx: &'a Tx,
    tx_index: u32,
    system_logs: bool,
    ledger: Arc<Ledger>,
    outcome: Outcome,
}

impl Run<'_> {
    fn all(&mut self, signed: &Signed) -> Result<(), Refused> {
        let created = signed.from.create(signed.envelope.nonce());
        let actor = signed.envelope.to().unwrap_or(created);
        self.top_level(signed);
        for step in &signed.steps {
            match step {
                Step::Move(transfer) => self.transfer(signed.from, actor, transfer)?,
                Step::Change { token, change } => self.change(*token, change)?,
                Step::Log {
                    contract,
                    shape,
                    to,
                    amount,
                } => self.log(shape.log(*contract, signed.from, *to, *amount)),
                Step::Call(frame) => self.call(actor, frame),
            }
        }
        Ok(())
    }

    fn top_level(&mut self, signed: &Signed) {
        let Some(to) = signed.envelope.to() else {
            return;
        };
        let position = Position::Transaction;
        self.ether(
            CreditKind::TopLevel,
            position,
            signed.from,
            to,
            signed.envelope.value(),
        );
    }

    fn ether(
        &mut self,
        kind: CreditKind,
        position: Position,
        from: Address,
        to: Address,
        value: U256,
    ) {
        if value.is_zero() || from == to {
            return;
        }
        if self.system_logs {
            self.log(LogShape::Proper.log(SYSTEM_EMITTER, from, to, value));
        }
        self.credit(kind, position, None, to, value);
    }

    /// A token that is called from elsewhere is a frame of its own, also when it refuses.
    fn transfer(&mut self, sender: Address, actor: Address, what: &Move) -> Result<(), Refused> {
        let token = Address::from(what.token);
        let direct = token == actor;
        let caller = if direct { sender } else { actor };
        let from = what.from.map_or(sender, Address::from);
        let to = Address::from(what.to);
        let moved = self.ledger.transfer(token, caller, from, to, what.amount);
        if !direct {
            let mut frame = Frame::token_call(token, intent::input_of(what));
            frame.reverted = moved.is_err();
            frame.output = self.transfer_output(token);
            self.outcome.frames.push(frame);
        }
        for part in moved? {
            let ordinal = u32::try_from(self.outcome.logs.len()).unwrap_or(u32::MAX);
            self.log(LogShape::Proper.log(token, from, part.to, part.amount));
            if !part.amount.is_zero() && from != part.to {
                let (kind, position) = (CreditKind::Token, Position::Log(ordinal));
                self.credit(kind, position, Some(token), part.to, part.amount);
            }
        }
        Ok(())
    }

    fn transfer_output(&self, token: Address) -> alloy_primitives::Bytes {
        let token = self.ledger.token(token);
        token.map_or_else(|| abi::words(&[]), super::token::Token::transfer_output)
    }

    fn change(&mut self, token: Address, change: &Change) -> Result<(), Refused> {
        let log = Arc::make_mut(&mut self.ledger).change(token, change)?;
        self.log(log);
        Ok(())
    }

    fn call(&mut self, actor: Address, frame: &Frame) {
        let index = u32::try_from(self.outcome.frames.len()).unwrap_or(u32::MAX);
        self.frame(actor, frame, &[index]);
        self.outcome.frames.push(frame.clone());
    }

    fn frame(&mut self, caller: Address, frame: &Frame, path: &[u32]) {
        if frame.reverted {
            return;
        }
        if frame.kind.moves_ether() {
            let position = Position::Trace(path.to_vec());
            self.ether(CreditKind::Inner, position, caller, frame.to, frame.value);
        }
        let actor = frame.actor(caller);
        for (index, inner) in (0..).zip(&frame.calls) {
            self.frame(actor, inner, &[path, &[index]].concat());
        }
    }

    fn log(&mut self, log: Log) {
        self.outcome.logs.push(log);
    }

    fn credit(
        &mut self,
        kind: CreditKind,
        position: Position,
        token: Option<Address>,
        to: Address,
        amount: U256,
    ) {
        self.outcome.credits.push(TrueCredit {
            txid: self.tx.id(),
            position,
            tx_index: self.tx_index,
            token: token.map(Address::into_array),
            to: to.into_array(),
            amount,
            kind,
        });
    }
}
