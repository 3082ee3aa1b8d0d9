//! A forward pass for comparison with other runtimes.

use crate::cli::ForwardArguments;
use crate::graph::Program;
use crate::npy::{self, Array, Elements};
use crate::{device, state};
use anyhow::{Context, bail};
use gleaner::files::publish;
use gleaner::onnx::Model;
use std::path::Path;
use tch::Tensor;

/// Runs `gleaner-trainer forward`.
pub fn run(arguments: &ForwardArguments) -> anyhow::Result<()> {
    let device = device::choose();
    let model = Model::read(&arguments.model)?;
    let program = Program::new(&model, device)?;
    let mut feeds = Vec::new();
    for input in &arguments.input {
        let Some((name, file)) = input.split_once('=') else {
            bail!("--input {input:?} has no '='; write NAME=FILE.npy");
        };
        if !program.inputs().iter().any(|known| known == name) {
            let known = program.inputs().join(", ");
            bail!("{}: there is no input {name:?}; it has {known}", arguments.model.display());
        }
        let array = npy::read(Path::new(file))?;
        let shape: Vec<i64> = array.shape.iter().map(|&extent| i64::try_from(extent).unwrap_or(i64::MAX)).collect();
        let tensor = match &array.elements {
            Elements::Floats(values) => Tensor::f_from_slice(values)?.f_to_device(device)?,
            Elements::Integers(values) => Tensor::f_from_slice(values)?,
        };
        feeds.push((name, tensor.f_reshape(&shape)?));
    }
    let outputs = {
        let _no_gradients = tch::no_grad_guard();
        program.evaluate(&feeds)?
    };
    for (name, tensor) in outputs {
        let shape = tensor.size().iter().map(|&extent| usize::try_from(extent).unwrap_or(0)).collect();
        let array = Array { shape, elements: Elements::Floats(state::values(&tensor)?) };
        // A name such as /fc/Gemm_output_0 must not become folders.
        let path = arguments.output.join(format!("{}.npy", name.replace('/', "_")));
        publish(&path, |writer| npy::write(&array, writer)).with_context(|| format!("output {name:?}"))?;
    }
    Ok(())
}
