//! Several batches for one move of the weights.

use crate::support::{Run, assert_near};

/// So many images with weights of their own, for a network without batch statistics.
fn ready(images: usize) -> Run {
    let run = Run::new();
    run.start("train-linear.onnx");
    run.config(2, "learning_rate: 0.1, momentum: 0.9, weight_decay: 0.01, threads: 1");
    let names: Vec<String> = (0..images).map(|number| format!("{number}.png")).collect();
    let mut samples = Vec::new();
    for (number, name) in names.iter().enumerate() {
        let level = |place: usize| ((number * 67 + place * 91 + number * place * 29) % 256) as u8;
        run.image(name, 2, 2, &[level(0), level(1), level(2), level(3)]);
        samples.push((name.as_str(), (number % 2) as u32, 0.5 + number as f32));
    }
    run.manifest(&samples);
    run
}

/// The weights and the last learning rate of a step with such batches.
fn trained(run: &Run, batch: usize, accumulate: usize, more: &[&str]) -> (Vec<f64>, f64) {
    let (batch, accumulate) = (format!("train.batch={batch}"), format!("train.accumulate={accumulate}"));
    let report = run.path("report.json");
    let mut arguments = vec!["--set", &batch, "--set", &accumulate, "--report", report.to_str().unwrap()];
    arguments.extend(["--work-done", "10", "--work-planned", "100"].iter().chain(more));
    run.trained("start.onnx", "out.onnx", 1, &arguments);
    let report: serde_json::Value = serde_json::from_slice(&run.bytes("report.json")).unwrap();
    let weights = [run.weights("out.onnx", "w"), run.weights("out.onnx", "b")].concat();
    (weights.into_iter().map(f64::from).collect(), report["learning_rate"].as_f64().unwrap())
}

#[test]
fn several_small_batches_move_like_a_large_one() {
    // Images, the large batch, the small ones; in the last of each the images come out uneven.
    for (images, large, small, together) in [(12, 4, 2, 2), (10, 4, 2, 2), (10, 6, 3, 2), (7, 8, 3, 4), (11, 6, 2, 3)] {
        let run = ready(images);
        for more in [&[][..], &["--set", "train.optimiser=adamw", "--set", "train.momentum="]] {
            let (expected, rate) = trained(&run, large, 1, more);
            let (found, found_rate) = trained(&run, small, together, more);
            let found: Vec<f32> = found.iter().map(|weight| *weight as f32).collect();
            assert_near(&found, &expected, 2e-6);
            assert_eq!(found_rate, rate, "of the middle of the {images} images' last group");
        }
        assert_ne!(trained(&run, small, 1, &[]).0, trained(&run, large, 1, &[]).0);
    }
}

#[test]
fn the_gradient_is_clipped_when_it_is_whole() {
    let run = ready(8);
    let clip = ["--set", "train.clip_norm=0.2"];
    let (expected, _) = trained(&run, 8, 1, &clip);
    let (found, _) = trained(&run, 2, 4, &clip);
    let found: Vec<f32> = found.iter().map(|weight| *weight as f32).collect();
    assert_near(&found, &expected, 1e-6);
    assert_ne!(expected, trained(&run, 8, 1, &[]).0);
}
