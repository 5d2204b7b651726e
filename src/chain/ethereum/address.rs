//! Account addresses as people write them; nothing here knows a node.

use crate::domain::facts::Destination;
use alloy_primitives::{Address, hex};

/// Why a text is no Ethereum address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not `0x` and 40 hexadecimal digits.
    #[error("is not an Ethereum address: expected 0x and 40 hexadecimal digits")]
    Malformed,
    /// Upper and lower case are mixed, but not as EIP-55 says: a digit is probably wrong.
    #[error("has a wrong checksum (EIP-55): check every digit, or give it in lower case")]
    Checksum,
}

/// Reads an address: its 20 bytes, and its text with the checksum of EIP-55.
///
/// # Errors
/// For anything but `0x` and 40 hexadecimal digits, and for mixed case with a wrong checksum;
/// all lower or all upper case carries no checksum and is accepted.
pub fn parse(text: &str) -> Result<(Destination, String), AddressError> {
    let digits = text.strip_prefix("0x").ok_or(AddressError::Malformed)?;
    let mut bytes = [0_u8; 20];
    // `hex` would skip a second prefix.
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(AddressError::Malformed);
    }
    hex::decode_to_slice(digits, &mut bytes).map_err(|_| AddressError::Malformed)?;
    let canonical = checksummed(bytes);
    if is_mixed_case(digits) && text != canonical {
        return Err(AddressError::Checksum);
    }
    let destination = Destination::new(&bytes).ok_or(AddressError::Malformed)?;
    Ok((destination, canonical))
}

/// An account as text, with the checksum of EIP-55.
#[must_use]
pub fn checksummed(account: [u8; 20]) -> String {
    Address::from(account).to_checksum(None)
}

fn is_mixed_case(digits: &str) -> bool {
    let upper = digits.bytes().any(|digit| digit.is_ascii_uppercase());
    let lower = digits.bytes().any(|digit| digit.is_ascii_lowercase());
    upper && lower
}

#[cfg(test)]
mod tests {
    use super::*;

    // The examples of EIP-55.
    const EXAMPLES: [&str; 6] = [
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0xde709f2102306220921060314715629080e2fb77",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ];

    #[test]
    fn the_standard_s_examples_are_read_and_written_alike() {
        for text in EXAMPLES {
            let (destination, canonical) = parse(text).unwrap();
            assert_eq!(canonical, text);
            assert_eq!(
                hex::encode_prefixed(destination.as_bytes()),
                text.to_lowercase()
            );
        }
    }

    #[test]
    fn one_case_carries_no_checksum_and_becomes_canonical() {
        for text in EXAMPLES {
            let digits = text.trim_start_matches("0x");
            for same in [digits.to_lowercase(), digits.to_uppercase()] {
                let (_, canonical) = parse(&format!("0x{same}")).unwrap();
                assert_eq!(canonical, text);
            }
        }
    }

    #[test]
    fn mixed_case_with_one_letter_wrong_is_refused() {
        let wrong = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1Beaed";
        assert_eq!(parse(wrong), Err(AddressError::Checksum));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "0x",
            "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "0X5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
            "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beae",
            "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaedd",
            "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaeg",
            " 0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
            "0x0x5aaeb6053f3e94c9b9a09f33669435e7ef1bea",
            "0x0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
            "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaé",
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        ] {
            assert_eq!(parse(text), Err(AddressError::Malformed), "{text}");
        }
    }
}
