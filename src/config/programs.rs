//! Programs that gleaner starts: the trainer and the hooks.

use super::problem::Fault;
use super::reader::Section;
use super::templates;
use super::tree::{Node, Value};
use super::types::{HooksConfig, Trainer, TrainerProgram};
use std::time::Duration;

/// `trainer`, which is a section or a word.
pub(super) fn trainer(root: &Section<'_>) -> Trainer {
    let key = "trainer";
    let off = match root.entry(key).map(|entry| (&entry.node, entry.place)) {
        Some((node, place)) if node.is_null() => {
            let remedy = "write `none` if a script runs by itself, or leave the key out for the built-in trainer";
            root.blame(key, place, Fault::new("has no value", remedy));
            true
        }
        Some((Node { value: Value::Scalar { text, .. }, place }, _)) => {
            if text != "none" {
                let message = format!("is `{text}`, neither `none` nor a section with keys");
                root.blame(key, *place, Fault::new(message, "write `none`, or `trainer: {command: [...]}`"));
            }
            true
        }
        _ => false,
    };
    if off {
        // Its keys are made known even so, for suggestions.
        return root.absent(key, |s| Trainer { program: TrainerProgram::None, ..keys(s) });
    }
    root.section(key, keys)
}

fn keys(s: &Section<'_>) -> Trainer {
    let example = "[python3, train.py, --list, \"{list}\", --out, \"{checkpoint_out}\"]";
    let absent = "leave the key out for the built-in trainer";
    let command = command(s, "command", example, absent, &templates::PLACEHOLDERS);
    Trainer {
        program: command.map_or(TrainerProgram::BuiltIn, TrainerProgram::Command),
        attempts: s.count("attempts", 3, 1..=1_000),
        backoff: s.duration("backoff", Duration::from_secs(5), Duration::ZERO),
        timeout: s.optional("timeout", "12h", |node| node.duration(Duration::from_secs(1))),
    }
}

/// `hooks`.
pub(super) fn hooks(s: &Section<'_>) -> HooksConfig {
    let hook = |key: &str| {
        let example = "[notify-send, \"gleaner: {event}\", \"{reason}\"]";
        command(s, key, example, "leave the key out for no hook", &templates::HOOK_PLACEHOLDERS)
    };
    HooksConfig {
        on_publish: hook("on_publish"),
        on_stop: hook("on_stop"),
        on_failure: hook("on_failure"),
        timeout: s.duration("timeout", Duration::from_secs(30), Duration::from_secs(1)),
    }
}

/// A program and its arguments; each is blamed at its own place.
fn command(s: &Section<'_>, key: &str, example: &str, absent: &str, known: &[&str]) -> Option<Vec<String>> {
    s.optional(key, example, |node| {
        let arguments = node.items("a list of a program and its arguments")?;
        if arguments.is_empty() {
            return Err(Fault::new("is an empty list", absent));
        }
        Ok(arguments.iter().filter_map(|node| argument(s, key, node, known)).collect())
    })
}

fn argument(s: &Section<'_>, key: &str, node: &Node, known: &[&str]) -> Option<String> {
    let Value::Scalar { text, .. } = &node.value else {
        let message = format!("has {} among its arguments", node.describe());
        s.blame(key, node.place, Fault::new(message, "put quotes around an argument such as \"{list}\""));
        return None;
    };
    for fault in templates::argument(text, known) {
        s.blame(key, node.place, fault);
    }
    Some(text.clone())
}
