//! What support staff read about a payment.

mod waits;

use super::*;
use crate::domain::{
    assess::{
        cause::{About, Cause},
        gate::Wait,
    },
    asset::{AssetCode, ChainKind, ChainName},
    block::{BlockHash, BlockId, BlockRef, Height, TxId},
    facts::Destination,
    flags::Flags,
    payment::{Due, History, Hold, Judgement, PaymentId, PaymentKey, Scan, ScanFrom},
    terms::{Depth, DepthRule, Policy, Terms},
    token::{TokenAct, TokenNotice},
    transfer::{Anchor, Position},
    view::FreezeReason,
};

/// 2026-11-21 23:52:48Z.
const CREATED: UnixMs = UnixMs(1_795_305_168_000);
const DEADLINE: UnixMs = UnixMs(1_795_306_368_000);
const TXID: TxId = TxId([0xab; 32]);

fn block(height: u32) -> BlockRef {
    let id = BlockId {
        height: Height(height),
        hash: BlockHash([1; 32]),
    };
    BlockRef {
        id,
        parent: BlockHash([0; 32]),
        time: CREATED,
    }
}

/// 1 BTC asked for; nothing came.
fn payment() -> Payment {
    Payment {
        key: PaymentKey(1),
        id: PaymentId::new("order-1").unwrap(),
        chain: ChainName::new("bitcoin"),
        kind: ChainKind::Bitcoin,
        address: "bc1q".to_owned(),
        destination: Destination::new(&[0]).unwrap(),
        terms: Terms {
            asset: AssetCode::new("BTC"),
            decimals: 8,
            amount_expected: Amount::from_u64(100_000_000),
            allowed_shortfall: Amount::from_u64(1_000_000),
            policy: Policy::Single,
            depth: Depth::of(2),
            dust: Amount::from_u64(546),
            expires_at: DEADLINE,
            grace: SpanMs::from_secs(120),
            late_accept: SpanMs(0),
            confirm_timeout: SpanMs::from_secs(86_400),
            watch_after_close: SpanMs::from_secs(86_400),
            metadata: None,
        },
        created_at: CREATED,
        scan: Scan {
            from: ScanFrom::Height(Height(1)),
            scanned_to: Some(Height(9)),
            goal: Some(Height(9)),
        },
        history: History::default(),
        transfers: Vec::new(),
        judged: judgement(Status::New, None),
        version: 1,
        updated_at: CREATED,
    }
}

fn judgement(status: Status, reason: Option<Reason>) -> Judgement {
    Judgement {
        status,
        reason,
        flags: Flags::NONE,
        needs_review: false,
        is_final: false,
        received: Amount::ZERO,
        counted: Amount::ZERO,
        shortfall: Amount::ZERO,
        surplus: Amount::ZERO,
        txid: None,
        block: None,
        first_seen_at: None,
        confirmed_at: None,
        paid_at: None,
        closed_at: None,
        watch_until_at: None,
        due: Due::default(),
    }
}

/// A transaction with this much in block 10.
fn mined(mut payment: Payment, satoshi: u64, disposition: Disposition) -> Payment {
    payment.transfers.push(Transfer {
        evidence: crate::domain::evidence::Evidence::Proven,
        txid: TXID,
        position: Position::Output(0),
        asset: AssetCode::new("BTC"),
        decimals: 8,
        amount: Amount::from_u64(satoshi),
        dust: Amount::from_u64(546),
        from_address: None,
        coinbase: false,
        place: Place::Block(Anchor {
            block: block(10),
            tx_index: 1,
        }),
        disposition,
        first_seen_at: CREATED,
        first_block_at: Some(CREATED),
        inputs: Vec::new(),
    });
    payment.judged.txid = Some(TXID);
    payment.judged.block = Some(block(10));
    payment.judged.received = Amount::from_u64(satoshi);
    payment.judged.counted = Amount::from_u64(satoshi.min(100_000_000));
    payment
}

fn with(status: Status, reason: Option<Reason>) -> Payment {
    Payment {
        judged: judgement(status, reason),
        ..payment()
    }
}

/// The chain with its cursor at this height.
fn view(cursor: u32) -> ChainView {
    ChainView {
        name: ChainName::new("bitcoin"),
        kind: ChainKind::Bitcoin,
        scanned: Some(block(cursor)),
        tip: Some(block(cursor)),
        finalized: None,
        safe: None,
        tagged: false,
        agreed: None,
        held: None,
        traced: None,
        traced_at: None,
        untraced_at: None,
        untraced_height: None,
        traced_by: None,
        frozen: None,
        healthy: true,
        polled_at: Some(CREATED),
    }
}

