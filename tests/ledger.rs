//! The ledger, through real state folders.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod sketch;

use std::fs;
use std::path::PathBuf;

use gleaner::duplicates::Duplicate;
use gleaner::ledger::{
    Access, Centroids, Checkpoint, CheckpointStatus, EpochCommit, EpochStatus, LEDGER_FILE, Ledger, Outcome, Review,
    Run, RunStart, Standing, Strata, Training, Validation,
};
use sketch::{begun, commit, name, run, visited};

fn checkpoint(epoch: u32, digest: &str, status: CheckpointStatus) -> Checkpoint {
    Checkpoint {
        epoch,
        path: PathBuf::from(format!("watch/epoch-{epoch}.onnx")),
        digest: digest.to_owned(),
        status,
        reason: (status == CheckpointStatus::Rejected).then(|| "NaN in fc.weight".to_owned()),
    }
}

#[test]
fn an_epoch_is_recorded_from_its_list_to_its_validation() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = begun(folder.path());
    assert_eq!(ledger.standing().unwrap(), Standing::Fresh);
    ledger.commit_epoch(&commit(0), &[], None).unwrap();
    let epoch = ledger.last_epoch().unwrap().unwrap();
    assert_eq!(
        (&epoch.commit, epoch.status, epoch.training),
        (&commit(0), EpochStatus::Committed, Training::default())
    );
    assert_eq!(ledger.standing().unwrap(), Standing::Committed(Box::new(epoch)));

    let training = Training { train_visits: 1000, train_s: Some(9.5), step_s: Some(8.0) };
    ledger.record_training(0, &training).unwrap();
    ledger.record_checkpoint(&checkpoint(0, "d0", CheckpointStatus::Accepted)).unwrap();
    assert_eq!(ledger.checkpoints().unwrap().len(), 1);
    let Standing::Trained(newest) = ledger.standing().unwrap() else { panic!("a checkpoint was accepted") };
    assert_eq!((newest.checkpoint.digest.as_str(), newest.validation), ("d0", None));
    let validation = Validation { epoch: 0, accuracy: 0.875, loss: 0.5, images: 64, seconds: 0.25 };
    ledger.record_validation(&validation).unwrap();
    ledger.commit_epoch(&commit(1), &[], None).unwrap();
    assert!(matches!(ledger.standing().unwrap(), Standing::Committed(epoch) if epoch.commit.epoch == 1));
    drop(ledger);

    let ledger = Ledger::open(folder.path(), Access::Write).unwrap();
    let epochs = ledger.epochs().unwrap();
    assert_eq!(epochs.len(), 2);
    assert_eq!((epochs[0].status, epochs[0].training), (EpochStatus::Trained, training));
    assert_eq!(epochs[0].validation, Some(validation));
    assert_eq!(ledger.epoch(0).unwrap().as_ref(), Some(&epochs[0]));
    assert_eq!(ledger.epoch(7).unwrap(), None);
    assert_eq!(ledger.validations().unwrap(), [validation]);
    assert_eq!(ledger.checkpoint(0).unwrap().unwrap().validation, Some(validation));
    // 1000 visits and 5000 forwards at 0.17.
    assert!((epochs[0].cost - 1850.0).abs() < 1e-9, "{}", epochs[0].cost);
    let totals = ledger.totals().unwrap();
    assert_eq!((totals.epochs, totals.train_visits, totals.scan_forwards), (2, 1000, 10_000));
    assert_eq!(
        (totals.train_s, totals.step_s, totals.scan_s, totals.cluster_s, totals.select_s),
        (9.5, 8.0, 3.0, 0.5, 0.25)
    );
    assert!((totals.cost - 2700.0).abs() < 1e-9, "{}", totals.cost);
    let time = &epochs[0].committed;
    assert!(time.len() == 24 && time.starts_with("20") && time.ends_with('Z') && &time[10..11] == "T", "{time}");
}

#[test]
fn a_start_tells_whether_it_was_asked_for_something_else() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(folder.path(), Access::Write).unwrap();
    assert_eq!(ledger.run().unwrap(), None);
    assert!(ledger.commit_epoch(&commit(0), &[], None).unwrap_err().to_string().contains("begin one first"));
    assert_eq!(ledger.begin_run(&run()).unwrap(), RunStart::First);
    assert_eq!(ledger.begin_run(&run()).unwrap(), RunStart::Continued);
    let other = Run { pool_digest: "p1".to_owned(), ..run() };
    let RunStart::Changed(before) = ledger.begin_run(&other).unwrap() else { panic!("the pool changed") };
    assert_eq!((before.number, before.run), (1, run()));
    assert_eq!(ledger.run().unwrap().map(|record| (record.number, record.run)), Some((2, other)));
}

