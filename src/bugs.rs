//! Deliberate bugs, by which the tests are tested: each is a mistake that real payment systems
//! made, planted at the very place where it would be made.
//!
//! `CONFIRMD_BUG=name` plants one in the whole process, so that any test can be run against it; a
//! test may plant one on its own thread instead. Only builds with debug assertions look: elsewhere
//! [`planted`] is a constant, and nothing of a bug is left. What catches each of them is listed in
//! `tests/bugs.txt`. Knows nothing of what a bug does.

macro_rules! bugs {
    ($($(#[$doc:meta])+ $bug:ident = $name:literal,)+) => {
        /// A mistake that can be planted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Bug {
            $($(#[$doc])+ $bug,)+
        }

        #[cfg(debug_assertions)]
        impl Bug {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$bug,)+];

            /// Its name in `CONFIRMD_BUG`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$bug => $name,)+
                }
            }
        }
    };
}

bugs! {
    // What is judged.
    /// Confirmations are the distance to the tip: everybody waits a block too long.
    CountFromTip = "count_from_tip",
    /// Confirmations are counted one too many: goods leave a block too early.
    CountAhead = "count_ahead",
    /// A credit is known by its transaction alone: a second output of it is lost.
    IdentityByTxid = "identity_by_txid",
    /// A transaction that is mined again elsewhere is money again: it is counted twice.
    MinedAgainTwice = "mined_again_twice",
    /// A contract's move that another client numbers otherwise is money again: it is counted twice.
    RenumberedTwice = "renumbered_twice",
    /// What a balance grew by stays money beside the transactions that brought it: it is counted twice.
    GrowthTwice = "growth_twice",
    /// A small credit with a row of its own is in the sum of its transaction's too: it is counted twice.
    SmallTwice = "small_twice",
    /// What is in the sum of a transaction's credits has a row too when it is told again: it is counted twice.
    SumTwice = "sum_twice",
    /// Money of any asset pays: worthless tokens buy goods.
    WrongAssetCounted = "wrong_asset_counted",
    /// Late money is on time: an old price is kept open for ever.
    LateCounted = "late_counted",
    /// The grace is forgotten: who paid in it is told that they were late.
    GraceIgnored = "grace_ignored",
    /// The allowed shortfall is rounded up: the shop gets less than it agreed to.
    ToleranceRoundedUp = "tolerance_rounded_up",
    /// The wall clock alone ends a payment: an outage expires those who paid in it.
    ExpireByWallClock = "expire_by_wall_clock",
    /// A source that is silent or behind still gives verdicts.
    UnhealthyJudges = "unhealthy_judges",
    /// A frozen chain still gives verdicts: goods leave on a branch that is in doubt.
    FrozenPays = "frozen_pays",
    /// Nobody else is asked about a block: one lying endpoint gives goods away.
    QuorumIgnored = "quorum_ignored",
    /// Two quorums that contradict each other freeze nothing: goods leave on a branch that half of all reject.
    SplitIgnored = "split_ignored",
    /// Under a quorum one operator alone says what contracts moved: what it leaves out is never seen.
    SoleTracerTrusted = "sole_tracer_trusted",
    /// A block that one endpoint alone has shown says when money was there: who pays late, through a liar, is on time.
    UnheldTimeKept = "unheld_time_kept",
    /// Each endpoint has a voice of its own: two of one operator are believed as if they were independent.
    EndpointsCounted = "endpoints_counted",
    /// Who waits for what nodes call safe or final is paid at the first confirmation.
    TagIgnored = "tag_ignored",
    /// What was called safe stays so when its block leaves: money mined again above is safe at once.
    SafeOutlivesBlock = "safe_outlives_block",
    /// A node that names no final block any more is one that never did: what waited for one is paid by depth.
    TagsForgotten = "tags_forgotten",
    /// A block that one endpoint alone cannot prove is taken as it tells it: who lies invents what they like.
    OneTellsAll = "one_tells_all",
    /// What one operator says that contracts moved is money at once: a forged trace gives goods away.
    ClaimsTrusted = "claims_trusted",
    /// Two operators witness what contracts moved whatever the quorum: two who lie give goods away.
    TwoWitnessAll = "two_witness_all",
    /// Where a quorum is asked one operator's balance vouches for a claim: one who lies gives goods away.
    WeighedByOne = "weighed_by_one",
    /// A balance that grew makes `paid`: whoever tells the balance gives goods away.
    BalancePays = "balance_pays",
    /// Verdicts do not wait until the balance is looked at: who paid by a contract is expired.
    BalanceUnlooked = "balance_unlooked",
    /// Verdicts do not wait until a block is traced: who paid by a contract is expired.
    UntracedJudged = "untraced_judged",
    /// Verdicts do not wait for the past of a late registration: who paid before it is expired.
    PastUnscanned = "past_unscanned",
    /// A scan that begins above what is known of a past counts for it: money between is lost.
    PastJumped = "past_jumped",
    /// A replaced transaction stays pending: the shop waits for money that cannot come.
    ReplacedStays = "replaced_stays",
    /// An evicted transaction that comes back is not seen: its payer is told nothing.
    EvictedForgotten = "evicted_forgotten",
    /// Newly minted coins count at once: they may never become spendable.
    CoinbaseUnripe = "coinbase_unripe",
    /// Surplus raises no review: nobody gives it back.
    SurplusUnflagged = "surplus_unflagged",
    /// A `paid` that is withdrawn is told as an ordinary step: goods leave all the same.
    ReversalSilent = "reversal_silent",
    /// A cancel does not wait until the mempool is read: it withdraws what is being paid.
    CancelUnread = "cancel_unread",
    // What is seen of a chain.
    /// Only a transaction's first output counts.
    FirstOutputOnly = "first_output_only",
    /// Only a transaction's first log counts.
    FirstLogOnly = "first_log_only",
    /// What a contract was to pay in a call that failed is money.
    RevertedPays = "reverted_pays",
    /// A delegate call's value counts, which is its caller's.
    DelegateCallPays = "delegate_call_pays",
    /// A failed transaction pays.
    FailedCounted = "failed_counted",
    /// A Transfer log of any contract is a token of ours: who makes a contract makes money.
    AnyToken = "any_token",
    /// A log with a fourth topic is taken for an ERC-20 transfer: the number of a picture is money.
    FourTopics = "four_topics",
    /// Token amounts are cut to 64 bits.
    ShortAmounts = "short_amounts",
    /// A block's transactions are not held against its header: a node can invent payments.
    MerkleUnverified = "merkle_unverified",
    /// What a transfer was told to move counts, not what came: a token's fee is the shop's loss.
    FeeIgnored = "fee_ignored",
    /// Nobody who waits for a token is told that its issuer stopped it.
    PauseUntold = "pause_untold",
    /// That a token's code was changed is not read: what it does from then on, nobody looks at.
    UpgradeUnread = "upgrade_unread",
    /// An address on a token's blacklist raises no review: goods leave for money that nobody can move.
    BlacklistUnlooked = "blacklist_unlooked",
    /// Receipts are not held against the header: a node can invent token payments.
    ReceiptsUnverified = "receipts_unverified",
    /// A node that is behind is taken for a reorganisation: money is taken back that is there.
    LagAsReorg = "lag_as_reorg",
    /// Blocks that leave without others in their place are kept: goods leave on lost blocks.
    RollbackIgnored = "rollback_ignored",
    /// What is final may become undone: a lying node takes old payments back.
    FinalityGoesBack = "finality_goes_back",
    /// A scan of the past leaves out its last block.
    BackfillSkipsLast = "backfill_skips_last",
    // What is remembered and committed.
    /// The chain is left out of the key of an address.
    ForgetChain = "forget_chain",
    /// A registration that comes after its money believes that nothing came.
    PastTrusted = "past_trusted",
    /// An address stays its first payment's for ever: nobody can be given it again.
    WatchNeverEnds = "watch_never_ends",
    /// Of two payments in one transaction only the first is judged.
    FirstPaymentOnly = "first_payment_only",
    /// What a list of the mempool lacks is gone, though the list is of another tip.
    ForeignSnapshot = "foreign_snapshot",
    /// What a list of the mempool holds stays gone once it was: nobody waits for money that is there.
    ReturnOverlooked = "return_overlooked",
    /// A transaction that a push names is in the mempool: with an index, a node shows mined ones, too.
    NameBelieved = "name_believed",
    /// A poll counts from its end: what came while it ran is too late.
    PollFromItsEnd = "poll_from_its_end",
    /// The cursor is committed before the block's rows: a crash between them loses deposits.
    CursorFirst = "cursor_first",
    /// The position in the inbox is committed before the effect: a crash loses a request.
    PositionFirst = "position_first",
    /// Memory believes a step before it is committed: a full disk makes both disagree.
    BelievedFirst = "believed_first",
    /// The numbers of entries that were undone are not given again: readers wait for a gap.
    JournalNotRewound = "journal_not_rewound",
}

