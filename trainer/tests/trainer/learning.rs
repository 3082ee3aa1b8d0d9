//! What one step does to the weights, against arithmetic done by hand.
//!
//! The linear model begins at zero, so both classes have probability 1/2, and the gradient of the loss by the weight of
//! class k and pixel j is `sum_i(weight_i * (1/2 - [label_i = k]) * x_ij) / images`.

use crate::support::{Run, assert_near};

const RATE: &str = "batch: 4, learning_rate: 0.1, momentum: 0.9, weight_decay: 0.0, threads: 1";

fn two_images(run: &Run) {
    run.image("a.png", 2, 2, &[255, 0, 0, 255]);
    run.image("b.png", 2, 2, &[0, 255, 0, 255]);
}

#[test]
fn weights_of_samples_count_and_the_batch_divides() {
    let run = Run::new();
    run.start("train-linear.onnx");
    run.config(2, RATE);
    two_images(&run);
    run.manifest(&[("a.png", 0, 1.0), ("b.png", 1, 3.0)]);
    run.trained("start.onnx", "out.onnx", 1, &[]);
    // Class 0: a pulls by -1/2 at weight 1, b by +1/2 at weight 3, over 2 images, times -0.1.
    assert_near(&run.weights("out.onnx", "w")[..4], &[0.025, -0.075, 0.0, -0.05], 1e-7);
    assert_near(&run.weights("out.onnx", "w")[4..], &[-0.025, 0.075, 0.0, 0.05], 1e-7);
    assert_near(&run.weights("out.onnx", "b"), &[-0.05, 0.05], 1e-7);
}

#[test]
fn images_may_have_their_channels_last() {
    let run = Run::new();
    run.start("train-channels-last.onnx");
    run.config(2, RATE);
    two_images(&run);
    run.manifest(&[("a.png", 0, 1.0), ("b.png", 1, 3.0)]);
    run.trained("start.onnx", "out.onnx", 1, &[]);
    assert_near(&run.weights("out.onnx", "w")[..4], &[0.025, -0.075, 0.0, -0.05], 1e-7);
}

#[test]
fn a_softmax_at_the_end_belongs_to_the_loss() {
    let run = Run::new();
    run.start("train-softmax.onnx");
    run.config(2, RATE);
    two_images(&run);
    run.manifest(&[("a.png", 0, 1.0), ("b.png", 1, 3.0)]);
    run.trained("start.onnx", "out.onnx", 1, &[]);
    assert_near(&run.weights("out.onnx", "w")[..4], &[0.025, -0.075, 0.0, -0.05], 1e-7);
}

#[test]
fn momentum_goes_from_step_to_step() {
    let run = Run::new();
    run.start("train-linear.onnx");
    run.config(2, RATE);
    two_images(&run);
    run.manifest(&[("a.png", 0, 1.0)]);
    let first = run.trained("start.onnx", "epoch-1.onnx", 1, &[]);
    assert!(first.contains("begins at rest"), "{first}");
    let second = run.trained("epoch-1.onnx", "epoch-2.onnx", 2, &[]);
    assert!(!second.contains("begins at rest"), "{second}");
    // Step 1: gradient -1/2 for class 0's bias and its pixels 0 and 3, so all three are 0.05 and class 1's are -0.05.
    // The logits of a then differ by 6 * 0.05, so the gradient is -(1 - sigmoid(0.3)).
    let gradient = -(1.0 - 1.0 / (1.0 + (-0.3f64).exp()));
    let velocity = 0.9 * -0.5 + gradient;
    let expected = 0.05 - 0.1 * velocity;
    assert_near(&run.weights("epoch-2.onnx", "b"), &[expected, -expected], 1e-7);
    assert_near(&run.weights("epoch-2.onnx", "w")[..4], &[expected, 0.0, 0.0, expected], 1e-7);

    // With another checkpoint's state, or none, the step begins at rest.
    std::fs::copy(run.path("epoch-1.onnx"), run.path("epoch-2.onnx")).unwrap();
    let third = run.trained("epoch-2.onnx", "epoch-3.onnx", 3, &[]);
    assert!(third.contains("belongs to another checkpoint"), "{third}");
    let expected = 0.05 - 0.1 * gradient;
    assert_near(&run.weights("epoch-3.onnx", "b"), &[expected, -expected], 1e-7);
}

