//! The samples and scores files. What other tools make of them is checked by `check_state.py`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;

use gleaner::digest;
use gleaner::ledger::{LedgerError, NEVER, NONE, Samples, ScoreRow, ScoresWriter};
use gleaner::prediction::Prediction;

const SCORE: Prediction = Prediction { predicted: 3, p_label: 0.25, confidence: 0.5, margin: -0.25, loss: 1.386_294_4 };

fn name(id: u32, path: &mut Vec<u8>) -> u32 {
    path.extend_from_slice(format!("/pool/{id}.png").as_bytes());
    id % 10
}

fn some_samples(len: usize) -> Samples {
    let mut samples = Samples::new(len);
    samples.record_visit(0, 4);
    samples.record_visit(0, 6);
    samples.record_score(1, 5, &SCORE);
    samples.record_cluster(2, 63);
    samples.record_answer(1, false);
    samples.record_answer(1, false);
    samples.record_inclusion(0, 0.125);
    samples.record_chosen(2, 0.3);
    samples.record_score(2, 0, &Prediction { predicted: NONE - 1, loss: f32::INFINITY, ..SCORE });
    samples
}

/// Bit by bit, so that NaN equals NaN.
fn assert_same(left: &Samples, right: &Samples) {
    let bits = |column: &[f32]| column.iter().map(|value| value.to_bits()).collect::<Vec<u32>>();
    assert_eq!(left.last_trained, right.last_trained);
    assert_eq!(left.visits, right.visits);
    assert_eq!(left.last_scored, right.last_scored);
    assert_eq!(left.predicted, right.predicted);
    assert_eq!(bits(&left.p_label), bits(&right.p_label));
    assert_eq!(bits(&left.margin), bits(&right.margin));
    assert_eq!(bits(&left.loss), bits(&right.loss));
    assert_eq!(bits(&left.mean_p_label), bits(&right.mean_p_label));
    assert_eq!(left.times_scored, right.times_scored);
    assert_eq!(left.cluster, right.cluster);
    assert_eq!(left.streak, right.streak);
    assert_eq!(bits(&left.inclusion), bits(&right.inclusion));
    assert_eq!(bits(&left.chosen), bits(&right.chosen));
}

#[test]
fn the_table_remembers_visits_and_scores() {
    let mut samples = some_samples(4);
    assert_eq!((samples.len(), samples.is_empty()), (4, false));
    assert_eq!(samples.last_trained, [6, NEVER, NEVER, NEVER]);
    assert_eq!(samples.visits, [2, 0, 0, 0]);
    assert_eq!(samples.last_scored, [NEVER, 5, 0, NEVER]);
    assert_eq!(samples.cluster, [NONE, NONE, 63, NONE]);
    assert_eq!((samples.score(0), samples.score(1), samples.score(4)), (None, Some(SCORE), None));
    assert_eq!(samples.streak, [0, 2, 0, 0]);
    samples.record_answer(1, true);
    assert_eq!(samples.streak, [0; 4], "a right answer starts anew");
    let before = samples.clone();
    samples.record_answer(4, false);
    samples.record_inclusion(4, 1.0);
    samples.record_chosen(4, 1.0);
    samples.record_visit(4, 9);
    samples.record_score(NONE, 9, &SCORE);
    samples.record_cluster(4, 9);
    assert_same(&samples, &before);
}

#[test]
fn every_model_counts_once_in_the_mean() {
    let said = |p_label| Prediction { p_label, ..SCORE };
    let mut samples = Samples::new(3);
    assert!(samples.mean_p_label[1].is_nan() && samples.times_scored == [0; 3]);
    for (epoch, p_label) in [(2, 0.5), (2, 0.9), (3, 0.25), (7, 0.75)] {
        samples.record_score(1, epoch, &said(p_label));
    }
    // 0.9 came second in epoch 2: it stands, but is not counted.
    // The newest counts for half: (0.5 + 0.25) / 2 = 0.375, and (0.375 + 0.75) / 2 = 0.5625.
    assert_eq!((samples.mean_p_label[1], samples.times_scored[1]), (0.5625, 3));
    let before = samples.evidence(1, None);
    samples.record_unreadable(1, 8);
    assert_eq!(samples.evidence(1, None), before);
    // One more would be (0.5625 + 0.0625) / 2, and changes nothing by being asked.
    let (mean, times) = samples.evidence(1, Some(0.0625));
    assert_eq!((mean, times), (0.3125, 4));
    assert_eq!((samples.evidence(1, None), samples.evidence(1, Some(f32::NAN))), (before, before));
    samples.forget_answers(1);
    assert_eq!((samples.times_scored[1], samples.score(1), samples.evidence(1, Some(0.5))), (0, None, (0.5, 1)));
}

