//! What is heard of a folder: real events, or the lack of them.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gleaner::watch::{Hints, Method, Now, Pattern, Reconciled, Reconciler, Watcher};

use super::scene::{SECOND, judge, ready};

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
    // A relative path, as the default configuration has; the tests here leave the working directory alone.
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
