//! Mixup and CutMix: what is drawn against the moments of the distributions, and what comes of it against arithmetic.

use crate::support::{Run, assert_near};
use gleaner::draw::{Draws, Stream};
use gleaner::ledger::read_scores;
use gleaner::onnx::start;
use gleaner::pixels::Layout;
use gleaner_trainer::loss::weighted_cross_entropy;
use gleaner_trainer::mixing::{Mix, Mixing};
use gleaner_trainer::state::values;
use tch::Tensor;

const DRAWS: u64 = 40_000;

fn mixing(mixup: f64, cutmix: f64, probability: f64) -> Mixing {
    // As the program draws for seed 1 and epoch 1.
    Mixing { mixup, cutmix, probability, draws: Draws::new(1, 1, Stream::Mixing) }
}

fn drawn(mixing: Mixing, sides: [i64; 2]) -> Vec<Mix> {
    (1..=DRAWS).filter_map(|number| mixing.draw(number, 2, sides)).collect()
}

fn moments(numbers: &[f64]) -> (f64, f64) {
    let count = numbers.len() as f64;
    let mean = numbers.iter().sum::<f64>() / count;
    (mean, numbers.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / count)
}

#[test]
fn shares_of_mixup_have_the_moments_of_beta() {
    for alpha in [0.1, 0.4, 1.0, 4.0] {
        let shares: Vec<f64> = drawn(mixing(alpha, 0.0, 1.0), [8, 8]).iter().map(|mix| mix.share).collect();
        // A share that is 1 to the last bit mixes nothing, which a small alpha brings about now and then.
        assert!(shares.len() as u64 > DRAWS * 19 / 20, "{}", shares.len());
        let (mean, variance) = moments(&shares);
        let expected = 1.0 / (4.0 * (2.0 * alpha + 1.0));
        // Five standard errors of the mean, and a twentieth.
        let allowed = 5.0 * (expected / DRAWS as f64).sqrt() + if alpha < 0.2 { 0.03 } else { 0.0 };
        assert!((mean - 0.5).abs() < allowed, "alpha {alpha}: mean {mean}");
        assert!((variance / expected - 1.0).abs() < 0.05, "alpha {alpha}: variance {variance}, not {expected}");
    }
}

#[test]
fn rectangles_of_cutmix_have_the_area_that_the_images_lose() {
    let (rows, columns) = (8_000, 10_000);
    let mixes = drawn(mixing(0.0, 1.0, 1.0), [rows, columns]);
    for mix in &mixes {
        let [down, across] = mix.window.clone().unwrap();
        assert!(0 <= down.start && down.start < down.end && down.end <= rows, "{mix:?}");
        assert!(0 <= across.start && across.start < across.end && across.end <= columns, "{mix:?}");
        let area = (down.end - down.start) * (across.end - across.start);
        assert!((mix.share - (1.0 - area as f64 / (rows * columns) as f64)).abs() < 1e-12, "{mix:?}");
    }
    // A side of r about an even centre keeps r - r^2 / 4 inside on the mean, and r^2 is even in 0 to 1: the mean area is that
    // of (r - r^2 / 4)^2, which is 1/2 - 1/5 + 1/48.
    let (mean, variance) = moments(&mixes.iter().map(|mix| 1.0 - mix.share).collect::<Vec<f64>>());
    let expected = 0.5 - 0.2 + 1.0 / 48.0;
    assert!((mean - expected).abs() < 5.0 * (variance / DRAWS as f64).sqrt() + 1e-3, "{mean} instead of {expected}");
}

#[test]
fn a_batch_has_one_of_both_and_some_have_none() {
    let mixes = drawn(mixing(1.0, 1.0, 0.25), [1000, 1000]);
    let cut = mixes.iter().filter(|mix| mix.window.is_some()).count() as f64;
    // A quarter of all, and half of these, within five standard deviations.
    assert!((mixes.len() as f64 - 10_000.0).abs() < 5.0 * 87.0, "{}", mixes.len());
    assert!((cut - 5_000.0).abs() < 5.0 * 66.0, "{cut}");
    assert!(drawn(mixing(0.0, 0.0, 1.0), [8, 8]).is_empty());
    assert!(drawn(mixing(1.0, 1.0, 0.0), [8, 8]).is_empty());
    assert_eq!(mixing(1.0, 0.0, 1.0).draw(1, 1, [8, 8]), None, "a single image has no partner");
}

/// Three images of 2 x 2 pixels, of levels 1, 2 and 3 but for their last pixel, in one channel.
fn three() -> Tensor {
    Tensor::from_slice(&[1.0_f32, 1.0, 1.0, 10.0, 2.0, 2.0, 2.0, 20.0, 3.0, 3.0, 3.0, 30.0])
}

#[test]
fn each_image_is_mixed_with_the_one_before_it() {
    let blend = Mix { share: 0.75, window: None };
    let found = values(&blend.images(three().reshape([3, 1, 2, 2]), Layout::Nchw).unwrap()).unwrap();
    // 3/4 of the image and 1/4 of the one before it; before the first comes the last.
    assert_near(&found, &[1.5, 1.5, 1.5, 15.0, 1.75, 1.75, 1.75, 17.5, 2.75, 2.75, 2.75, 27.5], 1e-6);
    // The second column of both rows.
    let paste = Mix { share: 0.5, window: Some([0..2, 1..2]) };
    let expected = [1.0, 3.0, 1.0, 30.0, 2.0, 1.0, 2.0, 10.0, 3.0, 2.0, 3.0, 20.0];
    for (layout, shape) in [(Layout::Nchw, [3, 1, 2, 2]), (Layout::Nhwc, [3, 2, 2, 1])] {
        let found = values(&paste.images(three().reshape(shape), layout).unwrap()).unwrap();
        assert_near(&found, &expected, 0.0);
    }
}

