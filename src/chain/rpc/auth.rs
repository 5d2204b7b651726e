//! Signing in to a node: nothing, a fixed password, or bitcoind's cookie file, which changes
//! whenever bitcoind starts.

use super::error::RpcError;
use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret, SecretString};
use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// A cookie is `__cookie__:` and 64 digits; more than this is some other file.
const MAX_COOKIE_BYTES: u64 = 4096;

/// How to sign in.
#[derive(Debug, Clone)]
pub enum Auth {
    /// Not at all, or by what the URL says.
    None,
    /// HTTP basic authentication with what this file holds (`user:password`).
    Cookie(PathBuf),
    /// HTTP basic authentication.
    Password {
        /// The user.
        user: String,
        /// The password.
        password: SecretString,
    },
}

/// What is sent with a request, kept until the node refuses it.
#[derive(Debug)]
pub(super) struct Credentials {
    auth: Auth,
    cached: Mutex<Option<Login>>,
}

/// One way to sign in: the header, and what in it must not be shown.
#[derive(Debug, Clone)]
pub(super) struct Login {
    pub(super) header: SecretString,
    secrets: Vec<SecretString>,
}

impl Login {
    fn basic(user: &str, password: &str) -> Self {
        let encoded = STANDARD.encode(format!("{user}:{password}"));
        Self {
            header: format!("Basic {encoded}").into(),
            secrets: vec![encoded.into(), password.to_owned().into()],
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        self.header.expose_secret() == other.header.expose_secret()
    }
}

impl Credentials {
    pub(super) const fn new(auth: Auth) -> Self {
        Self {
            auth,
            cached: Mutex::new(None),
        }
    }

    /// What to send now; reads the cookie file the first time.
    pub(super) fn current(&self) -> Result<Option<Login>, RpcError> {
        if let Some(login) = self.cached() {
            return Ok(Some(login));
        }
        let login = self.read()?;
        self.keep(login.clone());
        Ok(login)
    }

    /// What to send after `refused` was refused; `None` when there is nothing new to try.
    pub(super) fn renewed(&self, refused: &Login) -> Result<Option<Login>, RpcError> {
        let login = self.read()?.filter(|login| !login.is_same(refused));
        if login.is_some() {
            self.keep(login.clone());
        }
        Ok(login)
    }

    /// What must not be shown.
    pub(super) fn secrets(&self) -> Vec<SecretString> {
        self.cached().map(|login| login.secrets).unwrap_or_default()
    }

    fn read(&self) -> Result<Option<Login>, RpcError> {
        match &self.auth {
            Auth::None => Ok(None),
            Auth::Password { user, password } => {
                Ok(Some(Login::basic(user, password.expose_secret())))
            }
            Auth::Cookie(path) => read_cookie(path).map(Some),
        }
    }

    fn cached(&self) -> Option<Login> {
        let cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        cached.clone()
    }

    fn keep(&self, login: Option<Login>) {
        *self.cached.lock().unwrap_or_else(PoisonError::into_inner) = login;
    }
}

/// Reads bitcoind's cookie; a missing file is what a node that is not running looks like.
fn read_cookie(path: &Path) -> Result<Login, RpcError> {
    let shown = path.display();
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(MAX_COOKIE_BYTES).read_to_string(&mut text))
        .map_err(|error| {
            RpcError::Transient(format!("the cookie file {shown} cannot be read: {error}"))
        })?;
    text.trim()
        .split_once(':')
        .map(|(user, password)| Login::basic(user, password))
        .ok_or_else(|| {
            RpcError::Transient(format!("the cookie file {shown} holds no user:password"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_cookie_is_tried_once_and_an_unchanged_one_never() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "__cookie__:old").unwrap();
        let credentials = Credentials::new(Auth::Cookie(file.path().into()));
        let old = credentials.current().unwrap().unwrap();
        assert!(credentials.renewed(&old).unwrap().is_none());
        std::fs::write(file.path(), "__cookie__:new\n").unwrap();
        assert!(credentials.current().unwrap().unwrap().is_same(&old));
        let new = credentials.renewed(&old).unwrap().unwrap();
        assert_eq!(new.header.expose_secret(), "Basic X19jb29raWVfXzpuZXc=");
        assert!(credentials.current().unwrap().unwrap().is_same(&new));
    }

    #[test]
    fn a_missing_or_foreign_cookie_file_says_so() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "s3cret without a colon").unwrap();
        let foreign = read_cookie(file.path()).unwrap_err().to_string();
        assert!(foreign.contains("holds no user:password") && !foreign.contains("s3cret"));
        let missing = read_cookie(Path::new("/nonexistent/.cookie")).unwrap_err();
        assert!(
            missing
                .to_string()
                .contains("/nonexistent/.cookie cannot be read")
        );
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let auth = Auth::Password {
            user: "u".into(),
            password: "hunter2".to_owned().into(),
        };
        let credentials = Credentials::new(auth);
        credentials.current().unwrap();
        let shown = format!("{credentials:?}");
        assert!(
            !shown.contains("hunter2") && !shown.contains("dTpodW50ZXIy"),
            "{shown}"
        );
    }
}
