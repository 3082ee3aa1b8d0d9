//! A checkpoint means the same to ONNX Runtime and to the trainer, before and after a training step on real images.

use crate::support::{LIBTORCH, PROGRAM, Run};
use gleaner::libraries::{self, ONNX_RUNTIME};
use gleaner::onnx::{Model, start};
use gleaner_trainer::npy::{self, Array, Elements};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

const TOLERANCE: f32 = 1e-4;
const IMAGES: usize = 128;

/// A model in ONNX Runtime, through its own API and not through gleaner's scoring.
pub fn onnx_runtime(model: &Path) -> ort::session::Session {
    static ENVIRONMENT: std::sync::OnceLock<ort::environment::Environment> = std::sync::OnceLock::new();
    let environment = ENVIRONMENT.get_or_init(|| {
        let library = libraries::find(ONNX_RUNTIME).unwrap();
        ort::init_from(library).unwrap().build().unwrap()
    });
    ort::session::Session::builder(environment).unwrap().commit_from_file(model).unwrap()
}

/// Logits by ONNX Runtime.
pub fn by_onnx_runtime(model: &Path, shape: [usize; 4], input: &[f32]) -> Vec<f32> {
    let mut session = onnx_runtime(model);
    let input = ort::value::TensorRef::from_array_view((shape, input)).unwrap();
    let outputs = session.run(ort::inputs!["image" => input]).unwrap();
    outputs["logits"].try_extract_tensor::<f32>().unwrap().1.to_vec()
}

/// Logits by the trainer's own program.
pub fn by_trainer(run: &Run, model: &Path, shape: [usize; 4], input: &[f32]) -> Vec<f32> {
    let input = Array { shape: shape.to_vec(), elements: Elements::Floats(input.to_vec()) };
    npy::write(&input, &mut File::create(run.path("input.npy")).unwrap()).unwrap();
    let output = Command::new(PROGRAM)
        .env("GLEANER_LIBTORCH", LIBTORCH)
        .arg("forward")
        .arg(model)
        .arg("--input")
        .arg(format!("image={}", run.path("input.npy").display()))
        .arg("-o")
        .arg(run.path("outputs"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    match npy::read(&run.path("outputs/logits.npy")).unwrap().elements {
        Elements::Floats(values) => values,
        Elements::Integers(_) => panic!("logits are not integers"),
    }
}

fn assert_agreement(run: &Run, model: &Path, shape: [usize; 4], when: &str) {
    // Values as normalised pixels have them, without any pattern: a linear congruential sequence in -2 to 2.
    let mut state = 1u32;
    let input: Vec<f32> = (0..shape.iter().product())
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 22) as f32 - 2.0
        })
        .collect();
    let (ours, theirs) = (by_trainer(run, model, shape, &input), by_onnx_runtime(model, shape, &input));
    assert_eq!(ours.len(), theirs.len());
    let greatest = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    println!(
        "{when}: greatest difference {greatest:e} of logits up to {:.2}",
        theirs.iter().fold(0.0, |a: f32, b| a.max(b.abs()))
    );
    assert!(greatest <= TOLERANCE, "{when}: ONNX Runtime and the trainer differ by {greatest}");
}

/// The first images of Fashion-MNIST's pool, which `make data` prepares.
fn real_images() -> Vec<(PathBuf, u32)> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/fashion-mnist");
    let list = std::fs::read_to_string(data.join("pool.txt")).expect("the images are missing; run make data");
    let sample = |line: &str| {
        let (path, label) = line.rsplit_once(' ').unwrap();
        (data.join(path), label.parse().unwrap())
    };
    list.lines().take(IMAGES).map(sample).collect()
}

fn round_trip(model: &Model, name: &str, channels: usize, side: usize) {
    let run = Run::new();
    model.write(&run.path("start.onnx")).unwrap();
    run.config_of(channels, side, "batch: 32, learning_rate: 0.01, threads: 2");
    let images = real_images();
    let named: Vec<(String, u32)> =
        images.iter().map(|(path, label)| (path.to_str().unwrap().to_owned(), *label)).collect();
    run.manifest(&named.iter().map(|(path, label)| (path.as_str(), *label, 1.0)).collect::<Vec<_>>());
    let shape = [4, channels, side, side];
    assert_agreement(&run, &run.path("start.onnx"), shape, &format!("{name} before training"));
    run.trained("start.onnx", "trained.onnx", 0, &[]);
    assert_agreement(&run, &run.path("trained.onnx"), shape, &format!("{name} after training"));
    for weight in ["fc.weight", "fc.bias"] {
        assert_ne!(run.weights("start.onnx", weight), run.weights("trained.onnx", weight), "{weight} was not trained");
    }
    let (before, after) =
        (Model::read(&run.path("start.onnx")).unwrap(), Model::read(&run.path("trained.onnx")).unwrap());
    assert_eq!(before.graph().node, after.graph().node, "training changes weights and nothing else of the graph");
    let metadata = after.metadata();
    assert_eq!(metadata.get("gleaner.parent").map(String::as_str), Some(before.digest()));
    assert_eq!(metadata.get("gleaner.epoch").map(String::as_str), Some("0"));
    assert_eq!(metadata.get("gleaner.seed").map(String::as_str), Some("1"));
}

#[test]
fn convnet_means_the_same_to_onnx_runtime_before_and_after_a_step() {
    round_trip(&start::convnet(10, 1, 28, 28, 1).unwrap(), "convnet", 1, 28);
}

#[test]
fn resnet18_means_the_same_to_onnx_runtime_before_and_after_a_step() {
    round_trip(&start::resnet18(10, 3, 32, 32, 1, None).unwrap(), "resnet18", 3, 32);
}
