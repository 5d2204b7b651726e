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
use std::path::Path;

/// Sends the order and shows the answer.
pub(super) fn ask(deed: &Deed, dir: Option<&Path>, context: &mut Context) -> Result<(), Failure> {
    let facts = place::read(&place::path(dir))?;
    let response = send(deed, &facts)?;
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

fn send(deed: &Deed, facts: &Facts) -> Result<HttpResponse, Failure> {
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
        limits: Limits::ANSWER,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime
        .block_on(transport.exchange(&request))
        .map_err(|error| unreachable(&error))
}