#[test]
fn an_answer_holds_until_the_image_is_trained_on_or_the_answer_is_old() {
    let mut samples = Samples::new(4);
    samples.record_score(0, 5, &SCORE);
    let fresh = |samples: &Samples, id, epoch| samples.is_fresh(id, epoch, 3);
    assert!(fresh(&samples, 0, 5) && fresh(&samples, 0, 7) && !fresh(&samples, 0, 8));
    assert!(!samples.is_fresh(0, 5, 0), "of no age at all");
    samples.record_visit(0, 6);
    assert!(!fresh(&samples, 0, 6), "trained on since");
    samples.record_score(0, 6, &SCORE);
    assert!(fresh(&samples, 0, 6), "the trainer's own answer");
    samples.record_unreadable(2, 6);
    assert!(!fresh(&samples, 1, 6) && !fresh(&samples, 2, 6) && !fresh(&samples, 9, 6));
}

#[test]
fn the_table_comes_back_from_the_disk_and_the_same_table_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    // Zero, one, and more than one batch of the writer (65536).
    for len in [0, 3, 150_000] {
        let samples = some_samples(len);
        let path = folder.path().join(format!("{len}.parquet"));
        let written = samples.write(&path, &mut name).unwrap();
        assert_eq!(written, digest::of_file(&path).unwrap());
        assert_same(&Samples::read(&path, len).unwrap(), &samples);
        let again = folder.path().join("again.parquet");
        assert_eq!(samples.write(&again, &mut name).unwrap(), written);
    }
}

/// A file that gleaner 0.1 wrote before there were streaks and inclusion probabilities: after two images were trained on,
/// one of three was scanned, found and chosen.
#[test]
fn a_file_of_before_is_read_as_if_nothing_were_known_of_the_later_columns() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/samples/before-streak.parquet");
    let mut expected = Samples::new(5);
    expected.record_visit(0, 0);
    expected.record_visit(1, 0);
    expected.record_visit(2, 1);
    let said = Prediction {
        predicted: 1,
        p_label: 0.005_398_541_7,
        confidence: 0.673_300_3,
        margin: -0.667_901_8,
        loss: 5.221_626_3,
    };
    expected.record_score(2, 0, &said);
    expected.record_cluster(2, 0);
    expected.mean_p_label = vec![f32::NAN; 5];
    expected.times_scored = vec![0; 5];
    assert_same(&Samples::read(&path, 5).unwrap(), &expected);
}

#[test]
fn paths_that_are_not_utf8_are_kept_as_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("samples.parquet");
    let samples = some_samples(3);
    let raw = b"/pool/caf\xe9.png";
    samples
        .write(&path, &mut |_, path: &mut Vec<u8>| {
            path.extend_from_slice(raw);
            0
        })
        .unwrap();
    assert_same(&Samples::read(&path, 3).unwrap(), &samples);
    let bytes = fs::read(&path).unwrap();
    assert!(bytes.windows(raw.len()).any(|window| window == raw));
}

#[test]
fn another_pool_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("samples.parquet");
    some_samples(5).write(&path, &mut name).unwrap();
    for len in [0, 4, 6] {
        let error = Samples::read(&path, len).unwrap_err().to_string();
        assert!(
            error.contains(&format!("samples.parquet: Parquet error: it has 5 rows where the pool has {len} samples")),
            "{error}"
        );
    }
    let scores = folder.path().join("scores.parquet");
    ScoresWriter::create(&scores, None, true).unwrap().finish().unwrap();
    let error = Samples::read(&scores, 0).unwrap_err().to_string();
    assert!(error.contains("its columns are not those of a samples file"), "{error}");
    let error = Samples::read(&folder.path().join("none.parquet"), 0).unwrap_err().to_string();
    assert!(error.contains("none.parquet: cannot be read"), "{error}");
}

