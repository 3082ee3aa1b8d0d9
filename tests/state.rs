//! A state folder after crashes, damage, mix-ups and on a full disk.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod sketch;
mod small_disk;

use std::fs;
use std::path::Path;

use gleaner::digest;
use gleaner::ledger::{Access, LEDGER_FILE, Ledger, LedgerError, NEXT_SAMPLES_FILE, SAMPLES_FILE};
use sketch::{begun, commit, name, visited};
use small_disk::SmallDisk;

/// A copy of a state folder as a process that was killed would have left it.
fn state_of(folder: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

#[test]
fn samples_and_ledger_are_of_one_mind_after_a_crash_at_any_step() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = begun(folder.path());
    let next = folder.path().join(NEXT_SAMPLES_FILE);
    let reopened = |state: &tempfile::TempDir| {
        let ledger = Ledger::open(state.path(), Access::Write).unwrap();
        assert!(!state.path().join(NEXT_SAMPLES_FILE).exists());
        (
            ledger.last_epoch().unwrap().map(|epoch| epoch.commit.epoch),
            ledger.read_samples(3).unwrap().map(|samples| samples.visits[0]),
        )
    };
    assert_eq!(reopened(&state_of(folder.path())), (None, None));
    for epoch in 0..2_u32 {
        let before = (epoch.checked_sub(1), epoch.checked_sub(1).map(|last| last + 1));
        let prepared = ledger.prepare_samples(&visited(epoch + 1), &mut name).unwrap();
        assert_eq!(prepared.digest(), digest::of_file(&next).unwrap());
        let content = fs::read(&next).unwrap();
        let old = fs::read(folder.path().join(SAMPLES_FILE)).ok();
        assert_eq!(reopened(&state_of(folder.path())), before, "prepared, not committed");
        ledger.commit_epoch(&commit(epoch), &[], Some(prepared)).unwrap();
        let after = (Some(epoch), Some(epoch + 1));
        assert_eq!(reopened(&state_of(folder.path())), after, "committed and renamed");

        let crashed = state_of(folder.path());
        fs::write(crashed.path().join(NEXT_SAMPLES_FILE), &content).unwrap();
        match old {
            Some(old) => fs::write(crashed.path().join(SAMPLES_FILE), old).unwrap(),
            None => fs::remove_file(crashed.path().join(SAMPLES_FILE)).unwrap(),
        }
        let reader = Ledger::open_read_only(crashed.path()).unwrap();
        assert_eq!(reader.last_epoch().unwrap().unwrap().commit.epoch, epoch);
        assert!(crashed.path().join(NEXT_SAMPLES_FILE).exists(), "a reader repairs nothing");
        drop(reader);
        assert_eq!(reopened(&crashed), after, "committed, not renamed");
    }
}

#[test]
fn samples_that_are_not_the_ledgers_are_refused_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = begun(folder.path());
    let prepared = ledger.prepare_samples(&visited(1), &mut name).unwrap();
    ledger.commit_epoch(&commit(0), &[], Some(prepared)).unwrap();
    let whole = fs::read(folder.path().join(SAMPLES_FILE)).unwrap();
    let refused = |state: &tempfile::TempDir, expected: &str| {
        let error = Ledger::open(state.path(), Access::Write).unwrap_err();
        assert!(matches!(error, LedgerError::SamplesLost { .. }), "{error}");
        let error = error.to_string();
        assert!(error.contains("samples.parquet: is not the file") && error.contains("ledger.sqlite"), "{error}");
        assert!(error.contains(expected) && error.contains("put back"), "{error}");
    };
    let state = state_of(folder.path());
    fs::write(state.path().join(SAMPLES_FILE), &whole[..whole.len() / 2]).unwrap();
    refused(&state, "its digest is ");
    fs::remove_file(state.path().join(SAMPLES_FILE)).unwrap();
    refused(&state, "there is no such file");
    fs::write(state.path().join(NEXT_SAMPLES_FILE), &whole[1..]).unwrap();
    refused(&state, "there is no such file");
    assert!(state.path().join(NEXT_SAMPLES_FILE).exists(), "nothing is removed where something is wrong");
    let state = state_of(folder.path());
    for name in fs::read_dir(state.path()).unwrap().map(|entry| entry.unwrap().path()) {
        if name.file_name().unwrap().to_str().unwrap().starts_with(LEDGER_FILE) {
            fs::remove_file(name).unwrap();
        }
    }
    refused(&state, "the ledger speaks of none");
    // While the service runs, too.
    fs::write(folder.path().join(SAMPLES_FILE), &whole[1..]).unwrap();
    assert!(matches!(ledger.read_samples(3).unwrap_err(), LedgerError::SamplesLost { .. }));
}

