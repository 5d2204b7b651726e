//! From the text of `config.toml` to a validated [`Config`], or to everything that is wrong.
//!
//! Reads each section and then what holds between sections. Must not know how values are
//! written (`value`) nor how secrets are found (`secret`).

use super::{
    Config, ConfigErrors, Database, Keys, Problem, asset, chain,
    report::Report,
    secret::Secrets,
    section::{Section, nearest},
    value,
};
use crate::domain::{
    asset::{Asset, AssetKind},
    register::Defaults,
    terms::Policy,
};
use std::{fs::File, io::Read, net::SocketAddr, path::Path};
use toml::de::DeTable;

/// The longest configuration file in bytes: far more than a thousand assets need.
const MAX_FILE_LEN: u64 = 1024 * 1024;

impl Config {
    /// Reads and validates a file and the secrets that it names.
    ///
    /// # Errors
    /// Everything that is wrong, each problem with its line.
    pub fn load(file: &Path) -> Result<Self, ConfigErrors> {
        let text = read(file)?;
        parse(file, &text, &Secrets::from_environment())
    }

    /// Validates a text, without the secrets that it names.
    ///
    /// # Errors
    /// Everything that is wrong, each problem with its line.
    pub fn parse(text: &str) -> Result<Self, ConfigErrors> {
        parse(Path::new("config.toml"), text, &Secrets::Withheld)
    }
}

impl Database {
    /// Reads and validates a file, without the secrets that it names, for commands that talk to
    /// no node: their users may read the file but not the secrets.
    ///
    /// # Errors
    /// Everything that is wrong, each problem with its line.
    pub fn load(file: &Path) -> Result<Self, ConfigErrors> {
        let text = read(file)?;
        parse(file, &text, &Secrets::Withheld).map(|config| config.database)
    }
}

fn read(file: &Path) -> Result<String, ConfigErrors> {
    let fail = |message: String| ConfigErrors {
        file: file.to_owned(),
        problems: vec![Problem {
            line: 0,
            key: String::new(),
            message,
        }],
    };
    let mut text = String::new();
    File::open(file)
        .and_then(|opened| opened.take(MAX_FILE_LEN).read_to_string(&mut text))
        .map_err(|error| {
            fail(format!(
                "cannot be read: {error}; name another with --config"
            ))
        })?;
    if u64::try_from(text.len()).is_ok_and(|len| len >= MAX_FILE_LEN) {
        return Err(fail(format!("is not below {MAX_FILE_LEN} bytes")));
    }
    Ok(text)
}

/// The validated configuration in a text; `file` is only named in problems.
pub(super) fn parse(file: &Path, text: &str, secrets: &Secrets) -> Result<Config, ConfigErrors> {
    let report = Report::new(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let line = error.span().map_or(0, |span| report.line_of(span.start));
        report.problem(line, "", format!("is not TOML: {}", error.message()));
    }
    let config = if errors.is_empty() {
        let keys = Keys::of(table.get_ref());
        config(&Section::root(table.get_ref(), &report), secrets, keys)
    } else {
        None
    };
    report.conclude(file, config)
}

/// Reads every section before giving up on any, so that all problems are found.
fn config(root: &Section<'_>, secrets: &Secrets, keys: Keys) -> Option<Config> {
    let database = root.section("database").as_ref().and_then(database);
    let http_listen = root.section("http").as_ref().and_then(http);
    let payments = root.section("payments").as_ref().and_then(payments);
    let chains = root
        .section("chains")
        .map(|section| chain::all(&section, secrets));
    let assets = root.section("assets").zip(chains.as_ref());
    let assets = assets.map(|(section, chains)| asset::all(&section, chains));
    root.close();
    let (chains, assets) = (chains?, assets?);
    relate(root, &chains, &assets);
    Some(Config {
        database: database?,
        http_listen: http_listen?,
        payments: payments?,
        chains: chains.into_iter().filter_map(|found| found.chain).collect(),
        assets: assets.into_iter().filter_map(|found| found.asset).collect(),
        warnings: root.report.warnings(),
        keys,
    })
}

