//! The fuzz targets on their corpus and on mutations of it, the same in every run.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use confirmd::random::Random;

#[path = "../../fuzz/src/lib.rs"]
mod targets;

/// How often each file is changed at random.
const MUTATIONS: u64 = 1_000;

/// Changes of one mutation, at most.
const MAX_CHANGES: u64 = 4;

/// What parsers stumble over.
const INTERESTING: [&[u8]; 14] = [
    b"0",
    b"-1",
    b"1e9",
    b"18446744073709551616",
    b"null",
    b"{}",
    b"[",
    b"\"",
    b"\\u0000",
    b"0x",
    b"\n",
    b"\xff",
    b"\xfd\xff\xff",
    b"\x00\x00\x00\x00",
];

fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let files =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    let read = |path: PathBuf| (path.clone(), fs::read(path).expect("a file"));
    paths.into_iter().map(read).collect()
}

/// Something like it, which may also have a part of the other.
fn mutation(of: &[u8], other: &[u8], dice: &mut Random) -> Vec<u8> {
    let mut data = of.to_vec();
    for _ in 0..dice.between(1, MAX_CHANGES) {
        let from = place(&data, dice);
        let to = from + place(&data[from..], dice).min(64);
        match dice.below(7) {
            0 => data.truncate(from),
            1 => drop(data.drain(from..to)),
            2 => data.extend_from_within(from..to),
            3 => drop(data.splice(
                from..to,
                other[place(other, dice)..].iter().copied().take(64),
            )),
            4 => {
                let word = INTERESTING[usize::try_from(dice.below(14)).expect("an index")];
                drop(data.splice(from..from, word.iter().copied()));
            }
            _ => {
                if let Some(byte) = data.get_mut(from) {
                    *byte = like(*byte, dice);
                }
            }
        }
    }
    data
}

/// A place in the data, or its end.
fn place(data: &[u8], dice: &mut Random) -> usize {
    let end = u64::try_from(data.len()).expect("a length");
    usize::try_from(dice.between(0, end)).expect("a place")
}

/// Another digit for a digit, mostly, so that more gets past the first look.
fn like(byte: u8, dice: &mut Random) -> u8 {
    let digits: &[u8] = b"0123456789abcdef";
    if digits.contains(&byte) && !dice.chance(100) {
        *dice.pick(digits).expect("a digit")
    } else {
        byte ^ (1 << dice.below(8))
    }
}

#[test]
fn every_target_holds_for_its_corpus_and_what_is_like_it() {
    let mut dice = Random::new(7);
    for (name, target) in targets::TARGETS {
        let corpus = corpus(name);
        assert!(corpus.len() > 3, "{name} has next to no corpus");
        let taken = corpus.iter().filter(|(_, data)| target(data)).count();
        assert!(taken > 1, "{name} takes next to nothing of its corpus");
        for (path, data) in &corpus {
            println!("{}", path.display());
            for _ in 0..MUTATIONS {
                let (_, other) = dice.pick(&corpus).expect("a file");
                let (seed, mut dice) = (dice.clone(), dice.fork());
                let mutated = mutation(data, other, &mut dice);
                let run = std::panic::catch_unwind(|| target(&mutated));
                assert!(run.is_ok(), "{seed:?}: {}", mutated.escape_ascii());
            }
        }
    }
}

/// What cargo-fuzz runs is what is run here.
#[test]
fn every_target_has_a_program_and_a_corpus() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let named = |folder: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(root.join(folder)).expect("a folder");
        let stem = |path: PathBuf| path.file_stem()?.to_str().map(str::to_owned);
        entries
            .filter_map(|entry| stem(entry.ok()?.path()))
            .collect()
    };
    let expected: BTreeSet<String> = targets::TARGETS.map(|(name, _)| name.to_owned()).into();
    assert_eq!(named("fuzz_targets"), expected);
    assert_eq!(named("corpus"), expected);
    let manifest = fs::read_to_string(root.join("Cargo.toml")).expect("a manifest");
    for name in expected {
        assert!(
            manifest.contains(&format!("\"fuzz_targets/{name}.rs\"")),
            "{name}"
        );
    }
}
