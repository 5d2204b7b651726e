//! What one operator of several does that the others do not: it is away, asks not to be asked, believes
//! another chain, or says what is not.

use super::{lie::Lie, wire::Weather};
use confirmd::{
    chain::rpc::{HttpRequest, HttpResponse, Verb},
    random::Random,
};
use serde_json::{Value, json};

const TRACE: &str = "debug_traceBlockByHash";
const BALANCE: &str = "eth_getBalance";
/// Longer than anybody waits for a trace, or much shorter.
const LATE_MS: u64 = 90_000;

/// How one operator is not as it should be.
#[derive(Debug, Clone)]
pub enum How {
    /// Nobody answers the door.
    Away,
    /// It answers now and then, and mostly that it is asked too much.
    Limits,
    /// It stands still.
    Behind,
    /// It shows a branch of its own.
    Branch,
    /// The same while all others are away.
    Alone,
    /// It changes what it says of blocks.
    Lies(Lie),
    /// It does not trace any more.
    RefusesTraces,
    /// Its traces come late.
    LateTraces,
    /// It invents what contracts paid, to these among others, or leaves it out.
    WrongTraces(Vec<Victim>),
    /// Accounts have more with it than they have, or nothing.
    WrongBalances,
}

/// An account that is to be paid so much.
pub type Victim = ([u8; 20], u64);

/// Who does so, and how often it made a difference.
#[derive(Debug)]
pub struct Misconduct {
    pub operator: &'static str,
    pub how: How,
    pub random: Random,
    pub times: u64,
}

/// What becomes of an exchange with an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Nothing special.
    Usual,
    Unreachable,
    /// "Too many requests", and how long to wait, in seconds.
    Limited(Option<u64>),
    /// So many milliseconds later.
    Late(u64),
}

impl Misconduct {
    /// What becomes of this exchange with an operator.
    pub fn turn(&mut self, operator: &str, request: &HttpRequest) -> Turn {
        let is_it = operator == self.operator;
        let turn = match &self.how {
            How::Away if is_it => Turn::Unreachable,
            How::Alone if !is_it => Turn::Unreachable,
            How::Limits if is_it && self.random.chance(800) => {
                let secs = self.random.between(1, 120);
                Turn::Limited(self.random.chance(500).then_some(secs))
            }
            How::LateTraces if is_it && asks(request, TRACE) => {
                Turn::Late(self.random.between(1_000, LATE_MS))
            }
            How::Away
            | How::Limits
            | How::Behind
            | How::Branch
            | How::Alone
            | How::Lies(_)
            | How::RefusesTraces
            | How::LateTraces
            | How::WrongTraces(_)
            | How::WrongBalances => Turn::Usual,
        };
        self.times += u64::from(turn != Turn::Usual);
        turn
    }

    /// Whether the operator answers by what it alone believes.
    pub fn is_apart(&mut self, operator: &str) -> bool {
        let is_apart =
            operator == self.operator && matches!(self.how, How::Behind | How::Branch | How::Alone);
        self.times += u64::from(is_apart);
        is_apart
    }

    /// Changes what an operator answers. In bad weather nobody lies about what only others can disprove: one
    /// operator at a time is at fault.
    pub fn spoil(
        &mut self,
        operator: &str,
        weather: Weather,
        request: &HttpRequest,
        response: &mut HttpResponse,
    ) {
        if operator != self.operator {
            return;
        }
        let is_fair = weather == Weather::Fair;
        let random = &mut self.random;
        let spoilt = match &mut self.how {
            How::Lies(lie) => {
                lie.spoil(request, response);
                std::mem::take(&mut lie.told)
            }
            How::RefusesTraces => change(request, response, TRACE, |answer| {
                refuse(answer, -32_601, "the method does not exist");
                true
            }),
            How::WrongTraces(victims) if is_fair => change(request, response, TRACE, |answer| {
                forge(&mut answer["result"], victims, random)
            }),
            How::WrongBalances if is_fair => change(request, response, BALANCE, |answer| {
                let invented = json!("0xde0b6b3a7640000");
                let says = [json!("0x0"), invented];
                answer["result"] = random.pick(&says).unwrap().clone();
                true
            }),
            How::Away
            | How::Limits
            | How::Behind
            | How::Branch
            | How::Alone
            | How::LateTraces
            | How::WrongTraces(_)
            | How::WrongBalances => false,
        };
        self.times += u64::from(spoilt);
    }

