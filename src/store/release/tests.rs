use super::*;
use crate::{
    domain::view::FreezeReason,
    store::testing::{Dir, NOW, advance, ask, bitcoin, block},
};

#[test]
fn only_a_frozen_chain_is_released_and_the_journal_says_by_whom() {
    let dir = Dir::new();
    let mut store = dir.open();
    let mut frozen = advance(None, &[block(10)]);
    store.commit(&frozen).expect("committed");
    let refused = store.release(&bitcoin(), "looked", "operator:eve", NOW);
    assert_eq!(refused, Err(ReleaseError::NotFrozen(bitcoin())));
    if let Some(step) = &mut frozen.chain {
        step.connected.clear();
        step.view.frozen = Some(FreezeReason::BelowFinality);
    }
    store.commit(&frozen).expect("committed");

    store
        .release(&bitcoin(), "looked", "operator:eve", NOW)
        .expect("released");

    let known = store.chain(&bitcoin()).expect("read").expect("known");
    assert_eq!((known.view.frozen, known.released), (None, true));
    let said = ask(
        &store,
        "SELECT data FROM v1_event ORDER BY seq DESC LIMIT 1",
    );
    assert!(
        said.contains("looked") && said.contains("operator:eve"),
        "{said}"
    );
}

#[test]
fn an_unknown_chain_is_not_released() {
    let mut store = Dir::new().open();
    let name = ChainName::new("nowhere");
    let refused = store.release(&name, "", "operator", NOW);
    assert_eq!(refused, Err(ReleaseError::Unknown(name)));
}
