//! The section `train`: what its keys mean together.

use super::*;

fn train(keys: &str) -> TrainConfig {
    let text = format!("{LEAST}train: {{{keys}}}\nplan: {{cost: 3}}\n");
    let config = load(&text, &[]).unwrap_or_else(|error| panic!("{keys}: {error}"));
    let again = load(&config.canonical().unwrap(), &[]).unwrap_or_else(|error| panic!("{keys}: {error}"));
    assert_eq!(again, config, "the canonical text is the same config again");
    config.train
}

#[test]
fn each_optimiser_has_settings_and_defaults_of_its_own() {
    let sgd = train("optimiser: sgd, momentum: 0.5, nesterov: true");
    assert_eq!(sgd.optimiser, OptimiserConfig::Sgd { momentum: 0.5, nesterov: true });
    assert_eq!((sgd.learning_rate, sgd.weight_decay), (0.05, 0.0005));
    let adamw = train("optimiser: adamw");
    assert_eq!(adamw.optimiser, OptimiserConfig::AdamW { betas: [0.9, 0.999], epsilon: 1e-8 });
    assert_eq!((adamw.learning_rate, adamw.weight_decay), (0.001, 0.01));
    let adamw = train("optimiser: adamw, betas: [0.8, 0], epsilon: 1e-6, learning_rate: 0.0003");
    assert_eq!(adamw.optimiser, OptimiserConfig::AdamW { betas: [0.8, 0.0], epsilon: 1e-6 });
    assert_eq!(adamw.learning_rate, 0.0003);
}

#[test]
fn each_schedule_has_settings_of_its_own() {
    assert_eq!(train("schedule: constant, warmup: 0").schedule, ScheduleConfig::Constant { warmup: 0.0 });
    let step = ScheduleConfig::Step { warmup: 0.05, milestones: vec![0.5, 0.75], factor: 0.1 };
    assert_eq!(train("schedule: step").schedule, step);
    let step = ScheduleConfig::Step { warmup: 0.05, milestones: vec![0.9], factor: 0.5 };
    assert_eq!(train("schedule: step, milestones: [0.9], factor: 0.5").schedule, step);
    assert_eq!(train("schedule: one-cycle").schedule, ScheduleConfig::OneCycle { peak: 0.3 });
}

#[test]
fn the_rest_of_the_recipe_is_read() {
    let config = train("accumulate: 4, label_smoothing: 0.1, clip_norm: 2, ema: 0.99, channels_last: false");
    assert_eq!((config.accumulate, config.label_smoothing), (4, 0.1));
    assert_eq!((config.clip_norm, config.ema), (Some(2.0), Some(0.99)));
    assert!(!config.channels_last);
}

#[test]
fn contradictions_are_named_with_their_remedy() {
    let cases = [
        (
            "optimiser: adamw, momentum: 0.9",
            "c.yaml:4:37: train.momentum has no part in `optimiser: adamw`; leave it out, or write `optimiser: sgd`",
        ),
        (
            "betas: [0.9, 0.99]",
            "c.yaml:4:16: train.betas has no part in `optimiser: sgd`; leave it out, or write `optimiser: adamw`",
        ),
        (
            "optimiser: adamw, betas: [0.9]",
            "c.yaml:4:34: train.betas has 1 numbers, not two; write for example [0.9, 0.999]",
        ),
        (
            "optimiser: adamw, betas: [0.9, 1]",
            "c.yaml:4:40: train.betas has an item that is `1`, not a number at least 0 and below 1; \
             write for example [0.9, 0.999]",
        ),
        (
            "momentum: 0, nesterov: true",
            "c.yaml:4:32: train.nesterov looks ahead along a momentum, and that is 0; \
             raise train.momentum, or write `nesterov: false`",
        ),
        ("optimiser: adam", "c.yaml:4:20: train.optimiser is `adam`, not one of sgd, adamw; did you mean `adamw`?"),
        (
            "peak: 0.2",
            "c.yaml:4:15: train.peak has no part in `schedule: cosine`; leave it out, or write `schedule: one-cycle`",
        ),
        (
            "factor: 0.2",
            "c.yaml:4:17: train.factor has no part in `schedule: cosine`; leave it out, or write `schedule: step`",
        ),
        (
            "schedule: one-cycle, warmup: 0.1",
            "c.yaml:4:38: train.warmup has no part in `schedule: one-cycle`; leave it out, or write `train.peak`",
        ),
        (
            "schedule: step, milestones: [0.5, 0.5]",
            "c.yaml:4:37: train.milestones does not ascend; write each milestone once, the earliest first",
        ),
        (
            "schedule: step, milestones: []",
            "c.yaml:4:37: train.milestones is an empty list; name a milestone, or write `schedule: constant`",
        ),
        ("ema: 1", "c.yaml:4:14: train.ema is `1`, not a number above 0 and below 1; write for example 0.999"),
        ("clip_norm: 0", "c.yaml:4:20: train.clip_norm is `0`, not a number above 0; write for example 1.0"),
        (
            "label_smoothing: 1",
            "c.yaml:4:26: train.label_smoothing is `1`, not a number at least 0 and below 1; write for example 0",
        ),
        ("precision: fp16", "c.yaml:4:20: train.precision is `fp16`, not one of fp32, bf16; write for example fp32"),
    ];
    for (keys, expected) in cases {
        assert_eq!(said(&format!("{LEAST}train: {{{keys}}}\nplan: {{cost: 3}}\n"), &[]), [expected], "for {keys}");
    }
}

#[test]
fn a_key_of_another_optimiser_can_be_taken_away() {
    let text = format!("{LEAST}train: {{momentum: 0.9}}\n");
    assert_eq!(said(&text, &["train.optimiser=adamw"]).len(), 1);
    assert_eq!(said(&text, &["train.optimiser=adamw", "train.momentum="]), [""; 0]);
}

#[test]
fn a_course_over_planned_work_needs_a_plan_of_the_built_in_trainer() {
    for schedule in ["one-cycle", "step"] {
        let line = format!("train: {{schedule: {schedule}}}");
        let expected = format!(
            "c.yaml:4:19: train.schedule is `{schedule}`, which is a course over the planned work, and none is planned; \
             write plan.cost, or `schedule: constant`"
        );
        assert_eq!(said_of(&line), [expected]);
        assert_eq!(said_of(&format!("{line}\nplan: {{cost: 2}}")), [""; 0]);
        assert_eq!(said_of(&format!("{line}\ntrainer: none")), [""; 0]);
    }
    assert_eq!(said_of("train: {schedule: constant}"), [""; 0]);
}
