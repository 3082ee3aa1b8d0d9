//! The config: YAML in, typed and validated data out.
//!
//! A person who writes a config gets every problem at once, each with its line and column and with what to do about
//! it. serde stops at the first, so the file is read into a small tree that keeps positions (`tree`), a reader takes
//! typed values out of it and collects what is wrong (`reader`, `values`), `sections` says, key by key, what there is,
//! and `checks` holds sections against each other.

mod augment;
mod auto;
mod checks;
mod choosing;
mod optimiser;
mod pixels;
mod problem;
mod programs;
mod reader;
mod reload;
mod schedule;
mod sections;
mod templates;
#[cfg(test)]
mod tests;
mod train;
mod tree;
mod types;
mod values;
mod words;

pub use augment::{AugmentConfig, CropConfig, JitterConfig, RandAugmentConfig};
pub use auto::OrAuto;
pub use choosing::*;
pub use optimiser::OptimiserConfig;
pub use problem::{ConfigError, Problem};
pub use reload::{Reloaded, changed_keys};
pub use schedule::ScheduleConfig;
pub use templates::{HOOK_PLACEHOLDERS, PLACEHOLDERS};
pub use train::TrainConfig;
pub use types::*;
pub use words::{
    ClusterDistance, ClusterMode, Crop, Device, Links, ListFormat, ListPaths, Others, Policy, Precision, Resize,
    ScanAugment, TrainPrecision, Watch, Word,
};

use problem::{Fault, Place};
use reader::Report;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use tree::Node;

/// No config is longer; what is longer is a pool or a model that was given by mistake.
const LARGEST_FILE: u64 = 1 << 18;

impl Config {
    /// Reads a config and puts `overrides` over it: `key=value` with a dotted key and a YAML value, such as
    /// `mine.quota=0.2`; of two for one key the later wins, and an empty value takes an optional key away.
    ///
    /// Paths stay as they are written: see [`Config::absolute`].
    ///
    /// # Errors
    /// All problems at once. A file that cannot be read, or that is not YAML, has no others.
    pub fn load(path: &Path, overrides: &[String]) -> Result<Self, ConfigError> {
        let report = Report::default();
        let config = read(path).and_then(|text| tree::parse(&text, Place::FILE)).map(|(mut root, duplicates)| {
            for (place, key, first) in duplicates {
                let message = format!("{key} stands here again, after line {} column {}", first.line, first.column);
                report.add(place, key, Fault::new(message, "keep one of the two"));
            }
            for (index, text) in overrides.iter().enumerate() {
                let place = Place::of_override(index);
                if let Err((key, fault)) = put(&mut root, text, place) {
                    report.add(place, key, fault);
                }
            }
            let config = reader::read(&root, &report, sections::config);
            checks::check(&config, &root, &report);
            config
        });
        let config = config.map_err(|(place, fault)| report.add(place, "", fault));
        let name = |place: Place| match (place.source, overrides.get(place.source.wrapping_sub(1))) {
            (0, _) | (_, None) if place.line == 0 => path.display().to_string(),
            (0, _) | (_, None) => format!("{}:{}:{}", path.display(), place.line, place.column),
            (_, Some(text)) => format!("--set {text}"),
        };
        match (config, report.problems(name)) {
            (Ok(config), problems) if problems.is_empty() => Ok(config),
            (_, problems) => Err(ConfigError { problems }),
        }
    }

    /// The config with every path made absolute against the current working directory.
    ///
    /// # Errors
    /// If the current working directory cannot be told.
    pub fn absolute(mut self) -> io::Result<Self> {
        let paths = [
            &mut self.pool.train,
            &mut self.pool.validation,
            &mut self.cache.folder,
            &mut self.checkpoint.folder,
            &mut self.lists.folder,
            &mut self.state.folder,
        ];
        let optional = [&mut self.pool.test, &mut self.model.start, &mut self.suspects.reviews];
        for path in paths.into_iter().chain(optional.into_iter().flatten()) {
            *path = absolute(path)?;
        }
        Ok(self)
    }

    /// The effective config, every default written out, as JSON with a fixed order of keys. It is a config itself, and
    /// two configs are equal exactly if their texts are, so that a digest of it tells whether a run goes on with the
    /// config that it began with.
    ///
    /// # Errors
    /// If a path is not UTF-8, which no path that was read from a config is.
    pub fn canonical(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }
}

fn absolute(path: &Path) -> io::Result<PathBuf> {
    std::path::absolute(path)
}

fn read(path: &Path) -> Result<String, (Place, Fault)> {
    let fault = |message: String, remedy: &str| (Place::FILE, Fault::new(message, remedy));
    let mut bytes = Vec::new();
    std::fs::File::open(path).and_then(|file| file.take(LARGEST_FILE + 1).read_to_end(&mut bytes)).map_err(
        |error| {
            let remedy = match error.kind() {
                io::ErrorKind::NotFound => "name an existing config, or start from configs/fashion-mnist.yaml",
                io::ErrorKind::PermissionDenied => "give this user the right to read it",
                _ => "name a readable file",
            };
            fault(format!("the config cannot be read: {error}"), remedy)
        },
    )?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > LARGEST_FILE) {
        return Err(fault("this is larger than any config".to_owned(), "name a config, not a pool or a model"));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
        fault(format!("line {line} is not UTF-8"), "save the config as UTF-8 text")
    })?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// Puts one override into the tree.
fn put(root: &mut Node, text: &str, place: Place) -> Result<(), (String, Fault)> {
    let Some((key, value)) = text.split_once('=') else {
        return Err((
            String::new(),
            Fault::new("there is no `=`", "write --set key=value, as in --set mine.quota=0.2"),
        ));
    };
    let keys: Vec<_> = key.trim().split('.').collect();
    if keys.iter().any(|key| key.is_empty()) {
        let remedy = "write the key with its section, as in --set mine.quota=0.2";
        return Err((String::new(), Fault::new(format!("`{key}` is no key"), remedy)));
    }
    let named = |fault| (key.trim().to_owned(), fault);
    let (node, duplicates) = tree::parse(value, place).map_err(|(_, fault)| named(fault))?;
    if let Some((_, twice, _)) = duplicates.first() {
        return Err(named(Fault::new(format!("{twice} stands twice in the value"), "keep one of the two")));
    }
    let replaced = root.set(&keys, Node { place, ..node });
    replaced.map_err(|obstacle| {
        let obstacle = if obstacle.is_empty() { "the config" } else { &obstacle };
        let message = format!("{obstacle} is no section with keys in the config");
        named(Fault::new(message, format!("set {obstacle} as a whole")))
    })
}
