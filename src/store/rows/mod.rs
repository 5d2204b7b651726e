//! Domain values as columns and back, in one place each way; no statement is run here.

pub(super) mod block;
pub(super) mod chain;
pub(super) mod field;
pub(super) mod payment;
pub(super) mod transfer;