/// Whether this bug is planted here.
#[cfg(debug_assertions)]
#[must_use]
pub fn planted(bug: Bug) -> bool {
    on_purpose::planted(bug)
}

/// Whether this bug is planted here: never.
#[cfg(not(debug_assertions))]
#[inline(always)]
#[must_use]
#[expect(
    clippy::inline_always,
    reason = "nothing may be left of it in a release"
)]
pub const fn planted(_bug: Bug) -> bool {
    false
}

/// The compiler's own proof: a function that looked anywhere could not be called here.
#[cfg(not(debug_assertions))]
const _: () = assert!(!planted(Bug::CountFromTip), "a release has no bugs planted");

/// From now on, this thread has this bug, or none.
#[cfg(debug_assertions)]
pub fn plant(bug: Option<Bug>) {
    on_purpose::plant(bug);
}

#[cfg(debug_assertions)]
mod on_purpose {
    use super::Bug;
    use std::{cell::Cell, sync::LazyLock};

    thread_local! {
        static OF_THREAD: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    static OF_PROCESS: LazyLock<Option<Bug>> =
        LazyLock::new(|| std::env::var("CONFIRMD_BUG").ok().map(|name| named(&name)));

    /// A bug that does not exist would be caught by nothing, and nobody would know why.
    #[expect(
        clippy::panic,
        reason = "only tests come here, and they must not go on"
    )]
    fn named(name: &str) -> Bug {
        let found = Bug::ALL.iter().find(|bug| bug.name() == name);
        *found.unwrap_or_else(|| panic!("CONFIRMD_BUG names no bug: {name}"))
    }

    pub(super) fn plant(bug: Option<Bug>) {
        OF_THREAD.set(bug);
    }

    pub(super) fn planted(bug: Bug) -> bool {
        OF_THREAD.get() == Some(bug) || *OF_PROCESS == Some(bug)
    }
}

#[cfg(test)]
mod tests;
