//! Random brightness, contrast, saturation and hue, as torchvision's `ColorJitter`.

use super::{Operation, Part};

/// How far colours are changed; 0 leaves them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Jitter {
    /// The factor is even between 1 less this and 1 more, but not below 0.
    pub brightness: f64,
    /// Likewise.
    pub contrast: f64,
    /// Likewise; grey images have none.
    pub saturation: f64,
    /// Even between this much of the circle one way and the other; at most 0.5. Grey images have none.
    pub hue: f64,
}

impl Jitter {
    /// The operations that the bits decide on, in the random order in which they are done.
    pub fn draw(&self, bits: u64) -> Vec<Operation> {
        let mut draws = Part::Jitter.draws(bits);
        let mut factor = |reach: f64| draws.between((1.0 - reach).max(0.0), 1.0 + reach) as f32;
        let all = [
            (self.brightness, Operation::Brightness(factor(self.brightness))),
            (self.contrast, Operation::Contrast(factor(self.contrast))),
            (self.saturation, Operation::Saturation(factor(self.saturation))),
            (self.hue, Operation::Hue(draws.between(-self.hue, self.hue))),
        ];
        let mut operations: Vec<_> = all.into_iter().filter(|(reach, _)| *reach > 0.0).map(|(_, one)| one).collect();
        // Fisher and Yates's shuffle.
        for last in (1..operations.len()).rev() {
            operations.swap(last, draws.below(last as u32 + 1) as usize);
        }
        operations
    }
}
