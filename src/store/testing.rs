//! Values for the tests of this folder.

mod others;

pub(super) use others::{public_dir, run_until, shared, stranger};

pub(super) use super::{Access, ChainEntry, Kind, Options, Store};
use crate::domain::{
    amount::Amount,
    asset::{Asset, AssetCode, AssetKind, ChainKind, ChainName},
    block::{BlockHash, BlockId, BlockRef, Height, TxId},
    event::{Entry, EventKind},
    facts::{Destination, OutPoint},
    flags::Flags,
    payment::{Due, History, Judgement, Payment, PaymentId, PaymentKey, Scan, ScanFrom},
    status::{Reason, Status},
    step::{ChainStep, PaymentStep, Step},
    terms::{Depth, Policy, Terms},
    time::{SpanMs, UnixMs},
    transfer::{Anchor, Disposition, Place, Position, Transfer},
    view::ChainView,
};
use tempfile::TempDir;

pub(super) const NOW: UnixMs = UnixMs(1_700_000_000_000);

pub(super) fn bitcoin() -> ChainName {
    ChainName::new("bitcoin")
}

pub(super) fn open(dir: &TempDir) -> Store {
    Store::open(&Options::private(dir.path(), Kind::Live), NOW).expect("the store opens")
}

/// A new store that knows two chains and three assets.
pub(super) fn store() -> (TempDir, Store) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = open(&dir);
    let (chains, assets) = registry();
    store.sync_registry(&chains, &assets, NOW).expect("synced");
    (dir, store)
}

pub(super) fn registry() -> (Vec<ChainEntry>, Vec<Asset>) {
    let chain = |name: &str, kind, network: &str| ChainEntry {
        name: ChainName::new(name),
        kind,
        network: network.to_owned(),
    };
    let asset = |code: &str, chain: &str, kind, decimals| Asset {
        code: AssetCode::new(code),
        chain: ChainName::new(chain),
        kind,
        decimals,
        depth: Depth::of(2),
        tiers: Vec::new(),
        dust: Amount::from_u64(546),
        enabled: true,
    };
    (
        vec![
            chain("bitcoin", ChainKind::Bitcoin, "regtest"),
            chain("ethereum", ChainKind::Ethereum, "1"),
        ],
        vec![
            asset("BTC", "bitcoin", AssetKind::Native, 8),
            asset("ETH", "ethereum", AssetKind::Native, 18),
            asset("USDT", "ethereum", AssetKind::Token([0xda; 20]), 6),
        ],
    )
}

pub(super) fn block(height: u32) -> BlockRef {
    branch(height, 0)
}

/// A block of the n-th branch; every branch leaves the first at height 1000.
pub(super) fn branch(height: u32, branch: u8) -> BlockRef {
    let hash = |height: u32| {
        let mut bytes = [if height > 1000 { branch } else { 0 }; 32];
        bytes[..4].copy_from_slice(&height.to_be_bytes());
        BlockHash(bytes)
    };
    BlockRef {
        id: BlockId {
            height: Height(height),
            hash: hash(height),
        },
        parent: hash(height - 1),
        time: UnixMs(NOW.0 + i64::from(height)),
    }
}

/// A payment of 0.015 BTC that is registered and nothing else; its past is scanned.
pub(super) fn payment(key: i64, id: &str) -> Payment {
    let mut script = [0x51; 34];
    script[..8].copy_from_slice(&key.to_be_bytes());
    let amount = Amount::from_u64(1_500_000);
    Payment {
        key: PaymentKey(key),
        id: PaymentId::new(id).expect("an id"),
        chain: bitcoin(),
        kind: ChainKind::Bitcoin,
        address: format!("bcrt1p{key}"),
        destination: Destination::new(&script).expect("a script"),
        terms: Terms {
            asset: AssetCode::new("BTC"),
            decimals: 8,
            amount_expected: amount,
            allowed_shortfall: Amount::ZERO,
            policy: Policy::Single,
            depth: Depth::of(2),
            dust: Amount::from_u64(546),
            expires_at: UnixMs(NOW.0 + 1_200_000),
            grace: SpanMs(120_000),
            late_accept: SpanMs(0),
            confirm_timeout: SpanMs(86_400_000),
            watch_after_close: SpanMs(30 * 86_400_000),
            metadata: Some("{\"order\":42}".to_owned()),
        },
        created_at: NOW,
        scan: Scan {
            from: ScanFrom::Height(Height(990)),
            scanned_to: Some(Height(1000)),
            goal: Some(Height(1000)),
        },
        history: History::default(),
        transfers: Vec::new(),
        judged: Judgement {
            status: Status::New,
            reason: None,
            flags: Flags::NONE,
            needs_review: false,
            is_final: false,
            received: Amount::ZERO,
            counted: Amount::ZERO,
            shortfall: amount,
            surplus: Amount::ZERO,
            txid: None,
            block: None,
            first_seen_at: None,
            confirmed_at: None,
            paid_at: None,
            closed_at: None,
            watch_until_at: None,
            due: Due::default(),
        },
        version: 1,
        updated_at: NOW,
    }
}

