//! Times as people write and read them.

use crate::domain::{block::Height, payment::ScanFrom, time::UnixMs};
use jiff::Timestamp;

/// A time in UTC to the second: `2026-11-21 23:52:48Z`.
#[must_use]
pub fn readable(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(
        |_| ms.to_string(),
        |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
    )
}

/// Reads milliseconds since 1970, or a time with its zone: `2026-11-21T23:52:48Z`.
pub fn parse_time(text: &str) -> Result<UnixMs, String> {
    if let Ok(ms) = text.parse() {
        return known_time(ms).ok_or_else(|| "is no time in milliseconds since 1970".to_owned());
    }
    let at = text.parse::<Timestamp>().map_err(|_| {
        "is no time; write milliseconds since 1970, or for example 2026-11-21T23:52:48Z".to_owned()
    })?;
    known_time(at.as_millisecond()).ok_or_else(|| "is before any block of any chain".to_owned())
}

/// An earlier one would stand in the inbox as a height.
fn known_time(ms: i64) -> Option<UnixMs> {
    (ms >= ScanFrom::FIRST_TIME).then_some(UnixMs(ms))
}

/// Reads a height, or a time as [`parse_time`] does.
pub fn parse_scan_from(text: &str) -> Result<ScanFrom, String> {
    match text.parse::<i64>() {
        Ok(number) if number < ScanFrom::FIRST_TIME => u32::try_from(number)
            .map(|height| ScanFrom::Height(Height(height)))
            .map_err(|_| "is no height".to_owned()),
        Ok(_) | Err(_) => parse_time(text).map(ScanFrom::Time),
    }
}

/// As the inbox has it: the height or the milliseconds.
#[must_use]
pub fn scan_from_number(from: ScanFrom) -> i64 {
    match from {
        ScanFrom::Height(Height(height)) => height.into(),
        ScanFrom::Time(UnixMs(ms)) => ms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_utc() {
        assert_eq!(readable(1_795_305_168_900), "2026-11-21 23:52:48Z");
        assert_eq!(readable(i64::MAX), i64::MAX.to_string());
    }

    #[test]
    fn times_are_read_with_their_zone() {
        for text in [
            "1795305168000",
            "2026-11-21T23:52:48Z",
            "2026-11-22T00:52:48+01:00",
        ] {
            assert_eq!(parse_time(text), Ok(UnixMs(1_795_305_168_000)), "{text}");
        }
        for text in [
            "",
            "soon",
            "12",
            "2026-11-21",
            "2026-11-21T23:52:48",
            "1970-01-02T00:00:00Z",
            "1960-01-01T00:00:00Z",
        ] {
            assert!(parse_time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_small_integer_is_a_height() {
        assert_eq!(
            parse_scan_from("850000"),
            Ok(ScanFrom::Height(Height(850_000)))
        );
        let time = ScanFrom::Time(UnixMs(1_795_305_168_000));
        assert_eq!(parse_scan_from("2026-11-21T23:52:48Z"), Ok(time));
        assert_eq!(scan_from_number(time), 1_795_305_168_000);
        for text in ["-1", "5000000000", "x"] {
            assert!(parse_scan_from(text).is_err(), "{text}");
        }
    }
}
