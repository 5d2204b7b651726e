//! Where log lines go and which are shown.
//!
//! Must not know what is logged. Nobody else chooses a format or a filter.

use std::io;
use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::Directive,
    fmt,
    layer::SubscriberExt,
    registry::LookupSpan,
    util::{SubscriberInitExt, TryInitError},
};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// One readable line each, on standard error.
    #[default]
    Text,
    /// One JSON object each, on standard error.
    Json,
    /// Fields of systemd's journal.
    Journald,
}

/// Libraries that would show URLs, which may hold keys, below this level.
const CAPPED: &[&str] = &[
    "h2=warn",
    "hyper=warn",
    "hyper_util=warn",
    "reqwest=warn",
    "rustls=warn",
    "tower=warn",
    "tower_http=warn",
];

/// What is shown when the environment says nothing.
const USUAL: &str = "info";

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// `RUST_LOG` cannot be understood.
    #[error("RUST_LOG is no filter ({0}); write for example \"info\" or \"confirmd=debug\"")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// There is no journal.
    #[error("the journal cannot be reached ({0}); choose --log-format text or json")]
    Journal(#[source] io::Error),
    /// Something else logs already.
    #[error("the log is already set up")]
    Twice(#[from] TryInitError),
}

/// Starts the log; `wanted` is what `RUST_LOG` says, if anything.
///
/// # Errors
/// When the filter is malformed, the journal is missing, or the log was started before.
pub fn start(format: LogFormat, wanted: Option<&str>) -> Result<(), LoggingError> {
    let layer = layer(format, io::stderr)?;
    tracing_subscriber::registry()
        .with(layer.with_filter(filter(wanted)?))
        .try_init()?;
    Ok(())
}

/// The wanted filter, with the caps last so that nothing before them lifts one.
fn filter(wanted: Option<&str>) -> Result<EnvFilter, tracing_subscriber::filter::ParseError> {
    let wanted = wanted.filter(|text| !text.trim().is_empty());
    let mut filter = EnvFilter::builder().parse(keep_own(wanted.unwrap_or(USUAL)))?;
    for cap in CAPPED {
        filter = filter.add_directive(cap.parse::<Directive>()?);
    }
    Ok(filter)
}

/// The filter without what it says about capped libraries and their modules.
fn keep_own(wanted: &str) -> String {
    let is_capped = |directive: &&str| {
        let target = directive.split(['=', '[']).next().unwrap_or_default();
        let library = target.split("::").next().unwrap_or_default().trim();
        CAPPED
            .iter()
            .any(|cap| cap.split('=').next() == Some(library))
    };
    let kept: Vec<_> = wanted.split(',').filter(|part| !is_capped(part)).collect();
    kept.join(",")
}

fn layer<S, W>(
    format: LogFormat,
    writer: W,
) -> Result<Box<dyn Layer<S> + Send + Sync>, LoggingError>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> fmt::MakeWriter<'writer> + Send + Sync + 'static,
{
    Ok(match format {
        LogFormat::Text => fmt::layer().with_ansi(false).with_writer(writer).boxed(),
        LogFormat::Json => fmt::layer().json().with_writer(writer).boxed(),
        LogFormat::Journald => tracing_journald::layer()
            .map_err(LoggingError::Journal)?
            .boxed(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged under this filter.
    fn logged(format: LogFormat, wanted: Option<&str>, log: impl FnOnce()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let layer = layer(format, move || writer.clone()).unwrap();
        let subscriber =
            tracing_subscriber::registry().with(layer.with_filter(filter(wanted).unwrap()));
        tracing::subscriber::with_default(subscriber, log);
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    fn log_all() {
        tracing::debug!(target: "confirmd::watcher", "own debug");
        tracing::info!(target: "confirmd::watcher", chain = "bitcoin", "own info");
        tracing::debug!(target: "hyper_util::client", "canary debug");
        tracing::info!(target: "reqwest::connect", "canary info");
        tracing::warn!(target: "reqwest", "library warning");
    }

    #[test]
    fn information_is_shown_by_default() {
        let shown = logged(LogFormat::Text, None, log_all);
        assert!(shown.contains("own info") && shown.contains("library warning"));
        assert!(
            !shown.contains("own debug") && !shown.contains("canary"),
            "{shown}"
        );
        assert!(!shown.contains('\u{1b}'), "{shown}");
    }

    #[test]
    fn no_filter_lifts_the_cap_on_libraries_that_show_urls() {
        for wanted in [
            "trace",
            "hyper_util=trace,trace",
            "trace,reqwest::connect=trace",
            " reqwest=trace , hyper_util::client=trace,debug",
            "reqwest[span]=trace,trace",
        ] {
            let shown = logged(LogFormat::Text, Some(wanted), log_all);
            assert!(shown.contains("own debug"), "{wanted}: {shown}");
            assert!(!shown.contains("canary"), "{wanted}: {shown}");
        }
    }

    #[test]
    fn json_lines_are_objects_with_fields() {
        let shown = logged(LogFormat::Json, Some("info"), log_all);
        let line = shown.lines().next().unwrap();
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["fields"]["message"], "own info");
        assert_eq!(value["fields"]["chain"], "bitcoin");
    }

    #[test]
    fn a_malformed_filter_is_refused() {
        assert!(filter(Some("confirmd=loud")).is_err());
        assert!(filter(Some("  ")).is_ok());
    }
}
