//! A small convolutional net for small images.

use super::builder::{Builder, Convolution, Extents};
use crate::onnx::{Model, Result};

/// A net of three blocks with 32, 64 and 128 channels, each a 3x3 convolution, a batch normalisation and a rectifier;
/// the first two are followed by a 2x2 maximum. The mean of each of the 128 channels is the embedding.
///
/// For 10 classes of 1x28x28 images it has 94,186 trained parameters: 92,448 of the convolutions, 448 scales and shifts
/// of the normalisations, 1,290 of the last layer. The 448 running statistics come on top.
///
/// # Errors
/// [`crate::onnx::Problem::Start`] for fewer than 2 classes, no channels, or images below 4x4.
pub fn convnet(classes: usize, channels: usize, height: usize, width: usize, seed: u64) -> Result<Model> {
    let extents = Extents { classes, channels, height, width }.check()?;
    let mut builder = Builder::new(extents, seed);
    let mut value = "image".to_owned();
    let mut inputs = channels;
    for (block, outputs) in [(1, 32), (2, 64), (3, 128)] {
        let form = Convolution { inputs, outputs, kernel: 3, stride: 1 };
        value = builder.convolution(&value, &format!("conv{block}"), form);
        value = builder.batch_normalisation(&value, &format!("bn{block}"), outputs);
        value = builder.relu(&value, &format!("relu{block}"));
        if block < 3 {
            value = builder.max_pool(&value, &format!("maxpool{block}"), 2, 0);
        }
        inputs = outputs;
    }
    builder.finish(&value, "convnet", inputs)
}
