//! The small types: what they accept, what they print.

use crate::domain::{
    amount::{Amount, AmountError},
    assess::cause::{About, Cause},
    asset::ChainKind,
    block::{Height, TxId},
    facts::{Destination, IgnoredReason},
    flags::{Flag, Flags},
    payment::{Closed, History, PaymentId},
    status::{Reason, Status},
    time::UnixMs,
    transfer::Position,
};

#[test]
fn small_amounts_are_shown_like_large_ones() {
    let max = Amount::from_u64(u64::MAX);
    for units in [0, 1, 9, 10, 546, 1_500_000, 10_u64.pow(18), u64::MAX] {
        for decimals in [0, 1, 6, 8, 18, 19, 20, 77] {
            let small = Amount::from_u64(units).display(decimals);
            // Asked for a width, all go the way of the large ones.
            assert_eq!(
                small.to_string(),
                format!("{small:1}"),
                "{units} {decimals}"
            );
        }
    }
    let large = max.saturating_add(Amount::from_u64(1)).display(8);
    assert_eq!(large.to_string(), "184467440737.09551616");
}

#[test]
fn amounts_are_read_exactly_or_not_at_all() {
    let good = [
        ("0.015", 8, "0.01500000"),
        ("25", 6, "25.000000"),
        ("25.0", 6, "25.000000"),
        ("0007", 0, "7"),
        ("0.000000000000000001", 18, "0.000000000000000001"),
        ("18446744073709551616.5", 1, "18446744073709551616.5"),
    ];
    for (text, decimals, shown) in good {
        let amount = Amount::parse(text, decimals).unwrap();
        assert_eq!(amount.display(decimals).to_string(), shown, "{text}");
        assert_eq!(Amount::from_be_bytes(amount.to_be_bytes()), amount);
    }
    let bad = [
        "", ".", "1.", ".5", "-1", "+1", "1e3", "1,5", " 1", "0x1", "1.2.3", "٣",
    ];
    for text in bad {
        assert_eq!(
            Amount::parse(text, 8),
            Err(AmountError::Malformed),
            "{text}"
        );
    }
    let precise = Amount::parse("0.000000001", 8);
    assert_eq!(precise, Err(AmountError::TooPrecise(8)));
    let huge = format!("1{}", "0".repeat(80));
    assert_eq!(Amount::parse(&huge, 0), Err(AmountError::TooLarge));
}

#[test]
fn fractions_are_rounded_down_and_never_overflow() {
    let of = |units: u64, n, d| Amount::from_u64(units).fraction(n, d);
    assert_eq!(of(333, 1, 10), Some(Amount::from_u64(33)));
    assert_eq!(of(333, 0, 10), Some(Amount::ZERO));
    assert_eq!(of(333, 1, 0), None);
    assert_eq!(Amount::MAX.fraction(2, 2), None);
    assert_eq!(Amount::MAX.saturating_add(Amount::from_u64(1)), Amount::MAX);
    assert_eq!(Amount::ZERO.saturating_sub(Amount::MAX), Amount::ZERO);
}

#[test]
fn names_are_those_of_the_views() {
    assert_eq!(ChainKind::Bitcoin.as_str(), "bitcoin");
    assert_eq!(ChainKind::Ethereum.as_str(), "ethereum");
    assert_eq!(PaymentId::new("order-1").unwrap().to_string(), "order-1");
    let some = [Status::New, Status::Pending];
    assert_eq!(Status::names(&some, " or "), "new or pending");
    let ignored = IgnoredReason::ALL.map(IgnoredReason::as_str);
    assert_eq!(
        ignored,
        ["unknown_token", "malformed_log", "zero_value", "failed"]
    );
    let address = Destination::new(&[0xab, 0xcd]).unwrap();
    assert_eq!(address.as_bytes(), [0xab, 0xcd]);
    assert!(format!("{address:?}").contains("abcd"), "{address:?}");
}

/// They are stored when a person has seen them.
#[test]
fn causes_of_review_have_names_of_their_own() {
    let txid = TxId([0xab; 32]);
    for (about, name) in [
        (About::WrongAsset, "wrong_asset"),
        (About::AfterCancel, "after_cancel"),
        (About::Late, "late"),
        (About::Surplus, "surplus"),
        (About::Invalid, "money"),
        (About::Lost, "lost"),
        (About::AfterRefund, "after_refund"),
        (About::Excess, "excess"),
        (About::ExcessSum, "excess_sum"),
    ] {
        let text = Cause::Money(about, txid).to_string();
        assert_eq!(text, format!("{name}:abababababababab"));
    }
}