    /// Whether it stands between the daemon and the others.
    pub const fn is_hard(&self) -> bool {
        matches!(self.how, How::Alone)
    }
}

/// How traces come from all who tell any.
#[derive(Debug)]
pub enum Traces {
    AsTheyShould,
    Late(Random),
    /// Each node has its own way to say no.
    Refused(i64),
}

impl Traces {
    /// How much later an answer comes.
    pub fn late_ms(&mut self, request: &HttpRequest) -> u64 {
        match self {
            Self::Late(random) if asks(request, TRACE) => random.between(1_000, LATE_MS),
            Self::Late(_) | Self::AsTheyShould | Self::Refused(_) => 0,
        }
    }

    /// Whether this answer became a refusal.
    pub fn refuse(&self, request: &HttpRequest, response: &mut HttpResponse) -> bool {
        let Self::Refused(code) = self else {
            return false;
        };
        change(request, response, TRACE, |answer| {
            refuse(answer, *code, "execution timeout");
            true
        })
    }
}

/// Whether a request calls this method.
fn asks(request: &HttpRequest, method: &str) -> bool {
    let Verb::Post(body) = &request.verb else {
        return false;
    };
    let (name, quoted) = (body.as_slice(), format!("\"{method}\""));
    name.windows(quoted.len())
        .any(|part| part == quoted.as_bytes())
}

/// Does this with each answer to a call of this method; whether any is another one now.
fn change(
    request: &HttpRequest,
    response: &mut HttpResponse,
    method: &str,
    mut with: impl FnMut(&mut Value) -> bool,
) -> bool {
    let Verb::Post(body) = &request.verb else {
        return false;
    };
    if !asks(request, method) {
        return false;
    }
    let asked: Value = serde_json::from_slice(body).unwrap();
    let Ok(mut said) = serde_json::from_slice::<Value>(&response.body) else {
        return false;
    };
    let calls = asked.as_array().cloned().unwrap_or_else(|| vec![asked]);
    let ids = calls.iter().filter(|call| call["method"] == method);
    let ids: Vec<&Value> = ids.map(|call| &call["id"]).collect();
    let answers = if said.is_array() {
        said.as_array_mut().unwrap().as_mut_slice()
    } else {
        std::slice::from_mut(&mut said)
    };
    let mut changed = false;
    for answer in answers {
        if ids.contains(&&answer["id"]) && answer.get("result").is_some() {
            changed |= with(answer);
        }
    }
    if changed {
        response.body = serde_json::to_vec(&said).unwrap();
    }
    changed
}

fn refuse(answer: &mut Value, code: i64, words: &str) {
    *answer = json!({
        "jsonrpc": "2.0",
        "id": answer["id"],
        "error": {"code": code, "message": words},
    });
}

/// Changes what the traces of a block say; whether they are others now.
fn forge(traces: &mut Value, victims: &[Victim], random: &mut Random) -> bool {
    let Some(traces) = traces.as_array_mut().filter(|traces| !traces.is_empty()) else {
        return false;
    };
    let count = u64::try_from(traces.len()).unwrap();
    let one = usize::try_from(random.below(count)).unwrap();
    if random.chance(500) {
        let Some((to, amount)) = random.pick(victims) else {
            return false;
        };
        invent(&mut traces[one]["result"], *to, *amount);
        return true;
    }
    let has_calls = |trace: &&mut Value| trace["result"].get("calls").is_some();
    let Some(trace) = traces.iter_mut().find(has_calls) else {
        return false;
    };
    if random.chance(500) {
        trace["result"]["calls"] = json!([]);
    } else {
        trace["result"]["calls"][0]["value"] = json!("0x1");
    }
    true
}

/// A contract is said to have paid this, too.
fn invent(root: &mut Value, to: [u8; 20], amount: u64) {
    let call = json!({
        "type": "CALL",
        "from": root["to"],
        "to": alloy_primitives::hex::encode_prefixed(to),
        "value": format!("{amount:#x}"),
        "gas": "0x0",
        "gasUsed": "0x0",
        "input": "0x",
    });
    match root.get_mut("calls").and_then(Value::as_array_mut) {
        Some(calls) => calls.push(call),
        None => root["calls"] = json!([call]),
    }
}
