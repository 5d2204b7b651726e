//! The strict reading of a request's JSON body.
//!
//! Knows names and types of fields; knows nothing of payments. Unknown fields are refused: a
//! misspelt `tolerance` must not silently become the default.

use super::Refusal;
use crate::domain::{
    block::Height,
    payment::ScanFrom,
    status::Status,
    terms::{MAX_CONFIRMATIONS, Policy},
    time::UnixMs,
};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use serde_json::{Value, value::RawValue};
use std::{collections::BTreeMap, fmt};

/// The longest body in bytes, as the inbox's table has it.
pub const MAX_BODY: usize = 8 * 1024;
/// The longest metadata in bytes, written compactly.
pub const MAX_METADATA: usize = 1024;

/// A field's value as it is understood and as it was written. Numbers beyond 64 bits lose digits
/// in the first.
struct Field {
    value: Value,
    written: Box<RawValue>,
}

impl Field {
    fn read(written: Box<RawValue>) -> serde_json::Result<Self> {
        let value = serde_json::from_str(written.get())?;
        Ok(Self { value, written })
    }
}

/// A JSON object in which no name stands twice: of two amounts neither is to be believed.
struct Fields(BTreeMap<String, Field>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

/// Reads [`Fields`] one by one.
struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Fields, A::Error> {
        let mut fields = BTreeMap::new();
        while let Some((name, written)) = entries.next_entry::<String, Box<RawValue>>()? {
            if fields.contains_key(&name) {
                return Err(A::Error::custom(format!("{name:?} stands twice")));
            }
            fields.insert(name, Field::read(written).map_err(A::Error::custom)?);
        }
        Ok(Fields(fields))
    }
}

/// The fields of a body that nobody has asked for yet.
pub(super) struct Body(BTreeMap<String, Field>);

impl Body {
    /// Reads a JSON object.
    pub(super) fn read(text: &str) -> Result<Self, Refusal> {
        if text.len() > MAX_BODY {
            let message = format!("the body is longer than {MAX_BODY} bytes");
            return Err(Refusal::new("body_too_large", message));
        }
        let Fields(fields) = serde_json::from_str(text)
            .map_err(|error| malformed(format!("the body is no valid JSON object: {error}")))?;
        Ok(Self(fields))
    }

    /// Refuses what is left.
    pub(super) fn finish(self) -> Result<(), Refusal> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => {
                let message = format!("the body has an unknown field {name:?}");
                Err(Refusal::new("unknown_field", message))
            }
        }
    }

    /// A field that may be missing; `null` counts as missing.
    fn take(&mut self, name: &str) -> Option<Value> {
        self.take_field(name).map(|field| field.value)
    }

    fn take_field(&mut self, name: &str) -> Option<Field> {
        self.0.remove(name).filter(|field| !field.value.is_null())
    }

    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(
                Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::Array(_)
                | Value::Object(_),
            ) => Err(malformed(format!("{name:?} must be a string"))),
        }
    }

    pub(super) fn integer(&mut self, name: &str) -> Result<Option<i64>, Refusal> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        let integer = value.as_i64().filter(|integer| *integer >= 0);
        let wrong = || malformed(format!("{name:?} must be an integer that is not negative"));
        integer.map(Some).ok_or_else(wrong)
    }

    pub(super) fn time(&mut self, name: &str) -> Result<Option<UnixMs>, Refusal> {
        Ok(self.integer(name)?.map(UnixMs))
    }

    pub(super) fn confirmations(&mut self) -> Result<Option<u32>, Refusal> {
        let Some(number) = self.integer("confirmations")? else {
            return Ok(None);
        };
        let number = u32::try_from(number).ok();
        let number = number.filter(|number| (1..=MAX_CONFIRMATIONS).contains(number));
        let wrong = || {
            let message = format!("\"confirmations\" must be from 1 to {MAX_CONFIRMATIONS}");
            Refusal::new("bad_confirmations", message)
        };
        number.map(Some).ok_or_else(wrong)
    }

    pub(super) fn policy(&mut self) -> Result<Option<Policy>, Refusal> {
        let Some(text) = self.text("policy")? else {
            return Ok(None);
        };
        let wrong = || malformed("\"policy\" must be \"single\" or \"sum\"".to_owned());
        Policy::parse(&text).map(Some).ok_or_else(wrong)
    }

    pub(super) fn status(&mut self) -> Result<Option<Status>, Refusal> {
        let Some(text) = self.text("status")? else {
            return Ok(None);
        };
        let names = || Status::names(Status::ALL, ", ");
        let unknown = || malformed(format!("{text:?} is no status; there are {}", names()));
        Status::parse(&text).map(Some).ok_or_else(unknown)
    }

    pub(super) fn scan_from(&mut self) -> Result<Option<ScanFrom>, Refusal> {
        let Some(number) = self.integer("scan_from")? else {
            return Ok(None);
        };
        if number >= ScanFrom::FIRST_TIME {
            return Ok(Some(ScanFrom::Time(UnixMs(number))));
        }
        let wrong = || malformed("\"scan_from\" is beyond every possible height".to_owned());
        let height = u32::try_from(number).map_err(|_| wrong())?;
        Ok(Some(ScanFrom::Height(Height(height))))
    }

    /// The gateway's own object as it wrote it, without the spaces between its parts.
    pub(super) fn metadata(&mut self) -> Result<Option<String>, Refusal> {
        let Some(Field { value, written }) = self.take_field("metadata") else {
            return Ok(None);
        };
        if !value.is_object() {
            return Err(malformed("\"metadata\" must be a JSON object".to_owned()));
        }
        let text = compact(written.get());
        if text.len() > MAX_METADATA {
            let message = format!("\"metadata\" is longer than {MAX_METADATA} bytes");
            return Err(Refusal::new("metadata_too_large", message));
        }
        Ok(Some(text))
    }
}

/// JSON without the spaces outside its strings.
fn compact(json: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    let is_kept = |sign: &char| {
        let is_quote = *sign == '"' && !escaped;
        escaped = in_string && *sign == '\\' && !escaped;
        in_string ^= is_quote;
        in_string || is_quote || !sign.is_ascii_whitespace()
    };
    json.chars().filter(is_kept).collect()
}

/// A field that has to be there.
pub(super) fn required<T>(name: &str, value: Option<T>) -> Result<T, Refusal> {
    value.ok_or_else(|| Refusal::new("missing_field", format!("the body has no {name:?}")))
}

fn malformed(message: String) -> Refusal {
    Refusal::new("malformed_body", message)
}
