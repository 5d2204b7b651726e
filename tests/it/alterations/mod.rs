//! P2: a provider that stands between a real anvil and confirmd and alters what it hands on. Whatever the block's
//! hash binds is noticed, whatever it does not bind changes nothing, and the facts are never others than the true
//! ones.
//!
//! `chain` makes a chain with some of everything and chains of earlier rules, `recorded` keeps the node's answers,
//! `dressed` puts in what no anvil does, `alter` draws what is done to one of them from a seed, `bound` says by hand what must come of it. `daemon` does the same to the whole daemon,
//! whose provider is `middle`, and `words` is about what no hash binds: tags, chain id, genesis.

mod alter;
mod bound;
mod chain;
mod daemon;
mod deeds;
mod doing;
mod dressed;
mod fitted;
pub mod middle;
pub mod recorded;
mod spots;
mod tally;
mod words;

use std::collections::BTreeMap;
use std::env;
use std::ops::Range;

use alloy_primitives::Address;
use confirmd::domain::facts::BlockFacts;

use alter::{Alterable, Altered, Expected};
use chain::{Chain, EARLIER, EARLIER_CREDITS, SHOP, SHOP_CREDITS, UNPAID};
use deeds::Deed;
use recorded::{Answer, ENDPOINT, Kind, Recorded};
use tally::Tally;

/// One alteration each.
const SEEDS: Range<u64> = 0..10_000;
/// And under each of the earlier rules.
const EARLIER_SEEDS: Range<u64> = 0..1_000;

/// How often each deed, each kind of answer and each field must have been drawn at least.
const OF_EACH_DEED: u32 = 80;
const OF_EACH_KIND: u32 = 800;
const OF_EACH_FIELD: u32 = 5;

/// What a run may say before it is told enough.
const FAULTS_SHOWN: usize = 20;

/// A seed alone: `CONFIRMD_SEED=55 scripts/test alterations::what_the --no-capture`.
fn seeds(all: Range<u64>) -> Range<u64> {
    let seed = env::var("CONFIRMD_SEED").ok();
    let seed = seed.map(|seed| seed.parse().expect("a number"));
    seed.map_or(all, |seed| seed..seed + 1)
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

/// A chain of real blocks, and every answer about it.
struct Field {
    recorded: Recorded,
    answers: Vec<Answer>,
    tokens: [Address; 2],
}

impl Field {
    /// How often the shop is paid is known of each chain.
    async fn of(chain: &Chain, shop_credits: usize, is_todays: bool) -> Self {
        let recorded = Recorded::of(&chain.anvil, &chain.tokens);
        if is_todays {
            recorded.dress_tip();
        }
        // Under earlier rules anvil's first block has fields of later ones, with a gap before them.
        let (first, last) = (u64::from(!is_todays), chain.anvil.block_number());
        let answers = recorded.answers_from(first, last).await;
        let mut paid = [0, 0];
        for answer in answers.iter().filter(|answer| answer.kind == Kind::Block) {
            let facts = recorded.facts(answer.block).await;
            paid[0] += credits(&facts, SHOP);
            paid[1] += credits(&facts, UNPAID);
        }
        assert_eq!(
            paid,
            [shop_credits, 0],
            "what is altered is the whole truth"
        );
        Self {
            recorded,
            answers,
            tokens: [chain.tokens.usdt, chain.tokens.usdc],
        }
    }

    /// Alters its answers by each of these seeds.
    async fn alter(&self, alterable: &Alterable<'_>, seeds: Range<u64>) -> Tally {
        let (mut tally, mut faults) = (Tally::default(), Vec::new());
        for seed in seeds.clone() {
            let altered = alterable.of_seed(seed);
            let answer = &self.answers[altered.at];
            let lies = altered.lies.clone();
            let answered = self.recorded.ask(answer.kind, answer.block, lies).await;
            if let Some(fault) = fault(&altered, &answer.facts, &answered) {
                faults.push((altered.field.clone(), format!("seed {seed}: {fault}")));
            }
            let (deed, kind) = (format!("{:?}", altered.deed), format!("{:?}", answer.kind));
            tally.count(deed, kind, &altered.field, altered.expected);
            if seeds.end - seeds.start == 1 {
                println!("seed {seed}: {}: {answered:?}", altered.story);
            }
        }
        tally.print();
        assert!(faults.is_empty(), "faults: {}", told(&faults));
        tally
    }

    fn alterable(&self) -> Alterable<'_> {
        Alterable::new(&self.answers, &[SHOP, UNPAID], self.tokens)
    }
}

// shows: P2
#[tokio::test]
async fn what_the_hash_binds_is_noticed_and_nothing_else_matters() {
    let chain = Chain::start();
    let field = Field::of(&chain, SHOP_CREDITS, true).await;
    let alterable = field.alterable();
    let tally = field.alter(&alterable, seeds(SEEDS)).await;
    if seeds(SEEDS) == SEEDS {
        assert_covered(&tally, &alterable);
    }
}

/// Under earlier rules blocks lack what later ones have: nobody puts it there.
// shows: P2
#[tokio::test]
async fn what_blocks_of_earlier_rules_do_not_have_cannot_be_put_there() {
    for hardfork in EARLIER {
        let chain = Chain::earlier(hardfork);
        let field = Field::of(&chain, EARLIER_CREDITS, false).await;
        println!("{hardfork}");
        field.alter(&field.alterable(), seeds(EARLIER_SEEDS)).await;
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
