//! Files of scores: what a training step hands back, and what other people's tools make of it.
//!
//! The fixtures are pyarrow's (`tests/fixtures/scores/make.py`); the expected values are those written out there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use gleaner::ledger::{LedgerError, ScoreRow, ScoresRead, ScoresWriter, read_scores, scores_beside};
use gleaner::prediction::Prediction;
use gleaner::watch::Pattern;

const SCORE: Prediction = Prediction { predicted: 3, p_label: 0.25, confidence: 0.5, margin: -0.25, loss: 1.386_294_4 };

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/scores").join(format!("{name}.parquet"))
}

type Seen = Vec<(Vec<u8>, Prediction)>;

fn read(path: &Path) -> Result<(ScoresRead, Seen), LedgerError> {
    let mut seen = Vec::new();
    let read = read_scores(path, &mut |path, score| seen.push((path.to_vec(), score)))?;
    assert_eq!(read.seen, seen.len() as u64);
    Ok((read, seen))
}

fn refused(path: &Path) -> String {
    let said = read(path).unwrap_err().to_string();
    assert!(said.starts_with(&format!("{}: ", path.display())), "names the file: {said}");
    assert!(said.contains("remove"), "names the way out: {said}");
    said
}

fn seen(path: &str, [predicted, p_label, confidence, margin, loss]: [f32; 5]) -> (Vec<u8>, Prediction) {
    (path.as_bytes().to_vec(), Prediction { predicted: predicted as u32, p_label, confidence, margin, loss })
}

fn write(path: &Path, rows: &[(&str, Option<Prediction>)]) {
    let mut writer = ScoresWriter::create(path, None, true).unwrap();
    for (name, score) in rows {
        writer.push(&ScoreRow { path: OsStr::new(name), label: 3, score: *score, embedding: None }).unwrap();
    }
    writer.finish().unwrap();
}

#[test]
fn the_file_stands_beside_its_checkpoint_and_is_never_taken_for_one() {
    let named = |checkpoint: &str| scores_beside(Path::new(checkpoint)).display().to_string();
    assert_eq!(named("watch/epoch-0007.onnx"), "watch/epoch-0007.scores.parquet");
    assert_eq!(named("epoch-7.onnx"), "epoch-7.scores.parquet");
    // Behind this dot is the epoch: no two epochs share a file.
    assert_eq!(named("/a.b/model.7"), "/a.b/model.7.scores.parquet");
    let patterns = ["epoch-{epoch}.onnx", "{epoch}", "model.{epoch}", "{epoch}.scores.parquet", "x{epoch}.parquet"];
    for pattern in patterns {
        let pattern = Pattern::parse(pattern).unwrap();
        let scores = scores_beside(Path::new(&pattern.name(7)));
        assert_eq!(pattern.epoch_of(scores.as_os_str()), None, "{pattern}: {}", scores.display());
    }
}

#[test]
fn what_pandas_and_pyarrow_write_is_read() {
    let (read_rows, found) = read(&fixture("usual")).unwrap();
    assert_eq!(read_rows, ScoresRead { rows: 5, seen: 4 });
    let expected = [
        seen("a.png", [3.0, 0.75, 0.75, 0.5, -0.75_f32.ln()]),
        // Wrong, so the answer's probability is 0.25 + 0.375.
        seen("b c.png", [1.0, 0.25, 0.625, -0.375, 1.386_294_4]),
        // -ln of the smallest positive float of full precision, 2^-126.
        seen("d.png", [7.0, 0.0, 1.0, -1.0, 87.336_55]),
        // A softmax of floats may exceed 1 by a little.
        seen("é.png", [0.0, 1.0, 1.0, 1.0, 0.0]),
    ];
    assert_eq!(found, expected);
}

#[test]
fn bytes_small_numbers_and_columns_without_nulls_are_read() {
    let (rows, found) = read(&fixture("plain")).unwrap();
    assert_eq!(rows, ScoresRead { rows: 3, seen: 3 });
    assert_eq!(found[0], (b"caf\xe9.png".to_vec(), seen("", [3.0, 0.75, 0.75, 0.5, 0.25]).1));
    assert_eq!(found[1], seen("/b.png", [1.0, 0.25, 0.5, -0.25, 1.5]));
    assert_eq!(found[2].1.predicted, 4_000_000_000, "without a sign");
    let (rows, found) = read(&fixture("gaps")).unwrap();
    assert_eq!(rows, ScoresRead { rows: 10, seen: 8 });
    assert_eq!(found[0], seen("1.png", [1.0, 0.5, 0.5, 0.25, 0.125]));
    assert_eq!(found[7], seen("9.png", [9.0, 0.5, 0.5, 0.25, 1.125]));
}

