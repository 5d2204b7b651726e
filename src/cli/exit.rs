//! The exit codes, which scripts and the service manager rely on.

use std::process::ExitCode;

/// How a command ended. The numbers from 64 on are those of sysexits(3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Ok,
    /// The asked-for thing failed.
    Failed,
    /// The arguments are wrong.
    Usage,
    /// A database is corrupt or belongs to something else.
    Corrupt,
    /// A needed service is unreachable.
    Unreachable,
    /// A file cannot be read or written.
    Io,
    /// The configuration is wrong.
    Config,
}

impl Exit {
    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Corrupt => 65,
            Self::Unreachable => 69,
            Self::Io => 74,
            Self::Config => 78,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
