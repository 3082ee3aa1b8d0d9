//! Random parts of an image, as torchvision's `RandomResizedCrop` takes them.

use super::Part;
use crate::draw::Sequence;

/// How often a rectangle is drawn before it is given up that one fits into the image.
const TRIES: u32 = 10;

/// A random part of an image, of a random size and shape.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RandomCrop {
    /// The least and the greatest share of the image's area, in (0, 1].
    pub scale: [f64; 2],
    /// The least and the greatest width over height, above 0.
    pub ratio: [f64; 2],
}

/// A part of an image, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Columns left of it.
    pub left: u32,
    /// Rows above it.
    pub top: u32,
    /// Its columns; at least 1.
    pub width: u32,
    /// Its rows; at least 1.
    pub height: u32,
}

impl RandomCrop {
    /// The part that the bits decide on, of an image of so many columns and rows, at least 1 each.
    pub fn draw(&self, bits: u64, width: u32, height: u32) -> Window {
        let mut draws = Part::Crop.draws(bits);
        let fits = |wide: f64, high: f64| wide <= f64::from(width) && high <= f64::from(height);
        rectangle(&mut draws, self.scale, self.ratio, (width, height), fits)
            .unwrap_or_else(|| self.middle(width, height))
    }

    /// The greatest part in the middle whose shape is allowed.
    fn middle(&self, width: u32, height: u32) -> Window {
        let (wide, high) = (f64::from(width), f64::from(height));
        let [least, greatest] = self.ratio;
        let side = |exact: f64, most: u32| (exact.round_ties_even() as u32).clamp(1, most);
        let (part_width, part_height) = if wide / high < least {
            (width, side(wide / least, height))
        } else if wide / high > greatest {
            (side(high * greatest, width), height)
        } else {
            (width, height)
        };
        let (left, top) = ((width - part_width) / 2, (height - part_height) / 2);
        Window { left, top, width: part_width, height: part_height }
    }
}

/// A rectangle whose share of the area is even in `scale`, and the logarithm of whose width over height is even in that of
/// `ratio`, somewhere in an image of (width, height). None if ten in a row hold no pixel or do not fit.
pub(super) fn rectangle(
    draws: &mut Sequence,
    scale: [f64; 2],
    ratio: [f64; 2],
    (width, height): (u32, u32),
    fits: impl Fn(f64, f64) -> bool,
) -> Option<Window> {
    (0..TRIES).find_map(|_| {
        let area = f64::from(width) * f64::from(height) * draws.between(scale[0], scale[1]);
        let shape = draws.between(ratio[0].ln(), ratio[1].ln()).exp();
        let (wide, high) = ((area * shape).sqrt().round_ties_even(), (area / shape).sqrt().round_ties_even());
        if wide < 1.0 || high < 1.0 || !fits(wide, high) {
            return None;
        }
        let (part_width, part_height) = (wide as u32, high as u32);
        let top = draws.below(height - part_height + 1);
        let left = draws.below(width - part_width + 1);
        Some(Window { left, top, width: part_width, height: part_height })
    })
}
