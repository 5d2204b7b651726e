//! What an operator sees on real nodes: `check`, `status`, `payment …`, `events`, and never a secret.

mod check;
mod payments;
mod reload;
mod secrets;
mod waiting;
