//! Every metric that Prometheus may scrape, declared once in one list.
//!
//! Knows names, labels and help texts; must not know a database, a node or an address. Labels
//! are closed sets from the configuration and our own enums, so that the number of series is
//! bounded: no address, transaction, payment id, URL or error text is ever a label.

mod family;
#[cfg(test)]
mod tests;
pub(crate) mod values;

use crate::domain::{
    asset::{AssetCode, ChainKind, ChainName},
    facts::IgnoredReason,
    status::Status,
    step::Outcome,
    time::SpanMs,
    view::ChainView,
};
use family::{Counter, Gauge, Histogram, Labelled, add, family_list, observe, set};
use prometheus::{Registry, TextEncoder, process_collector::ProcessCollector};
use std::{sync::Arc, time::Duration};
use values::{
    BITCOIN_METHODS, ENDPOINT_STATES, ETHEREUM_METHODS, MALFORMED, OTHER, PUSH_EVENTS,
    REQUEST_KINDS, RPC_OUTCOMES, UNKNOWN, methods, one_of,
};

/// Told after every call to a node: method, outcome, and how long it took.
pub type RpcObserver = Arc<dyn Fn(&'static str, &'static str, Duration) + Send + Sync>;

/// Told of what is heard of a node that pushes: one of the events that have a label.
pub type PushObserver = Arc<dyn Fn(&'static str) + Send + Sync>;

/// Told of an endpoint by its name, and in a word how it stands now.
pub type EndpointObserver = Arc<dyn Fn(&str, &'static str, &str) + Send + Sync>;

/// What stands before every name of ours; the process metrics keep their standard names.
const PREFIX: &str = "confirmd";

// At most seven bounds, so that each histogram has eight buckets with the one without a bound.
const DEPTHS: &[f64] = &[1.0, 2.0, 3.0, 6.0, 12.0, 32.0, 100.0];
const RPC_SECONDS: &[f64] = &[0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 30.0];
const APPLY_SECONDS: &[f64] = &[0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0];
const COMMIT_SECONDS: &[f64] = &[0.001, 0.005, 0.02, 0.05, 0.2, 1.0, 5.0];
const DETECTION_SECONDS: &[f64] = &[0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 600.0];
const PAID_SECONDS: &[f64] = &[15.0, 60.0, 120.0, 300.0, 900.0, 1800.0, 7200.0];

family_list! {
    /// Always 1; the version, source revision and linked SQLite are in its labels.
    build_info: Gauge["version", "revision", "sqlite"];
    /// Height of the node's best block.
    chain_tip_height: Gauge["chain"];
    /// Header time of the node's best block.
    chain_tip_timestamp_seconds: Gauge["chain"];
    /// Height of the last block whose credits are all recorded.
    chain_scanned_height: Gauge["chain"];
    /// Height of the last block that can no longer change.
    chain_finalized_height: Gauge["chain"];
    /// Height of the last block that enough operators hold; that of the last scanned where nobody else is asked.
    chain_agreed_height: Gauge["chain"];
    /// Height of the last block of which it is known what contracts moved; nothing where nobody tells it.
    chain_traced_height: Gauge["chain"];
    /// 1 while balances are told where they alone tell what contracts move, else 0; nothing elsewhere.
    chain_balances_told: Gauge["chain"];
    /// Past blocks that the scan for late registrations under way still has to look at; 0 while there is none.
    scan_blocks_left: Gauge["chain"];
    /// 1 while the chain's node answers, is synced, and is scanned close to its tip.
    chain_healthy: Gauge["chain"];
    /// 1 while no payment of the chain may rise.
    chain_frozen: Gauge["chain"];
    /// Times that blocks left the best chain.
    reorgs_total: Counter["chain"];
    /// Blocks that left the best chain at once.
    reorg_depth_blocks: Histogram["chain"] in DEPTHS;
    /// Requests to nodes; a batch counts once, by its first method.
    rpc_requests_total: Counter["chain", "endpoint", "method", "outcome"];
    /// 1 for how an endpoint of an EVM chain stands, 0 for how it does not.
    endpoint_state: Gauge["chain", "endpoint", "state"];
    /// How long calls to nodes take.
    rpc_request_duration_seconds: Histogram["chain"] in RPC_SECONDS;
    /// What is heard of a node that pushes: notifications, gaps in their numbers, silences.
    push_events_total: Counter["chain", "event"];
    /// How long a verified block takes to be judged and committed.
    block_apply_seconds: Histogram["chain"] in APPLY_SECONDS;
    /// Blocks that were taken as endpoints tell them, though nothing proved them.
    unproven_blocks_total: Counter["chain"];
    /// Payments by what they are now.
    payments: Gauge["asset", "status"];
    /// Payments that became what the label says.
    transitions_total: Counter["asset", "to"];
    /// Transitions that the database refused: each is a defect of this program.
    transitions_refused_total: Counter[];
    /// From a block's own time to its money being recorded, where a block brought it first.
    detection_delay_seconds: Histogram["asset"] in DETECTION_SECONDS;
    /// From the first sight of a payment's money to `paid`.
    paid_delay_seconds: Histogram["asset"] in PAID_SECONDS;
    /// What looked like a credit and was none, on the whole chain, whoever was meant.
    ignored_transfers_total: Counter["reason"];
    /// Requests from the inbox that got an outcome.
    requests_total: Counter["kind", "outcome"];
    /// How long a commit takes.
    commit_seconds: Histogram[] in COMMIT_SECONDS;
    /// Size of the database's write-ahead log.
    wal_bytes: Gauge[];
    /// Addresses that are watched.
    watched_addresses: Gauge[];
}

/// The values that labels may take in this process.
#[derive(Debug, Clone, Default)]
pub struct Labels {
    /// The configured chains.
    pub chains: Vec<ChainLabels>,
    /// The configured assets.
    pub assets: Vec<AssetCode>,
    /// The source revision that was built, or empty.
    pub revision: String,
    /// The version of the linked SQLite.
    pub sqlite: String,
}

/// A configured chain and the names of its endpoints.
#[derive(Debug, Clone)]
pub struct ChainLabels {
    /// Its name.
    pub name: ChainName,
    /// Its kind, which says what methods its nodes are asked.
    pub kind: ChainKind,
    /// The endpoints' names.
    pub endpoints: Vec<String>,
}

impl Metrics {
    /// Declares everything and starts every counter at 0.
    ///
    /// # Errors
    /// For a name that Prometheus does not allow or that is declared twice: a defect.
    pub fn new(labels: &Labels) -> Result<Self, prometheus::Error> {
        let metrics = Self::declare(PREFIX)?;
        metrics
            .process
            .register(Box::new(ProcessCollector::for_self()))?;
        let build = [env!("CARGO_PKG_VERSION"), &labels.revision, &labels.sqlite];
        set(&metrics.build_info, &build, 1);
        metrics.start_at_zero(labels);
        Ok(metrics)
    }

    fn start_at_zero(&self, labels: &Labels) {
        for chain in &labels.chains {
            self.start_chain_at_zero(chain);
        }
        for asset in &labels.assets {
            for status in Status::ALL {
                let labels = [asset.as_str(), status.as_str()];
                set(&self.payments, &labels, 0);
                add(&self.transitions_total, &labels, 0);
            }
            self.detection_delay_seconds.touch(&[asset.as_str()]);
            self.paid_delay_seconds.touch(&[asset.as_str()]);
        }
        for reason in IgnoredReason::ALL {
            add(&self.ignored_transfers_total, &[reason.as_str()], 0);
        }
        for kind in REQUEST_KINDS {
            for outcome in Outcome::ALL {
                add(&self.requests_total, &[kind, outcome.as_str()], 0);
            }
        }
        add(&self.transitions_refused_total, &[], 0);
        self.commit_seconds.touch(&[]);
        set(&self.wal_bytes, &[], 0);
        set(&self.watched_addresses, &[], 0);
    }

    /// Heights stay absent until they are known: a 0 would look like a chain that is far behind.
    fn start_chain_at_zero(&self, chain: &ChainLabels) {
        let name = chain.name.as_str();
        set(&self.chain_healthy, &[name], 0);
        set(&self.chain_frozen, &[name], 0);
        set(&self.scan_blocks_left, &[name], 0);
        add(&self.reorgs_total, &[name], 0);
        add(&self.unproven_blocks_total, &[name], 0);
        for event in PUSH_EVENTS {
            add(&self.push_events_total, &[name, event], 0);
        }
        self.reorg_depth_blocks.touch(&[name]);
        self.rpc_request_duration_seconds.touch(&[name]);
        self.block_apply_seconds.touch(&[name]);
        for endpoint in &chain.endpoints {
            for method in methods(chain.kind) {
                for outcome in RPC_OUTCOMES {
                    let labels = [name, endpoint.as_str(), method, outcome];
                    add(&self.rpc_requests_total, &labels, 0);
                }
            }
        }
    }

    /// Whether balances are told on a chain where they alone tell what contracts move.
    pub fn balances_told(&self, chain: &ChainName, are_told: bool) {
        let told = i64::from(are_told);
        set(&self.chain_balances_told, &[chain.as_str()], told);
    }

    /// Where a chain stands.
    pub fn chain(&self, view: &ChainView) {
        let name = [view.name.as_str()];
        if let Some(tip) = view.tip {
            set(&self.chain_tip_height, &name, tip.id.height.0);
            let seconds = tip.time.0.div_euclid(1000);
            set(&self.chain_tip_timestamp_seconds, &name, seconds);
        }
        if let Some(scanned) = view.scanned {
            set(&self.chain_scanned_height, &name, scanned.id.height.0);
        }
        if let Some(height) = view.finalized {
            set(&self.chain_finalized_height, &name, height.0);
        }
        if let Some(height) = view.agreed_height() {
            set(&self.chain_agreed_height, &name, height.0);
        }
        if let Some(height) = view.traced {
            set(&self.chain_traced_height, &name, height.0);
        }
        set(&self.chain_healthy, &name, i64::from(view.healthy));
        set(&self.chain_frozen, &name, i64::from(view.frozen.is_some()));
    }

    /// The scan of past blocks under way has so many left; 0 for none under way.
    pub fn scan_blocks_left(&self, chain: &ChainName, blocks: u32) {
        set(&self.scan_blocks_left, &[chain.as_str()], blocks);
    }

    /// `depth` blocks left the best chain at once.
    pub fn reorg(&self, chain: &ChainName, depth: u32) {
        add(&self.reorgs_total, &[chain.as_str()], 1);
        self.reorg_depth_blocks.at(&[chain.as_str()], |histogram| {
            histogram.observe(depth.into());
        });
    }

    /// So many blocks were taken though nothing proved them.
    pub fn unproven_blocks(&self, chain: &ChainName, count: u64) {
        add(&self.unproven_blocks_total, &[chain.as_str()], count);
    }

    /// A block was judged and committed.
    pub fn block_applied(&self, chain: &ChainName, took: Duration) {
        observe(&self.block_apply_seconds, &[chain.as_str()], took);
    }

    /// A transaction was committed.
    pub fn committed(&self, took: Duration) {
        observe(&self.commit_seconds, &[], took);
    }

    /// There are `count` payments of this asset and status.
    pub fn payments(&self, asset: &AssetCode, status: Status, count: u64) {
        let labels = [asset.as_str(), status.as_str()];
        set(&self.payments, &labels, clamp(count));
    }

    /// A payment became `to`; `from` is `None` for one that was just registered.
    pub fn transition(&self, asset: &AssetCode, from: Option<Status>, to: Status) {
        let labels = [asset.as_str(), to.as_str()];
        add(&self.transitions_total, &labels, 1);
        self.payments.at(&labels, prometheus::IntGauge::inc);
        if let Some(from) = from {
            let labels = [asset.as_str(), from.as_str()];
            self.payments.at(&labels, prometheus::IntGauge::dec);
        }
    }

    /// The database refused a transition.
    pub fn transition_refused(&self) {
        add(&self.transitions_refused_total, &[], 1);
    }

    /// Money was recorded this long after it was there.
    pub fn detected(&self, asset: &AssetCode, delay: SpanMs) {
        observe(
            &self.detection_delay_seconds,
            &[asset.as_str()],
            span(delay),
        );
    }

    /// A payment became `paid` this long after its money was first seen.
    pub fn paid(&self, asset: &AssetCode, delay: SpanMs) {
        observe(&self.paid_delay_seconds, &[asset.as_str()], span(delay));
    }

    /// `count` things looked like credits and were none.
    pub fn ignored(&self, reason: IgnoredReason, count: u64) {
        add(&self.ignored_transfers_total, &[reason.as_str()], count);
    }

    /// A request got its outcome.
    pub fn request(&self, kind: &str, outcome: Outcome) {
        let kind = one_of(REQUEST_KINDS, kind, UNKNOWN);
        add(&self.requests_total, &[kind, outcome.as_str()], 1);
    }

    /// The write-ahead log has this size.
    pub fn wal_bytes(&self, bytes: u64) {
        set(&self.wal_bytes, &[], clamp(bytes));
    }

    /// So many addresses are watched.
    pub fn watched_addresses(&self, count: u64) {
        set(&self.watched_addresses, &[], clamp(count));
    }

    /// What is called when an endpoint of a chain stands otherwise than before.
    #[must_use]
    pub fn endpoint_observer(&self, chain: &ChainName) -> EndpointObserver {
        let (states, chain) = (self.endpoint_state.clone(), chain.clone());
        Arc::new(move |endpoint, now, _| {
            for state in ENDPOINT_STATES {
                let labels = [chain.as_str(), endpoint, state];
                set(&states, &labels, i64::from(*state == now));
            }
        })
    }

    /// What one endpoint's client calls after every request. A method outside the closed
    /// sets is counted as `other`, an outcome as `malformed`.
    #[must_use]
    pub fn rpc_observer(&self, chain: &ChainName, endpoint: &str) -> RpcObserver {
        let (requests, durations) = (
            self.rpc_requests_total.clone(),
            self.rpc_request_duration_seconds.clone(),
        );
        let (chain, endpoint) = (chain.clone(), endpoint.to_owned());
        Arc::new(move |method, outcome, took| {
            let method = one_of(
                BITCOIN_METHODS,
                method,
                one_of(ETHEREUM_METHODS, method, OTHER),
            );
            let outcome = one_of(RPC_OUTCOMES, outcome, MALFORMED);
            add(&requests, &[chain.as_str(), &endpoint, method, outcome], 1);
            observe(&durations, &[chain.as_str()], took);
        })
    }

    /// What whoever listens to a chain's node calls at everything that is heard.
    #[must_use]
    pub fn push_observer(&self, chain: &ChainName) -> PushObserver {
        let (events, chain) = (self.push_events_total.clone(), chain.clone());
        Arc::new(move |event| {
            let event = one_of(PUSH_EVENTS, event, OTHER);
            add(&events, &[chain.as_str(), event], 1);
        })
    }

    /// Everything in Prometheus's text format; never touches a database.
    ///
    /// # Errors
    /// When a family cannot be encoded: a defect.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        let mut families = self.own.gather();
        families.extend(self.process.gather());
        TextEncoder::new().encode_to_string(&families)
    }
}

fn clamp(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A negative span, possible when another machine's clock is ahead, counts as none.
fn span(span: SpanMs) -> Duration {
    Duration::from_millis(u64::try_from(span.0).unwrap_or(0))
}
