//! Processes killed while they make a cache or fill it.

use std::fs;
use std::io::{self, BufRead as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use gleaner::cache::Source;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use super::loading::{drawn, empty_files, load_drawn, open};

/// The child of the test below: puts images in until it is killed.
#[test]
#[ignore = "is started by the test below"]
fn a_filler_that_will_be_killed() {
    let Ok(folder) = std::env::var("GLEANER_CACHE_FOLDER") else { return };
    let folder = Path::new(&folder);
    let cache = open(&folder.join("cache"), 64, 2000);
    println!("ready");
    io::stdout().flush().unwrap();
    for number in 0..2000 {
        let path = folder.join(format!("{number}.png"));
        load_drawn(&cache, &path, 64 * 64 * 3);
    }
    thread::sleep(Duration::from_secs(60));
}

#[test]
fn after_a_kill_at_any_moment_what_is_kept_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let images = empty_files(folder.path(), 2000);
    let kept = folder.path().join("cache");
    let mut before = 0;
    for delay in [0, 1, 2, 3, 5, 8] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--ignored", "--nocapture", "kills::a_filler_that_will_be_killed"])
            .env("GLEANER_CACHE_FOLDER", folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = io::BufReader::new(child.stdout.take().unwrap()).lines();
        while !lines.next().unwrap().unwrap().contains("ready") {}
        thread::sleep(Duration::from_millis(delay));
        child.kill().unwrap();
        child.wait().unwrap();
        let cache = open(&kept, 64, 2000);
        let held = cache.summary().images;
        assert!(held >= before, "{held} after {before}");
        let hits = images.iter().filter(|path| {
            let mut out = vec![0; 64 * 64 * 3];
            let source = cache.load(path, &mut out, |_| Err(())).unwrap_or(Source::Decoded);
            let mut expected = out.clone();
            drawn(path, &mut expected).unwrap();
            assert!(source == Source::Decoded || out == expected, "{}", path.display());
            source == Source::Kept
        });
        assert_eq!(hits.count() as u64, held, "every entry is whole");
        before = held;
    }
    assert!(before > 0, "no child got far enough to be worth killing");
    let cache = open(&kept, 64, 2000);
    images.iter().for_each(|path| {
        load_drawn(&cache, path, 64 * 64 * 3);
    });
    images.iter().for_each(|path| assert_eq!(load_drawn(&cache, path, 64 * 64 * 3), Source::Kept));
}

/// The child of the test below: makes a cache with a table so long that it can be met at it.
#[test]
#[ignore = "is started by the test below"]
fn a_maker_that_will_be_killed() {
    let Ok(folder) = std::env::var("GLEANER_CACHE_FOLDER") else { return };
    open(Path::new(&folder), 1, 8_000_000);
}

/// Files in the folder that are not whole yet.
fn unfinished(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_none()).collect()
}

/// A process that has stopped for a while in the middle of making a cache.
fn maker_at_work(folder: &Path) -> Child {
    loop {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--ignored", "kills::a_maker_that_will_be_killed"])
            .env("GLEANER_CACHE_FOLDER", folder)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let begun = || unfinished(folder).iter().any(|path| path.metadata().is_ok_and(|file| file.len() > 0));
        while child.try_wait().unwrap().is_none() {
            if begun() {
                let process = Pid::from_child(&child);
                kill_process(process, Signal::STOP).unwrap();
                waitid(WaitId::Pid(process), WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
                    .unwrap();
                if begun() {
                    return child;
                }
                child.kill().unwrap();
            }
        }
        // It was done before it could be stopped.
        fs::remove_dir_all(folder).unwrap();
        fs::create_dir(folder).unwrap();
    }
}

#[test]
fn what_a_killed_process_was_making_is_removed_and_what_is_being_made_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut maker = maker_at_work(folder.path());
    open(folder.path(), 2, 5);
    assert_eq!(unfinished(folder.path()).len(), 1, "it goes on in a moment");
    maker.kill().unwrap();
    maker.wait().unwrap();
    assert_eq!(unfinished(folder.path()).len(), 1, "or else there is nothing to show");
    open(folder.path(), 2, 5);
    assert!(unfinished(folder.path()).is_empty());
}
