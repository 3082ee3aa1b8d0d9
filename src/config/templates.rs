//! Placeholders: `{name}` in a checkpoint's file name and in the arguments of the trainer and the hooks.
//!
//! Only a name in braces is a placeholder; other braces, as in a JSON argument, stay as they are, and doubled ones stand
//! for single ones.

use super::problem::Fault;
use super::values::{Read, nearest};

/// What a trainer's arguments may name.
pub const PLACEHOLDERS: [&str; 9] =
    ["list", "manifest", "checkpoint_in", "checkpoint_out", "scores_out", "epoch", "seed", "work_done", "work_planned"];

/// What a hook's arguments may name.
pub const HOOK_PLACEHOLDERS: [&str; 5] = ["event", "epoch", "list", "manifest", "reason"];

/// The names in braces, from left to right.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let is_name = |name: &&str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    // What stands before or behind a doubled brace is looked at by itself: a placeholder does not reach across one.
    let parts = text.split("{{").flat_map(|part| part.split("}}"));
    parts
        .flat_map(|part| part.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name))
        .filter(is_name)
}

/// Whether an argument has a placeholder of this name.
pub(super) fn mentions(text: &str, name: &str) -> bool {
    names(text).any(|found| found == name)
}

/// What is wrong with one argument of a command that may name what is `known`.
pub(super) fn argument(text: &str, known: &[&str]) -> Vec<Fault> {
    let mut faults: Vec<_> = names(text)
        .filter(|name| !known.contains(name))
        .map(|name| {
            let remedy = match nearest(name, known.iter().copied()) {
                Some(meant) => format!("did you mean {{{meant}}}?"),
                None => format!("there are {{{}}}", known.join("} {")),
            };
            Fault::new(format!("names the unknown placeholder {{{name}}}"), remedy)
        })
        .collect();
    if text.contains('\0') {
        faults.push(Fault::new("holds a zero byte", "take it out"));
    }
    faults
}

/// A checkpoint's file name: one `{epoch}`, no folder.
pub(super) fn pattern(text: &str) -> Read<String> {
    let remedy = "write a file name with one {epoch}, for example epoch-{epoch}.onnx";
    let fault = |message: String| Err(Fault::new(message, remedy));
    if let Some(other) = names(text).find(|name| *name != "epoch") {
        return fault(format!("is `{text}`, with the unknown placeholder {{{other}}}"));
    }
    match names(text).count() {
        0 => return fault(format!("is `{text}`, without {{epoch}}")),
        1 => {}
        more => return fault(format!("is `{text}`, with {{epoch}} {more} times")),
    }
    if text.contains(['/', '\\']) {
        return Err(Fault::new(
            format!("is `{text}`, with a folder in it"),
            "name the folder by checkpoint.folder, and only the file here",
        ));
    }
    Ok(text.to_owned())
}
