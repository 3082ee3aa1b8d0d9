//! Files of scores: what one model says about every image of a list, written as a scan or a training step goes.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::data_type::{FloatType, Int32Type};
use parquet::errors::Result;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::LedgerError;
use super::columns::{self, into_io, write_byte_column, write_column};
use crate::digest::DigestingWriter;
use crate::files::{self, PublishError};
use crate::prediction::Prediction;

/// How a file of scores beside a checkpoint ends.
pub const SCORES_ENDING: &str = ".scores.parquet";

/// The file in which a training step hands back what it saw of each image: beside `watch/epoch-0007.onnx` it is
/// `watch/epoch-0007.scores.parquet`.
///
/// Only `.onnx` is taken off: in `model.7` what follows the dot is the epoch, and epochs must not share a file. No
/// checkpoint can be called so: behind the epoch its name ends as the checkpoint's, not with this ending as well.
pub fn scores_beside(checkpoint: &Path) -> PathBuf {
    let name = checkpoint.file_name().unwrap_or_default();
    let stem = name.as_bytes().strip_suffix(b".onnx").map_or(name, OsStr::from_bytes);
    let mut scores = stem.to_owned();
    scores.push(SCORES_ENDING);
    checkpoint.with_file_name(scores)
}

/// About how much of a row group is held in memory.
const GROUP_BYTES: usize = 64 << 20;
/// The most rows of a row group.
const GROUP_ROWS: usize = 1 << 17;

/// One image's row.
#[derive(Clone, Copy, Debug)]
pub struct ScoreRow<'a> {
    /// The path, as raw bytes.
    pub path: &'a OsStr,
    /// The class index.
    pub label: u32,
    /// What the model said; `None` where the image could not be read.
    pub score: Option<Prediction>,
    /// The embedding, of the width that the file was made for; `None` where there is none.
    pub embedding: Option<&'a [f32]>,
}

/// Writes a scores file row by row, in bounded memory. The file appears, whole, with [`ScoresWriter::finish`]; a writer
/// that is dropped before leaves what stood there untouched.
///
/// Columns: `path`, `label`, `predicted`, `confidence`, `margin`, `loss`, `p_label` and, if asked for, `embedding`.
pub struct ScoresWriter {
    path: PathBuf,
    temporary: PathBuf,
    /// `None` once the file is finished or given up.
    writer: Option<SerializedFileWriter<DigestingWriter<BufWriter<File>>>>,
    embedding_width: Option<usize>,
    utf8: bool,
    group_rows: usize,
    rows: Rows,
}

/// The rows of the row group that is being filled.
#[derive(Default)]
struct Rows {
    paths: Vec<u8>,
    path_ends: Vec<usize>,
    labels: Vec<u32>,
    scores: Vec<Option<Prediction>>,
    embeddings: Vec<f32>,
    has_embedding: Vec<bool>,
}

impl ScoresWriter {
    /// Begins a file at `path`, beside which it is prepared; missing folders are made.
    ///
    /// `embedding_width`: floats of an embedding, `None` for a file without that column. `utf8`: whether all paths will
    /// be UTF-8, so that the column can be text; a path that is not is then refused.
    pub fn create(path: &Path, embedding_width: Option<usize>, utf8: bool) -> std::result::Result<Self, LedgerError> {
        let temporary = files::temporary_beside(path);
        let fail = |source| LedgerError::Publish(PublishError { path: path.to_owned(), source });
        let open = || -> io::Result<_> {
            fs::create_dir_all(temporary.parent().unwrap_or(Path::new(".")))?;
            let file = DigestingWriter::new(BufWriter::new(File::create(&temporary)?));
            let schema = parse_message_type(&schema(embedding_width.is_some(), utf8)).map_err(into_io)?;
            SerializedFileWriter::new(file, Arc::new(schema), columns::properties()).map_err(into_io)
        };
        let writer = open().map_err(fail)?;
        let row_bytes = embedding_width.unwrap_or(0).saturating_mul(4).saturating_add(256);
        Ok(Self {
            path: path.to_owned(),
            temporary,
            writer: Some(writer),
            embedding_width,
            utf8,
            group_rows: (GROUP_BYTES / row_bytes).clamp(1, GROUP_ROWS),
            rows: Rows::default(),
        })
    }

