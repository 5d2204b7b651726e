//! JSON-RPC 2.0 requests and answers as bytes; pure.
//!
//! Nothing that a node sends is believed before its id matches what was asked.

use super::error::RpcError;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{IgnoredAny, SeqAccess, Visitor},
};
use serde_json::{Value, value::RawValue};
use std::{fmt, ops::Range};

/// One call: a method and its parameters.
#[derive(Debug, Clone)]
pub struct Call {
    /// The method's name.
    pub method: &'static str,
    /// A JSON array.
    pub params: Value,
}

impl Call {
    /// A call of `method` with `params`, a JSON array.
    #[must_use]
    pub const fn new(method: &'static str, params: Value) -> Self {
        Self { method, params }
    }
}

#[derive(Serialize)]
struct Request<'a> {
    jsonrpc: &'static str,
    id: u64,
    method: &'static str,
    params: &'a Value,
}

impl<'a> Request<'a> {
    const fn new(id: u64, call: &'a Call) -> Self {
        Self {
            jsonrpc: "2.0",
            id,
            method: call.method,
            params: &call.params,
        }
    }
}

/// The body that asks one thing.
pub(super) fn encode(id: u64, call: &Call) -> Result<Vec<u8>, RpcError> {
    to_body(&Request::new(id, call))
}

/// The body that asks many things, with ascending ids from `first_id`.
pub(super) fn encode_batch(first_id: u64, calls: &[Call]) -> Result<Vec<u8>, RpcError> {
    let requests: Vec<Request<'_>> = (first_id..)
        .zip(calls)
        .map(|(id, call)| Request::new(id, call))
        .collect();
    to_body(&requests)
}

fn to_body(value: &impl Serialize) -> Result<Vec<u8>, RpcError> {
    serde_json::to_vec(value).map_err(|error| RpcError::Malformed(error.to_string()))
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(default)]
    id: Option<u64>,
    #[serde(default, borrow, deserialize_with = "even_null")]
    result: Option<&'a RawValue>,
    #[serde(default)]
    error: Option<ErrorObject>,
}

#[derive(Deserialize, Clone)]
struct ErrorObject {
    code: i64,
    #[serde(default)]
    message: String,
}

/// A result that is present, though it may be `null`.
fn even_null<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl From<ErrorObject> for RpcError {
    fn from(error: ErrorObject) -> Self {
        Self::Node {
            code: error.code,
            message: error.message,
        }
    }
}

impl<'a> Answer<'a> {
    fn outcome(self) -> Result<&'a RawValue, RpcError> {
        match (self.error, self.result) {
            (Some(error), _) => Err(error.into()),
            (None, Some(result)) => Ok(result),
            (None, None) => Err(RpcError::Malformed("neither result nor error".into())),
        }
    }
}

/// The result in the answer to call `id`.
///
/// # Errors
/// The node's own error, also with a null id (which is how a node refuses what it could not
/// read), or `Malformed`.
pub(super) fn decode(id: u64, body: &[u8]) -> Result<&RawValue, RpcError> {
    let answer: Answer<'_> = from_body(body)?;
    if answer.id == Some(id) || (answer.id.is_none() && answer.error.is_some()) {
        answer.outcome()
    } else {
        Err(RpcError::Malformed(
            "the answer's id is not the call's".into(),
        ))
    }
}

/// The outcomes of the calls with these ids, in that order, whatever order they came in.
///
/// # Errors
/// For the batch as a whole: a single error object, no list, an unknown id or one twice. A call
/// without an answer is an error of that call alone.
pub(super) fn decode_batch(
    ids: Range<u64>,
    body: &[u8],
) -> Result<Vec<Result<&RawValue, RpcError>>, RpcError> {
    if first_byte(body) == Some(b'{') {
        decode(ids.start, body)?;
        return Err(RpcError::Malformed("one answer to a batch".into()));
    }
    let mut slots: Vec<_> = ids.clone().map(|_| None).collect();
    let Answers { kept, is_cut } = answers(body, slots.len())?;
    let mut refusal = None;
    for answer in kept {
        match answer.id {
            None => refusal = answer.error.or(refusal),
            Some(id) => fill(&mut slots, id.checked_sub(ids.start), answer)?,
        }
    }
    if is_cut {
        return Err(RpcError::Malformed("more answers than calls".into()));
    }
    let unanswered = || match refusal.clone() {
        Some(error) => error.into(),
        None => RpcError::Malformed("a call of the batch has no answer".into()),
    };
    Ok(slots
        .into_iter()
        .map(|slot| slot.unwrap_or_else(|| Err(unanswered())))
        .collect())
}

