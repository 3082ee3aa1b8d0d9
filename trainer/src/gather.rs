//! Batches whose gradients move the weights together.

/// The group of batches that is being gathered: forward and backward passes happen batch by batch, in little memory, and
/// the weights move once by the gradient of all the group's images together.
///
/// libtorch adds up gradients by itself. Each batch's loss is a mean over its own images; counted in means over
/// the first batch, a sum of such losses has only to be scaled once, and a group of one batch not at all.
#[derive(Debug, Default)]
pub struct Gather {
    before: usize,
    batches: usize,
    first: usize,
    images: usize,
}

impl Gather {
    /// At the beginning of an epoch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a batch of so many images in, and says what to multiply its loss with before the backward pass.
    pub fn add(&mut self, images: usize) -> f64 {
        if self.batches == 0 {
            self.first = images;
        }
        self.batches += 1;
        self.images += images;
        images as f64 / self.first as f64
    }

    /// Whether no batch is waiting for a move.
    pub fn is_empty(&self) -> bool {
        self.batches == 0
    }

    /// Images that lay before the group.
    pub fn before(&self) -> usize {
        self.before
    }

    /// Images in the group.
    pub fn images(&self) -> usize {
        self.images
    }

    /// Begins the next group, and says what to multiply the gradients of this one with, so that they become those of the mean
    /// over all its images.
    pub fn finish(&mut self) -> f64 {
        let factor = self.first as f64 / self.images as f64;
        *self = Self { before: self.before + self.images, ..Self::default() };
        factor
    }
}
