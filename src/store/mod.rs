//! (to come)

pub mod views;
