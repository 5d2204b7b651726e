//! The follower against a fake node, by behaviour.

mod lag;
mod reorgs;
mod start;
