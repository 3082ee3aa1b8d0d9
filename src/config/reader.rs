//! Reading typed values out of a section, collecting every problem on the way.
//!
//! A section learns its keys by being asked for them: what nobody asked for when its reading ends is unknown.

use super::problem::{Fault, Place, Problem};
use super::tree::{Entry, Node, Value, join};
use super::values::{Limits, Read, nearest};
use super::words::Word;
use std::cell::RefCell;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// The problems of one config, and the keys that were asked for.
#[derive(Default)]
pub(super) struct Report {
    found: RefCell<Vec<(Place, String, Fault)>>,
    /// Every key that exists: its section and its name.
    known: RefCell<Vec<(String, String)>>,
    /// Every key that is written and does not exist.
    unknown: RefCell<Vec<(Place, String, String)>>,
}

impl Report {
    /// Records what is wrong with `key`.
    pub(super) fn add(&self, place: Place, key: impl Into<String>, fault: Fault) {
        self.found.borrow_mut().push((place, key.into(), fault));
    }

    /// Whether nothing was found wrong with any of these keys, so that they may be held against each other.
    pub(super) fn sound(&self, keys: &[&str]) -> bool {
        self.found.borrow().iter().all(|(_, key, _)| !keys.contains(&key.as_str()))
    }

    /// Everything, in the order in which a person reads. `name` shows a place.
    pub(super) fn problems(self, name: impl Fn(Place) -> String) -> Vec<Problem> {
        let known = self.known.into_inner();
        let mut found = self.found.into_inner();
        for (place, section, key) in self.unknown.into_inner() {
            let name = join(&section, &key);
            let fault = Fault::new(format!("there is no key {name}"), suggest(&known, &section, &key));
            found.push((place, name, fault));
        }
        found.sort_by_key(|(place, ..)| *place);
        let positioned = |place: Place, number| (!place.is_override() && place.line > 0).then_some(number);
        found
            .into_iter()
            .map(|(place, key, fault)| Problem {
                place: name(place),
                key,
                line: positioned(place, place.line),
                column: positioned(place, place.column),
                message: fault.message,
                remedy: fault.remedy,
            })
            .collect()
    }
}

/// What may have been meant by an unknown key: one like it here, the same one elsewhere, or one like it elsewhere.
fn suggest(known: &[(String, String)], section: &str, key: &str) -> String {
    let here = || known.iter().filter(|(other, _)| other == section).map(|(_, name)| name.as_str());
    if let Some(name) = nearest(key, here()) {
        return format!("did you mean {}?", join(section, name));
    }
    let everywhere = nearest(key, known.iter().map(|(_, name)| name.as_str()));
    let elsewhere: Vec<_> =
        known.iter().filter(|(_, name)| Some(name.as_str()) == everywhere).map(|(at, name)| join(at, name)).collect();
    match elsewhere.is_empty() {
        false => format!("did you mean {}?", elsewhere.join(" or ")),
        true => format!("known here: {}", here().collect::<Vec<_>>().join(", ")),
    }
}

/// A mapping whose keys are being read.
pub(super) struct Section<'a> {
    report: &'a Report,
    name: String,
    place: Place,
    entries: &'a [Entry],
    /// It was no mapping: that was said, and its missing keys need no mention.
    broken: bool,
}

