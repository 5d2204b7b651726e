//! P2: a provider that stands between a real anvil and confirmd and alters what it hands on. Whatever the block's
//! hash binds is noticed, whatever it does not bind changes nothing, and the facts are never others than the true
//! ones.
//!
//! `chain` makes a chain with some of everything, `recorded` keeps the node's answers, `alter` draws what is done to
//! one of them from a seed, `bound` says by hand what must come of it. `daemon` does the same to the whole daemon,
//! whose provider is `middle`.

mod alter;
mod bound;
mod chain;
mod daemon;
mod deeds;
mod doing;
mod fitted;
pub mod middle;
pub mod recorded;
mod spots;
mod tally;

use std::collections::BTreeMap;
use std::env;
use std::ops::Range;

use alloy_primitives::Address;
use confirmd::domain::facts::BlockFacts;

use alter::{Alterable, Altered, Expected};
use chain::{Chain, SHOP, SHOP_CREDITS, UNPAID};
use deeds::Deed;
use recorded::{ENDPOINT, Kind, Recorded};
use tally::Tally;

/// One alteration each.
const SEEDS: Range<u64> = 0..10_000;

/// How often each deed, each kind of answer and each field must have been drawn at least.
const OF_EACH_DEED: u32 = 80;
const OF_EACH_KIND: u32 = 800;
const OF_EACH_FIELD: u32 = 5;

/// What a run may say before it is told enough.
const FAULTS_SHOWN: usize = 20;

/// A seed alone: `CONFIRMD_SEED=55 scripts/test alterations::what --no-capture`.
fn seeds() -> Range<u64> {
    let seed = env::var("CONFIRMD_SEED").ok();
    let seed = seed.map(|seed| seed.parse().expect("a number"));
    seed.map_or(SEEDS, |seed| seed..seed + 1)
}

fn credits(facts: &BlockFacts, account: Address) -> usize {
    let own = |credit: &confirmd::domain::facts::Candidate| {
        credit.destination.as_bytes() == account.as_slice()
    };
    facts.credits.iter().filter(own).count()
}

/// What is wrong with what the source made of an alteration.
fn fault(altered: &Altered, truth: &str, answered: &Result<String, String>) -> Option<String> {
    let found = match (altered.expected, answered) {
        (_, Ok(facts)) if facts != truth => {
            let [true_part, other_part] = difference(truth, facts);
            format!("OTHER FACTS: {other_part:?} instead of {true_part:?}")
        }
        (Expected::Noticed, Ok(_)) => "not noticed".to_owned(),
        (Expected::Unchanged, Err(error)) => format!("it changes nothing, and is refused: {error}"),
        (_, Err(error)) if !error.starts_with(ENDPOINT) => {
            format!("the endpoint is not named: {error}")
        }
        (_, Ok(_) | Err(_)) => return None,
    };
    Some(format!("{}: {found}", altered.story))
}

/// Where two texts begin to differ.
fn difference<'a>(one: &'a str, other: &'a str) -> [&'a str; 2] {
    const SHOWN: usize = 80;
    let same = one.bytes().zip(other.bytes());
    let same = same.take_while(|(one, other)| one == other).count();
    [one, other].map(|text| &text[same.min(text.len())..(same + SHOWN).min(text.len())])
}

/// How many faults there are with which field, and the first of them in full.
fn told(faults: &[(String, String)]) -> String {
    let mut by_field: BTreeMap<&str, u32> = BTreeMap::new();
    for (field, _) in faults {
        *by_field.entry(field).or_default() += 1;
    }
    let shown = faults
        .iter()
        .take(FAULTS_SHOWN)
        .map(|(_, story)| story.as_str());
    let shown: Vec<&str> = shown.collect();
    format!("{}: {by_field:#?}\n{}", faults.len(), shown.join("\n"))
}

// shows: P2
#[tokio::test]
async fn what_the_hash_binds_is_noticed_and_nothing_else_matters() {
    let chain = Chain::start();
    let recorded = Recorded::of(&chain.anvil, &chain.tokens);
    let answers = recorded.answers(chain.anvil.block_number()).await;
    let mut paid = [0, 0];
    for answer in answers.iter().filter(|answer| answer.kind == Kind::Block) {
        let facts = recorded.facts(answer.block).await;
        paid[0] += credits(&facts, SHOP);
        paid[1] += credits(&facts, UNPAID);
    }
    assert_eq!(
        paid,
        [SHOP_CREDITS, 0],
        "what is altered is the whole truth"
    );

    let tokens = [chain.tokens.usdt, chain.tokens.usdc];
    let alterable = Alterable::new(&answers, &[SHOP, UNPAID], tokens);
    let (mut tally, mut faults) = (Tally::default(), Vec::new());
    for seed in seeds() {
        let altered = alterable.of_seed(seed);
        let answer = &answers[altered.at];
        let lies = altered.lies.clone();
        let answered = recorded.ask(answer.kind, answer.block, lies).await;
        if let Some(fault) = fault(&altered, &answer.facts, &answered) {
            faults.push((altered.field.clone(), format!("seed {seed}: {fault}")));
        }
        let (deed, kind) = (format!("{:?}", altered.deed), format!("{:?}", answer.kind));
        tally.count(deed, kind, &altered.field, altered.expected);
        if seeds() != SEEDS {
            println!("seed {seed}: {}: {answered:?}", altered.story);
        }
    }
    tally.print();
    assert!(faults.is_empty(), "faults: {}", told(&faults));
    if seeds() == SEEDS {
        assert_covered(&tally, &alterable);
    }
}

/// Every deed, every answer and every field was drawn, and each had an effect where it must have one.
fn assert_covered(tally: &Tally, alterable: &Alterable<'_>) {
    for deed in Deed::ALL {
        let row = tally.deeds.get(&format!("{deed:?}"));
        let row = row.copied().unwrap_or_default();
        assert!(row.sum() >= OF_EACH_DEED, "{deed:?}: {row:?}");
    }
    for kind in Kind::ALL {
        let row = tally.kinds[&format!("{kind:?}")];
        assert!(row.sum() >= OF_EACH_KIND, "{kind:?}: {row:?}");
        assert!(row.noticed > 0 && row.unchanged > 0, "{kind:?}: {row:?}");
    }
    for field in alterable.fields() {
        let row = tally.fields.get(&field).copied().unwrap_or_default();
        assert!(row.sum() >= OF_EACH_FIELD, "{field}: {row:?}");
    }
}
