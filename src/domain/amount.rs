//! Amounts of money: integers of base units, never floating point.

use crate::bugs::{Bug, planted};
use alloy_primitives::U256;
use std::fmt;

/// An amount in an asset's base units (satoshi, wei, a token's smallest unit), 256 bits wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount(U256);

/// Why a text is no amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Not `digits` or `digits.digits` in ASCII.
    #[error("is not a decimal number (only digits and one point)")]
    Malformed,
    /// More digits after the point than the asset has.
    #[error("has more than {0} decimals")]
    TooPrecise(u8),
    /// Beyond 256 bits.
    #[error("is too large")]
    TooLarge,
}

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(U256::ZERO);
    /// The largest amount.
    pub const MAX: Self = Self(U256::MAX);

    /// An amount of base units.
    #[must_use]
    pub const fn from_base(units: U256) -> Self {
        Self(units)
    }

    /// An amount of base units that fits 64 bits.
    #[must_use]
    pub const fn from_u64(units: u64) -> Self {
        Self(U256::from_limbs([units, 0, 0, 0]))
    }

    /// The base units.
    #[must_use]
    pub const fn base(self) -> U256 {
        self.0
    }

    /// Whether this is nothing.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    /// The sum, or the largest amount: only a hostile token's transfers can add up beyond 256
    /// bits, and such a sum is far above anything expected either way.
    #[must_use]
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// What is left after taking `other` away; nothing when it is more.
    #[must_use]
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// `numerator / denominator` of this amount, rounded down; `None` beyond 256 bits or for a
    /// zero denominator.
    #[must_use]
    pub fn fraction(self, numerator: u64, denominator: u64) -> Option<Self> {
        let product = self.0.checked_mul(U256::from(numerator))?;
        if planted(Bug::ToleranceRoundedUp) {
            return Some(Self(product.div_ceil(U256::from(denominator))));
        }
        product.checked_div(U256::from(denominator)).map(Self)
    }

    /// Reads a decimal number of whole units, for example `0.015` with 8 decimals.
    ///
    /// # Errors
    /// For anything but ASCII digits with at most one point between digits, for more decimals
    /// than the asset has (never rounded), and beyond 256 bits.
    pub fn parse(text: &str, decimals: u8) -> Result<Self, AmountError> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) {
            return Err(AmountError::Malformed);
        }
        let fraction = if text.contains('.') { fraction } else { "" };
        let missing = usize::from(decimals)
            .checked_sub(fraction.len())
            .ok_or(AmountError::TooPrecise(decimals))?;
        let padding = "0".repeat(missing);
        let ten = U256::from(10_u8);
        [whole, fraction, &padding]
            .iter()
            .flat_map(|part| part.bytes())
            .try_fold(U256::ZERO, |sum, digit| {
                let digit = U256::from(digit.saturating_sub(b'0'));
                sum.checked_mul(ten)?.checked_add(digit)
            })
            .map(Self)
            .ok_or(AmountError::TooLarge)
    }

    /// The amount in whole units with the asset's full scale: `0.01500000`.
    #[must_use]
    pub fn display(self, decimals: u8) -> Decimal {
        Decimal {
            amount: self,
            decimals,
        }
    }

    /// The amount as 32 bytes, most significant first.
    #[must_use]
    pub fn to_be_bytes(self) -> [u8; 32] {
        self.0.to_be_bytes()
    }

    /// The amount that [`Self::to_be_bytes`] wrote.
    #[must_use]
    pub const fn from_be_bytes(bytes: [u8; 32]) -> Self {
        Self(U256::from_be_bytes(bytes))
    }
}

/// An amount with a scale, for printing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal {
    amount: Amount,
    decimals: u8,
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nearly all amounts fit, and many are written for each payment.
        if let (Ok(units), None) = (u64::try_from(self.amount.0), f.width())
            && let Some(one) = 10_u64.checked_pow(self.decimals.into())
        {
            return self.write_small(units, one, f);
        }
        let width = usize::from(self.decimals).saturating_add(1);
        let digits = format!("{:0>width$}", self.amount.0.to_string());
        let (whole, fraction) = digits.split_at(digits.len().saturating_sub(self.decimals.into()));
        if fraction.is_empty() {
            f.pad(whole)
        } else {
            f.pad(&format!("{whole}.{fraction}"))
        }
    }
}

impl Decimal {
    /// Of so many base units, of which `one` make a whole unit.
    fn write_small(&self, units: u64, one: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = units.checked_div(one).unwrap_or(0);
        match units.checked_rem(one) {
            Some(fraction) if self.decimals > 0 => {
                write!(
                    f,
                    "{whole}.{fraction:0>width$}",
                    width = self.decimals.into()
                )
            }
            Some(_) | None => write!(f, "{whole}"),
        }
    }
}
