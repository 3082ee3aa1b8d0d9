//! The room's behaviour. The fixtures are written by `tests/fixtures/make_onnx.py` with the onnx package.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod claims;
mod classifying;
mod editing;
mod external;
mod functions;
mod heads;
mod keeping;
mod reading;
mod rule;
mod starting;
mod tensors;
mod training;
mod untying;

use std::path::PathBuf;

use super::Model;
use super::proto::NodeProto;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/onnx").join(name)
}

fn model(name: &str) -> Model {
    Model::read(&fixture(name)).unwrap()
}

/// Whether the model still stands after it was changed, and the reason if not.
fn reread(model: &Model) -> Result<Model, String> {
    Model::from_bytes(&model.to_bytes().unwrap()).map_err(|error| error.to_string())
}

fn node(operator: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        op_type: Some(operator.to_owned()),
        input: inputs.iter().map(|&input| input.to_owned()).collect(),
        output: vec![output.to_owned()],
        ..Default::default()
    }
}
