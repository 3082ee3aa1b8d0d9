//! What the service manager is told. Without one, nothing happens.
//!
//! Signs of life ([`alive`]) are given where work makes progress: by whoever has read a line, scored an image, or moved a
//! centroid, and by the loop while it waits for somebody else ([`waiting`]). No clock gives them by itself: work that hangs
//! falls silent, and the watchdog starts the service anew.

use std::pin::pin;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// How much longer a start may take after a sign of life.
const MORE_TIME: Duration = Duration::from_secs(60);
/// Signs of life come no more often than this, nor than four times in the time that the watchdog allows.
const OFTEN: Duration = Duration::from_secs(5);

/// How things stand with the service manager; `None` where there is none.
static MANAGER: LazyLock<Option<Manager>> = LazyLock::new(|| {
    let watchdog = sd_notify::watchdog_enabled();
    std::env::var_os("NOTIFY_SOCKET").map(|_| Manager {
        born: Instant::now(),
        watchdog,
        pause: watchdog.map_or(OFTEN, |watchdog| OFTEN.min(watchdog / 4)),
        up: AtomicBool::new(false),
        last: AtomicU64::new(0),
    })
});

struct Manager {
    born: Instant,
    /// How long the service may be silent, if that is limited.
    watchdog: Option<Duration>,
    /// Between two signs of life.
    pause: Duration,
    /// Whether the start is over.
    up: AtomicBool,
    /// When the last sign of life was given, in milliseconds after `born`.
    last: AtomicU64,
}

/// The service is up: its state is read and what stands on the disk agrees with it. Said once, however often it is called.
pub fn ready() {
    if MANAGER.as_ref().is_some_and(|manager| !manager.up.swap(true, Ordering::Relaxed)) {
        tell(&[NotifyState::Ready]);
    }
}

/// One line for `systemctl status`.
pub fn status(text: &str) {
    // A line is a message: what comes after its end would be taken for another one.
    tell(&[NotifyState::Status(&text.replace('\n', " "))]);
}

/// The config is being read anew; [`reloaded`] must follow.
pub fn reloading() {
    // Newer managers want to know when it began, and take no answer for it that is older.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// The config has been read anew, or could not be.
pub fn reloaded() {
    tell(&[NotifyState::Ready]);
}

/// The service is about to end.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// A piece of work is done. Costs next to nothing, so that it may be called for every image.
pub fn alive() {
    let Some(manager) = &*MANAGER else { return };
    let now = u64::try_from(manager.born.elapsed().as_millis()).unwrap_or(u64::MAX);
    let last = manager.last.load(Ordering::Relaxed);
    if u128::from(now.saturating_sub(last)) < manager.pause.as_millis() {
        return;
    }
    // Of several threads one is enough.
    if manager.last.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
        if !manager.up.load(Ordering::Relaxed) {
            tell(&[NotifyState::ExtendTimeoutUsec(microseconds(MORE_TIME))]);
        } else if manager.watchdog.is_some() {
            tell(&[NotifyState::Watchdog]);
        }
    }
}

/// Awaits what somebody else does, as the end of a training step: waiting is then the work.
pub async fn waiting<T>(wait: impl Future<Output = T>) -> T {
    let pause = MANAGER.as_ref().map_or(OFTEN, |manager| manager.pause);
    let mut wait = pin!(wait);
    loop {
        tokio::select! {
            biased;
            value = &mut wait => return value,
            () = tokio::time::sleep(pause) => alive(),
        }
    }
}

/// Begins work that gives no sign of life until it is done, as loading a model, and may take so long: for as long as what
/// is returned is not dropped, the watchdog has that much patience.
pub fn silence(longest: Duration) -> Silence {
    set_patience(|usual| longest.max(usual));
    Silence(())
}

/// See [`silence`].
#[must_use]
pub struct Silence(());

impl Drop for Silence {
    fn drop(&mut self) {
        set_patience(|usual| usual);
    }
}

fn set_patience(patience: impl Fn(Duration) -> Duration) {
    if let Some(usual) = MANAGER.as_ref().and_then(|manager| manager.watchdog) {
        tell(&[NotifyState::WatchdogUsec(microseconds(patience(usual))), NotifyState::Watchdog]);
    }
}

fn microseconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager cannot be told how things stand");
    }
}
