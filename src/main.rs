//! Arguments to a command to an exit code; nothing else.

fn main() -> anyhow::Result<()> {
    let path = std::env::args().nth(2).unwrap_or_default();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter("info,confirmd=debug")
        .init();
    let path = std::path::Path::new(&path);
    let config = match confirmd::config::Config::load(path) {
        Ok(c) => c,
        Err(e) => anyhow::bail!("{e}"),
    };
    confirmd::daemon::run(&config, path)
}
