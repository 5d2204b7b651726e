//! The sandbox's files: a private directory with the configuration and both databases, which goes
//! with the sandbox.

use crate::{
    cli::{Exit, failure::Failure},
    sandbox::world::{CHAIN_ID, tokens},
    store::{Access, Durability, Kind, Options},
};
use nix::unistd::{Uid, mkdtemp};
use std::{
    fs,
    io::ErrorKind,
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

/// What a sandbox makes in its directory.
const ENTRIES: [&str; 3] = ["config.toml", "data", "inbox"];
/// The shortest real time between two polls: what a loaded machine keeps up with.
const POLL_MS: u32 = 50;
/// The usual time between two polls of each node.
const USUAL_POLL_MS: u32 = 2000;

/// The directory; removed with everything in it when this is dropped.
#[derive(Debug)]
pub(super) struct House {
    dir: PathBuf,
    /// Whether the directory itself was there before.
    lent: bool,
}

/// Where the sandbox's parts listen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Addresses {
    pub(super) bitcoin: SocketAddr,
    pub(super) ethereum: SocketAddr,
    pub(super) http: SocketAddr,
    pub(super) control: SocketAddr,
}

impl House {
    /// A directory of one's own: this one, or a temporary one.
    pub(super) fn build(dir: Option<&Path>) -> Result<Self, Failure> {
        let house = match dir {
            Some(dir) => Self::at(dir)?,
            None => Self {
                dir: mkdtemp(&std::env::temp_dir().join("confirmd-sandbox-XXXXXX"))
                    .map_err(std::io::Error::from)?,
                lent: false,
            },
        };
        if Uid::effective().is_root() && !house.lent {
            // Commands of root write the inbox as nobody in its group, who must pass through here.
            fs::set_permissions(&house.dir, fs::Permissions::from_mode(0o710))?;
        }
        Ok(house)
    }

    fn at(dir: &Path) -> Result<Self, Failure> {
        let made = fs::DirBuilder::new().mode(0o700).create(dir);
        let lent = match made {
            Ok(()) => false,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => true,
            Err(error) => {
                return Err(Failure::new(
                    Exit::Io,
                    format!("{}: {error}", dir.display()),
                ));
            }
        };
        if lent && fs::read_dir(dir)?.next().is_some() {
            let message = format!(
                "{} is not empty; a sandbox needs a directory of its own, which it empties in the end",
                dir.display()
            );
            return Err(Failure::failed(message));
        }
        Ok(Self {
            dir: dir.canonicalize()?,
            lent,
        })
    }

    /// The configuration that every other command may be given.
    pub(super) fn config(&self) -> PathBuf {
        self.dir.join("config.toml")
    }

    pub(super) fn database(&self) -> PathBuf {
        self.dir.join("data/confirmd.db")
    }

    pub(super) fn inbox(&self) -> PathBuf {
        self.dir.join("inbox/inbox.db")
    }

    /// How the daemon opens its databases: of a kind that `run` refuses.
    pub(super) fn store(&self) -> Options {
        Options {
            access: Access::Private,
            kind: Kind::Sandbox,
            durability: Durability::None,
            ..Options::new(self.database(), self.inbox())
        }
    }

    /// Writes the configuration.
    pub(super) fn furnish(&self, at: &Addresses, speed: u32) -> Result<(), Failure> {
        Ok(fs::write(self.config(), self.text(at, speed))?)
    }

    fn text(&self, at: &Addresses, speed: u32) -> String {
        let quoted = |path: PathBuf| toml::Value::from(path.display().to_string()).to_string();
        let (database, inbox) = (quoted(self.database()), quoted(self.inbox()));
        let poll_ms = speed.saturating_mul(POLL_MS).max(USUAL_POLL_MS);
        let contracts = tokens().map(|token| alloy_primitives::Address::from(token.contract));
        let [tether, circle] = contracts;
        let Addresses {
            bitcoin,
            ethereum,
            http,
            control: _,
        } = at;
        format!(
            r#"# Of a `confirmd sandbox`: simulated chains, simulated money. It goes when the sandbox ends.
[database]
path = {database}
inbox = {inbox}

[http]
listen = "{http}"

[chains.bitcoin]
kind = "bitcoin"
network = "regtest"
rpc_url = "http://sandbox:sandbox@{bitcoin}"
poll_interval = "{poll_ms}ms"

[chains.ethereum]
kind = "ethereum"
chain_id = {CHAIN_ID}
poll_interval = "{poll_ms}ms"
[[chains.ethereum.endpoints]]
name = "simulated"
url = "http://{ethereum}"

[assets.BTC]
chain = "bitcoin"
confirmations = 2

[assets.ETH]
chain = "ethereum"
confirmations = 12

[assets.USDT]
chain = "ethereum"
contract = "{tether}"
decimals = 6
confirmations = 6

[assets.USDC]
chain = "ethereum"
contract = "{circle}"
decimals = 6
confirmations = 6
"#
        )
    }
}

impl Drop for House {
    fn drop(&mut self) {
        // Nobody is left to be told; what remains lies where temporary files lie.
        if !self.lent {
            drop(fs::remove_dir_all(&self.dir));
            return;
        }
        for entry in ENTRIES {
            let path = self.dir.join(entry);
            drop(fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path)));
        }
    }
}
