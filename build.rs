//! Tells the binary which revision it was built from, for `confirmd_build_info`: what the variable
//! `CONFIRMD_REVISION` says, or what a release is built from where git keeps it. Runs nothing and
//! fails for nothing; without either the revision is empty.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

fn main() {
    println!("cargo::rerun-if-env-changed=CONFIRMD_REVISION");
    let named = env::var("CONFIRMD_REVISION").ok();
    let revision = named.filter(|named| !named.is_empty()).or_else(|| {
        // Everything else would be compiled anew after every commit.
        let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
        let head = is_release.then(|| Head::of(Path::new(".")))??;
        for file in &head.files {
            println!("cargo::rerun-if-changed={}", file.display());
        }
        Some(head.revision)
    });
    println!(
        "cargo::rustc-env=CONFIRMD_REVISION={}",
        revision.unwrap_or_default()
    );
}

/// The commit that is checked out.
#[derive(Debug, PartialEq, Eq)]
pub struct Head {
    /// Its hash.
    pub revision: String,
    /// The files that said so.
    pub files: Vec<PathBuf>,
}

impl Head {
    /// What git keeps about the working tree in this directory.
    #[must_use]
    pub fn of(tree: &Path) -> Option<Self> {
        let own = git_dir(tree)?;
        let head = own.join("HEAD");
        let text = read(&head)?;
        let Some(name) = text.strip_prefix("ref: ") else {
            return Self::told_by(&text, vec![head]);
        };
        // A linked working tree has a HEAD of its own; branches are kept for all.
        let common = read(&own.join("commondir")).map_or_else(|| own.clone(), |dir| own.join(dir));
        let (loose, packed) = (common.join(name), common.join("packed-refs"));
        if let Some(revision) = read(&loose) {
            return Self::told_by(&revision, vec![head, loose]);
        }
        // The next commit writes a file here, where there is none now.
        let mut folders = loose.ancestors().skip(1);
        let folder = folders.find(|folder| folder.is_dir())?.to_owned();
        let all = read(&packed)?;
        let is_ours = |line: &&str| line.split_once(' ').is_some_and(|(_, other)| other == name);
        let (revision, _) = all.lines().find(is_ours)?.split_once(' ')?;
        Self::told_by(revision, vec![head, packed, folder])
    }

    fn told_by(revision: &str, files: Vec<PathBuf>) -> Option<Self> {
        let is_hash = revision.len() >= 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hash.then(|| Self {
            revision: revision.to_owned(),
            files,
        })
    }
}

/// `.git` is a directory, or in a linked working tree a file that names one.
fn git_dir(tree: &Path) -> Option<PathBuf> {
    let git = tree.join(".git");
    if git.is_dir() {
        return Some(git);
    }
    let named = read(&git)?;
    Some(tree.join(named.strip_prefix("gitdir: ")?))
}

fn read(file: &Path) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    Some(text.trim_end().to_owned())
}
