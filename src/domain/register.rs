//! From a registration request to a payment.
//!
//! Knows what may be asked for and what was configured. Does not know other payments (whether an
//! address is taken) nor how an address is written on its chain: it gets the canonical form.

use super::{
    amount::Amount,
    asset::{Asset, AssetKind, ChainKind},
    event::{Entry, EventKind},
    facts::Destination,
    flags::{Flag, Flags},
    payment::{Due, History, Judgement, Payment, PaymentId, PaymentKey, Scan, ScanFrom},
    request::{Refusal, Register},
    snapshot::{About, Row},
    status::Status,
    step::PaymentStep,
    terms::{Depth, Policy, Terms},
    time::{SpanMs, UnixMs},
    view::ChainView,
};

mod tolerance;

/// How far ahead of our clock a request's clock may be.
const MAX_AHEAD: SpanMs = SpanMs::from_secs(5 * 60);
/// How long a request may have waited in the inbox.
pub(super) const MAX_WAITED: SpanMs = SpanMs::from_secs(7 * 24 * 3600);
/// The furthest deadline, from creation.
pub(super) const MAX_OPEN: SpanMs = SpanMs::from_secs(365 * 24 * 3600);
/// Bitcoin's block times may be two hours off, so money after creation may stand in a block that
/// claims to be up to two hours older.
const BITCOIN_SLACK: SpanMs = SpanMs::from_secs(2 * 3600);
/// Ethereum's block times are those of its slots; two minutes cover clocks that differ.
const ETHEREUM_SLACK: SpanMs = SpanMs::from_secs(2 * 60);

/// What a registration gets where it says nothing: `[payments]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defaults {
    /// From creation to the deadline.
    pub expires_in: SpanMs,
    /// Slack after the deadline.
    pub grace: SpanMs,
    /// How long an address stays watched after its payment is closed.
    pub watch_after_close: SpanMs,
    /// How the amount may arrive.
    pub policy: Policy,
    /// How much may be missing: `1.5%`, as ten-thousandths of the amount.
    pub tolerance_bp: u32,
    /// How long after the deadline money still counts.
    pub late_accept: SpanMs,
    /// How long money may be seen without a block.
    pub confirm_timeout: SpanMs,
}

/// A well-formed registration with everything that the configuration says about it.
#[derive(Debug, Clone)]
pub struct Registration<'a> {
    /// The store's number for the new payment.
    pub key: PaymentKey,
    /// The gateway's name.
    pub id: PaymentId,
    /// What is asked.
    pub register: &'a Register,
    /// The asset that it names.
    pub asset: &'a Asset,
    /// The rules of the asset's chain.
    pub kind: ChainKind,
    /// The address in canonical text.
    pub address: String,
    /// The address in the chain's bytes.
    pub destination: Destination,
    /// When the request was written.
    pub created_at: UnixMs,
    /// Whether every block of its past up to the cursor is known to hold nothing for the address.
    pub nothing_before: bool,
    /// Whether its chain is simulated.
    pub simulated: bool,
}

/// Registers a payment: the payment as `new`, with its entry `registered`. Facts that are
/// already known (the mempool) are applied to it afterwards.
///
/// # Errors
/// A refusal, when the terms are not allowed.
pub fn register(
    registration: Registration<'_>,
    defaults: &Defaults,
    view: &ChainView,
    now: UnixMs,
) -> Result<PaymentStep, Refusal> {
    check_created(registration.created_at, now)?;
    let terms = terms(&registration, defaults)?;
    let mut payment = unjudged(registration, terms, view, now);
    let assessment = super::assess::assess(&payment, view, UnixMs(i64::MIN));
    payment.judged = assessment.judgement;
    payment.history = assessment.history;
    let entry = registered(&payment, view, now);
    Ok(PaymentStep {
        payment,
        is_new: true,
        changed: Vec::new(),
        entries: vec![entry],
    })
}

/// Whether a repeated registration asks for what the payment was registered with: every field
/// that is present equals the stored term, metadata aside. `address` is its canonical text.
#[must_use]
pub fn same_terms(payment: &Payment, register: &Register, asset: &Asset, address: &str) -> bool {
    let terms = &payment.terms;
    let amount = Amount::parse(&register.amount, terms.decimals);
    let shortfall = register
        .tolerance
        .as_ref()
        .map(|text| tolerance::allowed_shortfall(text, terms.amount_expected, terms.decimals).ok());
    terms.asset == asset.code
        && payment.address == address
        && amount == Ok(terms.amount_expected)
        && is_absent_or(register.expires_at, &terms.expires_at)
        && is_absent_or(register.confirmations.map(Depth::of), &terms.depth)
        && is_absent_or(shortfall, &Some(terms.allowed_shortfall))
        && is_absent_or(register.policy, &terms.policy)
        && is_absent_or(register.scan_from, &payment.registered_scan_from())
}

fn is_absent_or<T: PartialEq>(asked: Option<T>, stored: &T) -> bool {
    asked.is_none_or(|asked| asked == *stored)
}

/// The refusal of a known payment id with other terms.
#[must_use]
pub fn known_id_other_terms(id: &PaymentId) -> Refusal {
    let message = format!("the payment {id} is registered with other terms");
    Refusal::new("known_id_other_terms", message)
}

/// Whether a request was written at a time that is still taken, as far as `now` is right.
///
/// # Errors
/// A refusal.
pub fn check_created(created_at: UnixMs, now: UnixMs) -> Result<(), Refusal> {
    if created_at > now.plus(MAX_AHEAD) {
        let message = "created_at is more than 5 minutes ahead; check the gateway's clock";
        return Err(Refusal::new("created_in_future", message));
    }
    if created_at < now.minus(MAX_WAITED) {
        let message = "created_at is more than 7 days back; register the payment anew";
        return Err(Refusal::new("created_too_long_ago", message));
    }
    Ok(())
}

