//! RandAugment (Cubuk and others, "RandAugment: Practical automated data augmentation with a reduced search space",
//! 2020), with the operations and strengths of torchvision's `RandAugment`.

use super::{Operation, Part};

/// The greatest magnitude; torchvision has 31 bins.
const MOST: f64 = 30.0;
/// How many operations there are.
const KINDS: u32 = 14;

/// Some operations one after another, each any of fourteen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RandAugment {
    /// How many.
    pub operations: u32,
    /// How strong they are, from 0 to 30.
    pub magnitude: u32,
}

impl RandAugment {
    /// The operations that the bits decide on, for an image of so many columns and rows.
    pub fn draw(&self, bits: u64, width: u32, height: u32) -> Vec<Operation> {
        let mut draws = Part::Operations.draws(bits);
        let mut one = || {
            let kind = draws.below(KINDS);
            let sign = if draws.below(2) == 0 { 1.0 } else { -1.0 };
            self.operation(kind, sign, width, height)
        };
        (0..self.operations).map(|_| one()).collect()
    }

    /// The operation of a number, with the sign of those that have one.
    fn operation(&self, kind: u32, sign: f64, width: u32, height: u32) -> Operation {
        let strength = f64::from(self.magnitude) / MOST;
        // Translations are made for images of 331 pixels, and rounded towards zero.
        let shift = |side: u32| (sign * strength * 150.0 / 331.0 * f64::from(side)) as i32;
        let factor = (1.0 + sign * 0.9 * strength) as f32;
        match kind {
            0 => Operation::Identity,
            1 => Operation::ShearX(sign * 0.3 * strength),
            2 => Operation::ShearY(sign * 0.3 * strength),
            3 => Operation::TranslateX(shift(width)),
            4 => Operation::TranslateY(shift(height)),
            5 => Operation::Rotate(sign * 30.0 * strength),
            6 => Operation::Brightness(factor),
            7 => Operation::Saturation(factor),
            8 => Operation::Contrast(factor),
            9 => Operation::Sharpness(factor),
            10 => Operation::Posterise(8 - (strength * 4.0).round() as u32),
            11 => Operation::Solarise(255.0 - 255.0 * strength),
            12 => Operation::AutoContrast,
            _ => Operation::Equalise,
        }
    }
}
