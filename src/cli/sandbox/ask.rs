//! The second terminal: one order to a sandbox that stays.

use super::{
    deeds::Deed,
    place::{self, Facts},
};
use crate::{
    chain::rpc::{HttpRequest, HttpResponse, HttpTransport, Limits, Transport as _, Verb},
    cli::{Context, Exit, failure::Failure, screen::harmless},
};
use serde_json::Value;
use std::{path::Path, time::Duration};

/// How long an order may take; it waits for the daemon.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a sandbox on the same machine may take to say that it runs.
const LOOK: Duration = Duration::from_secs(2);

/// Sends the order and shows the answer.
pub(super) fn ask(deed: &Deed, dir: Option<&Path>, context: &mut Context) -> Result<(), Failure> {
    let facts = place::read(&place::path(dir))?;
    let response = send(deed, &facts, PATIENCE)?;
    let answer: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let exit = match response.status {
        200 => return context.screen.json(&answer),
        400 => Exit::Usage,
        _ => Exit::Failed,
    };
    let said = answer.get("error").and_then(Value::as_str);
    let said = said.map_or_else(|| format!("HTTP status {}", response.status), harmless);
    Err(Failure::new(exit, said))
}

/// Whether the sandbox that these facts tell of still runs.
pub(super) fn runs(facts: &Facts) -> bool {
    let Ok(response) = send(&Deed::State, facts, LOOK) else {
        return false;
    };
    let answer: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let config = answer.get("config").and_then(Value::as_str);
    config.map(Path::new) == Some(&facts.config)
}

fn send(deed: &Deed, facts: &Facts, within: Duration) -> Result<HttpResponse, Failure> {
    let url = format!("http://{}/", facts.control);
    let url = reqwest::Url::parse(&url).map_err(|error| Failure::failed(error.to_string()))?;
    let unreachable = |error: &dyn std::fmt::Display| {
        Failure::new(
            Exit::Failed,
            format!("the sandbox does not answer: {error}"),
        )
    };
    let transport = HttpTransport::new(&url).map_err(|error| unreachable(&error))?;
    let request = HttpRequest {
        verb: Verb::Post(deed.body().map_err(std::io::Error::from)?),
        path: format!("/{}", deed.name()),
        authorization: None,
        limits: Limits::ANSWER.within(within),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime
        .block_on(transport.exchange(&request))
        .map_err(|error| unreachable(&error))
}
