//! Random erasing (Zhong and others, "Random Erasing Data Augmentation", AAAI 2020), with the shapes of torchvision's
//! `RandomErasing`.

use super::crop::{Window, rectangle};
use super::{Canvas, Part};

/// The least and the greatest share of the image that is painted over.
const SCALE: [f64; 2] = [0.02, 0.33];
/// The least and the greatest width over height of what is painted over. torchvision says it of height over width.
const RATIO: [f64; 2] = [1.0 / 3.3, 1.0 / 0.3];

/// A random rectangle is painted over in the mean colour, which is zero to the model.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Erase {
    /// How likely, in [0, 1].
    pub probability: f64,
}

impl Erase {
    /// What is painted over, of an image of so many columns and rows; none where the bits say so, or where the image is
    /// so small that nothing fits.
    pub fn draw(&self, bits: u64, width: u32, height: u32) -> Option<Window> {
        let mut draws = Part::Erase.draws(bits);
        if draws.between(0.0, 1.0) >= self.probability {
            return None;
        }
        let fits = |wide: f64, high: f64| wide < f64::from(width) && high < f64::from(height);
        rectangle(&mut draws, SCALE, RATIO, (width, height), fits)
    }
}

/// Paints the window in `mean`, which is of channels in 0 to 1.
pub(super) fn paint(window: Window, mean: &[f32], canvas: &mut Canvas) {
    let colour: Vec<u8> = mean.iter().map(|mean| (mean * 255.0).round() as u8).collect();
    let stride = canvas.width * canvas.channels;
    let columns = window.left as usize * canvas.channels..(window.left + window.width) as usize * canvas.channels;
    for row in canvas.pixels.chunks_exact_mut(stride).skip(window.top as usize).take(window.height as usize) {
        for pixel in row.get_mut(columns.clone()).unwrap_or_default().chunks_exact_mut(canvas.channels) {
            for (to, level) in pixel.iter_mut().zip(&colour) {
                *to = *level;
            }
        }
    }
}
