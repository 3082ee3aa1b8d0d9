//! A forward pass for comparison with other runtimes.

use crate::cli::ForwardArguments;
use crate::graph::{Computed, Program};
use crate::npy::{self, Elements};
use crate::{device, dump};
use anyhow::bail;
use gleaner::files::publish;
use gleaner::onnx::{Dim, Model, Port};
use serde_json::json;
use std::io::Write;
use std::path::Path;
use tch::{Device, Tensor};

/// Runs `gleaner-trainer forward`.
pub fn run(arguments: &ForwardArguments) -> anyhow::Result<()> {
    let device = device::choose();
    let model = Model::read(&arguments.model)?;
    let program = Program::new(&model, device)?;
    let feeds = feeds(arguments, &model, &program, device)?;
    let _no_gradients = tch::no_grad_guard();
    let folder = arguments.output.as_path();
    // The outputs come first, so that their files have the same names with and without `--all`.
    let mut files = dump::Files::default();
    for (name, tensor) in program.evaluate(&feeds)? {
        dump::publish(&tensor, &folder.join(files.of(&name)))?;
    }
    if !arguments.all {
        return Ok(());
    }
    let mut index = Vec::new();
    for computed in program.trace(&feeds)? {
        let Computed { value, node, operator, tensor } = computed;
        let file = files.of(&value);
        if !program.outputs().contains(&value) {
            dump::publish(&tensor, &folder.join(&file))?;
        }
        index.push(json!({ "value": value, "file": file, "node": node, "operator": operator }));
    }
    let text = serde_json::to_vec_pretty(&index)?;
    publish(&folder.join("index.json"), |writer| writer.write_all(&text))?;
    Ok(())
}

/// Whether an array has the extents that an input says.
fn fits(port: &Port, shape: &[usize]) -> bool {
    let fits = |(dim, &extent): (&Dim, &usize)| dim.known().is_none_or(|known| known == extent);
    port.dims.as_ref().is_none_or(|dims| dims.len() == shape.len() && dims.iter().zip(shape).all(fits))
}

/// The inputs by name, from their files.
fn feeds<'a>(
    arguments: &'a ForwardArguments,
    model: &Model,
    program: &Program,
    device: Device,
) -> anyhow::Result<Vec<(&'a str, Tensor)>> {
    let ports = model.inputs();
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
        if let Some(port) = ports.iter().find(|port| port.name == name)
            && !fits(port, &array.shape)
        {
            bail!("{file}: it is of the shape {:?}, and input {port} takes another", array.shape);
        }
        let shape: Vec<i64> = array.shape.iter().map(|&extent| i64::try_from(extent).unwrap_or(i64::MAX)).collect();
        let tensor = match &array.elements {
            Elements::Floats(values) => Tensor::f_from_slice(values)?.f_to_device(device)?,
            Elements::Integers(values) => Tensor::f_from_slice(values)?,
        };
        feeds.push((name, tensor.f_reshape(&shape)?));
    }
    let given = |name: &str| feeds.iter().any(|(given, _)| *given == name);
    if let Some(missing) = program.inputs().iter().find(|name| !given(name)) {
        bail!("{}: input {missing:?} is not given; add --input {missing}=FILE.npy", arguments.model.display());
    }
    Ok(feeds)
}
