//! Every place in an answer where something can be altered.

use serde_json::Value;

use super::recorded::{Answer, Kind};

/// What a JSON object of an answer is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Object {
    Block,
    Transaction,
    AccessItem,
    Authorization,
    Withdrawal,
    Receipt,
    Log,
}

/// A field of an object, or an entry of a field that is a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    pub object: Object,
    /// The field, or `receipts` for the whole list of them.
    pub field: String,
    /// Where the object is (RFC 6901).
    pub owner: String,
    /// Where this is.
    pub pointer: String,
}

impl Spot {
    /// Whether it is the field itself and no entry of it.
    pub fn is_field(&self) -> bool {
        self.pointer == format!("{}/{}", self.owner, self.field)
    }
}

/// All of them.
pub fn spots(answer: &Answer) -> Vec<Spot> {
    let mut found = Vec::new();
    if answer.kind == Kind::Receipts {
        found.push(Spot {
            object: Object::Receipt,
            field: "receipts".to_owned(),
            owner: String::new(),
            pointer: String::new(),
        });
        for (index, receipt) in entries(&answer.truth) {
            walk(receipt, Object::Receipt, &format!("/{index}"), &mut found);
        }
    } else {
        walk(&answer.truth, Object::Block, "", &mut found);
    }
    found
}

fn entries(list: &Value) -> impl Iterator<Item = (usize, &Value)> {
    list.as_array().into_iter().flatten().enumerate()
}

fn walk(value: &Value, object: Object, owner: &str, found: &mut Vec<Spot>) {
    for (field, inner) in value.as_object().expect("an object") {
        let pointer = format!("{owner}/{field}");
        found.push(Spot {
            object,
            field: field.clone(),
            owner: owner.to_owned(),
            pointer: pointer.clone(),
        });
        for (index, entry) in entries(inner) {
            let pointer = format!("{pointer}/{index}");
            if entry.is_object() {
                walk(entry, object_of(field), &pointer, found);
            } else {
                found.push(Spot {
                    object,
                    field: field.clone(),
                    owner: owner.to_owned(),
                    pointer,
                });
            }
        }
    }
}

/// What the entries of a list are.
fn object_of(field: &str) -> Object {
    match field {
        "transactions" => Object::Transaction,
        "withdrawals" => Object::Withdrawal,
        "accessList" => Object::AccessItem,
        "authorizationList" => Object::Authorization,
        "logs" => Object::Log,
        other => panic!("a list that nobody knows: {other}"),
    }
}
