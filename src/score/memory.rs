//! How much memory a model may take before anybody knows it.
//!
//! A graph of a few hundred bytes may ask for more than a machine has, and nobody can tell by reading it. So while a model is
//! loaded and tried the system gives the process only so much more: ONNX Runtime makes an error of it that the checkpoint is
//! rejected for, where else the system would end some process, perhaps this one, again and again.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::ScoreError;
use crate::memory;

/// The bound is the process's: models are loaded one after the other.
static TURN: Mutex<()> = Mutex::new(());

/// As long as this lives, the process gets no more memory than was said.
pub(super) struct Bound {
    bytes: u64,
    before: Rlimit,
    _turn: MutexGuard<'static, ()>,
}

impl Bound {
    /// Gives the process `bytes` more than it has, or three quarters of what is free; none where the system does not tell
    /// or will not hold to it.
    pub(super) fn of(bytes: Option<u64>) -> Option<Self> {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = bytes.or_else(|| Some(memory::available()? / 4 * 3))?;
        let before = getrlimit(Resource::Data);
        let bounded = memory::of_this_process()?.saturating_add(bytes);
        let least = [before.current, before.maximum].into_iter().flatten().fold(bounded, u64::min);
        setrlimit(Resource::Data, Rlimit { current: Some(least), maximum: before.maximum }).ok()?;
        Some(Self { bytes, before, _turn: turn })
    }

    /// Says what the bound was, where an error comes of it.
    pub(super) fn explain(&self, error: ScoreError) -> ScoreError {
        match error {
            // What ONNX Runtime's allocator and C++'s say; there is no code to tell it by.
            ScoreError::Model { checkpoint, reason }
                if reason.contains("Failed to allocate memory") || reason.contains("bad_alloc") =>
            {
                let bytes = self.bytes;
                let reason = format!(
                    "it takes more than the {bytes} bytes of memory that a model may take (score.max_gib): {reason}"
                );
                ScoreError::Model { checkpoint, reason }
            }
            error => error,
        }
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        // A process may always raise its limit again, up to the one that it cannot raise.
        let _ = setrlimit(Resource::Data, self.before);
    }
}
