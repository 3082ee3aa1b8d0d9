//! When a checkpoint is whole, which one is next, and which are rejected.
//!
//! A trainer drops `epoch-0007.onnx` into a flat folder, in whatever way it likes: by a rename, with a `.done` marker
//! after it, or by simply writing. [`Watcher`] notices that something happened there; what it says is only a hint.
//! [`Reconciler`] looks at the folder as it is and decides, so a lost event costs time and never a checkpoint.
//! [`quarantine`] puts a bad checkpoint aside, with the reason beside it.
//!
//! Nothing here knows what is inside a checkpoint: whoever calls [`Reconciler::look`] passes the judge in.

mod candidate;
mod errors;
mod folder;
mod identity;
mod pattern;
mod quarantine;
mod reconcile;
mod sightings;
mod watcher;

pub use candidate::{Candidate, Evidence, NotYet, Reconciled, Rejection, Verdict};
pub use errors::WatchError;
pub use identity::{FileState, Identity};
pub use pattern::{Pattern, PatternError};
pub use quarantine::{QuarantineError, REJECTED_FOLDER, quarantine};
pub use reconcile::Reconciler;
pub use sightings::Now;
pub use watcher::{Hints, Method, Watcher};