/// The terms that a registration asks for, completed from the configuration.
fn terms(registration: &Registration<'_>, defaults: &Defaults) -> Result<Terms, Refusal> {
    let (asset, asked) = (registration.asset, registration.register);
    check_asset(asset)?;
    let amount_expected = amount_expected(asset, &asked.amount)?;
    let allowed_shortfall = match &asked.tolerance {
        Some(text) => tolerance::allowed_shortfall(text, amount_expected, asset.decimals)?,
        None => tolerance::by_default(defaults.tolerance_bp, amount_expected)?,
    };
    let depth = asked.confirmations.map(Depth::of);
    Ok(Terms {
        asset: asset.code.clone(),
        decimals: asset.decimals,
        amount_expected,
        allowed_shortfall,
        policy: asked.policy.unwrap_or(defaults.policy),
        depth: depth.unwrap_or_else(|| asset.depth_for(amount_expected)),
        dust: asset.dust,
        expires_at: expires_at(registration, defaults)?,
        grace: defaults.grace,
        late_accept: defaults.late_accept,
        confirm_timeout: defaults.confirm_timeout,
        watch_after_close: defaults.watch_after_close,
        metadata: asked.metadata.clone(),
    })
}

fn check_asset(asset: &Asset) -> Result<(), Refusal> {
    if asset.enabled {
        return Ok(());
    }
    let message = format!("the asset {} takes no new payments", asset.code);
    Err(Refusal::new("asset_disabled", message))
}

fn amount_expected(asset: &Asset, text: &str) -> Result<Amount, Refusal> {
    let amount = Amount::parse(text, asset.decimals)
        .map_err(|error| Refusal::new("bad_amount", format!("the amount {error}")))?;
    if amount.is_zero() || amount < asset.dust {
        let dust = asset.dust.display(asset.decimals);
        let message = format!(
            "the amount is below the dust limit of {dust} {}",
            asset.code
        );
        return Err(Refusal::new("amount_below_dust", message));
    }
    Ok(amount)
}

fn expires_at(registration: &Registration<'_>, defaults: &Defaults) -> Result<UnixMs, Refusal> {
    let created_at = registration.created_at;
    let asked = registration.register.expires_at;
    let expires_at = asked.unwrap_or_else(|| created_at.plus(defaults.expires_in));
    if expires_at <= created_at {
        let message = "expires_at is not after created_at";
        return Err(Refusal::new("deadline_passed", message));
    }
    if expires_at > created_at.plus(MAX_OPEN) {
        let message = "expires_at is more than a year after created_at";
        return Err(Refusal::new("deadline_too_far", message));
    }
    Ok(expires_at)
}

fn unjudged(
    registration: Registration<'_>,
    terms: Terms,
    view: &ChainView,
    now: UnixMs,
) -> Payment {
    let from = scan_from(
        registration.register,
        registration.kind,
        registration.created_at,
        now,
    );
    let cursor = view.scanned.map(|cursor| cursor.id.height);
    let scan = match cursor {
        Some(cursor) if registration.nothing_before => Scan::done(from, cursor),
        Some(_) | None => Scan::starting(from, cursor),
    };
    Payment {
        key: registration.key,
        id: registration.id,
        chain: registration.asset.chain.clone(),
        kind: registration.kind,
        address: registration.address,
        destination: registration.destination,
        judged: nothing_yet(&terms),
        created_at: registration.created_at,
        scan,
        history: History {
            registered_at: Some(now),
            sticky: Flags::NONE.with_if(Flag::Simulated, registration.simulated),
            needs_traces: registration.kind == ChainKind::Ethereum
                && registration.asset.kind == AssetKind::Native,
            ..History::default()
        },
        terms,
        transfers: Vec::new(),
        version: 1,
        updated_at: now,
    }
}

/// How far before a registration its payment may have come.
#[must_use]
pub const fn slack(kind: ChainKind) -> SpanMs {
    match kind {
        ChainKind::Bitcoin => BITCOIN_SLACK,
        ChainKind::Ethereum => ETHEREUM_SLACK,
    }
}

/// Where the past of a payment starts: where the request says, or early enough for everything
/// that may have come since it was written.
///
/// A gateway's clock may be ahead: what came before `now` is in the past in any case.
#[must_use]
pub fn scan_from(
    register: &Register,
    kind: ChainKind,
    created_at: UnixMs,
    now: UnixMs,
) -> ScanFrom {
    let since = created_at.min(now);
    register
        .scan_from
        .unwrap_or_else(|| ScanFrom::Time(since.minus(slack(kind))))
}

const fn nothing_yet(terms: &Terms) -> Judgement {
    Judgement {
        status: Status::New,
        reason: None,
        flags: Flags::NONE,
        needs_review: false,
        is_final: false,
        received: Amount::ZERO,
        counted: Amount::ZERO,
        shortfall: terms.amount_expected,
        surplus: Amount::ZERO,
        txid: None,
        block: None,
        first_seen_at: None,
        confirmed_at: None,
        paid_at: None,
        closed_at: None,
        watch_until_at: None,
        due: Due {
            height: None,
            safe_height: None,
            final_height: None,
            traced_height: None,
            at: None,
        },
    }
}

fn registered(payment: &Payment, view: &ChainView, now: UnixMs) -> Entry {
    Entry {
        payment: Some((payment.id.clone(), payment.version)),
        kind: EventKind::Registered,
        from: None,
        to: Some(payment.judged.status),
        reason: payment.judged.reason,
        data: Row::of(payment, view).tell(About::metadata(payment)),
        occurred_at: now,
    }
}
