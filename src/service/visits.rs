//! What a training step hands back of the images it was shown.

use std::collections::HashMap;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;

use super::Run;
use crate::config::ListPaths;
use crate::ledger;

impl Run {
    /// Takes in what the trainer says of the images that it has trained on, if it has written that beside the checkpoint:
    /// answers that cost nothing, since the image was visited anyhow.
    ///
    /// A file that cannot be read, or answers with classes that the model does not have, is told of and passed over: the
    /// next scan looks at those images itself.
    pub(super) fn learn_from_training(&mut self, checkpoint: &Path, epoch: u32, trained_on: u32) {
        let path = ledger::scores_beside(checkpoint);
        if !path.exists() {
            return;
        }
        let now = i32::try_from(trained_on).unwrap_or(i32::MAX);
        let listed = (0..self.pool.len()).filter(|&id| self.samples.last_trained.get(id as usize) == Some(&now));
        let ids: HashMap<Vec<u8>, u32> = listed.map(|id| (self.published_path(id), id)).collect();
        let (mut answers, mut strangers, mut highest) = (Vec::with_capacity(ids.len()), 0u64, 0);
        let read = ledger::read_scores(&path, &mut |path, answer| {
            highest = answer.predicted.max(highest);
            match ids.get(path) {
                Some(&id) => answers.push((id, answer)),
                None => strangers += 1,
            }
        });
        if let Err(error) = read {
            tracing::warn!(%error, "what the trainer says of its images is passed over");
            return;
        }
        if highest as usize >= self.classes {
            let (file, classes) = (path.display(), self.classes);
            tracing::warn!(%file, class = highest, classes, "it names a class that there is not, and is passed over");
            return;
        }
        for (id, answer) in &answers {
            self.samples.record_score(*id, epoch, answer);
        }
        tracing::info!(epoch, answers = answers.len(), strangers, "the trainer has said how it went");
    }

    /// A sample's path as it stands in the lists.
    fn published_path(&self, id: u32) -> Vec<u8> {
        match self.config().lists.paths {
            ListPaths::Listed => self.pool.listed(id).to_vec(),
            ListPaths::Absolute => self.pool.path(id).into_os_string().into_vec(),
        }
    }
}
