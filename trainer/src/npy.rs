//! NumPy's file format, version 1.0, for 32-bit floats and 64-bit integers in row-major order.
//!
//! Source: `numpy/lib/format.py` in NumPy: a magic text, a version, the length of a header, the header as a Python
//! dictionary that fills up to a multiple of 64 bytes, then the elements.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 6] = b"\x93NUMPY";
const ALIGNMENT: usize = 64;

/// An array's elements.
#[derive(Clone, Debug, PartialEq)]
pub enum Elements {
    /// `<f4`
    Floats(Vec<f32>),
    /// `<i8`
    Integers(Vec<i64>),
}

/// An array of any number of dimensions, in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Its extents; their product is the number of elements.
    pub shape: Vec<usize>,
    /// Its elements.
    pub elements: Elements,
}

/// Why a file is no array that can be used here.
#[derive(Debug, thiserror::Error)]
pub enum NpyError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file is not of this format, or holds another kind of elements.
    #[error("{}: {reason}; save it with numpy.save as float32 or int64 in C order", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// Reads an array.
pub fn read(path: &Path) -> Result<Array, NpyError> {
    let bytes = std::fs::read(path).map_err(|source| NpyError::Read { path: path.to_owned(), source })?;
    parse(&bytes).map_err(|reason| NpyError::Format { path: path.to_owned(), reason })
}

fn parse(bytes: &[u8]) -> Result<Array, String> {
    let short = |_| "the file ends inside its header".to_owned();
    let mut rest = bytes;
    let mut start = [0u8; 8];
    rest.read_exact(&mut start).map_err(short)?;
    let [magic @ .., major, _minor] = start;
    if &magic != MAGIC {
        return Err("this is no .npy file".to_owned());
    }
    let length = if major == 1 {
        let mut length = [0u8; 2];
        rest.read_exact(&mut length).map_err(short)?;
        usize::from(u16::from_le_bytes(length))
    } else {
        let mut length = [0u8; 4];
        rest.read_exact(&mut length).map_err(short)?;
        usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX)
    };
    let (header, data) = rest.split_at_checked(length).ok_or("the file ends inside its header")?;
    let header = String::from_utf8_lossy(header);
    if !header.contains("'fortran_order': False") {
        return Err("the array is not in C order".to_owned());
    }
    let shape = shape_of(&header).ok_or("the header names no shape")?;
    let count = shape.iter().try_fold(1usize, |all, &one| all.checked_mul(one)).ok_or("the shape is too large")?;
    let elements = if header.contains("'<f4'") {
        Elements::Floats(words(data, count, f32::from_le_bytes)?)
    } else if header.contains("'<i8'") {
        Elements::Integers(words(data, count, i64::from_le_bytes)?)
    } else {
        return Err("the elements are neither float32 nor int64".to_owned());
    };
    Ok(Array { shape, elements })
}

fn shape_of(header: &str) -> Option<Vec<usize>> {
    let (_, after) = header.split_once("'shape':")?;
    let (_, after) = after.split_once('(')?;
    let (inside, _) = after.split_once(')')?;
    inside.split(',').map(str::trim).filter(|text| !text.is_empty()).map(|text| text.parse().ok()).collect()
}

fn words<const SIZE: usize, T>(data: &[u8], count: usize, word: fn([u8; SIZE]) -> T) -> Result<Vec<T>, String> {
    let (chunks, rest) = data.as_chunks::<SIZE>();
    if chunks.len() != count || !rest.is_empty() {
        return Err(format!("the shape asks for {count} elements, but {} bytes follow", data.len()));
    }
    Ok(chunks.iter().map(|&chunk| word(chunk)).collect())
}

/// Writes an array.
pub fn write(array: &Array, to: &mut impl Write) -> io::Result<()> {
    match &array.elements {
        Elements::Floats(values) => {
            write_header("<f4", &array.shape, to)?;
            values.iter().try_for_each(|value| to.write_all(&value.to_le_bytes()))
        }
        Elements::Integers(values) => {
            write_header("<i8", &array.shape, to)?;
            values.iter().try_for_each(|value| to.write_all(&value.to_le_bytes()))
        }
    }
}

/// Writes what stands before the elements: NumPy's text for their type, such as `<f4`, and the extents.
pub fn write_header(dtype: &str, shape: &[usize], to: &mut impl Write) -> io::Result<()> {
    let extents: String = shape.iter().map(|extent| format!("{extent}, ")).collect();
    // A tuple of one element is written with a comma, longer ones without one at the end.
    let extents = if shape.len() == 1 { extents.trim_end() } else { extents.trim_end_matches(", ") };
    let mut header = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({extents}), }}");
    let fixed = MAGIC.len() + 4;
    let filled = (fixed + header.len() + 1).next_multiple_of(ALIGNMENT);
    header.extend(std::iter::repeat_n(' ', filled - fixed - header.len() - 1));
    header.push('\n');
    let length = u16::try_from(header.len()).map_err(|_| io::Error::other("an array of too many dimensions"))?;
    to.write_all(MAGIC)?;
    to.write_all(&[1, 0])?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(header.as_bytes())
}