/// What is said of a row, whatever it waits for.
fn told(payment: &Payment, view: &ChainView, now: UnixMs) -> Vec<String> {
    tell(payment, view, now, &Explanation::default())
}

/// Every sentence but the first and the last.
fn said(payment: &Payment, view: &ChainView, now: UnixMs) -> Vec<String> {
    let mut sentences = told(payment, view, now);
    sentences.remove(0);
    sentences.pop();
    sentences
}

/// The second sentence says this.
#[track_caller]
fn check_why(payment: &Payment, why: &str) {
    assert_eq!(told(payment, &view(11), CREATED)[1], why);
}

#[test]
fn the_depth_that_it_waits_for_is_said() {
    let cases = [
        (
            DepthRule::Confirmations,
            false,
            "It must be 2 deep before the payment is paid.",
        ),
        (
            DepthRule::Safe,
            true,
            "Its block must be safe before the payment is paid.",
        ),
        (
            DepthRule::Finalized,
            true,
            "Its block must be final before the payment is paid.",
        ),
        (
            DepthRule::Finalized,
            false,
            "Its block must be final before the payment is paid; bitcoin names no such blocks, so 2 \
             confirmations count instead.",
        ),
    ];
    for (rule, tagged, expected) in cases {
        let mut payment = mined(
            with(Status::Confirming, None),
            100_000_000,
            Disposition::Counted,
        );
        payment.terms.depth.rule = rule;
        let view = ChainView { tagged, ..view(10) };
        let why = &told(&payment, &view, CREATED)[1];
        assert!(why.ends_with(expected), "{rule}: {why}");
    }
}

#[test]
fn the_first_sentence_says_what_was_asked_and_the_last_how_long_it_is_watched() {
    let sentences = told(&payment(), &view(10), CREATED);
    assert_eq!(
        sentences[0],
        "order-1 asks for 1.00000000 BTC to bc1q on bitcoin. Its status is new."
    );
    assert_eq!(
        sentences[2],
        "Its address stays watched for as long as this can change."
    );
    assert_eq!(sentences.len(), 3);
    let mut closed = with(Status::Expired, Some(Reason::Deadline));
    closed.judged.watch_until_at = Some(DEADLINE);
    let last = |now| told(&closed, &view(10), now).pop().unwrap();
    assert_eq!(
        last(CREATED),
        "Its address is watched until 2026-11-22 00:12:48Z."
    );
    assert_eq!(
        last(UnixMs(DEADLINE.0 + 1)),
        "Its address was watched until 2026-11-22 00:12:48Z; later money is not recorded."
    );
    // Who is not judged yet is held to nothing.
    let mut open = payment();
    open.judged.watch_until_at = Some(DEADLINE);
    let said = told(&open, &view(10), UnixMs(DEADLINE.0 + 1));
    let stays = "Its address stays watched until this is judged.";
    assert!(said.iter().any(|sentence| sentence == stays), "{said:?}");
}

#[test]
fn each_status_has_its_sentence() {
    let late = UnixMs(DEADLINE.0 + 120_001);
    assert_eq!(
        said(&payment(), &view(10), late),
        [
            "Nothing significant has come to the address so far. Its deadline of 2026-11-22 \
          00:12:48Z (and 120 s of grace) is over; it will be judged when everything up to then \
          has surely been looked at."
        ]
    );
    check_why(
        &payment(),
        "Nothing significant has come to the address so far. Money is on time until 2026-11-22 \
         00:12:48Z (and 120 s of grace).",
    );
    check_why(
        &with(Status::Expired, Some(Reason::Deadline)),
        "Nothing significant came before the deadline of 2026-11-22 00:12:48Z (and 120 s of \
         grace).",
    );
    check_why(
        &with(Status::Canceled, Some(Reason::Gateway)),
        "It was withdrawn by the gateway before any money was seen.",
    );
    check_why(
        &with(Status::Refunded, Some(Reason::Operator)),
        "The money was returned, as stated by an operator; this is never concluded from the \
         chain.",
    );
    check_why(
        &with(Status::Invalid, Some(Reason::DoubleSpent)),
        "Another transaction that spends the same money was confirmed instead.",
    );
}

#[test]
fn a_confirming_payment_says_how_deep_it_is_and_must_be() {
    let txid = "ab".repeat(32);
    let payment = mined(
        with(Status::Confirming, None),
        100_000_000,
        Disposition::Counted,
    );
    assert_eq!(
        said(&payment, &view(10), CREATED),
        [
            format!(
                "Transaction {txid} is in block 10 with 1 confirmation. It must be 2 deep before \
                 the payment is paid."
            ),
            "1.00000000 BTC has come; 1.00000000 BTC counts towards the amount.".to_owned(),
            format!("Transfer {txid} vout:0: 1.00000000 BTC, in block 10; counted."),
        ]
    );
}

