//! What a step hands back of each image.

use crate::round_trip::by_onnx_runtime;
use crate::support::Run;
use gleaner::ledger::read_scores;
use gleaner::onnx::start;
use gleaner::prediction::Prediction;

fn scores(run: &Run, name: &str) -> Vec<(String, Prediction)> {
    let mut seen = Vec::new();
    read_scores(&run.path(name), &mut |path, score| seen.push((String::from_utf8(path.to_vec()).unwrap(), score)))
        .unwrap();
    seen
}

/// A grey image: its name, its class and its levels.
type Image = (String, u32, Vec<u8>);

/// Images of noise, each its own.
fn noise(run: &Run, images: usize, side: usize) -> Vec<Image> {
    let image = |number: usize| {
        let name = format!("{number}.png");
        let pixels: Vec<u8> =
            (0..side * side).map(|place| ((place * 37 + number * 101 + place * number * 13) % 256) as u8).collect();
        run.image(&name, side as u32, side as u32, &pixels);
        (name, (number % 2) as u32, pixels)
    };
    (0..images).map(image).collect()
}

fn near(found: f32, expected: f64, tolerance: f64) {
    assert!((f64::from(found) - expected).abs() <= tolerance, "{found} instead of {expected}");
}

#[test]
fn without_a_move_they_are_what_onnx_runtime_says() {
    let run = Run::new();
    run.start("train-roles.onnx");
    run.config(2, "batch: 4, learning_rate: 0.1, threads: 2");
    let images = noise(&run, 23, 2);
    let manifest: Vec<(&str, u32, f32)> = images.iter().map(|(name, label, _)| (name.as_str(), *label, 1.0)).collect();
    run.manifest(&manifest);
    // When the planned work is done, the learning rate is 0.
    run.trained("start.onnx", "out.onnx", 1, &["--work-done", "10", "--work-planned", "10"]);
    assert_eq!(run.weights("out.onnx", "w"), run.weights("start.onnx", "w"));

    let pixels: Vec<f32> =
        images.iter().flat_map(|(_, _, levels)| levels.iter().map(|&level| f32::from(level) / 255.0)).collect();
    let logits = by_onnx_runtime(&run.path("start.onnx"), [23, 1, 2, 2], &pixels);
    let found = scores(&run, "out.scores.parquet");
    assert_eq!(found.len(), 23);
    for (((name, label, _), logits), (found_name, found)) in images.iter().zip(logits.chunks(2)).zip(&found) {
        assert_eq!(found_name, name, "in the manifest's order, under its paths");
        // Of two classes the label's probability is the logistic function of what its logit is ahead.
        let [own, other] = [*label as usize, 1 - *label as usize].map(|class| f64::from(logits[class]));
        let p_label = 1.0 / (1.0 + (other - own).exp());
        assert_eq!(found.predicted, if own > other { *label } else { 1 - label });
        near(found.p_label, p_label, 1e-5);
        near(found.confidence, p_label.max(1.0 - p_label), 1e-5);
        near(found.margin, 2.0 * p_label - 1.0, 1e-5);
        near(found.loss, -p_label.ln(), 1e-5);
    }
    assert!(found.iter().any(|(_, score)| score.margin > 0.0) && found.iter().any(|(_, score)| score.margin < 0.0));
}

#[test]
fn they_are_of_the_pass_before_the_move() {
    let run = Run::new();
    run.start("train-linear.onnx");
    run.config(2, "batch: 1, learning_rate: 0.1, momentum: 0.9, weight_decay: 0.0, threads: 1");
    run.image("a.png", 2, 2, &[255, 0, 0, 255]);
    run.image("b.png", 2, 2, &[0, 255, 0, 255]);
    run.manifest(&[("a.png", 0, 1.0), ("b.png", 1, 1.0)]);
    run.trained("start.onnx", "out.onnx", 1, &[]);
    // All weights are 0 for whichever image comes first. It moves its own two pixels' weights and the bias by 0.05, up
    // for its class and down for the other; one of the pixels is the second image's, too, so that the second one's
    // logits are 0.1 for the class that is not its own and -0.1 for its own.
    let mut found = scores(&run, "out.scores.parquet");
    found.sort_by(|(_, left), (_, right)| left.loss.total_cmp(&right.loss));
    let (first, second) = (found[0].1, found[1].1);
    assert_eq!(first.predicted, 0, "the lowest of equals");
    near(first.p_label, 0.5, 1e-7);
    near(first.confidence, 0.5, 1e-7);
    near(first.margin, 0.0, 1e-7);
    near(first.loss, 2f64.ln(), 1e-6);
    let p_label = 1.0 / (1.0 + 0.2f64.exp());
    assert_eq!(second.predicted, if found[1].0 == "a.png" { 1 } else { 0 });
    near(second.p_label, p_label, 1e-6);
    near(second.confidence, 1.0 - p_label, 1e-6);
    near(second.margin, 2.0 * p_label - 1.0, 1e-6);
    near(second.loss, -p_label.ln(), 1e-6);
}

#[test]
fn weighted_they_add_up_to_the_reports_loss() {
    let run = Run::new();
    run.config(8, "batch: 8, learning_rate: 0.05, threads: 2");
    start::convnet(2, 1, 8, 8, 1).unwrap().write(&run.path("start.onnx")).unwrap();
    let images = noise(&run, 33, 8);
    let weight = |row: usize| [1.0, 0.0, 3.25][row % 3];
    let rows = images.iter().enumerate();
    let mut manifest: Vec<(&str, u32, f32)> =
        rows.map(|(row, (name, label, _))| (name.as_str(), *label, weight(row))).collect();
    std::fs::write(run.path("data/broken.png"), b"no image").unwrap();
    manifest.insert(5, ("broken.png", 0, 1.0));
    run.manifest(&manifest);
    let report = run.path("report.json");
    let flips = ["--report", report.to_str().unwrap(), "--set", "pixels.augment.flip=true"];
    run.trained("start.onnx", "out.onnx", 1, &flips);
    let report: serde_json::Value = serde_json::from_slice(&run.bytes("report.json")).unwrap();

    let found = scores(&run, "out.scores.parquet");
    assert_eq!(found.len(), 33, "the broken image was not seen");
    assert!(found.iter().all(|(name, _)| name != "broken.png"));
    let rows = read_scores(&run.path("out.scores.parquet"), &mut |_, _| ()).unwrap();
    assert_eq!(rows.rows, 34, "but it has its row");
    let sum: f64 =
        found.iter().enumerate().map(|(row, (_, score))| f64::from(weight(row)) * f64::from(score.loss)).sum();
    let loss = report["loss"].as_f64().unwrap();
    assert!((sum / 33.0 - loss).abs() <= 1e-6 * loss, "{} instead of {loss}", sum / 33.0);
}

#[test]
fn a_step_that_cannot_write_them_fails_and_leaves_no_checkpoint() {
    let run = Run::new();
    run.start("train-linear.onnx");
    run.config(2, "batch: 4, learning_rate: 0.1, threads: 1");
    run.image("a.png", 2, 2, &[255, 0, 0, 255]);
    run.manifest(&[("a.png", 0, 1.0)]);
    std::fs::create_dir(run.path("out.scores.parquet")).unwrap();
    let said = run.failed("start.onnx", &[]);
    assert!(said.contains("out.scores.parquet: cannot be written"), "{said}");
}
