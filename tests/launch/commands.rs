//! What a step is told: in its command, and in its environment.

use gleaner::launch::{CommandError, Outcome, RunningJob, Values, check, expand};

use super::steps::{shell, words};

fn values() -> Values {
    Values {
        list: "lists/epoch 7.txt".into(),
        manifest: "lists/epoch-0007.csv".into(),
        checkpoint_in: Some("watch/epoch-0006.onnx".into()),
        checkpoint_out: "watch/epoch-0007.onnx".into(),
        scores_out: "watch/epoch-0007.scores.parquet".into(),
        report: "state/report.json".into(),
        progress: "state/progress.json".into(),
        epoch: 7,
        seed: u64::MAX,
        work_done: 42_000,
        work_planned: None,
    }
}

#[test]
fn placeholders_are_replaced_within_their_argument() {
    let command = words(&[
        "python3",
        "--list={list}",
        "{manifest}",
        "{{literal}}",
        "e{epoch}s{seed}",
        "{work_done}/{work_planned}",
        "",
    ]);
    let expanded = expand(&command, &values()).unwrap();
    assert_eq!(
        expanded,
        [
            "python3",
            "--list=lists/epoch 7.txt",
            "lists/epoch-0007.csv",
            "{literal}",
            "e7s18446744073709551615",
            "42000/0",
            ""
        ]
    );
    let checkpoints = expand(&words(&["x", "{checkpoint_in}", "{checkpoint_out}", "{scores_out}"]), &values()).unwrap();
    let expected = ["x", "watch/epoch-0006.onnx", "watch/epoch-0007.onnx", "watch/epoch-0007.scores.parquet"];
    assert_eq!(checkpoints, expected);
}

#[test]
fn braces_without_a_name_in_them_stay() {
    let command = words(&["x", r#"{"lr": 0.1, "epoch": {epoch}}"#, "{", "a}b", "{}", "{not a name}"]);
    let expanded = expand(&command, &values()).unwrap();
    assert_eq!(expanded, ["x", r#"{"lr": 0.1, "epoch": 7}"#, "{", "a}b", "{}", "{not a name}"]);
}

#[test]
fn a_path_that_looks_like_a_placeholder_is_left_as_it_is() {
    let values = Values { list: "{epoch}.txt".into(), ..values() };
    assert_eq!(expand(&words(&["x", "{list}"]), &values).unwrap(), ["x", "{epoch}.txt"]);
}

#[test]
fn a_command_that_cannot_be_understood_is_refused_beforehand() {
    let empty = Err(CommandError::Empty { key: "trainer.command" });
    assert_eq!(check(&[]), empty);
    assert_eq!(check(&words(&["", "x"])), empty);
    let unknown = check(&words(&["x", "--out={chekpoint_out}"])).unwrap_err().to_string();
    assert!(unknown.contains("{chekpoint_out}") && unknown.contains("{checkpoint_out}"), "{unknown}");
    assert_eq!(check(&words(&["x", "{{", "}}", "{{list}}"])), Ok(()));
}

#[tokio::test]
async fn the_values_arrive_in_the_environment() {
    let mut job = shell(
        "echo \"$GLEANER_LIST|$GLEANER_MANIFEST|$GLEANER_CHECKPOINT_IN|$GLEANER_CHECKPOINT_OUT\"; \
         echo \"$GLEANER_EPOCH|$GLEANER_SEED|$GLEANER_WORK_DONE|$GLEANER_WORK_PLANNED|$GLEANER_REPORT|$GLEANER_PROGRESS|$GLEANER_SCORES_OUT\"",
    );
    job.environment = Values { work_planned: Some(300_000), ..values() }.environment();
    let mut running = RunningJob::start(job).unwrap();
    assert_eq!(running.wait().await, Outcome::Succeeded);
    assert_eq!(
        running.tail(),
        [
            "lists/epoch 7.txt|lists/epoch-0007.csv|watch/epoch-0006.onnx|watch/epoch-0007.onnx",
            "7|18446744073709551615|42000|300000|state/report.json|state/progress.json|watch/epoch-0007.scores.parquet",
        ]
    );
}
