//! A Parquet file whose headers are looked through before the Parquet reader believes them.
//!
//! Of what it does not know the reader passes over one element after the other, and truth values in a list take no bytes
//! there: a header of a few bytes may claim two thousand million of them, which are seconds, and have many such lists.
//! Nowhere does a header that is read here have such a list.
//!
//! Headers are structs of Thrift's compact protocol; source: `thrift-compact-protocol.md` of Apache Thrift.

use std::fs::File;
use std::io::{self, ErrorKind, Read};

use bytes::Bytes;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length, SerializedFileReader};

/// The end of a file: the length of the metadata before it, and the magic.
const TAIL: u64 = 8;
/// Structs within structs; the reader goes less deep.
const DEPTH: u32 = 100;

/// A file that the Parquet reader is to read.
pub(super) struct ParquetFile(File);

impl ParquetFile {
    /// A reader for a file whose footer makes no such claims.
    pub(super) fn open(file: File) -> Result<SerializedFileReader<Self>> {
        let file = Self(file);
        file.check_footer()?;
        SerializedFileReader::new(file)
    }

    fn check_footer(&self) -> Result<()> {
        // What is too short is for the reader to tell.
        let Some(end) = self.len().checked_sub(TAIL) else { return Ok(()) };
        let mut length = [0; 4];
        self.0.get_read(end)?.read_exact(&mut length)?;
        let length = u64::from(u32::from_le_bytes(length));
        match end.checked_sub(length) {
            Some(start) => check(self.0.get_read(start)?.take(length)),
            None => Ok(()),
        }
    }
}

impl Length for ParquetFile {
    fn len(&self) -> u64 {
        self.0.len()
    }
}

impl ChunkReader for ParquetFile {
    type T = <File as ChunkReader>::T;

    /// The reader asks so for its tail, and for pages, which begin with a header.
    fn get_read(&self, start: u64) -> Result<Self::T> {
        if start.checked_add(TAIL) != Some(self.len()) {
            check(self.0.get_read(start)?)?;
        }
        self.0.get_read(start)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        self.0.get_bytes(start, length)
    }
}

/// Refuses a header that claims truth values in a list. Of whatever else is wrong with it the reader has the better words.
fn check(header: impl Read) -> Result<()> {
    match Header(header).value(STRUCT, DEPTH) {
        Err(error) if error.kind() == ErrorKind::InvalidData => Err(ParquetError::General(error.to_string())),
        _ => Ok(()),
    }
}

// The types of values, as they are written.
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
const I16: u8 = 4;
const I64: u8 = 6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const SET: u8 = 10;
const MAP: u8 = 11;
const STRUCT: u8 = 12;
const UUID: u8 = 13;

struct Header<R>(R);

impl<R: Read> Header<R> {
    /// Passes over a value.
    fn value(&mut self, kind: u8, depth: u32) -> io::Result<()> {
        let Some(depth) = depth.checked_sub(1) else { return Err(refused("its headers are nested without end")) };
        match kind {
            // A truth value is its own type.
            TRUE | FALSE => Ok(()),
            BYTE => self.skip(1),
            I16..=I64 => self.number().map(drop),
            DOUBLE => self.skip(8),
            BINARY => self.number().and_then(|length| self.skip(length)),
            LIST | SET => self.list(depth),
            MAP => self.map(depth),
            STRUCT => self.fields(depth),
            UUID => self.skip(16),
            _ => Err(ErrorKind::Other.into()),
        }
    }

    fn fields(&mut self, depth: u32) -> io::Result<()> {
        loop {
            let field = self.byte()?;
            let (step, kind) = (field >> 4, field & 0xF);
            if kind == 0 {
                return Ok(());
            }
            if step == 0 {
                // The field's number follows.
                self.number()?;
            }
            self.value(kind, depth)?;
        }
    }

    fn list(&mut self, depth: u32) -> io::Result<()> {
        let head = self.byte()?;
        let (short, kind) = (head >> 4, head & 0xF);
        let count = if short == 0xF { self.number()? } else { u64::from(short) };
        self.elements(count, &[kind], depth)
    }

    fn map(&mut self, depth: u32) -> io::Result<()> {
        let count = self.number()?;
        if count == 0 {
            return Ok(());
        }
        let kinds = self.byte()?;
        self.elements(count, &[kinds >> 4, kinds & 0xF], depth)
    }

    /// Whatever is no truth value takes a byte or more, so that this ends where the header does.
    fn elements(&mut self, count: u64, kinds: &[u8], depth: u32) -> io::Result<()> {
        if count > 0 && kinds.iter().any(|kind| matches!(*kind, TRUE | FALSE)) {
            return Err(refused("a header claims a list of truth values, where none has one"));
        }
        for _ in 0..count {
            kinds.iter().try_for_each(|kind| self.value(*kind, depth))?;
        }
        Ok(())
    }

    /// Seven bits a byte, the lowest first; the highest bit says that more follow.
    fn number(&mut self) -> io::Result<u64> {
        let mut number = 0;
        for place in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7F) << place;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(refused("a header holds a number that never ends"))
    }

    fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.0.read_exact(&mut byte)?;
        Ok(byte[0])
    }

    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        let skipped = io::copy(&mut self.0.by_ref().take(bytes), &mut io::sink())?;
        if skipped == bytes { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }
}

fn refused(reason: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, reason)
}
