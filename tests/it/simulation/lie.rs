//! A node that does not say what is: one method's answers are changed on the way.

use super::world::Which;
use bitcoin::{
    Block,
    consensus::encode::{deserialize, deserialize_hex, serialize, serialize_hex},
};
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
    /// Which part of the answer (RFC 6901); empty for the whole. `*` is the first element in
    /// which there is something.
    pub part: String,
    /// What stands there instead.
    pub says: Says,
    /// Whether an answer was changed so far.
    pub told: bool,
}

/// How a part of an answer is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Says {
    /// This stands there.
    Value(Value),
    /// Its last digit is another one.
    OtherEnd,
    /// Something stands there twice: of a list its first element, of a block of Bitcoin its last
    /// transaction, which need not change the merkle root.
    Twice,
}

/// What a node may withhold, change or invent without being believed: which method of which chain,
/// which part of the answer, and what stands there.
const LIES: [(Which, &str, &str, &str); 23] = [
    (Which::Bitcoin, "getblock", "", OTHER_END),
    (Which::Bitcoin, "getblock", "", TWICE),
    (Which::Bitcoin, "getblock", "", "null"),
    (Which::Bitcoin, "getblockheader", "", OTHER_END),
    (Which::Bitcoin, "getblockhash", "", OTHER_END),
    (Which::Bitcoin, "getblockhash", "", "null"),
    (Which::Bitcoin, "getrawtransaction", "", OTHER_END),
    (Which::Bitcoin, "getrawtransaction", "", "null"),
    (Which::Bitcoin, "getrawmempool", "", "null"),
    (Which::Bitcoin, "getrawmempool", "", TWICE),
    (Which::Bitcoin, "getrawmempool", "/0", OTHER_END),
    (Which::Ethereum, "eth_getBlockReceipts", "", "[]"),
    (Which::Ethereum, "eth_getBlockReceipts", "", TWICE),
    (Which::Ethereum, "eth_getBlockReceipts", "", "null"),
    (
        Which::Ethereum,
        "eth_getBlockReceipts",
        "/0/status",
        "\"0x0\"",
    ),
    (Which::Ethereum, "eth_getBlockReceipts", "/*/logs", "[]"),
    (Which::Ethereum, "eth_getBlockReceipts", "/*/logs", TWICE),
    (
        Which::Ethereum,
        "eth_getBlockReceipts",
        "/*/logs/0/data",
        OTHER_END,
    ),
    (Which::Ethereum, "eth_getBlockByHash", "/transactions", "[]"),
    (
        Which::Ethereum,
        "eth_getBlockByHash",
        "/transactions",
        TWICE,
    ),
    (
        Which::Ethereum,
        "eth_getBlockByHash",
        "/transactions/0/to",
        OTHER_END,
    ),
    (Which::Ethereum, "eth_getBlockByHash", "", "null"),
    (Which::Ethereum, "eth_getBlockByNumber", "/hash", OTHER_END),
];
const OTHER_END: &str = "ends otherwise";
const TWICE: &str = "stands twice";

/// Every lie, as the coverage names it.
pub fn names() -> impl Iterator<Item = String> {
    LIES.iter()
        .map(|(_, method, part, says)| name(method, part, says))
}

fn name(method: &str, part: &str, says: &str) -> String {
    format!("lie {method}{part}: {says}")
}

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
            says: match says {
                OTHER_END => Says::OtherEnd,
                TWICE => Says::Twice,
                text => Says::Value(serde_json::from_str(text).unwrap()),
            },
            told: false,
        }
    }

    /// As the coverage names it.
    pub fn name(&self) -> String {
        let value;
        let says = match &self.says {
            Says::OtherEnd => OTHER_END,
            Says::Twice => TWICE,
            Says::Value(says) => {
                value = says.to_string();
                &value
            }
        };
        name(&self.method, &self.part, says)
    }

    /// Changes what the answers to these calls say.
    pub fn spoil(&mut self, request: &HttpRequest, response: &mut HttpResponse) {
        self.told |= match &request.verb {
            Verb::Post(body) => self.spoil_calls(body, response),
            Verb::Get if self.method == "getblock" && request.path.starts_with("/rest/block/") => {
                self.spoil_body(response)
            }
            Verb::Get => false,
        };
    }

    /// Whether an answer is another one now.
    fn spoil_calls(&self, body: &[u8], response: &mut HttpResponse) -> bool {
        let asked: Value = serde_json::from_slice(body).unwrap();
        let mut answer: Value = serde_json::from_slice(&response.body).unwrap();
        let calls = asked.as_array().cloned();
        let calls = calls.unwrap_or_else(|| vec![asked]);
        let before = answer.clone();
        for call in calls {
            let call: Call = serde_json::from_value(call).unwrap();
            if call.method == self.method && call.params.to_string().contains(&self.about) {
                self.spoil_one(&call.id, &mut answer);
            }
        }
        let spoilt = answer != before;
        if spoilt {
            response.body = serde_json::to_vec(&answer).unwrap();
        }
        spoilt
    }

    /// A block of Bitcoin that comes as it is; whether it is another one now.
    fn spoil_body(&self, response: &mut HttpResponse) -> bool {
        let is_there = response.status == 200;
        if is_there {
            match &self.says {
                Says::Value(_) => *response = HttpResponse::with_status(404, "not found"),
                Says::OtherEnd => *response.body.last_mut().unwrap() ^= 1,
                Says::Twice => {
                    response.body = serialize(&longer(deserialize(&response.body).unwrap()));
                }
            }
        }
        is_there
    }

    fn spoil_one(&self, id: &Value, answer: &mut Value) {
        let of_call = |one: &&mut Value| one["id"] == *id;
        let one = if answer.is_array() {
            answer.as_array_mut().unwrap().iter_mut().find(of_call)
        } else {
            Some(answer)
        };
        let result = one.and_then(|one| one.get_mut("result"));
        let Some(part) = result.and_then(|result| part_of(result, &self.part)) else {
            return;
        };
        match (&self.says, &mut *part) {
            (Says::Value(value), _) => *part = value.clone(),
            (Says::OtherEnd, Value::String(text)) => *part = other_end(text).into(),
            (Says::Twice, Value::String(text)) => {
                *part = serialize_hex(&longer(deserialize_hex(text).unwrap())).into();
            }
            (Says::Twice, Value::Array(list)) => list.extend(list.first().cloned()),
            (Says::OtherEnd, _) => *part = Value::Null,
            (Says::Twice, _) => {}
        }
    }
}

fn part_of<'a>(answer: &'a mut Value, part: &str) -> Option<&'a mut Value> {
    let Some((list, part)) = part.split_once("/*") else {
        return answer.pointer_mut(part);
    };
    let list = answer.pointer_mut(list)?.as_array_mut()?;
    let says_something = |part: &&mut Value| part.as_array().is_none_or(|all| !all.is_empty());
    let mut parts = list.iter_mut().filter_map(|one| one.pointer_mut(part));
    parts.find(says_something)
}

/// The block with its last transaction twice.
fn longer(mut block: Block) -> Block {
    block.txdata.extend(block.txdata.last().cloned());
    block
}

/// The text with another last digit.
fn other_end(text: &str) -> String {
    let mut text = text.to_owned();
    let last = text.pop();
    text.push(if last == Some('0') { '1' } else { '0' });
    text
}
