//! The room `watch` on real folders, with real events, and clocks that the tests set.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use gleaner::watch::{
    Candidate, Evidence, Hints, Method, Now, Pattern, PatternError, QuarantineError, Reconciled, Reconciler, Verdict,
    Watcher, quarantine,
};

const QUIET: Duration = Duration::from_secs(2);
const SECOND: Duration = Duration::from_secs(1);

/// A folder and a look-out for it whose clocks stand still until they are moved.
struct Scene {
    folder: tempfile::TempDir,
    reconciler: Reconciler,
    now: Now,
    judged: Vec<(u32, Evidence)>,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let reconciler = reconciler(folder.path());
        Self { folder, reconciler, now: Now::read(), judged: Vec::new() }
    }

    /// A scene that has had its look at the start already, so that times of files no longer count.
    fn begun() -> Self {
        let mut scene = Self::new();
        assert_eq!(scene.look(0), Reconciled::default());
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).unwrap();
    }

    /// Appends, so that inode and size say that it is the same file, grown.
    fn grow(&self, name: &str, content: &str) {
        OpenOptions::new().append(true).open(self.path(name)).unwrap().write_all(content.as_bytes()).unwrap();
    }

    fn written_at(&self, name: &str, time: SystemTime) {
        File::options().write(true).open(self.path(name)).unwrap().set_modified(time).unwrap();
    }

    fn pass(&mut self, time: Duration) {
        self.now.monotonic += time;
        self.now.wall += time;
    }

    fn heed_rename(&mut self, name: &str) {
        self.reconciler.heed(&Hints { renamed: vec![name.into()], folder_gone: false });
    }

    /// Looks with a judge for whom "whole" is whole, "bad" is bad, and everything else breaks off.
    fn look(&mut self, wanted: u32) -> Reconciled {
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

fn judge(candidate: &Candidate) -> Verdict {
    match fs::read_to_string(&candidate.path).unwrap().as_str() {
        "whole" => Verdict::Whole,
        "bad" => Verdict::Bad("12 classes, but the pool has 10".into()),
        _ => Verdict::Unfinished("it breaks off".into()),
    }
}

fn epochs(candidates: &[Candidate]) -> Vec<u32> {
    candidates.iter().map(|candidate| candidate.epoch).collect()
}

fn ready(reconciled: &Reconciled) -> Option<u32> {
    reconciled.ready.as_ref().map(|candidate| candidate.epoch)
}

#[test]
fn a_pattern_finds_the_epoch_with_and_without_zeros() {
    let pattern = Pattern::parse("epoch-{epoch}.onnx").unwrap();
    let epoch_of = |name: &str| pattern.epoch_of(OsStr::new(name));
    assert_eq!(epoch_of("epoch-0007.onnx"), Some(7));
    assert_eq!(epoch_of("epoch-7.onnx"), Some(7));
    assert_eq!(epoch_of("epoch-0.onnx"), Some(0));
    assert_eq!(epoch_of("epoch-00000000000000007.onnx"), Some(7));
    assert_eq!(epoch_of("epoch-4294967295.onnx"), Some(u32::MAX));
    for name in [
        "epoch-4294967296.onnx",
        "epoch-.onnx",
        "epoch-+7.onnx",
        "epoch--7.onnx",
        "epoch-7.onnx.data",
        "epoch-7.onnx.tmp",
        "Epoch-7.onnx",
        "my-epoch-7.onnx",
        "epoch-7",
        "epoch-seven.onnx",
        "epoch-\u{0667}.onnx",
        "",
    ] {
        assert_eq!(epoch_of(name), None, "{name}");
    }
    assert_eq!(pattern.name(7), "epoch-0007.onnx");
    assert_eq!(pattern.name(12345), "epoch-12345.onnx");
    assert_eq!(pattern.to_string(), "epoch-{epoch}.onnx");
    // Where the text around leaves less than nothing for the number.
    assert_eq!(Pattern::parse("aa{epoch}aa").unwrap().epoch_of(OsStr::new("aaa")), None);
}

#[test]
fn a_pattern_that_cannot_name_checkpoints_is_refused() {
    let refused = |text: &str| Pattern::parse(text).unwrap_err();
    assert!(matches!(refused("last.onnx"), PatternError::NoEpoch(_)));
    assert!(matches!(refused("{epoch}-{epoch}.onnx"), PatternError::ManyEpochs(_)));
    assert!(matches!(refused("run/epoch-{epoch}.onnx"), PatternError::Folder(_)));
    assert!(matches!(refused("{run}-{epoch}.onnx"), PatternError::Braces(_)));
    assert!(matches!(refused(".epoch-{epoch}.onnx"), PatternError::Hidden(_)));
    assert!(refused("last.onnx").to_string().contains("write \"epoch-{epoch}.onnx\""));
}

#[test]
fn a_file_is_ready_once_it_has_been_quiet() {
    let mut scene = Scene::begun();
    scene.write("epoch-0003.onnx", "who");
    let first = scene.look(3);
    assert_eq!(ready(&first), None);
    assert_eq!(first.look_again_in(), Some(QUIET));

    scene.pass(SECOND);
    scene.grow("epoch-0003.onnx", "le");
    assert_eq!(scene.look(3).look_again_in(), Some(QUIET), "the time begins anew with every change");
    scene.pass(SECOND);
    assert_eq!(scene.look(3).look_again_in(), Some(SECOND));
    assert!(scene.judged.is_empty(), "nobody reads a file that may still be growing");

    scene.pass(SECOND);
    let found = scene.look(3).ready.expect("two seconds have passed");
    assert_eq!((found.epoch, found.path.clone(), found.data.clone()), (3, scene.path("epoch-0003.onnx"), None));
    assert_eq!(scene.look(3).ready, Some(found), "it stays ready until another is wanted");
    assert_eq!(scene.judged, [(3, Evidence::Quiet)], "and is read once");
    assert_eq!(scene.look(4), Reconciled::default());
}

#[test]
fn a_file_that_lay_there_before_the_start_is_quiet_at_once() {
    let mut scene = Scene::new();
    scene.write("epoch-0003.onnx", "whole");
    scene.written_at("epoch-0003.onnx", scene.now.wall - 3 * SECOND);
    assert_eq!(ready(&scene.look(0)), Some(3));
}

#[test]
fn a_clock_set_back_does_not_make_a_file_wait_for_ever() {
    let mut scene = Scene::new();
    scene.write("epoch-0003.onnx", "whole");
    scene.written_at("epoch-0003.onnx", scene.now.wall + 3600 * SECOND);
    assert_eq!(ready(&scene.look(0)), None);
    scene.now.monotonic += QUIET;
    scene.now.wall -= 7200 * SECOND;
    assert_eq!(ready(&scene.look(0)), Some(3));
}

#[test]
fn an_old_time_counts_at_the_start_only() {
    // A file server whose clock is an hour behind.
    let mut scene = Scene::begun();
    scene.write("epoch-0003.onnx", "whole");
    scene.written_at("epoch-0003.onnx", scene.now.wall - 3600 * SECOND);
    assert_eq!(ready(&scene.look(0)), None);
    scene.pass(QUIET);
    assert_eq!(ready(&scene.look(0)), Some(3));
}

#[test]
fn a_rename_or_a_marker_makes_waiting_needless() {
    let mut scene = Scene::begun();
    scene.write("epoch-0003.onnx", "whole");
    scene.heed_rename("epoch-0003.onnx");
    assert_eq!(ready(&scene.look(0)), Some(3));

    scene.write("epoch-0004.onnx", "whole");
    assert_eq!(ready(&scene.look(4)), None);
    scene.write("epoch-0004.onnx.done", "");
    assert_eq!(ready(&scene.look(4)), Some(4));
    assert_eq!(scene.judged, [(3, Evidence::Renamed), (4, Evidence::Marked)]);
}

#[test]
fn a_rename_may_be_heard_of_after_its_file_was_seen() {
    let mut scene = Scene::begun();
    scene.write("epoch-0003.onnx", "whole");
    assert_eq!(ready(&scene.look(0)), None);
    scene.heed_rename("epoch-0003.onnx");
    assert_eq!(ready(&scene.look(0)), Some(3));
}

#[test]
fn a_rename_vouches_for_nothing_that_is_written_after_it() {
    let mut scene = Scene::begun();
    scene.write("epoch-0003.onnx", "whole");
    scene.heed_rename("epoch-0003.onnx");
    scene.look(4);
    scene.look(0);
    scene.grow("epoch-0003.onnx", " and more");
    assert_eq!(scene.look(0).look_again_in(), Some(QUIET));
}

#[test]
fn a_marker_older_than_its_file_speaks_of_an_earlier_one() {
    let mut scene = Scene::begun();
    scene.write("epoch-0004.onnx.done", "");
    scene.written_at("epoch-0004.onnx.done", scene.now.wall - 60 * SECOND);
    scene.write("epoch-0004.onnx", "whole");
    assert_eq!(ready(&scene.look(0)), None);
    scene.pass(QUIET);
    assert_eq!(ready(&scene.look(0)), Some(4));
    assert_eq!(scene.judged, [(4, Evidence::Quiet)]);
}

#[test]
fn the_weights_beside_the_graph_have_to_be_complete_too() {
    let mut scene = Scene::begun();
    scene.write("epoch-0003.onnx", "whole");
    scene.write("epoch-0003.onnx.data", "1");
    scene.heed_rename("epoch-0003.onnx");
    assert_eq!(scene.look(0).look_again_in(), Some(QUIET), "the rename of the graph says nothing of its weights");
    scene.pass(SECOND);
    scene.grow("epoch-0003.onnx.data", "2");
    assert_eq!(scene.look(0).look_again_in(), Some(QUIET));
    scene.pass(QUIET);
    let found = scene.look(0).ready.unwrap();
    assert_eq!(found.data, Some(scene.path("epoch-0003.onnx.data")));
    assert_eq!(found.identity.data.unwrap().size, 2);

    scene.grow("epoch-0003.onnx.data", "3");
    assert!(!found.is_unchanged());
    assert_eq!(ready(&scene.look(0)), None, "a change makes it another content");
}

#[test]
fn of_a_backlog_the_newest_wins_by_number() {
    let mut scene = Scene::new();
    for (epoch, age) in [(2, 50), (9, 40), (10, 60), (3, 10), (11, 0)] {
        let name = format!("epoch-{epoch}.onnx");
        scene.write(&name, "whole");
        scene.written_at(&name, scene.now.wall - age * SECOND);
    }
    let reconciled = scene.look(3);
    assert_eq!(ready(&reconciled), Some(10), "neither the name nor the time decides");
    assert_eq!(epochs(&reconciled.skipped), [9, 3]);
    assert_eq!(reconciled.waiting.iter().map(|not_yet| not_yet.candidate.epoch).collect::<Vec<_>>(), [11]);
    assert_eq!(scene.judged, [(10, Evidence::Quiet)], "what is skipped is not read");
}

#[test]
fn two_names_for_one_epoch_are_not_two_epochs() {
    let mut scene = Scene::new();
    for name in ["epoch-07.onnx", "epoch-0007.onnx"] {
        scene.write(name, "whole");
        scene.written_at(name, scene.now.wall - 60 * SECOND);
    }
    let first = scene.look(0);
    assert_eq!(first.ready.unwrap().path, scene.path("epoch-0007.onnx"));
    assert!(first.skipped.is_empty());
    assert_eq!(first.ignored, [scene.path("epoch-07.onnx")]);
    assert!(scene.look(0).ignored.is_empty());
}

#[test]
fn files_that_are_no_checkpoints_are_told_once() {
    let mut scene = Scene::new();
    for name in [
        "best.onnx",
        "notes.txt",
        "epoch-0001.scores.parquet",
        ".epoch-1.onnx",
        "epoch-1.onnx.part",
        "epoch-1.onnx~",
        "epoch-1.onnx.done",
    ] {
        scene.write(name, "whole");
    }
    fs::create_dir(scene.path("epoch-0005.onnx")).unwrap();
    fs::create_dir(scene.path("rejected")).unwrap();
    std::os::unix::fs::symlink("nowhere", scene.path("epoch-0006.onnx")).unwrap();
    let first = scene.look(0);
    assert_eq!(first.ignored, [scene.path("best.onnx"), scene.path("notes.txt")]);
    assert_eq!((first.ready, first.waiting.len()), (None, 0));
    assert_eq!(scene.look(0), Reconciled::default());
    scene.write("another.txt", "");
    assert_eq!(scene.look(0).ignored, [scene.path("another.txt")]);
}

#[test]
fn a_file_that_breaks_off_is_given_time_and_then_rejected_once() {
    let mut scene = Scene::begun();
    scene.write("epoch-0003.onnx", "who");
    scene.look(0);
    scene.pass(QUIET);
    let waiting = &scene.look(0).waiting[0];
    assert_eq!((waiting.reason.as_str(), waiting.look_again_in), ("it breaks off", Duration::from_secs(28)));
    scene.pass(27 * SECOND);
    assert_eq!(scene.look(0).look_again_in(), Some(SECOND));
    scene.pass(SECOND);
    let last = scene.look(0);
    assert_eq!((last.rejected[0].candidate.epoch, last.rejected[0].reason.as_str()), (3, "it breaks off"));
    assert_eq!(scene.judged.len(), 2, "read when it fell silent, and once more before it was given up");
    assert_eq!(scene.look(0), Reconciled::default());

    // The writer comes back after all.
    scene.grow("epoch-0003.onnx", "le");
    scene.look(0);
    scene.pass(QUIET);
    assert_eq!(ready(&scene.look(0)), Some(3));
}

#[test]
fn a_bad_file_does_not_stand_in_the_way_and_is_judged_anew_when_it_changes() {
    let mut scene = Scene::new();
    for (name, content) in [("epoch-0003.onnx", "whole"), ("epoch-0004.onnx", "bad")] {
        scene.write(name, content);
        scene.written_at(name, scene.now.wall - 60 * SECOND);
    }
    let first = scene.look(0);
    assert_eq!(ready(&first), Some(3));
    assert_eq!(first.rejected[0].reason, "12 classes, but the pool has 10");
    let second = scene.look(0);
    assert_eq!((ready(&second), second.rejected.len()), (Some(3), 0));
    assert_eq!(scene.judged.len(), 2);

    scene.write("epoch-0004.onnx", "whole");
    scene.heed_rename("epoch-0004.onnx");
    assert_eq!(ready(&scene.look(0)), Some(4));
}

#[test]
fn a_checkpoint_that_fails_in_the_scan_is_not_offered_again() {
    let mut scene = Scene::begun();
    scene.write("epoch-0003.onnx", "whole");
    scene.heed_rename("epoch-0003.onnx");
    let found = scene.look(0).ready.unwrap();
    scene.reconciler.reject(&found, "its logits are NaN");
    assert_eq!(scene.look(0), Reconciled::default());
}

#[test]
fn a_marked_file_that_breaks_off_is_bad_at_once() {
    let mut scene = Scene::begun();
    scene.write("epoch-0003.onnx", "who");
    scene.write("epoch-0003.onnx.done", "");
    assert_eq!(scene.look(0).rejected.len(), 1);
}

#[test]
fn quarantine_keeps_the_names_and_says_why() {
    let mut scene = Scene::begun();
    for (name, content) in
        [("epoch-0003.onnx", "bad"), ("epoch-0003.onnx.data", "weights"), ("epoch-0003.onnx.done", "")]
    {
        scene.write(name, content);
    }
    let rejection = scene.look(0).rejected.remove(0);
    let digest = "0123456789abcdef0123456789abcdef";
    let folder = quarantine(&rejection.candidate, digest, &rejection.reason).unwrap();
    assert_eq!(folder, scene.path("rejected/0123456789ab-epoch-0003"));
    assert_eq!(fs::read_to_string(folder.join("epoch-0003.onnx")).unwrap(), "bad");
    assert_eq!(fs::read_to_string(folder.join("epoch-0003.onnx.data")).unwrap(), "weights");
    let reason = fs::read_to_string(folder.join("reason.txt")).unwrap();
    assert!(reason.contains("12 classes") && reason.contains(digest), "{reason}");
    let left: Vec<_> = fs::read_dir(scene.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["rejected"]);
    assert_eq!(scene.look(0), Reconciled::default());
}

#[test]
fn quarantine_leaves_alone_what_it_cannot_or_may_not_move() {
    let mut scene = Scene::begun();
    scene.write("epoch-0003.onnx", "bad");
    scene.write("epoch-0003.onnx.done", "");
    let candidate = scene.look(0).rejected.remove(0).candidate;
    for digest in ["short", "../../../../etc", ""] {
        assert!(matches!(quarantine(&candidate, digest, "bad"), Err(QuarantineError::Digest { .. })), "{digest}");
    }
    scene.write("rejected", "a file where the folder should be");
    assert!(matches!(quarantine(&candidate, "0123456789ab", "bad"), Err(QuarantineError::Reason(_))));
    scene.write("epoch-0003.onnx", "whole, and new");
    assert!(matches!(quarantine(&candidate, "0123456789ab", "bad"), Err(QuarantineError::Changed { .. })));
    assert_eq!(fs::read_to_string(scene.path("epoch-0003.onnx")).unwrap(), "whole, and new");
    assert!(scene.path("epoch-0003.onnx.done").exists());
}

/// Waits for hints until the look shows what is wanted; panics after ten seconds.
async fn until(
    watcher: &mut Watcher,
    reconciler: &mut Reconciler,
    mut found: impl FnMut(&Reconciled, &Hints) -> bool,
) -> Reconciled {
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut look_again = None;
    loop {
        let pause = look_again.unwrap_or(Duration::from_secs(10)).min(deadline - Instant::now());
        let hints = tokio::time::timeout(pause, watcher.next()).await.unwrap_or_default();
        reconciler.heed(&hints);
        let reconciled = reconciler.look(0, Now::read(), &mut |candidate, _| judge(candidate)).unwrap();
        if found(&reconciled, &hints) {
            return reconciled;
        }
        look_again = reconciled.look_again_in();
        assert!(Instant::now() < deadline, "not found in time: {reconciled:?}");
    }
}

const NEVER: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_rename_is_heard_and_needs_no_quiet() {
    let folder = tempfile::tempdir().unwrap();
    let watched = folder.path().join("made/by/the/watcher");
    let mut watcher = Watcher::start(&watched, Method::Native, NEVER);
    assert!(watcher.is_native());
    let pattern = Pattern::parse("epoch-{epoch}.onnx").unwrap();
    let mut reconciler = Reconciler::new(&watched, pattern, NEVER);
    assert_eq!(watcher.next().await, Hints::default(), "the first turn comes at once");
    fs::write(watched.join(".gleaner-tmp-1-epoch-0001.onnx"), "whole").unwrap();
    fs::rename(watched.join(".gleaner-tmp-1-epoch-0001.onnx"), watched.join("epoch-0001.onnx")).unwrap();
    until(&mut watcher, &mut reconciler, |look, _| ready(look) == Some(1)).await;
    // From another folder, too.
    fs::write(folder.path().join("x"), "whole").unwrap();
    fs::rename(folder.path().join("x"), watched.join("epoch-0002.onnx")).unwrap();
    until(&mut watcher, &mut reconciler, |look, _| ready(look) == Some(2)).await;
}

#[tokio::test]
async fn writing_is_heard_when_it_ends_and_reading_never() {
    let folder = tempfile::tempdir().unwrap();
    let mut watcher = Watcher::start(folder.path(), Method::Native, NEVER);
    let path = folder.path().join("epoch-0001.onnx");
    fs::write(&path, "whole").unwrap();
    let pause = Duration::from_millis(300);
    while tokio::time::timeout(pause, watcher.next()).await.is_ok() {}
    assert_eq!(fs::read_to_string(&path).unwrap(), "whole");
    assert!(tokio::time::timeout(pause, watcher.next()).await.is_err(), "our own reading must not wake us");
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"!").unwrap();
    assert!(tokio::time::timeout(pause, watcher.next()).await.is_err(), "a write in between is no reason to look");
    drop(file);
    assert_eq!(tokio::time::timeout(10 * SECOND, watcher.next()).await.unwrap(), Hints::default());
}

