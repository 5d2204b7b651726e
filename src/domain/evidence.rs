//! What vouches for a credit.
//!
//! A block's hash binds transactions and logs, but not what contracts moved: that is known only from
//! nodes that executed the block, so it is as good as the number of those who say so.

use super::status::named_enum;
use serde::{Deserialize, Serialize};

named_enum! {
    /// What vouches for a credit, from the weakest to the strongest.
    Evidence {
        /// One operator's word, and the balance did not grow by it, or nobody settled whether it did: it is no money.
        Doubted = "doubted",
        /// The balance grew by it, and nobody can tell by which transaction: only a person may count it.
        Grown = "grown",
        /// The word of one operator, or of fewer than the quorum, which nothing has settled yet: no verdict rests on it.
        Claimed = "claimed",
        /// What endpoints tell of a block whose format is not known, so that its hash proves nothing of it.
        Told = "told",
        /// One operator's word, and the balance grew by it, as one operator tells.
        Weighed = "weighed",
        /// Operators who are independent of each other tell the same.
        Witnessed = "witnessed",
        /// The block's hash binds it.
        Proven = "proven",
    }
}
