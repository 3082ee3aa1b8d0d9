//! What can go wrong between a file and its pixels.

use std::path::PathBuf;

/// Why an image gave no pixels. Every message names the file and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum PixelError {
    /// The list names a file that is not there.
    #[error("{}: there is no such file; correct the path in the list, or remove the line", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file is there but the system does not let it be read.
    #[error("{}: cannot be read ({reason}); check its permissions and the disk it lies on", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// The file is not an image of a known kind, or is damaged or cut short.
    #[error(
        "{}: is not a whole image ({reason}); replace it by a good PNG, JPEG, WebP, BMP or GIF, or remove it from the list",
        path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        reason: String,
    },
    /// The file is longer than [`Limits::bytes`](super::Limits); it was not read.
    #[error(
        "{}: the file has {bytes} bytes, more than the {limit} that are read at most; shrink the image, raise \
         pixels.max_file_mib, or remove it from the list",
        path.display()
    )]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        bytes: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The header announces more pixels than [`Limits::pixels`](super::Limits); nothing was allocated for them.
    #[error(
        "{}: {width}x{height} is more than the {limit} pixels that are decoded at most; shrink the image, raise \
         pixels.max_megapixels, or remove it from the list",
        path.display()
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Announced width in pixels.
        width: u32,
        /// Announced height in pixels.
        height: u32,
        /// The limit in pixels.
        limit: u64,
    },
    /// The image is so elongated that scaling it to cover the crop would take more than [`Limits::pixels`](super::Limits);
    /// nothing was allocated for them.
    #[error(
        "{}: {width}x{height} would have to be scaled to {}x{}, more than the {limit} pixels allowed; \
         use a smaller size or crop: none, raise pixels.max_megapixels, or remove it from the list",
        path.display(), scaled.0, scaled.1
    )]
    Elongated {
        /// The file.
        path: PathBuf,
        /// Width of the image in pixels.
        width: u32,
        /// Height of the image in pixels.
        height: u32,
        /// Width and height in pixels of the largest picture on the way.
        scaled: (u64, u64),
        /// The limit in pixels.
        limit: u64,
    },
    /// The settings of [`Preprocess`](super::Preprocess) cannot be met; the same for every file.
    #[error("the pixel settings cannot be met: {reason}")]
    Settings {
        /// Which setting, its value and the remedy.
        reason: String,
    },
    /// The slice given for the pixels has another length than `height * width * channels`.
    #[error("{}: room for {given} bytes was given, but the pixels take {needed}; give a slice of Preprocess::bytes()", path.display())]
    OutputSize {
        /// The file.
        path: PathBuf,
        /// Length of the slice.
        given: usize,
        /// What [`Preprocess::bytes`](super::Preprocess::bytes) says.
        needed: usize,
    },
}
