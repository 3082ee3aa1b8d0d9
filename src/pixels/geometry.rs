//! Sizes: to which size an image is scaled, and which part of that is kept.

use super::{Crop, PixelError, Preprocess};

/// Scale `source` to `scaled`, then keep `kept` pixels from `offset` on; every pair is (width, height).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plan {
    pub source: (u32, u32),
    pub scaled: (u32, u32),
    pub offset: (u32, u32),
    pub kept: (u32, u32),
}

impl Plan {
    /// The pixels stay as they are.
    pub fn is_identity(&self) -> bool {
        self.source == self.scaled && self.scaled == self.kept
    }
}

/// The scaled size of an extremely long image could be huge; such an image is refused.
const MAXIMUM_SCALED: u64 = super::MAXIMUM_PIXELS;

/// How an image of `width` x `height` becomes the size that the settings ask for.
pub(super) fn plan(settings: &Preprocess, width: u32, height: u32) -> Result<Plan, PixelError> {
    let kept = (settings.width, settings.height);
    if kept.0 == 0 || kept.1 == 0 {
        return Err(PixelError::Settings {
            reason: format!("size {} x {} holds no pixel; give a height and a width of at least 1", kept.1, kept.0),
        });
    }
    let scaled = match settings.crop {
        Crop::None => kept,
        Crop::Center => cover(enlarge(kept, settings.crop_fraction)?, width, height)?,
    };
    let offset = (centre(scaled.0, kept.0), centre(scaled.1, kept.1));
    Ok(Plan { source: (width, height), scaled, offset, kept })
}

/// Each side of the crop divided by the fraction, rounded as Python's `round` does.
fn enlarge(kept: (u32, u32), fraction: f32) -> Result<(u32, u32), PixelError> {
    if !(fraction > 0.0 && fraction <= 1.0) {
        return Err(PixelError::Settings {
            reason: format!(
                "crop_fraction {fraction} is not in (0, 1]; 1.0 keeps all of the scaled image's shorter side"
            ),
        });
    }
    // By way of its decimal digits: 5/0.4 is 12.5 in Python, where 0.4 is a double, and must be here.
    let fraction = fraction.to_string().parse::<f64>().unwrap_or(f64::from(fraction));
    let side = |side: u32| (f64::from(side) / fraction).round_ties_even().min(f64::from(u32::MAX)) as u32;
    Ok((side(kept.0), side(kept.1)))
}

/// The smallest size of the image's aspect ratio that covers `target`; the longer side is rounded down, as by
/// torchvision's `Resize(int)`.
fn cover(target: (u32, u32), width: u32, height: u32) -> Result<(u32, u32), PixelError> {
    let (width, height) = (u64::from(width.max(1)), u64::from(height.max(1)));
    let (target_width, target_height) = (u64::from(target.0), u64::from(target.1));
    // Compares target_width / width with target_height / height without rounding.
    let scaled = if target_width * height >= target_height * width {
        (target_width, target_width * height / width)
    } else {
        (target_height * width / height, target_height)
    };
    match (u32::try_from(scaled.0), u32::try_from(scaled.1)) {
        (Ok(scaled_width), Ok(scaled_height)) if scaled.0.saturating_mul(scaled.1) <= MAXIMUM_SCALED => {
            Ok((scaled_width, scaled_height))
        }
        _ => Err(PixelError::Settings {
            reason: format!(
                "an image of {width}x{height} would be scaled to {}x{} before the crop; use crop: none, or a smaller size",
                scaled.0, scaled.1
            ),
        }),
    }
}

/// Where a centred part begins: half of what is left over, rounded to even as Python's `round` does (torchvision's
/// `CenterCrop`).
fn centre(scaled: u32, kept: u32) -> u32 {
    (f64::from(scaled.saturating_sub(kept)) / 2.0).round_ties_even() as u32
}
