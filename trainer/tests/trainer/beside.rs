//! Models whose weights stand in a file beside them, as PyTorch's exporter writes them.

use crate::round_trip::by_onnx_runtime;
use crate::step::ready;
use crate::support::Run;
use gleaner::digest;
use gleaner::onnx::Model;
use gleaner::onnx::proto::tensor_proto::DataLocation;
use gleaner::onnx::proto::{ModelProto, StringStringEntryProto, TensorProto};
use prost::Message;
use std::fs;

fn set(tensor: &mut TensorProto, key: &str, value: String) {
    let entry = StringStringEntryProto { key: Some(key.to_owned()), value: Some(value) };
    tensor.external_data.retain(|entry| entry.key() != key);
    tensor.external_data.push(entry);
}

fn get<'a>(tensor: &'a TensorProto, key: &str) -> &'a str {
    tensor.external_data.iter().find(|entry| entry.key() == key).unwrap().value()
}

/// `start.onnx` once more as `beside.onnx`, with its weights one after the other in `beside.onnx.data`.
fn start_beside(run: &Run) -> ModelProto {
    let mut model = ModelProto::decode(run.bytes("start.onnx").as_slice()).unwrap();
    let mut weights = Vec::new();
    for tensor in &mut model.graph.as_mut().unwrap().initializer {
        let data = tensor.raw_data.take().unwrap();
        set(tensor, "location", "beside.onnx.data".to_owned());
        set(tensor, "offset", weights.len().to_string());
        set(tensor, "length", data.len().to_string());
        tensor.data_location = Some(DataLocation::External as i32);
        weights.extend(data);
    }
    fs::write(run.path("beside.onnx"), model.encode_to_vec()).unwrap();
    fs::write(run.path("beside.onnx.data"), weights).unwrap();
    model
}

fn assert_same_weights(run: &Run, left: &str, right: &str) {
    for name in Model::read(&run.path(left)).unwrap().graph().initializer.iter().map(TensorProto::name) {
        assert_eq!(run.weights(left, name), run.weights(right, name), "{name} of {left} and of {right}");
    }
}

#[test]
fn they_come_back_beside_the_graph_and_train_as_if_they_were_in_it() {
    let (run, _) = ready(33);
    start_beside(&run);
    // One after the other: a step tidies away what others have left to go on from.
    run.trained("start.onnx", "one-1.onnx", 1, &[]);
    run.trained("one-1.onnx", "one-2.onnx", 2, &[]);
    run.trained("beside.onnx", "two-1.onnx", 1, &[]);
    assert!(!run.path("one-1.onnx.data").exists());
    assert_same_weights(&run, "one-1.onnx", "two-1.onnx");

    // As the ONNX format has it, read without our own reader.
    let (graph, data) = (run.bytes("two-1.onnx"), run.bytes("two-1.onnx.data"));
    let graph = ModelProto::decode(graph.as_slice()).unwrap().graph.unwrap();
    let mut end = 0;
    for tensor in &graph.initializer {
        let length = 4 * tensor.dims.iter().product::<i64>() as usize;
        if length < 1024 {
            assert_eq!((tensor.data_location, tensor.raw_data().len()), (None, length), "small ones stay in the graph");
            continue;
        }
        assert_eq!(tensor.data_location(), DataLocation::External);
        assert_eq!((tensor.raw_data.as_ref(), get(tensor, "location")), (None, "two-1.onnx.data"));
        let offset: usize = get(tensor, "offset").parse().unwrap();
        assert_eq!((offset % 4096, get(tensor, "length")), (0, length.to_string().as_str()));
        assert!(offset >= end, "{} begins before the one before it ends", tensor.name());
        end = offset + length;
        let bytes: Vec<u8> =
            run.weights("one-1.onnx", tensor.name()).iter().flat_map(|value| value.to_le_bytes()).collect();
        assert!(data[offset..end] == bytes, "{}", tensor.name());
    }
    assert!(end > 0 && end == data.len());
    let pixels: Vec<f32> = (0..8 * 8).map(|place| place as f32 / 64.0).collect();
    let logits = |name: &str| by_onnx_runtime(&run.path(name), [1, 1, 8, 8], &pixels);
    assert_eq!(logits("two-1.onnx"), logits("one-1.onnx"));

    // The momentum belongs to both files, and the next step takes it up.
    let said = run.trained("two-1.onnx", "two-2.onnx", 2, &[]);
    assert!(!said.contains("begins at rest"), "{said}");
    assert_same_weights(&run, "one-2.onnx", "two-2.onnx");
    let names = fs::read_dir(run.path("")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let temporary: Vec<String> = names.filter(|name| name.starts_with(gleaner::files::TEMPORARY_PREFIX)).collect();
    assert_eq!(temporary, [""; 0]);
}

#[test]
fn a_checkpoint_names_what_it_was_trained_from_by_both_files() {
    let (run, _) = ready(8);
    start_beside(&run);
    run.trained("beside.onnx", "out.onnx", 1, &[]);
    // The weights stand in the file in the order of the graph, without a gap.
    let both = [run.bytes("beside.onnx"), run.bytes("beside.onnx.data")].concat();
    assert_eq!(Model::read(&run.path("out.onnx")).unwrap().metadata()["gleaner.parent"], digest::of_bytes(&both));
}

#[test]
fn what_is_wrong_with_the_file_of_weights_is_told_before_any_training() {
    let (run, _) = ready(8);
    let mut model = start_beside(&run);
    let data = run.path("beside.onnx.data");
    let whole = fs::read(&data).unwrap();
    fs::write(&data, &whole[..whole.len() - 1]).unwrap();
    let said = run.failed("beside.onnx", &[]);
    assert!(
        said.contains(&format!("external data \"beside.onnx.data\" holds {} bytes, but ", whole.len() - 1)),
        "{said}"
    );
    assert!(said.contains("copy the file again"), "{said}");
    fs::remove_file(&data).unwrap();
    let said = run.failed("beside.onnx", &[]);
    assert!(said.contains("external data \"beside.onnx.data\" is missing in "), "{said}");
    fs::write(run.path("data/weights"), whole).unwrap();
    set(&mut model.graph.as_mut().unwrap().initializer[0], "location", "../data/weights".to_owned());
    fs::write(run.path("beside.onnx"), model.encode_to_vec()).unwrap();
    let said = run.failed("beside.onnx", &[]);
    assert!(said.contains("external data \"../data/weights\" leads out of the model's folder"), "{said}");
    assert!(!run.path("out.onnx.data").exists());
}

#[test]
fn a_graph_is_gone_before_its_weights_are_replaced() {
    let (run, _) = ready(8);
    start_beside(&run);
    run.trained("beside.onnx", "out.onnx", 1, &[]);
    // A folder cannot be replaced by a file: the step ends between the weights and the graph.
    fs::remove_file(run.path("out.onnx.data")).unwrap();
    fs::create_dir(run.path("out.onnx.data")).unwrap();
    let said = run.failed("beside.onnx", &[]);
    assert!(said.contains("out.onnx.data: cannot be written: "), "{said}");
}
