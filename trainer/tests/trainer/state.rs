//! What goes from step to step beside the checkpoint.

use crate::support::Run;

const ADAMW: &str =
    "batch: 2, learning_rate: 0.1, optimiser: adamw, ema: 0.9, clip_norm: 0.5, label_smoothing: 0.1, threads: 1";

fn ready(train: &str) -> Run {
    let run = Run::new();
    run.start("train-normalised.onnx");
    run.config(2, train);
    run.image("a.png", 2, 2, &[255, 0, 0, 255]);
    run.image("b.png", 2, 2, &[0, 255, 0, 255]);
    run.image("c.png", 2, 2, &[0, 255, 90, 30]);
    run.image("d.png", 2, 2, &[80, 0, 0, 70]);
    run.manifest(&[("a.png", 0, 1.0), ("b.png", 1, 3.0), ("c.png", 0, 1.0), ("d.png", 1, 0.5)]);
    run
}

#[test]
fn a_step_that_is_done_anew_leaves_the_same_bytes() {
    let run = ready(ADAMW);
    run.trained("start.onnx", "epoch-1.onnx", 1, &[]);
    run.trained("epoch-1.onnx", "epoch-2.onnx", 2, &[]);
    let first = (run.bytes("epoch-2.onnx"), run.bytes(".epoch-2.optimizer.safetensors"));
    // As after a kill between the state and the checkpoint: what the step leaves is there, and done anew.
    std::fs::remove_file(run.path("epoch-2.onnx")).unwrap();
    let said = run.trained("epoch-1.onnx", "epoch-2.onnx", 2, &[]);
    assert!(!said.contains("begins at rest"), "{said}");
    assert_eq!((run.bytes("epoch-2.onnx"), run.bytes(".epoch-2.optimizer.safetensors")), first);
}

#[test]
fn the_state_of_other_settings_is_refused_with_a_note() {
    let run = ready("batch: 2, learning_rate: 0.1, threads: 1");
    run.trained("start.onnx", "epoch-1.onnx", 1, &[]);
    for (more, now) in [
        ("train.optimiser=adamw", "adamw, betas 0.9 and 0.999, epsilon 0.00000001, no ema"),
        ("train.momentum=0.8", "sgd, momentum 0.8, no ema"),
        ("train.nesterov=true", "sgd, Nesterov's momentum 0.9, no ema"),
        ("train.ema=0.99", "sgd, momentum 0.9, ema 0.99"),
    ] {
        let said = run.trained("epoch-1.onnx", "epoch-2.onnx", 2, &["--set", more]);
        let note = format!("was left by other settings (sgd, momentum 0.9, no ema), and now there are {now}");
        assert!(said.contains("training begins at rest") && said.contains(&note), "{said}");
    }
    // It is no longer there, and that is the same.
    let more = ["--set", "train.optimiser=adamw"];
    run.trained("epoch-1.onnx", "refused.onnx", 2, &more);
    std::fs::remove_file(run.path(".epoch-1.optimizer.safetensors")).unwrap();
    run.trained("epoch-1.onnx", "absent.onnx", 2, &more);
    assert_eq!(run.bytes("refused.onnx"), run.bytes("absent.onnx"));
}

#[test]
fn a_damaged_state_is_refused_with_a_note() {
    let run = ready(ADAMW);
    run.trained("start.onnx", "epoch-1.onnx", 1, &[]);
    let whole = run.bytes(".epoch-1.optimizer.safetensors");
    for (name, bytes) in [("cut", &whole[..whole.len() - 4]), ("no", b"no safetensors".as_slice())] {
        std::fs::write(run.path(".epoch-1.optimizer.safetensors"), bytes).unwrap();
        let said = run.trained("epoch-1.onnx", "epoch-2.onnx", 2, &[]);
        assert!(said.contains("begins at rest") && said.contains("is damaged"), "{name}: {said}");
    }
}
