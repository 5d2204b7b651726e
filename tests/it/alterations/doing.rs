//! The deeds themselves, on JSON: values, fields of an object, entries of a list.

use alloy_primitives::Address;
use confirmd::random::Random;
use serde_json::{Map, Value, json};

use super::chain::SHOP;
use super::spots::{Object, Spot};

/// Fields of which nobody has heard, or not here.
const INVENTIONS: [&str; 19] = [
    "l1Fee",
    "isSystemTx",
    "confirmations",
    "sourceHash",
    "root",
    "yParity",
    "accessList",
    "authorizationList",
    "blobVersionedHashes",
    "maxFeePerBlobGas",
    "baseFeePerGas",
    "withdrawals",
    "withdrawalsRoot",
    "blobGasUsed",
    "excessBlobGas",
    "parentBeaconBlockRoot",
    "requestsHash",
    "blockAccessListHash",
    "slotNumber",
];

/// Fields that headers of other times have: a value may be moved there.
const OPTIONAL_IN_HEADERS: [&str; 8] = [
    "baseFeePerGas",
    "withdrawalsRoot",
    "blobGasUsed",
    "excessBlobGas",
    "parentBeaconBlockRoot",
    "requestsHash",
    "blockAccessListHash",
    "slotNumber",
];

/// What was done, before it is known what it means.
pub struct Done {
    pub value: Value,
    pub spot: Spot,
    /// A field that is said twice: the second name stands for it until it is text.
    pub twice: bool,
    /// The other field that was touched, which may not have been there before.
    pub other: Option<String>,
}

/// In an object that is said to have a field twice, until the answer is text.
const AGAIN: [&str; 2] = ["!again", "~again"];

pub fn other_digit(value: &Value, random: &mut Random) -> Option<Value> {
    Some(match value {
        Value::String(text) => {
            let digits = text.strip_prefix("0x")?;
            let at = usize::try_from(random.below(u64::try_from(digits.len()).ok()?)).ok()?;
            let digit = u64::from_str_radix(digits.get(at..=at)?, 16).ok()?;
            let other = (digit + random.between(1, 15)) % 16;
            format!("0x{}{other:x}{}", &digits[..at], &digits[at + 1..]).into()
        }
        Value::Bool(said) => (!said).into(),
        Value::Number(number) => (number.as_u64()? + random.between(1, 9)).into(),
        Value::Null => json!(Address::repeat_byte(0xaa)),
        Value::Array(_) | Value::Object(_) => return None,
    })
}

pub fn other_type(value: &Value, random: &mut Random) -> Value {
    let others = [
        json!(random.below(1 << 40)),
        json!(-1),
        json!(0.5),
        json!(true),
        json!({}),
        json!([]),
        json!(""),
        json!("zero"),
        json!([value]),
        json!({ "value": value }),
    ];
    random.pick(&others).cloned().unwrap_or_default()
}

/// The object in which the spot is.
fn object(done: &mut Done) -> Option<&mut Map<String, Value>> {
    done.value.pointer_mut(&done.spot.owner)?.as_object_mut()
}

pub fn leave_out(done: &mut Done) -> Option<()> {
    let field = done.spot.field.clone();
    object(done)?.remove(&field).map(drop)
}

pub fn rename(done: &mut Done, random: &mut Random) -> Option<()> {
    let field = done.spot.field.clone();
    let name = other_name(&field, random);
    let fields = object(done)?;
    let value = fields.remove(&field)?;
    fields.insert(name.clone(), value);
    done.other = Some(name);
    Some(())
}

pub fn invent(done: &mut Done, random: &mut Random) -> Option<()> {
    let name = *random.pick(&INVENTIONS)?;
    let fields = object(done)?;
    let like = fields
        .values()
        .nth(usize::try_from(random.below(8)).ok()?)?;
    let values = [json!("0x1"), json!([]), Value::Null, like.clone()];
    let lists = [json!([withdrawal()]), json!([]), Value::Null];
    let values = if name == "withdrawals" {
        &lists[..]
    } else {
        &values
    };
    if fields.contains_key(name) {
        return None;
    }
    fields.insert(name.to_owned(), random.pick(values)?.clone());
    done.other = Some(name.to_owned());
    Some(())
}

