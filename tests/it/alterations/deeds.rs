//! What may be done to an answer, and where.

use super::recorded::{Answer, Kind};
use super::spots::{Object, Spot};

/// One way of altering an answer at one spot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deed {
    // Values.
    /// One digit is another.
    Digit,
    Shorter,
    Longer,
    Null,
    /// A number where a text was, a list where a number was, and so on.
    OtherType,
    /// Digits in upper case.
    Uppercase,
    /// A zero before the digits.
    LeadingZero,
    WithoutPrefix,
    /// What the same field says elsewhere.
    FromElsewhere,

    // Fields.
    Missing,
    /// Under another name.
    Renamed,
    /// A field that was not there.
    Invented,
    /// Said twice, each time otherwise.
    Twice,
    /// Two fields of one object exchange their values; one of them may have had none.
    FieldsExchanged,

    // Lists.
    Withheld,
    Repeated,
    Reordered,
    /// An entry of another list, or one that never was.
    Added,
    Emptied,

    // What a thief would do.
    /// Two receipts have each other's logs.
    LogsExchanged,
    /// A log is one of a configured token.
    WatchedToken,
    /// A transaction or a log pays somebody who is watched.
    WatchedRecipient,
    MoreMoney,
    /// What failed has succeeded.
    Succeeded,
    /// The whole answer is that of another block.
    OtherBlock,
    /// Roots, bloom and hash are computed anew, so that the lie fits itself.
    Fitted,
}

impl Deed {
    pub const ALL: [Self; 26] = [
        Self::Digit,
        Self::Shorter,
        Self::Longer,
        Self::Null,
        Self::OtherType,
        Self::Uppercase,
        Self::LeadingZero,
        Self::WithoutPrefix,
        Self::FromElsewhere,
        Self::Missing,
        Self::Renamed,
        Self::Invented,
        Self::Twice,
        Self::FieldsExchanged,
        Self::Withheld,
        Self::Repeated,
        Self::Reordered,
        Self::Added,
        Self::Emptied,
        Self::LogsExchanged,
        Self::WatchedToken,
        Self::WatchedRecipient,
        Self::MoreMoney,
        Self::Succeeded,
        Self::OtherBlock,
        Self::Fitted,
    ];
}

/// Whether a deed can be done there.
pub fn suits(deed: Deed, spot: &Spot, answer: &Answer) -> bool {
    let value = answer.truth.pointer(&spot.pointer).expect("a spot");
    let is_root = spot.pointer.is_empty();
    let is = |object, field: &str| spot.object == object && spot.field == field;
    match deed {
        Deed::Digit
        | Deed::Shorter
        | Deed::Longer
        | Deed::Uppercase
        | Deed::LeadingZero
        | Deed::WithoutPrefix => !value.is_array(),
        Deed::Null | Deed::OtherType | Deed::FromElsewhere => !is_root,
        Deed::Missing | Deed::Renamed | Deed::Twice | Deed::Invented | Deed::FieldsExchanged => {
            spot.is_field() && !is_root
        }
        Deed::Withheld | Deed::Repeated | Deed::Reordered | Deed::Added | Deed::Emptied => {
            value.is_array()
        }
        Deed::LogsExchanged => is_root,
        Deed::WatchedToken => is(Object::Log, "address"),
        Deed::WatchedRecipient => {
            is(Object::Transaction, "to")
                || (is(Object::Log, "topics") && spot.pointer.ends_with("/2"))
        }
        Deed::MoreMoney | Deed::Fitted => {
            is(Object::Transaction, "value") || is(Object::Log, "data")
        }
        Deed::Succeeded => is(Object::Receipt, "status") && value == "0x0",
        Deed::OtherBlock => is_root_of(answer, spot),
    }
}

/// Whether this is one spot of an answer that stands for all of it.
fn is_root_of(answer: &Answer, spot: &Spot) -> bool {
    match answer.kind {
        Kind::Receipts => spot.pointer.is_empty(),
        Kind::Header | Kind::Block => spot.pointer == "/hash",
        // A tag may name any block.
        Kind::Tag => false,
    }
}
