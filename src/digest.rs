//! SHA-256 digests, in lower-case hexadecimal: how files are told apart and found again after a crash.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::systemd;

const CHUNK: usize = 1 << 16;

/// The digest of some bytes.
pub fn of_bytes(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// The digest of a file's content, read in chunks.
pub fn of_file(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut state = Sha256::new();
    let mut chunk = vec![0_u8; CHUNK];
    loop {
        match file.read(&mut chunk) {
            Ok(0) => return Ok(hexadecimal(&state.finalize())),
            Ok(count) => {
                state.update(chunk.get(..count).unwrap_or_default());
                systemd::alive();
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// A writer that passes everything on and takes the digest of what went through.
#[derive(Debug)]
pub struct DigestingWriter<W> {
    inner: W,
    state: Sha256,
}

impl<W: Write> DigestingWriter<W> {
    /// Begins with the digest of nothing.
    pub fn new(inner: W) -> Self {
        Self { inner, state: Sha256::new() }
    }

    /// The digest of all bytes that the inner writer took.
    pub fn finish(self) -> String {
        hexadecimal(&self.state.finalize())
    }

    /// The digest of all bytes so far, and the inner writer back.
    pub fn into_parts(self) -> (W, String) {
        (self.inner, hexadecimal(&self.state.finalize()))
    }
}

impl<W: Write> Write for DigestingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.state.update(bytes.get(..count).unwrap_or_default());
        systemd::alive();
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// A digest as it is written.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS[usize::from(half & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of FIPS 180-4 for the message "abc".
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn the_published_example_comes_out_by_every_road() {
        assert_eq!(of_bytes(b"abc"), ABC);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        assert_eq!(of_file(&path).unwrap(), ABC);
        let mut writer = DigestingWriter::new(Vec::new());
        writer.write_all(b"a").unwrap();
        writer.write_all(b"bc").unwrap();
        assert_eq!(writer.into_parts(), (b"abc".to_vec(), ABC.to_owned()));
    }
}
