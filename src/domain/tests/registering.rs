//! From requests to payments: what is refused, what is filled in, what is the same.

use super::{
    setup::{START, Setup, asset, defaults, kind_of, shown, span, view},
    story::Story,
};
use crate::domain::{
    amount::Amount,
    asset::ChainKind,
    block::{BlockHash, Height},
    facts::Destination,
    payment::{PaymentId, PaymentKey, ScanFrom},
    register::{Registration, register, same_terms},
    request::{Command, Refusal, Register, Request, parse},
    step::PaymentStep,
    terms::Policy,
    time::UnixMs,
};

fn request(kind: &str, body: &str) -> Request {
    Request {
        seq: 1,
        request_id: "r1".to_owned(),
        kind: kind.to_owned(),
        payment_id: "order-1".to_owned(),
        body: body.to_owned(),
        actor: None,
        created_at: START,
    }
}

fn parsed(body: &str) -> Result<Register, Refusal> {
    let Command::Register(register) = parse(&request("register", body))? else {
        panic!("no registration");
    };
    Ok(*register)
}

/// Registers `{"asset": …, "amount": …}` with more fields, `created` seconds after now.
fn registered(fields: &str, created: i64) -> Result<PaymentStep, Refusal> {
    registered_with(fields, created, |_| {})
}

/// The same, where something else is different.
fn registered_with(
    fields: &str,
    created: i64,
    change: impl FnOnce(&mut Registration<'_>),
) -> Result<PaymentStep, Refusal> {
    let body = format!("{{\"address\":\"addr\",{fields}}}");
    let asked = parsed(&body)?;
    let asset = asset(&asked.asset);
    let kind = kind_of(&asset);
    let cursor = super::setup::block(1000, 0, BlockHash([0; 32]), START);
    let mut registration = Registration {
        nothing_before: false,
        simulated: false,
        key: PaymentKey(1),
        id: PaymentId::new("order-1").unwrap(),
        register: &asked,
        asset: &asset,
        kind,
        address: "addr".to_owned(),
        destination: Destination::new(b"addr").unwrap(),
        created_at: START.plus(crate::domain::time::SpanMs::from_secs(created)),
    };
    change(&mut registration);
    register(registration, &defaults(), &view(kind, cursor, START), START)
}

fn code(result: Result<PaymentStep, Refusal>) -> &'static str {
    result.map_or_else(|refusal| refusal.code, |_| "applied")
}

