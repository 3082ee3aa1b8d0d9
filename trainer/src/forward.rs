//! A forward pass for comparison with other runtimes.

use crate::cli::ForwardArguments;
use crate::graph::Graph;
use crate::npy::{self, Array, Elements};
use crate::{device, state};
use anyhow::{Context, bail};
use gleaner::files::publish;
use gleaner::onnx::{Classifier, Model};
use std::path::Path;
use tch::Tensor;

/// Runs `gleaner-trainer forward`.
pub fn run(arguments: &ForwardArguments) -> anyhow::Result<()> {
    let Some((name, file)) = arguments.input.split_once('=') else {
        bail!("--input {:?} has no '='; write NAME=FILE.npy", arguments.input);
    };
    let device = device::choose();
    let model = Model::read(&arguments.model)?;
    let classifier = Classifier::of(&model)?;
    let graph = Graph::new(&model, &classifier, device)?;
    if name != graph.input() {
        bail!("{}: the input is called {:?}, not {name:?}", arguments.model.display(), graph.input());
    }
    let array = npy::read(Path::new(file))?;
    let Elements::Floats(values) = &array.elements else {
        bail!("{file}: the graph takes 32-bit floats; save it as float32");
    };
    let shape: Vec<i64> = array.shape.iter().map(|&extent| i64::try_from(extent).unwrap_or(i64::MAX)).collect();
    let images = Tensor::f_from_slice(values)?.f_reshape(&shape)?.f_to_device(device)?;
    let outputs = {
        let _no_gradients = tch::no_grad_guard();
        graph.outputs(&images)?
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
