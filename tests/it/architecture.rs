//! The floors of ARCHITECTURE.md, held against what the source files import.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// Every top module and its floor; an import goes to a lower floor, or sideways where listed.
const FLOORS: [(&str, u8); 18] = [
    ("main", 6),
    ("cli", 5),
    ("daemon", 4),
    ("watcher", 3),
    ("sandbox", 3),
    ("chain", 2),
    ("store", 2),
    ("config", 2),
    ("http", 2),
    ("logging", 2),
    ("domain", 1),
    ("clock", 1),
    ("metrics", 1),
    ("health", 1),
    ("crash", 1),
    ("bugs", 1),
    ("random", 1),
    ("lib", 7),
];

/// From, to: neighbours on one floor that may know each other.
const SIDEWAYS: [(&str, &str); 6] = [
    ("chain", "config"),
    ("clock", "domain"),
    ("metrics", "domain"),
    ("health", "domain"),
    ("health", "clock"),
    ("domain", "bugs"),
];

/// What reads or writes anything, tells the time or logs: not in the domain.
const IMPURE: [&str; 12] = [
    "std::fs",
    "std::net",
    "std::io",
    "std::env",
    "std::thread",
    "SystemTime",
    "Instant",
    "tokio",
    "rusqlite",
    "reqwest",
    "tracing",
    "rand",
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every source file that is part of the program, tests and their fixtures aside.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let of_tests =
            ["tests", "testing", "fixture", "fake", "reference"].contains(&name.as_str());
        if path.is_dir() && !of_tests {
            files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") && !of_tests {
            found.push(path);
        }
    }
}

/// The top module that a file belongs to.
fn module_of(path: &Path) -> String {
    let inside = path.strip_prefix(source()).unwrap();
    let first = inside.components().next().unwrap();
    let first = Path::new(first.as_os_str());
    first.file_stem().unwrap().to_str().unwrap().to_owned()
}

/// The code of a file without comments and without its module of tests.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The top modules that code names after `crate::`, alone or in braces.
fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            Some(group) => found.extend(first_words(group)),
            None => found.extend(word(rest)),
        }
    }
    found
}

/// The first word of each member of a group in braces, whose closing brace ends it.
fn first_words(group: &str) -> Vec<String> {
    let (mut depth, mut at_start, mut words) = (0_u32, true, Vec::new());
    for (place, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => at_start = true,
            _ if at_start && !letter.is_whitespace() => {
                words.extend(word(&group[place..]));
                at_start = false;
            }
            _ => {}
        }
    }
    words
}

fn word(text: &str) -> Option<String> {
    let end = text.find(|c: char| !c.is_ascii_lowercase() && c != '_');
    let word = &text[..end.unwrap_or(text.len())];
    (!word.is_empty()).then(|| word.to_owned())
}

fn floor_of(module: &str) -> Option<u8> {
    let found = FLOORS.iter().find(|(name, _)| *name == module);
    found.map(|(_, floor)| *floor)
}

fn may_import(from: &str, to: &str) -> bool {
    let lower = floor_of(to) < floor_of(from);
    from == to || lower || SIDEWAYS.contains(&(from, to))
}

#[test]
fn no_import_goes_up_and_the_domain_reads_and_writes_nothing() {
    let mut all = Vec::new();
    files(&source(), &mut all);
    assert!(all.len() > 100, "the source was found");
    let mut problems = Vec::new();
    for path in all {
        let (module, code) = (module_of(&path), code(&path));
        if floor_of(&module).is_none() {
            problems.push(format!("{}: {module} has no floor", path.display()));
        }
        for import in imports(&code).iter().filter(|i| !may_import(&module, i)) {
            problems.push(format!("{}: imports {import}", path.display()));
        }
        let impure = IMPURE.iter().filter(|_| module == "domain");
        for what in impure.filter(|what| code.contains(**what)) {
            problems.push(format!("{}: names {what}", path.display()));
        }
    }
    assert_eq!(problems, Vec::<String>::new());
}

#[test]
fn imports_are_read_alone_and_in_braces() {
    let code = "use crate::{\n    chain::{Ask, a},\n    domain::x,\n};\ncrate::store::Store";
    let found: Vec<String> = imports(code).into_iter().collect();
    assert_eq!(found, ["chain", "domain", "store"]);
    assert!(!may_import("domain", "store") && !may_import("chain", "store"));
    assert!(may_import("watcher", "store") && may_import("chain", "config"));
}
