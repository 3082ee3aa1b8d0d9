//! One session of ONNX Runtime: a graph for batches of one fixed shape.

use std::sync::Arc;

use ort::session::Session as OrtSession;
use ort::value::TensorRef;

use super::ScoreError;
use super::device::Build;
use super::graph::Graph;

/// A loaded graph that takes batches of `[batch, height, width, channels]` bytes.
pub(super) struct Session {
    session: OrtSession,
    graph: Arc<Graph>,
    /// The fixed size of a batch, if there is one.
    batch: Option<usize>,
    /// Whether a batch has gone through: what fails later is not the checkpoint's fault.
    proven: bool,
}

/// The outputs of a batch, or of several, row after row.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    pub(super) scores: Vec<f32>,
    pub(super) embeddings: Vec<f32>,
}

impl Outputs {
    /// Adds the rows of the next batch.
    pub(super) fn append(&mut self, next: Self) {
        if self.scores.is_empty() {
            *self = next;
        } else {
            self.scores.extend_from_slice(&next.scores);
            self.embeddings.extend_from_slice(&next.embeddings);
        }
    }
}

/// Why ONNX Runtime does not load a graph, from what it says; of an operator set that is too new it says much and explains
/// little.
fn not_loaded(said: &str) -> String {
    let number = |after: &str| {
        let digits = said.rsplit_once(after)?.1.split(|letter: char| !letter.is_ascii_digit()).next();
        digits.filter(|digits| !digits.is_empty())
    };
    match (number("Opset "), number("till opset ")) {
        (Some(asked), Some(known)) => format!(
            "it needs operator set {asked}, and this ONNX Runtime knows those up to {known}; export it with a lower \
             `opset_version`"
        ),
        _ => format!("ONNX Runtime does not load it: {}", said.trim_end()),
    }
}

impl Session {
    /// Loads `bytes`, the graph for batches of `batch` images, or of any size.
    ///
    /// Errors: a graph that ONNX Runtime refuses, a provider that it does not have.
    pub(super) fn load(
        graph: Arc<Graph>,
        bytes: &[u8],
        build: &Build<'_>,
        batch: Option<usize>,
    ) -> Result<Self, ScoreError> {
        let refused = |error: ort::Error| graph.refused(not_loaded(&error.to_string()));
        let mut builder = build.session()?;
        for (name, data) in graph.weights() {
            let handed_over = builder.with_external_initializer_file_in_memory(name, Arc::clone(data));
            builder = handed_over.map_err(|error| refused(error.into()))?;
        }
        let session = builder.commit_from_memory(bytes).map_err(refused)?;
        Ok(Self { session, graph, batch, proven: false })
    }

    /// Runs one batch.
    pub(super) fn run(&mut self, pixels: &[u8]) -> Result<Outputs, ScoreError> {
        let batch = self.batch.unwrap_or(pixels.len() / self.graph.image_bytes().max(1));
        let (graph, proven) = (&self.graph, self.proven);
        let failed = |error: ort::Error| {
            let (checkpoint, reason) = (graph.checkpoint.clone(), format!("ONNX Runtime does not run it: {error}"));
            if proven { ScoreError::Run { checkpoint, reason } } else { ScoreError::Model { checkpoint, reason } }
        };
        let [height, width, channels] = graph.image;
        let input = TensorRef::from_array_view(([batch, height, width, channels], pixels)).map_err(failed)?;
        let outputs = self.session.run(ort::inputs![graph.input.as_str() => input]).map_err(failed)?;
        let rows = |name: &str| -> Result<Vec<f32>, ScoreError> {
            let value = outputs.get(name).ok_or_else(|| graph.refused(format!("it gives no output {name}")))?;
            let (shape, data) = value.try_extract_tensor::<f32>().map_err(failed)?;
            if shape.first().copied() != i64::try_from(batch).ok() {
                return Err(graph
                    .refused(format!("its output {name} has the shape {shape:?}, where {batch} rows were expected")));
            }
            Ok(data.to_vec())
        };
        let outputs = Outputs {
            scores: rows(&graph.output)?,
            embeddings: graph.embedding.as_ref().map_or_else(|| Ok(Vec::new()), |port| rows(&port.name))?,
        };
        self.proven = true;
        Ok(outputs)
    }
}
