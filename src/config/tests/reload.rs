//! What a run that goes on takes over from a config that was read anew.

use super::*;

/// The keys that are taken over, and those that are left, when a config with `before` becomes one with `after`.
fn reloaded(before: &str, after: &str) -> (Vec<String>, Vec<String>) {
    let load = |lines: &str| load(&format!("{LEAST}{lines}\n"), &[]).unwrap_or_else(|error| panic!("{error}"));
    let (before, after) = (load(before), load(after));
    let Reloaded { config, taken, left } = before.reload(&after);
    // What was taken over is then as in the new config, and everything else as in the old one.
    assert_eq!((config == before, config == after), (taken.is_empty(), left.is_empty()));
    (taken, left)
}

#[test]
fn only_what_is_looked_at_time_and_again_is_taken_over() {
    let all = "\
seed: 2
policy: patent
checkpoint: {folder: elsewhere, quiet: 9s, poll: 9s}
trainer: {command: [a], attempts: 9, backoff: 9s, timeout: 9s}
hooks: {on_publish: [a], on_stop: [b], on_failure: [c], timeout: 9s}
train: {batch: 9}
plan: {cost: 9}
stop: {accuracy: 0.9, patience: 9, epochs: 9}";
    let (taken, left) = reloaded("", all);
    let expected = "checkpoint.poll checkpoint.quiet hooks.on_failure hooks.on_publish hooks.on_stop hooks.timeout \
                    stop.accuracy stop.epochs stop.patience trainer.attempts trainer.backoff trainer.timeout";
    assert_eq!(taken.join(" "), expected);
    assert_eq!(left, ["checkpoint.folder", "plan.cost", "policy", "seed", "train.batch", "trainer.command"]);
    assert_eq!(reloaded(all, all), (vec![], vec![]));
}

#[test]
fn a_trainer_that_is_none_stays_so() {
    let (taken, left) = reloaded("trainer: none", "trainer: {attempts: 9}\nstop: {epochs: 2}");
    assert_eq!(taken, ["stop.epochs"]);
    assert_eq!(left, ["trainer", "trainer.attempts", "trainer.backoff", "trainer.command", "trainer.timeout"]);
}
