//! One change of an image, with what it is given.

use super::super::Channels;
use super::{Canvas, affine, blend, hue, levels};

/// A change of an image that keeps its size; each is Pillow's to the level, and has torchvision's parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Operation {
    /// None.
    Identity,
    /// Moves each row to the left by so much of its distance from the top. What comes in is black, here and below.
    ShearX(f64),
    /// Moves each column up by so much of its distance from the left.
    ShearY(f64),
    /// Moves the image to the right by so many pixels.
    TranslateX(i32),
    /// Moves the image down by so many pixels.
    TranslateY(i32),
    /// Turns the image about its centre by so many degrees, against the clock.
    Rotate(f64),
    /// Multiplies every level: 0 is black, 1 the image.
    Brightness(f32),
    /// Between the image's own grey (0) and the image (1), and beyond. Grey images stay as they are.
    Saturation(f32),
    /// Between the mean of its greys (0) and the image (1), and beyond.
    Contrast(f32),
    /// Between a smoothed image (0) and the image (1), and beyond.
    Sharpness(f32),
    /// Turns hues by so much of the circle, in -0.5 to 0.5. Grey images stay as they are.
    Hue(f64),
    /// Keeps so many of each level's highest bits, 0 to 8.
    Posterise(u32),
    /// Inverts levels of at least this.
    Solarise(f64),
    /// Stretches each channel's levels from black to white.
    AutoContrast,
    /// Makes each channel's levels about equally frequent.
    Equalise,
}

impl Operation {
    /// Changes `pixels`, an image in HWC of so many columns and rows; one of another length is left as it is.
    pub fn apply(self, pixels: &mut [u8], width: u32, height: u32, channels: Channels) {
        let canvas = (width as usize).checked_mul(height as usize).and_then(|area| area.checked_mul(channels.count()));
        if canvas == Some(pixels.len()) && !pixels.is_empty() {
            let (width, height, channels) = (width as usize, height as usize, channels.count());
            self.change(&mut Canvas { pixels, width, height, channels });
        }
    }

    pub(super) fn change(self, canvas: &mut Canvas) {
        let grey = canvas.channels == 1;
        match self {
            Self::Identity => {}
            Self::ShearX(by) => affine::change([1.0, by, 0.0, 0.0, 1.0, 0.0], canvas),
            Self::ShearY(by) => affine::change([1.0, 0.0, 0.0, by, 1.0, 0.0], canvas),
            Self::TranslateX(by) => affine::change([1.0, 0.0, -f64::from(by), 0.0, 1.0, 0.0], canvas),
            Self::TranslateY(by) => affine::change([1.0, 0.0, 0.0, 0.0, 1.0, -f64::from(by)], canvas),
            Self::Rotate(degrees) => affine::change(affine::rotation(degrees, canvas), canvas),
            Self::Brightness(factor) => blend::brightness(factor, canvas),
            Self::Saturation(factor) if !grey => blend::saturation(factor, canvas),
            Self::Contrast(factor) => blend::contrast(factor, canvas),
            Self::Sharpness(factor) => blend::sharpness(factor, canvas),
            Self::Hue(turn) if !grey => hue::change(turn, canvas),
            Self::Saturation(_) | Self::Hue(_) => {}
            Self::Posterise(bits) => levels::posterise(bits, canvas),
            Self::Solarise(threshold) => levels::solarise(threshold, canvas),
            Self::AutoContrast => levels::auto_contrast(canvas),
            Self::Equalise => levels::equalise(canvas),
        }
    }
}
