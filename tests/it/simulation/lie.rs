//! A node that does not say what is: one method's answers are changed on the way.

use super::world::Which;
use confirmd::{
    chain::rpc::{HttpRequest, HttpResponse, Verb},
    random::Random,
};
use serde::Deserialize;
use serde_json::Value;

/// What becomes of the answers of a method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lie {
    pub method: String,
    /// Only calls whose parameters hold this text; empty for all.
    pub about: String,
    /// Which part of the answer (RFC 6901); empty for the whole.
    pub part: String,
    /// What stands there instead; `None` is another last digit.
    pub says: Option<Value>,
}

/// What a node may withhold or change without being believed: which method of which chain, which
/// part of the answer, and what stands there.
const LIES: [(Which, &str, &str, Option<&str>); 16] = [
    (Which::Bitcoin, "getblock", "", None),
    (Which::Bitcoin, "getblock", "", Some("null")),
    (Which::Bitcoin, "getblockheader", "", None),
    (Which::Bitcoin, "getblockhash", "", Some("null")),
    (Which::Bitcoin, "getrawtransaction", "", None),
    (Which::Bitcoin, "getrawtransaction", "", Some("null")),
    (Which::Bitcoin, "getrawmempool", "", Some("null")),
    (Which::Ethereum, "eth_getBlockReceipts", "", Some("[]")),
    (Which::Ethereum, "eth_getBlockReceipts", "", Some("null")),
    (
        Which::Ethereum,
        "eth_getBlockReceipts",
        "/0/status",
        Some("\"0x1\""),
    ),
    (
        Which::Ethereum,
        "eth_getBlockReceipts",
        "/0/logs",
        Some("[]"),
    ),
    (
        Which::Ethereum,
        "eth_getBlockReceipts",
        "/0/logs/0/data",
        None,
    ),
    (
        Which::Ethereum,
        "eth_getBlockByHash",
        "/transactions",
        Some("[]"),
    ),
    (
        Which::Ethereum,
        "eth_getBlockByHash",
        "/transactions/0/to",
        None,
    ),
    (Which::Ethereum, "eth_getBlockByHash", "", Some("null")),
    (Which::Ethereum, "eth_getBlockByNumber", "/hash", None),
];

#[derive(Deserialize)]
struct Call {
    id: Value,
    method: String,
    #[serde(default)]
    params: Value,
}

impl Lie {
    /// One of those that a node of this chain may tell.
    pub fn draw(which: Which, random: &mut Random) -> Self {
        let own: Vec<_> = LIES.iter().filter(|lie| lie.0 == which).collect();
        let (_, method, part, says) = **random.pick(&own).unwrap();
        Self {
            method: method.to_owned(),
            about: String::new(),
            part: part.to_owned(),
            says: says.map(|text| serde_json::from_str(text).unwrap()),
        }
    }

    /// Changes what the answers to these calls say.
    pub fn spoil(&self, request: &HttpRequest, response: &mut HttpResponse) {
        let Verb::Post(body) = &request.verb else {
            return;
        };
        let asked: Value = serde_json::from_slice(body).unwrap();
        let mut answer: Value = serde_json::from_slice(&response.body).unwrap();
        let calls = asked.as_array().cloned();
        let calls = calls.unwrap_or_else(|| vec![asked]);
        for call in calls {
            let call: Call = serde_json::from_value(call).unwrap();
            if call.method == self.method && call.params.to_string().contains(&self.about) {
                self.spoil_one(&call.id, &mut answer);
            }
        }
        response.body = serde_json::to_vec(&answer).unwrap();
    }

    fn spoil_one(&self, id: &Value, answer: &mut Value) {
        let of_call = |one: &&mut Value| one["id"] == *id;
        let one = if answer.is_array() {
            answer.as_array_mut().unwrap().iter_mut().find(of_call)
        } else {
            Some(answer)
        };
        let Some(part) = one.and_then(|one| one["result"].pointer_mut(&self.part)) else {
            return;
        };
        *part = match (&self.says, part.as_str()) {
            (Some(value), _) => value.clone(),
            (None, Some(text)) => other_end(text).into(),
            (None, None) => Value::Null,
        };
    }
}

/// The text with another last digit.
fn other_end(text: &str) -> String {
    let mut text = text.to_owned();
    let last = text.pop();
    text.push(if last == Some('0') { '1' } else { '0' });
    text
}