#[tokio::test]
async fn a_folder_that_is_removed_comes_back_and_is_watched_again() {
    let outer = tempfile::tempdir().unwrap();
    // A relative path, as the default configuration has; the tests of this file leave the working directory alone.
    let folder = relative_to_here(&outer.path().join("watch"));
    let mut watcher = Watcher::start(&folder, Method::Native, Duration::from_millis(200));
    let mut reconciler = Reconciler::new(&folder, Pattern::parse("epoch-{epoch}.onnx").unwrap(), NEVER);
    fs::remove_dir_all(&folder).unwrap();
    until(&mut watcher, &mut reconciler, |_, hints| hints.folder_gone).await;
    until(&mut watcher, &mut reconciler, |_, _| folder.is_dir()).await;
    // Only an event can tell of a rename, so the new folder is watched indeed. Several, because the first may come
    // between the folder and the watch.
    let mut renamed = 0;
    let mut next_rename = Instant::now();
    until(&mut watcher, &mut reconciler, |look, _| {
        if Instant::now() >= next_rename {
            next_rename = Instant::now() + SECOND;
            renamed += 1;
            fs::write(folder.join("x.part"), "whole").unwrap();
            fs::rename(folder.join("x.part"), folder.join(format!("epoch-{renamed}.onnx"))).unwrap();
        }
        look.ready.is_some()
    })
    .await;
    assert!(watcher.is_native());
}

fn relative_to_here(path: &Path) -> PathBuf {
    let up: PathBuf = std::env::current_dir().unwrap().components().skip(1).map(|_| "..").collect();
    up.join(path.strip_prefix("/").unwrap())
}

#[tokio::test]
async fn polling_finds_a_checkpoint_without_any_event() {
    let folder = tempfile::tempdir().unwrap();
    let mut watcher = Watcher::start(folder.path(), Method::Polling, Duration::from_millis(100));
    assert!(!watcher.is_native());
    let pattern = Pattern::parse("epoch-{epoch}.onnx").unwrap();
    let mut reconciler = Reconciler::new(folder.path(), pattern, Duration::from_millis(300));
    until(&mut watcher, &mut reconciler, |_, _| true).await;
    fs::write(folder.path().join("epoch-0001.onnx"), "whole").unwrap();
    until(&mut watcher, &mut reconciler, |look, _| ready(look) == Some(1)).await;
}