#[test]
fn what_gleaner_writes_comes_back_however_long_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("epoch-0007.scores.parquet");
    // More than one row group, and not a whole number of the reader's batches.
    let names: Vec<String> = (0..140_001).map(|id| format!("/pool/{id}.png")).collect();
    let score = |id: usize| (!id.is_multiple_of(7)).then_some(Prediction { predicted: id as u32, ..SCORE });
    let rows: Vec<(&str, Option<Prediction>)> =
        names.iter().enumerate().map(|(id, name)| (name.as_str(), score(id))).collect();
    write(&path, &rows);
    let (read_rows, found) = read(&path).unwrap();
    assert_eq!(read_rows.rows, 140_001);
    let expected: Seen = rows.iter().filter_map(|(name, score)| Some((name.as_bytes().to_vec(), (*score)?))).collect();
    assert_eq!(found, expected);
    write(&path, &[]);
    assert_eq!(read(&path).unwrap().0, ScoresRead::default());
}

#[test]
fn values_that_no_model_can_have_given_are_refused_by_row_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.parquet");
    let cases = [
        (Prediction { p_label: f32::NAN, ..SCORE }, "p_label is NaN"),
        (Prediction { p_label: 1.5, ..SCORE }, "p_label is 1.5"),
        (Prediction { p_label: -0.5, ..SCORE }, "p_label is -0.5"),
        (Prediction { confidence: 2.0, ..SCORE }, "confidence is 2"),
        (Prediction { margin: -1.5, ..SCORE }, "margin is -1.5"),
        (Prediction { margin: f32::NAN, ..SCORE }, "margin is NaN"),
        (Prediction { loss: -0.25, ..SCORE }, "loss is -0.25"),
        (Prediction { loss: f32::NAN, ..SCORE }, "loss is NaN"),
        (Prediction { predicted: u32::MAX, ..SCORE }, "predicted is 4294967295"),
    ];
    for (bad, expected) in cases {
        write(&path, &[("a.png", Some(SCORE)), ("b.png", None), ("c.png", Some(bad)), ("d.png", Some(SCORE))]);
        let said = refused(&path);
        assert!(said.contains(&format!("row 3: {expected}, but must be ")), "{said}");
    }
    for (name, expected) in [("negative", "row 1: predicted is -1"), ("fraction", "row 1: predicted is 0.5")] {
        let said = refused(&fixture(name));
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn files_of_another_form_are_refused_with_what_is_wrong() {
    let cases = [
        ("without-margin", "it has no column margin"),
        ("nested", "its column loss is nested"),
        ("times", "its column loss is of type INT64"),
        ("labels", "its column predicted is of type BYTE_ARRAY"),
        ("zstandard", "compressed with ZSTD"),
    ];
    for (name, expected) in cases {
        let said = refused(&fixture(name));
        assert!(said.contains(expected) && said.contains("path, predicted, p_label, margin, loss"), "{said}");
    }
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text.parquet");
    fs::write(&text, "path,predicted\na.png,3\n").unwrap();
    refused(&text);
    fs::write(&text, "").unwrap();
    refused(&text);
    let absent = read(&folder.path().join("absent.parquet")).unwrap_err();
    assert!(matches!(&absent, LedgerError::Io { .. }), "{absent}");
    assert!(matches!(read(folder.path()).unwrap_err(), LedgerError::Scores { .. }), "a folder");
}

#[test]
fn torn_and_damaged_files_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("torn.parquet");
    for name in ["usual", "plain"] {
        let whole = fs::read(fixture(name)).unwrap();
        for length in (0..whole.len()).step_by(7) {
            fs::write(&path, &whole[..length]).unwrap();
            refused(&path);
        }
        // What is read of a damaged file is either refused or in range.
        let mut refusals = 0;
        for place in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[place] ^= 0xff;
            fs::write(&path, &bytes).unwrap();
            match read(&path) {
                Err(LedgerError::Scores { .. } | LedgerError::Score { .. }) => refusals += 1,
                Err(other) => panic!("{other}"),
                Ok((_, seen)) => assert!(seen.iter().all(|(_, score)| {
                    (0.0..=1.0).contains(&score.p_label)
                        && (0.0..=1.0).contains(&score.confidence)
                        && (-1.0..=1.0).contains(&score.margin)
                        && (0.0..f32::MAX).contains(&score.loss)
                })),
            }
        }
        assert!(refusals > whole.len() / 4, "{name}: only {refusals} of {}", whole.len());
    }
}

#[test]
fn headers_that_claim_values_without_bytes_are_refused_before_anybody_counts_them() {
    // `make fuzz` has made the footer of this one: a reader that believes it counts for seconds.
    let said = refused(&fixture("found/endless-footer"));
    assert!(said.contains("a header claims a list of truth values"), "{said}");
    // The first page's header: field 15 is a list of truth values, 2^31 - 1 of them.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page.parquet");
    let mut page = fs::read(fixture("plain")).unwrap();
    page[4..11].copy_from_slice(&[0xF9, 0xF2, 0xFF, 0xFF, 0xFF, 0xFF, 0x07]);
    fs::write(&path, &page).unwrap();
    let said = refused(&path);
    assert!(said.contains("a header claims a list of truth values"), "{said}");
}
