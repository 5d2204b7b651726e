//! Gateways write the machine's time; where the daemon's clock shows another, as in a sandbox, the
//! times of their requests are moved into that: a deadline twenty minutes from now stays twenty
//! minutes away. In a service nothing changes.

use crate::{
    clock::Clock,
    domain::{payment::ScanFrom, request::Request},
};
use serde_json::value::{RawValue, to_raw_value};
use std::collections::BTreeMap;

/// The times that a body may hold.
const TIMES: [&str; 2] = ["expires_at", "scan_from"];

/// The requests in the time of this clock.
pub(super) fn of_clock(requests: Vec<Request>, clock: &dyn Clock) -> Vec<Request> {
    let moved = |request| in_time_of(request, clock);
    requests.into_iter().map(moved).collect()
}

fn in_time_of(mut request: Request, clock: &dyn Clock) -> Request {
    let at = clock.at(request.created_at);
    let shift_ms = at.0.saturating_sub(request.created_at.0);
    if shift_ms != 0 {
        request.created_at = at;
        request.body = moved(&request.body, shift_ms).unwrap_or(request.body);
    }
    request
}

/// The body with later times; `None` when it holds none, or is no object.
fn moved(body: &str, shift_ms: i64) -> Option<String> {
    // Every other field stays as it was written, to the letter.
    let mut fields: BTreeMap<String, Box<RawValue>> = serde_json::from_str(body).ok()?;
    for name in TIMES {
        if let Some(field) = fields.get_mut(name)
            && let Ok(ms) = field.get().parse::<i64>()
            && ms >= ScanFrom::FIRST_TIME
        {
            *field = to_raw_value(&ms.saturating_add(shift_ms)).ok()?;
        }
    }
    serde_json::to_string(&fields).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::{Now, SystemClock},
        domain::time::UnixMs,
    };

    /// Shows an hour more than the machine.
    #[derive(Debug)]
    struct HourAhead;

    const HOUR_MS: i64 = 3_600_000;

    impl Clock for HourAhead {
        fn now(&self) -> Now {
            SystemClock::new().now()
        }

        fn at(&self, wall: UnixMs) -> UnixMs {
            UnixMs(wall.0 + HOUR_MS)
        }
    }

    fn request(body: &str) -> Request {
        Request {
            seq: 1,
            request_id: "r".to_owned(),
            kind: "register".to_owned(),
            payment_id: "p".to_owned(),
            body: body.to_owned(),
            actor: None,
            created_at: UnixMs(1_800_000_000_000),
        }
    }

    #[test]
    fn times_keep_their_distance_from_the_request_and_nothing_else_changes() {
        for (body, wanted) in [
            (
                r#"{"expires_at": 1800001200000}"#,
                r#"{"expires_at":1800004800000}"#,
            ),
            (
                r#"{"scan_from": 1799999000000, "amount": "1", "metadata": {"n": 12345678901234567890123}}"#,
                r#"{"amount":"1","metadata":{"n": 12345678901234567890123},"scan_from":1800002600000}"#,
            ),
            (r#"{"scan_from": 850000}"#, r#"{"scan_from":850000}"#),
            (r#"{"expires_at": "soon"}"#, r#"{"expires_at":"soon"}"#),
            ("[1]", "[1]"),
            ("no JSON", "no JSON"),
        ] {
            let moved = of_clock(vec![request(body)], &HourAhead).pop().unwrap();
            assert_eq!(moved.body, wanted);
            assert_eq!(moved.created_at, UnixMs(1_800_000_000_000 + HOUR_MS));
            let same = of_clock(vec![request(body)], &SystemClock::new()).pop();
            assert_eq!(same, Some(request(body)));
        }
    }
}
