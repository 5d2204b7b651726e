//! The language itself: what it refuses, and that what does not hold fails.

use super::{NAMES, folder, run, script};
use std::{collections::BTreeSet, path::Path};

#[test]
fn every_file_is_played() {
    let files = std::fs::read_dir(folder()).unwrap();
    let files = files.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let files: BTreeSet<String> = files.collect();
    let played: BTreeSet<String> = NAMES.iter().map(|name| format!("{name}.txt")).collect();
    assert_eq!(files, played, "list it in tests/it/scenarios/mod.rs");
}

const HEAD: &str = "A heading.\nshows: F1\n";

/// What is wrong, and what is said of it.
const WRONG: &[(&str, &str)] = &[
    ("", "x.txt: it has no steps"),
    (
        "shows: F1\nblock bitcoin",
        "x.txt:2: a heading of plain words",
    ),
    (
        "A.\nshows: F1\nblok bitcoin",
        "x.txt:3: \"blok\" is no step; allowed: register,",
    ),
    (
        "A.\nshows: F1\n\nblock doge",
        "x.txt:4: \"doge\" is no chain; allowed: bitcoin, ethereum",
    ),
    (
        "A.\nshows: F1\nblocks bitcoin x",
        "\"x\" is no number of blocks; allowed: a whole number",
    ),
    (
        "A.\nshows: F1\nblock bitcoin fast",
        "\"fast\" is too much at the end",
    ),
    (
        "A.\nshows: F1\nreorg bitcoin 1 2",
        "\"2\" stands where \"to\" belongs",
    ),
    (
        "A.\nshows: F1\nwait 5",
        "\"5\" is no span of time; allowed: as 500ms, 15s, 1h30m, 3d",
    ),
    (
        "A.\nshows: F1\nregister A 0.000000001 BTC",
        "is no amount in BTC; allowed: as 0.01",
    ),
    (
        "A.\nshows: F1\nregister A 1 BTC colour red",
        "\"colour\" is no term; allowed: tolerance,",
    ),
    (
        "A.\nshows: F1\npay A oddly",
        "\"oddly\" is no way to pay; allowed: stuck,",
    ),
    (
        "A.\nshows: F1\nexpect A payed",
        "\"payed\" is no status; allowed: new, pending,",
    ),
    (
        "A.\nshows: F1\nexpect A paid late",
        "paid has no reason \"late\"; allowed: exact,",
    ),
    ("A.\nshows: F1\nexpect A paid", "paid has no reason \"\""),
    (
        "A.\nshows: F1\nexpect A new, colour",
        "\"colour\" is no detail of a payment; allowed:",
    ),
    (
        "A.\nshows: F1\nexpect request refused",
        "code is missing at the end",
    ),
    ("A.\nshows: F1\nexpect events of A", "a colon is missing"),
    (
        "A.\nshows: F1\nexpect transfers of A: t lost counted",
        "\"lost\" is no state; allowed:",
    ),
    (
        "A.\nshows: F1\ngiven late-accept soon",
        "\"soon\" is no span of time",
    ),
    (
        "A.\nshows: F1\ngiven colour red",
        "\"colour\" is no setting; allowed: late-accept,",
    ),
    (
        "A.\nshows: F1\nblock bitcoin\ngiven tags 3",
        "x.txt:4: \"given\" belongs before the first step",
    ),
];

#[test]
fn a_wrong_line_is_named_with_what_is_allowed() {
    for (text, said) in WRONG {
        let trouble = script::parse(Path::new("x.txt"), text).unwrap_err();
        assert!(trouble.contains(said), "{text:?}: {trouble}");
    }
}

/// A payment that is paid, with a second one that nobody paid.
const PAID: &str = "register A 0.01 BTC
register B 0.01 BTC
pay A as t
blocks bitcoin 2
expect A paid exact
";

#[test]
fn what_does_not_hold_fails_and_says_what_is() {
    for (step, said) in [
        (
            "expect A pending",
            "line 8, at 00:00:30.000: A is paid exact, not pending",
        ),
        (
            "expect A paid exact, received 0.02",
            "amount_received: \"0.01000000\", not \"0.02\"",
        ),
        (
            "expect A paid exact, confirmations 3",
            "confirmations: \"2\", not \"3\"",
        ),
        (
            "expect A paid exact, flags late",
            "flags: \"\", not \"late\"",
        ),
        (
            "expect A paid exact, review",
            "needs_review: \"0\", not \"1\"",
        ),
        ("expect A paid exact, final", "final: \"0\", not \"1\""),
        ("expect A paid exact, no tx", "tx: \"t\", not \"none\""),
        ("expect B new, tx t", "tx: \"none\", not \"t\""),
        ("expect B new, seen-when-sent", "B names no transaction"),
        ("expect A unknown", "A is known"),
        ("expect Z new", "Z is unknown"),
        (
            "expect transfers of A: none",
            "transfers: \"t confirmed counted\", not \"\"",
        ),
        (
            "expect events of A: pending",
            "events: \"paid exact\", not \"pending\"",
        ),
        ("expect request open", "request: \"applied\", not \"open\""),
        ("expect bitcoin frozen", "frozen: \"0\", not \"1\""),
        ("expect bitcoin unhealthy", "healthy: \"1\", not \"0\""),
        ("expect bitcoin behind", "at-tip: \"true\", not \"false\""),
        ("expect bitcoin says woe", "error: \"\", not \"woe\""),
        ("expect bitcoin finalized 7", "finalized:"),
        ("pay Z", "Z was never registered"),
        ("evict z", "z names no transaction"),
        ("return bitcoin to z", "no such head is remembered"),
        ("wait until 1s after B", "that moment has passed already"),
        ("daemon starts", "the daemon is running"),
    ] {
        let text = format!("{HEAD}{PAID}{step}");
        let script = script::parse(Path::new("x.txt"), &text).unwrap();
        let trouble = run(&script).unwrap_err();
        assert!(trouble.contains(said), "{step}: {trouble}");
    }
}
