//! Image files to pixels: the one preprocessing, used by scoring and by training.
//!
//! A person's own trainer usually reads images with Pillow and torchvision; the scan must see what it sees. So this
//! room gives what `Image.open(path).convert("L" or "RGB")`, torchvision's `Resize` and `CenterCrop`, and
//! `Image.resize` give, to within one level of 255. The tests compare with Pillow itself.
//!
//! Pixels are `u8`, interleaved, row after row (HWC), in plain slices. The way of an image:
//!
//! ```text
//! file ─ decode ─ colour ─ geometry + resize ─► u8 HWC ─ augment (training) ─ normalise ─► f32 for the model
//! ```
//!
//! In training a random part of the image may take the place of the geometry ([`Preprocess::load_cropped`]).
//!
//! Not done, as Pillow does not do it either: rotation by EXIF, colour profiles, compositing of alpha.

mod augment;
mod colour;
mod convolve;
mod decode;
mod error;
mod geometry;
mod jpeg;
mod limits;
mod loader;
mod normalise;
mod preprocess;
mod resize;

pub use augment::{Augment, Erase, Jitter, Operation, RandAugment, RandomCrop, Window};
pub use error::PixelError;
pub use limits::Limits;
pub use loader::Loader;
pub use normalise::{Layout, Normaliser};
pub use preprocess::{Channels, Crop, GENERATION, Preprocess, Resize};
