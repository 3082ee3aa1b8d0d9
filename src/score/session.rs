//! One checkpoint, loaded into ONNX Runtime.

use std::path::PathBuf;

use ort::session::Session as OrtSession;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::TensorRef;

use super::{Options, ScoreError, runtime};
use crate::onnx::{self, Classifier, Layout, Model, OutputKind};

/// A loaded checkpoint. Batches have one fixed shape, `[batch, channels, height, width]` or the same with the channels
/// last.
pub(super) struct Session {
    session: OrtSession,
    shape: [usize; 4],
    input: String,
    output: String,
    embedding: Option<onnx::EmbeddingPort>,
    checkpoint: PathBuf,
    facts: Facts,
}

/// What a caller needs to know of a loaded checkpoint.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Images in a batch.
    pub batch: usize,
    /// Where the channels stand in the input.
    pub layout: Layout,
    /// How many classes the model tells apart.
    pub classes: usize,
    /// Whether the output is logits or probabilities.
    pub kind: OutputKind,
    /// The width of the embedding, if one is given out.
    pub embedding: Option<usize>,
}

/// The outputs of one batch, row after row.
pub(super) struct Outputs {
    pub(super) scores: Vec<f32>,
    pub(super) embeddings: Vec<f32>,
}

impl Session {
    /// Loads a model and runs one empty batch through it, which settles its shapes.
    pub(super) fn load(mut model: Model, checkpoint: PathBuf, options: &Options) -> Result<Self, ScoreError> {
        let environment = runtime::environment()?;
        let refused = |reason: String| ScoreError::Model { checkpoint: checkpoint.clone(), reason };
        let classifier = Classifier::of(&model).map_err(|error| refused(error.to_string()))?;
        let embedding =
            onnx::expose_embedding(&mut model, &options.embedding).map_err(|error| refused(error.to_string()))?;
        let shape = input_shape(&classifier, options).map_err(&refused)?;
        if classifier.batch.is_none() {
            // A shape that is known beforehand lets ONNX Runtime plan its memory once.
            onnx::set_batch(&mut model, Some(shape[0]));
        }
        let ort_refused = |error: ort::Error| refused(format!("ONNX Runtime does not load it: {error}"));
        let bytes = model.to_bytes().map_err(|error| refused(error.to_string()))?;
        let session = builder(&environment, options.threads)
            .and_then(|mut builder| builder.commit_from_memory(&bytes))
            .map_err(ort_refused)?;
        let mut loaded = Self {
            session,
            shape,
            input: classifier.input,
            output: classifier.output,
            embedding,
            facts: Facts {
                batch: shape[0],
                layout: classifier.layout,
                classes: 0,
                kind: classifier.kind,
                embedding: None,
            },
            checkpoint,
        };
        let probe = loaded.run(&vec![0.0; shape.iter().product()])?;
        loaded.facts.classes = probe.scores.len() / shape[0];
        loaded.facts.embedding = loaded.embedding.as_ref().map(|_| probe.embeddings.len() / shape[0]);
        if loaded.facts.classes < 2 {
            return Err(
                loaded.refused(format!("its output {} has one column, a classifier has two or more", loaded.output))
            );
        }
        Ok(loaded)
    }

    pub(super) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Runs one batch of `batch` images, normalised, in the input's layout.
    pub(super) fn run(&mut self, batch: &[f32]) -> Result<Outputs, ScoreError> {
        let probing = self.facts.classes == 0;
        let failed = |error: ort::Error| {
            let (checkpoint, reason) = (self.checkpoint.clone(), format!("ONNX Runtime does not run it: {error}"));
            if probing { ScoreError::Model { checkpoint, reason } } else { ScoreError::Run { checkpoint, reason } }
        };
        let input = TensorRef::from_array_view((self.shape, batch)).map_err(failed)?;
        let outputs = self.session.run(ort::inputs![self.input.as_str() => input]).map_err(failed)?;
        let rows = |name: &str| -> Result<Vec<f32>, ScoreError> {
            let problem = |reason: String| ScoreError::Model { checkpoint: self.checkpoint.clone(), reason };
            let value = outputs.get(name).ok_or_else(|| problem(format!("it gives no output {name}")))?;
            let (shape, data) = value.try_extract_tensor::<f32>().map_err(failed)?;
            if shape.first().copied() != i64::try_from(self.shape[0]).ok() {
                return Err(problem(format!(
                    "its output {name} has the shape {shape:?}, where {} rows were expected",
                    self.shape[0]
                )));
            }
            Ok(data.to_vec())
        };
        Ok(Outputs {
            scores: rows(&self.output)?,
            embeddings: self.embedding.as_ref().map_or_else(|| Ok(Vec::new()), |port| rows(&port.name))?,
        })
    }

    fn refused(&self, reason: String) -> ScoreError {
        ScoreError::Model { checkpoint: self.checkpoint.clone(), reason }
    }
}

/// Spinning is off because a scan shares its cores with decoding, and the machine with a trainer.
fn builder(
    environment: &ort::environment::Environment,
    threads: usize,
) -> Result<ort::session::builder::SessionBuilder, ort::Error> {
    Ok(OrtSession::builder(environment)?
        .with_optimization_level(GraphOptimizationLevel::Level3)?
        .with_intra_threads(threads)?
        .with_inter_threads(1)?
        .with_intra_op_spinning(false)?
        .with_inter_op_spinning(false)?)
}

/// The shape of a batch: what the graph fixes, and the preprocessing where it leaves room.
fn input_shape(classifier: &Classifier, options: &Options) -> Result<[usize; 4], String> {
    let preprocess = &options.preprocess;
    let fits = |what: &str, graph: Option<usize>, config: usize| match graph {
        Some(fixed) if fixed != config => {
            Err(format!("its input takes a {what} of {fixed}, where the config's `pixels` gives {config}"))
        }
        _ => Ok(config),
    };
    let channels = fits("channel count", classifier.channels, preprocess.channels.count())?;
    let height = fits("height", classifier.height, preprocess.height as usize)?;
    let width = fits("width", classifier.width, preprocess.width as usize)?;
    let batch = classifier.batch.unwrap_or(options.batch).max(1);
    Ok(match classifier.layout {
        Layout::Nchw => [batch, channels, height, width],
        Layout::Nhwc => [batch, height, width, channels],
    })
}
