//! JSON-RPC as a node speaks it: from an HTTP request to its answer, single calls and batches.
//!
//! Knows no method. Source: JSON-RPC 2.0; bitcoind answers `POST /` and has its REST interface
//! beside it.

use crate::chain::rpc::{HttpRequest, HttpResponse, Verb};
use serde::{Deserialize, Serialize};
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};

/// JSON-RPC 2.0: the method does not exist.
pub const METHOD_NOT_FOUND: i64 = -32601;
/// JSON-RPC 2.0: the parameters are not what the method takes.
pub const INVALID_PARAMS: i64 = -32602;
/// JSON-RPC 2.0: what came is no request.
const INVALID_REQUEST: i64 = -32600;

/// What a node answers to one call.
pub type Answer = Result<Box<RawValue>, Refusal>;

/// A JSON-RPC error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{message} ({code})")]
pub struct Refusal {
    /// Its code, as the node's documentation names it.
    pub code: i64,
    /// In words.
    pub message: String,
}

impl Refusal {
    /// An error of this code.
    #[must_use]
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// The method does not exist.
    #[must_use]
    pub fn unknown_method() -> Self {
        Self::new(METHOD_NOT_FOUND, "Method not found")
    }
}

/// A simulated node.
pub trait Node {
    /// Answers one call.
    ///
    /// # Errors
    /// As the real node would.
    fn call(&self, method: &str, params: &[Value]) -> Answer;

    /// Answers a GET of this path; bitcoind's REST interface.
    fn get(&self, _path: &str) -> HttpResponse {
        HttpResponse::with_status(404, "not found")
    }
}

/// A value as an answer.
///
/// # Errors
/// When it has no JSON form.
pub fn answer(value: &impl Serialize) -> Answer {
    to_raw_value(value).map_err(|error| Refusal::new(INVALID_REQUEST, error.to_string()))
}

/// The parameter at this place; null when it was left out.
#[must_use]
pub fn param(params: &[Value], at: usize) -> &Value {
    params.get(at).unwrap_or(&Value::Null)
}

#[derive(Deserialize)]
struct Call {
    #[serde(default)]
    id: Value,
    method: String,
    #[serde(default)]
    params: Vec<Value>,
}

#[derive(Serialize)]
struct Reply {
    jsonrpc: &'static str,
    id: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Refusal>,
}

/// A node's whole answer to one exchange.
pub fn respond(node: &impl Node, request: &HttpRequest) -> HttpResponse {
    let body = match &request.verb {
        Verb::Get => return node.get(&request.path),
        Verb::Post(body) => body,
    };
    let text = match serde_json::from_slice(body) {
        Ok(Value::Array(calls)) => {
            let replies: Vec<Reply> = calls.into_iter().map(|call| reply(node, call)).collect();
            serde_json::to_vec(&replies)
        }
        Ok(call) => serde_json::to_vec(&reply(node, call)),
        Err(error) => return HttpResponse::with_status(400, error.to_string()),
    };
    text.map_or_else(
        |error| HttpResponse::with_status(500, error.to_string()),
        HttpResponse::ok,
    )
}

fn reply(node: &impl Node, call: Value) -> Reply {
    let (id, answer) = match serde_json::from_value::<Call>(call) {
        Ok(call) => (call.id, node.call(&call.method, &call.params)),
        Err(error) => (
            Value::Null,
            Err(Refusal::new(INVALID_REQUEST, error.to_string())),
        ),
    };
    let (result, error) = match answer {
        Ok(result) => (Some(result), None),
        Err(refusal) => (None, Some(refusal)),
    };
    Reply {
        jsonrpc: "2.0",
        id,
        result,
        error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::rpc::Limits;
    use serde_json::json;

    struct Echo;

    impl Node for Echo {
        fn call(&self, method: &str, params: &[Value]) -> Answer {
            match method {
                "echo" => answer(&params),
                _ => Err(Refusal::unknown_method()),
            }
        }
    }

    fn post(body: &str) -> Value {
        let request = HttpRequest {
            verb: Verb::Post(body.into()),
            path: String::new(),
            authorization: None,
            limits: Limits::ANSWER,
        };
        let response = respond(&Echo, &request);
        serde_json::from_slice(&response.body).unwrap_or(json!(response.status))
    }

    #[test]
    fn calls_and_batches_are_answered_with_their_ids() {
        for (asked, said) in [
            (
                r#"{"id": 7, "method": "echo", "params": [1, "a"]}"#,
                json!({"jsonrpc": "2.0", "id": 7, "result": [1, "a"]}),
            ),
            (
                r#"{"id": "x", "method": "sing"}"#,
                json!({"jsonrpc": "2.0", "id": "x",
                       "error": {"code": -32601, "message": "Method not found"}}),
            ),
            (
                r#"[{"id": 1, "method": "echo"}, 5]"#,
                json!([
                    {"jsonrpc": "2.0", "id": 1, "result": []},
                    {"jsonrpc": "2.0", "id": null,
                     "error": {"code": -32600, "message":
                         "invalid type: integer `5`, expected struct Call"}},
                ]),
            ),
            ("no JSON", json!(400)),
        ] {
            assert_eq!(post(asked), said, "{asked}");
        }
    }
}
