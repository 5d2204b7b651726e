//! Secrets that stand in files of their own.
//!
//! Knows where secret files are looked for and reads them; never shows what is in them.

use secrecy::SecretString;
use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

/// The longest secret in bytes: a URL or a password, never a document.
const MAX_SECRET_LEN: u64 = 4096;

/// Whether and from where secrets are read.
#[derive(Debug, Clone)]
pub(super) enum Secrets {
    /// They are read; relative names are looked for in systemd's credentials directory.
    Read {
        /// `$CREDENTIALS_DIRECTORY`.
        directory: Option<PathBuf>,
    },
    /// They are not read, because the caller talks to no node and may not see them.
    Withheld,
}

impl Secrets {
    /// Secrets are read, with systemd's credentials directory from the environment.
    pub(super) fn from_environment() -> Self {
        Self::Read {
            directory: std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from),
        }
    }

    /// Where a secret file is: an absolute path, or a name in the credentials directory.
    pub(super) fn locate(&self, name: &str) -> Result<PathBuf, String> {
        let path = Path::new(name);
        if path.is_absolute() {
            return Ok(path.to_owned());
        }
        match self {
            Self::Withheld => Ok(path.to_owned()),
            Self::Read {
                directory: Some(directory),
            } => Ok(directory.join(path)),
            Self::Read { directory: None } => Err(format!(
                "{name:?} is relative and $CREDENTIALS_DIRECTORY is not set; write an absolute \
                 path, or start under systemd with LoadCredential={name}:FILE"
            )),
        }
    }

    /// The secret in a file without the line end; `None` where secrets are withheld.
    pub(super) fn read(&self, name: &str) -> Result<Option<SecretString>, String> {
        let path = self.locate(name)?;
        match self {
            Self::Withheld => Ok(None),
            Self::Read { .. } => read_file(&path).map(Some),
        }
    }
}

fn read_file(path: &Path) -> Result<SecretString, String> {
    let shown = path.display();
    let mut text = String::new();
    File::open(path)
        .and_then(|file| {
            file.take(MAX_SECRET_LEN.saturating_add(1))
                .read_to_string(&mut text)
        })
        .map_err(|error| format!("{shown} cannot be read: {error}"))?;
    let secret = text.trim_end_matches(['\n', '\r']);
    if secret.is_empty() {
        return Err(format!("{shown} is empty"));
    }
    if u64::try_from(secret.len()).is_ok_and(|len| len > MAX_SECRET_LEN) {
        return Err(format!("{shown} is longer than {MAX_SECRET_LEN} bytes"));
    }
    Ok(secret.into())
}
