//! A model and the file of weights beside it, in a folder with a way out: what lies outside is never read.
//!
//! An input is the length of the graph (32 bits, little endian), the graph, and the weights.
#![no_main]

use std::fs;
use std::os::unix::fs::symlink;

use gleaner::onnx::Model;
use gleaner_fuzz::{folder, prepare_for_scan};
use libfuzzer_sys::fuzz_target;

/// What stands in the file outside; too long to be in an input by chance.
const SECRET: &[u8] = b"\xf0\x9f\x94\x91 nobody's business";

fuzz_target!(|bytes: &[u8]| {
    let Some((length, rest)) = bytes.split_first_chunk() else { return };
    let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
    let (graph, weights) = rest.split_at(length.min(rest.len()));
    if bytes.windows(SECRET.len()).any(|window| window == SECRET) {
        return;
    }
    let folder = folder();
    let (inside, outside) = (folder.path().join("in"), folder.path().join("out"));
    fs::create_dir(&inside).expect("a temporary folder");
    fs::write(&outside, SECRET.repeat(64)).expect("a temporary file");
    symlink("../out", inside.join("link")).expect("a temporary link");
    fs::write(inside.join("external.onnx.data"), weights).expect("a temporary file");
    let path = inside.join("external.onnx");
    fs::write(&path, graph).expect("a temporary file");
    let Ok(model) = Model::read(&path) else { return };
    let whole = model.to_bytes().expect("a small model");
    assert!(!whole.windows(SECRET.len()).any(|window| window == SECRET), "read from outside of the folder");
    prepare_for_scan(model);
});
