//! `check`: validate the configuration, then ask every node who and how it is.
//!
//! Asks with the daemon's own sources, so that what passes here passes there.

use super::{
    Context, Exit,
    failure::Failure,
    rows::Row,
    screen::{Column, Screen, Show, harmless},
};
use crate::{
    chain::{
        ChainSource, NodeStatus, SourceError,
        bitcoin::{BitcoinSource, Capabilities},
        ethereum::{EthereumSource, heads},
        rpc::silent,
        tracers,
    },
    clock::{Clock, SystemClock},
    config::{BitcoinNode, Chain, Config, EthereumNode, Node},
    daemon::{takes_native, tokens},
    domain::time::SpanMs,
    watcher::stale,
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

const NODES: &[Column] = &[
    Column("chain", "chain", Show::Text),
    Column("endpoint", "endpoint", Show::Text),
    Column("result", "result", Show::Status),
    Column("network", "network", Show::Text),
    Column("genesis", "genesis", Show::Text),
    Column("tip", "tip_height", Show::Number),
    Column("sync", "sync", Show::Text),
    Column("offers", "offers", Show::Text),
    Column("pruned below", "prune_height", Show::Number),
    Column("version", "version", Show::Text),
];

/// What was found out about one endpoint.
struct Finding {
    row: Row,
    problems: Vec<SourceError>,
    /// What is allowed but should be known.
    warnings: Vec<String>,
}

pub(super) fn run(arguments: &Arguments, context: &mut Context) -> Result<(), Failure> {
    let config = Config::load(&context.config)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let findings: Vec<_> = config
        .chains
        .iter()
        .flat_map(|chain| runtime.block_on(find(&config, chain, &clock)))
        .collect();
    show(
        &config.warnings,
        &findings,
        arguments.json,
        &mut context.screen,
    )?;
    verdict(&findings)
}

fn show(
    warnings: &[String],
    findings: &[Finding],
    as_json: bool,
    screen: &mut Screen,
) -> Result<(), Failure> {
    if !as_json {
        let found = findings.iter().flat_map(|finding| &finding.warnings);
        for warning in warnings.iter().chain(found) {
            screen.line(&format!("warning: {warning}"))?;
        }
    }
    let rows = findings.iter().map(|finding| finding.row.clone()).collect();
    screen.listing(NODES, rows, as_json, "no chains are configured")
}

/// A problem that an operator must mend weighs more than a node that is away.
fn verdict(findings: &[Finding]) -> Result<(), Failure> {
    let problems: Vec<_> = findings
        .iter()
        .flat_map(|finding| &finding.problems)
        .collect();
    let is_permanent = |problem: &&SourceError| match problem {
        SourceError::Permanent(_) => true,
        SourceError::Transient(_) | SourceError::Behind(_) => false,
    };
    let exit = match (problems.is_empty(), problems.iter().any(is_permanent)) {
        (true, _) => return Ok(()),
        (false, true) => Exit::Failed,
        (false, false) => Exit::Unreachable,
    };
    let lines: Vec<_> = problems
        .iter()
        .map(|problem| harmless(&problem.to_string()))
        .collect();
    Err(Failure::new(exit, lines.join("\n")))
}

async fn find(config: &Config, chain: &Chain, clock: &Arc<dyn Clock>) -> Vec<Finding> {
    match &chain.node {
        Node::Bitcoin(node) => {
            let found = bitcoin(chain, node, clock).await;
            vec![finding(chain, "bitcoind", found)]
        }
        Node::Ethereum(node) => {
            let mut findings = Vec::with_capacity(node.endpoints.len());
            for endpoint in &node.endpoints {
                // What it tells by itself: of a quorum it is asked elsewhere.
                let alone = EthereumNode {
                    endpoints: vec![endpoint.clone()],
                    quorum: 1,
                    ..node.clone()
                };
                let found = ethereum(config, chain, &alone, clock).await;
                findings.push(finding(chain, &endpoint.name, found).warned(config, chain));
            }
            warn_of_tracers(config, chain, node, &mut findings);
            findings
        }
    }
}

/// Says where fewer operators tell what contracts moved than must tell the same under a quorum.
fn warn_of_tracers(config: &Config, chain: &Chain, node: &EthereumNode, findings: &mut [Finding]) {
    let tells = |finding: &Finding| {
        let tracing = finding.row.get("tracing").and_then(Value::as_str);
        tracing.is_some_and(|tracing| tracing == "callTracer" || tracing == "trace_block")
    };
    let telling = node.endpoints.iter().zip(findings.iter());
    let telling = telling.filter(|(_, finding)| tells(finding));
    let operators: BTreeSet<&str> = telling.map(|(endpoint, _)| endpoint.operator()).collect();
    let (count, quorum) = (operators.len(), node.quorum);
    let needed = tracers(usize::try_from(quorum).unwrap_or(usize::MAX));
    let is_short = takes_native(config, chain) && (1..needed).contains(&count);
    if let Some(last) = findings.last_mut().filter(|_| is_short) {
        last.warn(format!(
            "chains.{}: quorum = {quorum}, but only {count} of the {needed} operators that must tell the same \
             trace: ether that contracts send is found by balances alone, and counts once a person accepts it",
            chain.name
        ));
    }
}

fn finding(chain: &Chain, endpoint: &str, result: Found) -> Finding {
    let (mut row, problems) = result.unwrap_or_else(|error| (Row::new(), vec![error]));
    let result = if problems.is_empty() { "ok" } else { "failed" };
    let words: Vec<_> = problems.iter().map(ToString::to_string).collect();
    row.insert("chain".to_owned(), chain.name.as_str().into());
    row.insert("endpoint".to_owned(), endpoint.into());
    row.insert("result".to_owned(), result.into());
    row.insert("problems".to_owned(), words.into());
    row.insert("warnings".to_owned(), Vec::<Value>::new().into());
    Finding {
        row,
        problems,
        warnings: Vec::new(),
    }
}

impl Finding {
    /// Says that an endpoint does not name the blocks that assets wait for, and what counts instead.
    fn warned(mut self, config: &Config, chain: &Chain) -> Self {
        let offers = self.row.get("offers").and_then(Value::as_str);
        let is_final = |offers: &str| offers.split(' ').any(|offer| offer == "finalized");
        let waiting = config
            .assets
            .iter()
            .filter(|asset| asset.chain == chain.name && asset.waits_for_tags())
            .map(|asset| asset.code.as_str())
            .collect::<Vec<_>>();
        if offers.is_some_and(|offers| !is_final(offers)) && !waiting.is_empty() {
            let (assets, depth) = (waiting.join(" and "), chain.final_depth);
            let endpoint = self.row.get("endpoint").and_then(Value::as_str);
            self.warn(format!(
                "chains.{}: {assets} wait for what nodes call safe or final, but {} names no final \
                 block; while none does, money must be deeper than {depth} blocks instead",
                chain.name,
                endpoint.unwrap_or("the endpoint")
            ));
        }
        self
    }

    fn warn(&mut self, words: String) {
        self.warnings.push(words);
        let words = self.warnings.clone();
        self.row.insert("warnings".to_owned(), words.into());
    }
}

type Found = Result<(Row, Vec<SourceError>), SourceError>;

async fn bitcoin(chain: &Chain, node: &BitcoinNode, clock: &Arc<dyn Clock>) -> Found {
    let mut source = BitcoinSource::new(chain.name.as_str(), node, Arc::clone(clock), silent())?;
    let found = source.probe().await?;
    let without_rest = node.rest && !found.rest && !node.rest_fallback;
    let no_rest = without_rest.then(|| {
        "rest = true, but the node offers no REST; start it with -rest=1, or write rest = \"auto\""
            .to_owned()
    });
    let problems = no_rest.into_iter().chain(no_publisher(node, &found));
    let problems = problems.map(|text| SourceError::Permanent(format!("{}: {text}", chain.name)));
    let mut row = bitcoin_row(&found);
    let status = source.status().await?;
    let block_time = chain.block_time().filter(|_| !found.initial_block_download);
    if let Some(words) = old_head(&status, block_time, clock) {
        row.insert("sync".to_owned(), words.into());
    } else if !status.mempool_loaded {
        row.insert("sync".to_owned(), "mempool not loaded yet".into());
    }
    Ok((row, problems.collect()))
}

/// What is to be said of the age of a node's best block.
fn old_head(
    status: &NodeStatus,
    block_time: Option<SpanMs>,
    clock: &Arc<dyn Clock>,
) -> Option<String> {
    stale::words(status.tip.time, block_time?, clock.now().wall)
}

/// What the configured publisher does not publish. Addresses may be written in several ways and lead
/// through forwarders, so ports are compared.
fn no_publisher(node: &BitcoinNode, found: &Capabilities) -> Option<String> {
    let address = node.zmq.as_ref()?;
    let port = |address: &str| address.rsplit_once(':').map(|(_, port)| port.to_owned());
    let here = found.zmq.iter().filter(|(_, at)| port(at) == port(address));
    let topics: Vec<&str> = here.map(|(topic, _)| topic.as_str()).collect();
    // It tells blocks, too; other topics are not listened to.
    let missing = match (
        topics.contains(&"pubhashblock"),
        topics.contains(&"pubsequence"),
    ) {
        (_, true) => return None,
        (false, false) => "nothing there; start it with -zmqpubhashblock= and -zmqpubsequence=",
        (true, false) => "no transactions there; start it with -zmqpubsequence=",
    };
    Some(format!(
        "zmq = \"{address}\", but the node publishes {missing}{address}"
    ))
}

fn bitcoin_row(found: &Capabilities) -> Row {
    let offers = [("rest", found.rest), ("zmq", !found.zmq.is_empty())];
    let sync = match (found.initial_block_download, found.headers.0) {
        (true, headers) => format!("downloading, {headers} headers"),
        (false, headers) if headers > found.tip.height.0 => format!("{headers} headers"),
        (false, _) => "done".to_owned(),
    };
    row(json!({
        "network": found.network,
        "genesis": "ok",
        "tip_height": found.tip.height.0,
        "tip_hash": found.tip.hash.to_string(),
        "sync": sync,
        "offers": names(&offers),
        "prune_height": found.prune_height.map(|height| height.0),
        "version": found.subversion,
    }))
}

async fn ethereum(
    config: &Config,
    chain: &Chain,
    node: &EthereumNode,
    clock: &Arc<dyn Clock>,
) -> Found {
    let source = EthereumSource::new(node, tokens(config, chain), clock, |_| silent())?;
    let mut source = source.looking_inside(None);
    source.connect().await?;
    let problems = source.token_problems().await?;
    let mut problems: Vec<_> = problems.into_iter().map(SourceError::Permanent).collect();
    let status = if problems.is_empty() {
        Some(source.status().await?)
    } else {
        None
    };
    let heads = newheads(node).await;
    let announces = matches!(heads, Ok(true));
    problems.extend(heads.err());
    let told = Told {
        receipts: source.receipts_method(),
        tracing: source.trace_method(),
        archive: source.is_archive().await,
        announces,
    };
    let mut row = ethereum_row(node, status.as_ref(), &told);
    let old = status.and_then(|status| old_head(&status, node.block_time, clock));
    if let Some(words) = old {
        row.insert("sync".to_owned(), words.into());
    }
    Ok((row, problems))
}

/// Whether blocks are announced where the configuration says so.
async fn newheads(node: &EthereumNode) -> Result<bool, SourceError> {
    let mut endpoints = node.endpoints.iter();
    let Some((name, url)) = endpoints.find_map(|one| Some((&one.name, one.ws_url.as_ref()?)))
    else {
        return Ok(false);
    };
    let probed = heads::probe(url).await.map(|()| true);
    probed.map_err(|error| {
        let text = format!("{name}: ws_url: {error}; blocks are found by polling meanwhile");
        SourceError::Transient(text)
    })
}

/// What an Ethereum node tells beside blocks.
struct Told {
    /// Which way receipts come.
    receipts: String,
    /// By what it tells what contracts moved.
    tracing: &'static str,
    /// Whether it has the state of old blocks.
    archive: bool,
    /// Whether it announces blocks.
    announces: bool,
}

/// What is known of a node whose chain id, genesis and receipts were as they must be.
fn ethereum_row(node: &EthereumNode, status: Option<&NodeStatus>, told: &Told) -> Row {
    let Told {
        receipts, tracing, ..
    } = told;
    let genesis = if node.genesis.is_some() {
        "ok"
    } else {
        "not configured"
    };
    let single = format!("receipts ({receipts})");
    let by_block = receipts.starts_with("by block");
    let offers = [
        // Without either it is refused before it comes to this.
        ("receipts", by_block),
        (single.as_str(), !by_block),
        (tracing, !matches!(*tracing, "none" | "unknown")),
        ("archive", told.archive),
        ("safe", status.is_some_and(|status| status.safe.is_some())),
        (
            "finalized",
            status.is_some_and(|status| status.finalized.is_some()),
        ),
        ("newHeads", told.announces),
    ];
    let sync = status.map(|status| if status.syncing { "syncing" } else { "done" });
    row(json!({
        "network": format!("chain id {}", node.chain_id),
        "genesis": genesis,
        "tip_height": status.map(|status| status.tip.id.height.0),
        "tip_hash": status.map(|status| format!("0x{}", status.tip.id.hash)),
        "sync": sync,
        "receipts": receipts,
        "tracing": tracing,
        "offers": names(&offers),
    }))
}

fn names(offers: &[(&str, bool)]) -> String {
    let offered = offers.iter().filter(|(_, offered)| *offered);
    let names: Vec<_> = offered.map(|(name, _)| *name).collect();
    names.join(" ")
}

fn row(value: Value) -> Row {
    match value {
        Value::Object(row) => row,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Row::new()
        }
    }
}
