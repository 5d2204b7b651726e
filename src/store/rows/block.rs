//! A block's identity, parent and time as four columns; hashes as explorers show them.

use super::field::{Fields, height_opt, text};
use crate::{
    domain::{
        asset::ChainKind,
        block::{BlockHash, BlockId, BlockRef},
        time::UnixMs,
    },
    store::error::Fault,
};
use rusqlite::{Row, types::Value};

/// Height, hash, parent, time; all NULL for no block.
pub(in crate::store) fn write(kind: ChainKind, block: Option<&BlockRef>) -> [Value; 4] {
    let Some(block) = block else {
        return [Value::Null, Value::Null, Value::Null, Value::Null];
    };
    [
        height_opt(Some(block.id.height)),
        text(&hash(kind, &block.id.hash)),
        text(&hash(kind, &block.parent)),
        Value::Integer(block.time.0),
    ]
}

pub(in crate::store) fn read(fields: &mut Fields<'_, '_>) -> Result<Option<BlockRef>, Fault> {
    let (height, hash) = (fields.height_opt()?, fields.hash_opt()?);
    let (parent, time) = (fields.hash_opt()?, fields.at_opt()?);
    let (Some(height), Some(hash), Some(parent), Some(time)) = (height, hash, parent, time) else {
        return Ok(None);
    };
    Ok(Some(BlockRef {
        id: BlockId { height, hash },
        parent,
        time,
    }))
}

/// A hash as explorers show it.
pub(in crate::store) fn hash(kind: ChainKind, hash: &dyn std::fmt::Display) -> String {
    format!("{}{hash}", kind.hash_prefix())
}

/// A row of `recent_block`: height, hash, parent, time.
pub(in crate::store) fn read_recent(row: &Row<'_>) -> rusqlite::Result<BlockRef> {
    Ok(BlockRef {
        id: BlockId {
            height: crate::domain::block::Height(row.get(0)?),
            hash: BlockHash(row.get(1)?),
        },
        parent: BlockHash(row.get(2)?),
        time: UnixMs(row.get(3)?),
    })
}
