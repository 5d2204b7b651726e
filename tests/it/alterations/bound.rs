//! What a block's hash binds, written down by hand from the yellow paper and the EIPs, and what an answer means
//! where it is bound. The daemon's reader knows none of it.

mod unbound;

use alloy_primitives::U256;
use serde_json::{Map, Value, json};

use super::recorded::Kind;
use super::spots::{Object, Spot};
use unbound::{READ_ALL_THE_SAME, UNBOUND};

/// How a bound field is written.
#[derive(Clone, Copy)]
enum Shape {
    /// A number: digits after `0x`, in either case and with any zeros before them.
    Number,
    /// Bytes, each of which counts.
    Bytes,
    /// A list of bytes.
    ListOfBytes,
    /// A list of such objects.
    List(Object),
}

use Shape::{Bytes, List, ListOfBytes, Number};

type Field = (&'static str, Shape);

/// Yellow paper 4.4; EIP-1559, 4895, 4844, 4788, 7685, 7928, 7843. The body's two lists by their roots.
const HEADER: &[Field] = &[
    ("parentHash", Bytes),
    ("sha3Uncles", Bytes),
    ("miner", Bytes),
    ("stateRoot", Bytes),
    ("transactionsRoot", Bytes),
    ("receiptsRoot", Bytes),
    ("logsBloom", Bytes),
    ("difficulty", Number),
    ("number", Number),
    ("gasLimit", Number),
    ("gasUsed", Number),
    ("timestamp", Number),
    ("extraData", Bytes),
    ("mixHash", Bytes),
    ("nonce", Bytes),
    ("baseFeePerGas", Number),
    ("withdrawalsRoot", Bytes),
    ("blobGasUsed", Number),
    ("excessBlobGas", Number),
    ("parentBeaconBlockRoot", Bytes),
    ("requestsHash", Bytes),
    ("blockAccessListHash", Bytes),
    ("slotNumber", Number),
];

const BODY: &[Field] = &[
    ("transactions", List(Object::Transaction)),
    ("withdrawals", List(Object::Withdrawal)),
];

/// Yellow paper 4.3: what every type has.
const EVERY_TRANSACTION: &[Field] = &[
    ("type", Number),
    ("nonce", Number),
    ("gas", Number),
    ("to", Bytes),
    ("value", Number),
    ("input", Bytes),
    ("r", Number),
    ("s", Number),
    // As `meaning_of_transaction` reads it.
    ("parity", Number),
];

const PRICED: &[Field] = &[("gasPrice", Number)];
const NAMING_ITS_CHAIN: &[Field] = &[
    ("chainId", Number),
    ("accessList", List(Object::AccessItem)),
];
const WITH_FEES: &[Field] = &[("maxFeePerGas", Number), ("maxPriorityFeePerGas", Number)];
const WITH_BLOBS: &[Field] = &[
    ("maxFeePerBlobGas", Number),
    ("blobVersionedHashes", ListOfBytes),
];
const WITH_AUTHORIZATIONS: &[Field] = &[("authorizationList", List(Object::Authorization))];

/// EIP-2930.
const ACCESS_ITEM: &[Field] = &[("address", Bytes), ("storageKeys", ListOfBytes)];

/// EIP-7702.
const AUTHORIZATION: &[Field] = &[
    ("chainId", Number),
    ("address", Bytes),
    ("nonce", Number),
    ("yParity", Number),
    ("r", Number),
    ("s", Number),
];

/// EIP-4895.
const WITHDRAWAL: &[Field] = &[
    ("index", Number),
    ("validatorIndex", Number),
    ("address", Bytes),
    ("amount", Number),
];

/// Yellow paper 4.4.1. The bloom and the type are bound too: see [`UNBOUND`].
const RECEIPT: &[Field] = &[
    ("status", Number),
    ("cumulativeGasUsed", Number),
    ("logs", List(Object::Log)),
];

const LOG: &[Field] = &[("address", Bytes), ("topics", ListOfBytes), ("data", Bytes)];

/// Other names under which nodes have written the same.
const SYNONYMS: &[(Object, &str, &str)] = &[
    (Object::Block, "sha3Uncles", "ommersHash"),
    (Object::Block, "miner", "beneficiary"),
    (Object::Transaction, "gas", "gasLimit"),
];

/// Whether the hash binds this field in an answer of this kind, of a transaction of this type.
///
/// # Panics
/// When nobody has written down yet which it is, or both.
pub fn is_bound(kind: Kind, spot: &Spot, tx_type: u64) -> bool {
    let field = spot.field.as_str();
    if field == "receipts" {
        return true;
    }
    // What is beside a header is told with the whole block.
    if kind.is_header() && spot.object == Object::Withdrawal {
        return false;
    }
    if kind.is_header() && spot.object == Object::Block {
        // The claimed hash is what a header is known by from then on, so it must be its own.
        match field {
            "hash" => return true,
            "transactions" | "withdrawals" => return false,
            _ => {}
        }
    }
    let is_parity = match field {
        "v" => spot.object == Object::Transaction && tx_type == 0,
        "yParity" => spot.object == Object::Transaction && tx_type != 0,
        _ => false,
    };
    let fields = fields(kind, spot.object, tx_type);
    let bound = is_parity || fields.iter().any(|(name, _)| *name == field);
    let unbound = UNBOUND
        .iter()
        .any(|(object, name, on, _)| (*object, *name) == (spot.object, field) && on.holds(tx_type));
    assert_ne!(bound, unbound, "{spot:?} must be bound or unbound");
    bound
}

/// Whether a field that is unbound, or that nobody knows, must at least be of the right shape.
pub fn is_read_all_the_same(object: Object, field: &str) -> bool {
    let is_alias = SYNONYMS
        .iter()
        .any(|(of, _, alias)| (*of, *alias) == (object, field));
    is_alias || READ_ALL_THE_SAME.contains(&(object, field))
}

fn fields(kind: Kind, object: Object, tx_type: u64) -> Vec<Field> {
    let parts: &[&[Field]] = match object {
        Object::Block if kind.is_header() => &[HEADER],
        Object::Block => &[HEADER, BODY],
        Object::Transaction => match tx_type {
            0 => &[EVERY_TRANSACTION, PRICED],
            1 => &[EVERY_TRANSACTION, PRICED, NAMING_ITS_CHAIN],
            2 => &[EVERY_TRANSACTION, WITH_FEES, NAMING_ITS_CHAIN],
            3 => &[EVERY_TRANSACTION, WITH_FEES, NAMING_ITS_CHAIN, WITH_BLOBS],
            _ => &[
                EVERY_TRANSACTION,
                WITH_FEES,
                NAMING_ITS_CHAIN,
                WITH_AUTHORIZATIONS,
            ],
        },
        Object::AccessItem => &[ACCESS_ITEM],
        Object::Authorization => &[AUTHORIZATION],
        Object::Withdrawal => &[WITHDRAWAL],
        Object::Receipt => &[RECEIPT],
        Object::Log => &[LOG],
    };
    parts.concat()
}

/// What an answer means as far as the hash binds it: equal for answers that differ in nothing else.
pub fn meaning(kind: Kind, answer: &Value) -> Value {
    if kind == Kind::Receipts {
        return list(kind, Object::Receipt, answer);
    }
    let mut meaning = meaning_of(kind, Object::Block, answer);
    if kind.is_header() {
        meaning["hash"] = bytes(&answer["hash"]);
    }
    meaning
}

fn meaning_of(kind: Kind, object: Object, value: &Value) -> Value {
    let Value::Object(given) = value else {
        return unreadable(value);
    };
    let given = &plainly(object, given);
    let tx_type = type_of(value);
    let mut shown = fields(kind, object, tx_type);
    // Who has no root for withdrawals (EIP-4895) may say that there are none, or nothing of them.
    let says_none = |list: &Value| list.as_array().is_none_or(Vec::is_empty);
    let is_rootless = given.get("withdrawalsRoot").is_none_or(Value::is_null);
    if is_rootless && given.get("withdrawals").is_none_or(says_none) {
        shown.retain(|(name, _)| *name != "withdrawals");
    }
    let one = |(name, shape): Field| {
        let value = given.get(name).unwrap_or(&Value::Null);
        (name.to_owned(), canonical(kind, shape, value))
    };
    shown.into_iter().map(one).collect::<Map<_, _>>().into()
}

/// With one name for everything, one parity, and what may be left out.
fn plainly(object: Object, given: &Map<String, Value>) -> Map<String, Value> {
    let mut plain = given.clone();
    for (of, name, alias) in SYNONYMS {
        if *of == object
            && let Some(value) = plain.remove(*alias)
        {
            plain.insert((*name).to_owned(), value);
        }
    }
    if object != Object::Transaction {
        return plain;
    }
    let mut default = |field: &str, value: Value| {
        if plain.get(field).is_none_or(Value::is_null) {
            plain.insert(field.to_owned(), value);
        }
    };
    // Before there were types, nodes said none (EIP-2718).
    default("type", json!("0x0"));
    default("accessList", json!([]));
    let is_legacy = type_of(&Value::Object(plain.clone())) == 0;
    let said = |field: &str| plain.get(field).filter(|value| !value.is_null()).cloned();
    let parity = if is_legacy {
        said("v")
    } else {
        said("yParity").or_else(|| said("v"))
    };
    plain.insert("parity".to_owned(), parity.unwrap_or_default());
    plain
}

/// The type of a transaction; one that cannot be read is none that exists.
pub fn type_of(transaction: &Value) -> u64 {
    let said = &transaction["type"];
    if said.is_null() {
        return 0;
    }
    number(said).map_or(u64::MAX, |said| said.saturating_to())
}

fn canonical(kind: Kind, shape: Shape, value: &Value) -> Value {
    match shape {
        Number => number(value).map_or_else(|| unreadable(value), |number| json!(number)),
        Bytes => bytes(value),
        ListOfBytes => value.as_array().map_or_else(
            || unreadable(value),
            |list| list.iter().map(bytes).collect(),
        ),
        List(object) => list(kind, object, value),
    }
}

fn list(kind: Kind, object: Object, value: &Value) -> Value {
    let entries = value.as_array();
    entries.map_or_else(
        || unreadable(value),
        |list| {
            list.iter()
                .map(|one| meaning_of(kind, object, one))
                .collect()
        },
    )
}

/// Digits after `0x`, others as people write numbers, or a JSON number.
fn number(value: &Value) -> Option<U256> {
    match value {
        Value::Number(number) => number.as_u64().map(U256::from),
        Value::String(text) => {
            let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
            match digits {
                Some(digits) => U256::from_str_radix(digits, 16),
                None => U256::from_str_radix(text, 10),
            }
            .ok()
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Bytes are the same in either case, without their `0x`, and none of them in a list of none.
fn bytes(value: &Value) -> Value {
    if value.as_array().is_some_and(Vec::is_empty) {
        return "".into();
    }
    let Value::String(text) = value else {
        return unreadable(value);
    };
    let lower = text.to_lowercase();
    lower.strip_prefix("0x").unwrap_or(&lower).into()
}

/// Nothing that is meant looks like this, but for what is not there.
fn unreadable(value: &Value) -> Value {
    if value.is_null() {
        return Value::Null;
    }
    json!({ "unreadable": value })
}
