//! One alteration of one answer, drawn from a seed, and what must come of it.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, hex};
use confirmd::random::Random;
use serde_json::{Value, json};

use super::bound::{is_bound, is_read_all_the_same, meaning, type_of};
use super::deeds::{Deed, suits};
use super::doing::{self, Done};
use super::fitted;
use super::recorded::{Answer, Kind, Lie};
use super::spots::{Object, Spot, spots};

/// Draws before a deed is taken to be impossible.
const DRAWS_MAX: u32 = 10_000;

/// What must come of an alteration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Expected {
    /// An error: the hash binds what is altered.
    Noticed,
    /// The same facts: the hash does not bind it, and it is not used.
    Unchanged,
    /// Either of both: it means the same, in another spelling, or it is read for its shape alone.
    Either,
}

/// An alteration.
pub struct Altered {
    pub deed: Deed,
    /// Of the answer that was drawn.
    pub at: usize,
    /// Which field of what.
    pub field: String,
    pub expected: Expected,
    pub lies: Vec<Lie>,
    /// For people: where, from what, to what.
    pub story: String,
}

/// Answers with all their spots, from which alterations are drawn.
pub struct Alterable<'a> {
    pub answers: &'a [Answer],
    spots: Vec<Vec<Spot>>,
    watched: Vec<Address>,
    tokens: [Address; 2],
    suitable: BTreeMap<Deed, Vec<Vec<Place>>>,
}

/// Which answer, and which of its spots.
type Place = (usize, usize);

impl<'a> Alterable<'a> {
    pub fn new(answers: &'a [Answer], watched: &[Address], tokens: [Address; 2]) -> Self {
        let mut new = Self {
            answers,
            spots: answers.iter().map(spots).collect(),
            watched: watched.to_vec(),
            tokens,
            suitable: BTreeMap::new(),
        };
        let suitable = Deed::ALL.map(|deed| (deed, new.suitable(deed)));
        new.suitable = suitable.into();
        new
    }

    /// The alteration of this seed.
    pub fn of_seed(&self, seed: u64) -> Altered {
        self.drawn(&mut Random::new(seed), |_| true)
    }

    /// The first alteration that these numbers give and that is wanted. Every deed is drawn as often as any other,
    /// and so is every field, however often it occurs.
    pub fn drawn(&self, random: &mut Random, wanted: impl Fn(&Altered) -> bool) -> Altered {
        for _ in 0..DRAWS_MAX {
            let deed = *random.pick(&Deed::ALL).expect("deeds");
            let groups = &self.suitable[&deed];
            let group = random.pick(groups).expect("a place for every deed");
            let place = *random.pick(group).expect("places");
            if let Some(altered) = self.altered(deed, place, random).filter(&wanted) {
                return altered;
            }
        }
        panic!("nothing can be altered so");
    }

    /// The places where a deed can be done, those of the same field together.
    fn suitable(&self, deed: Deed) -> Vec<Vec<Place>> {
        let mut groups: BTreeMap<(Kind, String), Vec<Place>> = BTreeMap::new();
        for (at, answer) in self.answers.iter().enumerate() {
            for (nth, spot) in self.spots[at].iter().enumerate() {
                if suits(deed, spot, answer) {
                    let group = (answer.kind, name(answer, spot));
                    groups.entry(group).or_default().push((at, nth));
                }
            }
        }
        groups.into_values().collect()
    }

    /// The names of all fields that these answers have.
    pub fn fields(&self) -> BTreeSet<String> {
        let all = self.answers.iter().zip(&self.spots);
        let all = all.flat_map(|(answer, spots)| spots.iter().map(|spot| name(answer, spot)));
        all.collect()
    }

    fn places(&self, fits: impl Fn(&Answer) -> bool) -> Vec<usize> {
        let places = self.answers.iter().enumerate();
        places
            .filter(|(_, answer)| fits(answer))
            .map(|(at, _)| at)
            .collect()
    }

    fn altered(&self, deed: Deed, place: Place, random: &mut Random) -> Option<Altered> {
        let at = place.0;
        let answer = &self.answers[at];
        if deed == Deed::Fitted {
            return self.fitted(at, random);
        }
        let done = self.done(deed, place, random)?;
        let text = doing::text(&done);
        if !done.twice && done.value == answer.truth {
            return None;
        }
        let show = |value: Option<&Value>| {
            let text = value.map_or_else(|| "nothing".to_owned(), Value::to_string);
            text.chars().take(200).collect::<String>()
        };
        let pointer = &done.spot.pointer;
        Some(Altered {
            deed,
            at,
            field: if deed == Deed::Invented {
                format!("{:?} (invented)", done.spot.object)
            } else {
                name(answer, &done.spot)
            },
            expected: expected(deed, answer, &done),
            story: format!(
                "{deed:?} {} at {pointer:?} of {}: {} -> {}",
                done.other.as_deref().unwrap_or_default(),
                answer.call,
                show(answer.truth.pointer(pointer)),
                show(done.value.pointer(pointer)),
            ),
            lies: vec![(answer.call.clone(), text)],
        })
    }

