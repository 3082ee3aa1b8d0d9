//! ONNX's own checker, which `make conformance` stages.

use std::path::Path;
use std::process::{Command, Output};

fn checked(model: &Path) -> Output {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = here.join("../data/checker");
    assert!(folder.is_dir(), "data/checker is missing; run `make conformance`");
    Command::new("python3").arg(here.join("tests/checker.py")).arg(folder).arg(model).output().unwrap()
}

#[track_caller]
pub fn assert_accepted(model: &Path) {
    let output = checked(model);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The judge itself.
#[test]
fn the_checker_refuses_a_graph_out_of_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.onnx");
    let good = gleaner::onnx::start::convnet(2, 1, 8, 8, 1).unwrap();
    good.write(&path).unwrap();
    assert_accepted(&path);
    let mut proto = good.proto().clone();
    proto.graph.as_mut().unwrap().node.reverse();
    std::fs::write(&path, prost::Message::encode_to_vec(&proto)).unwrap();
    let said = String::from_utf8_lossy(&checked(&path).stderr).into_owned();
    assert!(said.contains("topologically sorted"), "{said}");
}
