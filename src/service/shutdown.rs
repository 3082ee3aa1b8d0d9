//! SIGTERM and SIGINT, heard once and remembered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::ServiceError;

/// Whether the service was asked to end.
#[derive(Debug)]
pub(super) struct Shutdown {
    asked: watch::Receiver<bool>,
    flag: Arc<AtomicBool>,
}

impl Shutdown {
    /// Begins to listen; needs a runtime.
    pub(super) fn listen() -> Result<Self, ServiceError> {
        let mut terminate = signal(SignalKind::terminate()).map_err(ServiceError::Signals)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(ServiceError::Signals)?;
        let (tell, asked) = watch::channel(false);
        let flag = Arc::new(AtomicBool::new(false));
        let raised = Arc::clone(&flag);
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::info!("asked to end; the next start will continue here");
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
}
