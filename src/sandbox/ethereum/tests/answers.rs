//! Answers that the source does not ask for, and what real nodes say when there is none.

use super::*;
use serde_json::json;

/// A chain of two blocks, the second with a call that has logs and frames.
fn world() -> (World, Tx, BlockRef) {
    let mut chain = chain();
    let mut sender = Sender::new(CHAIN_ID, 1);
    let ether = sender.sign(Intent::ether(SHOP, units(1)).of_kind(Kind::Blob));
    let one_move = |token, to| Move {
        token,
        from: None,
        to,
        amount: units(5),
    };
    let moves = vec![one_move(USDT, SHOP), one_move(USDC, OTHER)];
    let tokens = sender.sign(Intent::tokens(CONTRACT, moves));
    let root = chain.genesis();
    let transactions = vec![ether, tokens.clone()];
    let at = root.time.plus(SpanMs(12_000));
    let block = chain.extend(root.id.hash, at, transactions).unwrap();
    let mut view = View::new(&chain);
    view.set_head(&chain, block.id.hash);
    (World { chain, view }, tokens, block)
}

fn prefixed(hash: impl std::fmt::Display) -> String {
    format!("0x{hash}")
}

#[test]
fn small_answers() {
    let (world, ..) = world();
    let contract = hex::encode_prefixed(CONTRACT);
    let [usdt, shop] = [USDT, SHOP].map(hex::encode_prefixed);
    let symbol = format!("0x{:064x}{:064x}{:0<64}", 32, 4, hex::encode("USDT"));
    let six = format!("{:#066x}", 6);
    let selector = |function| hex::encode_prefixed(super::super::abi::selector(function));
    let delegated = format!("0xef0100{}", hex::encode(CONTRACT));
    for (method, params, said) in [
        ("eth_chainId", json!([]), json!("0x7a69")),
        ("net_version", json!([]), json!("31337")),
        ("eth_blockNumber", json!([]), json!("0x1")),
        ("eth_syncing", json!([]), json!(false)),
        ("eth_getCode", json!([contract, "latest"]), json!("0x6001")),
        ("eth_getCode", json!([usdt, "0x0"]), json!("0x6001")),
        ("eth_getCode", json!([shop, "latest"]), json!(delegated)),
        (
            "eth_getCode",
            json!([hex::encode_prefixed(OTHER)]),
            json!("0x"),
        ),
        ("eth_getBlockByNumber", json!(["0x2", true]), json!(null)),
        (
            "eth_getBlockByNumber",
            json!(["0x1ffffffff", true]),
            json!(null),
        ),
        (
            "eth_getBlockByHash",
            json!([format!("{:#066x}", 7), false]),
            json!(null),
        ),
        (
            "eth_getBlockReceipts",
            json!([format!("{:#066x}", 7)]),
            json!(null),
        ),
        ("eth_getBlockReceipts", json!(["0x2"]), json!(null)),
        ("eth_getBlockReceipts", json!(["earliest"]), json!([])),
        (
            "eth_getTransactionByHash",
            json!([format!("{:#066x}", 7)]),
            json!(null),
        ),
        (
            "eth_getTransactionReceipt",
            json!([format!("{:#066x}", 7)]),
            json!(null),
        ),
        (
            "eth_call",
            json!([{"to": usdt, "data": selector("decimals()")}, "latest"]),
            json!(six),
        ),
        (
            "eth_call",
            json!([{"to": usdt, "input": selector("symbol()")}, "latest"]),
            json!(symbol),
        ),
        (
            "eth_call",
            json!([{"to": shop, "data": "0x01"}, "latest"]),
            json!("0x"),
        ),
    ] {
        assert_eq!(
            world.call(method, params.clone()),
            Ok(said),
            "{method} {params}"
        );
    }
}

