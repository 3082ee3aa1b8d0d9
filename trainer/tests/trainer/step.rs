//! Whole steps through the real program.

use crate::support::{Run, assert_near};
use gleaner::onnx::{Model, start};

const SIDE: usize = 8;
const TRAIN: &str = "batch: 8, learning_rate: 0.05, threads: 2";

/// Bright left halves are class 0, bright right halves class 1; every image has its own grain.
fn pool(run: &Run, images: usize) -> Vec<(String, u32, f32)> {
    (0..images)
        .map(|number| {
            let label = number % 2;
            let pixels: Vec<u8> = (0..SIDE * SIDE)
                .map(|place| {
                    let grain = ((place * 31 + number * 17) % 64) as u8;
                    let bright = usize::from(place % SIDE >= SIDE / 2) == label;
                    grain + if bright { 160 } else { 0 }
                })
                .collect();
            let name = format!("{number}.png");
            run.image(&name, SIDE as u32, SIDE as u32, &pixels);
            (name, label as u32, 1.0)
        })
        .collect()
}

fn manifest(run: &Run, samples: &[(String, u32, f32)]) {
    let borrowed: Vec<(&str, u32, f32)> =
        samples.iter().map(|(name, label, weight)| (name.as_str(), *label, *weight)).collect();
    run.manifest(&borrowed);
}

/// A pool of so many images, and a small network to start with.
pub fn ready(images: usize) -> (Run, Vec<(String, u32, f32)>) {
    let run = Run::new();
    run.config(SIDE as u32, TRAIN);
    let samples = pool(&run, images);
    manifest(&run, &samples);
    start::convnet(2, 1, SIDE, SIDE, 1).unwrap().write(&run.path("start.onnx")).unwrap();
    (run, samples)
}

fn report(run: &Run, name: &str) -> serde_json::Value {
    serde_json::from_slice(&run.bytes(name)).unwrap()
}

#[test]
fn training_lowers_the_loss_and_repeats_to_the_byte() {
    let (run, _) = ready(33);
    let mut losses = Vec::new();
    let mut from = "start.onnx".to_owned();
    for epoch in 1..=4 {
        let to = format!("epoch-{epoch}.onnx");
        let path = run.path("report.json");
        let said = run.trained(&from, &to, epoch, &["--report", path.to_str().unwrap()]);
        assert!(said.contains("33/33 images"), "{said}");
        let report = report(&run, "report.json");
        assert_eq!((report["images"].as_u64(), report["skipped"].as_u64()), (Some(33), Some(0)));
        losses.push(report["loss"].as_f64().unwrap());
        from = to;
    }
    assert!(losses[3] < 0.5 * losses[0], "{losses:?}");

    run.trained("start.onnx", "again/epoch-1.onnx", 1, &[]);
    assert_eq!(run.bytes("again/epoch-1.onnx"), run.bytes("epoch-1.onnx"));
    let state = "again/.epoch-1.optimizer.safetensors";
    run.trained("start.onnx", "more/epoch-1.onnx", 1, &[]);
    assert_eq!(run.bytes("more/.epoch-1.optimizer.safetensors"), run.bytes(state));

    let first = Model::read(&run.path("epoch-1.onnx")).unwrap();
    let metadata = first.metadata();
    assert_eq!(metadata["gleaner.parent"], Model::read(&run.path("start.onnx")).unwrap().digest());
    assert_eq!((metadata["gleaner.epoch"].as_str(), metadata["gleaner.seed"].as_str()), ("1", "1"));
}

#[test]
fn how_far_it_is_can_be_followed() {
    let (run, _) = ready(33);
    let path = run.path("progress.json");
    let said = run.trained(
        "start.onnx",
        "out.onnx",
        1,
        &["--progress", path.to_str().unwrap(), "--report", run.path("report.json").to_str().unwrap()],
    );
    let (progress, report) = (report(&run, "progress.json"), report(&run, "report.json"));
    assert_eq!((&progress["images"], &progress["total"]), (&33.into(), &33.into()), "{said}");
    assert_eq!((&progress["loss"], &progress["seconds"]), (&report["loss"], &report["seconds"]));
    // Where it cannot be told the step goes on.
    let said =
        run.trained("start.onnx", "again.onnx", 1, &["--progress", run.path("no/folder.json").to_str().unwrap()]);
    assert_eq!(said.matches("note: how far this step is will not be told in ").count(), 1, "{said}");
    assert_eq!(run.bytes("again.onnx"), run.bytes("out.onnx"));
}

