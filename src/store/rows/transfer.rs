//! A transfer as a row and back.

use super::{
    block,
    field::{Fields, amount, at_opt, integer, text, text_opt},
};
use crate::{
    domain::{
        asset::{AssetCode, ChainKind},
        block::TxId,
        evidence::Evidence,
        facts::OutPoint,
        payment::Payment,
        transfer::{Anchor, Disposition, Place, Position, Transfer},
    },
    store::error::Fault,
};
use rusqlite::{Row, types::Value};
use std::sync::LazyLock;

const IDENTITY: [&str; 2] = ["payment_key", "ordinal"];

const COLUMNS: [&str; 24] = [
    "txid",
    "position",
    "asset",
    "decimals",
    "amount",
    "dust",
    "from_address",
    "coinbase",
    "evidence",
    "disposition",
    "state",
    "block_height",
    "block_hash",
    "block_parent",
    "block_at",
    "tx_index",
    "replaced_by",
    "conflict_height",
    "conflict_hash",
    "conflict_parent",
    "conflict_at",
    "first_seen_at",
    "first_block_at",
    "inputs",
];

/// Inserts or changes a transfer: payment, ordinal, chain name, then the columns.
pub(in crate::store) static UPSERT: LazyLock<String> = LazyLock::new(|| {
    let set: Vec<String> = COLUMNS
        .iter()
        .map(|column| format!("{column} = excluded.{column}"))
        .collect();
    format!(
        "INSERT INTO transfer ({}, chain_key, {})
         VALUES (?, ?, (SELECT key FROM chain WHERE name = ?), {})
         ON CONFLICT (payment_key, ordinal) DO UPDATE SET {}",
        IDENTITY.join(", "),
        COLUMNS.join(", "),
        ["?"; COLUMNS.len()].join(", "),
        set.join(", ")
    )
});

/// The transfers of one payment in their order, as [`read`] expects them.
pub(in crate::store) static SELECT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {} FROM transfer WHERE payment_key = ? ORDER BY ordinal",
        COLUMNS.join(", ")
    )
});

/// The values of [`UPSERT`].
pub(in crate::store) fn upsert(
    payment: &Payment,
    ordinal: usize,
    transfer: &Transfer,
) -> Result<Vec<Value>, Fault> {
    let mut values = vec![
        Value::Integer(payment.key.0),
        integer(ordinal)?,
        text(payment.chain.as_str()),
    ];
    values.extend(columns(payment.kind, transfer));
    Ok(values)
}

/// What stands for no transaction.
fn no_txid(position: &Position) -> TxId {
    match position {
        Position::Balance(height) => TxId::of_balance(*height),
        Position::Output(_)
        | Position::Log(_)
        | Position::Transaction
        | Position::Trace(_)
        | Position::Sum(_)
        | Position::Dust => TxId([0; 32]),
    }
}

fn columns(kind: ChainKind, transfer: &Transfer) -> [Value; COLUMNS.len()] {
    let txid = transfer
        .txid
        .exists()
        .then(|| block::hash(kind, &transfer.txid));
    let anchor = transfer.place.anchor();
    let [height, hash, parent, block_at] = block::write(kind, anchor.map(|anchor| &anchor.block));
    let (by, confirmed_in) = match &transfer.place {
        Place::Replaced { by, confirmed_in } => (Some(by), confirmed_in.as_ref()),
        Place::Mempool | Place::Block(_) | Place::Evicted | Place::Orphaned => (None, None),
    };
    let by = by.map(|txid| block::hash(kind, txid));
    let [c_height, c_hash, c_parent, c_at] = block::write(kind, confirmed_in);
    [
        text_opt(txid.as_deref()),
        text(&transfer.position.to_string()),
        text(transfer.asset.as_str()),
        transfer.decimals.into(),
        amount(transfer.amount, transfer.decimals),
        amount(transfer.dust, transfer.decimals),
        text_opt(transfer.from_address.as_deref()),
        transfer.coinbase.into(),
        text(transfer.evidence.as_str()),
        text(transfer.disposition.as_str()),
        text(transfer.place.as_str()),
        height,
        hash,
        parent,
        block_at,
        anchor.map(|anchor| anchor.tx_index).into(),
        text_opt(by.as_deref()),
        c_height,
        c_hash,
        c_parent,
        c_at,
        Value::Integer(transfer.first_seen_at.0),
        at_opt(transfer.first_block_at),
        write_inputs(&transfer.inputs),
    ]
}

