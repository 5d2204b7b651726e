//! SIGHUP: the configuration file is read again. What can be taken over goes to the watcher as an
//! input; of everything else the log says that it needs a restart, key by key.
//!
//! Must not know what a key means: the configuration says which can be taken over. Cookies and
//! secret files are read again by themselves.

use crate::{
    config::{Config, Keys},
    watcher::{Input, run::Message},
};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};
use tokio::sync::{mpsc, oneshot};

/// What is needed to take over a changed file.
#[derive(Debug)]
pub(super) struct Reload {
    path: PathBuf,
    /// The file that the daemon was started with.
    started: Keys,
    /// The file that was taken over last.
    taken: Keys,
    inputs: mpsc::Sender<Message>,
}

impl Reload {
    pub(super) fn new(config: &Config, path: &Path, inputs: mpsc::Sender<Message>) -> Self {
        Self {
            path: path.to_owned(),
            started: config.keys.clone(),
            taken: config.keys.clone(),
            inputs,
        }
    }

    /// Reads the file again; a wrong one changes nothing.
    pub(super) async fn run(&mut self) {
        let config = match Config::load(&self.path) {
            Ok(config) => config,
            Err(errors) => {
                tracing::error!(%errors, "SIGHUP: the configuration is not valid; nothing is changed");
                return;
            }
        };
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        if self.hand_over(&config).await.is_none() {
            // The watcher has ended, and the daemon with it.
            return;
        }
        self.say(&config.keys);
        self.taken = config.keys;
    }

    /// Waits until the watcher has committed what it takes over.
    async fn hand_over(&self, config: &Config) -> Option<()> {
        let (done, committed) = oneshot::channel();
        let message = Message {
            input: Input::Reload(Box::new(super::settings(config))),
            done: Some(done),
        };
        self.inputs.send(message).await.ok()?;
        committed.await.ok()
    }

    fn say(&self, keys: &Keys) {
        let takes_over = |key: &String| self.started.takes_over(key, keys);
        let now: BTreeSet<String> = self.taken.changed(keys);
        let now = list(now.into_iter().filter(takes_over));
        let later: BTreeSet<String> = self.started.changed(keys);
        let later = list(later.into_iter().filter(|key| !takes_over(key)));
        if let Some(keys) = now {
            tracing::info!(%keys, "SIGHUP: in force from now on; open payments keep their terms");
        } else {
            tracing::info!("SIGHUP: nothing changed that can be taken over while running");
        }
        if let Some(keys) = later {
            tracing::warn!(%keys, "SIGHUP: changed, but in force only after a restart");
        }
    }
}

fn list(keys: impl Iterator<Item = String>) -> Option<String> {
    let keys: Vec<String> = keys.collect();
    (!keys.is_empty()).then(|| keys.join(", "))
}
