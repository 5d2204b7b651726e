//! A payment as a row and back, without its transfers.

use super::{
    block,
    field::{Fields, amount, at_opt, height_opt, integer},
};
use crate::{
    domain::{
        asset::{AssetCode, ChainKind, ChainName},
        block::{BlockRef, TxId},
        facts::Destination,
        flags::Flags,
        payment::{Due, History, Judgement, Payment, PaymentId, PaymentKey, Scan, ScanFrom},
        status::{Reason, Status},
        terms::{Depth, DepthRule, Policy, Terms},
        time::{SpanMs, UnixMs},
    },
    store::error::Fault,
};
use rusqlite::{
    Row,
    types::{ToSqlOutput, Value},
};
use std::sync::LazyLock;

/// A value that is written, of a payment that outlives it.
type Column<'a> = ToSqlOutput<'a>;

/// Columns that registration sets for good, beside key and chain.
const FIXED: [&str; 17] = [
    "payment_id",
    "asset",
    "decimals",
    "address",
    "destination",
    "amount_expected",
    "allowed_shortfall",
    "policy",
    "depth_rule",
    "confirmations_required",
    "dust",
    "grace_ms",
    "late_accept_ms",
    "confirm_timeout_ms",
    "watch_after_close_ms",
    "metadata",
    "created_at",
];

/// Columns that a step may change. Status and version are not among them: the journal moves
/// those.
const CHANGING: [&str; 33] = [
    "expires_at",
    "scan_from_height",
    "scan_from_at",
    "scanned_to",
    "scan_goal",
    "history",
    "held",
    "scan_refused",
    "looked_height",
    "reason",
    "flags",
    "needs_review",
    "is_final",
    "amount_received",
    "amount_counted",
    "shortfall",
    "surplus",
    "txid",
    "block_height",
    "block_hash",
    "block_parent",
    "block_at",
    "first_seen_at",
    "confirmed_at",
    "paid_at",
    "closed_at",
    "watch_until_at",
    "due_height",
    "due_safe_height",
    "due_final_height",
    "due_traced_height",
    "due_at",
    "updated_at",
];

/// Inserts a payment: key, chain name, whether its address is watched, then the columns, and what
/// its first event tells: status, version, number.
pub(in crate::store) static INSERT: LazyLock<String> = LazyLock::new(|| {
    let columns = [FIXED.as_slice(), CHANGING.as_slice()].concat();
    let values = vec!["?"; columns.len()].join(", ");
    format!(
        "INSERT INTO payment (key, chain_key, watching, {}, status, version, last_seq)
         VALUES (?, (SELECT key FROM chain WHERE name = ?), ?, {values}, ?, ?, ?)",
        columns.join(", ")
    )
});

/// Changes a payment: key, then the changing columns, then the status and version that the
/// journal must have given it, and its name.
pub(in crate::store) static UPDATE: LazyLock<String> = LazyLock::new(|| {
    let first = 2_usize;
    let assignments: Vec<String> = (first..)
        .zip(CHANGING)
        .map(|(n, column)| format!("{column} = ?{n}"))
        .collect();
    let status = first.saturating_add(CHANGING.len());
    format!(
        "UPDATE payment SET {} WHERE key = ?1 AND status = ?{status} AND version = ? AND payment_id = ?",
        assignments.join(", ")
    )
});

/// What [`read`] expects, to be followed by a WHERE clause on `p`.
pub(in crate::store) static SELECT: LazyLock<String> = LazyLock::new(|| {
    let columns: Vec<String> = FIXED
        .iter()
        .chain(CHANGING.iter())
        .map(|column| format!("p.{column}"))
        .collect();
    format!(
        "SELECT p.key, c.name, c.kind, p.status, p.version, {}
           FROM payment AS p JOIN chain AS c ON c.key = p.chain_key",
        columns.join(", ")
    )
});

/// The values of [`INSERT`], for a payment whose first event has this number.
pub(in crate::store) fn insert(
    payment: &Payment,
    watching: bool,
    seq: i64,
) -> Result<impl Iterator<Item = Column<'_>>, Fault> {
    let identity = [
        payment.key.0.into(),
        text(payment.chain.as_str()),
        watching.into(),
    ];
    let told = [text(Status::New.as_str()), 1.into(), seq.into()];
    let columns = fixed(payment).into_iter().chain(changing(payment)?);
    Ok(identity.into_iter().chain(columns).chain(told))
}

