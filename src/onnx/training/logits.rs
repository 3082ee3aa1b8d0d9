//! The value of which the loss is taken.

use crate::onnx::error::{Problem, Result};
use crate::onnx::{Classifier, Model, OutputKind};

/// The name of the logits: the classifier's output, or what goes into the Softmax behind which it stands.
///
/// # Errors
/// [`Problem::Untrainable`] if something stands between the Softmax and the output that changes the numbers.
pub fn logits<'a>(model: &'a Model, classifier: &'a Classifier) -> Result<&'a str> {
    let mut name = classifier.output.as_str();
    if classifier.kind == OutputKind::Logits {
        return Ok(name);
    }
    let maker =
        |name: &str| model.graph().node.iter().find(|node| node.output.first().is_some_and(|made| made == name));
    while let Some(node) = maker(name) {
        let Some(input) = node.input.first() else { break };
        match node.op_type() {
            "Softmax" => return Ok(input),
            "Identity" | "Dropout" => name = input,
            other => {
                return Err(model.error(Problem::Untrainable(format!(
                    "the output {:?} comes out of a Softmax through {other}, so its logits cannot be told; \
                     export the model with logits or with a Softmax at its end",
                    classifier.output
                ))));
            }
        }
    }
    Ok(name)
}