/// Answers to a batch, no more than are of use.
struct Answers<'a> {
    kept: Vec<Answer<'a>>,
    is_cut: bool,
}

/// Reads a list of answers but keeps at most `limit`: one of two bytes, `{}`, takes many in
/// memory.
fn answers(body: &[u8], limit: usize) -> Result<Answers<'_>, RpcError> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let answers = deserializer.deserialize_seq(UpTo(limit));
    answers
        .and_then(|answers| deserializer.end().map(|()| answers))
        .map_err(|error| RpcError::Malformed(describe(body, &error)))
}

struct UpTo(usize);

impl<'de> Visitor<'de> for UpTo {
    type Value = Answers<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of answers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut kept = Vec::new();
        while kept.len() < self.0 {
            match list.next_element()? {
                Some(answer) => kept.push(answer),
                None => break,
            }
        }
        let mut is_cut = false;
        while list.next_element::<IgnoredAny>()?.is_some() {
            is_cut = true;
        }
        Ok(Answers { kept, is_cut })
    }
}

type Slot<'a> = Option<Result<&'a RawValue, RpcError>>;

fn fill<'a>(
    slots: &mut [Slot<'a>],
    place: Option<u64>,
    answer: Answer<'a>,
) -> Result<(), RpcError> {
    let slot = place
        .and_then(|place| usize::try_from(place).ok())
        .and_then(|place| slots.get_mut(place))
        .ok_or_else(|| RpcError::Malformed("an answer with an id that was not asked".into()))?;
    if slot.replace(answer.outcome()).is_some() {
        return Err(RpcError::Malformed("two answers with one id".into()));
    }
    Ok(())
}

fn from_body<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, RpcError> {
    serde_json::from_slice(body).map_err(|error| RpcError::Malformed(describe(body, &error)))
}

/// What is wrong with a body, without repeating what it says.
fn describe(body: &[u8], error: &serde_json::Error) -> String {
    match first_byte(body) {
        None => "an empty answer".into(),
        Some(b'{' | b'[') => format!(
            "no JSON-RPC answer: {:?} error at line {} column {}",
            error.classify(),
            error.line(),
            error.column()
        ),
        Some(b'<') => "HTML instead of a JSON-RPC answer".into(),
        Some(_) => "no JSON-RPC answer".into(),
    }
}

