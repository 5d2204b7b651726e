//! Answers to JSON-RPC calls.

use confirmd::{
    chain::rpc::{Auth, Call, Client, HttpResponse, Limits, MemoryTransport, RpcError, silent},
    clock::SystemClock,
};
use serde_json::{Value, json, value::RawValue};
use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

/// Of the node's own words an error repeats no more than this, and what we say about them.
const MAX_CHARS: usize = 400;

/// The password with which is signed in; in no error, though a node repeats it.
const CANARY: &str = "canary-password";

/// Statuses that mean different things.
const STATUSES: [u16; 7] = [200, 302, 401, 403, 429, 500, 503];

/// The answer to one call. What is believed stands in it beside the call's id.
pub fn rpc_answer(data: &[u8]) -> bool {
    let mut believed = false;
    for status in STATUSES {
        let client = client(status, data);
        let result = now(client.call::<Value>("method", json!([]), Limits::ANSWER));
        match result {
            Ok(result) => {
                believed = true;
                assert_eq!(status, 200);
                // Deeper JSON is read, and is no value.
                if let Ok(answer) = serde_json::from_slice::<Value>(data) {
                    assert_eq!((&answer["id"], &answer["result"]), (&json!(1), &result));
                    assert!(answer["error"].is_null());
                }
            }
            Err(error) => check(&error),
        }
    }
    believed
}

/// The answers to three calls. There is one for each, in the calls' order.
pub fn rpc_batch(data: &[u8]) -> bool {
    let mut believed = false;
    let calls = [(); 3].map(|()| Call::new("method", json!([])));
    for status in STATUSES {
        match now(client(status, data).batch(&calls)) {
            Ok(answers) => {
                believed |= answers.iter().any(Result::is_ok);
                check_batch(data, &answers);
            }
            Err(error) => check(&error),
        }
    }
    believed
}

fn check_batch(data: &[u8], answers: &[Result<Box<RawValue>, RpcError>]) {
    assert_eq!(answers.len(), 3);
    let all = serde_json::from_slice::<Vec<Value>>(data).unwrap_or_default();
    for (id, answer) in (1..).zip(answers) {
        let said = all.iter().find(|answer| answer["id"] == id);
        match (answer, said) {
            (Ok(result), Some(said)) => {
                assert_eq!(
                    serde_json::from_str::<Value>(result.get()).unwrap(),
                    said["result"]
                );
            }
            (Ok(_), None) => assert!(all.is_empty(), "nobody said so"),
            (Err(error), _) => check(error),
        }
    }
}

/// It is short, can be printed, and tells no secret.
fn check(error: &RpcError) {
    let shown = error.to_string();
    assert!(shown.chars().count() <= MAX_CHARS, "{shown}");
    assert!(!shown.contains(char::is_control), "{shown:?}");
    assert!(!shown.is_empty());
    assert!(!format!("{shown} {error:?}").contains(CANARY), "{shown}");
}

/// A client of a node that always answers this.
fn client(status: u16, body: &[u8]) -> Client<MemoryTransport> {
    let answer = HttpResponse::with_status(status, body);
    let auth = Auth::Password {
        user: "user".to_owned(),
        password: CANARY.to_owned().into(),
    };
    let node = MemoryTransport::new(move |_| Ok(answer.clone()));
    Client::new("node", node, auth, Arc::new(SystemClock::new()), silent())
}

/// What comes at once, as everything does that is in memory.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("nothing in memory has to be waited for"),
    }
}
