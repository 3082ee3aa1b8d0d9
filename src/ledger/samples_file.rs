//! The samples table as a Parquet file.
//!
//! One row a sample, in the pool's order: its path and label, so that the file speaks for itself in any tool, and what
//! is known of it, null where nothing is. The same table gives the same bytes.

use std::fs::File;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use parquet::data_type::{FloatType, Int32Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{FileReader as _, RowGroupReader};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::columns::{self, into_io, write_byte_column, write_column};
use super::parquet_file::ParquetFile;
use super::samples::confidence;
use super::{LedgerError, NEVER, NONE, Samples};
use crate::digest::DigestingWriter;
use crate::files;

/// Rows of a row group.
const GROUP: usize = 1 << 20;

/// The columns after `path`, in the file's order.
const COLUMNS: &str = "
    required int32 label (INTEGER(32, false));
    optional int32 last_trained;
    required int32 visits (INTEGER(32, false));
    optional int32 last_scored;
    optional int32 predicted (INTEGER(32, false));
    optional float p_label;
    optional float confidence;
    optional float margin;
    optional float loss;
    optional int32 cluster (INTEGER(32, false));
";

/// The columns that came later, twice: a file of before is read as if nothing were known of them.
const LATER_COLUMNS: [&str; 2] = [
    "
    required int32 streak (INTEGER(32, false));
    optional float inclusion;
    optional float chosen;
    ",
    "
    optional float mean_p_label;
    required int32 times_scored (INTEGER(32, false));
    ",
];

impl Samples {
    /// Writes the table atomically and returns the file's digest.
    ///
    /// `name` tells of a sample id its label, and appends its path, as raw bytes, to the vector; it is asked for each
    /// sample twice. Where every path is UTF-8 the column is text, else it is bytes.
    pub fn write(
        &self,
        path: &Path,
        name: &mut dyn FnMut(u32, &mut Vec<u8>) -> u32,
    ) -> std::result::Result<String, LedgerError> {
        let mut digest = String::new();
        files::publish(path, |file| {
            let mut buffer = Vec::new();
            let mut utf8 = true;
            for id in 0..count(self.len())? {
                buffer.clear();
                name(id, &mut buffer);
                utf8 &= std::str::from_utf8(&buffer).is_ok();
            }
            digest = self.write_to(DigestingWriter::new(file), utf8, name).map_err(into_io)?.finish();
            Ok(())
        })?;
        Ok(digest)
    }

    fn write_to<W: Write + Send>(
        &self,
        to: W,
        utf8: bool,
        name: &mut dyn FnMut(u32, &mut Vec<u8>) -> u32,
    ) -> Result<W> {
        let schema = Arc::new(parse_message_type(&schema(utf8, LATER_COLUMNS.len()))?);
        let mut writer = SerializedFileWriter::new(to, schema, columns::properties())?;
        let mut from = 0;
        while from < self.len() {
            let to = self.len().min(from.saturating_add(GROUP));
            let mut group = writer.next_row_group()?;
            self.write_group(&mut group, from, to, name)?;
            group.close()?;
            from = to;
        }
        writer.into_inner()
    }

    fn write_group<W: Write + Send>(
        &self,
        group: &mut SerializedRowGroupWriter<'_, W>,
        from: usize,
        to: usize,
        name: &mut dyn FnMut(u32, &mut Vec<u8>) -> u32,
    ) -> Result<()> {
        let id = |row: usize| u32::try_from(row).unwrap_or(u32::MAX);
        let mut labels = Vec::with_capacity(to - from);
        write_byte_column(group, to - from, |row, buffer| labels.push(name(id(from + row), buffer)))?;
        write_column::<Int32Type, _, _>(group, false, labels.into_iter().map(|label| Some(label.cast_signed())))?;
        write_column::<Int32Type, _, _>(group, true, part(&self.last_trained, from, to).map(epoch))?;
        write_column::<Int32Type, _, _>(
            group,
            false,
            part(&self.visits, from, to).map(|visits| Some(visits.cast_signed())),
        )?;
        write_column::<Int32Type, _, _>(group, true, part(&self.last_scored, from, to).map(epoch))?;
        write_column::<Int32Type, _, _>(group, true, part(&self.predicted, from, to).map(class))?;
        write_column::<FloatType, _, _>(group, true, part(&self.p_label, from, to).map(measured))?;
        let confidences = part(&self.p_label, from, to).zip(part(&self.margin, from, to));
        write_column::<FloatType, _, _>(group, true, confidences.map(|(p, margin)| measured(confidence(p, margin))))?;
        write_column::<FloatType, _, _>(group, true, part(&self.margin, from, to).map(measured))?;
        write_column::<FloatType, _, _>(group, true, part(&self.loss, from, to).map(measured))?;
        write_column::<Int32Type, _, _>(group, true, part(&self.cluster, from, to).map(class))?;
        write_column::<Int32Type, _, _>(
            group,
            false,
            part(&self.streak, from, to).map(|streak| Some(i32::from(streak))),
        )?;
        write_column::<FloatType, _, _>(group, true, part(&self.inclusion, from, to).map(measured))?;
        write_column::<FloatType, _, _>(group, true, part(&self.chosen, from, to).map(measured))?;
        write_column::<FloatType, _, _>(group, true, part(&self.mean_p_label, from, to).map(measured))?;
        write_column::<Int32Type, _, _>(
            group,
            false,
            part(&self.times_scored, from, to).map(|times| Some(i32::from(times))),
        )
    }

    /// Reads a table of `expected_len` samples back; paths and labels, which the pool knows better, are not read.
    pub fn read(path: &Path, expected_len: usize) -> std::result::Result<Self, LedgerError> {
        let file = File::open(path).map_err(LedgerError::io(path, "cannot be read"))?;
        let failed = |problem: String| LedgerError::Parquet { path: path.to_owned(), problem };
        // The Parquet reader checks much, but not everything: it may panic on bytes that were flipped at the wrong place.
        match catch_unwind(AssertUnwindSafe(|| read(file, expected_len))) {
            Ok(outcome) => outcome.map_err(|error| failed(error.to_string())),
            Err(_) => Err(failed("its content makes no sense".to_owned())),
        }
    }
}

fn read(file: File, expected_len: usize) -> Result<Samples> {
    let reader = ParquetFile::open(file)?;
    let metadata = reader.metadata().file_metadata();
    let is = |schema: &str| -> Result<bool> { Ok(*metadata.schema() == parse_message_type(schema)?) };
    let mut later = None;
    for count in 0..=LATER_COLUMNS.len() {
        if is(&schema(true, count))? || is(&schema(false, count))? {
            later = Some(count);
        }
    }
    let Some(later) = later else {
        return Err(ParquetError::General("its columns are not those of a samples file".to_owned()));
    };
    if usize::try_from(metadata.num_rows()) != Ok(expected_len) {
        return Err(ParquetError::General(format!(
            "it has {} rows where the pool has {expected_len} samples",
            metadata.num_rows()
        )));
    }
    let mut samples = Samples::new(0);
    let (mut visits, mut predicted, mut cluster) = (Vec::new(), Vec::new(), Vec::new());
    let (mut streak, mut times_scored) = (Vec::new(), Vec::new());
    for index in 0..reader.num_row_groups() {
        let group = reader.get_row_group(index)?;
        let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(usize::MAX);
        if rows > expected_len.saturating_sub(samples.last_trained.len()) {
            return Err(ParquetError::General("its row groups hold more rows than the file claims".to_owned()));
        }
        let integers = |column, null, to: &mut Vec<i32>| columns::read_integers(open(&*group, column)?, rows, null, to);
        let floats = |column, to: &mut Vec<f32>| columns::read_floats(open(&*group, column)?, rows, f32::NAN, to);
        integers(2, NEVER, &mut samples.last_trained)?;
        integers(3, 0, &mut visits)?;
        integers(4, NEVER, &mut samples.last_scored)?;
        integers(5, NONE.cast_signed(), &mut predicted)?;
        floats(6, &mut samples.p_label)?;
        floats(8, &mut samples.margin)?;
        floats(9, &mut samples.loss)?;
        integers(10, NONE.cast_signed(), &mut cluster)?;
        if later >= 1 {
            integers(11, 0, &mut streak)?;
            floats(12, &mut samples.inclusion)?;
            floats(13, &mut samples.chosen)?;
        }
        if later >= 2 {
            floats(14, &mut samples.mean_p_label)?;
            integers(15, 0, &mut times_scored)?;
        }
    }
    streak.resize(predicted.len(), 0);
    samples.inclusion.resize(predicted.len(), f32::NAN);
    samples.chosen.resize(predicted.len(), f32::NAN);
    samples.mean_p_label.resize(predicted.len(), f32::NAN);
    times_scored.resize(predicted.len(), 0);
    samples.times_scored = times_scored.into_iter().map(|times| u8::try_from(times).unwrap_or(u8::MAX)).collect();
    samples.streak = streak.into_iter().map(|streak| u16::try_from(streak).unwrap_or(u16::MAX)).collect();
    samples.visits = unsigned(visits);
    samples.predicted = unsigned(predicted);
    samples.cluster = unsigned(cluster);
    if samples.len() == expected_len {
        Ok(samples)
    } else {
        Err(ParquetError::General(format!("it holds {} rows of {expected_len}", samples.len())))
    }
}

fn open(group: &dyn RowGroupReader, column: usize) -> Result<parquet::column::reader::ColumnReader> {
    group.get_column_reader(column)
}

/// With the first `later` of the columns that came later.
fn schema(utf8: bool, later: usize) -> String {
    let later = LATER_COLUMNS.get(..later).unwrap_or(&LATER_COLUMNS).concat();
    format!("message samples {{ {} {COLUMNS} {later} }}", columns::path_column(utf8))
}

fn part<T: Copy>(column: &[T], from: usize, to: usize) -> impl Iterator<Item = T> + '_ {
    column.get(from..to).unwrap_or_default().iter().copied()
}

fn epoch(value: i32) -> Option<i32> {
    (value != NEVER).then_some(value)
}

fn class(value: u32) -> Option<i32> {
    (value != NONE).then_some(value.cast_signed())
}

fn measured(value: f32) -> Option<f32> {
    (!value.is_nan()).then_some(value)
}

fn unsigned(values: Vec<i32>) -> Vec<u32> {
    values.into_iter().map(i32::cast_unsigned).collect()
}

fn count(len: usize) -> io::Result<u32> {
    u32::try_from(len).map_err(|_| io::Error::other("a pool has at most 4294967295 samples"))
}
