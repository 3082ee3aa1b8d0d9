//! ResNet-18 (He et al., "Deep Residual Learning for Image Recognition", CVPR 2016), in the form and with the names of
//! torchvision.

use super::builder::{Builder, Convolution, Extents};
use crate::onnx::{Model, Result};

/// How a ResNet begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stem {
    /// A 3x3 convolution that keeps the size, as for CIFAR-10.
    Small,
    /// A 7x7 convolution and a 3x3 maximum that quarter the size, as for ImageNet.
    Imagenet,
}

impl Stem {
    /// What suits images of this height: small below 64 pixels.
    pub fn for_height(height: usize) -> Self {
        if height < 64 { Stem::Small } else { Stem::Imagenet }
    }
}

/// ResNet-18 with random weights; without a stem, the one that suits the height.
///
/// With [`Stem::Imagenet`] and 1000 classes of RGB images it has 11,689,512 trained parameters, as torchvision's; with
/// [`Stem::Small`] and 10 classes 11,173,962. Running statistics are not among them.
///
/// # Errors
/// [`crate::onnx::Problem::Start`] for fewer than 2 classes, no channels, or images below 4x4.
pub fn resnet18(
    classes: usize,
    channels: usize,
    height: usize,
    width: usize,
    seed: u64,
    stem: Option<Stem>,
) -> Result<Model> {
    let extents = Extents { classes, channels, height, width }.check()?;
    let mut builder = Builder::new(extents, seed);
    let stem = stem.unwrap_or_else(|| Stem::for_height(height));
    let (kernel, stride) = match stem {
        Stem::Small => (3, 1),
        Stem::Imagenet => (7, 2),
    };
    let mut value =
        builder.convolution("image", "conv1", Convolution { inputs: channels, outputs: 64, kernel, stride });
    value = builder.batch_normalisation(&value, "bn1", 64);
    value = builder.relu(&value, "relu");
    if stem == Stem::Imagenet {
        value = builder.max_pool(&value, "maxpool", 3, 1);
    }
    let mut inputs = 64;
    for (layer, outputs) in [(1, 64), (2, 128), (3, 256), (4, 512)] {
        for block in 0..2 {
            let stride = if layer > 1 && block == 0 { 2 } else { 1 };
            value = residual(&mut builder, &value, &format!("layer{layer}.{block}"), [inputs, outputs, stride]);
            inputs = outputs;
        }
    }
    builder.finish(&value, "resnet18", inputs)
}

/// Two convolutions and the way around them, which is a 1x1 convolution where the shape changes.
fn residual(builder: &mut Builder, input: &str, name: &str, [inputs, outputs, stride]: [usize; 3]) -> String {
    let first = Convolution { inputs, outputs, kernel: 3, stride };
    let mut value = builder.convolution(input, &format!("{name}.conv1"), first);
    value = builder.batch_normalisation(&value, &format!("{name}.bn1"), outputs);
    value = builder.relu(&value, &format!("{name}.relu1"));
    let second = Convolution { inputs: outputs, outputs, kernel: 3, stride: 1 };
    value = builder.convolution(&value, &format!("{name}.conv2"), second);
    value = builder.batch_normalisation(&value, &format!("{name}.bn2"), outputs);
    let around = if inputs == outputs && stride == 1 {
        input.to_owned()
    } else {
        let form = Convolution { inputs, outputs, kernel: 1, stride };
        let projected = builder.convolution(input, &format!("{name}.downsample.0"), form);
        builder.batch_normalisation(&projected, &format!("{name}.downsample.1"), outputs)
    };
    let sum = builder.add(&value, &around, &format!("{name}.add"));
    builder.relu(&sum, &format!("{name}.relu2"))
}
