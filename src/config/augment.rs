//! The section `pixels.augment`: random changes of images in training.

use super::pixels::LARGEST_SIDE;
use super::problem::Fault;
use super::reader::Section;
use super::tree::Node;
use super::values::{FRACTION, Limits, NOT_NEGATIVE, Read, SHARE};
use std::ops::Bound;

/// The greatest magnitude of RandAugment.
const MOST_MAGNITUDE: u32 = 30;
/// More operations in a row leave nothing of an image.
const MOST_OPERATIONS: u32 = 14;
/// Half of the circle, one way or the other.
const HUE: Limits = (Bound::Included(0.0), Bound::Included(0.5));
/// What is thinner than one to a hundred is no picture.
const RATIO: Limits = (Bound::Included(0.01), Bound::Included(100.0));

/// Random changes of an image in training.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct AugmentConfig {
    /// Mirror left and right with probability one half.
    pub flip: bool,
    /// Pixels of padding around the image before a random crop of the input's size; 0 = no random crop.
    pub pad: u32,
    /// A random part of the original image.
    pub crop: CropConfig,
    /// Random colours.
    pub jitter: JitterConfig,
    /// Random operations.
    pub randaugment: RandAugmentConfig,
    /// Probability of a painted-over rectangle, in [0, 1].
    pub erase: f64,
}

/// A random part of the original image, scaled to the input's size.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct CropConfig {
    /// Least and greatest share of the area, in (0, 1]; absent: no such crop.
    pub scale: Option<[f64; 2]>,
    /// Least and greatest width over height, in [0.01, 100].
    pub ratio: [f64; 2],
}

/// How far colours are changed; 0 = not.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct JitterConfig {
    /// At least 0: the factor is up to so much from 1.
    pub brightness: f64,
    /// Likewise.
    pub contrast: f64,
    /// Likewise; 0 for grey images.
    pub saturation: f64,
    /// In [0, 0.5], of the circle of hues; 0 for grey images.
    pub hue: f64,
}

/// Random operations, one after another.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct RandAugmentConfig {
    /// How many; 0 = none.
    pub operations: u32,
    /// How strong, from 0 to 30.
    pub magnitude: u32,
}

pub(super) fn augment(s: &Section<'_>, channels: u32) -> AugmentConfig {
    let config = AugmentConfig {
        flip: s.flag("flip", false),
        pad: s.count("pad", 0, 0..=LARGEST_SIDE),
        crop: s.section("crop", |s| CropConfig {
            scale: s.optional("scale", "[0.08, 1.0]", |node| range(node, FRACTION)),
            ratio: s.or("ratio", [3.0 / 4.0, 4.0 / 3.0], "[0.75, 1.3333333333333333]", |node| range(node, RATIO)),
        }),
        jitter: s.section("jitter", |s| jitter(s, channels)),
        randaugment: s.section("randaugment", |s| RandAugmentConfig {
            operations: s.count("operations", 0, 0..=MOST_OPERATIONS),
            magnitude: s.count("magnitude", 9, 0..=MOST_MAGNITUDE),
        }),
        erase: s.number("erase", 0.0, SHARE),
    };
    if let Some(entry) = s.entry("pad")
        && config.pad > 0
        && config.crop.scale.is_some()
    {
        let message = format!("is {}, a second random crop after pixels.augment.crop.scale", config.pad);
        s.blame("pad", entry.node.place, Fault::new(message, "leave one of the two out"));
    }
    config
}

fn jitter(s: &Section<'_>, channels: u32) -> JitterConfig {
    let config = JitterConfig {
        brightness: s.number("brightness", 0.0, NOT_NEGATIVE),
        contrast: s.number("contrast", 0.0, NOT_NEGATIVE),
        saturation: s.number("saturation", 0.0, NOT_NEGATIVE),
        hue: s.number("hue", 0.0, HUE),
    };
    for (key, value) in [("saturation", config.saturation), ("hue", config.hue)] {
        if let Some(entry) = s.entry(key)
            && channels == 1
            && value > 0.0
        {
            let message = format!("is {value}, but pixels.channels is 1, and grey has no {key}");
            s.blame(key, entry.node.place, Fault::new(message, "leave it out"));
        }
    }
    config
}

/// A list of the least and the greatest.
fn range(node: &Node, limits: Limits) -> Read<[f64; 2]> {
    let number = |item: &Node| item.number(limits).map_err(|fault| fault.of_item(item.place));
    match node.items("a list of the least and the greatest")? {
        [least, greatest] => match [number(least)?, number(greatest)?] {
            [least, greatest] if least > greatest => {
                Err(Fault::new(format!("begins with {least}, which is more than {greatest}"), "write the least first"))
            }
            range => Ok(range),
        },
        items => Err(Fault::new(format!("has {} numbers, not two, the least and the greatest", items.len()), "")),
    }
}
