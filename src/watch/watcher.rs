//! Noticing that something happened in the folder.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;
use tokio::time::Instant;

/// How the folder is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// By the events of the operating system, with the slow timer behind them.
    Native,
    /// By the timer alone: for network file systems, which tell nothing of what other machines write.
    Polling,
}

/// What was heard since the last time; always a reason to look, never the truth.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hints {
    /// Names in the folder that came to be by a rename.
    pub renamed: Vec<OsString>,
    /// The folder itself was removed or moved away; it is made anew at the next turn of the timer.
    pub folder_gone: bool,
}

/// What the thread of `notify` leaves for [`Watcher::next`]; hints melt together, so there is no queue to overflow.
#[derive(Default)]
struct Mailbox {
    pending: Mutex<Pending>,
    something: Notify,
}

#[derive(Default)]
struct Pending {
    renamed: BTreeSet<OsString>,
    folder_gone: bool,
    /// Something was heard after which the watch may be dead, though the folder looks the same: file systems give the
    /// inode of a removed folder to the next one.
    renew: bool,
}

/// Watches one flat folder.
///
/// Nothing that goes wrong is fatal: when the operating system refuses to watch, or the folder is not there and cannot be
/// made, a warning is logged and the timer carries on.
pub struct Watcher {
    folder: PathBuf,
    method: Method,
    poll: Duration,
    next_turn: Instant,
    mailbox: Arc<Mailbox>,
    watching: Option<Watching>,
    warned: bool,
    unmade: bool,
}

struct Watching {
    /// Dropping it ends the watch.
    _watcher: RecommendedWatcher,
    /// Device and inode of the folder that is watched: a new folder of the same name is not.
    folder: (u64, u64),
}

impl Watcher {
    /// Makes the folder if it is missing and begins to watch it; `poll` is the time between two turns of the timer.
    ///
    /// The first [`next`](Self::next) returns at once, so that what lies there already is looked at.
    pub fn start(folder: impl Into<PathBuf>, method: Method, poll: Duration) -> Self {
        let folder = folder.into();
        let mailbox = Arc::new(Mailbox::default());
        mailbox.something.notify_one();
        let mut watcher = Self {
            folder,
            method,
            poll,
            next_turn: later(poll),
            mailbox,
            watching: None,
            warned: false,
            unmade: false,
        };
        watcher.watch_again();
        watcher
    }

    /// Waits until there is a reason to look at the folder: an event, or the timer.
    ///
    /// May be dropped at any time, as `tokio::select!` does, without losing a hint. Needs a runtime with its timer on.
    pub async fn next(&mut self) -> Hints {
        let timer = tokio::select! {
            () = self.mailbox.something.notified() => false,
            () = tokio::time::sleep_until(self.next_turn) => true,
        };
        let pending = std::mem::take(&mut *self.mailbox.lock());
        if pending.renew {
            self.watching = None;
        }
        if timer {
            self.next_turn = later(self.poll);
            self.watch_again();
        }
        if pending.folder_gone {
            tracing::warn!(folder = %self.folder.display(), "the folder of checkpoints is gone; it will be made anew");
        }
        Hints { renamed: pending.renamed.into_iter().collect(), folder_gone: pending.folder_gone }
    }

    /// Whether events are coming in; otherwise the timer is all there is.
    pub fn is_native(&self) -> bool {
        self.watching.is_some()
    }

    /// Sees to it that the folder is there and that it is this very folder which is watched.
    fn watch_again(&mut self) {
        match fs::create_dir_all(&self.folder) {
            Ok(()) => self.unmade = false,
            // Once, not at every turn of the timer.
            Err(_) if self.unmade => {}
            Err(error) => {
                self.unmade = true;
                let folder = self.folder.display();
                tracing::warn!(%folder, %error, "the folder of checkpoints cannot be made; this is tried again later");
            }
        }
        let present = device_and_inode(&self.folder);
        if self.watching.as_ref().is_some_and(|watching| Some(watching.folder) == present) {
            return;
        }
        self.watching = None;
        let (Method::Native, Some(present)) = (self.method, present) else {
            return;
        };
        match watch(&self.folder, Arc::clone(&self.mailbox)) {
            Ok(watcher) => {
                self.watching = Some(Watching { _watcher: watcher, folder: present });
                self.warned = false;
            }
            Err(_) if self.warned => {}
            Err(error) => {
                self.warned = true;
                tracing::warn!(
                    folder = %self.folder.display(), %error, poll = ?self.poll,
                    "the folder cannot be watched for events, so it is looked at by the timer alone; raise \
                     fs.inotify.max_user_watches and max_user_instances if they are used up"
                );
            }
        }
    }
}

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        // The mailbox holds no invariant that a panicking holder could have broken.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn receive(&self, folder: &Path, event: notify::Result<Event>) {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                tracing::warn!(folder = %folder.display(), %error, "watching the folder met an error; looking anew");
                self.lock().renew = true;
                self.something.notify_one();
                return;
            }
        };
        let about_folder = event.paths.iter().any(|path| path == folder);
        match event.kind {
            EventKind::Modify(ModifyKind::Name(RenameMode::To)) => {
                let names = event.paths.iter().filter_map(|path| path.file_name());
                self.lock().renamed.extend(names.map(OsString::from));
            }
            EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(RenameMode::From)) if about_folder => {
                let mut pending = self.lock();
                (pending.folder_gone, pending.renew) = (true, true);
            }
            EventKind::Create(_) | EventKind::Remove(_) | EventKind::Access(AccessKind::Close(AccessMode::Write)) => {}
            _ if event.need_rescan() => self.lock().renew = true,
            // Writes come by the thousand while a checkpoint grows, and opening or reading one, as we do ourselves,
            // changes nothing: neither is a reason to look.
            _ => return,
        }
        self.something.notify_one();
    }
}

fn watch(folder: &Path, mailbox: Arc<Mailbox>) -> notify::Result<RecommendedWatcher> {
    // Absolute, as the paths in the events will be.
    let watched = std::path::absolute(folder)?;
    let heard = watched.clone();
    let mut watcher = notify::recommended_watcher(move |event| mailbox.receive(&heard, event))?;
    watcher.watch(&watched, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

fn device_and_inode(folder: &Path) -> Option<(u64, u64)> {
    folder.metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// `poll` from now, or a year where that lies beyond the clock's range.
fn later(poll: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(poll).unwrap_or(now + Duration::from_secs(365 * 24 * 3600))
}
