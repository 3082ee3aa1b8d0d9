//! What a step makes smaller.

use tch::{Kind, Reduction, TchError, Tensor};

/// The weighted cross-entropy of a batch: `sum_i(weight_i * cross_entropy_i) / images in the batch`.
///
/// It is divided by the number of images and not by the sum of the weights: an image of weight 1/q stands for 1/q
/// images of the pool, so a batch of heavy images is to move the weights further. `logits` are `[images, classes]`,
/// `labels` and `weights` `[images]`.
///
/// With `smoothing`, in [0, 1), each image is to have its label with probability `1 - smoothing + smoothing / classes`
/// and every other class with `smoothing / classes` (Szegedy et al., "Rethinking the Inception Architecture", 2015, as
/// PyTorch's `CrossEntropyLoss` has it).
pub fn weighted_cross_entropy(
    logits: &Tensor,
    labels: &Tensor,
    weights: &Tensor,
    smoothing: f64,
) -> Result<Tensor, TchError> {
    let each = logits.f_cross_entropy_loss(labels, None::<&Tensor>, Reduction::None, -100, smoothing)?;
    each.f_mul(weights)?.f_mean(None::<Kind>)
}