#[test]
fn refusals() {
    let (mut world, _, block) = world();
    let usdt = hex::encode_prefixed(USDT);
    let hash = prefixed(block.id.hash);
    world.view.traces = Some(0);
    let genesis = prefixed(world.chain.genesis().id.hash);
    for (method, params, said) in [
        (
            "eth_getProof",
            json!([usdt, [], "latest"]),
            "Method not found (-32601)",
        ),
        (
            "eth_getBlockByNumber",
            json!(["finalized", false]),
            "finalized block not found (-32000)",
        ),
        (
            "eth_getBlockByNumber",
            json!(["safe", false]),
            "safe block not found (-32000)",
        ),
        ("eth_getBlockByNumber", json!(["never", false]), "(-32602)"),
        ("eth_getBlockByNumber", json!(["0x1"]), "(-32602)"),
        ("eth_getBlockByHash", json!(["0x1", false]), "(-32602)"),
        ("eth_getTransactionByHash", json!([5]), "(-32602)"),
        (
            "eth_call",
            json!([{"to": usdt, "data": "0x12345678"}]),
            "execution reverted (3)",
        ),
        (
            "eth_call",
            json!([{"to": usdt}, "0x9"]),
            "header not found (-32000)",
        ),
        ("eth_getLogs", json!([{"fromBlock": "0x0"}]), "(-32602)"),
        (
            "eth_getLogs",
            json!([{"blockHash": format!("{:#066x}", 7)}]),
            "unknown block (-32000)",
        ),
        ("debug_traceBlockByHash", json!([hash]), "(-32602)"),
        (
            "debug_traceBlockByHash",
            json!([hash, {"tracer": "4byteTracer"}]),
            "(-32000)",
        ),
        (
            "debug_traceBlockByHash",
            json!([genesis, {"tracer": "callTracer"}]),
            "required historical state unavailable (-32000)",
        ),
    ] {
        let refused = world.call(method, params.clone()).unwrap_err();
        assert!(refused.ends_with(said), "{method} {params}: {refused}");
    }
    world.view.traces = None;
    let refused = world.call(
        "debug_traceBlockByHash",
        json!([hash, {"tracer": "callTracer"}]),
    );
    assert_eq!(refused.unwrap_err(), "Method not found (-32601)");
}

#[test]
fn one_transaction_is_answered_as_in_its_block() {
    let (world, tx, block) = world();
    let hash = prefixed(block.id.hash);
    let id = json!([prefixed(tx.id())]);
    let whole = world
        .call("eth_getBlockByHash", json!([hash, true]))
        .unwrap();
    let found = world.call("eth_getTransactionByHash", id.clone()).unwrap();
    assert_eq!(found, whole["transactions"][1]);
    assert_eq!(found["blockHash"], json!(hash));
    assert_eq!(found["from"], json!(hex::encode_prefixed(tx.from())));
    let receipts = world.call("eth_getBlockReceipts", json!([hash])).unwrap();
    let receipt = world.call("eth_getTransactionReceipt", id).unwrap();
    assert_eq!(receipt, receipts[1]);
    let logs = world
        .call("eth_getLogs", json!([{"blockHash": hash}]))
        .unwrap();
    assert_eq!(logs, receipt["logs"]);
    let some = json!([{"blockHash": hash, "address": hex::encode_prefixed(USDC)}]);
    let some = world.call("eth_getLogs", some).unwrap();
    assert_eq!(some, json!([logs[1]]));
}

/// The fields that geth gives, of a block, its transactions and their receipts.
#[test]
fn blocks_transactions_and_receipts_have_geth_s_fields() {
    let (world, _, block) = world();
    let hash = prefixed(block.id.hash);
    let names = |value: &Value| -> Vec<String> {
        let mut names: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        names.sort();
        names
    };
    let whole = world
        .call("eth_getBlockByHash", json!([hash, true]))
        .unwrap();
    let geth = "baseFeePerGas blobGasUsed difficulty excessBlobGas extraData gasLimit gasUsed hash \
        logsBloom miner mixHash nonce number parentBeaconBlockRoot parentHash receiptsRoot \
        requestsHash sha3Uncles size stateRoot timestamp transactions transactionsRoot uncles \
        withdrawals withdrawalsRoot";
    assert_eq!(names(&whole).join(" "), geth);
    let geth = "accessList blobVersionedHashes blockHash blockNumber chainId from gas gasPrice hash \
        input maxFeePerBlobGas maxFeePerGas maxPriorityFeePerGas nonce r s to transactionIndex \
        type v value yParity";
    assert_eq!(names(&whole["transactions"][0]).join(" "), geth);
    let receipts = world.call("eth_getBlockReceipts", json!([hash])).unwrap();
    let geth = "blobGasPrice blobGasUsed blockHash blockNumber contractAddress cumulativeGasUsed \
        effectiveGasPrice from gasUsed logs logsBloom status to transactionHash transactionIndex \
        type";
    assert_eq!(names(&receipts[0]).join(" "), geth);
    let geth = "address blockHash blockNumber blockTimestamp data logIndex removed topics \
        transactionHash transactionIndex";
    assert_eq!(names(&receipts[1]["logs"][0]).join(" "), geth);
}