    /// Adds a row. After an error of the disk the file is given up.
    pub fn push(&mut self, row: &ScoreRow<'_>) -> std::result::Result<(), LedgerError> {
        let problem = if self.utf8 && row.path.to_str().is_none() {
            Some("its path is not UTF-8; rename the file".to_owned())
        } else {
            match (row.embedding, self.embedding_width) {
                (Some(found), Some(width)) if found.len() != width => {
                    Some(format!("its embedding has {} floats where the others have {width}", found.len()))
                }
                (Some(_), None) => Some("it has an embedding, but the file has no such column".to_owned()),
                _ => None,
            }
        };
        if let Some(problem) = problem {
            return Err(LedgerError::Row { path: self.path.clone(), row: PathBuf::from(row.path), problem });
        }
        let rows = &mut self.rows;
        rows.paths.extend_from_slice(row.path.as_bytes());
        rows.path_ends.push(rows.paths.len());
        rows.labels.push(row.label);
        rows.scores.push(row.score);
        rows.embeddings.extend_from_slice(row.embedding.unwrap_or_default());
        rows.has_embedding.push(row.embedding.is_some());
        if rows.labels.len() >= self.group_rows {
            self.flush_rows().map_err(|source| self.give_up(source))?;
        }
        Ok(())
    }

    /// Writes what is left, gives the file its name, and returns its digest.
    pub fn finish(mut self) -> std::result::Result<String, LedgerError> {
        self.publish().map_err(|source| self.give_up(source))
    }

    fn publish(&mut self) -> io::Result<String> {
        self.flush_rows()?;
        let writer = self.writer.take().ok_or_else(given_up)?;
        let (mut file, digest) = writer.into_inner().map_err(into_io)?.into_parts();
        file.flush()?;
        file.get_ref().sync_all()?;
        fs::rename(&self.temporary, &self.path)?;
        files::sync_folder(self.temporary.parent().unwrap_or(Path::new(".")))?;
        Ok(digest)
    }

    fn flush_rows(&mut self) -> io::Result<()> {
        let rows = std::mem::take(&mut self.rows);
        if rows.labels.is_empty() {
            return Ok(());
        }
        let writer = self.writer.as_mut().ok_or_else(given_up)?;
        let mut group = writer.next_row_group().map_err(into_io)?;
        write_group(&mut group, &rows, self.embedding_width).map_err(into_io)?;
        group.close().map_err(into_io)?;
        Ok(())
    }

    fn give_up(&mut self, source: io::Error) -> LedgerError {
        self.writer = None;
        LedgerError::Publish(PublishError { path: self.path.clone(), source })
    }
}

impl Drop for ScoresWriter {
    fn drop(&mut self) {
        // After `finish` the name is gone already; otherwise a leftover is of no use to anyone.
        let _ = fs::remove_file(&self.temporary);
    }
}

fn given_up() -> io::Error {
    io::Error::other("writing has failed before")
}

fn schema(embedding: bool, utf8: bool) -> String {
    let embedding = if embedding {
        "optional group embedding (LIST) { repeated group list { required float element; } }"
    } else {
        ""
    };
    format!(
        "message scores {{
            {}
            required int32 label (INTEGER(32, false));
            optional int32 predicted (INTEGER(32, false));
            optional float confidence;
            optional float margin;
            optional float loss;
            optional float p_label;
            {embedding}
        }}",
        columns::path_column(utf8)
    )
}

fn write_group<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    rows: &Rows,
    embedding_width: Option<usize>,
) -> Result<()> {
    let mut start = 0;
    write_byte_column(group, rows.path_ends.len(), |row, buffer| {
        let end = rows.path_ends.get(row).copied().unwrap_or(start);
        buffer.extend_from_slice(rows.paths.get(start..end).unwrap_or_default());
        start = end;
    })?;
    let scores = |part: fn(&Prediction) -> f32| rows.scores.iter().map(move |score| score.as_ref().map(part));
    write_column::<Int32Type, _, _>(group, false, rows.labels.iter().map(|label| Some(label.cast_signed())))?;
    let predicted = rows.scores.iter().map(|score| score.map(|score| score.predicted.cast_signed()));
    write_column::<Int32Type, _, _>(group, true, predicted)?;
    write_column::<FloatType, _, _>(group, true, scores(|score| score.confidence))?;
    write_column::<FloatType, _, _>(group, true, scores(|score| score.margin))?;
    write_column::<FloatType, _, _>(group, true, scores(|score| score.loss))?;
    write_column::<FloatType, _, _>(group, true, scores(|score| score.p_label))?;
    match embedding_width {
        Some(width) => write_embeddings(group, rows, width),
        None => Ok(()),
    }
}

/// A list column: definition level 0 is a missing list, 1 an empty one, 2 an element; repetition level 0 begins a row.
fn write_embeddings<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    rows: &Rows,
    width: usize,
) -> Result<()> {
    let (mut definition, mut repetition) = (Vec::new(), Vec::new());
    for has_embedding in &rows.has_embedding {
        repetition.push(0);
        match (*has_embedding, width) {
            (false, _) => definition.push(0),
            (true, 0) => definition.push(1),
            (true, width) => {
                definition.extend(std::iter::repeat_n(2, width));
                repetition.extend(std::iter::repeat_n(1, width - 1));
            }
        }
    }
    let mut column = columns::next_column(group)?;
    column.typed::<FloatType>().write_batch(&rows.embeddings, Some(&definition), Some(&repetition))?;
    column.close()
}
