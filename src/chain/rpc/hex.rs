//! Hexadecimal bytes in JSON, decoded without a copy of the text.

use serde::{Deserialize, Deserializer, de};
use std::fmt;

/// Bytes that JSON carries as hexadecimal digits, with or without `0x`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HexBytes(pub Vec<u8>);

struct HexVisitor;

impl de::Visitor<'_> for HexVisitor {
    type Value = HexBytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string of hexadecimal digits")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<HexBytes, E> {
        // The offending text may be megabytes long: it is not repeated.
        alloy_primitives::hex::decode(text)
            .map(HexBytes)
            .map_err(|_| E::custom("not a string of hexadecimal digits"))
    }
}

impl<'de> Deserialize<'de> for HexBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(HexVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_digits_and_refuses_everything_else() {
        let read = |json: &str| serde_json::from_str::<HexBytes>(json).ok();
        assert_eq!(read(r#""00ff""#), Some(HexBytes(vec![0, 255])));
        assert_eq!(read(r#""0xAB""#), Some(HexBytes(vec![0xab])));
        assert_eq!(read(r#""""#), Some(HexBytes(vec![])));
        for bad in [r#""0""#, r#""zz""#, "null", "5", r#""00 ff""#] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
