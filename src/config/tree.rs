//! YAML as a small tree in which every key and value knows its place.
//!
//! A config needs little of YAML: scalars, sequences and mappings. Aliases and tags are refused by name, and so is
//! deep nesting, so that no file, however strange, costs more than its own size.

use super::problem::{Fault, Place};
use saphyr_parser::{Event, Parser, ScalarStyle};

/// No key of a config lies deeper than this.
const DEEPEST: usize = 16;

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub place: Place,
    pub value: Value,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Scalar { text: String, quoted: bool },
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
}

/// A key of a mapping with its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub key: String,
    /// Where the key stands.
    pub place: Place,
    pub node: Node,
}

impl Node {
    /// Whether nothing is written here.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, quoted: false }
            if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    fn null(place: Place) -> Self {
        Self { place, value: Value::Scalar { text: String::new(), quoted: false } }
    }

    /// Puts `value` at a dotted key, making the sections on the way. Gives the place that is no section, if one is in
    /// the way.
    pub(super) fn set(&mut self, keys: &[&str], value: Node) -> Result<(), String> {
        let Some((key, rest)) = keys.split_first() else {
            *self = value;
            return Ok(());
        };
        if self.is_null() {
            self.value = Value::Mapping(Vec::new());
        }
        let Value::Mapping(entries) = &mut self.value else {
            return Err(String::new());
        };
        let place = value.place;
        if let Some(entry) = entries.iter_mut().find(|entry| entry.key == *key) {
            if rest.is_empty() {
                entry.place = place;
            }
            return entry.node.set(rest, value).map_err(|below| join(key, &below));
        }
        let mut node = Self::null(place);
        node.set(rest, value)?;
        entries.push(Entry { key: (*key).to_owned(), place, node });
        Ok(())
    }
}

/// The dotted name of `key` in `section`.
pub(super) fn join(section: &str, key: &str) -> String {
    match (section, key) {
        ("", key) => key.to_owned(),
        (section, "") => section.to_owned(),
        (section, key) => format!("{section}.{key}"),
    }
}

/// A key that stands twice in one mapping: where it stands again, its dotted name, and where it stood first.
pub(super) type Duplicate = (Place, String, Place);

/// Reads one YAML document. `place` is where the text stands: positions are kept for the file only.
pub(super) fn parse(text: &str, place: Place) -> Result<(Node, Vec<Duplicate>), (Place, Fault)> {
    let mut builder = Builder { root: None, open: Vec::new(), duplicates: Vec::new() };
    for event in Parser::new_from_str(text) {
        let at = |marker: &saphyr_parser::Marker| match place.source {
            0 => Place { source: 0, line: marker.line().max(1), column: marker.col() + 1 },
            _ => place,
        };
        match event {
            Ok((event, span)) => {
                let place = at(&span.start);
                builder.take(event, place).map_err(|fault| (place, fault))?;
            }
            Err(error) => {
                let remedy = "mind the indentation and the brackets, and put quotes around text with { } [ ] : # in it";
                return Err((at(error.marker()), Fault::new(format!("this is not YAML: {}", error.info()), remedy)));
            }
        }
    }
    Ok((builder.root.unwrap_or_else(|| Node::null(Place { line: 1, column: 1, ..place })), builder.duplicates))
}

/// A sequence or mapping whose end has not come yet.
struct Open {
    node: Node,
    /// The key whose value comes next.
    key: Option<(String, Place)>,
    /// Its own dotted name.
    name: String,
}

struct Builder {
    root: Option<Node>,
    open: Vec<Open>,
    duplicates: Vec<Duplicate>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, place: Place) -> Result<(), Fault> {
        let (value, tag) = match event {
            Event::Scalar(text, style, _, tag) => {
                let quoted = style != ScalarStyle::Plain;
                (Value::Scalar { text: text.into_owned(), quoted }, tag)
            }
            Event::SequenceStart(_, tag) => (Value::Sequence(Vec::new()), tag),
            Event::MappingStart(_, tag) => (Value::Mapping(Vec::new()), tag),
            Event::SequenceEnd | Event::MappingEnd => return self.close(),
            Event::Alias(_) => {
                return Err(Fault::new(
                    "aliases (*) are not read here",
                    "write the value out, in quotes if it begins with a star",
                ));
            }
            Event::DocumentStart(_) if self.root.is_some() => {
                return Err(Fault::new("a second document starts here", "keep one document a file"));
            }
            _ => return Ok(()),
        };
        if tag.is_some() {
            return Err(Fault::new("tags (!) are not read here", "leave the tag out"));
        }
        let node = Node { place, value };
        if matches!(node.value, Value::Scalar { .. }) {
            return self.put(node);
        }
        if self.open.len() >= DEEPEST {
            let message = format!("this is nested more than {DEEPEST} deep");
            return Err(Fault::new(message, "no key lies so deep; look for brackets too many"));
        }
        let name = match self.open.last() {
            Some(Open { name, key: Some((key, _)), .. }) => join(name, key),
            Some(Open { name, .. }) => name.clone(),
            None => String::new(),
        };
        if matches!(self.open.last(), Some(Open { node: Node { value: Value::Mapping(_), .. }, key: None, .. })) {
            return Err(Fault::new("a key is a list or a mapping", "write a plain word before the colon"));
        }
        self.open.push(Open { node, key: None, name });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Fault> {
        match self.open.pop() {
            Some(open) => self.put(open.node),
            None => Ok(()),
        }
    }

    /// Puts a finished node where it belongs: into the open collection, or at the root.
    fn put(&mut self, node: Node) -> Result<(), Fault> {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.node.value {
            Value::Sequence(items) => items.push(node),
            Value::Mapping(entries) => match (open.key.take(), node.value) {
                (Some((key, place)), value) => {
                    let node = Node { place: node.place, value };
                    match entries.iter().find(|entry| entry.key == key) {
                        Some(first) => self.duplicates.push((place, join(&open.name, &key), first.place)),
                        None => entries.push(Entry { key, place, node }),
                    }
                }
                (None, Value::Scalar { text, .. }) => open.key = Some((text, node.place)),
                (None, _) => {}
            },
            Value::Scalar { .. } => {}
        }
        Ok(())
    }
}