    /// A lie that fits itself: only the hash that was asked for says that it is one.
    fn fitted(&self, at: usize, random: &mut Random) -> Option<Altered> {
        let answer = &self.answers[at];
        let own = |kind| {
            let mut all = self.answers.iter();
            all.find(|other| other.kind == kind && other.block == answer.block)
        };
        let (block, receipts) = (own(Kind::Block)?, own(Kind::Receipts)?);
        let (spot, lies) = match answer.kind {
            Kind::Block => ("Transaction.value", fitted::transactions(block, random)?),
            Kind::Receipts => ("Receipt.logs", fitted::receipts(block, receipts, random)?),
            Kind::Header | Kind::Tag => return None,
        };
        Some(Altered {
            deed: Deed::Fitted,
            at,
            field: spot.to_owned(),
            expected: Expected::Noticed,
            story: format!("Fitted {spot} of {}", answer.call),
            lies,
        })
    }

    fn done(&self, deed: Deed, (at, nth): Place, random: &mut Random) -> Option<Done> {
        let answer = &self.answers[at];
        if deed == Deed::OtherBlock {
            return self.other_block(at, random);
        }
        let spot = self.spots[at][nth].clone();
        let mut done = Done {
            value: answer.truth.clone(),
            spot,
            twice: false,
            other: None,
        };
        self.apply(deed, at, &mut done, random).map(|()| done)
    }

    fn apply(&self, deed: Deed, at: usize, done: &mut Done, random: &mut Random) -> Option<()> {
        let spot = done.spot.clone();
        let value = done.value.pointer_mut(&spot.pointer).expect("a spot");
        match deed {
            Deed::Digit => *value = doing::other_digit(value, random)?,
            Deed::Shorter => {
                let text = value.as_str()?;
                let kept = text.len().checked_sub(2).filter(|kept| *kept > 3)?;
                *value = text[..kept].into();
            }
            Deed::Longer => *value = format!("{}{:02x}", value.as_str()?, random.below(256)).into(),
            Deed::Null => *value = Value::Null,
            Deed::OtherType => *value = doing::other_type(value, random),
            Deed::Uppercase => {
                let digits = value.as_str()?.strip_prefix("0x")?.to_uppercase();
                let prefix = if random.chance(300) { "0X" } else { "0x" };
                *value = format!("{prefix}{digits}").into();
            }
            Deed::LeadingZero => {
                *value = format!("0x0{}", value.as_str()?.strip_prefix("0x")?).into();
            }
            Deed::WithoutPrefix => *value = value.as_str()?.strip_prefix("0x")?.into(),
            Deed::FromElsewhere => *value = self.elsewhere(at, &spot, random)?,
            Deed::MoreMoney => {
                let digits = value.as_str()?.strip_prefix("0x")?;
                let more = format!("{:x}{}", random.between(1, 15), digits.get(1..)?);
                *value = format!("0x{more}").into();
            }
            Deed::Succeeded => *value = "0x1".into(),
            Deed::WatchedToken => *value = json!(random.pick(&self.tokens)?),
            Deed::WatchedRecipient => {
                let watched = random.pick(&self.watched)?;
                *value = if spot.field == "to" {
                    json!(watched)
                } else {
                    json!(watched.into_word())
                };
            }
            Deed::Missing => return doing::leave_out(done),
            Deed::Renamed => return doing::rename(done, random),
            Deed::Invented => return doing::invent(done, random),
            Deed::Twice => return doing::say_twice(done, random),
            Deed::FieldsExchanged => return doing::exchange_fields(done, random),
            Deed::Withheld => return doing::withhold(value.as_array_mut()?, random),
            Deed::Repeated => return doing::repeat(value.as_array_mut()?, random),
            Deed::Reordered => return doing::reorder(value.as_array_mut()?, random),
            Deed::Added => {
                let entry = self.entry(&spot.field, random)?;
                return doing::add(value.as_array_mut()?, entry, random);
            }
            Deed::Emptied => value.as_array_mut()?.clear(),
            Deed::LogsExchanged => return doing::exchange_logs(&mut done.value, random),
            Deed::OtherBlock | Deed::Fitted => return None,
        }
        Some(())
    }