/// The values of [`UPDATE`].
pub(in crate::store) fn update(
    payment: &Payment,
) -> Result<impl Iterator<Item = Column<'_>>, Fault> {
    let key = [payment.key.0.into()];
    let told = [
        text(payment.judged.status.as_str()),
        Column::Owned(integer(payment.version)?),
        text(payment.id.as_str()),
    ];
    Ok(key.into_iter().chain(changing(payment)?).chain(told))
}

fn text(text: &str) -> Column<'_> {
    text.into()
}

fn text_opt(text: Option<&str>) -> Column<'_> {
    text.map_or(Column::Owned(Value::Null), Column::from)
}

fn fixed(payment: &Payment) -> [Column<'_>; FIXED.len()] {
    let terms = &payment.terms;
    let money = |value| Column::Owned(amount(value, terms.decimals));
    [
        text(payment.id.as_str()),
        text(terms.asset.as_str()),
        terms.decimals.into(),
        text(&payment.address),
        payment.destination.as_bytes().into(),
        money(terms.amount_expected),
        money(terms.allowed_shortfall),
        text(terms.policy.as_str()),
        text(terms.depth.rule.as_str()),
        terms.depth.confirmations.into(),
        money(terms.dust),
        terms.grace.0.into(),
        terms.late_accept.0.into(),
        terms.confirm_timeout.0.into(),
        terms.watch_after_close.0.into(),
        text_opt(terms.metadata.as_deref()),
        payment.created_at.0.into(),
    ]
}

fn changing(payment: &Payment) -> Result<[Column<'_>; CHANGING.len()], Fault> {
    let judged = &payment.judged;
    let money = |value| Column::Owned(amount(value, payment.terms.decimals));
    let height_opt = |height| Column::Owned(height_opt(height));
    let at_opt = |at| Column::Owned(at_opt(at));
    let (from_height, from_at) = match payment.scan.from {
        ScanFrom::Height(height) => (Some(height), None),
        ScanFrom::Time(at) => (None, Some(at)),
    };
    let history = serde_json::to_string(&payment.history)
        .map_err(|_| Fault::Guard("the history is no JSON".to_owned()))?;
    let txid = judged.txid.filter(TxId::exists);
    let txid = txid.map(|txid| block::hash(payment.kind, &txid));
    let txid = txid.map_or(Value::Null, Value::Text);
    let block = block::write(payment.kind, judged.block.as_ref());
    let [height, hash, parent, block_at] = block.map(Column::Owned);
    Ok([
        payment.terms.expires_at.0.into(),
        height_opt(from_height),
        at_opt(from_at),
        height_opt(payment.scan.scanned_to),
        height_opt(payment.scan.goal),
        history.into(),
        payment.history.held.is_some().into(),
        payment.scan_refusal().is_some().into(),
        height_opt(payment.history.balance.map(|known| known.reaches())),
        text_opt(judged.reason.map(Reason::as_str)),
        judged.flags.to_string().into(),
        judged.needs_review.into(),
        judged.is_final.into(),
        money(judged.received),
        money(judged.counted),
        money(judged.shortfall),
        money(judged.surplus),
        Column::Owned(txid),
        height,
        hash,
        parent,
        block_at,
        at_opt(judged.first_seen_at),
        at_opt(judged.confirmed_at),
        at_opt(judged.paid_at),
        at_opt(judged.closed_at),
        at_opt(judged.watch_until_at),
        height_opt(judged.due.height),
        height_opt(judged.due.safe_height),
        height_opt(judged.due.final_height),
        height_opt(judged.due.traced_height),
        at_opt(judged.due.at),
        payment.updated_at.0.into(),
    ])
}

