//! A checkpoint made ready for scoring: `u8` pixels go in, and only what a scan looks at comes out.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Options, Precision, Provider, ScoreError};
use crate::onnx::{self, Arithmetic, Classifier, EmbeddingPort, Model, OutputKind};

/// The graph that sessions are made of, and the names by which it is fed and read.
pub(super) struct Graph {
    model: Model,
    /// The weights of a model that is more than one file can hold; `model` is without them then.
    weights: Vec<(String, Arc<[u8]>)>,
    /// Bytes of both.
    bytes: u64,
    pub(super) checkpoint: PathBuf,
    pub(super) input: String,
    pub(super) output: String,
    pub(super) embedding: Option<EmbeddingPort>,
    pub(super) kind: OutputKind,
    /// The batch that the graph fixes, if it does.
    pub(super) batch: Option<usize>,
    /// Height, width and channels of an image.
    pub(super) image: [usize; 3],
}

impl Graph {
    /// Checks that the model is a classifier of such images and edits it.
    ///
    /// Normalisation and layout become part of the graph: a batch is then a quarter of the bytes, and the arithmetic is
    /// done where the rest of it is done. What else the model gives out is cut away, with all that only led to it.
    ///
    /// The processor computes the normalisation in one pass, a GPU step by step as torchvision does, where passes are
    /// next to free. Half precision is a GPU's too: the processor would turn every number back.
    ///
    /// Errors: [`ScoreError::Model`].
    pub(super) fn new(
        mut model: Model,
        checkpoint: PathBuf,
        options: &Options,
        provider: Provider,
    ) -> Result<Self, ScoreError> {
        let refused = |reason: String| ScoreError::Model { checkpoint: checkpoint.clone(), reason };
        let edited = |error: onnx::Error| refused(error.to_string());
        let classifier = Classifier::of(&model).map_err(edited)?;
        let image = image(&classifier, options).map_err(&refused)?;
        let embedding = onnx::expose_embedding(&mut model, &options.embedding).map_err(edited)?;
        let wanted: Vec<&str> = std::iter::once(classifier.output.as_str())
            .chain(embedding.as_ref().map(|port| port.name.as_str()))
            .collect();
        onnx::keep_outputs(&mut model, &wanted).map_err(edited)?;
        let (mean, std) = (&options.preprocess.mean, &options.preprocess.std);
        let [height, width, _] = image;
        let arithmetic = if provider.is_gpu() { Arithmetic::Stepwise } else { Arithmetic::Scaled };
        let pixels = onnx::PixelInput { mean, std, height, width, arithmetic };
        let input = onnx::fold_pixels(&mut model, &classifier, &pixels).map_err(edited)?;
        if provider.is_gpu() && options.precision == Precision::Half {
            onnx::to_half(&mut model, &classifier.input).map_err(edited)?;
        }
        let bytes = model.encoded_len();
        let weights = if model.fits_one_file() { Vec::new() } else { model.take_weights() };
        // One after the other, so that there is never room needed for all of them twice.
        let weights = weights.into_iter().map(|(name, data)| (name, Arc::from(&*data))).collect();
        Ok(Self {
            model,
            weights,
            bytes,
            checkpoint,
            input,
            output: classifier.output,
            embedding,
            kind: classifier.kind,
            batch: classifier.batch,
            image,
        })
    }

    /// The graph as an ONNX file, for batches of `images`, or of any size; [`Graph::weights`] belong to it.
    ///
    /// A shape that is known beforehand lets ONNX Runtime plan its memory once.
    pub(super) fn bytes(&self, images: Option<usize>) -> Result<Vec<u8>, ScoreError> {
        let mut model = self.model.clone();
        if self.batch.is_none() {
            onnx::set_batch(&mut model, images);
        }
        model.to_bytes().map_err(|error| self.refused(error.to_string()))
    }

    /// The weights that the file asks for beside it, each as a file, by name.
    pub(super) fn weights(&self) -> &[(String, Arc<[u8]>)] {
        &self.weights
    }

    /// Bytes of the graph as a file, with its weights.
    pub(super) fn file_bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes of one image.
    pub(super) fn image_bytes(&self) -> usize {
        self.image.iter().product()
    }

    /// The checkpoint is to blame.
    pub(super) fn refused(&self, reason: String) -> ScoreError {
        ScoreError::Model { checkpoint: self.checkpoint.clone(), reason }
    }
}

/// Height, width and channels of an image: those of the config, which must be what the graph takes.
fn image(classifier: &Classifier, options: &Options) -> Result<[usize; 3], String> {
    let preprocess = &options.preprocess;
    let fits = |what: &str, graph: Option<usize>, config: usize| match graph {
        Some(fixed) if fixed != config => {
            Err(format!("its input takes a {what} of {fixed}, where the config's `pixels` gives {config}"))
        }
        _ => Ok(config),
    };
    Ok([
        fits("height", classifier.height, preprocess.height as usize)?,
        fits("width", classifier.width, preprocess.width as usize)?,
        fits("channel count", classifier.channels, preprocess.channels.count())?,
    ])
}
