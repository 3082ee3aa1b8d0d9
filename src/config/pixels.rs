//! The section `pixels`: the one preprocessing, and what one image may take.

use super::augment::augment;
use super::problem::Fault;
use super::reader::{Section, count};
use super::tree::{Node, Value};
use super::types::PixelsConfig;
use super::values::{FRACTION, POSITIVE, Read};
use super::words::{Crop, Resize};
use std::ops::Bound;

/// Side of an image beyond which a size is surely a slip.
pub(super) const LARGEST_SIDE: u32 = 16_384;

pub(super) fn pixels(s: &Section<'_>) -> PixelsConfig {
    let size = s.required("size", "[224, 224]", |node| {
        let wanted = "a list of height and width in pixels";
        match node.items(wanted)? {
            [height, width] => Ok([side(height)?, side(width)?]),
            items => Err(Fault::new(format!("has {} numbers, not two, height and width", items.len()), "")),
        }
    });
    let channels = s.or("channels", 3, "3", |node| match count(node, &(1..=3))? {
        2 => Err(Fault::new("is 2, not 1 or 3", "write 1 for grey images, 3 for colour")),
        channels => Ok(channels),
    });
    let crop = s.word("crop", Crop::Center);
    let config = PixelsConfig {
        size: size.unwrap_or([1, 1]),
        channels,
        mean: each_channel(s, "mean", channels, (Bound::Included(0.0), Bound::Included(1.0))),
        std: each_channel(s, "std", channels, FRACTION),
        resize: s.word("resize", Resize::Bilinear),
        crop,
        crop_fraction: s.number("crop_fraction", 1.0, FRACTION),
        augment: s.section("augment", |s| augment(s, channels)),
        max_megapixels: s.number("max_megapixels", 100.0, POSITIVE),
        max_file_mib: s.number("max_file_mib", 256.0, POSITIVE),
    };
    let megapixels = config.size.iter().map(|side| f64::from(*side) / config.crop_fraction).product::<f64>() / 1e6;
    if let Some(entry) = s.entry("max_megapixels").or(s.entry("size"))
        && s.sound(&["size", "crop_fraction", "max_megapixels"])
        && megapixels > config.max_megapixels
    {
        let message = format!("leaves no room for an image of pixels.size, which takes {megapixels:.6} megapixels");
        s.blame("max_megapixels", entry.node.place, Fault::new(message, "raise it, or take a smaller size"));
    }
    if let Some(entry) = s.entry("crop_fraction")
        && s.sound(&["crop", "crop_fraction"])
        && config.crop == Crop::None
        && config.crop_fraction < 1.0
    {
        let message = "cuts nothing away under `crop: none`";
        s.blame("crop_fraction", entry.node.place, Fault::new(message, "leave it out, or write `crop: center`"));
    }
    config
}

fn side(item: &Node) -> Read<u32> {
    count(item, &(1..=LARGEST_SIDE)).map_err(|fault| fault.of_item(item.place))
}

/// A number a channel, of pixels scaled to 0..1; 0.5 each by default.
fn each_channel(s: &Section<'_>, key: &str, channels: u32, limits: (Bound<f64>, Bound<f64>)) -> Vec<f32> {
    let length = usize::try_from(channels).unwrap_or(3);
    let example = if channels == 1 { "[0.5]" } else { "[0.5, 0.5, 0.5]" };
    let known = s.sound(&["channels"]);
    s.or(key, vec![0.5; length], example, |node| {
        let items = node.items("a list with a number for each channel")?;
        if known && items.len() != length {
            let message = format!("has {} numbers, but pixels.channels is {channels}", items.len());
            return Err(Fault::new(message, format!("write one number for each channel, for example {example}")));
        }
        items.iter().map(|item| channel(item, limits)).collect()
    })
}

fn channel(item: &Node, limits: (Bound<f64>, Bound<f64>)) -> Read<f32> {
    let fault = match item.number(limits) {
        // Through the text and not through f64, which would round twice; a number near 0 may be 0 as f32.
        Ok(number) => {
            let narrow = match &item.value {
                Value::Scalar { text, .. } => text.parse::<f32>().ok(),
                _ => None,
            };
            match narrow.filter(|narrow| (*narrow == 0.0) == (number == 0.0)) {
                Some(narrow) => return Ok(narrow),
                None => Fault::new(format!("is {}, too small a number", item.describe()), ""),
            }
        }
        Err(fault) => fault,
    };
    let large = item.number(POSITIVE).is_ok_and(|number| number > 1.0 && number <= 255.0);
    let remedy = "divide by 255: pixels are scaled to 0..1 before this";
    let fault = fault.of_item(item.place);
    Err(if large { Fault { remedy: remedy.to_owned(), ..fault } } else { fault })
}