fn sqlite(path: &Path, script: &str) {
    rusqlite::Connection::open(path).unwrap().execute_batch(script).unwrap();
}

#[test]
fn what_is_not_a_ledger_is_refused_and_left_alone() {
    let make = |content: &dyn Fn(&Path)| {
        let folder = tempfile::tempdir().unwrap();
        content(&folder.path().join(LEDGER_FILE));
        folder
    };
    let ours = |path: &Path| {
        let mut ledger = begun(path.parent().unwrap());
        for epoch in 0..300 {
            ledger.commit_epoch(&commit(epoch), &[], None).unwrap();
        }
    };
    let cases: [(&str, tempfile::TempDir, &str); 5] = [
        (
            "text",
            make(&|path| fs::write(path, "not a database, but long enough to be looked at\n".repeat(50)).unwrap()),
            "is not an SQLite database",
        ),
        ("foreign", make(&|path| sqlite(path, "CREATE TABLE songs (title TEXT)")), "is another program's database"),
        (
            "foreign version",
            make(&|path| sqlite(path, "CREATE TABLE songs (title TEXT); PRAGMA user_version = 1")),
            "is another program's database",
        ),
        (
            "newer",
            make(&|path| {
                ours(path);
                sqlite(path, "PRAGMA user_version = 99")
            }),
            "is of version 99, this gleaner knows versions up to 6; run the newer gleaner",
        ),
        (
            "cut short",
            make(&|path| {
                ours(path);
                let file = fs::OpenOptions::new().write(true).open(path).unwrap();
                file.set_len(file.metadata().unwrap().len() / 2).unwrap();
            }),
            "is damaged",
        ),
    ];
    for (case, folder, expected) in cases {
        let path = folder.path().join(LEDGER_FILE);
        let before = fs::read(&path).unwrap();
        let error = Ledger::open(folder.path(), Access::Write).unwrap_err().to_string();
        assert!(error.contains("ledger.sqlite: ") && error.contains(expected), "{case}: {error}");
        if case != "cut short" {
            let error = Ledger::open_read_only(folder.path()).unwrap_err().to_string();
            assert!(error.contains(expected), "{case}, reading: {error}");
        }
        assert!(fs::read(&path).unwrap() == before, "{case}: the file was changed");
    }
    let empty = tempfile::tempdir().unwrap();
    let error = Ledger::open_read_only(empty.path()).unwrap_err();
    assert!(matches!(error, LedgerError::Missing { .. }), "{error}");
    assert_eq!(fs::read_dir(empty.path()).unwrap().count(), 0, "a reader makes nothing");
}

#[test]
fn a_full_disk_is_named_and_loses_nothing_that_was_committed() {
    let Some(disk) = SmallDisk::mount("size=512k") else { return };
    let folder = disk.path();
    let mut ledger = begun(folder);
    let prepared = ledger.prepare_samples(&visited(1), &mut name).unwrap();
    ledger.commit_epoch(&commit(0), &[], Some(prepared)).unwrap();
    let filler = disk.fill(0);

    let error = ledger.prepare_samples(&visited(2), &mut name).unwrap_err().to_string();
    assert!(error.contains("samples.next.parquet: cannot be written") && error.contains("free some space"), "{error}");
    let error = (1..).find_map(|epoch| ledger.commit_epoch(&commit(epoch), &[], None).err()).unwrap().to_string();
    assert!(
        error.contains("ledger.sqlite: epoch") && error.contains("full") && error.contains("free some space"),
        "{error}"
    );
    let last = ledger.last_epoch().unwrap().unwrap();
    assert_eq!(ledger.read_samples(3).unwrap().unwrap().visits[0], 1);

    fs::remove_file(&filler).unwrap();
    ledger.commit_epoch(&commit(last.commit.epoch + 1), &[], None).unwrap();
    drop(ledger);
    let ledger = Ledger::open(folder, Access::Write).unwrap();
    assert_eq!(ledger.last_epoch().unwrap().unwrap().commit, commit(last.commit.epoch + 1));
}
