//! What of a config may change while a run goes on.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Config, TrainerProgram};

/// A config that was read anew, as far as a run that goes on can take it over.
#[derive(Clone, Debug, PartialEq)]
pub struct Reloaded {
    /// What the run goes on with.
    pub config: Config,
    /// The keys that it takes over, as in `stop.epochs`.
    pub taken: Vec<String>,
    /// The keys that differ and stay as they were.
    pub left: Vec<String>,
}

impl Config {
    /// Takes over from `new` what is looked at time and again: when the run ends, how patient it is with the trainer and
    /// with checkpoints, and the hooks. Everything else decides what the run is, or is held open by it.
    pub fn reload(&self, new: &Self) -> Reloaded {
        let mut config = self.clone();
        config.stop = new.stop.clone();
        config.hooks = new.hooks.clone();
        config.checkpoint.quiet = new.checkpoint.quiet;
        config.checkpoint.poll = new.checkpoint.poll;
        // Without a trainer to start its patience is not in use, and the text of the config does not have it.
        if ![&self.trainer, &new.trainer].iter().any(|trainer| trainer.program == TrainerProgram::None) {
            config.trainer.attempts = new.trainer.attempts;
            config.trainer.backoff = new.trainer.backoff;
            config.trainer.timeout = new.trainer.timeout;
        }
        let (taken, left) = (changed(self, &config), changed(&config, new));
        Reloaded { config, taken, left }
    }
}

/// The keys in which two configs differ.
fn changed(one: &Config, other: &Config) -> Vec<String> {
    let text = |config: &Config| config.canonical().unwrap_or_default();
    changed_keys(&text(one), &text(other))
}

/// The keys in which two configs differ, as in `mine.quota`; both as [`Config::canonical`] writes them.
pub fn changed_keys(before: &str, now: &str) -> Vec<String> {
    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    let (before, now) = (flat(&parse(before), ""), flat(&parse(now), ""));
    let differs = |key: &&String| before.get(*key) != now.get(*key);
    before.keys().chain(now.keys()).collect::<BTreeSet<_>>().into_iter().filter(differs).cloned().collect()
}

fn flat(value: &Value, key: &str) -> BTreeMap<String, Value> {
    match value.as_object() {
        None => BTreeMap::from([(key.to_owned(), value.clone())]),
        Some(object) => {
            let name = |inner: &str| if key.is_empty() { inner.to_owned() } else { format!("{key}.{inner}") };
            object.iter().flat_map(|(inner, value)| flat(value, &name(inner))).collect()
        }
    }
}
