//! Sizes: to which size an image is scaled, and which part of that is kept.

use std::path::Path;

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

/// How the image at `path`, of `width` x `height`, becomes the size that the settings ask for.
pub(super) fn plan(settings: &Preprocess, path: &Path, width: u32, height: u32) -> Result<Plan, PixelError> {
    match settings.crop {
        Crop::None => squash(settings, path, width, height),
        Crop::Center => {
            let target = enlarge((settings.width, settings.height), settings.crop_fraction)?;
            plan_of(settings, path, (width, height), cover(target, width, height))
        }
    }
}

/// How all of an image, or a part of `width` x `height`, becomes that size, whatever its shape.
pub(super) fn squash(settings: &Preprocess, path: &Path, width: u32, height: u32) -> Result<Plan, PixelError> {
    plan_of(settings, path, (width, height), (u64::from(settings.width), u64::from(settings.height)))
}

fn plan_of(
    settings: &Preprocess,
    path: &Path,
    (width, height): (u32, u32),
    scaled: (u64, u64),
) -> Result<Plan, PixelError> {
    let kept = (settings.width, settings.height);
    if kept.0 == 0 || kept.1 == 0 {
        return Err(PixelError::Settings {
            reason: format!("size {} x {} holds no pixel; give a height and a width of at least 1", kept.1, kept.0),
        });
    }
    // The columns are scaled first, so there is a picture as wide as the result and as high as the source.
    let highest = scaled.1.max(u64::from(height));
    match (u32::try_from(scaled.0), u32::try_from(scaled.1), scaled.0.checked_mul(highest)) {
        (Ok(scaled_width), Ok(scaled_height), Some(area)) if area <= settings.limits.pixels => {
            let offset = (centre(scaled_width, kept.0), centre(scaled_height, kept.1));
            Ok(Plan { source: (width, height), scaled: (scaled_width, scaled_height), offset, kept })
        }
        _ => Err(PixelError::Elongated {
            path: path.into(),
            width,
            height,
            scaled: (scaled.0, highest),
            limit: settings.limits.pixels,
        }),
    }
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
fn cover(target: (u32, u32), width: u32, height: u32) -> (u64, u64) {
    let (width, height) = (u64::from(width.max(1)), u64::from(height.max(1)));
    let (target_width, target_height) = (u64::from(target.0), u64::from(target.1));
    // Compares target_width / width with target_height / height without rounding.
    if target_width * height >= target_height * width {
        (target_width, target_width * height / width)
    } else {
        (target_height * width / height, target_height)
    }
}

/// Where a centred part begins: half of what is left over, rounded to even as Python's `round` does (torchvision's
/// `CenterCrop`).
fn centre(scaled: u32, kept: u32) -> u32 {
    (f64::from(scaled.saturating_sub(kept)) / 2.0).round_ties_even() as u32
}
