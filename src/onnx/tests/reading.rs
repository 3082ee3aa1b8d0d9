//! Whole files are read, broken ones are refused with the reason, and none makes the program fall over.

use std::fs;

use super::*;
use crate::onnx::{Classifier, Embedding, Problem, Report, expose_embedding, set_batch};

fn refusal(bytes: &[u8]) -> String {
    Model::from_bytes(bytes).unwrap_err().to_string()
}

#[test]
fn reads_what_the_onnx_package_wrote() {
    let model = model("gemm.onnx");
    assert_eq!(model.opset(), Some(17));
    assert_eq!(model.proto().producer_name(), "make_onnx");
    assert_eq!(model.inputs().iter().map(ToString::to_string).collect::<Vec<_>>(), ["image float [N, 3, 2, 2]"]);
    assert_eq!(model.outputs().iter().map(ToString::to_string).collect::<Vec<_>>(), ["logits float [N, 4]"]);
}

#[test]
fn the_digest_is_sha_256_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("copy.onnx");
    fs::copy(fixture("gemm.onnx"), &path).unwrap();
    let printed = std::process::Command::new("sha256sum").arg(&path).output().unwrap();
    let expected = String::from_utf8(printed.stdout).unwrap();
    assert_eq!(Some(Model::read(&path).unwrap().digest()), expected.split_whitespace().next());
}

#[test]
fn a_written_model_is_read_back_the_same() {
    for name in ["gemm.onnx", "matmul.onnx", "tokens.onnx", "types.onnx", "branches.onnx"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made/on/the/way.onnx");
        let model = model(name);
        model.write(&path).unwrap();
        let again = Model::read(&path).unwrap();
        assert_eq!(again.proto(), model.proto(), "{name}");
        assert_eq!(fs::read(&path).unwrap(), again.to_bytes().unwrap(), "{name}");
    }
}

#[test]
fn weights_that_are_inputs_too_need_not_be_fed() {
    let mut model = model("gemm.onnx");
    let weight = crate::onnx::port::declare("w1", crate::onnx::ElementType::Float, &[]);
    model.graph_mut().input.insert(0, weight);
    let names: Vec<String> = reread(&model).unwrap().inputs().into_iter().map(|port| port.name).collect();
    assert_eq!(names, ["image"]);
}

#[test]
fn no_file_and_no_onnx() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("absent.onnx");
    let error = Model::read(&path).unwrap_err();
    assert!(matches!(*error.problem, Problem::Io(_)));
    assert!(error.to_string().starts_with(&path.display().to_string()), "{error}");
    for bytes in [&b""[..], b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"PK\x03\x04zip", &[0xFF; 64], &[0; 64]] {
        let error = refusal(bytes);
        assert!(error.contains("not an ONNX file or truncated"), "{error}");
    }
}

#[test]
fn a_file_cut_short_says_so() {
    let bytes = fs::read(fixture("gemm.onnx")).unwrap();
    for length in [1, bytes.len() / 4, bytes.len() / 2, bytes.len() - 1] {
        let error = refusal(&bytes[..length]);
        assert!(error.contains("not an ONNX file or truncated"), "{length}: {error}");
    }
}

#[test]
fn an_empty_graph() {
    let mut model = model("gemm.onnx");
    let outputs = std::mem::take(&mut model.graph_mut().output);
    assert!(reread(&model).unwrap_err().contains("the graph has no outputs"));
    model.graph_mut().output = outputs;
    model.graph_mut().node.clear();
    assert!(reread(&model).unwrap_err().contains("the graph has no nodes"));
}

#[test]
fn a_cycle() {
    let mut model = model("gemm.onnx");
    // Flatten of the image becomes a sum with what comes out at the end.
    model.graph_mut().node[0] = node("Add", &["image", "logits"], "flat");
    let error = reread(&model).unwrap_err();
    assert!(error.contains("\"logits\" before it is made") && error.contains("cyclic"), "{error}");
}

#[test]
fn nodes_out_of_order() {
    let mut model = model("gemm.onnx");
    model.graph_mut().node.swap(0, 1);
    assert!(reread(&model).unwrap_err().contains("a node Gemm uses \"flat\" before it is made"));
}

#[test]
fn a_value_that_nothing_makes() {
    let mut changed = model("gemm.onnx");
    changed.graph_mut().node[2].input[0] = "nowhere".to_owned();
    assert!(reread(&changed).unwrap_err().contains("a node Relu uses \"nowhere\", which no input"));
    let mut changed = model("gemm.onnx");
    changed.graph_mut().output[0].name = Some("nowhere".to_owned());
    assert!(reread(&changed).unwrap_err().contains("the graph's output uses \"nowhere\""));
}

#[test]
fn a_value_that_a_subgraph_misses() {
    let mut model = model("branches.onnx");
    assert_eq!(Classifier::of(&model).unwrap().embedding, None);
    let branch = model.graph_mut().node[2].attribute[0].g.as_mut().unwrap();
    branch.node[0].input[0] = "nowhere".to_owned();
    assert!(reread(&model).unwrap_err().contains("\"nowhere\""));
}

#[test]
fn names_given_twice() {
    let twice = |change: fn(&mut crate::onnx::proto::GraphProto)| {
        let mut model = model("gemm.onnx");
        change(model.graph_mut());
        reread(&model).unwrap_err()
    };
    let error = twice(|graph| graph.node[2].output[0] = "hidden".to_owned());
    assert!(error.contains("\"hidden\" is given to two values (output of a node)"), "{error}");
    let error = twice(|graph| graph.node[2].output[0] = "w1".to_owned());
    assert!(error.contains("\"w1\" is given to two values (output of a node)"), "{error}");
    let error = twice(|graph| graph.initializer.push(graph.initializer[0].clone()));
    assert!(error.contains("\"w1\" is given to two values (initializer)"), "{error}");
    let error = twice(|graph| graph.input.push(graph.input[0].clone()));
    assert!(error.contains("\"image\" is given to two values (input)"), "{error}");
}

/// Everything that a model's reader may do with it.
fn use_all(bytes: &[u8]) -> bool {
    let Ok(mut model) = Model::from_bytes(bytes) else { return false };
    let _ = Report::of(&model).to_string();
    for name in model.graph().initializer.iter().map(|tensor| tensor.name().to_owned()).collect::<Vec<_>>() {
        let _ = model.tensor(&name);
    }
    let _ = expose_embedding(&mut model, &Embedding::Auto);
    let _ = expose_embedding(&mut model, &Embedding::Named("features".to_owned()));
    set_batch(&mut model, Some(3));
    let _ = model.to_bytes();
    true
}

#[test]
fn no_prefix_makes_it_panic() {
    for name in ["gemm.onnx", "matmul.onnx", "tokens.onnx", "types.onnx", "branches.onnx", "external.onnx"] {
        let bytes = fs::read(fixture(name)).unwrap();
        let read = (0..bytes.len()).filter(|&length| use_all(&bytes[..length])).count();
        // The graph is nearly the whole file, so nearly every prefix is refused.
        assert!(read <= 32, "{name}: {read} prefixes were taken for models");
    }
}

#[test]
fn no_changed_byte_makes_it_panic() {
    for name in ["gemm.onnx", "matmul.onnx", "tokens.onnx", "types.onnx", "branches.onnx"] {
        let mut bytes = fs::read(fixture(name)).unwrap();
        for at in 0..bytes.len() {
            for mask in [0x01, 0x08, 0x80, 0xFF] {
                bytes[at] ^= mask;
                use_all(&bytes);
                bytes[at] ^= mask;
            }
        }
        assert!(use_all(&bytes), "{name}");
    }
}