fn database(section: &Section<'_>) -> Option<Database> {
    let path = section.read_or(
        "path",
        "/var/lib/confirmd/confirmd.db".into(),
        value::absolute_path,
    );
    let inbox = section.read_or(
        "inbox",
        "/var/lib/confirmd/inbox/inbox.db".into(),
        value::absolute_path,
    );
    let group = section.read_or("group", None, value::group);
    let inbox_group = section.read_or("inbox_group", None, value::group);
    let operator_commands = section.flag_or("operator_commands", true);
    if let (Some(path), Some(inbox)) = (&path, &inbox)
        && path.parent() == inbox.parent()
    {
        section.problem(
            "inbox",
            "lies beside confirmd.db; give it a directory of its own, because its writers may \
             make files there",
        );
    }
    section.close();
    Some(Database {
        path: path?,
        inbox: inbox?,
        group: group?,
        inbox_group: inbox_group?,
        operator_commands: operator_commands?,
    })
}

fn http(section: &Section<'_>) -> Option<SocketAddr> {
    let listen = section.read_or("listen", SocketAddr::from(([127, 0, 0, 1], 9480)), |text| {
        text.parse().map_err(|_| {
            format!("{text:?} is no address and port; write for example \"127.0.0.1:9480\"")
        })
    });
    if listen.is_some_and(|listen| !listen.ip().is_loopback()) {
        let message = "is not a loopback address: whoever reaches it can read the metrics";
        section.report.warning(&section.path_of("listen"), message);
    }
    section.close();
    listen
}

fn payments(section: &Section<'_>) -> Option<Defaults> {
    let span = |key, default: &str, low, high| {
        let default = value::span(default).ok()?;
        section.read_or(key, default, value::span_between(low, high))
    };
    let policies = [("single", Policy::Single), ("sum", Policy::Sum)];
    let expires_in = span("expires_in", "20m", "1s", "366d");
    let grace = span("grace", "2m", "0s", "1d");
    let watch_after_close = span("watch_after_close", "30d", "0s", "3650d");
    let policy = section.read_or("policy", Policy::Single, |text| {
        value::word(text, &policies)
    });
    let tolerance_bp = section.read_or("tolerance", 0, value::tolerance_bp);
    let late_accept = span("late_accept", "0s", "0s", "366d");
    let confirm_timeout = span("confirm_timeout", "24h", "1m", "366d");
    section.close();
    Some(Defaults {
        expires_in: expires_in?,
        grace: grace?,
        watch_after_close: watch_after_close?,
        policy: policy?,
        tolerance_bp: tolerance_bp?,
        late_accept: late_accept?,
        confirm_timeout: confirm_timeout?,
    })
}

/// What must hold between chains and assets.
fn relate(root: &Section<'_>, chains: &[chain::Found], assets: &[asset::Found]) {
    if chains.is_empty() {
        root.problem("chains", "are missing; add for example [chains.bitcoin]");
    }
    for chain in chains {
        let carried = assets.iter().filter(|asset| asset.chain == chain.name);
        if carried.count() == 0 {
            let message = format!(
                "carries no asset; add one with chain = {:?}, or remove the chain",
                chain.name
            );
            root.report
                .problem(chain.line, &format!("chains.{}", chain.name), message);
        }
    }
    for (i, second) in assets.iter().enumerate() {
        let earlier = assets.iter().take(i);
        relate_asset(root, chains, earlier, second);
    }
}

fn relate_asset<'f>(
    root: &Section<'_>,
    chains: &[chain::Found],
    mut earlier: impl Iterator<Item = &'f asset::Found>,
    asset: &asset::Found,
) {
    let problem = |key: &str, message: String| {
        let path = format!("assets.{}{key}", asset.code);
        root.report.problem(asset.line, &path, message);
    };
    if !chains.iter().any(|chain| chain.name == asset.chain) {
        let names = chains.iter().map(|chain| chain.name.as_str());
        let advice = nearest(&asset.chain, names).map_or_else(
            || format!("add [chains.{}]", asset.chain),
            |near| format!("did you mean {near:?}?"),
        );
        problem(
            ".chain",
            format!("{:?} is no configured chain; {advice}", asset.chain),
        );
    }
    let twin = earlier.find(|other| other.chain == asset.chain && same_kind(other, asset));
    match (twin, asset.asset.as_ref().map(|asset| asset.kind)) {
        (Some(twin), Some(AssetKind::Native)) => problem(
            "",
            format!(
                "has no contract, and {} is already the native asset of {:?}; add the contract",
                twin.code, asset.chain
            ),
        ),
        (Some(twin), Some(AssetKind::Token(_))) => problem(
            ".contract",
            format!("is already the contract of {}", twin.code),
        ),
        (None, _) | (_, None) => {}
    }
}

fn same_kind(a: &asset::Found, b: &asset::Found) -> bool {
    let kind = |asset: &Asset| asset.kind;
    a.asset.as_ref().map(kind) == b.asset.as_ref().map(kind)
}
