//! A chain's view as a row and back.

use super::{
    block,
    field::{Fields, at_opt, height_opt, text_opt},
    payment::chain_kind,
};
use crate::{
    domain::{
        asset::ChainName,
        view::{ChainView, FreezeReason, TracedBy},
    },
    store::error::Fault,
};
use rusqlite::{Row, types::Value};
use std::sync::LazyLock;

const COLUMNS: [&str; 25] = [
    "tip_height",
    "tip_hash",
    "tip_parent",
    "tip_at",
    "scanned_height",
    "scanned_hash",
    "scanned_parent",
    "scanned_at",
    "finalized_height",
    "safe_height",
    "tagged",
    "agreed_height",
    "agreed_hash",
    "agreed_parent",
    "agreed_at",
    "held_height",
    "traced_height",
    "traced_at",
    "untraced_at",
    "untraced_height",
    "tracing",
    "frozen",
    "healthy",
    "polled_at",
    "error",
];

/// Changes a chain: the columns, the time, the chain's key.
pub(in crate::store) static UPDATE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE chain SET {} = ?, updated_at = ? WHERE key = ?",
        COLUMNS.join(" = ?, ")
    )
});

/// One chain by name, as [`read`] expects it.
pub(in crate::store) static SELECT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT name, kind, {}, network FROM chain WHERE name = ?",
        COLUMNS.join(", ")
    )
});

/// A chain as it was last committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredChain {
    /// The facts with the cursor.
    pub view: ChainView,
    /// Why its source was not healthy, for people.
    pub error: Option<String>,
    /// The network or chain id that it was set up with.
    pub network: String,
    /// The last blocks of the followed chain, ascending; at most [`super::super::RECENT_BLOCKS`].
    pub recent: Vec<crate::domain::block::BlockRef>,
}

pub(in crate::store) fn update(view: &ChainView, error: Option<&str>) -> Vec<Value> {
    let mut values = Vec::with_capacity(COLUMNS.len());
    values.extend(block::write(view.kind, view.tip.as_ref()));
    values.extend(block::write(view.kind, view.scanned.as_ref()));
    values.extend([view.finalized, view.safe].map(height_opt));
    values.push(view.tagged.into());
    values.extend(block::write(view.kind, view.agreed.as_ref()));
    values.push(height_opt(view.held));
    values.push(height_opt(view.traced));
    values.push(at_opt(view.traced_at));
    values.push(at_opt(view.untraced_at));
    values.push(height_opt(view.untraced_height));
    values.push(text_opt(view.traced_by.map(TracedBy::as_str)));
    values.push(text_opt(view.frozen.map(FreezeReason::as_str)));
    values.push(view.healthy.into());
    values.push(at_opt(view.polled_at));
    values.push(text_opt(error));
    values
}

pub(in crate::store) fn read(row: &Row<'_>) -> Result<StoredChain, Fault> {
    let mut fields = Fields::new(row);
    let f = &mut fields;
    let view = ChainView {
        name: f.parse(|text| Some(ChainName::new(text)))?,
        kind: f.parse(chain_kind)?,
        tip: block::read(f)?,
        scanned: block::read(f)?,
        finalized: f.height_opt()?,
        safe: f.height_opt()?,
        tagged: f.next()?,
        agreed: block::read(f)?,
        held: f.height_opt()?,
        traced: f.height_opt()?,
        traced_at: f.at_opt()?,
        untraced_at: f.at_opt()?,
        untraced_height: f.height_opt()?,
        traced_by: f.parse_opt(TracedBy::parse)?,
        frozen: f.parse_opt(FreezeReason::parse)?,
        healthy: f.next()?,
        polled_at: f.at_opt()?,
    };
    Ok(StoredChain {
        view,
        error: f.next()?,
        network: f.next()?,
        recent: Vec::new(),
    })
}
