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

fn shared() -> Ownership {
    let access = Access::Groups {
        readers: None,
        writers: None,
    };
    Ownership::of_database(&access).unwrap()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().mode() & MODE_BITS
}

#[test]
fn what_was_made_gets_its_mode_whoever_takes_its_name_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let (made, victim) = (dir.path().join("made"), dir.path().join("victim"));
    std::fs::write(&victim, "").unwrap();
    set_mode(&victim, 0o600).unwrap();
    let file = File::create(&made).unwrap();
    std::fs::rename(&made, dir.path().join("moved")).unwrap();
    std::os::unix::fs::symlink(&victim, &made).unwrap();
    shared().give_file(&file, &made).unwrap();
    assert_eq!(mode(&victim), 0o600);
    assert_eq!(mode(&dir.path().join("moved")), READERS_FILE);
}

#[test]
fn a_start_finishes_what_a_killed_one_began() {
    for torn in [0o750, 0o700, 0o2700] {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("made/confirmd.db");
        std::fs::create_dir(parent(&file)).unwrap();
        set_mode(&parent(&file), torn).unwrap();
        shared().prepare_dir(&file).unwrap();
        assert_eq!(mode(&parent(&file)), READERS_DIR, "{torn:o}");
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("confirmd.db");
    std::fs::write(&file, "").unwrap();
    set_mode(&file, 0o600).unwrap();
    assert!(!shared().prepare_file(&file).unwrap(), "it was there");
    assert_eq!(mode(&file), READERS_FILE);
}

#[test]
fn what_no_start_of_ours_leaves_is_not_finished() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("confirmd.db");
    std::fs::write(&file, "").unwrap();
    set_mode(&file, 0o660).unwrap();
    shared().prepare_file(&file).expect_err("open to more");
    std::fs::write(&file, "x").unwrap();
    set_mode(&file, 0o600).unwrap();
    shared()
        .prepare_file(&file)
        .expect_err("something is in it");
    set_mode(dir.path(), 0o700).unwrap();
    shared().prepare_dir(&file).expect_err("something is in it");
}
