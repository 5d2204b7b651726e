//! What a scrape shows.

use super::*;
use crate::domain::{
    block::{BlockHash, BlockId, BlockRef, Height},
    time::UnixMs,
    view::FreezeReason,
};

fn chain(name: &str, kind: ChainKind, endpoints: &[&str]) -> ChainLabels {
    ChainLabels {
        name: ChainName::new(name),
        kind,
        endpoints: endpoints.iter().map(|&name| name.to_owned()).collect(),
    }
}

fn metrics() -> Metrics {
    Metrics::new(&Labels {
        chains: vec![
            chain("bitcoin", ChainKind::Bitcoin, &["bitcoind"]),
            chain("ethereum", ChainKind::Ethereum, &["local", "other"]),
        ],
        assets: ["BTC", "ETH", "USDT", "USDC"].map(AssetCode::new).to_vec(),
        revision: "abc123".to_owned(),
        sqlite: "3.54.1".to_owned(),
    })
    .unwrap()
}

fn has(metrics: &Metrics, line: &str) -> bool {
    metrics.render().unwrap().lines().any(|shown| shown == line)
}

#[track_caller]
fn check(metrics: &Metrics, lines: &[&str]) {
    for line in lines {
        assert!(
            has(metrics, line),
            "no {line:?} in\n{}",
            metrics.render().unwrap()
        );
    }
}

fn block(height: u32) -> BlockRef {
    BlockRef {
        id: BlockId {
            height: Height(height),
            hash: BlockHash([0; 32]),
        },
        parent: BlockHash([0; 32]),
        time: UnixMs(1_700_000_000_999),
    }
}

fn view() -> ChainView {
    ChainView {
        name: ChainName::new("bitcoin"),
        kind: ChainKind::Bitcoin,
        scanned: Some(block(99)),
        tip: Some(block(100)),
        finalized: None,
        safe: None,
        tagged: false,
        agreed: None,
        held: None,
        traced: None,
        traced_at: None,
        untraced_at: None,
        untraced_height: None,
        traced_by: None,
        frozen: None,
        healthy: true,
        polled_at: None,
    }
}

#[test]
fn every_promised_name_is_there() {
    let text = {
        let metrics = metrics();
        metrics.chain(&ChainView {
            finalized: Some(Height(1)),
            ..view()
        });
        metrics.render().unwrap()
    };
    for name in [
        "build_info gauge",
        "chain_tip_height gauge",
        "chain_tip_timestamp_seconds gauge",
        "chain_scanned_height gauge",
        "chain_finalized_height gauge",
        "scan_blocks_left gauge",
        "chain_healthy gauge",
        "chain_frozen gauge",
        "reorgs_total counter",
        "reorg_depth_blocks histogram",
        "rpc_requests_total counter",
        "rpc_request_duration_seconds histogram",
        "block_apply_seconds histogram",
        "unproven_blocks_total counter",
        "payments gauge",
        "transitions_total counter",
        "detection_delay_seconds histogram",
        "paid_delay_seconds histogram",
        "ignored_transfers_total counter",
        "requests_total counter",
        "commit_seconds histogram",
        "wal_bytes gauge",
        "watched_addresses gauge",
    ] {
        assert!(
            text.contains(&format!("# TYPE confirmd_{name}\n")),
            "no {name}"
        );
    }
    assert!(text.contains("\nprocess_resident_memory_bytes "));
}

#[test]
fn two_chains_with_three_endpoints_stay_below_five_hundred_series() {
    let metrics = metrics();
    metrics.chain(&view());
    metrics.chain(&ChainView {
        name: ChainName::new("ethereum"),
        finalized: Some(Height(1)),
        ..view()
    });
    let endpoints = [
        ("bitcoin", "bitcoind"),
        ("ethereum", "local"),
        ("ethereum", "other"),
    ];
    for (chain, endpoint) in endpoints {
        let observe = metrics.rpc_observer(&ChainName::new(chain), endpoint);
        observe("unknown", "unknown", Duration::ZERO);
    }
    for endpoint in ["local", "other"] {
        metrics.endpoint_observer(&ChainName::new("ethereum"))(endpoint, "alive", "");
    }
    let text = metrics.render().unwrap();
    let series = text.lines().filter(|line| !line.starts_with('#')).count();
    assert!((300..=500).contains(&series), "{series} series");
}

#[test]
fn a_histogram_has_at_most_eight_buckets() {
    let text = metrics().render().unwrap();
    for name in ["reorg_depth_blocks", "commit_seconds", "paid_delay_seconds"] {
        let prefix = format!("confirmd_{name}_bucket");
        let buckets = text
            .lines()
            .filter(|line| line.starts_with(&prefix))
            .count();
        let of = match name {
            "reorg_depth_blocks" => 2,
            "paid_delay_seconds" => 4,
            _ => 1,
        };
        assert!((2..=8).contains(&(buckets / of)), "{name}: {buckets}");
    }
}

