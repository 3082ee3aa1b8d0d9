//! What the Parquet files have in common: how they are written, and columns of numbers.

use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, FloatType, Int32Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr};
use parquet::file::writer::SerializedRowGroupWriter;

/// How many values go to the Parquet writer at once: bounds the memory, changes no bytes that a reader would see.
const BATCH: usize = 1 << 16;

/// Settings under which the same rows give the same bytes.
pub(super) fn properties() -> WriterPropertiesPtr {
    let plain = |properties: parquet::file::properties::WriterPropertiesBuilder, column: &str| {
        properties.set_column_dictionary_enabled(column.into(), false)
    };
    let properties = WriterProperties::builder()
        .set_created_by("gleaner".to_owned())
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(None)
        .set_statistics_enabled(EnabledStatistics::Chunk);
    // These values hardly ever repeat: a dictionary of them would be built and thrown away.
    let properties = ["path", "p_label", "confidence", "margin", "loss"].into_iter().fold(properties, plain);
    Arc::new(properties.build())
}

/// The path column: text for every tool where the paths are UTF-8, bytes where one is not.
pub(super) fn path_column(utf8: bool) -> &'static str {
    if utf8 { "required binary path (UTF8);" } else { "required binary path;" }
}

/// Writes the next column of a row group; a value of `None` is a null, which only an optional column takes.
pub(super) fn write_column<T, W, V>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    optional: bool,
    values: V,
) -> Result<()>
where
    T: DataType,
    W: Write + Send,
    V: IntoIterator<Item = Option<T::T>>,
{
    let mut column = next_column(group)?;
    let mut values = values.into_iter();
    loop {
        let mut present = Vec::new();
        let mut levels = Vec::new();
        for value in values.by_ref().take(BATCH) {
            levels.push(i16::from(value.is_some()));
            present.extend(value);
        }
        if levels.is_empty() {
            return column.close();
        }
        column.typed::<T>().write_batch(&present, optional.then_some(levels.as_slice()), None)?;
    }
}

/// Writes the next column of a row group from `count` byte strings, which `append` puts behind one another.
pub(super) fn write_byte_column<W, F>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    count: usize,
    mut append: F,
) -> Result<()>
where
    W: Write + Send,
    F: FnMut(usize, &mut Vec<u8>),
{
    let mut column = next_column(group)?;
    let mut from = 0;
    while from < count {
        let to = count.min(from.saturating_add(BATCH));
        let mut buffer = Vec::new();
        let mut ends = Vec::with_capacity(to - from);
        for row in from..to {
            append(row, &mut buffer);
            ends.push(buffer.len());
        }
        let buffer = ByteArray::from(buffer);
        let mut start = 0;
        let values: Vec<ByteArray> = ends
            .into_iter()
            .map(|end| {
                let value = buffer.slice(start, end - start);
                start = end;
                value
            })
            .collect();
        column.typed::<ByteArrayType>().write_batch(&values, None, None)?;
        from = to;
    }
    column.close()
}

pub(super) fn next_column<'g, W: Write + Send>(
    group: &'g mut SerializedRowGroupWriter<'_, W>,
) -> Result<parquet::file::writer::SerializedColumnWriter<'g>> {
    group.next_column()?.ok_or_else(|| ParquetError::General("the schema has fewer columns than values".to_owned()))
}

/// Reads `count` values of an integer column, `null` where there is none.
pub(super) fn read_integers(reader: ColumnReader, count: usize, null: i32, to: &mut Vec<i32>) -> Result<()> {
    match reader {
        ColumnReader::Int32ColumnReader(reader) => read::<Int32Type>(reader, count, null, to),
        _ => Err(ParquetError::General("a column that should hold whole numbers holds something else".to_owned())),
    }
}

/// Reads `count` values of a column of floats, `null` where there is none.
pub(super) fn read_floats(reader: ColumnReader, count: usize, null: f32, to: &mut Vec<f32>) -> Result<()> {
    match reader {
        ColumnReader::FloatColumnReader(reader) => read::<FloatType>(reader, count, null, to),
        _ => Err(ParquetError::General("a column that should hold floats holds something else".to_owned())),
    }
}

fn read<T: DataType>(mut reader: ColumnReaderImpl<T>, count: usize, null: T::T, to: &mut Vec<T::T>) -> Result<()> {
    read_each(&mut reader, count, |value| to.push(value.unwrap_or_else(|| null.clone())))
}

/// Hands on the next `count` values of a column that is not nested, `None` for a null; fails where there are fewer.
pub(super) fn read_each<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    count: usize,
    mut take: impl FnMut(Option<T::T>),
) -> Result<()> {
    let mut left = count;
    let (mut levels, mut present) = (Vec::new(), Vec::new());
    while left > 0 {
        levels.clear();
        present.clear();
        let (rows, values, _) = reader.read_records(left.min(BATCH), Some(&mut levels), None, &mut present)?;
        if rows == 0 || rows > left {
            return Err(ParquetError::General(format!("a column has {left} values too few or too many")));
        }
        if levels.is_empty() {
            // A required column has no levels.
            present.drain(..).for_each(|value| take(Some(value)));
        } else {
            let mut values = present.drain(..values.min(present.len()));
            for level in &levels {
                take(if *level > 0 { values.next() } else { None });
            }
        }
        left -= rows;
    }
    Ok(())
}

/// The error below a Parquet error, where the operating system is to blame: a full disk must not look like bad data.
pub(super) fn into_io(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(inner) => io::Error::other(inner),
        },
        other => io::Error::other(other),
    }
}