/// A row of [`SELECT`].
pub(in crate::store) fn read(row: &Row<'_>) -> Result<Transfer, Fault> {
    let mut fields = Fields::new(row);
    let f = &mut fields;
    let txid = f.txid_opt()?;
    let position: Position = f.parse(|text| text.parse().ok())?;
    let txid = txid.unwrap_or_else(|| no_txid(&position));
    let asset = f.parse(|text| Some(AssetCode::new(text)))?;
    let decimals = f.next()?;
    Ok(Transfer {
        txid,
        position,
        asset,
        decimals,
        amount: f.amount(decimals)?,
        dust: f.amount(decimals)?,
        from_address: f.next()?,
        coinbase: f.next()?,
        evidence: f.parse(Evidence::parse)?,
        disposition: f.parse(Disposition::parse)?,
        place: read_place(f)?,
        first_seen_at: f.at()?,
        first_block_at: f.at_opt()?,
        inputs: read_inputs(f.next()?)?,
    })
}

fn read_place(f: &mut Fields<'_, '_>) -> Result<Place, Fault> {
    let state: String = f.next()?;
    let block = block::read(f)?;
    let tx_index = f.next::<Option<u32>>()?;
    let by = f.txid_opt()?;
    let confirmed_in = block::read(f)?;
    match (state.as_str(), block, tx_index, by) {
        ("confirmed", Some(block), Some(tx_index), None) => {
            Ok(Place::Block(Anchor { block, tx_index }))
        }
        ("replaced", None, None, Some(by)) => Ok(Place::Replaced { by, confirmed_in }),
        ("mempool", None, None, None) => Ok(Place::Mempool),
        ("evicted", None, None, None) => Ok(Place::Evicted),
        ("orphaned", None, None, None) => Ok(Place::Orphaned),
        _ => Err(Fault::Decode("a transfer stands nowhere".to_owned())),
    }
}

/// Bytes of one output in `inputs`: transaction id and number, most significant first.
const INPUT_LEN: usize = 36;

fn write_inputs(inputs: &[OutPoint]) -> Value {
    if inputs.is_empty() {
        return Value::Null;
    }
    let bytes = inputs
        .iter()
        .flat_map(|input| input.txid.0.into_iter().chain(input.vout.to_be_bytes()));
    Value::Blob(bytes.collect())
}

/// The outputs that [`UPSERT`] wrote; none for NULL.
pub(in crate::store) fn read_inputs(bytes: Option<Vec<u8>>) -> Result<Vec<OutPoint>, Fault> {
    let bytes = bytes.unwrap_or_default();
    let (inputs, rest) = bytes.as_chunks::<INPUT_LEN>();
    if !rest.is_empty() {
        return Err(Fault::Decode("a list of inputs is cut short".to_owned()));
    }
    inputs.iter().map(read_input).collect()
}

fn read_input(bytes: &[u8; INPUT_LEN]) -> Result<OutPoint, Fault> {
    let split = || bytes.split_first_chunk::<32>();
    let input = split().and_then(|(txid, vout)| {
        Some(OutPoint {
            txid: TxId(*txid),
            vout: u32::from_be_bytes(vout.try_into().ok()?),
        })
    });
    input.ok_or_else(|| Fault::Decode("an input is cut short".to_owned()))
}
