//! The section `pixels.augment`: random changes of images in training.

use super::pixels::LARGEST_SIDE;
use super::reader::Section;

/// Random changes of an image in training.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct AugmentConfig {
    /// Mirror left and right with probability one half.
    pub flip: bool,
    /// Pixels of padding around the image before a random crop of the input's size; 0 = no random crop.
    pub pad: u32,
}

pub(super) fn augment(s: &Section<'_>) -> AugmentConfig {
    AugmentConfig { flip: s.flag("flip", false), pad: s.count("pad", 0, 0..=LARGEST_SIDE) }
}
