//! The settings: what size, which colours, how to get there.

use std::cell::RefCell;
use std::path::Path;

use super::loader::Scratch;
use super::{Limits, PixelError, RandomCrop};

/// Names what this room makes of a file: decoded images that are kept are thrown away when it changes. To be raised by
/// whoever changes a single pixel of any image.
pub const GENERATION: u32 = 1;

/// How many channels the model sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channels {
    /// One channel: ITU-R 601-2 luma, as Pillow's mode `L`.
    Grey = 1,
    /// Three channels: red, green, blue, as Pillow's mode `RGB`.
    Rgb = 3,
}

impl Channels {
    /// Bytes a pixel: 1 or 3.
    pub fn count(self) -> usize {
        match self {
            Channels::Grey => 1,
            Channels::Rgb => 3,
        }
    }
}

/// The filter of a resize; the names and the results are Pillow's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resize {
    /// A triangle as wide as the scale asks (antialiased).
    Bilinear,
    /// The cubic with a = -0.5, antialiased.
    Bicubic,
    /// A sinc with three lobes, antialiased.
    Lanczos,
    /// The nearest pixel, not antialiased.
    Nearest,
}

/// How an image of another shape is fitted to the model's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crop {
    /// Scale until the image covers `size / crop_fraction`, keeping its aspect ratio, then cut the centre out.
    Center,
    /// Squash to the model's size, whatever the aspect ratio.
    None,
}

/// The one preprocessing: from an image file to the pixels a model sees.
#[derive(Debug, Clone, PartialEq)]
pub struct Preprocess {
    /// Rows of the result.
    pub height: u32,
    /// Columns of the result.
    pub width: u32,
    /// Channels of the result.
    pub channels: Channels,
    /// Filter of the resize.
    pub resize: Resize,
    /// How another shape is fitted.
    pub crop: Crop,
    /// With [`Crop::Center`]: the share of the scaled image that is kept, in (0, 1]. 0.875 scales to 256 for 224.
    pub crop_fraction: f32,
    /// Mean of each channel, of values in 0 to 1: one number a channel.
    pub mean: Vec<f32>,
    /// Standard deviation of each channel, of values in 0 to 1: one number a channel, above 0.
    pub std: Vec<f32>,
    /// What one image may take.
    pub limits: Limits,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::default());
}

impl Preprocess {
    /// Bytes of one image: `height * width * channels`. [`usize::MAX`] where that overflows, which no slice can meet.
    pub fn bytes(&self) -> usize {
        let pixels = u64::from(self.height) * u64::from(self.width);
        usize::try_from(pixels).ok().and_then(|pixels| pixels.checked_mul(self.channels.count())).unwrap_or(usize::MAX)
    }

    /// Reads the image at `path` into `out`, as `u8` HWC of [`bytes`](Self::bytes) bytes.
    ///
    /// Uses buffers kept by the calling thread; a worker that wants its own takes a [`Loader`](super::Loader).
    ///
    /// # Errors
    /// Each variant of [`PixelError`]; `out` then holds anything.
    pub fn load(&self, path: &Path, out: &mut [u8]) -> Result<(), PixelError> {
        SCRATCH.with_borrow_mut(|scratch| scratch.load(self, path, None, out))
    }

    /// Reads into `out` the part of the image that `crop` draws by the bits, scaled to the model's size with the same filter:
    /// for training, in place of the whole image or its middle.
    ///
    /// The part is taken from the original, at its full size, so that every visit decodes the file. Kept pixels have the
    /// model's size already, and would be scaled twice.
    ///
    /// # Errors
    /// Each variant of [`PixelError`]; `out` then holds anything.
    pub fn load_cropped(&self, path: &Path, crop: &RandomCrop, bits: u64, out: &mut [u8]) -> Result<(), PixelError> {
        SCRATCH.with_borrow_mut(|scratch| scratch.load(self, path, Some((crop, bits)), out))
    }
}