pub(super) fn transfer(n: u8, place: Place) -> Transfer {
    Transfer {
        evidence: crate::domain::evidence::Evidence::Proven,
        txid: TxId([n; 32]),
        position: Position::Output(u32::from(n)),
        asset: AssetCode::new("BTC"),
        decimals: 8,
        amount: Amount::from_u64(1_500_000),
        dust: Amount::from_u64(546),
        from_address: None,
        coinbase: false,
        place,
        disposition: Disposition::Counted,
        first_seen_at: NOW,
        first_block_at: None,
        inputs: Vec::new(),
    }
}

pub(super) fn outpoint(n: u8) -> OutPoint {
    OutPoint {
        txid: TxId([n; 32]),
        vout: 7,
    }
}

pub(super) fn in_block(height: u32) -> Place {
    Place::Block(Anchor {
        block: block(height),
        tx_index: 3,
    })
}

pub(super) fn entry(payment: &Payment, kind: EventKind) -> Entry {
    Entry {
        payment: Some((payment.id.clone(), payment.version)),
        kind,
        from: None,
        to: None,
        reason: None,
        data: serde_json::json!({ "payment_id": payment.id.as_str() }).to_string(),
        occurred_at: NOW,
    }
}

/// Registers a payment; every transfer that it has is new.
pub(super) fn registered(payment: Payment) -> PaymentStep {
    let mut told = entry(&payment, EventKind::Registered);
    told.to = Some(Status::New);
    PaymentStep {
        is_new: true,
        changed: (0..payment.transfers.len()).collect(),
        entries: vec![told],
        payment,
    }
}

/// Moves a payment to another status by one more entry; every transfer may have changed.
pub(super) fn moved(mut payment: Payment, to: Status, reason: Option<Reason>) -> PaymentStep {
    let from = payment.judged.status;
    payment.version += 1;
    payment.judged.status = to;
    payment.judged.reason = reason;
    let mut told = entry(&payment, EventKind::Status);
    (told.from, told.to, told.reason) = (Some(from), Some(to), reason);
    PaymentStep {
        is_new: false,
        changed: (0..payment.transfers.len()).collect(),
        entries: vec![told],
        payment,
    }
}

pub(super) fn step(payments: Vec<PaymentStep>) -> Step {
    Step {
        payments,
        ..Step::new(NOW)
    }
}

pub(super) fn view(cursor: BlockRef) -> ChainView {
    ChainView {
        name: bitcoin(),
        kind: ChainKind::Bitcoin,
        scanned: Some(cursor),
        tip: Some(cursor),
        finalized: Some(cursor.id.height.minus(100)),
        safe: None,
        tagged: false,
        agreed: Some(cursor),
        held: Some(cursor.id.height),
        traced: Some(cursor.id.height),
        traced_at: None,
        untraced_at: None,
        untraced_height: None,
        traced_by: None,
        frozen: None,
        healthy: true,
        polled_at: Some(NOW),
    }
}

/// The chain advances to the last of these blocks.
pub(super) fn advance(disconnected_to: Option<u32>, connected: &[BlockRef]) -> Step {
    let cursor = *connected.last().expect("a block");
    Step {
        chain: Some(ChainStep {
            view: view(cursor),
            error: None,
            disconnected_to: disconnected_to.map(Height),
            history: Vec::new(),
            connected: connected.to_vec(),
            scan: None,
        }),
        ..Step::new(NOW)
    }
}

/// Registers these payments and nothing else.
pub(super) fn register(store: &mut Store, payments: Vec<Payment>) {
    let steps = payments.into_iter().map(registered).collect();
    let committed = store.commit(&step(steps)).expect("registered");
    assert_eq!(committed.kept, []);
}

/// What a statement answers, as text, without going through the code under test.
pub(super) fn ask(store: &Store, sql: &str) -> String {
    let mut statement = store.conn.prepare(sql).expect(sql);
    let columns = statement.column_count();
    let mut rows = statement.query([]).expect(sql);
    let mut lines = Vec::new();
    while let Some(row) = rows.next().expect(sql) {
        let cells = (0..columns).map(|n| match row.get_ref(n).expect(sql) {
            rusqlite::types::ValueRef::Null => String::new(),
            rusqlite::types::ValueRef::Integer(i) => i.to_string(),
            rusqlite::types::ValueRef::Text(t) => String::from_utf8_lossy(t).into_owned(),
            other @ (rusqlite::types::ValueRef::Real(_) | rusqlite::types::ValueRef::Blob(_)) => {
                format!("{other:?}")
            }
        });
        lines.push(cells.collect::<Vec<_>>().join("|"));
    }
    lines.join("\n")
}
