//! Long tables of numbers: in memory while they are short, beyond that in a file without a name.
//!
//! A scan of millions of images gives more embeddings than fit beside everything else. What is in the file takes memory
//! only as far as the system has some to spare, and is gone when the table is dropped, even if the process is killed.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use memmap2::{Mmap, MmapOptions};

use crate::files::PublishError;

/// How many bytes of a table stay in memory: as much as a scan of 500,000 images with 128 values each.
pub const MEMORY: usize = 256 << 20;

/// A table that is being written.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    /// The most numbers that stay in memory.
    most: usize,
    memory: Vec<f32>,
    file: Option<BufWriter<File>>,
}

/// A table that is finished.
#[derive(Debug)]
pub struct Numbers(Place);

impl Default for Numbers {
    fn default() -> Self {
        Self(Place::Memory(Vec::new()))
    }
}

#[derive(Debug)]
enum Place {
    Memory(Vec<f32>),
    File(Mmap),
}

impl Spool {
    /// An empty table that keeps at most `bytes` in memory, and otherwise goes to a file in `folder`.
    pub fn new(folder: &Path, bytes: usize) -> Self {
        Self { folder: folder.to_owned(), most: bytes / size_of::<f32>(), memory: Vec::new(), file: None }
    }

    /// Adds numbers at the end.
    ///
    /// # Errors
    /// If the file cannot be made or written to; the table is then of no more use.
    pub fn push(&mut self, numbers: &[f32]) -> Result<(), PublishError> {
        let outcome = match &mut self.file {
            Some(file) => file.write_all(bytemuck::cast_slice(numbers)),
            None if self.memory.len() + numbers.len() <= self.most => {
                self.memory.extend_from_slice(numbers);
                Ok(())
            }
            None => self.move_out(numbers),
        };
        outcome.map_err(|source| PublishError { path: self.folder.clone(), source })
    }

    /// The table as it is now.
    ///
    /// # Errors
    /// If the rest cannot be written, or the file cannot be mapped.
    pub fn finish(self) -> Result<Numbers, PublishError> {
        let Some(writer) = self.file else { return Ok(Numbers(Place::Memory(self.memory))) };
        let mapped = writer.into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| {
            // SAFETY: the file has no name, or one that nobody knows and that is gone already, so that no other process
            // can change it, and nothing here writes to it any more.
            #[allow(unsafe_code)]
            unsafe {
                MmapOptions::new().map(&file)
            }
        });
        let map = mapped.map_err(|source| PublishError { path: self.folder, source })?;
        Ok(Numbers(Place::File(map)))
    }

    fn move_out(&mut self, numbers: &[f32]) -> io::Result<()> {
        let mut file = BufWriter::with_capacity(1 << 20, tempfile::tempfile_in(&self.folder)?);
        file.write_all(bytemuck::cast_slice(&self.memory))?;
        file.write_all(bytemuck::cast_slice(numbers))?;
        self.memory = Vec::new();
        self.file = Some(file);
        Ok(())
    }
}

impl AsRef<[f32]> for Numbers {
    fn as_ref(&self) -> &[f32] {
        match &self.0 {
            Place::Memory(numbers) => numbers,
            // A map begins at a page and the file holds whole numbers, so this is always all of it.
            Place::File(map) => bytemuck::try_cast_slice(map).unwrap_or(&[]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_comes_back_from_memory_and_from_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let wanted: Vec<f32> = (0..30_000u32).map(|number| f32::from_bits(number * 7919)).collect();
        for (bytes, in_file) in [(120_000, false), (119_999, true), (16, true), (0, true)] {
            let mut spool = Spool::new(folder.path(), bytes);
            wanted.chunks(3).for_each(|row| spool.push(row).unwrap());
            let numbers = spool.finish().unwrap();
            assert_eq!(matches!(numbers.0, Place::File(_)), in_file, "{bytes}");
            assert!(numbers.as_ref().iter().zip(&wanted).all(|(a, b)| a.to_bits() == b.to_bits()));
            assert_eq!(numbers.as_ref().len(), wanted.len());
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        }
        assert!(Spool::new(folder.path(), 0).finish().unwrap().as_ref().is_empty());
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = Spool::new(Path::new("/nowhere/at/all"), 0).push(&[1.0]).unwrap_err();
        assert!(error.to_string().contains("/nowhere/at/all"), "{error}");
    }
}
