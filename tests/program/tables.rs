//! Reading back what the program wrote.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Field;

/// A row of a Parquet file, by column.
pub(crate) struct Row(BTreeMap<String, Field>);

impl Row {
    pub(crate) fn text(&self, column: &str) -> &str {
        match &self.0[column] {
            Field::Str(text) => text,
            other => panic!("{column} is {other:?}"),
        }
    }

    /// A number, or none where the column is null.
    pub(crate) fn number(&self, column: &str) -> Option<f64> {
        match &self.0[column] {
            Field::Null => None,
            Field::Int(number) => Some(f64::from(*number)),
            Field::UInt(number) => Some(f64::from(*number)),
            Field::Float(number) => Some(f64::from(*number)),
            other => panic!("{column} is {other:?}"),
        }
    }

    /// A number that must be there.
    pub(crate) fn of(&self, column: &str) -> f64 {
        self.number(column).unwrap_or_else(|| panic!("{column} is null"))
    }

    pub(crate) fn embedding(&self) -> Vec<f64> {
        let Field::ListInternal(list) = &self.0["embedding"] else { panic!("no embedding") };
        let number = |field: &Field| match field {
            Field::Float(number) => f64::from(*number),
            other => panic!("{other:?} in an embedding"),
        };
        list.elements().iter().map(number).collect()
    }

    /// Whether the model took it for its label.
    pub(crate) fn is_right(&self) -> bool {
        self.of("predicted") == self.of("label")
    }
}

/// A Parquet file: the names of its columns, and its rows.
pub(crate) fn parquet(path: &Path) -> (Vec<String>, Vec<Row>) {
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let schema = reader.metadata().file_metadata().schema();
    let columns = schema.get_fields().iter().map(|field| field.name().to_owned()).collect();
    let rows = reader.get_row_iter(None).unwrap();
    (columns, rows.map(|row| Row(row.unwrap().into_columns().into_iter().collect())).collect())
}

/// A line of a manifest.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) path: String,
    pub(crate) label: u32,
    pub(crate) stratum: String,
    pub(crate) cluster: Option<u32>,
    pub(crate) predicted: Option<u32>,
    pub(crate) confidence: Option<f64>,
    pub(crate) margin: Option<f64>,
    pub(crate) weight: f64,
}

/// A manifest, its header and its numbering checked.
pub(crate) fn manifest(path: &Path) -> Vec<Line> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let header: Vec<&str> = reader.headers().unwrap().iter().collect();
    assert_eq!(header.join(","), "order,path,label,stratum,cluster,predicted,confidence,margin,weight");
    let mut lines = Vec::new();
    for (order, record) in reader.records().map(Result::unwrap).enumerate() {
        assert_eq!(record[0], order.to_string());
        let whole = |column: usize| record[column].parse().ok();
        let measured = |column: usize| record[column].parse().ok();
        lines.push(Line {
            path: record[1].to_owned(),
            label: record[2].parse().unwrap(),
            stratum: record[3].to_owned(),
            cluster: whole(4),
            predicted: whole(5),
            confidence: measured(6),
            margin: measured(7),
            weight: record[8].parse().unwrap(),
        });
    }
    lines
}
