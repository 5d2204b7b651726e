use super::{
    moves::{MAX_DEPTH, MAX_PATHS},
    *,
};
use flat::flat_of;
use serde_json::{Value, json};

mod flat;

const US: &str = "0x00000000000000000000000000000000000000aa";
const CONTRACT: &str = "0x00000000000000000000000000000000000000cc";
const OTHER: &str = "0x00000000000000000000000000000000000000dd";

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn txid() -> String {
    format!("0x{}", "07".repeat(32))
}

const BLOCK: BlockHash = BlockHash([9; 32]);

/// What a callTracer's answer tells.
fn calls_of(json: &str, roots: &[Root]) -> Result<Vec<Candidate>, TraceError> {
    inner_credits(Format::Calls, json, BLOCK, roots)
}

/// A transaction that called the contract with 5 wei.
fn root() -> Root {
    Root {
        id: TxId([7; 32]),
        to: Some(address(CONTRACT)),
        value: U256::from(5),
        succeeded: true,
        may_run_code: true,
    }
}

fn frame(kind: &str, to: &str, value: u64, calls: &[Value]) -> Value {
    json!({
        "type": kind, "from": CONTRACT, "to": to, "value": format!("{value:#x}"),
        "gas": "0x5208", "gasUsed": "0x5208", "input": "0x", "calls": calls,
    })
}

fn failed(mut frame: Value) -> Value {
    frame["error"] = json!("execution reverted");
    frame
}

/// The transaction's own frame around these.
fn whole(calls: &[Value]) -> Value {
    let mut root = frame("CALL", CONTRACT, 5, calls);
    root["from"] = json!(OTHER);
    root
}

fn answer(result: &Value) -> String {
    json!([{"txHash": txid(), "result": result}]).to_string()
}

/// Position, receiver and amount of each credit, which both formats tell alike.
fn moves(result: &Value) -> Vec<String> {
    let found = moved(result);
    let flat = flat_of(&flat::of(result).to_string(), &[root()]);
    assert_eq!(flat.as_ref(), Ok(&found), "{result}");
    let shown = |credit: Candidate| {
        assert_eq!(credit.evidence, Evidence::Claimed);
        assert_eq!(credit.asset, CreditAsset::Native);
        format!(
            "{} {:?} {}",
            credit.position,
            credit.destination,
            credit.amount.base()
        )
    };
    found.into_iter().map(shown).collect()
}

fn moved(result: &Value) -> Vec<Candidate> {
    calls_of(&answer(result), &[root()]).expect("a trace")
}

/// The same in words: the position, `us` or another account, the amount.
fn told(calls: &[Value]) -> String {
    let moves = moves(&whole(calls)).join(", ");
    moves
        .replace("trace:", "")
        .replace(&US[2..], "us")
        .replace(&OTHER[2..], "other")
}

fn call(to: &str, wei: u64, calls: &[Value]) -> Value {
    frame("CALL", to, wei, calls)
}

// shows: T10
#[test]
fn what_contracts_move_is_found_wherever_it_is_nested() {
    assert_eq!(told(&[]), "");
    let batch = [call(US, 1, &[]), call(OTHER, 2, &[]), call(US, 3, &[])];
    assert_eq!(told(&batch), "0 us 1, 1 other 2, 2 us 3");
    // The outer one first.
    let inner = [frame("STATICCALL", US, 0, &[]), call(US, 1, &[])];
    assert_eq!(told(&[call(OTHER, 9, &inner)]), "0 other 9, 0.1 us 1");
}

// shows: T10
#[test]
fn a_leg_that_failed_takes_along_what_is_below_it_and_nothing_beside_it() {
    let below = call(US, 3, &[call(US, 4, &[])]);
    let leg = failed(call(OTHER, 2, &[below]));
    let calls = [call(US, 1, &[]), leg, call(US, 5, &[])];
    assert_eq!(told(&calls), "0 us 1, 2 us 5");
}

// shows: T10
#[test]
fn only_frames_that_give_ether_away_move_it() {
    let delegated = frame("DELEGATECALL", US, 5, &[call(US, 2, &[])]);
    let calls = [delegated, frame("CALLCODE", US, 4, &[])];
    assert_eq!(told(&calls), "0.0 us 2");
    let created = frame("CREATE", US, 1, &[frame("SELFDESTRUCT", US, 2, &[])]);
    let calls = [created, frame("CREATE2", US, 3, &[])];
    assert_eq!(told(&calls), "0 us 1, 0.0 us 2, 1 us 3");
    let to_itself = frame("SELFDESTRUCT", CONTRACT, 2, &[]);
    assert_eq!(told(&[call(CONTRACT, 1, &[]), to_itself]), "");
}

#[test]
fn a_failed_transaction_moves_nothing() {
    let json = answer(&failed(whole(&[frame("CALL", US, 1, &[])])));
    let root = Root {
        succeeded: false,
        ..root()
    };
    assert_eq!(calls_of(&json, std::slice::from_ref(&root)), Ok(vec![]));
    let flat = flat::of(&failed(whole(&[frame("CALL", US, 1, &[])])));
    assert_eq!(flat_of(&flat.to_string(), &[root]), Ok(vec![]));
}

#[test]
fn frames_that_lack_what_moves_nothing_are_read() {
    // Without a value, a target, or calls: as nodes write what is empty.
    let bare = json!({"type": "STATICCALL", "from": CONTRACT, "to": US, "input": "0x"});
    let not_created = json!({"type": "CREATE", "from": CONTRACT, "value": "0x1", "error": "out of gas", "calls": null});
    let null = json!({"type": "CALL", "from": CONTRACT, "to": null, "value": null, "error": null});
    assert!(moved(&whole(&[bare, not_created, null])).is_empty());
}