#[test]
fn a_row_is_a_credit_of_its_transaction_and_position() {
    let story = super::check("BTC 0.4", "mine a=0.1 b=0.2");
    let [a, b] = &story.payment.transfers[..] else {
        panic!("two rows");
    };
    assert_eq!(a.position, b.position);
    let other = Position::Output(7);
    for (txid, position, is) in [
        (a.txid, &a.position, true),
        (a.txid, &other, false),
        (b.txid, &a.position, false),
        (b.txid, &other, false),
    ] {
        assert_eq!(a.is(txid, position), is, "{txid} {position}");
    }
}

#[test]
fn positions_are_read_as_they_are_written() {
    let all = [
        "vout:0",
        "log:7",
        "tx",
        "trace:0",
        "trace:0.2.10",
        "balance:123",
        "sum:USDC",
        "dust",
    ];
    for text in all {
        let position: Position = text.parse().unwrap();
        assert_eq!(position.to_string(), text);
    }
    for text in [
        "",
        "vout",
        "vout:",
        "vout:-1",
        "trace:",
        "trace:1..2",
        "tx:1",
        "dust:1",
        "x:1",
    ] {
        assert!(text.parse::<Position>().is_err(), "{text}");
    }
}

#[test]
fn what_two_sets_of_flags_share_is_in_both_together() {
    let one = Flags::NONE.with(Flag::Late).with(Flag::Split);
    let both = one.union(Flags::NONE.with(Flag::Late).with(Flag::Manual));
    assert_eq!(both, one.with(Flag::Manual));
}

#[test]
fn a_history_without_events_is_written_as_nothing() {
    let text = serde_json::to_string(&History::default()).unwrap();
    assert_eq!(text, "{}");
}

#[test]
fn flags_are_shown_sorted_and_read_back() {
    let all = Flag::ALL
        .iter()
        .fold(Flags::NONE, |set, flag| set.with(*flag));
    let mut names: Vec<&str> = Flag::ALL.iter().map(|flag| flag.as_str()).collect();
    assert_eq!(all.to_string(), names.join(","));
    let declared = names.clone();
    names.sort_unstable();
    assert_eq!(declared, names);
    assert_eq!(Flags::parse(&all.to_string()), Some(all));
    assert_eq!(Flags::parse(""), Some(Flags::NONE));
    assert_eq!(Flags::parse("late,odd"), None);
    for flag in Flag::ALL {
        assert!(Flags::NONE.with(*flag).has(*flag));
        assert_eq!(Flags::NONE.with(*flag).iter().count(), 1);
    }
}

#[test]
fn hashes_ids_and_destinations_have_limits() {
    let hex = "ab".repeat(32);
    assert_eq!(TxId::from_hex(&hex).unwrap().to_string(), hex);
    assert_eq!(TxId::from_hex(&format!("0x{hex}")), TxId::from_hex(&hex));
    assert_eq!(TxId::from_hex(&hex[1..]), None);
    assert_eq!(TxId::from_hex(&"zz".repeat(32)), None);
    assert!(Destination::new(&[0; 42]).is_some());
    assert!(Destination::new(&[0; 43]).is_none());
    assert!(PaymentId::new(&"x".repeat(128)).is_some());
    for bad in ["", "a b", "ü", &"x".repeat(129)] {
        assert!(PaymentId::new(bad).is_none(), "{bad}");
    }
    assert_eq!(Height(u32::MAX).plus(1), Height(u32::MAX));
    assert_eq!(Height(0).minus(1), Height(0));
}

#[test]
fn a_history_survives_its_column_and_older_rows_are_read() {
    let history = History {
        needs_traces: true,
        ever_paid: true,
        paid_at: Some(UnixMs(7)),
        closed: Some(Closed {
            status: Status::Expired,
            reason: Reason::Deadline,
            at: UnixMs(8),
        }),
        acked: ["late:00".to_owned()].into(),
        ..History::default()
    };
    let text = serde_json::to_string(&history).unwrap();
    assert_eq!(serde_json::from_str::<History>(&text).unwrap(), history);
    assert_eq!(
        serde_json::from_str::<History>("{}").unwrap(),
        History::default()
    );
}
