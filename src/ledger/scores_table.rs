//! The columns of a file of scores, whatever tool wrote them, a few thousand rows at a time.

use std::fs::File;

use parquet::basic::{Compression, LogicalType};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, FloatType, Int32Type, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{FileReader as _, RowGroupReader, SerializedFileReader};
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};

use super::columns::read_each;
use super::parquet_file::ParquetFile;
use super::scores_reader::{CONFIDENCE, SCORES_COLUMNS};

/// Rows of a batch: a row group may be as large as its writer liked.
const BATCH: usize = 1 << 13;

/// A file of scores that is being read.
pub(super) struct Table {
    file: SerializedFileReader<ParquetFile>,
    /// Where the path is among the file's columns.
    path: usize,
    /// Where the numbers are, and whether their 32-bit integers have no sign; the last may be missing.
    numbers: [Option<(usize, bool)>; 5],
    next_group: usize,
    group: Option<Group>,
    rows: u64,
}

/// A row group that is being read.
struct Group {
    left: usize,
    path: ColumnReaderImpl<ByteArrayType>,
    numbers: [Option<Numbers>; 5],
}

/// Some rows; every column has as many values.
#[derive(Default)]
pub(super) struct Batch {
    paths: Vec<Option<ByteArray>>,
    /// In the order of [`SCORES_COLUMNS`] behind the path, and the confidence.
    numbers: [Vec<Option<f64>>; 5],
}

impl Batch {
    pub(super) fn len(&self) -> usize {
        self.paths.len()
    }

    /// The path of a row; none where it is null.
    pub(super) fn path(&self, row: usize) -> Option<&[u8]> {
        self.paths.get(row)?.as_ref().map(ByteArray::data)
    }

    /// Predicted class, p(label), margin, loss and confidence of a row.
    pub(super) fn numbers(&self, row: usize) -> [Option<f64>; 5] {
        self.numbers.each_ref().map(|column| column.get(row).copied().flatten())
    }
}

impl Table {
    /// Looks for the columns.
    pub(super) fn open(file: File) -> Result<Self> {
        let file = ParquetFile::open(file)?;
        let schema = file.metadata().file_metadata().schema_descr();
        let [path, predicted, p_label, margin, loss] = SCORES_COLUMNS;
        let required = |name: &str| find(schema, name)?.ok_or_else(|| general(format!("it has no column {name}")));
        let is_path = |column: &ColumnDescriptor| column.physical_type() == parquet::basic::Type::BYTE_ARRAY;
        let (path, column) = required(path)?;
        if !is_path(column) {
            return Err(wrong_type(column, "text or bytes"));
        }
        let number = |(at, column): (usize, &ColumnDescriptor)| -> Result<_> { Ok(Some((at, is_unsigned(column)?))) };
        let numbers = [
            number(required(predicted)?)?,
            number(required(p_label)?)?,
            number(required(margin)?)?,
            number(required(loss)?)?,
            find(schema, CONFIDENCE)?.map_or(Ok(None), number)?,
        ];
        Ok(Self { file, path, numbers, next_group: 0, group: None, rows: 0 })
    }

    /// Fills `batch` with the next rows; false when there are none.
    pub(super) fn next_batch(&mut self, batch: &mut Batch) -> Result<bool> {
        while self.group.as_ref().is_none_or(|group| group.left == 0) {
            if self.next_group >= self.file.num_row_groups() {
                return self.check_rows().map(|()| false);
            }
            self.group = Some(self.open_group()?);
            self.next_group += 1;
        }
        let Some(group) = &mut self.group else { return Ok(false) };
        let rows = group.left.min(BATCH);
        batch.paths.clear();
        read_each(&mut group.path, rows, |path| batch.paths.push(path))?;
        // A value without bytes would panic later, when nobody is prepared for it.
        for path in batch.paths.iter().flatten() {
            let _ = path.data();
        }
        for (reader, values) in group.numbers.iter_mut().zip(&mut batch.numbers) {
            values.clear();
            match reader {
                Some(reader) => reader.read(rows, values)?,
                None => values.resize(rows, None),
            }
        }
        if batch.paths.len() != rows || batch.numbers.iter().any(|column| column.len() != rows) {
            return Err(general("its columns are not equally long".to_owned()));
        }
        group.left -= rows;
        self.rows += rows as u64;
        Ok(true)
    }

