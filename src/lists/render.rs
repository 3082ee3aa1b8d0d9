//! How a row looks in each of the plain files.

use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt as _;

use super::rows::each;
use super::{Format, Row, Rows, STRATA, names};

/// The manifest's columns.
pub(super) const HEADER: [&str; 9] =
    ["order", "path", "label", "stratum", "cluster", "predicted", "confidence", "margin", "weight"];

/// Why a row cannot stand in a file of this format, or `None` if it can.
pub(super) fn problem(format: Format, row: &Row<'_>) -> Option<String> {
    if let Some(problem) = names::problem(format, row.path) {
        return Some(problem);
    }
    if !STRATA.contains(&row.stratum) {
        return Some(format!("its stratum {:?} is none of {}", row.stratum, STRATA.join(", ")));
    }
    if !(row.weight.is_finite() && row.weight > 0.0) {
        return Some(format!("its weight {} is not a positive number", row.weight));
    }
    None
}

/// Writes all rows as one file.
pub(super) fn render(format: Format, rows: &dyn Rows, to: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Txt => each(rows, |_, row| {
            to.write_all(row.path.as_bytes())?;
            writeln!(to, " {}", row.label)
        }),
        Format::Paths => each(rows, |_, row| {
            to.write_all(row.path.as_bytes())?;
            to.write_all(b"\n")
        }),
        Format::Jsonl => each(rows, |_, row| {
            let path = row.path.to_str().ok_or_else(|| io::Error::other("a path is not UTF-8"))?;
            to.write_all(b"{\"file_name\": ")?;
            serde_json::to_writer(&mut *to, path)?;
            writeln!(to, ", \"label\": {}}}", row.label)
        }),
        Format::Csv => manifest(rows, to).map_err(into_io),
        Format::Tree => Err(io::Error::other("a tree is a folder, not a file")),
    }
}

fn manifest(rows: &dyn Rows, to: &mut dyn Write) -> csv::Result<()> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(to);
    writer.write_record(HEADER)?;
    each(rows, |order, row| {
        writer.write_field(order.to_string())?;
        writer.write_field(row.path.as_bytes())?;
        writer.write_field(row.label.to_string())?;
        writer.write_field(row.stratum)?;
        writer.write_field(whole(row.cluster))?;
        writer.write_field(whole(row.predicted))?;
        writer.write_field(measured(row.confidence))?;
        writer.write_field(measured(row.margin))?;
        // The shortest text that reads back as the same number: a weight is computed with.
        writer.write_field(row.weight.to_string())?;
        writer.write_record(None::<&[u8]>)
    })?;
    Ok(writer.flush()?)
}

/// The error of the disk itself, so that a full one is known as such.
fn into_io(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

fn whole(value: Option<u32>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// Six decimals: what a probability is good for, and the same text wherever it is computed to that.
fn measured(value: Option<f32>) -> String {
    value.map(|value| format!("{value:.6}")).unwrap_or_default()
}