/// Reads the whole config.
pub(super) fn read<T>(root: &Node, report: &Report, take: impl FnOnce(&Section<'_>) -> T) -> T {
    let place = if root.place.is_override() { Place { source: 0, line: 1, column: 1 } } else { root.place };
    Section { report, name: String::new(), place, entries: &[], broken: false }.enter(root, take)
}

impl<'a> Section<'a> {
    /// Reads the section with the values of `node`.
    fn enter<T>(mut self, node: &'a Node, take: impl FnOnce(&Section<'a>) -> T) -> T {
        match &node.value {
            Value::Mapping(entries) => self.entries = entries,
            _ if node.is_null() => {}
            _ => {
                self.broken = true;
                let shown = if self.name.is_empty() { "the config" } else { &self.name };
                let message = format!("{shown} is {}, not a section with keys", node.describe());
                self.report.add(node.place, self.name.clone(), Fault::new(message, "write it as `key: value` lines"));
            }
        }
        self.leave(take)
    }

    fn leave<T>(self, take: impl FnOnce(&Section<'a>) -> T) -> T {
        let value = take(&self);
        let known = self.report.known.borrow();
        let unknown = self
            .entries
            .iter()
            .filter(|entry| !known.iter().any(|(section, name)| *section == self.name && *name == entry.key));
        for entry in unknown {
            self.report.unknown.borrow_mut().push((entry.place, self.name.clone(), entry.key.clone()));
        }
        value
    }

    /// A section of this one; absent or empty, all of its keys are absent.
    pub(super) fn section<T>(&self, key: &str, take: impl FnOnce(&Section<'_>) -> T) -> T {
        let name = join(&self.name, key);
        let at = |place: Place| if place.is_override() { self.place } else { place };
        let place = self.entry(key).map_or(self.place, |entry| at(entry.place));
        let section = Section { report: self.report, name, place, entries: &[], broken: self.broken };
        match self.entry(key) {
            Some(entry) => section.enter(&entry.node, take),
            None => section.leave(take),
        }
    }

    /// A section as if nothing were written in it.
    pub(super) fn absent<T>(&self, key: &str, take: impl FnOnce(&Section<'_>) -> T) -> T {
        let name = join(&self.name, key);
        Section { report: self.report, name, place: self.place, entries: &[], broken: true }.leave(take)
    }

    /// The key as it is written, if it is; from now on the key is known.
    pub(super) fn entry(&self, key: &str) -> Option<&'a Entry> {
        let mut known = self.report.known.borrow_mut();
        if !known.iter().any(|(section, name)| *section == self.name && name == key) {
            known.push((self.name.clone(), key.to_owned()));
        }
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// Records what is wrong with a key; the message continues after its name.
    pub(super) fn blame(&self, key: &str, place: Place, fault: Fault) {
        let name = join(&self.name, key);
        self.report.add(place, name.clone(), Fault { message: format!("{name} {}", fault.message), ..fault });
    }

    /// Blames every one of these keys that is written: they have no part in what was `chosen`, and would have one in
    /// `other`.
    pub(super) fn refuse(&self, keys: &[&str], chosen: &str, other: &str) {
        for key in keys {
            let Some(entry) = self.entry(key).filter(|entry| !entry.node.is_null()) else { continue };
            let fault = Fault::new(format!("has no part in `{chosen}`"), format!("leave it out, or write `{other}`"));
            self.blame(key, entry.node.place, fault);
        }
    }

    /// Whether nothing was found wrong with these keys of this section.
    pub(super) fn sound(&self, keys: &[&str]) -> bool {
        let names: Vec<_> = keys.iter().map(|key| join(&self.name, key)).collect();
        self.report.sound(&names.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn read<T>(&self, key: &str, node: &'a Node, example: &str, take: impl FnOnce(&'a Node) -> Read<T>) -> Option<T> {
        let fault = match take(node) {
            Ok(value) => return Some(value),
            Err(fault) => fault,
        };
        let remedy = if fault.remedy.is_empty() { format!("write for example {example}") } else { fault.remedy };
        self.blame(key, fault.place.unwrap_or(node.place), Fault { remedy, ..fault });
        None
    }

    /// A key that may be absent or empty.
    pub(super) fn optional<T>(&self, key: &str, example: &str, take: impl FnOnce(&'a Node) -> Read<T>) -> Option<T> {
        let node = &self.entry(key)?.node;
        if node.is_null() { None } else { self.read(key, node, example, take) }
    }

    /// A key with a default. Empty is a problem: a value was meant, and nobody knows which.
    pub(super) fn or<T>(&self, key: &str, default: T, shown: &str, take: impl FnOnce(&'a Node) -> Read<T>) -> T {
        let Some(Entry { node, place, .. }) = self.entry(key) else {
            return default;
        };
        if node.is_null() {
            let remedy = format!("write a value, or leave the key out for the default {shown}");
            self.blame(key, *place, Fault::new("has no value", remedy));
            return default;
        }
        self.read(key, node, shown, take).unwrap_or(default)
    }

    /// A key that must be there.
    pub(super) fn required<T>(&self, key: &str, example: &str, take: impl FnOnce(&'a Node) -> Read<T>) -> Option<T> {
        match self.entry(key) {
            Some(entry) if !entry.node.is_null() => self.read(key, &entry.node, example, take),
            _ if self.broken => None,
            entry => {
                let place = entry.map_or(self.place, |entry| entry.place);
                self.blame(key, place, Fault::new("is missing", format!("add `{key}: {example}`{}", self.within())));
                None
            }
        }
    }

    fn within(&self) -> String {
        if self.name.is_empty() { String::new() } else { format!(" under `{}:`", self.name) }
    }

    /// A number with a default.
    pub(super) fn number(&self, key: &str, default: f64, limits: Limits) -> f64 {
        self.or(key, default, &default.to_string(), |node| node.number(limits))
    }

    /// A number that may be absent.
    pub(super) fn optional_number(&self, key: &str, example: &str, limits: Limits) -> Option<f64> {
        self.optional(key, example, |node| node.number(limits))
    }

    /// A whole number with a default.
    pub(super) fn count(&self, key: &str, default: u32, range: RangeInclusive<u32>) -> u32 {
        self.or(key, default, &default.to_string(), |node| count(node, &range))
    }

    /// A whole number that may be absent.
    pub(super) fn optional_count(&self, key: &str, example: &str, range: RangeInclusive<u32>) -> Option<u32> {
        self.optional(key, example, |node| count(node, &range))
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, key: &str, default: bool) -> bool {
        self.or(key, default, &default.to_string(), Node::flag)
    }

    /// One word out of a few.
    pub(super) fn word<W: Word + Display>(&self, key: &str, default: W) -> W {
        self.or(key, default, default.word(), Node::word)
    }

    /// A path with a default.
    pub(super) fn path(&self, key: &str, default: &str) -> PathBuf {
        self.or(key, PathBuf::from(default), default, path)
    }

    /// A path that must be there.
    pub(super) fn required_path(&self, key: &str, example: &str) -> PathBuf {
        self.required(key, example, path).unwrap_or_default()
    }

    /// A path that may be absent.
    pub(super) fn optional_path(&self, key: &str, example: &str) -> Option<PathBuf> {
        self.optional(key, example, path)
    }

    /// A span of time with a default.
    pub(super) fn duration(&self, key: &str, default: Duration, least: Duration) -> Duration {
        self.or(key, default, &humantime::format_duration(default).to_string(), |node| node.duration(least))
    }
}

fn path(node: &Node) -> Read<PathBuf> {
    node.text().map(PathBuf::from)
}

/// A whole number that fits the range of a `u32`.
pub(super) fn count(node: &Node, range: &RangeInclusive<u32>) -> Read<u32> {
    let wide = u64::from(*range.start())..=u64::from(*range.end());
    node.count(wide).map(|number| u32::try_from(number).unwrap_or(*range.end()))
}