fn first_byte(body: &[u8]) -> Option<u8> {
    body.iter()
        .copied()
        .find(|byte| !byte.is_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(body: &str) -> String {
        match decode(7, body.as_bytes()) {
            Ok(raw) => format!("ok {}", raw.get()),
            Err(error) => format!("{} {error}", error.outcome()),
        }
    }

    fn many(body: &str) -> String {
        match decode_batch(7..9, body.as_bytes()) {
            Ok(slots) => slots
                .into_iter()
                .map(|slot| match slot {
                    Ok(raw) => format!("ok {}", raw.get()),
                    Err(error) => error.outcome().to_owned(),
                })
                .collect::<Vec<_>>()
                .join(", "),
            Err(error) => format!("{} {error}", error.outcome()),
        }
    }

    #[test]
    fn requests_are_json_rpc_2() {
        let call = Call::new("getblockhash", serde_json::json!([5]));
        let text = |body: Result<Vec<u8>, RpcError>| String::from_utf8(body.unwrap()).unwrap();
        let one = r#"{"jsonrpc":"2.0","id":3,"method":"getblockhash","params":[5]}"#;
        assert_eq!(text(encode(3, &call)), one);
        assert_eq!(text(encode_batch(3, &[call])), format!("[{one}]"));
    }

    // shows: P5
    #[test]
    fn an_answer_is_believed_only_when_it_is_the_answer() {
        for (body, expected) in [
            (r#"{"id":7,"result":5}"#, "ok 5"),
            (r#"{"id":7,"result":null}"#, "ok null"),
            (r#"{"id":7,"result":5,"error":null}"#, "ok 5"),
            (
                r#"{"id":7,"result":null,"error":{"code":-5,"message":"no"}}"#,
                "error no (code -5)",
            ),
            (
                r#"{"id":null,"error":{"code":-32700,"message":"x"}}"#,
                "error x (code -32700)",
            ),
            (r#"{"id":7}"#, "malformed neither result nor error"),
            (
                r#"{"id":8,"result":5}"#,
                "malformed the answer's id is not the call's",
            ),
            (
                r#"{"result":5}"#,
                "malformed the answer's id is not the call's",
            ),
            (
                r#"{"id":8,"error":{"code":1,"message":"x"}}"#,
                "malformed the answer's id is not the call's",
            ),
            (" ", "malformed an empty answer"),
            ("<html>", "malformed HTML instead of a JSON-RPC answer"),
            ("\u{feff}{}", "malformed no JSON-RPC answer"),
            (
                r#"{"id":7,"result":5}x"#,
                "malformed no JSON-RPC answer: Syntax error at line 1 column 20",
            ),
            (
                r#"{"id":7,"id":7,"result":5}"#,
                "malformed no JSON-RPC answer: Data error at line 1 column 12",
            ),
            (
                r#"{"id":7,"result":NaN}"#,
                "malformed no JSON-RPC answer: Syntax error at line 1 column 18",
            ),
            (
                r#"{"id":"7","result":5}"#,
                "malformed no JSON-RPC answer: Data error at line 1 column 9",
            ),
        ] {
            assert_eq!(one(body), expected, "{body}");
        }
    }

    // shows: P5
    #[test]
    fn a_batch_is_put_in_order_and_nothing_foreign_is_taken() {
        for (body, expected) in [
            (r#"[{"id":7,"result":1},{"id":8,"result":2}]"#, "ok 1, ok 2"),
            (r#"[{"id":8,"result":2},{"id":7,"result":1}]"#, "ok 1, ok 2"),
            (
                r#"[{"id":8,"error":{"code":1}},{"id":7,"result":1}]"#,
                "ok 1, error",
            ),
            (r#"[{"id":8,"result":2}]"#, "malformed, ok 2"),
            (
                r#"[{"id":8,"result":2},{"id":null,"error":{"code":1}}]"#,
                "error, ok 2",
            ),
            ("[]", "malformed, malformed"),
            (
                r#"[{"id":7,"result":1},{"id":7,"result":1},{"id":8,"result":2}]"#,
                "malformed two answers with one id",
            ),
            (
                r#"[{"id":7,"result":1},{"id":8,"result":2},{"id":9,"result":2}]"#,
                "malformed more answers than calls",
            ),
            (
                r#"[{"id":7,"result":1},{"id":8,"result":2},{},0]"#,
                "malformed more answers than calls",
            ),
            (
                r#"[{"id":7,"result":1},{"id":8,"result":2}]x"#,
                "malformed no JSON-RPC answer: Syntax error at line 1 column 42",
            ),
            (
                r#"[{"id":6,"result":1}]"#,
                "malformed an answer with an id that was not asked",
            ),
            (r#"{"id":7,"result":1}"#, "malformed one answer to a batch"),
            (
                r#"{"id":null,"error":{"code":-1,"message":"no"}}"#,
                "error no (code -1)",
            ),
            (
                "[1,2]",
                "malformed no JSON-RPC answer: Data error at line 1 column 2",
            ),
        ] {
            assert_eq!(many(body), expected, "{body}");
        }
    }

    #[test]
    fn no_more_answers_are_kept_than_there_were_calls() {
        let body = format!("[{}{{}}]", "{},".repeat(1000));
        let Answers { kept, is_cut } = answers(body.as_bytes(), 2).unwrap();
        assert_eq!((kept.len(), is_cut), (2, true));
    }

    // shows: P5
    #[test]
    fn deep_json_neither_overflows_the_stack_nor_parses() {
        let deep = format!(
            r#"{{"id":7,"result":{}{}}}"#,
            "[".repeat(1_000_000),
            "]".repeat(1_000_000)
        );
        let raw = decode(7, deep.as_bytes()).unwrap();
        assert!(serde_json::from_str::<Value>(raw.get()).is_err());
    }
}