#[test]
fn the_loss_is_shared_by_both_labels_each_with_its_own_weight() {
    let logits = Tensor::from_slice(&[1.0_f32, 0.0, 0.0, 3.0]).reshape([2, 2]);
    let (labels, weights) = (Tensor::from_slice(&[0_i64, 1]), Tensor::from_slice(&[1.0_f32, 5.0]));
    let mix = Mix { share: 0.75, window: None };
    let loss =
        mix.loss(&labels, &weights, |labels, weights| weighted_cross_entropy(&logits, labels, weights, 0.0)).unwrap();
    // The cross-entropy of two classes is ln(1 + exp(-ahead)), where the label's logit is so much ahead.
    let ce = |ahead: f64| (-ahead).exp().ln_1p();
    let first = 0.75 * ce(1.0) + 0.25 * 5.0 * ce(-1.0);
    let second = 0.75 * 5.0 * ce(3.0) + 0.25 * ce(-3.0);
    assert!((loss.double_value(&[]) - (first + second) / 2.0).abs() < 1e-6);
}

#[test]
fn a_mixed_step_moves_the_weights_as_by_hand() {
    let run = Run::new();
    run.start("train-linear.onnx");
    run.config(2, "batch: 4, learning_rate: 0.1, momentum: 0.9, weight_decay: 0.0, threads: 1, mixup: 1.0");
    run.image("a.png", 2, 2, &[255, 0, 0, 255]);
    run.image("b.png", 2, 2, &[0, 255, 0, 255]);
    run.manifest(&[("a.png", 0, 1.0), ("b.png", 1, 3.0)]);
    run.trained("start.onnx", "out.onnx", 1, &[]);
    // Both classes have probability 1/2. By class 0 and an image's pixel the gradient is, for a with the share s of itself,
    // (-s + 3 (1 - s)) / 2, and for b (3 s - (1 - s)) / 2; pixel 0 is s of a and 1 - s of b, pixel 1 the other way round.
    let share = mixing(1.0, 0.0, 1.0).draw(1, 2, [2, 2]).unwrap().share;
    let (a, b) = ((3.0 - 4.0 * share) / 2.0, (4.0 * share - 1.0) / 2.0);
    let moved = |one: f64, other: f64| -0.1 * (a * one + b * other) / 2.0;
    let expected = [moved(share, 1.0 - share), moved(1.0 - share, share), 0.0, -0.05];
    assert!(
        (expected[0] + 0.025).abs() > 1e-3,
        "it is not to be the move without mixing, or with halves: {expected:?}"
    );
    assert_near(&run.weights("out.onnx", "w")[..4], &expected, 1e-7);
    // The weights still add up: 1 for the label 0 and 3 for the label 1.
    assert_near(&run.weights("out.onnx", "b"), &[-0.05, 0.05], 1e-7);
}

#[test]
fn only_what_was_not_mixed_has_scores() {
    let run = Run::new();
    run.config(8, "batch: 2, learning_rate: 0.05, threads: 2");
    start::convnet(2, 1, 8, 8, 1).unwrap().write(&run.path("start.onnx")).unwrap();
    let names: Vec<String> = (0..80).map(|number| format!("{number}.png")).collect();
    for (number, name) in names.iter().enumerate() {
        let pixels: Vec<u8> = (0..64).map(|place| ((place * 37 + number * 101) % 256) as u8).collect();
        run.image(name, 8, 8, &pixels);
    }
    let rows = names.iter().enumerate();
    run.manifest(&rows.map(|(number, name)| (name.as_str(), number as u32 % 2, 1.0)).collect::<Vec<_>>());
    let seen = |to: &str, settings: &[&str]| {
        run.trained("start.onnx", &format!("{to}.onnx"), 1, settings);
        let mut seen = 0;
        let file = read_scores(&run.path(&format!("{to}.scores.parquet")), &mut |_, _| seen += 1).unwrap();
        assert_eq!(file.rows, 80);
        seen
    };
    assert_eq!(seen("plain", &[]), 80);
    let both = ["--set", "train.mixup=0.8", "--set", "train.cutmix=1.0"];
    let never = [&both[..], &["--set", "train.mix_probability=0"]].concat();
    assert_eq!(seen("never", &never), 80);
    assert_eq!(run.bytes("never.onnx"), run.bytes("plain.onnx"));
    // As many batches of two as the draws leave unmixed.
    let sometimes = [&both[..], &["--set", "train.mix_probability=0.5"]].concat();
    let draws = mixing(0.8, 1.0, 0.5);
    let unmixed = (1..=40).filter(|&number| draws.draw(number, 2, [8, 8]).is_none()).count();
    assert!((10..30).contains(&unmixed), "{unmixed}");
    assert_eq!(seen("sometimes", &sometimes), 2 * unmixed);
    seen("again", &sometimes);
    assert_eq!(run.bytes("again.onnx"), run.bytes("sometimes.onnx"));
    assert_ne!(run.bytes("sometimes.onnx"), run.bytes("plain.onnx"));
}