#[test]
fn half_as_many_bits_train_nearly_the_same() {
    let (run, _) = ready(64);
    let loss_of = |to: &str| {
        let path = run.path("report.json");
        run.trained("start.onnx", to, 1, &["--report", path.to_str().unwrap()]);
        report(&run, "report.json")["loss"].as_f64().unwrap()
    };
    let wide = loss_of("wide.onnx");
    run.config(SIDE as u32, &format!("{TRAIN}, precision: bf16"));
    let narrow = loss_of("narrow.onnx");
    // A product in bfloat16 is off by a 256th at most.
    assert!(narrow != wide && (narrow - wide).abs() < 0.02 * wide, "{wide} {narrow}");
    let weights = |name: &str, weight: &str| -> Vec<f32> {
        Model::read(&run.path(name)).unwrap().tensor(weight).unwrap().f32().unwrap().to_vec()
    };
    let norm = |values: Vec<f32>| values.iter().map(|value| value * value).sum::<f32>().sqrt();
    let apart = |left: Vec<f32>, right: Vec<f32>| norm(left.iter().zip(&right).map(|(a, b)| a - b).collect());
    for weight in ["conv1.weight", "conv3.weight", "bn2.bias", "bn3.running_mean", "fc.weight"] {
        let moved = apart(weights("wide.onnx", weight), weights("start.onnx", weight));
        let off = apart(weights("wide.onnx", weight), weights("narrow.onnx", weight));
        assert!(off > 0.0 && off < 0.1 * moved, "{weight}: moved by {moved}, off by {off}");
    }
}

#[test]
fn how_channels_lie_in_memory_is_a_matter_of_rounding() {
    let (run, _) = ready(32);
    let trained = |to: &str, layout: &str| {
        run.trained("start.onnx", to, 1, &["--set", &format!("train.channels_last={layout}")]);
        Model::read(&run.path(to)).unwrap()
    };
    let (last, first) = (trained("last.onnx", "true"), trained("first.onnx", "false"));
    run.trained("start.onnx", "unsaid.onnx", 1, &[]);
    assert_eq!(run.bytes("unsaid.onnx"), run.bytes("last.onnx"), "they come last");
    // Sums come in another order.
    assert_ne!(run.bytes("first.onnx"), run.bytes("last.onnx"));
    for initializer in &first.graph().initializer {
        let values = |model: &Model| model.tensor(initializer.name()).unwrap().f32().unwrap().to_vec();
        let expected: Vec<f64> = values(&last).into_iter().map(f64::from).collect();
        assert_near(&values(&first), &expected, 1e-4);
    }
}

#[test]
fn a_sample_of_weight_zero_contributes_nothing() {
    let (run, mut samples) = ready(12);
    for sample in samples.iter_mut().skip(8) {
        sample.2 = 0.0;
    }
    manifest(&run, &samples);
    run.trained("start.onnx", "one.onnx", 1, &[]);
    // So its label does not matter ...
    for sample in samples.iter_mut().skip(8) {
        sample.1 = 1 - sample.1;
    }
    manifest(&run, &samples);
    run.trained("start.onnx", "two.onnx", 1, &[]);
    assert_eq!(run.bytes("one.onnx"), run.bytes("two.onnx"));
    // ... while that of any other does.
    samples[0].1 = 1 - samples[0].1;
    manifest(&run, &samples);
    run.trained("start.onnx", "three.onnx", 1, &[]);
    assert_ne!(run.bytes("one.onnx"), run.bytes("three.onnx"));
}

#[test]
fn the_epoch_decides_the_order() {
    let (run, _) = ready(16);
    run.trained("start.onnx", "one.onnx", 1, &[]);
    run.trained("start.onnx", "two.onnx", 2, &[]);
    let name = Model::read(&run.path("one.onnx")).unwrap().graph().initializer[0].name().to_owned();
    assert_ne!(run.weights("one.onnx", &name), run.weights("two.onnx", &name));
}

#[test]
fn a_single_image_is_no_batch_of_its_own() {
    // 17 images in batches of 8 leave one over, which BatchNormalization could not take; so do 6 in two batches of 5, as ten
    // are divided of which four are left out.
    for (images, absent) in [(17, 0), (6, 4)] {
        let (run, mut samples) = ready(images);
        samples.extend((0..absent).map(|number| (format!("absent-{number}.png"), 0, 1.0)));
        manifest(&run, &samples);
        run.trained("start.onnx", "out.onnx", 1, &[]);
        for weight in &Model::read(&run.path("out.onnx")).unwrap().graph().initializer {
            assert!(run.weights("out.onnx", weight.name()).iter().all(|value| value.is_finite()), "{}", weight.name());
        }
    }
}

#[test]
fn the_learning_rate_follows_the_plan() {
    let (run, _) = ready(16);
    let path = run.path("report.json");
    let more = ["--report", path.to_str().unwrap(), "--work-done", "976", "--work-planned", "1000"];
    run.trained("start.onnx", "out.onnx", 1, &more);
    // The last of two batches of 8 has its middle at image 988; the warm-up's 0.05 leave 950 images for the cosine.
    let share = (0.988 - 0.05) / 0.95;
    let expected = 0.05 * (1.0 + (std::f64::consts::PI * share).cos()) / 2.0;
    let found = report(&run, "report.json")["learning_rate"].as_f64().unwrap();
    assert!((found - expected).abs() < 1e-12, "{found} instead of {expected}");
}

