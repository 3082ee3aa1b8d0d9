//! The learning rate over the run, by hand.

use gleaner_trainer::schedule::Schedule;

fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-12, "{found} instead of {expected}");
}

#[test]
fn warms_up_and_falls_to_zero_along_a_cosine() {
    let schedule = Schedule { learning_rate: 0.4, warmup: 0.1, done: 0.0, planned: 1000.0 };
    // The middle of the first 20 images is image 10: a tenth of the warm-up's 100.
    near(schedule.rate(0, 20), 0.04);
    near(schedule.rate(90, 20), 0.4);
    // Half of the remaining 900: the cosine's middle. A third of it: (1 + cos 60 degrees) / 2 = 0.75.
    near(schedule.rate(540, 20), 0.2);
    near(schedule.rate(390, 20), 0.3);
    near(schedule.rate(990, 20), 0.0);
}

#[test]
fn goes_on_where_the_step_before_ended() {
    let whole = Schedule { learning_rate: 0.1, warmup: 0.05, done: 0.0, planned: 5000.0 };
    let second = Schedule { done: 1500.0, ..whole };
    near(second.rate(100, 50), whole.rate(1600, 50));
}

#[test]
fn is_constant_without_a_plan() {
    let schedule = Schedule { learning_rate: 0.05, warmup: 0.5, done: 300.0, planned: 0.0 };
    near(schedule.rate(0, 1), 0.05);
    near(schedule.rate(100_000, 1), 0.05);
    assert!(!schedule.is_over());
}

#[test]
fn stays_at_zero_when_the_plan_is_done() {
    let schedule = Schedule { learning_rate: 0.05, warmup: 0.0, done: 300.0, planned: 300.0 };
    assert!(schedule.is_over());
    near(schedule.rate(500, 10), 0.0);
}
