//! Names beside a file, and ownership.

use super::*;

#[test]
fn companions_lie_beside_their_file() {
    let path = Path::new("/var/lib/confirmd/confirmd.db");
    let wal = Path::new("/var/lib/confirmd/confirmd.db-wal");
    assert_eq!(beside(path, "-wal"), wal);
    assert_eq!(parent(path), Path::new("/var/lib/confirmd"));
    assert_eq!(parent(Path::new("confirmd.db")), Path::new("."));
}

#[test]
fn a_foreign_owner_is_refused_with_a_command() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    std::fs::write(&path, "").unwrap();
    set_mode(&path, READERS_FILE).unwrap();
    let access = Access::Groups {
        readers: None,
        writers: None,
    };
    let mut owner = Ownership::of_database(&access).unwrap();
    owner.check_file(&path).expect("our own file");
    owner.uid = Uid::from_raw(owner.uid.as_raw().wrapping_add(1));
    let refused = owner.check_file(&path).expect_err("not theirs");
    let OpenError::Permissions { command, .. } = refused else {
        panic!("{refused:?}");
    };
    assert!(command.starts_with("chown "), "{command}");
    assert!(command.contains("chmod 0640 '"), "{command}");
}

#[test]
fn a_link_is_no_file_of_ours() {
    let dir = tempfile::tempdir().unwrap();
    let (target, link) = (dir.path().join("a"), dir.path().join("b"));
    std::fs::write(&target, "").unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    let owner = Ownership::of_database(&Access::Private).unwrap();
    assert!(owner.check_file(&target).unwrap());
    let refused = owner.check_file(&link);
    assert!(
        matches!(refused, Err(OpenError::Foreign { .. })),
        "{refused:?}"
    );
}

#[test]
fn root_is_told_to_become_the_owner() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    std::fs::write(&path, "").unwrap();
    if Uid::effective().is_root() {
        std::os::unix::fs::chown(&path, Some(65_534), None).unwrap();
    }
    let access = Access::Groups {
        readers: None,
        writers: None,
    };
    let mut owner = Ownership::of_database(&access).unwrap();
    owner.uid = Uid::from_raw(0);
    let refused = owner.check_file(&path).expect_err("not root's");
    let OpenError::Permissions { command, .. } = refused else {
        panic!("{refused:?}");
    };
    assert!(command.starts_with("runuser -u "), "{command}");
}