/// A row of [`SELECT`]; its transfers are still to be loaded.
pub(in crate::store) fn read(row: &Row<'_>) -> Result<Payment, Fault> {
    let mut fields = Fields::new(row);
    let f = &mut fields;
    let key = PaymentKey(f.next()?);
    let chain = f.parse(|text| Some(ChainName::new(text)))?;
    let kind = f.parse(chain_kind)?;
    let status = f.parse(Status::parse)?;
    let version = f.count()?;
    let registered = read_fixed(f)?;
    let expires_at = f.at()?;
    let scan = read_scan(f)?;
    let history: History = f.parse(|text| serde_json::from_str(text).ok())?;
    // The same as in the history, as columns for queries.
    let (_held, _scan_refused): (bool, bool) = (f.next()?, f.next()?);
    let _looked_height: Option<u32> = f.next()?;
    let judged = read_judgement(f, status, registered.terms.decimals)?;
    Ok(Payment {
        key,
        id: registered.id,
        chain,
        kind,
        address: registered.address,
        destination: registered.destination,
        terms: Terms {
            expires_at,
            ..registered.terms
        },
        created_at: registered.created_at,
        scan,
        history,
        transfers: Vec::new(),
        judged,
        version,
        updated_at: f.at()?,
    })
}

struct Registered {
    id: PaymentId,
    address: String,
    destination: Destination,
    terms: Terms,
    created_at: UnixMs,
}

fn read_fixed(f: &mut Fields<'_, '_>) -> Result<Registered, Fault> {
    let id = f.parse(PaymentId::new)?;
    let asset = f.parse(|text| Some(AssetCode::new(text)))?;
    let decimals = f.next()?;
    let address = f.next()?;
    let destination = f.destination()?;
    let terms = Terms {
        asset,
        decimals,
        amount_expected: f.amount(decimals)?,
        allowed_shortfall: f.amount(decimals)?,
        policy: f.parse(Policy::parse)?,
        depth: Depth {
            rule: f.parse(DepthRule::parse)?,
            confirmations: f.next()?,
        },
        dust: f.amount(decimals)?,
        // Of the changing columns; put in by the caller.
        expires_at: UnixMs(0),
        grace: SpanMs(f.next()?),
        late_accept: SpanMs(f.next()?),
        confirm_timeout: SpanMs(f.next()?),
        watch_after_close: SpanMs(f.next()?),
        metadata: f.next()?,
    };
    Ok(Registered {
        id,
        address,
        destination,
        terms,
        created_at: f.at()?,
    })
}

fn read_scan(f: &mut Fields<'_, '_>) -> Result<Scan, Fault> {
    let from = match (f.height_opt()?, f.at_opt()?) {
        (Some(height), None) => ScanFrom::Height(height),
        (None, Some(at)) => ScanFrom::Time(at),
        (None, None) | (Some(_), Some(_)) => {
            return Err(Fault::Decode("a scan has no one start".to_owned()));
        }
    };
    Ok(Scan {
        from,
        scanned_to: f.height_opt()?,
        goal: f.height_opt()?,
    })
}

fn read_judgement(
    f: &mut Fields<'_, '_>,
    status: Status,
    decimals: u8,
) -> Result<Judgement, Fault> {
    let judgement = Judgement {
        status,
        reason: f.parse_opt(Reason::parse)?,
        flags: f.parse(Flags::parse)?,
        needs_review: f.next()?,
        is_final: f.next()?,
        received: f.amount(decimals)?,
        counted: f.amount(decimals)?,
        shortfall: f.amount(decimals)?,
        surplus: f.amount(decimals)?,
        txid: f.parse_opt(TxId::from_hex)?,
        block: block::read(f)?,
        first_seen_at: f.at_opt()?,
        confirmed_at: f.at_opt()?,
        paid_at: f.at_opt()?,
        closed_at: f.at_opt()?,
        watch_until_at: f.at_opt()?,
        due: Due {
            height: f.height_opt()?,
            safe_height: f.height_opt()?,
            final_height: f.height_opt()?,
            traced_height: f.height_opt()?,
            at: f.at_opt()?,
        },
    };
    // What a person accepted of a balance has no transaction.
    let of_balance = |block: BlockRef| TxId::of_balance(block.id.height);
    Ok(Judgement {
        txid: judgement.txid.or(judgement.block.map(of_balance)),
        ..judgement
    })
}

/// The rules of a chain by their public name.
pub(in crate::store) fn chain_kind(text: &str) -> Option<ChainKind> {
    [ChainKind::Bitcoin, ChainKind::Ethereum]
        .into_iter()
        .find(|kind| kind.as_str() == text)
}
