//! From one text to one value: durations, percentages, names, addresses, URLs.
//!
//! Each function says in words what is wrong and what to write. None quotes a URL.

use super::SecretUrl;
use crate::domain::{amount::Amount, block::BlockHash, time::SpanMs};
use alloy_primitives::Address;
use std::path::PathBuf;

/// The longest configurable duration: ten years, far below what times can hold.
const MAX_SPAN: SpanMs = SpanMs::from_secs(3650 * 24 * 60 * 60);

/// The longest name of a chain, an endpoint or an asset: they are labels of metrics.
const MAX_NAME_LEN: usize = 32;

/// The greatest tolerance, in ten-thousandths of the amount.
const MAX_TOLERANCE_BP: u32 = 1000;

/// Reads a duration: an integer with `ms`, `s`, `m`, `h` or `d`, at most ten years.
///
/// # Errors
/// In words, for anything else.
pub fn span(text: &str) -> Result<SpanMs, String> {
    let split = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let unit_ms = match unit {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        _ => None,
    };
    let (Ok(count), Some(unit_ms)) = (digits.parse::<u64>(), unit_ms) else {
        return Err(format!(
            "{text:?} is no duration; write an integer with ms, s, m, h or d, for example \"20m\""
        ));
    };
    let ms = i64::try_from(count)
        .ok()
        .and_then(|count| count.checked_mul(unit_ms))
        .filter(|ms| *ms <= MAX_SPAN.0);
    ms.map(SpanMs)
        .ok_or_else(|| format!("{text:?} is too long; at most \"3650d\""))
}

/// Undoes the escapes that a URL needs for signs such as `@` in a password.
#[must_use]
pub fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let escaped = (*first == b'%').then(|| tail.split_at_checked(2)).flatten();
        let decoded = escaped.and_then(|(digits, after)| {
            let digits = std::str::from_utf8(digits).ok()?;
            Some((u8::from_str_radix(digits, 16).ok()?, after))
        });
        let (byte, after) = decoded.unwrap_or((*first, tail));
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A duration inside a range whose ends are written as texts.
pub(super) fn span_between(
    low: &'static str,
    high: &'static str,
) -> impl FnOnce(&str) -> Result<SpanMs, String> {
    move |text| {
        let value = span(text)?;
        if value < span(low)? {
            return Err(format!("{text:?} is too short; at least {low:?}"));
        }
        if value > span(high)? {
            return Err(format!("{text:?} is too long; at most {high:?}"));
        }
        Ok(value)
    }
}

/// A percentage with at most two decimals, at most 10 %, as ten-thousandths.
pub(super) fn tolerance_bp(text: &str) -> Result<u32, String> {
    let hundredths = text
        .strip_suffix('%')
        .and_then(|digits| Amount::parse(digits, 2).ok());
    let Some(hundredths) = hundredths else {
        return Err(format!(
            "{text:?} is no percentage; write up to two decimals and a percent sign, \
             for example \"1.5%\""
        ));
    };
    u32::try_from(hundredths.base())
        .ok()
        .filter(|bp| *bp <= MAX_TOLERANCE_BP)
        .ok_or_else(|| format!("{text:?} is too much; at most \"10%\""))
}

/// An amount in an asset's unit.
pub(super) fn amount(text: &str, decimals: u8) -> Result<Amount, String> {
    Amount::parse(text, decimals).map_err(|error| format!("{text:?} {error}"))
}

/// A name of a chain or an endpoint: lower-case letters, digits, `_` and `-`.
pub(super) fn name(text: &str) -> Result<String, String> {
    let fits = (1..=MAX_NAME_LEN).contains(&text.len())
        && text
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'));
    if fits {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "{text:?} is no name; write 1 to {MAX_NAME_LEN} lower-case letters, digits, _ or -"
        ))
    }
}

