//! SIGHUP: the config is read anew, and what may change while a run goes on is taken over.

use std::io::{self, IsTerminal as _};
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind};
use tokio::sync::watch;

use super::shutdown::listen_to;
use super::{ServiceError, blocking};
use crate::config::Config;
use crate::systemd;

/// Reads the config anew; why it cannot be read is told in words.
pub type Reread = Arc<dyn Fn() -> Result<Config, String> + Send + Sync>;

/// The config as it was last read.
#[derive(Clone, Debug)]
pub(super) struct Reload(watch::Receiver<Config>);

impl Reload {
    /// Begins to listen; needs a runtime. Without `reread`, or at a terminal, SIGHUP keeps its usual meaning: the terminal
    /// is gone, and the program ends.
    pub(super) fn listen(config: &Config, reread: Option<Reread>) -> Result<Self, ServiceError> {
        let (tell, newest) = watch::channel(config.clone());
        if let Some(reread) = reread.filter(|_| !io::stderr().is_terminal()) {
            tokio::spawn(read_at_every(listen_to(SignalKind::hangup())?, reread, tell));
        }
        Ok(Self(newest))
    }

    /// The config as it was last read.
    pub(super) fn newest(&self) -> Config {
        self.0.borrow().clone()
    }

    /// The same, if nobody has asked for it yet.
    pub(super) fn news(&mut self) -> Option<Config> {
        self.0.has_changed().unwrap_or(false).then(|| self.0.borrow_and_update().clone())
    }

    /// Waits until there are [`news`](Self::news); may be dropped at any time.
    pub(super) async fn wait(&mut self) {
        if self.0.changed().await.is_err() {
            // Nobody listens to the signal.
            std::future::pending::<()>().await;
        }
        self.0.mark_changed();
    }
}

async fn read_at_every(mut hangup: Signal, reread: Reread, tell: watch::Sender<Config>) {
    while hangup.recv().await.is_some() {
        systemd::reloading();
        let reread = Arc::clone(&reread);
        match blocking(move || reread()).await {
            Ok(Ok(config)) => take_in(&config, &tell),
            Ok(Err(reason)) => {
                tracing::error!(reason, "the config is not taken over; the run goes on with the one before")
            }
            Err(error) => tracing::error!(%error, "the config is not taken over"),
        }
        systemd::reloaded();
    }
}

fn take_in(config: &Config, tell: &watch::Sender<Config>) {
    let reloaded = tell.borrow().reload(config);
    let listed = |keys: &[String]| if keys.is_empty() { "nothing".to_owned() } else { keys.join(", ") };
    tracing::info!(taken_over = listed(&reloaded.taken), "the config was read anew");
    if !reloaded.left.is_empty() {
        tracing::warn!(
            keys = listed(&reloaded.left),
            "these differ and stay as they were; start the service anew for them"
        );
    }
    if !reloaded.taken.is_empty() {
        let _ = tell.send(reloaded.config);
    }
}
