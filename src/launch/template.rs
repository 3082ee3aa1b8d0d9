//! Placeholders in the arguments of a command, and what they stand for.

use std::ffi::OsString;

/// A command cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// There is nothing to run.
    #[error("{key} is empty; name a program, or leave the key out")]
    Empty {
        /// The key of the config.
        key: &'static str,
    },
    /// A placeholder that does not exist.
    #[error("{key}: \"{argument}\": there is no placeholder {{{name}}}; there are {}", all(.known))]
    Unknown {
        /// The key of the config.
        key: &'static str,
        /// The argument it stands in.
        argument: String,
        /// What stands between the braces.
        name: String,
        /// What might stand there.
        known: &'static [&'static str],
    },
}

fn all(names: &[&str]) -> String {
    names.iter().map(|name| format!("{{{name}}}")).collect::<Vec<_>>().join(" ")
}

/// What the placeholders of a command stand for.
pub trait Placeholders {
    /// The key of the config under which the command stands.
    fn key(&self) -> &'static str;

    /// The names that there are.
    fn names(&self) -> &'static [&'static str];

    /// What a name stands for; `None` if there is no such name.
    fn get(&self, name: &str) -> Option<OsString>;

    /// The same values as environment variables: `GLEANER_` and the name in capitals.
    fn variables(&self) -> Vec<(String, OsString)> {
        let variable = |name: &&str| Some((format!("GLEANER_{}", name.to_uppercase()), self.get(name)?));
        self.names().iter().filter_map(variable).collect()
    }
}

/// The arguments with every placeholder replaced, the program first. Only a name in braces is a placeholder; other braces
/// stay, and `{{` and `}}` stand for single ones. A value is put in as it is and always stays within its argument, whatever
/// blanks or quotes it has.
pub fn expand(command: &[String], values: &impl Placeholders) -> Result<Vec<OsString>, CommandError> {
    if command.first().is_none_or(String::is_empty) {
        return Err(CommandError::Empty { key: values.key() });
    }
    command.iter().map(|argument| expand_argument(argument, values)).collect()
}

/// The name in the braces that `text` begins with, and what follows them.
fn placeholder(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.strip_prefix('{')?.split_once('}')?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then_some((name, after))
}

fn expand_argument(argument: &str, values: &impl Placeholders) -> Result<OsString, CommandError> {
    let mut expanded = OsString::new();
    let mut rest = argument;
    while let Some(at) = rest.find(['{', '}']) {
        let (plain, braces) = rest.split_at(at);
        expanded.push(plain);
        if let Some(after) = braces.strip_prefix("{{") {
            expanded.push("{");
            rest = after;
        } else if let Some(after) = braces.strip_prefix("}}") {
            expanded.push("}");
            rest = after;
        } else if let Some((name, after)) = placeholder(braces) {
            let unknown = || CommandError::Unknown {
                key: values.key(),
                argument: argument.to_owned(),
                name: name.to_owned(),
                known: values.names(),
            };
            expanded.push(values.get(name).ok_or_else(unknown)?);
            rest = after;
        } else {
            // Any other brace, as in a JSON argument, is meant as it stands.
            let (brace, after) = braces.split_at(1);
            expanded.push(brace);
            rest = after;
        }
    }
    expanded.push(rest);
    Ok(expanded)
}