/// One that never was.
pub fn withdrawal() -> Value {
    let (index, validator) = ("0x1", "0x2");
    json!({"index": index, "validatorIndex": validator, "address": SHOP, "amount": "0x77359400"})
}

pub fn say_twice(done: &mut Done, random: &mut Random) -> Option<()> {
    let field = done.spot.field.clone();
    let fields = object(done)?;
    let other = other_digit(fields.get(&field)?, random).unwrap_or_default();
    fields.insert((*random.pick(&AGAIN)?).to_owned(), other);
    done.twice = true;
    Some(())
}

pub fn exchange_fields(done: &mut Done, random: &mut Random) -> Option<()> {
    let Spot { field, owner, .. } = done.spot.clone();
    let is_block = done.spot.object == Object::Block;
    let fields = object(done)?;
    let (mut one, mut names) = (field, fields.keys().cloned().collect::<Vec<_>>());
    if is_block && random.chance(500) {
        names = OPTIONAL_IN_HEADERS.map(str::to_owned).into();
        one.clone_from(random.pick(&names)?);
    }
    let other = random.pick(&names)?.clone();
    exchange(fields, &one, &other);
    done.spot.pointer = format!("{owner}/{one}");
    done.spot.field = one;
    done.other = Some(other);
    Some(())
}

fn exchange(fields: &mut Map<String, Value>, one: &str, other: &str) {
    let values = (fields.remove(one), fields.remove(other));
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            fields.insert(name.to_owned(), value);
        }
    };
    put(one, values.1);
    put(other, values.0);
}

/// As other programs call it, or mistype it.
fn other_name(field: &str, random: &mut Random) -> String {
    let known = match field {
        "miner" => Some("beneficiary"),
        "sha3Uncles" => Some("ommersHash"),
        "gas" => Some("gasLimit"),
        "input" => Some("data"),
        _ => None,
    };
    if let Some(known) = known.filter(|_| random.chance(500)) {
        return known.to_owned();
    }
    if random.chance(500) {
        return field.to_uppercase();
    }
    format!("{field}_")
}

/// A place among so many, if there is any.
fn place(len: usize, random: &mut Random) -> Option<usize> {
    let end = u64::try_from(len).ok().filter(|end| *end > 0)?;
    usize::try_from(random.below(end)).ok()
}

pub fn add(list: &mut Vec<Value>, entry: Value, random: &mut Random) -> Option<()> {
    list.insert(place(list.len() + 1, random)?, entry);
    Some(())
}

pub fn withhold(list: &mut Vec<Value>, random: &mut Random) -> Option<()> {
    list.remove(place(list.len(), random)?);
    Some(())
}

pub fn repeat(list: &mut Vec<Value>, random: &mut Random) -> Option<()> {
    let entry = list[place(list.len(), random)?].clone();
    add(list, entry, random)
}

pub fn reorder(list: &mut [Value], random: &mut Random) -> Option<()> {
    list.swap(place(list.len(), random)?, place(list.len(), random)?);
    Some(())
}

pub fn exchange_logs(receipts: &mut Value, random: &mut Random) -> Option<()> {
    let receipts = receipts.as_array_mut()?;
    let (one, other) = (
        place(receipts.len(), random)?,
        place(receipts.len(), random)?,
    );
    let logs = receipts.get_mut(one)?["logs"].take();
    let others = std::mem::replace(&mut receipts[other]["logs"], logs.clone());
    receipts[one]["logs"] = if one == other { logs } else { others };
    Some(())
}

/// The answer as a node writes it.
pub fn text(done: &Done) -> String {
    let text = done.value.to_string();
    let [before, after] = AGAIN;
    let field = &done.spot.field;
    text.replace(before, field).replace(after, field)
}
