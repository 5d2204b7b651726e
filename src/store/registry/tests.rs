//! A configuration that fits the database, and ones that do not.

use super::*;
use crate::{
    domain::{
        amount::Amount,
        asset::{AssetCode, Tier},
        terms::{Depth, DepthRule},
    },
    store::testing::*,
};

fn shown(store: &Store) -> String {
    ask(store, "SELECT * FROM v1_asset ORDER BY asset")
}

#[test]
fn chains_and_assets_are_shown_as_configured() {
    let (_dir, mut store) = store();
    let wanted = "BTC|bitcoin||8|2|0.00000546|1|confirmations\n\
                  ETH|ethereum||18|2|0.000000000000000546|1|confirmations\n\
                  USDT|ethereum|0xDADaDADAdAdAdADADAdadADADADaDADadADaDADA|6|2|0.000546|1|confirmations";
    assert_eq!(shown(&store).to_lowercase(), wanted.to_lowercase());
    let sql = "SELECT chain, network, healthy FROM v1_chain ORDER BY chain";
    assert_eq!(ask(&store, sql), "bitcoin|regtest|0\nethereum|1|0");
    let (chains, mut assets) = registry();
    assets.remove(0);
    assets[0].tiers = vec![Tier {
        above: Amount::ZERO,
        depth: Depth::of(9),
    }];
    assets[1].depth = Depth {
        rule: DepthRule::Safe,
        confirmations: 6,
    };
    assets[1].enabled = false;
    store.sync_registry(&chains, &assets, NOW).unwrap();
    let shown = ask(
        &store,
        "SELECT asset, confirmations_required, depth_rule, enabled FROM v1_asset ORDER BY asset",
    );
    assert_eq!(
        shown,
        "BTC|2|confirmations|0\nETH|2|confirmations|1\nUSDT|6|safe|0"
    );
}

#[test]
fn every_chain_is_unhealthy_until_its_source_was_heard() {
    let (_dir, mut store) = store();
    store.commit(&advance(None, &[block(1000)])).unwrap();
    let healthy = "SELECT healthy, scanned_height FROM v1_chain WHERE chain = 'bitcoin'";
    assert_eq!(ask(&store, healthy), "1|1000");
    let (chains, assets) = registry();
    store.sync_registry(&chains, &assets, NOW).unwrap();
    assert_eq!(ask(&store, healthy), "0|1000");
}

#[test]
fn a_name_that_stands_for_something_else_is_refused_and_nothing_changes() {
    type Change = fn(&mut Vec<ChainEntry>, &mut Vec<Asset>);
    let cases: [(&str, Change); 7] = [
        ("chain bitcoin is bitcoin regtest", |chains, _| {
            chains[0].network = "mainnet".into();
        }),
        ("chain bitcoin is bitcoin regtest", |chains, _| {
            chains[0].kind = ChainKind::Ethereum;
        }),
        ("chain ethereum is ethereum 1 ", |chains, _| {
            chains[1].network = "5".into();
        }),
        (
            "asset BTC has payments with chain bitcoin, no contract, 8",
            |_, assets| {
                assets[0].decimals = 9;
            },
        ),
        ("asset BTC has payments", |_, assets| {
            assets[0].kind = AssetKind::Token([1; 20]);
        }),
        ("asset BTC has payments", |_, assets| {
            assets[0].chain = ChainName::new("ethereum");
        }),
        ("asset DOGE is on chain dogecoin, which", |_, assets| {
            assets[0].code = AssetCode::new("DOGE");
            assets[0].chain = ChainName::new("dogecoin");
        }),
    ];
    for (why, change) in cases {
        let (_dir, mut store) = store();
        register(&mut store, vec![payment(1, "p")]);
        let before = shown(&store);
        let (mut chains, mut assets) = registry();
        change(&mut chains, &mut assets);
        let refused = store.sync_registry(&chains, &assets, NOW).expect_err(why);
        assert!(refused.to_string().contains(why), "{why}: {refused}");
        assert_eq!(shown(&store), before, "{why}");
    }
}

#[test]
fn an_asset_with_open_payments_stays_configured() {
    let (_dir, mut store) = store();
    register(&mut store, vec![payment(1, "p"), payment(2, "q")]);
    let before = shown(&store);
    let (mut chains, mut assets) = registry();
    assets.remove(0);
    for _ in 0..2 {
        let refused = store.sync_registry(&chains, &assets, NOW).unwrap_err();
        let why = "asset BTC on chain bitcoin is not configured but has 2 open payments";
        assert!(refused.to_string().contains(why), "{refused}");
        assert!(refused.to_string().contains("`enabled = false`"));
        assert_eq!(shown(&store), before);
        if chains.len() == 2 {
            chains.remove(0);
        }
    }
    let closed = |key, id| moved(payment(key, id), Status::Expired, None);
    store
        .commit(&step(vec![closed(1, "p"), closed(2, "q")]))
        .unwrap();
    store.sync_registry(&chains, &assets, NOW).unwrap();
}

#[test]
fn an_asset_without_payments_may_become_another() {
    let (_dir, mut store) = store();
    register(&mut store, vec![payment(1, "p")]);
    let (chains, mut assets) = registry();
    assets[2].kind = AssetKind::Token([2; 20]);
    assets[2].decimals = 7;
    store.sync_registry(&chains, &assets, NOW).unwrap();
    assert!(
        shown(&store).contains("|7|2|0.0000546|"),
        "{}",
        shown(&store)
    );
}
