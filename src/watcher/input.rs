//! What the watcher is told, from all sides.

use super::Settings;
use crate::{
    chain::ChainInput,
    domain::{asset::ChainName, request::Request},
};

/// One input. Inputs are handled one after another, in the order of arrival.
#[derive(Debug)]
pub enum Input {
    /// A follower's news of its chain.
    Chain(ChainName, ChainInput),
    /// Rows of the inbox.
    Requests(Requests),
    /// The inbox cannot be read, and why; `None` when it can again.
    InboxTrouble(Option<String>),
    /// The configuration changed: what can be taken over while running holds from now on.
    Reload(Box<Settings>),
    /// Time passed.
    Tick,
}

/// Consecutive rows of one inbox.
#[derive(Debug, Clone)]
pub struct Requests {
    /// Which inbox.
    pub inbox_id: String,
    /// The rows, ascending.
    pub rows: Vec<Request>,
}
