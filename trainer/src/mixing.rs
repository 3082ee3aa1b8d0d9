//! Mixing the images of a batch: mixup (Zhang and others, "mixup: Beyond Empirical Risk Minimization", ICLR 2018) and
//! CutMix (Yun and others, "CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features",
//! ICCV 2019), as torchvision's `MixUp` and `CutMix` do it.
//!
//! Each image is mixed with the one before it in the batch, the first with the last; the order of a batch is random. Image
//! i keeps the share s, and its partner j has the rest. With the logits z, labels y and weights w the loss is
//!
//! ```text
//! mean_i(s * w_i * cross_entropy(z_i, y_i) + (1 - s) * w_j * cross_entropy(z_i, y_j))
//! ```
//!
//! A weight goes with the label of its own image, wherever that is: over the batch each image counts with its weight, as it
//! does unmixed.

use gleaner::draw::{Draws, Sequence};
use gleaner::pixels::Layout;
use std::ops::Range;
use tch::{TchError, Tensor};

/// When and how batches are mixed.
#[derive(Clone, Copy, Debug)]
pub struct Mixing {
    /// Alpha of the Beta distribution of mixup's shares; 0 for no mixup.
    pub mixup: f64,
    /// Likewise for CutMix. Where both are above 0 a batch has one of them, one time in two each.
    pub cutmix: f64,
    /// Share of the batches that are mixed.
    pub probability: f64,
    /// One draw a batch.
    pub draws: Draws,
}

/// How one batch is mixed.
#[derive(Clone, Debug, PartialEq)]
pub struct Mix {
    /// What an image keeps of itself, in (0, 1).
    pub share: f64,
    /// The rows and columns in which the partner's pixels stand; none where all pixels are blended.
    pub window: Option<[Range<i64>; 2]>,
}

impl Mixing {
    /// How the batch of this number is mixed, which has so many images of so many rows and columns; none if it stays as it is.
    pub fn draw(&self, number: u64, images: usize, [rows, columns]: [i64; 2]) -> Option<Mix> {
        let mut draws = Sequence::new(self.draws.bits(number), 0);
        // A single image has no partner.
        if draws.between(0.0, 1.0) >= self.probability || images < 2 {
            return None;
        }
        let heads = draws.below(2) == 0;
        let mix = match (self.mixup > 0.0, self.cutmix > 0.0) {
            (false, false) => return None,
            (true, cutmix) if heads || !cutmix => Mix { share: beta(self.mixup, &mut draws), window: None },
            _ => cut(beta(self.cutmix, &mut draws), rows, columns, &mut draws),
        };
        // Beta may give a whole, and a rectangle may be of no pixel: then nothing is mixed.
        (mix.share < 1.0).then_some(mix)
    }
}

/// A rectangle of the share that is given away, about a random pixel; what lies outside of the image is cut off, and the
/// share is what is left.
fn cut(share: f64, rows: i64, columns: i64, draws: &mut Sequence) -> Mix {
    let half = 0.5 * (1.0 - share).sqrt();
    let mut part = |side: i64| {
        let centre = i64::from(draws.below(u32::try_from(side).unwrap_or(u32::MAX)));
        let reach = (half * side as f64) as i64;
        (centre - reach).max(0)..(centre + reach).min(side)
    };
    let window = [part(rows), part(columns)];
    let area: i64 = window.iter().map(|range| range.end - range.start).product();
    Mix { share: 1.0 - area as f64 / (rows * columns) as f64, window: Some(window) }
}

/// A number of the distribution Beta(alpha, alpha), by rejection (Jöhnk, Metrika 1964); in logarithms, as a small alpha makes
/// powers that are zero.
fn beta(alpha: f64, draws: &mut Sequence) -> f64 {
    loop {
        let mut logarithm = || (1.0 - draws.between(0.0, 1.0)).ln() / alpha;
        let (one, other) = (logarithm(), logarithm());
        if one.exp() + other.exp() <= 1.0 {
            return 1.0 / (1.0 + (other - one).exp());
        }
    }
}

impl Mix {
    /// The images with their partners mixed in.
    pub fn images(&self, images: Tensor, layout: Layout) -> Result<Tensor, TchError> {
        let partners = partners(&images)?;
        let Some(window) = &self.window else {
            return images.f_mul_scalar(self.share)?.f_add(&partners.f_mul_scalar(1.0 - self.share)?);
        };
        let first = match layout {
            Layout::Nchw => 2,
            Layout::Nhwc => 1,
        };
        let part = |images: &Tensor| {
            let [rows, columns] = window;
            let rows = images.f_narrow(first, rows.start, rows.end - rows.start)?;
            rows.f_narrow(first + 1, columns.start, columns.end - columns.start)
        };
        part(&images)?.f_copy_(&part(&partners)?)?;
        Ok(images)
    }

    /// The loss of the mixed images, where `loss` is that of their labels and weights.
    pub fn loss(
        &self,
        labels: &Tensor,
        weights: &Tensor,
        loss: impl Fn(&Tensor, &Tensor) -> Result<Tensor, TchError>,
    ) -> Result<Tensor, TchError> {
        let own = loss(labels, weights)?.f_mul_scalar(self.share)?;
        own.f_add(&loss(&partners(labels)?, &partners(weights)?)?.f_mul_scalar(1.0 - self.share)?)
    }
}

/// For each image of a batch the one before it.
fn partners(batch: &Tensor) -> Result<Tensor, TchError> {
    batch.f_roll([1], [0])
}
