//! The form of an image batch.

use crate::graph::{Graph, Mode};
use anyhow::bail;
use gleaner::onnx::{self, Classifier};
use gleaner::pixels::{Layout, Preprocess};
use tch::{Device, Kind, Tensor};

/// The form of an image batch.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// The order of its numbers.
    pub layout: Layout,
    /// Extents of one image, in the layout's order.
    extents: [i64; 3],
}

impl Frame {
    /// The form that the graph takes and the preprocessing gives; `model` is the graph's file, for messages.
    ///
    /// # Errors
    /// The two differ.
    pub fn of(classifier: &Classifier, pixels: &Preprocess, model: &str) -> anyhow::Result<Self> {
        let channels = pixels.channels.count();
        let (height, width) = (usize::try_from(pixels.height)?, usize::try_from(pixels.width)?);
        let fits = |declared: Option<usize>, wanted| declared.is_none_or(|declared| declared == wanted);
        if !fits(classifier.channels, channels) || !fits(classifier.height, height) || !fits(classifier.width, width) {
            let shown = |extent: Option<usize>| extent.map_or("any".to_owned(), |extent| extent.to_string());
            bail!(
                "{model}: its input takes images of {} channels, height {} and width {}, but the config's `pixels` \
                 give {channels}, {height} and {width}; correct `pixels.channels` and `pixels.size`",
                shown(classifier.channels),
                shown(classifier.height),
                shown(classifier.width)
            );
        }
        let [channels, height, width] = [i64::try_from(channels)?, i64::try_from(height)?, i64::try_from(width)?];
        Ok(match classifier.layout {
            onnx::Layout::Nchw => Self { layout: Layout::Nchw, extents: [channels, height, width] },
            onnx::Layout::Nhwc => Self { layout: Layout::Nhwc, extents: [height, width, channels] },
        })
    }

    /// How many rows and columns an image has.
    pub fn sides(&self) -> [i64; 2] {
        let [first, second, third] = self.extents;
        match self.layout {
            Layout::Nchw => [second, third],
            Layout::Nhwc => [first, second],
        }
    }

    /// The shape of a batch of so many images.
    pub fn shape(&self, images: i64) -> [i64; 4] {
        let [first, second, third] = self.extents;
        [images, first, second, third]
    }

    /// How many classes the graph tells apart, found by running it on two empty images: a graph that cannot run is
    /// refused before any image is read.
    pub fn classes(&self, graph: &Graph, device: Device) -> anyhow::Result<i64> {
        let _no_gradients = tch::no_grad_guard();
        let images = Tensor::f_zeros(self.shape(2), (Kind::Float, device))?;
        let logits = graph.logits(&images, Mode::Evaluate)?;
        match logits.size().as_slice() {
            [2, classes] => Ok(*classes),
            shape => bail!("for 2 images the graph gives logits of shape {shape:?} instead of [2, classes]"),
        }
    }
}