    fn open_group(&self) -> Result<Group> {
        let group = self.file.get_row_group(self.next_group)?;
        let left = usize::try_from(group.metadata().num_rows())
            .map_err(|_| general("a row group has a negative number of rows".to_owned()))?;
        let columns = self.numbers.iter().flatten().map(|(column, _)| *column).chain([self.path]);
        for compression in
            columns.filter_map(|column| group.metadata().columns().get(column)).map(|chunk| chunk.compression())
        {
            if !matches!(compression, Compression::UNCOMPRESSED | Compression::SNAPPY) {
                return Err(general(format!(
                    "it is compressed with {compression}, but must be so with snappy or not at all"
                )));
            }
        }
        let ColumnReader::ByteArrayColumnReader(path) = group.get_column_reader(self.path)? else {
            return Err(general("its paths are neither text nor bytes".to_owned()));
        };
        let mut numbers = [const { None }; 5];
        for (reader, place) in numbers.iter_mut().zip(self.numbers) {
            *reader = place.map(|place| Numbers::open(&*group, place)).transpose()?;
        }
        Ok(Group { left, path, numbers })
    }

    fn check_rows(&self) -> Result<()> {
        let claimed = self.file.metadata().file_metadata().num_rows();
        if u64::try_from(claimed) == Ok(self.rows) {
            return Ok(());
        }
        Err(general(format!("it holds {} rows where it claims to hold {claimed}", self.rows)))
    }
}

/// A column of numbers, of any type that holds them.
enum Numbers {
    Signed(ColumnReaderImpl<Int32Type>),
    Unsigned(ColumnReaderImpl<Int32Type>),
    Long(ColumnReaderImpl<Int64Type>),
    Float(ColumnReaderImpl<FloatType>),
    Double(ColumnReaderImpl<DoubleType>),
}

impl Numbers {
    fn open(group: &dyn RowGroupReader, (column, unsigned): (usize, bool)) -> Result<Self> {
        Ok(match group.get_column_reader(column)? {
            ColumnReader::Int32ColumnReader(reader) if unsigned => Self::Unsigned(reader),
            ColumnReader::Int32ColumnReader(reader) => Self::Signed(reader),
            ColumnReader::Int64ColumnReader(reader) => Self::Long(reader),
            ColumnReader::FloatColumnReader(reader) => Self::Float(reader),
            ColumnReader::DoubleColumnReader(reader) => Self::Double(reader),
            _ => return Err(general("a column that should hold numbers holds something else".to_owned())),
        })
    }

    fn read(&mut self, rows: usize, to: &mut Vec<Option<f64>>) -> Result<()> {
        match self {
            Self::Signed(reader) => read_each(reader, rows, |value| to.push(value.map(f64::from))),
            Self::Unsigned(reader) => {
                read_each(reader, rows, |value| to.push(value.map(|value| f64::from(value.cast_unsigned()))))
            }
            // What is beyond 2^53 and so not exact is beyond every range, too.
            Self::Long(reader) => read_each(reader, rows, |value| to.push(value.map(|value| value as f64))),
            Self::Float(reader) => read_each(reader, rows, |value| to.push(value.map(f64::from))),
            Self::Double(reader) => read_each(reader, rows, |value| to.push(value)),
        }
    }
}

/// A column by its name, with its place among all; it must hold one value a row.
fn find<'s>(schema: &'s SchemaDescriptor, name: &str) -> Result<Option<(usize, &'s ColumnDescriptor)>> {
    let named = |column: &ColumnDescriptor| column.path().parts().first().is_some_and(|first| first == name);
    let Some((place, column)) = schema.columns().iter().enumerate().find(|(_, column)| named(column)) else {
        return Ok(None);
    };
    if column.path().parts().len() > 1 || column.max_rep_level() > 0 {
        return Err(general(format!("its column {name} is nested, but must hold one value a row")));
    }
    Ok(Some((place, column)))
}

/// Whether the numbers of a column have no sign; an error if they are no plain numbers, as times and decimals are not.
fn is_unsigned(column: &ColumnDescriptor) -> Result<bool> {
    use parquet::basic::ConvertedType::{INT_8, INT_16, INT_32, INT_64, NONE, UINT_8, UINT_16, UINT_32, UINT_64};
    use parquet::basic::Type::{DOUBLE, FLOAT, INT32, INT64};
    let unsigned = match (column.logical_type_ref(), column.converted_type()) {
        (Some(LogicalType::Integer(integer)), _) => !integer.is_signed,
        // A column of nothing but nulls.
        (Some(LogicalType::Unknown), _) => false,
        (None, NONE | INT_8 | INT_16 | INT_32 | INT_64) => false,
        (None, UINT_8 | UINT_16 | UINT_32 | UINT_64) => true,
        _ => return Err(wrong_type(column, "numbers")),
    };
    match column.physical_type() {
        INT32 | INT64 | FLOAT | DOUBLE => Ok(unsigned),
        _ => Err(wrong_type(column, "numbers")),
    }
}

fn wrong_type(column: &ColumnDescriptor, wanted: &str) -> ParquetError {
    let logical = column.logical_type_ref().map(|logical| format!(" ({logical:?})")).unwrap_or_default();
    let (name, physical) = (column.name(), column.physical_type());
    general(format!("its column {name} is of type {physical}{logical}, but must hold {wanted}"))
}

fn general(problem: String) -> ParquetError {
    ParquetError::General(problem)
}