#[test]
fn an_epoch_is_committed_once_in_order_and_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = begun(folder.path());
    ledger.commit_epoch(&commit(3), &[], None).unwrap();
    for again in [3, 2] {
        let error = ledger.commit_epoch(&commit(again), &[], None).unwrap_err().to_string();
        assert!(error.contains(&format!("epoch {again} cannot be committed, epoch 3 is")), "{error}");
    }
    let mut twice = commit(4);
    twice.lists.push(twice.lists[0].clone());
    let prepared = ledger.prepare_samples(&visited(1), &mut name).unwrap();
    let error = ledger.commit_epoch(&twice, &[], Some(prepared)).unwrap_err().to_string();
    assert!(error.contains("ledger.sqlite: epoch 4 cannot be committed"), "{error}");
    assert_eq!(ledger.last_epoch().unwrap().unwrap().commit, commit(3), "nothing of the failed commit is kept");
    assert_eq!(ledger.read_samples(3).unwrap(), None);
    let huge = EpochCommit { strata: Strata { mined: u64::MAX, extra: 1, ..Strata::default() }, ..commit(4) };
    assert!(ledger.commit_epoch(&huge, &[], None).unwrap_err().to_string().contains("larger than can be counted"));
    let huge = EpochCommit { scanned: u64::MAX, ..commit(4) };
    assert!(ledger.commit_epoch(&huge, &[], None).is_err());
    ledger.commit_epoch(&commit(5), &[], None).unwrap();
}

#[test]
fn a_checkpoint_that_fails_after_its_validation_gives_its_place_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = begun(folder.path());
    ledger.commit_epoch(&commit(0), &["a.png: not an image"], None).unwrap();
    let told = ledger.events(10).unwrap();
    assert_eq!((told[0].kind.as_str(), told[0].text.as_str()), ("skipped", "a.png: not an image"));
    ledger.record_checkpoint(&checkpoint(0, "late", CheckpointStatus::Accepted)).unwrap();
    let validation = Validation { epoch: 0, accuracy: 0.5, loss: 1.0, images: 8, seconds: 0.5 };
    ledger.record_validation(&validation).unwrap();
    assert!(matches!(ledger.standing().unwrap(), Standing::Trained(_)));
    ledger.record_checkpoint(&checkpoint(0, "late", CheckpointStatus::Rejected)).unwrap();
    assert!(matches!(ledger.standing().unwrap(), Standing::Committed(epoch) if epoch.commit.epoch == 0));
    assert_eq!(ledger.rejected_late("late").unwrap().as_deref(), Some("NaN in fc.weight"));
    assert_eq!(ledger.validations().unwrap(), [], "a rejected checkpoint does not count");
    ledger.record_checkpoint(&checkpoint(0, "good", CheckpointStatus::Accepted)).unwrap();
    assert!(matches!(ledger.standing().unwrap(), Standing::Trained(_)));
}

