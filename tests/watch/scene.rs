//! A folder with a look-out for it, and a judge of what is in it.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use gleaner::watch::{Candidate, Evidence, Hints, Now, Pattern, Reconciled, Reconciler, Verdict};

pub(crate) const QUIET: Duration = Duration::from_secs(2);
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// A folder and a look-out for it whose clocks stand still until they are moved.
pub(crate) struct Scene {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) reconciler: Reconciler,
    pub(crate) now: Now,
    pub(crate) judged: Vec<(u32, Evidence)>,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let reconciler = reconciler(folder.path());
        Self { folder, reconciler, now: Now::read(), judged: Vec::new() }
    }

    /// A scene that has had its look at the start already, so that times of files no longer count.
    pub(crate) fn begun() -> Self {
        let mut scene = Self::new();
        assert_eq!(scene.look(0), Reconciled::default());
        scene
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).unwrap();
    }

    /// Appends, so that inode and size say that it is the same file, grown.
    pub(crate) fn grow(&self, name: &str, content: &str) {
        OpenOptions::new().append(true).open(self.path(name)).unwrap().write_all(content.as_bytes()).unwrap();
    }

    pub(crate) fn written_at(&self, name: &str, time: SystemTime) {
        File::options().write(true).open(self.path(name)).unwrap().set_modified(time).unwrap();
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now.monotonic += time;
        self.now.wall += time;
    }

    pub(crate) fn heed_rename(&mut self, name: &str) {
        self.reconciler.heed(&Hints { renamed: vec![name.into()], folder_gone: false });
    }

    /// Looks with a judge for whom "whole" is whole, "bad" is bad, and everything else breaks off.
    pub(crate) fn look(&mut self, wanted: u32) -> Reconciled {
        let judged = &mut self.judged;
        self.reconciler
            .look(wanted, self.now, &mut |candidate, evidence| {
                judged.push((candidate.epoch, evidence));
                judge(candidate)
            })
            .unwrap()
    }
}

fn reconciler(folder: &Path) -> Reconciler {
    Reconciler::new(folder, Pattern::parse("epoch-{epoch}.onnx").unwrap(), QUIET)
}

pub(crate) fn judge(candidate: &Candidate) -> Verdict {
    match fs::read_to_string(&candidate.path).unwrap().as_str() {
        "whole" => Verdict::Whole,
        "bad" => Verdict::Bad("12 classes, but the pool has 10".into()),
        _ => Verdict::Unfinished("it breaks off".into()),
    }
}

pub(crate) fn ready(reconciled: &Reconciled) -> Option<u32> {
    reconciled.ready.as_ref().map(|candidate| candidate.epoch)
}
