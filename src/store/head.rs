//! The `head` file: the highest journal number that readers may have seen, kept outside the
//! database, so that a restored backup is noticed. It must outlive a reboot and must not come
//! back with a backup, so it belongs in a state directory of its own; beside the database it
//! notices only a backup of the database file alone.
//!
//! It is a hint for the next start and no truth: it is written after a commit and never synced.
//! A head that is behind costs nothing; one that is ahead makes a new database id.

use super::{
    error::OpenError,
    files::{self, Ownership},
};
use std::{fs::File, io::ErrorKind, os::unix::fs::FileExt, path::Path};

/// A head is two words of fixed width in one line; longer files are none.
const MAX_LEN: usize = 128;

/// Whose journal it is and how far it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) database_id: String,
    pub(super) seq: i64,
}

impl Mark {
    /// Whether a database with this id and this last number lacks what its readers saw, or is a
    /// copy that another database has replaced since.
    pub(super) fn is_ahead_of(&self, database_id: &str, seq: i64) -> bool {
        if self.database_id == database_id {
            self.seq > seq
        } else {
            seq > 0
        }
    }
}

/// The open file.
#[derive(Debug)]
pub(super) struct Head(File);

impl Head {
    /// Opens or makes the file and reads what it says; nothing when it is new or unreadable.
    pub(super) fn open(path: &Path, owner: &Ownership) -> Result<(Self, Option<Mark>), OpenError> {
        let file = owner.open_own(path)?;
        let mark = read(&file);
        Ok((Self(file), mark))
    }

    /// Leaves a mark; a failure is left for the next one.
    pub(super) fn write(&self, mark: &Mark) {
        let line = format!("{} {:020}\n", mark.database_id, mark.seq);
        let _ = self.0.write_all_at(line.as_bytes(), 0);
    }
}

/// What a head says that need not be there.
pub(super) fn peek(path: &Path) -> Result<Option<Mark>, OpenError> {
    match File::open(path) {
        Ok(file) => Ok(read(&file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(files::io(path, &error)),
    }
}

/// Takes a head away that counts no more.
pub(super) fn remove(path: &Path) -> Result<(), OpenError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(files::io(path, &error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn read(file: &File) -> Option<Mark> {
    let mut buffer = [0_u8; MAX_LEN];
    let len = file.read_at(&mut buffer, 0).ok()?;
    let text = std::str::from_utf8(buffer.get(..len)?).ok()?;
    let (database_id, seq) = text.strip_suffix('\n')?.split_once(' ')?;
    Some(Mark {
        database_id: database_id.to_owned(),
        seq: seq.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::files::Access;

    #[test]
    fn a_restored_or_replaced_database_is_behind_its_head() {
        let mark = Mark {
            database_id: "a".into(),
            seq: 7,
        };
        for (id, seq, ahead) in [
            ("a", 7, false),
            ("a", 8, false),
            ("a", 6, true),
            ("b", 1, true),
            ("b", 0, false),
        ] {
            assert_eq!(mark.is_ahead_of(id, seq), ahead, "{id} {seq}");
        }
    }

    #[test]
    fn a_mark_is_read_back_and_rubbish_is_no_mark() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("head");
        let owner = Ownership::of_database(&Access::Private).unwrap();
        let (head, before) = Head::open(&path, &owner).unwrap();
        assert_eq!(before, None);
        for seq in [9, 1_000_000, 12] {
            let mark = Mark {
                database_id: "0123".into(),
                seq,
            };
            head.write(&mark);
            assert_eq!(Head::open(&path, &owner).unwrap().1, Some(mark));
        }
        for rubbish in ["", "x", "x y\n", "x 1"] {
            std::fs::write(&path, rubbish).unwrap();
            assert_eq!(Head::open(&path, &owner).unwrap().1, None, "{rubbish:?}");
        }
    }
}
