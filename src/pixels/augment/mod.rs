//! Random changes of training images, all of them decided by 64 bits that the caller draws.
//!
//! ```text
//! crop (of the original) ─ pad ─ flip ─ jitter ─ operations ─ erase
//! ```
//!
//! What torchvision has as well does here what it does there to a Pillow image. The draws are our own: each change takes
//! its numbers from a sequence of its own, so that turning one on leaves the others as they are.

mod affine;
mod blend;
mod crop;
mod erase;
mod hue;
mod jitter;
mod levels;
mod operation;
mod place;
mod randaugment;

pub use crop::{RandomCrop, Window};
pub use erase::Erase;
pub use jitter::Jitter;
pub use operation::Operation;
pub use randaugment::RandAugment;

use super::Preprocess;
use crate::draw::Sequence;

/// Which changes are made; by default none.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Augment {
    /// Take a random part of the original image. This is done while the image is loaded, see
    /// [`Preprocess::load_cropped`]: [`apply`](Self::apply) comes after it.
    pub crop: Option<RandomCrop>,
    /// Pad so many zero pixels on every side and cut a part of the old size out at a random place, as torchvision's
    /// `RandomCrop(size, padding=pad)` does. 0 leaves the image in its place.
    pub pad: u32,
    /// Mirror left and right, one time in two.
    pub flip: bool,
    /// Change brightness, contrast, saturation and hue.
    pub jitter: Jitter,
    /// Some operations out of fourteen.
    pub randaugment: RandAugment,
    /// Paint a random rectangle over.
    pub erase: Erase,
}

/// Which sequence of an image's draws a change takes; part of the reproducibility contract. Flip and pad take the bits.
#[derive(Clone, Copy)]
enum Part {
    Crop = 1,
    Jitter = 2,
    Operations = 3,
    Erase = 4,
}

impl Part {
    fn draws(self, bits: u64) -> Sequence {
        Sequence::new(bits, self as u64)
    }
}

impl Augment {
    /// Whether nothing is ever changed.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Writes the changed `pixels` (one image, HWC as `preprocess` says) to `out`, of the same length.
    ///
    /// The same bits give the same result: bit 63 decides the flip, bits 32 to 62 the row and bits 0 to 31 the column
    /// of the padded cut. The cut comes first, the flip after it, then what changes colours and shape.
    pub fn apply(&self, bits: u64, preprocess: &Preprocess, pixels: &[u8], out: &mut [u8]) {
        let (height, width) = (preprocess.height as usize, preprocess.width as usize);
        if width == 0 || pixels.len() != out.len() || pixels.len() != preprocess.bytes() {
            return;
        }
        let channels = preprocess.channels.count();
        place::place(self.flip, self.pad, bits, (height, width, channels), pixels, out);
        let mut canvas = Canvas { pixels: out, width, height, channels };
        let jitter = self.jitter.draw(bits);
        let operations = self.randaugment.draw(bits, preprocess.width, preprocess.height);
        for operation in jitter.into_iter().chain(operations) {
            operation.change(&mut canvas);
        }
        if let Some(window) = self.erase.draw(bits, preprocess.width, preprocess.height) {
            erase::paint(window, &preprocess.mean, &mut canvas);
        }
    }
}

/// An image that is being changed: HWC, of 1 or 3 channels.
struct Canvas<'a> {
    pixels: &'a mut [u8],
    width: usize,
    height: usize,
    channels: usize,
}
