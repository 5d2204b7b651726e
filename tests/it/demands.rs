//! The table of `tests/README.md`: what is demanded (`tests/demands.txt`), and the tests that say
//! of themselves that they show it. A text scenario says so in its line `shows:`, a Rust test in a
//! comment `shows:` above its attributes, or inside its body above the row of a table.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::{Path, PathBuf},
};

/// Between these the table stands.
const BEGIN: &str = "<!-- generated: CONFIRMD_WRITE_TABLE=1 scripts/test demands:: -->\n";
const END: &str = "<!-- end of what is generated -->\n";

/// What stands before the ids in a comment of a Rust test.
const MARKER: &str = concat!("// shows", ": ");

struct Demand {
    id: String,
    words: String,
    /// What has to come first.
    later: Option<String>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn demands() -> Vec<Demand> {
    let text = std::fs::read_to_string(root().join("tests/demands.txt")).unwrap();
    let demand = |line: &str| {
        let (id, words) = line.split_once(' ').unwrap();
        let (words, later) = match words.split_once(" | later: ") {
            Some((words, later)) => (words, Some(later.to_owned())),
            None => (words, None),
        };
        Demand {
            id: id.to_owned(),
            words: words.to_owned(),
            later,
        }
    };
    text.lines().map(demand).collect()
}

fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, ending, found);
        } else if path.extension().is_some_and(|own| own == ending) {
            found.push(path);
        }
    }
}

/// Which tests show each id, by the words of the tests themselves.
fn shown() -> BTreeMap<String, BTreeSet<String>> {
    let (mut rust, mut scenarios) = (Vec::new(), Vec::new());
    files(&root().join("src"), "rs", &mut rust);
    files(&root().join("tests/it"), "rs", &mut rust);
    files(&root().join("tests/scenarios"), "txt", &mut scenarios);
    let mut shown: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut show = |ids: &str, test: &str| {
        for id in ids.split_whitespace() {
            let tests = shown.entry(id.to_owned()).or_default();
            tests.insert(test.to_owned());
        }
    };
    for path in scenarios {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let ids = text.lines().find_map(|line| line.strip_prefix("shows:"));
        show(ids.unwrap(), &format!("[{name}](scenarios/{name}.txt)"));
    }
    for path in rust {
        let text = std::fs::read_to_string(&path).unwrap();
        let inside = path.strip_prefix(root()).unwrap().to_str().unwrap();
        for (ids, name) in marked(&text) {
            assert!(
                is_run(&text, name),
                "{inside}: {name} is no test that is run"
            );
            show(ids, &format!("[{name}](../{inside})"));
        }
    }
    shown
}

/// The ids of each marker, and the test that it marks: the next one, when it stands above the
/// attributes of one, else the one that it stands in.
fn marked(text: &str) -> Vec<(&str, &str)> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(ids) = line.strip_prefix(MARKER) else {
            continue;
        };
        let is_above = lines.get(at + 1).is_some_and(|next| next.starts_with("#["));
        let marked = if is_above {
            lines[at..].iter().find_map(|line| function(line))
        } else {
            lines[..at].iter().rev().find_map(|line| function(line))
        };
        found.push((ids, marked.unwrap_or("nothing")));
    }
    found
}

/// Whether the test runner runs this function of a text: it is a test, and not left out.
fn is_run(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let here = lines.iter().position(|line| function(line) == Some(name));
    let above = here
        .map(|here| lines[..here].iter().rev())
        .into_iter()
        .flatten();
    let attributes: Vec<&&str> = above.take_while(|line| line.starts_with("#[")).collect();
    let is_test = |line: &&&str| {
        ["#[test]", "#[tokio::test"]
            .iter()
            .any(|test| line.starts_with(test))
    };
    attributes.iter().any(is_test) && !attributes.iter().any(|line| line.starts_with("#[ignore"))
}

/// The name of the function that a line begins.
fn function(line: &str) -> Option<&str> {
    let line = line.strip_prefix("pub ").unwrap_or(line);
    let line = line.strip_prefix("async ").unwrap_or(line);
    line.strip_prefix("fn ")?.split(['(', '<']).next()
}

fn table() -> String {
    let shown = shown();
    let mut table =
        "| id | what is demanded | tests that show it |\n| --- | --- | --- |\n".to_owned();
    for demand in demands() {
        let tests = shown.get(&demand.id).into_iter().flatten();
        let tests: Vec<&str> = tests.map(String::as_str).collect();
        let later = demand.later.map(|later| format!("later: {later}"));
        let cell = later.unwrap_or_else(|| tests.join("<br>"));
        writeln!(table, "| {} | {} | {cell} |", demand.id, demand.words).unwrap();
    }
    table
}

#[test]
fn the_table_in_the_readme_is_what_the_tests_say() {
    let path = root().join("tests/README.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (found, after) = rest.split_once(END).unwrap();
    let table = format!("\n{}\n", table());
    if std::env::var_os("CONFIRMD_WRITE_TABLE").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
        return;
    }
    assert!(
        found == table,
        "tests/README.md is old: CONFIRMD_WRITE_TABLE=1 scripts/test demands:: writes the table anew"
    );
}

#[test]
fn every_demand_is_shown_or_says_what_it_waits_for() {
    let (shown, demands) = (shown(), demands());
    let wrong = demands
        .iter()
        .filter(|demand| shown.contains_key(&demand.id) == demand.later.is_some());
    let wrong: Vec<&str> = wrong.map(|demand| demand.id.as_str()).collect();
    assert!(
        wrong.is_empty(),
        "neither shown nor later, or both: {wrong:?}"
    );
    let known: BTreeSet<&String> = demands.iter().map(|demand| &demand.id).collect();
    let unknown: Vec<&String> = shown.keys().filter(|id| !known.contains(id)).collect();
    assert!(unknown.is_empty(), "nobody demands {unknown:?}");
}

#[test]
fn a_marker_belongs_to_the_test_below_or_around_it() {
    let text = "MARKF1 F2\n#[test]\n#[ignore]\nfn first() {\n    MARKF3\n    (1, 2),\n}\n\n\
                MARKP1\n#[tokio::test]\nasync fn second() {}\nMARKA1\n";
    let text = text.replace("MARK", MARKER);
    let expected = [
        ("F1 F2", "first"),
        ("F3", "first"),
        ("P1", "second"),
        ("A1", "second"),
    ];
    assert_eq!(marked(&text), expected);
    let run = ["first", "second", "third"].map(|name| is_run(&text, name));
    assert_eq!(
        run,
        [false, true, false],
        "the first is left out, the third not there"
    );
}
