//! Steps that cannot go on: they say why and what to do, and the checkpoint before them stays.

use crate::support::Run;

fn ready(fixture: &str, images: usize, weight: f32) -> Run {
    let run = Run::new();
    run.start(fixture);
    run.config(2, "batch: 64, learning_rate: 0.1, threads: 1");
    let names: Vec<String> = (0..images).map(|number| format!("{number}.png")).collect();
    let mut samples = Vec::new();
    for (number, name) in names.iter().enumerate() {
        run.image(name, 2, 2, &[255, number as u8, 0, 90]);
        samples.push((name.as_str(), (number % 2) as u32, weight));
    }
    run.manifest(&samples);
    run
}

#[test]
fn a_gradient_without_a_length_names_batch_and_learning_rate() {
    // The loss is finite; the squares of its gradient are too much for 32 bits.
    let run = ready("train-linear.onnx", 6, 1e30);
    let before = run.bytes("start.onnx");
    let more = ["--set", "train.batch=3", "--set", "train.accumulate=2", "--set", "train.clip_norm=1"];
    let said = run.failed("start.onnx", &more);
    assert!(said.contains("batch 2: the length of the gradient is inf at learning rate 0.100000"), "{said}");
    assert!(said.contains("nothing was written; lower `train.learning_rate`"), "{said}");
    assert_eq!(run.bytes("start.onnx"), before);
    assert!(!run.path(".out.optimizer.safetensors").exists());
}

#[test]
fn a_last_move_that_runs_away_names_weight_and_learning_rate() {
    // The loss and its gradient are finite; a hundred times the gradient is too much for 32 bits.
    let run = ready("train-linear.onnx", 1, 2e38);
    let said = run.failed("start.onnx", &["--set", "train.learning_rate=100", "--set", "train.schedule=constant"]);
    assert!(
        said.contains(" after batch 1 is no finite number at learning rate 100.000000; nothing was written"),
        "{said}"
    );
    assert!(!run.path(".out.optimizer.safetensors").exists());
}

#[test]
fn a_batch_for_which_there_is_not_enough_memory_says_what_to_lower() {
    let run = ready("train-greedy.onnx", 64, 1.0);
    let said = run.failed("start.onnx", &[]);
    assert!(said.contains("not enough memory to train on 64 images at once"), "{said}");
    assert!(said.contains("lower `train.batch`, and raise `train.accumulate`"), "{said}");
    assert!(!run.path(".out.optimizer.safetensors").exists());
    run.trained("start.onnx", "out.onnx", 1, &["--set", "train.batch=2", "--set", "train.accumulate=32"]);
}
