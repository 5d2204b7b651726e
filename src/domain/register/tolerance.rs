//! How much of an amount may be missing: a percentage or an amount, never above 10 %.

use super::Refusal;
use crate::domain::amount::{Amount, AmountError};

/// Ten-thousandths in the whole.
const WHOLE: u64 = 10_000;
/// The most that may be missing, in ten-thousandths: more is no rounding by an exchange but
/// another price.
const MAX_BASIS_POINTS: u64 = 1000;
/// Decimals of a percentage that ten-thousandths can hold.
const PERCENT_DECIMALS: u8 = 2;

/// Reads `1.5%` or an amount of the asset.
///
/// # Errors
/// When it is neither, has too many decimals, or exceeds 10 % of the expected amount.
pub(super) fn allowed_shortfall(
    text: &str,
    expected: Amount,
    decimals: u8,
) -> Result<Amount, Refusal> {
    let bad = |error: AmountError| Refusal::new("bad_tolerance", format!("the tolerance {error}"));
    let allowed = match text.strip_suffix('%') {
        Some(percent) => {
            let points = Amount::parse(percent, PERCENT_DECIMALS).map_err(bad)?;
            let points = u64::try_from(points.base()).map_err(|_| too_high())?;
            fraction(points, expected)?
        }
        None => Amount::parse(text, decimals).map_err(bad)?,
    };
    if allowed > fraction(MAX_BASIS_POINTS, expected)? {
        return Err(too_high());
    }
    Ok(allowed)
}

/// The configured share of the expected amount, rounded down.
///
/// # Errors
/// When the share is above 10 %.
pub(super) fn by_default(basis_points: u32, expected: Amount) -> Result<Amount, Refusal> {
    fraction(basis_points.into(), expected)
}

fn fraction(points: u64, expected: Amount) -> Result<Amount, Refusal> {
    let allowed = (points <= MAX_BASIS_POINTS).then(|| expected.fraction(points, WHOLE));
    allowed.flatten().ok_or_else(too_high)
}

fn too_high() -> Refusal {
    let message = "the tolerance is above 10 % of the amount";
    Refusal::new("tolerance_too_high", message)
}
