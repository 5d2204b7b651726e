//! Holds docs/reference.md, the page that gateways and operators work with, against the code.
//!
//! Tests only; the columns of the views are held against it where SQL is spoken.

use crate::{
    domain::{
        asset::{AssetCode, ChainKind, ChainName},
        block::{BlockHash, BlockId, BlockRef, Height},
        event::EventKind,
        flags::Flag,
        status::{Reason, Status},
        step::Outcome,
        time::UnixMs,
        transfer::Disposition,
        view::{ChainView, FreezeReason},
    },
    metrics::{ChainLabels, Labels, Metrics},
};
use std::{collections::BTreeSet, fs, path::Path};

const PAGE: &str = include_str!("../docs/reference.md");

/// The part of the page under a heading, up to the next one.
pub(crate) fn section(heading: &str) -> &'static str {
    let (_, after) = PAGE.split_once(&format!("\n{heading}\n")).unwrap();
    after
        .split("\n## ")
        .next()
        .unwrap()
        .split("\n### ")
        .next()
        .unwrap()
}

/// The names in the first cells of the first table of a section.
pub(crate) fn first_cells(section: &str) -> Vec<&str> {
    let rows = section.lines().skip_while(|line| !line.starts_with('|'));
    let rows = rows.take_while(|line| line.starts_with('|'));
    let names = rows.filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    names.collect()
}

/// What every file of the source except tests says.
fn source(folder: &Path, found: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let is_rust = path.extension().is_some_and(|ending| ending == "rs");
        if path.is_dir() && name != "tests" {
            source(&path, found);
        } else if is_rust && !name.starts_with("tests") && name != "reference.rs" {
            found.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

/// The string that the text begins with, and what follows it.
fn literal(text: &str) -> Option<(&str, &str)> {
    text.trim_start().strip_prefix('"')?.split_once('"')
}

#[test]
fn every_refusal_code_is_in_the_reference() {
    let mut text = String::new();
    source(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut text,
    );
    let first = |marker: &str| -> Vec<&str> {
        let calls = text.split(marker).skip(1);
        calls.filter_map(|call| Some(literal(call)?.0)).collect()
    };
    let of_status = text.split("must_be(").skip(1).filter_map(|call| {
        let (_, rest) = literal(call)?;
        Some(literal(rest.strip_prefix(',')?)?.0)
    });
    let mut codes: BTreeSet<&str> = of_status.collect();
    assert_eq!(codes.len(), 5, "{codes:?}");
    codes.extend(first("Refusal::new("));
    let is_code = |name: &&str| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    codes.extend(first(" code: ").into_iter().filter(is_code));
    let told = first_cells(section("## Refusal codes"));
    assert_eq!(told, codes.into_iter().collect::<Vec<_>>());
}

fn view() -> ChainView {
    let block = BlockRef {
        id: BlockId {
            height: Height(1),
            hash: BlockHash([0; 32]),
        },
        parent: BlockHash([0; 32]),
        time: UnixMs(1),
    };
    ChainView {
        name: ChainName::new("bitcoin"),
        kind: ChainKind::Bitcoin,
        scanned: Some(block),
        tip: Some(block),
        finalized: Some(Height(1)),
        safe: None,
        tagged: false,
        agreed: Some(block),
        held: Some(block.id.height),
        traced: Some(Height(1)),
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
fn every_metric_is_in_the_reference_with_its_kind_and_labels() {
    let metrics = Metrics::new(&Labels {
        chains: vec![ChainLabels {
            name: ChainName::new("bitcoin"),
            kind: ChainKind::Bitcoin,
            endpoints: vec!["bitcoind".to_owned()],
        }],
        assets: vec![AssetCode::new("BTC")],
        ..Labels::default()
    })
    .unwrap();
    metrics.chain(&view());
    metrics.balances_told(&ChainName::new("ethereum"), true);
    metrics.endpoint_observer(&ChainName::new("ethereum"))("local", "alive", "");
    let text = metrics.render().unwrap();
    let told = section("## Metrics");
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let ours = types.filter(|family| family.starts_with("confirmd_"));
    let mut names = BTreeSet::new();
    for family in ours {
        let (name, kind) = family.split_once(' ').unwrap();
        let row = told
            .lines()
            .find(|line| line.starts_with(&format!("| `{name}` |")));
        let row = row.unwrap_or_else(|| panic!("{name} is missing"));
        let mut cells = row.split(" |").skip(1);
        let labels = cells.next().unwrap();
        assert!(cells.next().unwrap().trim().starts_with(kind), "{row}");
        for label in labels_of(&text, name) {
            assert!(labels.contains(&format!("`{label}`")), "{label} in {row}");
        }
        names.insert(name);
    }
    assert_eq!(
        first_cells(told).into_iter().collect::<BTreeSet<_>>(),
        names
    );
}

/// The labels of a family's first line; a histogram's `le` is none of ours.
fn labels_of<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    let Some((_, inside)) = line.split_once('{') else {
        return Vec::new();
    };
    let parts = inside
        .split(',')
        .filter_map(|part| Some(part.split_once('=')?.0));
    parts.filter(|label| *label != "le").collect()
}

#[test]
fn every_word_of_the_contract_is_in_the_reference() {
    let words = Status::ALL.iter().map(|word| word.as_str());
    let words = words.chain(Reason::ALL.iter().map(|word| word.as_str()));
    let words = words.chain(Flag::ALL.iter().map(|word| word.as_str()));
    let words = words.chain(Disposition::ALL.iter().map(|word| word.as_str()));
    let words = words.chain(EventKind::ALL.iter().map(|word| word.as_str()));
    let words = words.chain(Outcome::ALL.iter().map(|word| word.as_str()));
    let words = words.chain(FreezeReason::ALL.iter().map(|word| word.as_str()));
    for word in words {
        assert!(PAGE.contains(&format!("`{word}`")), "{word} is missing");
    }
}
