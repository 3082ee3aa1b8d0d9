//! SIGTERM and SIGINT, heard once and remembered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::ServiceError;
use crate::systemd;

/// How long whatever is under way has to end by itself before it is left alone, so that all is over in five seconds.
const PATIENCE: Duration = Duration::from_secs(4);

/// Whether the service was asked to end.
#[derive(Clone, Debug)]
pub(super) struct Shutdown {
    asked: watch::Receiver<bool>,
    flag: Arc<AtomicBool>,
}

impl Shutdown {
    /// Begins to listen; needs a runtime.
    pub(super) fn listen() -> Result<Self, ServiceError> {
        let mut terminate = listen_to(SignalKind::terminate())?;
        let mut interrupt = listen_to(SignalKind::interrupt())?;
        let (tell, asked) = watch::channel(false);
        let flag = Arc::new(AtomicBool::new(false));
        let raised = Arc::clone(&flag);
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::info!("asked to end; the next start will continue here");
            systemd::stopping();
            raised.store(true, Ordering::Relaxed);
            let _ = tell.send(true);
        });
        Ok(Self { asked, flag })
    }

    /// Whether it has been asked for.
    pub(super) fn requested(&self) -> bool {
        self.flag.load(Ordering::Relaxed)
    }

    /// The same, for threads that block.
    pub(super) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.flag)
    }

    /// Waits until it is asked for; may be dropped at any time.
    pub(super) async fn wait(&mut self) {
        if self.asked.wait_for(|&asked| asked).await.is_err() {
            // The listener is gone only when the runtime ends: nothing will come any more.
            std::future::pending::<()>().await;
        }
    }

    /// Waits until it has been asked for so long ago that nothing more is waited for.
    pub(super) async fn overdue(mut self) {
        self.wait().await;
        tokio::time::sleep(PATIENCE).await;
    }
}

/// Begins to listen to a signal; needs a runtime.
pub(super) fn listen_to(kind: SignalKind) -> Result<Signal, ServiceError> {
    signal(kind).map_err(ServiceError::Signals)
}