/// An asset's code: letters, digits, `.`, `_` and `-`.
pub(super) fn asset_code(text: &str) -> Result<String, String> {
    let fits = (1..=MAX_NAME_LEN).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    if fits {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "{text:?} is no asset code; write 1 to {MAX_NAME_LEN} letters, digits, ., _ or -"
        ))
    }
}

/// A contract's address: EIP-55, or all lower case.
pub(super) fn contract(text: &str) -> Result<[u8; 20], String> {
    let digits = text
        .strip_prefix("0x")
        .filter(|digits| digits.len() == 40)
        .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
    let address = digits.and_then(|digits| digits.parse::<Address>().ok());
    let (Some(digits), Some(address)) = (digits, address) else {
        return Err(format!(
            "{text:?} is no address; write 0x and 40 hexadecimal digits"
        ));
    };
    let lower = !digits.bytes().any(|b| b.is_ascii_uppercase());
    if !lower && address.to_checksum(None) != text {
        return Err(format!(
            "{text:?} has a wrong checksum (EIP-55): a digit is mistyped; \
             copy the address again from the token's issuer"
        ));
    }
    if address.is_zero() {
        return Err("is the zero address, which is no contract".to_owned());
    }
    Ok(address.into_array())
}

/// A block hash.
pub(super) fn block_hash(text: &str) -> Result<BlockHash, String> {
    BlockHash::from_hex(text)
        .ok_or_else(|| format!("{text:?} is no block hash; write 0x and 64 hexadecimal digits"))
}

/// An absolute path of a file.
pub(super) fn absolute_path(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_absolute() && path.file_name().is_some() {
        Ok(path)
    } else {
        Err(format!(
            "{text:?} is no absolute path of a file; begin it with /"
        ))
    }
}

/// A name of a Unix group.
pub(super) fn group(text: &str) -> Result<Option<String>, String> {
    if text.is_empty() || text.contains([':', '/', ' ', '\n']) {
        Err(format!("{text:?} is no name of a group"))
    } else {
        Ok(Some(text.to_owned()))
    }
}

/// An address of an HTTP server. The text is never quoted: it may hold a password or a key.
pub(super) fn http_url(text: &str) -> Result<SecretUrl, String> {
    url(text, ["http", "https"])
}

/// A WebSocket; its URL may hold a key.
pub(super) fn ws_url(text: &str) -> Result<SecretUrl, String> {
    url(text, ["ws", "wss"])
}

fn url(text: &str, schemes: [&str; 2]) -> Result<SecretUrl, String> {
    let [plain, encrypted] = schemes;
    let url = reqwest::Url::parse(text.trim()).map_err(|error| {
        format!("is no URL ({error}); write for example \"{plain}://127.0.0.1:PORT\"")
    })?;
    if !schemes.contains(&url.scheme()) {
        return Err(format!("begins with neither {plain}:// nor {encrypted}://"));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err("names no host".to_owned());
    }
    if url.fragment().is_some() {
        return Err("has a fragment (#…), which no server would see; remove it".to_owned());
    }
    Ok(SecretUrl(url))
}

/// A ZMQ publisher.
pub(super) fn zmq(text: &str) -> Result<Option<String>, String> {
    let address = text.strip_prefix("tcp://").filter(|rest| {
        let (host, port) = rest.rsplit_once(':').unwrap_or_default();
        !host.is_empty() && !host.contains(['@', '/', '*']) && port.parse::<u16>().is_ok()
    });
    address.map_or_else(
        || Err("is no ZMQ address; write for example \"tcp://127.0.0.1:28332\"".to_owned()),
        |_| Ok(Some(text.to_owned())),
    )
}

/// One of some words.
pub(super) fn word<T: Clone>(text: &str, words: &[(&str, T)]) -> Result<T, String> {
    let found = words.iter().find(|(word, _)| *word == text);
    found.map(|(_, value)| value.clone()).ok_or_else(|| {
        let names: Vec<_> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
        format!("{text:?} is not one of {}", names.join(", "))
    })
}
