//! Loading with buffers that are kept, so that a small image costs no needless allocation.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;

use super::colour::to_channels;
use super::decode::decode;
use super::geometry::{plan, squash};
use super::resize::Scaler;
use super::{PixelError, Preprocess, RandomCrop, Window};

/// A [`Preprocess`] with buffers of its own: one for each worker thread.
#[derive(Debug)]
pub struct Loader {
    preprocess: Preprocess,
    scratch: Scratch,
}

impl Loader {
    /// A loader of images as `preprocess` says; buffers grow with the images it meets.
    pub fn new(preprocess: &Preprocess) -> Self {
        Loader { preprocess: preprocess.clone(), scratch: Scratch::default() }
    }

    /// The settings.
    pub fn preprocess(&self) -> &Preprocess {
        &self.preprocess
    }

    /// The same as [`Preprocess::load`].
    ///
    /// # Errors
    /// Each variant of [`PixelError`]; `out` then holds anything.
    pub fn load(&mut self, path: &Path, out: &mut [u8]) -> Result<(), PixelError> {
        self.scratch.load(&self.preprocess, path, None, out)
    }

    /// The same as [`Preprocess::load_cropped`].
    ///
    /// # Errors
    /// Each variant of [`PixelError`]; `out` then holds anything.
    pub fn load_cropped(
        &mut self,
        path: &Path,
        crop: &RandomCrop,
        bits: u64,
        out: &mut [u8],
    ) -> Result<(), PixelError> {
        self.scratch.load(&self.preprocess, path, Some((crop, bits)), out)
    }

    /// Like [`load`](Self::load), for an encoded image that is in memory already; `path` is named in errors only.
    ///
    /// # Errors
    /// Each variant of [`PixelError`] but those of reading; `out` then holds anything.
    pub fn decode(&mut self, encoded: &[u8], path: &Path, out: &mut [u8]) -> Result<(), PixelError> {
        self.scratch.decode(&self.preprocess, encoded, path, None, out)
    }
}

/// A file of a pool is seldom larger; a buffer that one odd image made larger is given back after it.
const KEPT_BYTES: usize = 64 << 20;

/// The buffers of one thread.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    file: Vec<u8>,
    raw: Vec<u8>,
    pixels: Vec<u8>,
    scaler: Scaler,
}

impl Scratch {
    pub(super) fn load(
        &mut self,
        settings: &Preprocess,
        path: &Path,
        crop: Option<(&RandomCrop, u64)>,
        out: &mut [u8],
    ) -> Result<(), PixelError> {
        let mut file = std::mem::take(&mut self.file);
        let result =
            read(path, settings.limits.bytes, &mut file).and_then(|()| self.decode(settings, &file, path, crop, out));
        self.file = file;
        trim(&mut self.file);
        result
    }

    fn decode(
        &mut self,
        settings: &Preprocess,
        encoded: &[u8],
        path: &Path,
        crop: Option<(&RandomCrop, u64)>,
        out: &mut [u8],
    ) -> Result<(), PixelError> {
        if out.len() != settings.bytes() {
            return Err(PixelError::OutputSize { path: path.into(), given: out.len(), needed: settings.bytes() });
        }
        let picture = decode(encoded, path, settings.limits.pixels, &mut self.raw)?;
        let window = crop.map(|(crop, bits)| crop.draw(bits, picture.width, picture.height));
        let plan = match window {
            None => plan(settings, path, picture.width, picture.height)?,
            Some(window) => squash(settings, path, window.width, window.height)?,
        };
        let result = if plan.is_identity() && window.is_none() {
            to_channels(&picture, &self.raw, settings.channels, out);
            Ok(())
        } else {
            let count = picture.width as usize * picture.height as usize * settings.channels.count();
            self.pixels.resize(count, 0);
            to_channels(&picture, &self.raw, settings.channels, &mut self.pixels);
            if let Some(window) = window {
                cut(&mut self.pixels, picture.width, settings.channels.count(), window);
            }
            self.scaler.scale(&self.pixels, settings.channels, settings.resize, &plan, out)
        };
        trim(&mut self.raw);
        trim(&mut self.pixels);
        self.scaler.trim(KEPT_BYTES);
        result
    }
}

/// Leaves of an image, `width` pixels wide, what lies in the window.
fn cut(pixels: &mut Vec<u8>, width: u32, channels: usize, window: Window) {
    let (from_stride, to_stride) = (width as usize * channels, window.width as usize * channels);
    let first = window.top as usize * from_stride + window.left as usize * channels;
    for row in 0..window.height as usize {
        let from = first + row * from_stride;
        pixels.copy_within(from..from + to_stride, row * to_stride);
    }
    pixels.truncate(window.height as usize * to_stride);
}

fn read(path: &Path, most_bytes: u64, into: &mut Vec<u8>) -> Result<(), PixelError> {
    into.clear();
    // A byte more than may be: what is longer is known by it, also if it grows while it is read.
    let done = open(path).and_then(|file| {
        let length = file.metadata()?.len();
        let found = if length > most_bytes { 0 } else { file.take(most_bytes.saturating_add(1)).read_to_end(into)? };
        Ok(length.max(found as u64))
    });
    match done {
        Ok(bytes) if bytes > most_bytes => Err(PixelError::TooLong { path: path.into(), bytes, limit: most_bytes }),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(PixelError::Missing { path: path.into() }),
        Err(reason) => Err(PixelError::Unreadable { path: path.into(), reason }),
    }
}

/// Opens a regular file. Of a pipe or a device nobody knows when it ends, or whether it ever says anything.
fn open(path: &Path) -> std::io::Result<File> {
    let without_waiting = OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options().read(true).custom_flags(without_waiting).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(std::io::Error::other("it is no regular file")) }
}

fn trim(buffer: &mut Vec<u8>) {
    if buffer.capacity() > KEPT_BYTES {
        *buffer = Vec::new();
    }
}
