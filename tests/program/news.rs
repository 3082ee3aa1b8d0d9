//! What a training step tells of itself while it runs.

use std::fs;

use serde_json::{Value, json};

use super::graphs::skilled;
use super::manager::Manager;
use super::workshop::{Running, Workshop};

const CONFIG: &str = "trainer: {command: [sh, train.sh]}\nstop: {epochs: 1}\n";
/// "Trains" until it is told to go on.
const SCRIPT: &str = "
until [ -e go ]; do sleep 0.05; done
cp start.onnx \"$GLEANER_CHECKPOINT_OUT.part\"
mv \"$GLEANER_CHECKPOINT_OUT.part\" \"$GLEANER_CHECKPOINT_OUT\"
";

/// A step on six images, a tenth of the pool, that begins with these lines of shell.
fn workshop(lines: &str) -> Workshop {
    let workshop = Workshop::new(60, CONFIG);
    workshop.write("start.onnx", skilled());
    workshop.write("train.sh", format!("{lines}\n{SCRIPT}"));
    workshop
}

/// What `gleaner status` says of the step, once it does.
fn told(service: &mut Running, workshop: &Workshop) -> Value {
    service.until_next(workshop, 0);
    service.until("news of the step", || Some(workshop.status()["training"].take()).filter(|told| !told.is_null()))
}

#[test]
fn status_says_how_far_the_step_is_in_the_middle_of_it() {
    let news = r#"{"images": 1200, "total": 6000, "seconds": 3.5, "loss": 0.3125, "device": "cuda:0"}"#;
    let workshop = workshop(&format!("echo '{news}' > \"$GLEANER_PROGRESS\""));
    let mut service = workshop.serve();
    let mut told = told(&mut service, &workshop);
    assert!(told["told_s_ago"].take().is_u64());
    // 1200 / 3.5 = 342.86 images a second, and 4800 of them take 14 seconds.
    assert!((told["images_per_s"].take().as_f64().unwrap() - 342.857).abs() < 0.001);
    let text = "1,200 of 6,000 images, 343 images/s, loss 0.3125, 14s left";
    let expected = json!({
        "epoch": 0, "images": 1200, "total": 6000, "images_per_s": null, "loss": 0.3125, "seconds_left": 14.0,
        "told_s_ago": null, "text": text,
    });
    assert_eq!(told, expected);
    let said = workshop.run(&["status", "-c", "config.yaml"]).well();
    assert!(said.contains(&format!("\ntraining  {text}; told ")), "{said}");
    workshop.write("go", "");
    service.end().well();
    // What is over is not told of.
    assert_eq!(workshop.status()["training"], Value::Null);
    assert!(!workshop.path("state/progress.json").exists());
}

#[test]
fn a_step_need_not_say_more_than_how_many_images_it_has_seen() {
    let workshop = workshop("echo '{\"images\": 4}' > state/progress.json");
    let mut service = workshop.serve();
    let told = told(&mut service, &workshop);
    assert_eq!((&told["text"], &told["total"]), (&"4 of 6 images".into(), &6.into()), "its list has six");
    workshop.write("go", "");
    service.end().well();
}

#[test]
fn rubbish_is_passed_over_with_one_note() {
    let workshop = workshop("echo '{\"images\": ' > \"$GLEANER_PROGRESS\"");
    let mut service = workshop.serve();
    let note = "what the training step says of its progress is passed over";
    service.until_said(note);
    assert_eq!(workshop.status()["training"], Value::Null);
    let file = workshop.path("state/progress.json");
    for rubbish in ["x".repeat(3 << 20), "[1, 2]".to_owned(), "{\"images\": -3}".to_owned(), "{}".to_owned()] {
        workshop.write("state/progress.json", rubbish);
        assert_eq!(workshop.status()["training"], Value::Null);
    }
    fs::remove_file(&file).unwrap();
    // Nobody ever writes into this pipe.
    assert!(std::process::Command::new("mkfifo").arg(&file).status().unwrap().success());
    assert_eq!(workshop.status()["training"], Value::Null);
    fs::remove_file(&file).unwrap();
    // It may still come to its senses.
    workshop.write("state/progress.json", "{\"images\": 2, \"total\": 3, \"seconds\": -1, \"loss\": \"low\"}");
    assert_eq!(told(&mut service, &workshop)["text"], "2 of 3 images");
    workshop.write("go", "");
    let said = service.end();
    assert_eq!(said.log.matches(note).count(), 1, "{}", said.log);
    said.well();
}

#[test]
fn what_a_killed_service_leaves_is_not_taken_for_news() {
    let workshop = workshop("if [ ! -e again ]; then echo '{\"images\": 5}' > \"$GLEANER_PROGRESS\"; fi");
    let mut service = workshop.serve();
    told(&mut service, &workshop);
    workshop.write("again", "");
    service.kill();
    let mut service = workshop.serve();
    service.until("the step of the new service", || (!workshop.path("state/progress.json").exists()).then_some(()));
    assert_eq!(workshop.status()["training"], Value::Null);
    workshop.write("go", "");
    service.end().well();
}

#[test]
fn the_service_manager_hears_of_it() {
    let Some(manager) = Manager::start() else { return };
    let news = r#"{"images": 10, "total": 40, "seconds": 20, "loss": 2}"#;
    let workshop = workshop(&format!("echo '{news}' > \"$GLEANER_PROGRESS\""));
    manager.install(&workshop, "");
    manager.systemctl(&["start", "gleaner"]);
    // Half an image a second: thirty take a minute.
    let expected = "training epoch 0: 10 of 40 images, 0.5 images/s, loss 2.0000, 1m left";
    manager.until("gleaner", "StatusText", |text| text == expected);
    workshop.write("go", "");
    manager.until("gleaner", "ActiveState", |state| state == "inactive");
}
