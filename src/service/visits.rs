//! What a training step hands back of the images that it was shown.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;

use twox_hash::XxHash3_128;

use super::{Run, ServiceError};
use crate::config::ListPaths;
use crate::ledger::{self, LedgerError};

impl Run {
    /// Takes in what the trainer says of the images that it has trained on, if it has written that beside the checkpoint:
    /// answers that cost nothing, since the image was visited anyhow.
    ///
    /// A file that makes no sense, or answers with classes that the model does not have, is told of and passed over: the
    /// next scan looks at those images itself.
    ///
    /// # Errors
    /// The disk fails: to go on without the answers would choose another list than a restart.
    pub(super) fn learn_from_training(
        &mut self,
        checkpoint: &Path,
        epoch: u32,
        trained_on: u32,
    ) -> Result<(), ServiceError> {
        let path = ledger::scores_beside(checkpoint);
        // Once to its end before anything is believed.
        let mut highest = 0;
        match ledger::read_scores(&path, &mut |_, answer| highest = answer.predicted.max(highest)) {
            Ok(_) => {}
            Err(LedgerError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error @ (LedgerError::Scores { .. } | LedgerError::Score { .. })) => {
                tracing::warn!(%error, "what the trainer says of its images is passed over");
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        }
        if highest as usize >= self.classes {
            let (file, classes) = (path.display(), self.classes);
            tracing::warn!(%file, class = highest, classes, "it names a class that there is not, and is passed over");
            return Ok(());
        }
        let ids = self.listed(trained_on);
        let (mut answers, mut strangers) = (0u64, 0u64);
        let samples = &mut self.samples;
        ledger::read_scores(&path, &mut |path, answer| match ids.get(&XxHash3_128::oneshot(path)) {
            Some(&id) => {
                samples.record_score(id, epoch, &answer);
                answers += 1;
            }
            None => strangers += 1,
        })?;
        tracing::info!(epoch, answers, strangers, "the trainer has said how it went");
        Ok(())
    }

    /// The images of the list of an epoch, by the hash of the path that stands there: lists may be long, and paths longer.
    fn listed(&self, epoch: u32) -> HashMap<u128, u32> {
        let epoch = i32::try_from(epoch).unwrap_or(i32::MAX);
        let listed = (0..self.pool.len()).filter(|&id| self.samples.last_trained.get(id as usize) == Some(&epoch));
        let hash = |id| match self.config().lists.paths {
            ListPaths::Listed => XxHash3_128::oneshot(self.pool.listed(id)),
            ListPaths::Absolute => XxHash3_128::oneshot(&self.pool.path(id).into_os_string().into_vec()),
        };
        listed.map(|id| (hash(id), id)).collect()
    }
}