#[test]
fn a_paid_payment_says_why_and_whether_for_good() {
    let paid = |reason| {
        mined(
            with(Status::Paid, Some(reason)),
            100_000_000,
            Disposition::Counted,
        )
    };
    let mut short = paid(Reason::WithinTolerance);
    short.judged.shortfall = Amount::from_u64(500_000);
    short.judged.paid_at = Some(CREATED);
    let txid = "ab".repeat(32);
    check_why(
        &short,
        &format!(
            "It is paid since 2026-11-21 23:52:48Z: 0.00500000 BTC is missing, which is within \
             the allowed 0.01000000 BTC. Transaction {txid} is in block 10 with 2 confirmations. \
             It is not final yet: a deep reorganisation would still withdraw it."
        ),
    );
    let mut last = paid(Reason::Exact);
    last.judged.is_final = true;
    assert!(said(&last, &view(11), CREATED)[0].ends_with("It can no longer change."));
    let mut over = paid(Reason::Overpaid);
    over.judged.surplus = Amount::from_u64(1);
    let said = said(&over, &view(11), CREATED);
    assert!(
        said[1].ends_with(", and 0.00000001 BTC is too much."),
        "{said:?}"
    );
}

#[test]
fn too_little_says_how_much_is_missing_and_what_a_person_can_do() {
    let mut payment = with(Status::Invalid, Some(Reason::Underpaid));
    payment = mined(payment, 40_000_000, Disposition::Short);
    payment.judged.shortfall = Amount::from_u64(60_000_000);
    payment.judged.needs_review = true;
    payment.judged.flags = Flags::NONE.with(Flag::Underpaid).with(Flag::Reorged);
    let said = said(&payment, &view(11), CREATED);
    assert_eq!(
        said[0],
        "One transaction came with too little: 0.60000000 BTC is missing, and only 0.01000000 \
         BTC may be."
    );
    assert!(said[2].ends_with("in block 10; not enough."));
    assert_eq!(
        said[3],
        "A block with its money left the best chain at least once."
    );
    assert!(said[4].contains("confirmd payment ack order-1 --note"));
    assert_eq!(said.len(), 5);
}

#[test]
fn late_money_that_still_pays_is_promised_with_its_end() {
    let mut payment = payment();
    payment.terms.late_accept = SpanMs::from_secs(3600);
    check_why(
        &payment,
        "Nothing significant has come to the address so far. Money is on time until 2026-11-22 \
         00:12:48Z (and 120 s of grace); until 2026-11-22 01:14:48Z it still pays, flagged as \
         late.",
    );
}

#[test]
fn many_transfers_are_told_in_part() {
    let mut payment = with(Status::Paid, Some(Reason::Exact));
    for _ in 0..=MAX_TRANSFERS {
        payment = mined(payment, 100, Disposition::Dust);
    }
    let said = said(&payment, &view(11), CREATED);
    let told = said
        .iter()
        .filter(|sentence| sentence.starts_with("Transfer "))
        .count();
    assert_eq!(told, MAX_TRANSFERS);
    assert_eq!(
        said.last().unwrap(),
        "1 more transfers are listed by `payment show`."
    );
}

#[test]
fn what_a_token_s_issuer_did_is_told_and_why_a_person_should_look() {
    let mut payment = payment();
    payment.kind = ChainKind::Ethereum;
    payment.judged.needs_review = true;
    let notice = |act, asset: &str| TokenNotice {
        act,
        asset: asset.to_owned(),
        txid: TXID.to_string(),
        position: "log:0".to_owned(),
        height: 10,
    };
    payment.history.token_notices = vec![
        notice(TokenAct::Paused, "USDT"),
        notice(TokenAct::Blacklisted, "USDC"),
    ];
    let sentences = explain(&payment, &view(12), CREATED).join(" ");
    for part in [
        "USDT was paused by its contract: nobody can move it for now (transaction 0xabab",
        "USDC can no longer be moved from the payment's address",
        "A person should look: transaction 0xabab",
        "put the address on a token's blacklist: what it holds of it cannot be moved.",
    ] {
        assert!(sentences.contains(part), "{part}: {sentences}");
    }
    let lifted = notice(TokenAct::Unblacklisted, "USDC");
    payment.history.token_notices.push(lifted);
    let sentences = explain(&payment, &view(12), CREATED).join(" ");
    assert!(!sentences.contains("A person should look"), "{sentences}");
}
