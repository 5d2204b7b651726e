//! An inbox whose directory or contents a hostile gateway made: nothing of ours is touched.

use super::*;

/// What somebody does to the inbox, and a word of what is said about it.
type Trick = (&'static str, fn(&Path));

const TRICKS: [Trick; 11] = [
    ("-journal is not a plain file", |path| {
        mkfifo(&files::beside(path, "-journal"), Mode::S_IRWXU).unwrap();
    }),
    ("-journal is not a plain file", |path| {
        std::os::unix::fs::symlink("/dev/zero", files::beside(path, "-journal")).unwrap();
    }),
    ("not those of an inbox", |path| {
        sql(path, "DROP TRIGGER request_no_delete");
    }),
    ("not those of an inbox", |path| {
        sql(path, "CREATE TABLE more (a)");
    }),
    ("not those of an inbox", |path| {
        sql(path, "ALTER TABLE request ADD COLUMN more TEXT");
    }),
    ("no inbox of this confirmd", |path| {
        sql(path, "PRAGMA application_id = 1");
    }),
    ("no inbox of this confirmd", |path| {
        sql(path, "PRAGMA user_version = 2");
    }),
    ("switched to WAL", |path| {
        let conn = Connection::open(path).unwrap();
        conn.pragma_update(None, "journal_mode", "wal").unwrap();
        std::mem::forget(conn);
    }),
    ("not a plain file", |path| {
        std::fs::remove_file(path).unwrap();
        std::fs::create_dir(path).unwrap();
    }),
    ("not a database", |path| {
        std::fs::write(path, "x".repeat(9000)).unwrap();
    }),
    ("No such file", |path| std::fs::remove_file(path).unwrap()),
];

#[test]
fn an_inbox_that_is_not_ours_is_not_read() {
    for (why, trick) in TRICKS {
        let (_dir, path) = inbox();
        trick(&path);
        let refused = read(&path, None).expect_err(why);
        assert!(refused.to_string().contains(why), "{why}: {refused}");
        InboxWriter::open(&path).expect_err(why);
    }
}

#[test]
fn a_link_to_another_file_is_not_followed() {
    let (dir, path) = inbox();
    let (_elsewhere, target) = inbox();
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(&target, &path).unwrap();
    let refused = read(&path, None).expect_err("a symbolic link");
    assert!(
        refused.to_string().contains("not a plain file"),
        "{refused}"
    );
    InboxWriter::open(&path).expect_err("a symbolic link");
    std::fs::remove_file(&path).unwrap();
    let second_name = dir.path().join("second-name.db");
    std::fs::copy(&target, &second_name).unwrap();
    std::fs::hard_link(&second_name, &path).unwrap();
    let refused = read(&path, None).expect_err("a hard link");
    assert!(
        refused.to_string().contains("not a plain file"),
        "{refused}"
    );
}

#[test]
fn the_path_to_an_inbox_may_lead_over_a_link() {
    let (dir, path) = inbox();
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(path.parent().unwrap(), &link).unwrap();
    read(&link.join("inbox.db"), None).expect("the operator made this link");
}

/// A file that SQLite takes for a super-journal of this inbox. Versions before 3.54 ask neither
/// for its name nor for its contents, so any file could be the victim there.
fn victim(dir: &Path, inbox: &Path) -> PathBuf {
    let victim = dir.join("victim-mj000000900");
    let journal = files::beside(inbox, "-journal");
    std::fs::write(&victim, format!("{}\0", journal.display())).unwrap();
    victim
}

/// A rollback journal that is hot and names `victim` as its super-journal: whoever rolls it back
/// deletes that file.
fn forged_journal(inbox: &Path, victim: &Path) -> Vec<u8> {
    let pages = u32::try_from(std::fs::metadata(inbox).unwrap().len() / 4096).unwrap();
    let name = victim.to_str().unwrap().as_bytes();
    let mut journal = vec![0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
    for field in [0_u32, 7, pages, 512, 4096] {
        journal.extend(field.to_be_bytes());
    }
    journal.resize(512, 0);
    let checksum = name.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    journal.extend((0x4000_0000_u32 / 4096 + 1).to_be_bytes());
    journal.extend(name);
    journal.extend(u32::try_from(name.len()).unwrap().to_be_bytes());
    journal.extend(checksum.to_be_bytes());
    journal.extend([0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7]);
    journal
}

#[test]
fn a_forged_journal_beside_the_inbox_touches_nothing() {
    let (dir, path) = inbox();
    let journal = files::beside(&path, "-journal");
    let victim = victim(dir.path(), &path);
    let forged = forged_journal(&path, &victim);
    std::fs::write(&journal, &forged).unwrap();
    let before = std::fs::read(&path).unwrap();
    let refused = read(&path, None).expect_err("a hot journal");
    assert!(refused.to_string().contains("left a journal"), "{refused}");
    assert!(victim.exists());
    assert_eq!(std::fs::read(&journal).unwrap(), forged);
    assert_eq!(std::fs::read(&path).unwrap(), before);
    // Nor when the daemon starts.
    create(&path, &Access::Private, dir.path()).unwrap();
    assert!(victim.exists());
}

#[test]
fn the_forged_journal_of_these_tests_works_on_whoever_opens_for_writing() {
    let (dir, path) = inbox();
    let victim = victim(dir.path(), &path);
    let journal = forged_journal(&path, &victim);
    std::fs::write(files::beside(&path, "-journal"), journal).unwrap();
    let conn = Connection::open(&path).unwrap();
    let _ = conn.query_row("SELECT * FROM inbox", [], |_| Ok(()));
    assert!(!victim.exists(), "otherwise the test above proves nothing");
}

#[test]
fn a_journal_that_was_laid_out_before_the_inbox_is_made_touches_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (_other, model) = inbox();
    let path = dir.path().join("inbox/inbox.db");
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    let victim = victim(dir.path(), &path);
    let forged = forged_journal(&model, &victim);
    std::fs::write(files::beside(&path, "-journal"), forged).unwrap();
    create(&path, &Access::Private, dir.path()).unwrap();
    assert!(victim.exists());
}

#[test]
fn a_row_that_circumvented_the_triggers_is_still_read() {
    let (_dir, path) = inbox();
    let conn = Connection::open(&path).unwrap();
    conn.set_db_config(
        rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER,
        false,
    )
    .unwrap();
    conn.execute_batch(
        "INSERT INTO request (request_id, kind, payment_id, body, created_at)
         VALUES ('a', 'k', 'p', CAST(zeroblob(9000000) AS TEXT), 1),
                (CAST(x'ff6162' AS TEXT), 'k', 'p', '{}', 1),
                (CAST(x'fe6162' AS TEXT), 'k', 'p', '{}', 1),
                (CAST(zeroblob(129) AS TEXT), 'k', 'p', '{}', 1)",
    )
    .unwrap();
    let batch = read(&path, None).unwrap();
    let unreadable = |seq: i64| format!("unreadable:{}:{seq}", batch.inbox_id);
    assert_eq!(
        ids(&batch),
        ["a", &unreadable(2), &unreadable(3), &unreadable(4)]
    );
    assert_eq!(batch.requests[0].body, "");
}
