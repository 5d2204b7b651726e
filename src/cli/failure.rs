//! Why a command failed: words for people and a code for scripts.

use super::Exit;
use crate::{
    config::ConfigErrors,
    logging::LoggingError,
    store::{OpenError, RegistryError, StoreError},
};

/// Why a command failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    /// May have several lines; without secrets.
    pub(super) message: String,
}

impl Failure {
    pub(super) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
        }
    }

    /// The asked-for thing failed.
    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }
}

impl From<ConfigErrors> for Failure {
    fn from(errors: ConfigErrors) -> Self {
        Self::new(Exit::Config, errors.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(Exit::Io, error.to_string())
    }
}

impl From<LoggingError> for Failure {
    fn from(error: LoggingError) -> Self {
        let exit = match error {
            LoggingError::Filter(_) | LoggingError::Twice(_) => Exit::Usage,
            LoggingError::Journal(_) => Exit::Io,
        };
        Self::new(exit, error.to_string())
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        Self::new(open_exit(&error), error.to_string())
    }
}

const fn open_exit(error: &OpenError) -> Exit {
    match error {
        OpenError::Corrupt { .. } | OpenError::Foreign { .. } | OpenError::Newer { .. } => {
            Exit::Corrupt
        }
        OpenError::Permissions { .. } | OpenError::Io { .. } => Exit::Io,
        OpenError::Locked(_) | OpenError::SqliteTooOld { .. } => Exit::Failed,
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::new(store_exit(&error), error.to_string())
    }
}

const fn store_exit(error: &StoreError) -> Exit {
    match error {
        StoreError::Corrupt(_) => Exit::Corrupt,
        StoreError::Unwritable(_) | StoreError::Io(_) => Exit::Io,
        StoreError::Busy(_) | StoreError::Refused(_) => Exit::Failed,
    }
}

const fn registry_exit(error: &RegistryError) -> Exit {
    match error {
        RegistryError::OtherChain { .. }
        | RegistryError::OtherAsset { .. }
        | RegistryError::UnknownChain { .. }
        | RegistryError::StillWatched { .. } => Exit::Config,
        RegistryError::Store(error) => store_exit(error),
    }
}

/// An error of the daemon, which carries its causes.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        let exit = error.chain().find_map(|cause| {
            let open = cause.downcast_ref().map(open_exit);
            let store = cause.downcast_ref().map(store_exit);
            let registry = cause.downcast_ref().map(registry_exit);
            let io = cause.downcast_ref::<std::io::Error>().map(|_| Exit::Io);
            open.or(store).or(registry).or(io)
        });
        Self::new(exit.unwrap_or(Exit::Failed), format!("{error:#}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn what_stopped_the_daemon_decides_the_exit_code() {
        let locked = OpenError::Locked("/x.lock".into());
        let foreign = OpenError::Foreign {
            path: "/x".into(),
            problem: "a photograph".into(),
        };
        let busy_port = std::io::Error::from(std::io::ErrorKind::AddrInUse);
        let other = RegistryError::OtherAsset {
            code: "USDT".into(),
            what: "chain x".into(),
        };
        let cases = [
            (anyhow::Error::new(locked), Exit::Failed),
            (anyhow::Error::new(foreign), Exit::Corrupt),
            (anyhow::Error::new(busy_port), Exit::Io),
            (anyhow::Error::new(other), Exit::Config),
            (anyhow::Error::new(StoreError::Io("x".into())), Exit::Io),
            (anyhow::anyhow!("something else"), Exit::Failed),
        ];
        for (error, exit) in cases {
            let failure = Failure::from(Err::<(), _>(error).context("starting").unwrap_err());
            assert_eq!(failure.exit, exit, "{}", failure.message);
            assert!(failure.message.starts_with("starting: "));
        }
    }
}