#[test]
fn a_trace_of_another_transaction_or_of_none_is_refused() {
    let ok = whole(&[frame("CALL", US, 1, &[])]);
    let set = |key: &str, value: Value| {
        let mut changed = ok.clone();
        changed[key] = value;
        answer(&changed)
    };
    let contradiction = Err(TraceError::Contradiction(0));
    let roots = [root()];
    for json in [
        set("to", json!(OTHER)),
        set("to", Value::Null),
        set("value", json!("0x6")),
        set("error", json!("execution reverted")),
        set("type", json!("CREATE")),
        answer(&ok).replace("0707", "0708"),
    ] {
        assert_eq!(calls_of(&json, &roots), contradiction, "{json}");
    }
    let succeeded_only = Root {
        succeeded: false,
        ..root()
    };
    assert_eq!(calls_of(&answer(&ok), &[succeeded_only]), contradiction);
    let created = Root { to: None, ..root() };
    assert_eq!(
        calls_of(&answer(&ok), std::slice::from_ref(&created)),
        contradiction
    );
    let mut creation = ok.clone();
    creation["type"] = json!("CREATE2");
    assert!(calls_of(&answer(&creation), &[created]).is_ok());
    let plain = Root {
        may_run_code: false,
        ..root()
    };
    let moved = answer(&ok);
    assert_eq!(
        calls_of(&moved, std::slice::from_ref(&plain)),
        contradiction
    );
    let unmoved = answer(&whole(&[]));
    assert_eq!(calls_of(&unmoved, &[plain]), Ok(vec![]));
    let none = json!([{"txHash": txid(), "error": "execution timeout"}]).to_string();
    assert_eq!(calls_of(&none, &roots), Err(TraceError::Missing(0)));
    let count = |json: &str, expected: usize, found: usize| {
        let roots = vec![root(); expected];
        assert_eq!(
            calls_of(json, &roots),
            Err(TraceError::Count { expected, found })
        );
    };
    count("[]", 1, 0);
    count(&answer(&ok), 2, 1);
    count(&answer(&ok), 0, 1);
}

#[test]
fn what_cannot_be_read_is_refused() {
    for json in [
        "null",
        "{}",
        "[1]",
        r#"[{"result":null}]"#,
        r#"[{"result":{"from":"0x00","to":"0x01"}}]"#,
        &answer(&frame("EXTCALL", US, 1, &[])),
        &answer(&whole(&[frame("CALL", "0x12", 1, &[])])),
        &format!("{} 1", answer(&whole(&[]))),
    ] {
        let found = calls_of(json, &[root()]);
        assert!(
            matches!(found, Err(TraceError::Malformed(_))),
            "{json}: {found:?}"
        );
    }
}

/// Frames nested so deep, each giving us one wei, the innermost first in the text.
fn nested(depth: usize) -> String {
    let open = r#"{"type":"CALL","from":"0x00000000000000000000000000000000000000cc","to":"0x00000000000000000000000000000000000000aa","value":"0x1","calls":["#;
    let inner = format!("{}{}", open.repeat(depth), "]}".repeat(depth));
    let root = whole(&[]).to_string();
    let root = root.replace(r#""calls":[]"#, &format!(r#""calls":[{inner}]"#));
    format!(r#"[{{"result":{root}}}]"#)
}

#[test]
fn calls_as_deep_as_the_evm_allows_are_read_and_deeper_ones_refused() {
    let found = calls_of(&nested(MAX_DEPTH), &[root()]).expect("the deepest");
    assert_eq!(found.len(), MAX_DEPTH);
    assert_eq!(found[0].position.to_string(), "trace:0");
    for depth in [MAX_DEPTH + 1, 500_000] {
        let error = calls_of(&nested(depth), &[root()]);
        assert!(matches!(error, Err(TraceError::Malformed(_))), "{depth}");
    }
    // What is not looked at may be nested as deep as it likes.
    let deep = format!("{}{}", "[".repeat(500_000), "]".repeat(500_000));
    let root_frame = whole(&[]).to_string();
    let json = format!(
        r#"[{{"result":{}}}]"#,
        root_frame.replacen('{', &format!(r#"{{"output":{deep},"#), 1)
    );
    assert_eq!(calls_of(&json, &[root()]), Ok(vec![]));
}

#[test]
fn more_moves_than_any_block_has_are_refused_before_they_fill_the_memory() {
    // Many moves at the deepest place: each has a path as long as the EVM is deep.
    let leaf = r#"{"type":"CALL","from":"0x00000000000000000000000000000000000000cc","to":"0x00000000000000000000000000000000000000aa","value":"0x1"}"#;
    let open = r#"{"type":"CALL","from":"0x00000000000000000000000000000000000000cc","to":"0x00000000000000000000000000000000000000cc","calls":["#;
    let leaves = |count: usize| vec![leaf; count].join(",");
    let json = |count| {
        let depth = MAX_DEPTH - 1;
        let inner = format!(
            "{}{}{}",
            open.repeat(depth),
            leaves(count),
            "]}".repeat(depth)
        );
        let root = whole(&[]).to_string();
        let root = root.replace(r#""calls":[]"#, &format!(r#""calls":[{inner}]"#));
        format!(r#"[{{"result":{root}}}]"#)
    };
    let most = MAX_PATHS / MAX_DEPTH;
    assert_eq!(
        calls_of(&json(most), &[root()]).map(|found| found.len()),
        Ok(most)
    );
    let found = calls_of(&json(most + 1), &[root()]);
    assert!(matches!(found, Err(TraceError::Malformed(_))));
}