#[test]
fn images_that_cannot_be_decoded_are_named_counted_and_left_out() {
    let (run, mut samples) = ready(12);
    // All in one batch: into which batches a list is divided, all that it names have a say.
    let together = ["--set", "train.batch=14"];
    run.trained("start.onnx", "without.onnx", 1, &together);
    std::fs::write(run.path("data/broken.png"), b"no image").unwrap();
    samples.push(("broken.png".to_owned(), 0, 1.0));
    samples.push(("absent.png".to_owned(), 1, 1.0));
    manifest(&run, &samples);
    let path = run.path("report.json");
    let more = [together.as_slice(), &["--report", path.to_str().unwrap()]].concat();
    let said = run.trained("start.onnx", "with.onnx", 1, &more);
    assert!(said.contains("broken.png") && said.contains("absent.png"), "{said}");
    let report = report(&run, "report.json");
    assert_eq!((report["images"].as_u64(), report["skipped"].as_u64()), (Some(12), Some(2)));
    // Left out, they change nothing: the others keep their order.
    assert_eq!(run.bytes("with.onnx"), run.bytes("without.onnx"));

    manifest(&run, &samples[12..]);
    let said = run.failed("start.onnx", &[]);
    assert!(said.contains("none of the 2 images could be decoded"), "{said}");
}

#[test]
fn an_image_of_more_pixels_than_the_config_allows_is_left_out() {
    let (run, mut samples) = ready(12);
    run.image("large.png", 100, 90, &[0; 9000]);
    samples.push(("large.png".to_owned(), 1, 1.0));
    manifest(&run, &samples);
    let train = |megapixels: &str| {
        let path = run.path("report.json");
        let limit = format!("pixels.max_megapixels={megapixels}");
        let said = run.trained("start.onnx", "out.onnx", 1, &["--report", path.to_str().unwrap(), "--set", &limit]);
        (report(&run, "report.json")["images"].as_u64(), said)
    };
    assert_eq!(train("0.009").0, Some(13));
    let (images, said) = train("0.0085");
    assert_eq!(images, Some(12), "{said}");
    assert!(said.contains("large.png: 100x90 is more than the 8500 pixels that are decoded at most"), "{said}");
}

#[test]
fn labels_without_a_class_are_refused_by_line() {
    let (run, mut samples) = ready(4);
    samples[2].1 = 2;
    manifest(&run, &samples);
    let said = run.failed("start.onnx", &[]);
    assert!(said.contains("manifest.csv:4: label 2 is outside the 2 classes"), "{said}");
}

#[test]
fn a_manifest_must_have_images_and_numbers() {
    let (run, mut samples) = ready(4);
    manifest(&run, &[]);
    let said = run.failed("start.onnx", &[]);
    assert!(said.contains("manifest.csv: it lists no image"), "{said}");
    samples[1].2 = -1.0;
    manifest(&run, &samples);
    let said = run.failed("start.onnx", &[]);
    assert!(said.contains("manifest.csv:3: weight is -1"), "{said}");
    samples[1].2 = 1.0;
    manifest(&run, &samples);
    let whole = run.bytes("manifest.csv");
    std::fs::write(run.path("manifest.csv"), &whole[..whole.len() - 1]).unwrap();
    let said = run.failed("start.onnx", &[]);
    assert!(said.contains("cut short"), "{said}");
    std::fs::write(run.path("manifest.csv"), "path,label\na.png,0\n").unwrap();
    let said = run.failed("start.onnx", &[]);
    assert!(said.contains("manifest.csv:1: not a manifest") && said.contains("margin,weight"), "{said}");
}

#[test]
fn a_loss_that_runs_away_ends_the_step_and_writes_nothing() {
    let (run, _) = ready(33);
    let said = run.failed("start.onnx", &["--set", "train.learning_rate=1e30"]);
    assert!(said.contains("nothing was written") && said.contains("train.learning_rate"), "{said}");
    assert!(!run.path(".out.optimizer.safetensors").exists());
}

#[test]
fn augmentation_follows_the_seed() {
    let (run, _) = ready(16);
    let augmented = ["--set", "pixels.augment.flip=true", "--set", "pixels.augment.pad=1"];
    run.trained("start.onnx", "plain.onnx", 1, &[]);
    run.trained("start.onnx", "one.onnx", 1, &augmented);
    run.trained("start.onnx", "two.onnx", 1, &augmented);
    assert_eq!(run.bytes("one.onnx"), run.bytes("two.onnx"));
    assert_ne!(run.bytes("one.onnx"), run.bytes("plain.onnx"));
}

#[test]
fn pixels_that_do_not_fit_the_model_are_refused() {
    let (run, _) = ready(4);
    let said = run.failed("start.onnx", &["--set", "pixels.size=[9, 8]"]);
    assert!(said.contains("height 8") && said.contains("pixels.size"), "{said}");
}