#[test]
fn only_the_two_newest_states_and_scores_stay() {
    let run = Run::new();
    run.start("train-linear.onnx");
    run.config(2, RATE);
    two_images(&run);
    run.manifest(&[("a.png", 0, 1.0), ("b.png", 1, 1.0)]);
    run.trained("start.onnx", "watch/epoch-1.onnx", 1, &[]);
    std::fs::write(run.path("watch/another.scores.parquet"), "of another trainer").unwrap();
    // Another run's, whose pattern is another.
    std::fs::write(run.path("watch/.other-0001.optimizer.safetensors"), "velocities").unwrap();
    std::fs::write(run.path("watch/other-0001.scores.parquet"), "scores").unwrap();
    run.trained("watch/epoch-1.onnx", "watch/epoch-2.onnx", 2, &[]);
    run.trained("watch/epoch-2.onnx", "watch/epoch-3.onnx", 3, &[]);
    let mut names: Vec<String> = std::fs::read_dir(run.path("watch"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let expected = [
        ".epoch-2.optimizer.safetensors",
        ".epoch-3.optimizer.safetensors",
        ".other-0001.optimizer.safetensors",
        "another.scores.parquet",
        "epoch-1.onnx",
        "epoch-2.onnx",
        "epoch-2.scores.parquet",
        "epoch-3.onnx",
        "epoch-3.scores.parquet",
        "other-0001.scores.parquet",
    ];
    assert_eq!(names, expected);
}

#[test]
fn weight_decay_spares_biases_and_normalisation() {
    let run = Run::new();
    run.start("train-normalised.onnx");
    run.config(2, "batch: 4, learning_rate: 0.1, momentum: 0.0, weight_decay: 0.5, threads: 1");
    two_images(&run);
    // Samples of weight 0 have no gradient: what is left is decay, by a factor of 1 - 0.1 * 0.5.
    run.manifest(&[("a.png", 0, 0.0), ("b.png", 1, 0.0)]);
    run.trained("start.onnx", "out.onnx", 1, &[]);
    let decayed = [0.0, 1.0, 2.0, 3.0, 5.0, 1.0, 0.0, -2.0].map(|weight| weight / 8.0 * 0.95);
    assert_near(&run.weights("out.onnx", "w"), &decayed, 1e-7);
    assert_eq!(run.weights("out.onnx", "b"), [0.5, -0.5]);
    assert_eq!(run.weights("out.onnx", "scale"), [1.0]);
    assert_eq!(run.weights("out.onnx", "offset"), [0.25]);
}

#[test]
fn running_statistics_follow_the_batches() {
    let run = Run::new();
    run.start("train-normalised.onnx");
    run.config(2, RATE);
    two_images(&run);
    run.manifest(&[("a.png", 0, 1.0), ("b.png", 1, 1.0)]);
    run.trained("start.onnx", "out.onnx", 1, &[]);
    // Eight pixels, four of them 1: mean 1/2, unbiased variance 8/7 * 1/4 = 2/7. Momentum 0.75, from mean 2 and
    // variance 4.
    assert_near(&run.weights("out.onnx", "mean"), &[0.75 * 2.0 + 0.25 * 0.5], 1e-6);
    assert_near(&run.weights("out.onnx", "variance"), &[0.75 * 4.0 + 0.25 * 2.0 / 7.0], 1e-6);
}

#[test]
fn merged_initializers_are_given_to_each_layer_alone() {
    let run = Run::new();
    run.start("train-merged.onnx");
    run.config(2, RATE);
    two_images(&run);
    run.manifest(&[("a.png", 0, 1.0), ("b.png", 1, 1.0)]);
    run.trained("start.onnx", "out.onnx", 1, &[]);
    // The offset keeps the first name, the mean gets a copy; scale and variance part, too.
    assert_near(&run.weights("out.onnx", "zeros.2"), &[0.1 * 0.5], 1e-6);
    assert_near(&run.weights("out.onnx", "variance"), &[0.9 + 0.1 * 2.0 / 7.0], 1e-6);
    assert_ne!(run.weights("out.onnx", "ones"), [1.0]);
    assert_ne!(run.weights("out.onnx", "zeros"), run.weights("out.onnx", "zeros.2"));
    // Parted once, they are not parted again.
    run.trained("out.onnx", "again.onnx", 2, &[]);
    let count = |name: &str| gleaner::onnx::Model::read(&run.path(name)).unwrap().graph().initializer.len();
    assert_eq!(count("again.onnx"), count("out.onnx"));
}

#[test]
fn preprocessing_and_single_numbers_stay() {
    let run = Run::new();
    run.start("train-roles.onnx");
    run.config(2, "batch: 4, learning_rate: 0.1, momentum: 0.0, weight_decay: 0.5, threads: 1");
    two_images(&run);
    run.manifest(&[("a.png", 0, 1.0), ("b.png", 0, 1.0)]);
    run.trained("start.onnx", "out.onnx", 1, &[]);
    assert_eq!(run.weights("out.onnx", "contrast"), [2.0; 4]);
    assert_eq!(run.weights("out.onnx", "one"), [1.0]);
    assert_ne!(run.weights("out.onnx", "w"), run.weights("start.onnx", "w"));
    assert_ne!(run.weights("out.onnx", "b"), run.weights("start.onnx", "b"));
    // The sum over classes of a softmax's gradient is zero, so a bias that does not decay keeps its sum.
    assert_near(&[run.weights("out.onnx", "b").iter().sum()], &[0.0], 1e-6);
}

#[test]
fn tokens_positions_and_tables_train_and_masks_stay() {
    let run = Run::new();
    run.start("train-attention.onnx");
    run.config(2, "batch: 4, learning_rate: 0.1, momentum: 0.0, weight_decay: 0.0, threads: 1");
    two_images(&run);
    run.manifest(&[("a.png", 0, 1.0), ("b.png", 1, 1.0)]);
    run.trained("start.onnx", "out.onnx", 1, &[]);
    for name in ["w", "token", "positions", "table", "scale", "offset", "head", "b"] {
        assert_ne!(run.weights("out.onnx", name), run.weights("start.onnx", name), "{name}");
    }
    assert_eq!(run.weights("out.onnx", "mask"), run.weights("start.onnx", "mask"));
}

#[test]
fn dropout_drops_and_repeats() {
    let run = Run::new();
    run.start("train-dropout.onnx");
    run.config(2, RATE);
    // With only one pixel lit in each image, a pass without dropout would move every class's four columns alike.
    for (name, place) in [("a.png", 0), ("b.png", 1), ("c.png", 2), ("d.png", 3)] {
        let mut pixels = [0; 4];
        pixels[place] = 255;
        run.image(name, 2, 2, &pixels);
    }
    run.manifest(&[("a.png", 0, 1.0), ("b.png", 0, 1.0), ("c.png", 0, 1.0), ("d.png", 0, 1.0)]);
    run.trained("start.onnx", "one.onnx", 1, &[]);
    run.trained("start.onnx", "two.onnx", 1, &[]);
    run.trained("start.onnx", "other.onnx", 2, &[]);
    assert_eq!(run.bytes("one.onnx"), run.bytes("two.onnx"));
    let moved = |name: &str| -> Vec<bool> {
        run.weights(name, "w")
            .iter()
            .zip(run.weights("start.onnx", "w"))
            .map(|(after, before)| *after != before)
            .collect()
    };
    // Over two epochs of four pixels, some were dropped and some were kept.
    let all = [moved("one.onnx"), moved("other.onnx")].concat();
    assert!(all.contains(&true) && all.contains(&false), "{all:?}");
}
