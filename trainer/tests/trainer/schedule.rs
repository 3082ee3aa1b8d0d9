//! The learning rate over the run, by hand and as PyTorch's schedulers have it (`tests/fixtures/recipes.py`).

use crate::support::{Run, fixtures};
use gleaner::config::{Config, ScheduleConfig};
use gleaner_trainer::schedule::Schedule;

fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-12, "{found} instead of {expected}");
}

fn cosine(learning_rate: f64, warmup: f64, done: f64, planned: f64) -> Schedule {
    Schedule { learning_rate, course: ScheduleConfig::Cosine { warmup }, done, planned }
}

#[test]
fn warms_up_and_falls_to_zero_along_a_cosine() {
    let schedule = cosine(0.4, 0.1, 0.0, 1000.0);
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
    let whole = cosine(0.1, 0.05, 0.0, 5000.0);
    let second = cosine(0.1, 0.05, 1500.0, 5000.0);
    near(second.rate(100, 50), whole.rate(1600, 50));
}

#[test]
fn is_constant_without_a_plan() {
    let schedule = cosine(0.05, 0.5, 300.0, 0.0);
    near(schedule.rate(0, 1), 0.05);
    near(schedule.rate(100_000, 1), 0.05);
    assert!(!schedule.is_over());
}

#[test]
fn stays_at_zero_when_the_plan_is_done() {
    let schedule = cosine(0.05, 0.0, 300.0, 300.0);
    assert!(schedule.is_over());
    near(schedule.rate(500, 10), 0.0);
}

#[test]
fn constant_and_step_warm_up_and_never_end() {
    let constant = Schedule { course: ScheduleConfig::Constant { warmup: 0.2 }, ..cosine(0.4, 0.0, 0.0, 1000.0) };
    let milestones = vec![0.1, 0.5];
    let step = ScheduleConfig::Step { warmup: 0.2, milestones, factor: 0.5 };
    let step = Schedule { course: step, ..constant.clone() };
    // Image 50 of 200 in the warm-up, and image 150, behind the first milestone.
    near(constant.rate(40, 20), 0.1);
    near(constant.rate(140, 20), 0.3);
    near(step.rate(40, 20), 0.1);
    near(step.rate(140, 20), 0.15);
    near(constant.rate(490, 20), 0.4);
    near(step.rate(480, 20), 0.2);
    near(step.rate(490, 20), 0.1);
    for over in [constant, step].map(|schedule| Schedule { done: 1000.0, ..schedule }) {
        assert!(!over.is_over() && over.rate(0, 20) > 0.0);
    }
}

#[test]
fn courses_are_those_of_pytorchs_schedulers() {
    let expected: serde_json::Value =
        serde_json::from_slice(&std::fs::read(fixtures().join("recipes.json")).unwrap()).unwrap();
    let courses = expected["courses"].as_object().unwrap();
    assert_eq!(courses.len(), 3);
    for (train, rates) in courses {
        let run = Run::new();
        run.config(2, train);
        let config = Config::load(&run.path("config.yaml"), &["plan.cost=1".to_owned()]).unwrap();
        for pair in rates.as_array().unwrap() {
            let [share, rate] = [&pair[0], &pair[1]].map(|number| number.as_f64().unwrap());
            let course = config.train.schedule.clone();
            let schedule = Schedule { learning_rate: 1.0, course, done: share, planned: 1.0 };
            near(schedule.rate(0, 0), rate);
        }
    }
}

#[test]
fn a_course_over_planned_work_asks_for_a_plan() {
    let run = Run::new();
    run.start("train-linear.onnx");
    run.config(2, "batch: 4, schedule: one-cycle");
    run.image("a.png", 2, 2, &[255, 0, 0, 255]);
    run.manifest(&[("a.png", 0, 1.0)]);
    let said = run.failed("start.onnx", &[]);
    assert!(said.contains("train.schedule is `one-cycle`") && said.contains("write plan.cost"), "{said}");
    let said = run.failed("start.onnx", &["--set", "plan.cost=2"]);
    assert!(said.contains("`train.schedule: one-cycle`") && said.contains("--work-planned"), "{said}");
    run.trained("start.onnx", "out.onnx", 1, &["--set", "plan.cost=2", "--work-planned", "2"]);

    let note = "so the learning rate stays where it is";
    let said = run.trained("start.onnx", "out.onnx", 1, &["--set", "train.schedule=cosine"]);
    assert!(said.contains(note), "{said}");
    let said = run.trained("start.onnx", "out.onnx", 1, &["--set", "train.schedule=constant"]);
    assert!(!said.contains(note), "{said}");
}
