//! Nodes that are behind.
