//! Which revision a release says that it was built from.

#[path = "../../build.rs"]
#[expect(dead_code, reason = "cargo runs `main`")]
mod build;

use std::fs;
use std::path::Path;

use build::Head;

use crate::nodes::scratch_folder;

const REVISION: &str = "0123456789abcdef0123456789abcdef01234567";

/// The revision of a working tree `tree` in a folder with these files.
fn revision(files: &[(&str, &str)]) -> Option<String> {
    let folder = scratch_folder();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    let head = Head::of(&folder.path().join("tree"))?;
    assert!(head.files.iter().all(|file| file.exists()), "{head:?}");
    Some(head.revision)
}

#[test]
fn the_revision_is_found_wherever_git_keeps_it() {
    let loose = format!("{REVISION}\n");
    let packed = format!("# pack-refs with: peeled\n{REVISION} refs/heads/main\n");
    let branch = "ref: refs/heads/main\n";
    let linked = ("tree/.git", "gitdir: ../repo/.git/worktrees/tree\n");
    let cases: [(&str, &[(&str, &str)]); 4] = [
        ("detached", &[("tree/.git/HEAD", &loose)]),
        (
            "a branch",
            &[
                ("tree/.git/HEAD", branch),
                ("tree/.git/refs/heads/main", &loose),
            ],
        ),
        (
            "a packed branch",
            &[
                ("tree/.git/HEAD", branch),
                ("tree/.git/packed-refs", &packed),
            ],
        ),
        (
            "a linked working tree",
            &[
                linked,
                ("repo/.git/worktrees/tree/HEAD", branch),
                ("repo/.git/worktrees/tree/commondir", "../..\n"),
                ("repo/.git/refs/heads/main", &loose),
            ],
        ),
    ];
    for (what, files) in cases {
        assert_eq!(revision(files).as_deref(), Some(REVISION), "{what}");
    }
}

#[test]
fn the_commit_after_a_packed_one_is_noticed() {
    let folder = scratch_folder();
    let git = folder.path().join(".git");
    fs::create_dir_all(git.join("refs/heads")).expect("a folder");
    fs::write(git.join("HEAD"), "ref: refs/heads/main\n").expect("a file");
    let packed = format!("{REVISION} refs/heads/main\n");
    fs::write(git.join("packed-refs"), packed).expect("a file");
    let head = Head::of(folder.path()).expect("a revision");
    // The next commit makes a file in it.
    assert!(head.files.contains(&git.join("refs/heads")), "{head:?}");
}

#[test]
fn without_git_there_is_no_revision_and_no_failure() {
    for files in [
        &[][..],
        &[("tree/.git", "rubbish")],
        &[("tree/.git/HEAD", "rubbish\n")],
        &[("tree/.git/HEAD", "ref: refs/heads/main\n")],
    ] {
        assert_eq!(revision(files), None, "{files:?}");
    }
}

#[test]
fn this_working_tree_says_what_git_says() {
    let tree = Path::new(env!("CARGO_MANIFEST_DIR"));
    let git = std::process::Command::new("git")
        .args(["rev-parse", "HEAD"])
        .current_dir(tree)
        .output();
    let Some(git) = git.ok().filter(|git| git.status.success()) else {
        return; // a tree without git has nothing to compare with
    };
    let told = String::from_utf8(git.stdout).expect("a hash");
    let head = Head::of(tree).map(|head| head.revision);
    assert_eq!(head.as_deref(), Some(told.trim_end()));
}
