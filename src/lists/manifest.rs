//! Reading a manifest back.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _, SeekFrom};
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;
use std::str::FromStr;

use super::render::HEADER;
use super::{ListError, STRATA};

/// One row of a manifest; the columns are those of [`Row`](super::Row), in the list's order.
#[derive(Clone, Debug, PartialEq)]
pub struct ManifestRow {
    /// The path as raw bytes.
    pub path: OsString,
    /// The class index.
    pub label: u32,
    /// Why the image is here, one of [`STRATA`].
    pub stratum: &'static str,
    /// The group of similar images it was drawn from.
    pub cluster: Option<u32>,
    /// The class that the model took it for.
    pub predicted: Option<u32>,
    /// The predicted class's probability, to six decimals.
    pub confidence: Option<f32>,
    /// The label's probability less the highest of the others, to six decimals.
    pub margin: Option<f32>,
    /// How much the image counts in the loss; 0 for not at all.
    pub weight: f32,
    /// The line it stands on, counted from 1, for messages.
    pub line: u64,
}

/// Reads a whole manifest, as [`publish_epoch`](super::publish_epoch) writes it.
///
/// Refuses, with the line: another header, a missing or surplus cell, a value of the wrong kind, a row out of order,
/// and a file that was cut short (its last line does not end).
pub fn read_manifest(path: &Path) -> Result<Vec<ManifestRow>, ListError> {
    let mut rows = Vec::new();
    walk_manifest(path, |row| {
        rows.push(row);
        ControlFlow::Continue(())
    })?;
    Ok(rows)
}

/// Hands the rows of a manifest to `visit`, one after the other, until it has seen enough: no table of them is held.
///
/// Refuses what [`read_manifest`] refuses, as far as it is read.
pub fn walk_manifest(path: &Path, mut visit: impl FnMut(ManifestRow) -> ControlFlow<()>) -> Result<(), ListError> {
    let mut file = File::open(path).map_err(ListError::io(path, "cannot be read"))?;
    let whole = ends_with_newline(&mut file).map_err(ListError::io(path, "cannot be read"))?;
    let problem = |line, problem| ListError::Manifest { path: path.to_owned(), line, problem };
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(BufReader::with_capacity(1 << 16, file));
    let mut record = csv::ByteRecord::new();
    let mut rows = 0;
    let mut last_line = 1;
    let mut header_seen = false;
    loop {
        let more = reader.read_byte_record(&mut record).map_err(|error| {
            let line = error.position().map_or(last_line, csv::Position::line);
            problem(line, format!("{}; let gleaner write the list again", without_position(&error)))
        })?;
        if !more {
            break;
        }
        last_line = record.position().map_or(last_line, csv::Position::line);
        if header_seen {
            if visit(row(&record, rows).map_err(|text| problem(last_line, text))?).is_break() {
                return Ok(());
            }
            rows += 1;
        } else if record.iter().eq(HEADER.iter().map(|name| name.as_bytes())) {
            header_seen = true;
        } else {
            return Err(problem(last_line, format!("not a manifest: the header must be {}", HEADER.join(","))));
        }
    }
    if !header_seen {
        return Err(problem(1, format!("empty; a manifest begins with the header {}", HEADER.join(","))));
    }
    if !whole {
        return Err(problem(last_line, "the file is cut short: its last line does not end".to_owned()));
    }
    Ok(())
}

fn ends_with_newline(file: &mut File) -> std::io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    let mut last = [0_u8; 1];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    file.rewind()?;
    Ok(last == *b"\n")
}

fn without_position(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => format!("{len} cells instead of {expected_len}"),
        _ => error.to_string(),
    }
}

fn row(record: &csv::ByteRecord, expected_order: usize) -> Result<ManifestRow, String> {
    let cells = Cells(record);
    let order: usize = cells.required(0)?;
    if order != expected_order {
        return Err(format!("order is {order} where {expected_order} should follow; rows are missing or were moved"));
    }
    let stratum = cells.text(3)?;
    let weight: f32 = cells.required(8)?;
    if !(weight.is_finite() && weight >= 0.0) {
        return Err(format!("weight is {weight}, but must be a number from 0 on"));
    }
    Ok(ManifestRow {
        path: match cells.bytes(1) {
            [] => return Err("path is empty, but must name an image file".to_owned()),
            path => OsString::from_vec(path.to_vec()),
        },
        label: cells.required(2)?,
        stratum: STRATA
            .into_iter()
            .find(|name| *name == stratum)
            .ok_or_else(|| format!("stratum is {stratum:?}, but must be one of {}", STRATA.join(", ")))?,
        cluster: cells.optional(4)?,
        predicted: cells.optional(5)?,
        confidence: cells.optional(6)?,
        margin: cells.optional(7)?,
        weight,
        line: record.position().map_or(0, csv::Position::line),
    })
}

/// A row's cells, by the header's order.
struct Cells<'a>(&'a csv::ByteRecord);

impl<'a> Cells<'a> {
    fn bytes(&self, column: usize) -> &'a [u8] {
        self.0.get(column).unwrap_or_default()
    }

    fn text(&self, column: usize) -> Result<&'a str, String> {
        let name = HEADER.get(column).copied().unwrap_or_default();
        std::str::from_utf8(self.bytes(column)).map_err(|_| format!("{name} is not UTF-8 text"))
    }

    fn required<T: FromStr>(&self, column: usize) -> Result<T, String> {
        let name = HEADER.get(column).copied().unwrap_or_default();
        let text = self.text(column)?;
        text.parse().map_err(|_| format!("{name} is {text:?}, but must be a number"))
    }

    fn optional<T: FromStr>(&self, column: usize) -> Result<Option<T>, String> {
        if self.bytes(column).is_empty() { Ok(None) } else { self.required(column).map(Some) }
    }
}