#[test]
fn counters_start_at_zero() {
    check(
        &metrics(),
        &[
            "confirmd_reorgs_total{chain=\"bitcoin\"} 0",
            "confirmd_transitions_total{asset=\"USDT\",to=\"paid\"} 0",
            "confirmd_requests_total{kind=\"register\",outcome=\"applied\"} 0",
            "confirmd_ignored_transfers_total{reason=\"unknown_token\"} 0",
            "confirmd_rpc_requests_total{chain=\"ethereum\",endpoint=\"other\",method=\"debug_traceBlockByHash\",outcome=\"ok\"} 0",
        ],
    );
}

#[test]
fn an_unknown_height_is_absent_not_zero() {
    let metrics = metrics();
    metrics.chain(&view());
    let text = metrics.render().unwrap();
    assert!(text.contains("confirmd_chain_tip_height{chain=\"bitcoin\"} 100"));
    assert!(!text.contains("chain_finalized_height"));
    assert!(!text.contains("chain_tip_height{chain=\"ethereum\"}"));
}

#[test]
fn a_chain_shows_where_it_stands() {
    let metrics = metrics();
    metrics.chain(&ChainView {
        frozen: Some(FreezeReason::Quorum),
        ..view()
    });
    metrics.reorg(&ChainName::new("bitcoin"), 3);
    metrics.scan_blocks_left(&ChainName::new("bitcoin"), 12);
    check(
        &metrics,
        &[
            "confirmd_chain_tip_timestamp_seconds{chain=\"bitcoin\"} 1700000000",
            "confirmd_chain_scanned_height{chain=\"bitcoin\"} 99",
            "confirmd_chain_healthy{chain=\"bitcoin\"} 1",
            "confirmd_chain_frozen{chain=\"bitcoin\"} 1",
            "confirmd_scan_blocks_left{chain=\"bitcoin\"} 12",
            "confirmd_scan_blocks_left{chain=\"ethereum\"} 0",
            "confirmd_reorgs_total{chain=\"bitcoin\"} 1",
            "confirmd_reorg_depth_blocks_bucket{chain=\"bitcoin\",le=\"2\"} 0",
            "confirmd_reorg_depth_blocks_bucket{chain=\"bitcoin\",le=\"3\"} 1",
        ],
    );
}

#[test]
fn a_transition_moves_a_payment_from_one_status_to_the_next() {
    let (metrics, asset) = (metrics(), AssetCode::new("BTC"));
    metrics.payments(&asset, Status::New, 2);
    metrics.transition(&asset, Some(Status::New), Status::Pending);
    metrics.transition(&asset, None, Status::New);
    check(
        &metrics,
        &[
            "confirmd_payments{asset=\"BTC\",status=\"new\"} 2",
            "confirmd_payments{asset=\"BTC\",status=\"pending\"} 1",
            "confirmd_transitions_total{asset=\"BTC\",to=\"pending\"} 1",
            "confirmd_transitions_total{asset=\"BTC\",to=\"new\"} 1",
        ],
    );
}

#[test]
fn a_text_outside_the_closed_sets_makes_no_series() {
    let metrics = metrics();
    metrics.request("robbery", Outcome::Refused);
    let chain = ChainName::new("bitcoin");
    let observe = metrics.rpc_observer(&chain, "bitcoind");
    observe("getblock", "ok", Duration::from_millis(10));
    observe("stop", "exploded", Duration::from_millis(10));
    let text = metrics.render().unwrap();
    assert!(!text.contains("robbery") && !text.contains("exploded"));
    check(
        &metrics,
        &[
            "confirmd_requests_total{kind=\"unknown\",outcome=\"refused\"} 1",
            "confirmd_rpc_requests_total{chain=\"bitcoin\",endpoint=\"bitcoind\",method=\"getblock\",outcome=\"ok\"} 1",
            "confirmd_rpc_requests_total{chain=\"bitcoin\",endpoint=\"bitcoind\",method=\"other\",outcome=\"malformed\"} 1",
            "confirmd_rpc_request_duration_seconds_count{chain=\"bitcoin\"} 2",
        ],
    );
}

#[test]
fn delays_are_seconds_and_never_negative() {
    let (metrics, asset) = (metrics(), AssetCode::new("ETH"));
    metrics.detected(&asset, SpanMs(-5_000));
    metrics.detected(&asset, SpanMs(1_500));
    metrics.paid(&asset, SpanMs(90_000));
    check(
        &metrics,
        &[
            "confirmd_detection_delay_seconds_sum{asset=\"ETH\"} 1.5",
            "confirmd_detection_delay_seconds_count{asset=\"ETH\"} 2",
            "confirmd_paid_delay_seconds_bucket{asset=\"ETH\",le=\"120\"} 1",
        ],
    );
}
