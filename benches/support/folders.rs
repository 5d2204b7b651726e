//! A daemon's files, to begin with the same ones again.

use super::configuration::Setup;
use std::{fs, path::Path};

impl Setup {
    /// Remembers the files of a daemon that has ended.
    pub fn keep_data(&self) {
        replace(&self.folder.join("before"), &self.folder.join("data"));
    }

    /// Puts the remembered files back.
    pub fn restore_data(&self) {
        replace(&self.folder.join("data"), &self.folder.join("before"));
    }
}

/// Makes a folder hold the files of another one, and no others. The folder itself stays: the daemon
/// looks at whose it is.
fn replace(to: &Path, from: &Path) {
    fs::create_dir_all(to).expect("a folder");
    let entries = |of: &Path| fs::read_dir(of).expect("a folder").map(Result::unwrap);
    for old in entries(to) {
        fs::remove_file(old.path()).expect("a file less");
    }
    for file in entries(from) {
        fs::copy(file.path(), to.join(file.file_name())).expect("a copy");
    }
}
