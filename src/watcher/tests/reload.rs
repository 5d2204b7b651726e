//! A changed configuration: what holds for payments that come, and that open ones keep theirs.

use super::world::{Tx, World, open, register_body};
use crate::{
    domain::{
        amount::Amount,
        asset::{AssetKind, ChainKind},
        status::Status,
        terms::Depth,
        time::SpanMs,
    },
    store::reader::Reader,
    watcher::{Input, Settings},
};

fn settings() -> Settings {
    open::settings(ChainKind::Bitcoin)
}

fn reload(world: &mut World, settings: Settings) {
    let input = Input::Reload(Box::new(settings));
    world.watcher.handle(&input).unwrap();
}

fn asset_row(world: &World) -> serde_json::Value {
    let reader = Reader::open(&world.path()).unwrap();
    reader.assets().unwrap().to_json().remove(0)
}

#[test]
fn new_payments_get_the_new_terms_and_open_ones_keep_theirs() {
    let mut world = World::new();
    world.register("old", 0);
    let before = world.payment("old").terms;
    let mut new = settings();
    new.defaults.grace = SpanMs(7);
    new.chains[0].assets[0].depth = Depth::of(5);
    new.chains[0].assets[0].dust = Amount::from_u64(600);
    reload(&mut world, new);
    world.register("new", 1);
    let terms = world.payment("new").terms;
    assert_eq!((terms.grace, terms.depth), (SpanMs(7), Depth::of(5)));
    assert_eq!(terms.dust, Amount::from_u64(600));
    assert_eq!(world.payment("old").terms, before);
    let row = asset_row(&world);
    assert_eq!(row["confirmations_required"], 5);
    assert_eq!(row["dust"], "0.00000600");
    world.mine(&[Tx::paying(1)]);
    world.mine(&[]);
    assert_eq!(world.status_of("old"), Status::Paid, "at its own depth");
}

#[test]
fn an_asset_is_switched_off_and_on_while_running() {
    let mut world = World::new();
    for enabled in [false, true] {
        let mut new = settings();
        new.chains[0].assets[0].enabled = enabled;
        reload(&mut world, new);
        assert_eq!(asset_row(&world)["enabled"], i64::from(enabled));
        world.ask("register", "a", &register_body(0));
        let reader = Reader::open(&world.path()).unwrap();
        let found = reader.payment("a").unwrap().to_json().len();
        assert_eq!(found, usize::from(enabled));
    }
}

#[test]
fn operator_commands_are_switched_off_and_on_while_running() {
    let mut world = World::new();
    world.register("a", 0);
    let outcome = |world: &World, request: &str| {
        let reader = Reader::open(&world.path()).unwrap();
        reader.request(request).unwrap().to_json()[0]["code"].clone()
    };
    let mut new = settings();
    new.operator_commands = false;
    reload(&mut world, new);
    world.ask("reject", "a", r#"{"note": "x"}"#);
    assert_eq!(outcome(&world, "r2"), "operator_commands_off");
    reload(&mut world, settings());
    world.ask("reject", "a", r#"{"note": "x"}"#);
    world.poll();
    assert_eq!(outcome(&world, "r3"), "not_invalid");
}

#[test]
fn what_would_make_an_asset_or_a_chain_another_one_is_not_taken_over() {
    let mut world = World::new();
    let changes: [fn(&mut Settings); 3] = [
        |new| new.chains[0].assets[0].decimals = 9,
        |new| new.chains[0].assets[0].kind = AssetKind::Token([1; 20]),
        |new| new.chains.clear(),
    ];
    for change in changes {
        let mut new = settings();
        new.chains[0].assets[0].depth = Depth::of(5);
        change(&mut new);
        reload(&mut world, new);
        assert_eq!(asset_row(&world)["confirmations_required"], 2);
    }
    world.register("a", 0);
    assert_eq!(world.payment("a").terms.depth, Depth::of(2));
}
