//! The same frames as `trace_block` lists them.

use super::*;

fn block() -> String {
    format!("0x{}", "09".repeat(32))
}

/// What a `trace_block` answer tells.
pub(super) fn flat_of(json: &str, roots: &[Root]) -> Result<Vec<Candidate>, TraceError> {
    inner_credits(Format::Flat, json, BLOCK, roots)
}

/// A callTracer's frames of one transaction, and all below each, in a flat list.
pub(super) fn of(root: &Value) -> Value {
    let mut list = Vec::new();
    add(root, &[], &mut list);
    json!(list)
}

fn add(frame: &Value, path: &[usize], list: &mut Vec<Value>) {
    let name = frame["type"].as_str().unwrap();
    let (kind, action) = match name {
        "CREATE" | "CREATE2" => (
            "create",
            json!({"from": frame["from"], "value": frame["value"], "init": "0x", "gas": "0x1"}),
        ),
        "SELFDESTRUCT" => (
            "suicide",
            json!({"address": frame["from"], "refundAddress": frame["to"], "balance": frame["value"]}),
        ),
        call => (
            "call",
            json!({
                "callType": call.to_lowercase(), "from": frame["from"], "to": frame["to"],
                "value": frame["value"], "input": "0x", "gas": "0x1",
            }),
        ),
    };
    let calls = frame["calls"].as_array().cloned().unwrap_or_default();
    let result = json!({"gasUsed": "0x1", "output": "0x", "address": frame["to"], "code": "0x"});
    let has_result = kind != "suicide" && frame["error"].is_null();
    list.push(json!({
        "type": kind, "action": action, "result": has_result.then_some(result),
        "error": frame["error"], "subtraces": calls.len(), "traceAddress": path,
        "blockHash": block(), "blockNumber": 7,
        "transactionHash": txid(), "transactionPosition": 0,
    }));
    for (index, call) in calls.iter().enumerate() {
        add(call, &[path, &[index]].concat(), list);
    }
}

/// A call of the contract that pays us 1 wei and calls another, which pays us 2.
fn listed() -> Vec<Value> {
    let calls = [
        frame("CALL", US, 1, &[]),
        frame("CALL", OTHER, 0, &[frame("CALL", US, 2, &[])]),
    ];
    let list = of(&whole(&calls));
    list.as_array().unwrap().clone()
}

fn told(list: &[Value]) -> Result<Vec<String>, TraceError> {
    let found = flat_of(&json!(list).to_string(), &[root()])?;
    let shown = |credit: &Candidate| format!("{} {}", credit.position, credit.amount.base());
    Ok(found.iter().map(shown).collect())
}

// shows: T10
#[test]
fn a_leg_that_failed_takes_along_what_is_below_it() {
    let mut list = listed();
    list[2]["error"] = json!("Reverted");
    assert_eq!(told(&list), Ok(vec!["trace:0 1".to_owned()]));
}

// shows: T10
#[test]
fn a_delegate_call_gives_nothing_away() {
    for call in ["delegatecall", "callcode", "staticcall"] {
        let mut list = listed();
        list[1]["action"]["callType"] = json!(call);
        assert_eq!(told(&list), Ok(vec!["trace:1.0 2".to_owned()]));
    }
}

#[test]
fn frames_are_known_by_their_place_in_whatever_order_they_come() {
    let expected = ["trace:0 1", "trace:1.0 2"].map(str::to_owned).to_vec();
    let mut list = listed();
    assert_eq!(told(&list).as_ref(), Ok(&expected));
    list.reverse();
    assert_eq!(told(&list).as_ref(), Ok(&expected));
    // Children are counted as numbers: the tenth comes after the second.
    let many: Vec<Value> = (1..=11).map(|wei| frame("CALL", US, wei, &[])).collect();
    let list = of(&whole(&many));
    let tenth = told(list.as_array().unwrap()).unwrap().pop();
    assert_eq!(tenth.as_deref(), Some("trace:10 11"));
}

#[test]
fn what_a_blocks_maker_gets_is_left_out() {
    let mut list = listed();
    list.push(json!({
        "type": "reward", "result": null, "subtraces": 0, "traceAddress": [],
        "action": {"author": US, "rewardType": "block", "value": "0x1bc16d674ec80000"},
        "blockHash": block(), "blockNumber": 7, "transactionHash": null, "transactionPosition": null,
    }));
    assert_eq!(told(&list).map(|told| told.len()), Ok(2));
}

/// A node is asked by height: one with another block there, or none, says nothing of this one.
#[test]
fn frames_of_another_block_are_none() {
    let mut list = listed();
    list[1]["blockHash"] = json!(txid());
    assert_eq!(told(&list), Err(TraceError::Elsewhere));
    assert_eq!(told(&[]), Err(TraceError::Elsewhere));
    assert_eq!(flat_of("null", &[root()]), Err(TraceError::Elsewhere));
}

#[test]
fn frames_of_other_transactions_or_not_of_all_are_refused() {
    let list = listed();
    let of_another = |mut list: Vec<Value>| {
        for frame in &mut list {
            frame["transactionHash"] = json!(block());
        }
        list
    };
    assert_eq!(
        told(&of_another(list.clone())),
        Err(TraceError::Contradiction(0))
    );
    let mut failed = list.clone();
    failed[0]["error"] = json!("Reverted");
    assert_eq!(told(&failed), Err(TraceError::Contradiction(0)));
    let mut richer = list.clone();
    richer[0]["action"]["value"] = json!("0x6");
    assert_eq!(told(&richer), Err(TraceError::Contradiction(0)));
    let (expected, found) = (2, 1);
    let json = json!(list).to_string();
    assert_eq!(
        flat_of(&json, &[root(), root()]),
        Err(TraceError::Count { expected, found })
    );
}

/// Whatever it would take to see money that is none, or to overlook some.
#[test]
fn lists_with_holes_or_of_unknown_frames_are_refused() {
    let with = |change: &dyn Fn(&mut Vec<Value>)| {
        let mut list = listed();
        change(&mut list);
        list
    };
    for list in [
        with(&|list| drop(list.remove(0))),
        with(&|list| drop(list.remove(2))),
        with(&|list| list.push(list[1].clone())),
        with(&|list| list[1]["transactionPosition"] = json!(1)),
        with(&|list| list[1]["transactionHash"] = Value::Null),
        with(&|list| list[1]["type"] = json!("extcall")),
        with(&|list| list[1]["action"]["callType"] = json!("authcall")),
        with(&|list| list[1]["action"]["value"] = Value::Null),
        with(&|list| list[1]["action"]["to"] = Value::Null),
        with(&|list| list[1]["action"]["from"] = Value::Null),
        with(&|list| list[1]["traceAddress"] = json!(vec![0; MAX_DEPTH + 1])),
        with(&|list| list[1]["blockHash"] = Value::Null),
    ] {
        let found = told(&list);
        let is_refused = matches!(found, Err(TraceError::Malformed(_)));
        assert!(is_refused, "{}: {found:?}", json!(list));
    }
}

#[test]
fn a_creation_credits_the_contract_that_came_of_it() {
    let mut list = listed();
    list[1]["type"] = json!("create");
    list[1]["result"]["address"] = json!(OTHER);
    assert_eq!(told(&list).map(|told| told.len()), Ok(2));
    list[1]["result"] = Value::Null;
    assert!(matches!(told(&list), Err(TraceError::Malformed(_))));
    // Where it failed there is none.
    list[1]["error"] = json!("Out of gas");
    assert_eq!(told(&list).map(|told| told.len()), Ok(1));
}