#[test]
fn checkpoints_are_told_apart_by_content() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = begun(folder.path());
    ledger.commit_epoch(&commit(0), &[], None).unwrap();
    ledger.record_checkpoint(&checkpoint(0, "bad", CheckpointStatus::Rejected)).unwrap();
    // Rejected at once, it may be fit under another config; rejected after it was validated, it stays bad.
    assert_eq!(ledger.rejected_late("bad").unwrap(), None);
    assert_eq!(ledger.rejected_late("good").unwrap(), None);
    assert!(matches!(ledger.standing().unwrap(), Standing::Committed(_)), "a rejected checkpoint is none");
    let error = ledger
        .record_validation(&Validation { epoch: 0, accuracy: 1.0, loss: 0.0, images: 1, seconds: 0.5 })
        .unwrap_err()
        .to_string();
    assert!(error.contains("epoch 0 was validated, but none of its checkpoints is accepted"), "{error}");

    ledger.record_checkpoint(&checkpoint(0, "good", CheckpointStatus::Accepted)).unwrap();
    let seen = ledger.checkpoint(0).unwrap().unwrap();
    ledger.record_checkpoint(&checkpoint(0, "good", CheckpointStatus::Accepted)).unwrap();
    assert_eq!(ledger.checkpoint(0).unwrap(), Some(seen), "noted twice is noted once");
    let error = ledger.record_checkpoint(&checkpoint(0, "other", CheckpointStatus::Accepted)).unwrap_err().to_string();
    assert!(error.contains("epoch 0 has an accepted checkpoint already"), "{error}");
    assert_eq!(ledger.checkpoints().unwrap().len(), 2);

    // A backlog of a script that runs by itself: the newest wins, also without a list of its own.
    ledger.commit_epoch(&commit(1), &[], None).unwrap();
    ledger.record_checkpoint(&checkpoint(1, "d1", CheckpointStatus::Skipped)).unwrap();
    ledger.record_checkpoint(&checkpoint(2, "d2", CheckpointStatus::Skipped)).unwrap();
    ledger.record_checkpoint(&checkpoint(3, "d3", CheckpointStatus::Accepted)).unwrap();
    assert_eq!(ledger.epoch(1).unwrap().unwrap().status, EpochStatus::Skipped);
    assert!(matches!(ledger.standing().unwrap(), Standing::Trained(newest) if newest.checkpoint.epoch == 3));
    assert_eq!(ledger.newest_checkpoint().unwrap().unwrap().checkpoint.epoch, 3);
    ledger.commit_epoch(&commit(4), &[], None).unwrap();
    assert!(ledger.record_training(2, &Training::default()).unwrap_err().to_string().contains("never committed"));
}

#[test]
fn a_run_ends_and_may_go_on_and_events_are_kept_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = begun(folder.path());
    for text in ["one", "two", "three"] {
        ledger.record_event("trainer", text).unwrap();
    }
    let texts: Vec<String> = ledger.events(2).unwrap().into_iter().map(|event| event.text).collect();
    assert_eq!(texts, ["two", "three"]);
    assert_eq!(ledger.outcome().unwrap(), None);
    let mut outcome = Outcome {
        reason: "no better for 5 epochs".to_owned(),
        best_epoch: Some(7),
        best_accuracy: Some(0.91),
        test_accuracy: None,
    };
    ledger.record_outcome(&outcome).unwrap();
    outcome.test_accuracy = Some(0.9);
    ledger.record_outcome(&outcome).unwrap();
    assert_eq!(ledger.standing().unwrap(), Standing::Stopped(outcome));
    ledger.clear_outcome().unwrap();
    ledger.clear_outcome().unwrap();
    assert_eq!(ledger.standing().unwrap(), Standing::Fresh);
}

#[test]
fn a_second_writer_is_told_who_holds_the_folder_and_readers_come_and_go() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = begun(folder.path());
    let error = Ledger::open(folder.path(), Access::Write).unwrap_err().to_string();
    assert!(error.contains(&format!("lock: another gleaner (process {})", std::process::id())), "{error}");
    let reader = Ledger::open_read_only(folder.path()).unwrap();
    assert_eq!(reader.epochs().unwrap(), []);
    ledger.commit_epoch(&commit(0), &[], None).unwrap();
    assert_eq!(reader.last_epoch().unwrap().unwrap().commit, commit(0), "a reader sees what is committed meanwhile");
    drop(ledger);
    let mut reader = Ledger::open_read_only(folder.path()).unwrap();
    assert_eq!(reader.last_epoch().unwrap().unwrap().commit, commit(0));
    let error = reader.record_event("a", "b").unwrap_err().to_string();
    assert!(error.contains("an event cannot be recorded: attempt to write a readonly database"), "{error}");
    // The text of a lock whose holder is gone keeps nobody out.
    fs::write(folder.path().join("lock"), "1\n").unwrap();
    Ledger::open(folder.path(), Access::Write).unwrap();
}