// shows: A7
#[test]
fn what_may_not_be_registered_is_refused_with_a_code() {
    const USDT: &str = r#""asset":"USDT","amount":"25""#;
    let year = 365 * 86_400_000;
    let at = |ms: i64| format!("{USDT},\"expires_at\":{}", START.0 + ms);
    let with = |field: &str| format!("{USDT},{field}");
    let cases = [
        (USDT.to_owned(), "applied"),
        (
            r#""asset":"BTC","amount":"0.000000001""#.to_owned(),
            "bad_amount",
        ),
        (r#""asset":"BTC","amount":"-1""#.to_owned(), "bad_amount"),
        (r#""asset":"BTC","amount":"1e3""#.to_owned(), "bad_amount"),
        (
            r#""asset":"BTC","amount":"0""#.to_owned(),
            "amount_below_dust",
        ),
        (
            r#""asset":"BTC","amount":"0.00000545""#.to_owned(),
            "amount_below_dust",
        ),
        (
            r#""asset":"BTC","amount":"0.00000546""#.to_owned(),
            "applied",
        ),
        (
            format!("\"asset\":\"BTC\",\"amount\":\"1{}\"", "0".repeat(80)),
            "bad_amount",
        ),
        (r#""asset":"BTC","amount":1"#.to_owned(), "malformed_body"),
        (r#""asset":"BTC""#.to_owned(), "missing_field"),
        (with(r#""tolerance":"10%""#), "applied"),
        (with(r#""tolerance":"10.01%""#), "tolerance_too_high"),
        (with(r#""tolerance":"1.505%""#), "bad_tolerance"),
        (with(r#""tolerance":"%""#), "bad_tolerance"),
        (with(r#""tolerance":"-1%""#), "bad_tolerance"),
        (with(r#""tolerance":"2.5""#), "applied"),
        (with(r#""tolerance":"2.500001""#), "tolerance_too_high"),
        (with(r#""tolerance":"0.0000001""#), "bad_tolerance"),
        (with(r#""confirmations":0"#), "bad_confirmations"),
        (with(r#""confirmations":1001"#), "bad_confirmations"),
        (with(r#""confirmations":1000"#), "applied"),
        (with(r#""confirmations":1.5"#), "malformed_body"),
        (with(r#""policy":"both""#), "malformed_body"),
        (with(r#""scan_from":-1"#), "malformed_body"),
        (with(r#""scan_from":9999999999"#), "malformed_body"),
        (with(r#""scan_from":10000000000"#), "applied"),
        (with(r#""metadata":[]"#), "malformed_body"),
        (
            with(&format!("\"metadata\":{{\"a\":\"{}\"}}", "x".repeat(1016))),
            "applied",
        ),
        (
            with(&format!("\"metadata\":{{\"a\":\"{}\"}}", "x".repeat(1017))),
            "metadata_too_large",
        ),
        (
            with(&format!("\"metadata\":{{\"a\":\"{}\"}}", "x".repeat(9000))),
            "body_too_large",
        ),
        (with(r#""tolerence":"1%""#), "unknown_field"),
        (with(r#""policy":null"#), "applied"),
        (with(r#""amount":"26""#), "malformed_body"),
        (at(0), "deadline_passed"),
        (at(1), "applied"),
        (at(year), "applied"),
        (at(year + 1), "deadline_too_far"),
    ];
    for (fields, expected) in cases {
        assert_eq!(code(registered(&fields, 0)), expected, "{fields}");
    }
}

#[test]
fn the_requests_clock_may_differ_a_little() {
    const BTC: &str = r#""asset":"BTC","amount":"1""#;
    let week = 7 * 86_400;
    for (seconds, expected) in [
        (300, "applied"),
        (301, "created_in_future"),
        (-week, "applied"),
        (-week - 1, "created_too_long_ago"),
    ] {
        assert_eq!(code(registered(BTC, seconds)), expected, "{seconds}");
    }
}

// shows: A7
#[test]
fn malformed_requests_are_refused_with_a_code() {
    let cases = [
        ("register", "", "malformed_body"),
        ("register", "[]", "malformed_body"),
        ("register", "{", "malformed_body"),
        ("pay", "{}", "unknown_kind"),
        ("force", r#"{"status": "gone"}"#, "malformed_body"),
        ("cancel", r#"{"note":"x"}"#, "unknown_field"),
        ("extend", "{}", "missing_field"),
        ("extend", r#"{"expires_at":"soon"}"#, "malformed_body"),
        ("rescan", "{}", "missing_field"),
        ("ack", r#"{"note":7}"#, "malformed_body"),
    ];
    for (kind, body, expected) in cases {
        let refusal = parse(&request(kind, body)).unwrap_err();
        assert_eq!(refusal.code, expected, "{kind} {body}");
    }
    let spaced = Request {
        payment_id: "order 1".to_owned(),
        ..request("cancel", "{}")
    };
    assert_eq!(parse(&spaced).unwrap_err().code, "bad_payment_id");
    let crowd = Request {
        actor: Some("x".repeat(257)),
        ..request("cancel", "{}")
    };
    assert_eq!(parse(&crowd).unwrap_err().code, "bad_actor");
}

#[test]
fn a_past_that_is_known_to_hold_nothing_is_not_scanned() {
    for nothing_before in [false, true] {
        let fields = r#""asset": "BTC", "amount": "1""#;
        let step = registered_with(fields, 0, |r| r.nothing_before = nothing_before).unwrap();
        assert_eq!(step.payment.scan.is_complete(), nothing_before);
    }
}

#[test]
fn what_may_be_missing_is_configured_unless_the_registration_says_it() {
    for (asked, allowed) in [("BTC 0.4", 600_000), ("BTC 0.4 tolerance=1%", 400_000)] {
        let mut setup = Setup::read(asked);
        setup.defaults.tolerance_bp = 150;
        let terms = super::story::Story::begin(&setup).payment.terms;
        assert_eq!(
            terms.allowed_shortfall,
            Amount::from_u64(allowed),
            "{asked}"
        );
    }
}

#[test]
fn a_payment_on_a_simulated_chain_is_flagged_from_the_first() {
    for simulated in [false, true] {
        let step = registered_with("\"asset\": \"BTC\", \"amount\": \"1\"", 0, |r| {
            r.simulated = simulated;
        });
        let flags = step.unwrap().payment.judged.flags.to_string();
        assert_eq!(flags == "simulated", simulated, "{flags}");
    }
}

#[test]
fn a_disabled_asset_takes_no_new_payments() {
    let mut setup = Setup::read("BTC 1");
    setup.asset.enabled = false;
    let registration = Registration {
        nothing_before: false,
        simulated: false,
        key: PaymentKey(1),
        id: PaymentId::new("order-1").unwrap(),
        register: &setup.register,
        asset: &setup.asset,
        kind: ChainKind::Bitcoin,
        address: "addr".to_owned(),
        destination: Destination::new(b"addr").unwrap(),
        created_at: START,
    };
    let cursor = super::setup::block(1000, 0, BlockHash([0; 32]), START);
    let view = view(ChainKind::Bitcoin, cursor, START);
    assert_eq!(
        code(register(registration, &defaults(), &view, START)),
        "asset_disabled"
    );
}

// shows: A11
#[test]
fn depth_follows_the_amount_and_the_registration() {
    let depth = |fields: &str| {
        let step = registered(fields, 0).unwrap();
        step.payment.terms.depth.confirmations
    };
    assert_eq!(depth(r#""asset":"BTC","amount":"0.4""#), 2);
    assert_eq!(depth(r#""asset":"BTC","amount":"0.5""#), 2);
    assert_eq!(depth(r#""asset":"BTC","amount":"0.6""#), 6);
    assert_eq!(
        depth(r#""asset":"BTC","amount":"0.6","confirmations":1"#),
        1
    );
    super::check(
        "BTC 0.6",
        "mine a=0.6\nblocks 4 => confirming\nblocks 1 => paid/exact",
    );
    super::check("BTC 0.6 confirmations=1", "mine a=0.6 => paid/exact");
}

#[test]
fn what_is_not_said_comes_from_the_configuration() {
    let payment = registered(r#""asset":"BTC","amount":"0.4""#, -60)
        .unwrap()
        .payment;
    let created = START.minus(span("1m"));
    assert_eq!(payment.terms.expires_at, created.plus(span("20m")));
    assert_eq!(payment.terms.policy, Policy::Single);
    assert_eq!(payment.terms.allowed_shortfall, Amount::ZERO);
    assert_eq!(payment.scan.from, ScanFrom::Time(created.minus(span("2h"))));
    assert_eq!(payment.scan.goal, Some(Height(1000)));
    assert!(!payment.scan.is_complete());
    assert!(!payment.history.needs_traces);
    let token = registered(r#""asset":"USDT","amount":"25""#, 0)
        .unwrap()
        .payment;
    assert_eq!(token.scan.from, ScanFrom::Time(START.minus(span("2m"))));
    assert!(!token.history.needs_traces);
    let ether = registered(r#""asset":"ETH","amount":"1""#, 0)
        .unwrap()
        .payment;
    assert!(ether.history.needs_traces);
    let above = registered(r#""asset":"ETH","amount":"1","scan_from":1001"#, 0)
        .unwrap()
        .payment;
    assert!(above.scan.is_complete());
}

#[test]
fn tolerance_is_exact_and_rounded_down() {
    let allowed = |amount: &str, tolerance: &str| {
        let fields =
            format!("\"asset\":\"USDT\",\"amount\":\"{amount}\",\"tolerance\":\"{tolerance}\"");
        let terms = registered(&fields, 0).unwrap().payment.terms;
        terms.allowed_shortfall.display(6).to_string()
    };
    assert_eq!(allowed("25", "1.5%"), "0.375000");
    assert_eq!(allowed("0.033333", "1.5%"), "0.000499");
    assert_eq!(allowed("25", "0.5"), "0.500000");
    assert_eq!(allowed("25", "0%"), "0.000000");
}

#[test]
fn metadata_are_told_to_the_letter() {
    let words = r#"{"b":18446744073709551617,"a":0.1234567890123456789,"b":[]}"#;
    let fields = format!(r#""asset":"USDT","amount":"25","metadata":{words}"#);
    let step = registered(&fields, 0).unwrap();
    let data = &step.entries[0].data;
    assert!(data.contains(&format!(r#""metadata":{words}"#)), "{data}");
}

#[test]
fn a_registration_is_told_with_metadata_and_nothing_else_is() {
    let fields = r#""asset":"USDT","amount":"25","metadata":{ "order": 7 }"#;
    let step = registered(fields, 0).unwrap();
    assert!(step.is_new);
    assert_eq!(step.entries.len(), 1);
    let data = shown(&step.entries[0]);
    assert_eq!(data["metadata"]["order"], 7);
    assert_eq!(data["amount_expected"], "25.000000");
    assert_eq!(data["version"], 1);
    assert_eq!(
        step.payment.terms.metadata.as_deref(),
        Some(r#"{"order":7}"#)
    );
    let mut story = Story::begin(&Setup::read("BTC 1"));
    story.act("see a=1");
    assert!(
        story
            .entries
            .iter()
            .all(|entry| shown(entry).get("metadata").is_none())
    );
}

#[test]
fn metadata_are_kept_to_the_letter() {
    let kept = |metadata: &str| {
        let fields = format!("\"asset\":\"USDT\",\"amount\":\"25\",\"metadata\":{metadata}");
        registered(&fields, 0).map(|step| step.payment.terms.metadata)
    };
    for (written, wanted) in [
        ("{}", "{}"),
        (
            r#"{"n":18446744073709551617,"d":0.12345678901234567890123456789}"#,
            r#"{"n":18446744073709551617,"d":0.12345678901234567890123456789}"#,
        ),
        (
            "{ \"z\" : 1.0 ,\n\t\"a\":[ 1e2, -0 ] }",
            r#"{"z":1.0,"a":[1e2,-0]}"#,
        ),
        (
            r#"{ "a b": " \" \\" , "c" : "\\\" d" }"#,
            r#"{"a b":" \" \\","c":"\\\" d"}"#,
        ),
        (r#"{"a":"\u00e9 é"}"#, r#"{"a":"\u00e9 é"}"#),
    ] {
        assert_eq!(kept(written).unwrap().as_deref(), Some(wanted), "{written}");
    }
    for broken in [r#"{"a":"\ud800"}"#, "{\"a\":1e999}", "{\"a\":01}"] {
        let refusal = kept(broken).expect_err(broken);
        assert_eq!(refusal.code, "malformed_body", "{broken}");
    }
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
    assert_eq!(kept(&deep).expect_err("deep").code, "malformed_body");
}

// shows: A7
#[test]
fn the_same_terms_again_are_a_duplicate_and_others_are_not() {
    const SAME: &str = r#""asset":"USDT","amount":"25.0","tolerance":"1%","policy":"sum""#;
    let payment = registered(&format!("{SAME},\"scan_from\":900"), 0)
        .unwrap()
        .payment;
    let expires = format!("\"expires_at\":{}", payment.terms.expires_at.0);
    let same = |fields: &str, address: &str| {
        let asked = parsed(&format!("{{\"address\":\"{address}\",{fields}}}")).unwrap();
        same_terms(&payment, &asked, &asset(&asked.asset), address)
    };
    assert!(same(SAME, "addr"));
    assert!(same(
        &format!("{SAME},{expires},\"confirmations\":6,\"scan_from\":900"),
        "addr"
    ));
    assert!(same(
        r#""asset":"USDT","amount":"25","tolerance":"0.25""#,
        "addr"
    ));
    assert!(same(&format!("{SAME},\"metadata\":{{}}"), "addr"));
    assert!(!same(SAME, "other"));
    assert!(!same(r#""asset":"USDC","amount":"25""#, "addr"));
    assert!(!same(r#""asset":"USDT","amount":"26""#, "addr"));
    assert!(!same(
        r#""asset":"USDT","amount":"25","tolerance":"2%""#,
        "addr"
    ));
    assert!(!same(
        r#""asset":"USDT","amount":"25","policy":"single""#,
        "addr"
    ));
    assert!(!same(
        r#""asset":"USDT","amount":"25","confirmations":7"#,
        "addr"
    ));
    assert!(!same(
        r#""asset":"USDT","amount":"25","expires_at":1"#,
        "addr"
    ));
    assert!(!same(
        r#""asset":"USDT","amount":"25","scan_from":901"#,
        "addr"
    ));
}

// shows: A5
#[test]
fn a_late_registration_is_scanned_first_and_then_ends_like_an_early_one() {
    // The request was written 35 minutes ago, while the daemon was down; its deadline is over.
    let step = registered(r#""asset":"USDT","amount":"25""#, -35 * 60).unwrap();
    assert_eq!(step.payment.judged.status.as_str(), "new");
    let mut story = Story::begin(&Setup::read("USDT 25"));
    story.payment = step.payment;
    story.entries = step.entries;
    story.act("blocks 1");
    assert_eq!(story.payment.judged.status.as_str(), "new");
    story.act("past 999 a=25");
    assert_eq!(story.payment.judged.status.as_str(), "confirming");
    story.act("scanned 1000");
    story.act("blocks 9");
    assert_eq!(story.payment.judged.status.as_str(), "paid");
    assert_eq!(story.payment.created_at, UnixMs(START.0 - 35 * 60_000));
}