    fn other_block(&self, at: usize, random: &mut Random) -> Option<Done> {
        let own = &self.answers[at];
        let others = self.places(|other| other.kind == own.kind && other.block != own.block);
        let other = &self.answers[*random.pick(&others)?].truth;
        let instead = [
            other.clone(),
            Value::Null,
            json!([]),
            json!({}),
            json!("0x"),
        ];
        // A header that is not there is none.
        let instead = if own.kind == Kind::Header || random.chance(500) {
            &instead[0]
        } else {
            random.pick(&instead[1..])?
        };
        Some(Done {
            value: instead.clone(),
            spot: whole(own.kind),
            twice: false,
            other: None,
        })
    }

    /// What the same field says somewhere else.
    fn elsewhere(&self, at: usize, spot: &Spot, random: &mut Random) -> Option<Value> {
        let kind = self.answers[at].kind;
        let others = self.places(|other| other.kind == kind);
        let other = *random.pick(&others)?;
        let like = |one: &&Spot| {
            (one.object, &one.field, one.is_field()) == (spot.object, &spot.field, spot.is_field())
        };
        let like: Vec<&Spot> = self.spots[other].iter().filter(like).collect();
        let pointer = &random.pick(&like)?.pointer;
        self.answers[other].truth.pointer(pointer).cloned()
    }

    /// Something that might be in such a list.
    fn entry(&self, field: &str, random: &mut Random) -> Option<Value> {
        match field {
            "withdrawals" => return Some(doing::withdrawal()),
            "uncles" => return Some(json!(format!("0x{}", hex::encode(random.bytes::<32>())))),
            _ => {}
        }
        let mut entries: Vec<&Value> = Vec::new();
        for (answer, spots) in self.answers.iter().zip(&self.spots) {
            let lists = spots.iter().filter(|spot| spot.field == field);
            let lists = lists.filter_map(|spot| answer.truth.pointer(&spot.pointer)?.as_array());
            entries.extend(lists.flatten());
        }
        random.pick(&entries).copied().cloned()
    }
}

/// The spot of a whole answer.
fn whole(kind: Kind) -> Spot {
    let (object, field) = match kind {
        Kind::Receipts => (Object::Receipt, "receipts"),
        Kind::Header | Kind::Tag | Kind::Block => (Object::Block, "whole"),
    };
    Spot {
        object,
        field: field.to_owned(),
        owner: String::new(),
        pointer: String::new(),
    }
}

/// As tables name a field: fields of transactions by their types, which have rules of their own.
fn name(answer: &Answer, spot: &Spot) -> String {
    let Spot { object, field, .. } = spot;
    if *object != Object::Transaction {
        return format!("{object:?}.{field}");
    }
    let tx_type = answer.truth.pointer(&spot.owner).map_or(0, type_of);
    format!("{object:?} {tx_type}.{field}")
}

/// What the hash says must come of it, by a table that people wrote.
fn expected(deed: Deed, answer: &Answer, done: &Done) -> Expected {
    let Done { spot, .. } = done;
    let kind = answer.kind;
    let owner = answer.truth.pointer(&spot.owner).unwrap_or(&Value::Null);
    let is_known = spot.field != "whole";
    let is_bound = !is_known || is_bound(kind, spot, type_of(owner));
    if done.twice {
        return match (is_bound, is_read_all_the_same(spot.object, &spot.field)) {
            (true, _) => Expected::Noticed,
            (false, true) => Expected::Either,
            (false, false) => Expected::Unchanged,
        };
    }
    let is_other = meaning(kind, &done.value) != meaning(kind, &answer.truth);
    if deed == Deed::Digit {
        assert_eq!(
            is_other, is_bound,
            "{spot:?}: the tables contradict each other"
        );
    }
    if is_other {
        return Expected::Noticed;
    }
    let touched = [Some(&spot.field), done.other.as_ref()];
    let mut touched = touched.into_iter().flatten();
    let is_read = touched.any(|field| is_read_all_the_same(spot.object, field));
    if is_read || (is_bound && !adds_only(answer, done)) {
        Expected::Either
    } else {
        Expected::Unchanged
    }
}

/// Whether everything that was there is there still, as it was.
fn adds_only(answer: &Answer, done: &Done) -> bool {
    let (Some(Value::Object(before)), Some(Value::Object(after))) = (
        answer.truth.pointer(&done.spot.owner),
        done.value.pointer(&done.spot.owner),
    ) else {
        return false;
    };
    before
        .iter()
        .all(|(name, value)| after.get(name) == Some(value))
}