#[test]
fn the_newest_reviews_stand_as_they_were_committed() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = begun(folder.path());
    assert_eq!(ledger.reviews().unwrap(), []);
    let review = |sample, verdict: &str, new_label| Review { sample, verdict: verdict.to_owned(), new_label };
    let first = vec![review(0, "keep", None), review(7, "relabel", Some(3)), review(u32::MAX, "drop", None)];
    ledger.commit_epoch(&EpochCommit { reviews: Some(first.clone()), ..commit(0) }, &[], None).unwrap();
    // An epoch that says nothing of them leaves them in force.
    ledger.commit_epoch(&commit(1), &[], None).unwrap();
    assert_eq!(ledger.reviews().unwrap(), first);
    // A commit that fails changes nothing, nor is there a word that nobody knows.
    for bad in [vec![review(1, "perhaps", None)], vec![review(1, "relabel", None)], vec![review(1, "drop", Some(2))]] {
        ledger.commit_epoch(&EpochCommit { reviews: Some(bad), ..commit(2) }, &[], None).unwrap_err();
    }
    assert_eq!(ledger.reviews().unwrap(), first);
    ledger.commit_epoch(&EpochCommit { reviews: Some(Vec::new()), ..commit(2) }, &[], None).unwrap();
    drop(ledger);
    assert_eq!(Ledger::open_read_only(folder.path()).unwrap().reviews().unwrap(), []);
}

#[test]
fn near_duplicates_add_up_list_by_list() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = begun(folder.path());
    let duplicate = |sample, epoch| Duplicate { sample, kept: sample - 1, distance: 0.0625, epoch };
    for (epoch, found) in [(0, vec![duplicate(9, 0), duplicate(5, 0)]), (1, vec![]), (2, vec![duplicate(7, 2)])] {
        ledger.commit_epoch(&EpochCommit { duplicates: found, ..commit(epoch) }, &[], None).unwrap();
    }
    // A commit that fails adds none.
    ledger.commit_epoch(&EpochCommit { duplicates: vec![duplicate(8, 2)], ..commit(2) }, &[], None).unwrap_err();
    drop(ledger);
    let ledger = Ledger::open_read_only(folder.path()).unwrap();
    assert_eq!(ledger.duplicates().unwrap(), [duplicate(5, 0), duplicate(7, 2), duplicate(9, 0)]);
}

#[test]
fn a_ledger_of_the_version_before_is_read_and_brought_up() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = begun(folder.path());
    ledger.commit_epoch(&commit(0), &[], None).unwrap();
    drop(ledger);
    let old = rusqlite::Connection::open(folder.path().join(LEDGER_FILE)).unwrap();
    old.execute_batch(
        "DROP TABLE duplicates; DROP TABLE reviews; ALTER TABLE epochs DROP COLUMN suspects; ALTER TABLE epochs DROP COLUMN kept_out;
         ALTER TABLE epochs DROP COLUMN step; DROP TABLE failure;
         PRAGMA user_version = 2",
    )
    .unwrap();
    drop(old);
    let expected = EpochCommit { suspects: 0, kept_out: 0, ..commit(0) };
    for access in [Access::Read, Access::Write, Access::Read] {
        let ledger = Ledger::open(folder.path(), access).unwrap();
        assert_eq!((ledger.epochs().unwrap()[0].commit.clone(), ledger.reviews().unwrap()), (expected.clone(), vec![]));
        assert_eq!((ledger.duplicates().unwrap(), ledger.failure().unwrap()), (vec![], None));
    }
}

#[test]
fn the_newest_centroids_stand_as_they_were_committed() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = begun(folder.path());
    assert_eq!(ledger.centroids().unwrap(), None);
    let centroids = |values: &[f32]| Centroids { distance: "cosine".to_owned(), dims: 2, values: values.to_vec() };
    let first = centroids(&[0.1, -2.5e-30, f32::MAX, 1.0]);
    ledger.commit_epoch(&EpochCommit { centroids: Some(first.clone()), ..commit(0) }, &[], None).unwrap();
    // An epoch without groups leaves the last ones in force.
    ledger.commit_epoch(&commit(1), &[], None).unwrap();
    assert_eq!(ledger.centroids().unwrap(), Some(first.clone()));
    // A commit that fails changes nothing.
    let second = centroids(&[3.0, 4.0]);
    ledger.commit_epoch(&EpochCommit { centroids: Some(second.clone()), ..commit(1) }, &[], None).unwrap_err();
    assert_eq!(ledger.centroids().unwrap(), Some(first));
    ledger.commit_epoch(&EpochCommit { centroids: Some(second.clone()), ..commit(2) }, &[], None).unwrap();
    drop(ledger);
    assert_eq!(Ledger::open_read_only(folder.path()).unwrap().centroids().unwrap(), Some(second));
}
