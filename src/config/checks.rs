//! What must agree between sections.

use super::problem::{Fault, Place};
use super::reader::Report;
use super::tree::{Node, Value};
use super::types::{Config, TrainerProgram};
use std::path::{Component, Path, PathBuf};

/// Holds sections against each other, as far as each is sound by itself.
pub(super) fn check(config: &Config, root: &Node, report: &Report) {
    folders(config, root, report);
    schedule(config, root, report);
    if report.sound(&["pool.train", "pool.validation"]) && plain(&config.pool.train) == plain(&config.pool.validation) {
        let message = format!("pool.validation is `{}`, as is pool.train", config.pool.validation.display());
        let remedy = "name images that are never trained on, or the accuracy says nothing";
        report.add(place(root, "pool.validation"), "pool.validation", Fault::new(message, remedy));
    }
}

/// The built-in trainer cannot place a schedule on work that has no end.
fn schedule(config: &Config, root: &Node, report: &Report) {
    let Some(word) = config.train.schedule.needs_plan() else { return };
    let built_in = config.trainer.program == TrainerProgram::BuiltIn;
    if built_in && config.plan.cost.is_none() && report.sound(&["train.schedule", "plan.cost", "plan"]) {
        let message =
            format!("train.schedule is `{word}`, which is a course over the planned work, and none is planned");
        let remedy = "write plan.cost, or `schedule: constant`";
        report.add(place(root, "train.schedule"), "train.schedule", Fault::new(message, remedy));
    }
}

/// One folder for two purposes would have one room sweep away the files of another.
fn folders(config: &Config, root: &Node, report: &Report) {
    let folders = [
        ("cache.folder", &config.cache.folder),
        ("checkpoint.folder", &config.checkpoint.folder),
        ("lists.folder", &config.lists.folder),
        ("state.folder", &config.state.folder),
    ];
    for (index, (key, folder)) in folders.iter().enumerate() {
        let twin = folders.iter().take(index).find(|(_, other)| plain(other) == plain(folder));
        let Some((other, _)) = twin else { continue };
        if !report.sound(&[key, other]) {
            continue;
        }
        // The default is not to blame for a folder that was written.
        let place = find(root, key).unwrap_or_else(|| place(root, other));
        let message = format!("{key} and {other} are both `{}`", plain(folder).display());
        report.add(place, *key, Fault::new(message, "give each a folder of its own"));
    }
}

/// A path without what makes no difference.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| *part != Component::CurDir).collect()
}

fn place(root: &Node, key: &str) -> Place {
    find(root, key).unwrap_or(root.place)
}

/// Where the value of a dotted key stands, if it is written.
fn find(root: &Node, key: &str) -> Option<Place> {
    let node = key.split('.').try_fold(root, |node, name| match &node.value {
        Value::Mapping(entries) => entries.iter().find(|entry| entry.key == name).map(|entry| &entry.node),
        _ => None,
    })?;
    Some(node.place)
}