/// A block with every kind of frame, traced, and the transactions in it.
fn traced(sender: &mut Sender) -> (Value, Vec<String>) {
    let calls = vec![
        Frame::call(SHOP, units(1)).reverted(),
        Frame::delegate_call(OTHER, units(2)).with(vec![Frame::call(SHOP, units(3))]),
        Frame::static_call(USDT),
    ];
    let one_move = Move {
        token: USDC,
        from: None,
        to: SHOP,
        amount: units(1),
    };
    let transactions = vec![
        sender.sign(Intent::ether(SHOP, units(5))),
        sender.sign(Intent::batch(CONTRACT, calls).with_value(units(6))),
        sender.sign(Intent::create(units(7), Vec::new())).failing(),
        sender.sign(Intent::tokens(CONTRACT, vec![one_move])),
    ];
    let ids = transactions.iter().map(|tx| prefixed(tx.id())).collect();
    let mut chain = chain();
    let genesis = chain.genesis().id.hash;
    let block = chain.extend(genesis, START, transactions).unwrap();
    let mut view = View::new(&chain);
    view.set_head(&chain, block.id.hash);
    let params = json!([prefixed(block.id.hash), {"tracer": "callTracer"}]);
    let world = World { chain, view };
    (world.call("debug_traceBlockByHash", params).unwrap(), ids)
}

/// A frame as text: type, from, to, value, error.
fn line(frame: &Value) -> String {
    let text = |name: &str| frame[name].as_str().unwrap_or("-").to_owned();
    let account = |name| text(name)[..4].to_owned();
    let (kind, from, to) = (text("type"), account("from"), account("to"));
    format!("{kind} {from} {to} {} {}", text("value"), text("error"))
}

#[test]
fn traces_show_roots_and_inner_frames() {
    let mut sender = Sender::new(CHAIN_ID, 1);
    let (traces, ids) = traced(&mut sender);
    let traces = traces.as_array().unwrap();
    let hashes: Vec<&str> = traces
        .iter()
        .map(|one| one["txHash"].as_str().unwrap())
        .collect();
    assert_eq!(hashes, ids);
    let mut lines = Vec::new();
    let mut open: Vec<&Value> = traces.iter().rev().map(|one| &one["result"]).collect();
    while let Some(frame) = open.pop() {
        lines.push(line(frame));
        open.extend(frame["calls"].as_array().into_iter().flatten().rev());
    }
    let me = &hex::encode_prefixed(sender.address())[..4];
    let created = Address::from(sender.address()).create(2);
    let created = &hex::encode_prefixed(created)[..4];
    assert_eq!(
        lines,
        [
            format!("CALL {me} 0x5a 0x5 -"),
            format!("CALL {me} 0xcc 0x6 -"),
            "CALL 0xcc 0x5a 0x1 execution reverted".to_owned(),
            "DELEGATECALL 0xcc 0x0b 0x2 -".to_owned(),
            "CALL 0xcc 0x5a 0x3 -".to_owned(),
            "STATICCALL 0xcc 0xd1 - -".to_owned(),
            format!("CREATE {me} {created} 0x7 execution reverted"),
            format!("CALL {me} 0xcc 0x0 -"),
            "CALL 0xcc 0xc1 0x0 -".to_owned(),
        ]
    );
}

#[test]
fn an_account_has_what_the_branch_below_a_block_gave_it() {
    let mut chain = chain();
    let mut sender = Sender::new(CHAIN_ID, 1);
    let genesis = chain.genesis().id.hash;
    let mut pays = |to: [u8; 20], wei: u64| vec![sender.sign(Intent::ether(to, units(wei)))];
    let first = chain.extend(genesis, START, pays(OTHER, 5)).unwrap();
    let withdrawn = Contents {
        transactions: Vec::new(),
        withdrawals: vec![(OTHER, 1)],
    };
    let second = chain.extend(first.id.hash, START, withdrawn).unwrap();
    let left = chain.extend(first.id.hash, START, pays(OTHER, 7)).unwrap();
    let left = chain.extend(left.id.hash, START, pays(OTHER, 8)).unwrap();
    let mut view = View::new(&chain);
    view.set_head(&chain, left.id.hash);
    view.set_head(&chain, second.id.hash);
    let world = World { chain, view };
    for (block, has) in [
        (genesis, "0x0"),
        (first.id.hash, "0x5"),
        (second.id.hash, "0x3b9aca05"),
        (left.id.hash, "0x14"),
    ] {
        let params = json!([hex::encode_prefixed(OTHER), {"blockHash": prefixed(block)}]);
        assert_eq!(
            world.call("eth_getBalance", params),
            Ok(json!(has)),
            "{block}"
        );
    }
}
