//! `forward --all`: every value of a graph, held against ONNX Runtime's.

use crate::families;
use crate::round_trip::onnx_runtime;
use crate::support::{LIBTORCH, PROGRAM, Run};
use gleaner::onnx::proto::ValueInfoProto;
use gleaner_trainer::dump::Files;
use gleaner_trainer::npy::{self, Array, Elements};
use ort::value::{DynValue, TensorRef};
use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::process::Command;

/// The type in NumPy's words, the extents, and the numbers.
type Plain = (String, Vec<usize>, Vec<f64>);

/// What a file of NumPy holds, read without the trainer's own reader, which knows two types only.
fn in_file(path: &Path) -> Plain {
    let bytes = std::fs::read(path).unwrap();
    let length = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let (header, data) = bytes[10..].split_at(length);
    let header = String::from_utf8(header.to_vec()).unwrap();
    let dtype = header.split('\'').nth(3).unwrap().to_owned();
    let extents = header.split_once('(').unwrap().1.split_once(')').unwrap().0;
    let shape = extents.split(',').filter_map(|extent| extent.trim().parse().ok()).collect();
    let numbers = match dtype.as_str() {
        "<f4" => data.chunks_exact(4).map(|word| f32::from_le_bytes(word.try_into().unwrap()).into()).collect(),
        "<i8" => data.chunks_exact(8).map(|word| i64::from_le_bytes(word.try_into().unwrap()) as f64).collect(),
        "<i4" => data.chunks_exact(4).map(|word| i32::from_le_bytes(word.try_into().unwrap()).into()).collect(),
        "|b1" => data.iter().map(|&truth| truth.into()).collect(),
        other => panic!("{}: {other}", path.display()),
    };
    (dtype, shape, numbers)
}

fn of_onnx_runtime(value: &DynValue) -> Plain {
    fn plain<T: Copy>(dtype: &str, shape: &[i64], values: &[T], number: impl Fn(T) -> f64) -> Plain {
        let shape = shape.iter().map(|&extent| extent as usize).collect();
        (dtype.to_owned(), shape, values.iter().map(|&value| number(value)).collect())
    }
    if let Ok((shape, values)) = value.try_extract_tensor::<f32>() {
        plain("<f4", shape, values, f64::from)
    } else if let Ok((shape, values)) = value.try_extract_tensor::<i64>() {
        plain("<i8", shape, values, |value| value as f64)
    } else if let Ok((shape, values)) = value.try_extract_tensor::<i32>() {
        plain("<i4", shape, values, f64::from)
    } else {
        let (shape, values) = value.try_extract_tensor::<bool>().unwrap();
        plain("|b1", shape, values, f64::from)
    }
}

/// Returns the types that occurred.
fn every_value_is_the_same(family: &str, exporter: &str) -> BTreeSet<String> {
    let run = Run::new();
    let model = families::model(family, exporter);
    model.write(&run.path("model.onnx")).unwrap();
    let (shape, images) = families::images(family);
    let input = Array { shape: shape.to_vec(), elements: Elements::Floats(images.clone()) };
    npy::write(&input, &mut File::create(run.path("input.npy")).unwrap()).unwrap();
    let mut command = Command::new(PROGRAM);
    command.env("GLEANER_LIBTORCH", LIBTORCH).arg("forward").arg(run.path("model.onnx"));
    command.arg("--input").arg(format!("image={}", run.path("input.npy").display()));
    let output = command.arg("-o").arg(run.path("values")).arg("--all").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    // ONNX Runtime gives every value that is asked for as an output.
    let mut proto = model.proto().clone();
    let graph = proto.graph.as_mut().unwrap();
    let read: BTreeSet<&String> = graph.node.iter().flat_map(|node| &node.input).collect();
    let computing = graph.node.iter().filter(|node| node.op_type() != "Constant");
    let values: Vec<String> =
        computing.flat_map(|node| &node.output).filter(|value| read.contains(value)).cloned().collect();
    let ports = values.iter().map(|value| ValueInfoProto { name: Some(value.clone()), ..Default::default() });
    graph.output.extend(ports.collect::<Vec<_>>());
    std::fs::write(run.path("wide.onnx"), prost::Message::encode_to_vec(&proto)).unwrap();
    let mut session = onnx_runtime(&run.path("wide.onnx"));
    let images = TensorRef::from_array_view((shape, images.as_slice())).unwrap();
    let theirs = session.run(ort::inputs!["image" => images]).unwrap();

    let index: serde_json::Value = serde_json::from_slice(&run.bytes("values/index.json")).unwrap();
    let index = index.as_array().unwrap();
    assert_eq!(index.len(), values.len() + 1, "every value that is read, and the logits");
    let files: BTreeSet<&str> = index.iter().map(|entry| entry["file"].as_str().unwrap()).collect();
    assert_eq!(files.len(), index.len(), "no two values in one file");
    assert!(files.contains("logits.npy"));
    let mut types = BTreeSet::new();
    for entry in index {
        let (value, operator) = (entry["value"].as_str().unwrap(), entry["operator"].as_str().unwrap());
        let maker = model.graph().node.iter().find(|node| node.output.iter().any(|made| made == value)).unwrap();
        assert_eq!(maker.op_type(), operator, "{value}");
        assert!(entry["node"].as_str().unwrap().contains(maker.name()), "{entry}");
        let (dtype, shape, found) = in_file(&run.path("values").join(entry["file"].as_str().unwrap()));
        let (expected_dtype, expected_shape, expected) = of_onnx_runtime(&theirs[value]);
        assert_eq!((&dtype, shape), (&expected_dtype, expected_shape), "{value} of {operator}");
        // Rounding grows from layer to layer with the largest numbers of each.
        let scale = expected.iter().fold(1.0, |greatest: f64, number| greatest.max(number.abs()));
        let tolerance = if dtype == "<f4" { 1e-4 * scale } else { 0.0 };
        let near = found.iter().zip(&expected).all(|(found, expected)| (found - expected).abs() <= tolerance);
        assert!(found.len() == expected.len() && near, "{value} of {operator}");
        types.insert(dtype);
    }
    types
}

#[test]
fn every_value_of_a_transformer_is_onnx_runtimes() {
    let types = every_value_is_the_same("swin", "torchscript");
    assert_eq!(types.into_iter().collect::<Vec<_>>(), ["<f4", "<i8", "|b1"]);
}

#[test]
fn every_value_of_a_convolutional_network_is_onnx_runtimes() {
    assert!(every_value_is_the_same("mobilenetv3", "dynamo").contains("<f4"));
}

#[test]
fn names_of_files_are_safe_and_never_the_same() {
    let mut files = Files::default();
    let long = "layer/".repeat(60);
    let names = ["/a/b", "_a_b", "_A_b", "..", "", "a b", "é", "index.json", &long, &format!("{long}2")];
    let made: Vec<String> = names.iter().map(|name| files.of(name)).collect();
    let without_capitals: BTreeSet<String> = made.iter().map(|file| file.to_lowercase()).collect();
    assert_eq!(without_capitals.len(), names.len(), "{made:?}");
    assert_eq!(made[..3], ["_a_b.npy", "_a_b-2.npy", "_A_b-3.npy"]);
    let safe = |file: &String| {
        let letters = file.chars().all(|letter| letter.is_ascii_alphanumeric() || "-._".contains(letter));
        letters && !file.starts_with('.') && file.len() < 128 && file.ends_with(".npy")
    };
    assert!(made.iter().all(safe), "{made:?}");
    let again: Vec<String> = names.iter().map(|name| files.of(name)).collect();
    assert_eq!(again, made);
}
