//! Values that gleaner settles by itself unless told.

use super::reader::Section;
use super::tree::{Node, Value};
use super::values::Read;
use serde::ser::{Serialize, Serializer};

/// In a config: `auto`, or a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrAuto<T> {
    /// What is best is found out.
    Auto,
    /// This.
    Of(T),
}

impl<T: Copy> OrAuto<T> {
    /// The value, or what is found out.
    pub fn unwrap_or_else(self, find_out: impl FnOnce() -> T) -> T {
        match self {
            Self::Auto => find_out(),
            Self::Of(value) => value,
        }
    }
}

impl<T: Serialize> Serialize for OrAuto<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::Of(value) => value.serialize(serializer),
        }
    }
}

impl Section<'_> {
    /// The value of a key that is `auto` unless it is written.
    pub(super) fn or_auto<T: Clone>(&self, key: &'static str, read: impl FnOnce(&Node) -> Read<T>) -> OrAuto<T> {
        self.or(key, OrAuto::Auto, "auto", |node| match &node.value {
            Value::Scalar { text, .. } if text == "auto" => Ok(OrAuto::Auto),
            _ => read(node).map(OrAuto::Of),
        })
    }
}