#[test]
fn a_damaged_file_is_refused_or_read_but_never_brings_the_service_down() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("samples.parquet");
    some_samples(40).write(&path, &mut name).unwrap();
    let whole = fs::read(&path).unwrap();
    let damaged = folder.path().join("damaged.parquet");
    for length in (0..whole.len()).rev().step_by(7) {
        fs::write(&damaged, &whole[..length]).unwrap();
        let error = Samples::read(&damaged, 40).unwrap_err();
        assert!(matches!(error, LedgerError::Parquet { .. }), "{length}: {error}");
        assert!(error.to_string().contains("damaged.parquet"), "{error}");
    }
    let mut refused = 0;
    for place in (0..whole.len()).step_by(2) {
        let mut bytes = whole.clone();
        bytes[place] ^= [0x01, 0x80, 0xff][place % 3];
        fs::write(&damaged, &bytes).unwrap();
        refused += usize::from(Samples::read(&damaged, 40).is_err());
    }
    assert!(refused > whole.len() / 8, "{refused} of {}", whole.len() / 2);
}

fn score_row(path: &OsStr) -> ScoreRow<'_> {
    ScoreRow { path, label: 1, score: Some(SCORE), embedding: None }
}

#[test]
fn scores_appear_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out/scores.parquet");
    let written = |rows: u32| {
        let mut writer = ScoresWriter::create(&path, Some(2), true).unwrap();
        for _ in 0..rows {
            writer.push(&ScoreRow { embedding: Some(&[0.5, 1.5]), ..score_row(OsStr::new("/a.png")) }).unwrap();
        }
        writer
    };
    drop(written(10));
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 0, "a writer given up leaves nothing");
    let first = written(10).finish().unwrap();
    assert_eq!(first, digest::of_file(&path).unwrap());
    assert_eq!(written(10).finish().unwrap(), first, "the same rows give the same bytes");
    drop(written(200_000));
    assert_eq!(first, digest::of_file(&path).unwrap(), "what stood there is untouched");
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn a_row_that_does_not_fit_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let odd = OsString::from_vec(b"/caf\xe9.png".to_vec());
    let a = OsStr::new("/a.png");
    let cases: [(Option<usize>, ScoreRow<'_>, &str); 3] = [
        (None, score_row(&odd), "\"/caf\\xE9.png\" cannot be written: its path is not UTF-8"),
        (
            Some(3),
            ScoreRow { embedding: Some(&[1.0]), ..score_row(a) },
            "\"/a.png\" cannot be written: its embedding has 1 floats where the others have 3",
        ),
        (None, ScoreRow { embedding: Some(&[1.0]), ..score_row(a) }, "no such column"),
    ];
    for (width, row, expected) in cases {
        let mut writer = ScoresWriter::create(&folder.path().join("scores.parquet"), width, true).unwrap();
        let error = writer.push(&row).unwrap_err().to_string();
        assert!(error.contains("scores.parquet") && error.contains(expected), "{error}");
    }
}

/// Writes files for `check_state.py`, which reads them with pyarrow and sqlite3:
/// `GLEANER_INSPECT=FOLDER cargo test --test samples -- --ignored && python3 tests/check_state.py FOLDER`.
#[test]
#[ignore = "writes files for check_state.py"]
fn write_files_for_inspection() {
    let folder = std::env::var("GLEANER_INSPECT").expect("GLEANER_INSPECT names a folder");
    let folder = Path::new(&folder);
    some_samples(150_000).write(&folder.join("samples.parquet"), &mut name).unwrap();
    some_samples(3)
        .write(&folder.join("bytes.parquet"), &mut |_, path: &mut Vec<u8>| {
            path.extend_from_slice(b"/\xe9");
            0
        })
        .unwrap();
    let mut writer = ScoresWriter::create(&folder.join("scores.parquet"), Some(3), true).unwrap();
    for id in 0..200_000_u32 {
        let path = OsString::from(format!("/pool/{id}.png"));
        let value = f32::from(u16::try_from(id % 1000).unwrap());
        let embedding = [value, value + 0.5, -value];
        let readable = id % 7 != 0;
        writer
            .push(&ScoreRow {
                path: &path,
                label: id % 10,
                score: readable.then_some(SCORE),
                embedding: readable.then_some(embedding.as_slice()),
            })
            .unwrap();
    }
    writer.finish().unwrap();
}
