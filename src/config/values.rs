//! Typed values out of single nodes: what is wrong is said in words that follow the key's name.

use super::problem::Fault;
use super::tree::{Node, Value};
use super::words::Word;
use std::ops::{Bound, RangeInclusive};
use std::time::Duration;

/// What a value is, or why it is none; without a remedy of its own the reader shows an example.
pub(super) type Read<T> = Result<T, Fault>;

/// The range of a number.
pub(super) type Limits = (Bound<f64>, Bound<f64>);

/// Above 0 and at most 1.
pub(super) const FRACTION: Limits = (Bound::Excluded(0.0), Bound::Included(1.0));
/// From 0 to 1.
pub(super) const SHARE: Limits = (Bound::Included(0.0), Bound::Included(1.0));
/// From 0 to below 1.
pub(super) const BELOW_ONE: Limits = (Bound::Included(0.0), Bound::Excluded(1.0));
/// Above 0 and below 1.
pub(super) const INSIDE: Limits = (Bound::Excluded(0.0), Bound::Excluded(1.0));
/// At least 0.
pub(super) const NOT_NEGATIVE: Limits = (Bound::Included(0.0), Bound::Unbounded);
/// Above 0.
pub(super) const POSITIVE: Limits = (Bound::Excluded(0.0), Bound::Unbounded);

fn say(limits: Limits) -> String {
    let low = match limits.0 {
        Bound::Included(low) => format!("at least {low}"),
        Bound::Excluded(low) => format!("above {low}"),
        Bound::Unbounded => String::new(),
    };
    match limits.1 {
        Bound::Included(high) => format!("{low} and at most {high}"),
        Bound::Excluded(high) => format!("{low} and below {high}"),
        Bound::Unbounded => low,
    }
}

impl Node {
    /// What stands here, for a message.
    pub(super) fn describe(&self) -> String {
        match &self.value {
            _ if self.is_null() => "empty".to_owned(),
            Value::Scalar { text, quoted: true } => format!("the text \"{}\"", shorten(text)),
            Value::Scalar { text, .. } => format!("`{}`", shorten(text)),
            Value::Sequence(_) => "a list".to_owned(),
            Value::Mapping(_) => "a section with keys".to_owned(),
        }
    }

    fn is_not(&self, wanted: &str) -> Fault {
        Fault::new(format!("is {}, not {wanted}", self.describe()), "")
    }

    /// The text of an unquoted scalar: numbers and switches are never in quotes.
    fn plain(&self, wanted: &str) -> Read<&str> {
        match &self.value {
            Value::Scalar { text, quoted: false } => Ok(text),
            Value::Scalar { .. } => {
                let fault = self.is_not(wanted);
                Err(Fault { remedy: "take the quotes away".to_owned(), ..fault })
            }
            _ => Err(self.is_not(wanted)),
        }
    }

    /// A finite number within limits.
    pub(super) fn number(&self, limits: Limits) -> Read<f64> {
        use std::ops::RangeBounds;
        let wanted = format!("a number {}", say(limits));
        let text = self.plain(&wanted)?;
        if let Some(share) = text.strip_suffix('%').and_then(|percent| percent.trim().parse::<f64>().ok()) {
            let fault = self.is_not(&wanted);
            return Err(Fault { remedy: format!("write {} instead of the percentage", share / 100.0), ..fault });
        }
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() && limits.contains(&number) => Ok(number),
            _ => Err(self.is_not(&wanted)),
        }
    }

    /// A whole number within a range.
    pub(super) fn count(&self, range: RangeInclusive<u64>) -> Read<u64> {
        let (low, high) = (range.start(), range.end());
        let wanted = match *high {
            u64::MAX => format!("a whole number of at least {low}"),
            _ => format!("a whole number from {low} to {high}"),
        };
        let text = self.plain(&wanted)?;
        match text.parse::<u64>() {
            Ok(number) if range.contains(&number) => Ok(number),
            _ => Err(self.is_not(&wanted)),
        }
    }

    /// `true` or `false`.
    pub(super) fn flag(&self) -> Read<bool> {
        match self.plain("true or false")? {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(self.is_not("true or false")),
        }
    }

    /// Text that is not empty; what looks like a number is text here too.
    pub(super) fn text(&self) -> Read<&str> {
        match &self.value {
            Value::Scalar { text, .. } if text.contains('\0') => Err(Fault::new("holds a zero byte", "take it out")),
            Value::Scalar { text, .. } if !text.trim().is_empty() => Ok(text),
            Value::Scalar { .. } => Err(Fault::new("is empty", "")),
            _ => Err(self.is_not("text")),
        }
    }

    /// One word out of a few.
    pub(super) fn word<W: Word>(&self) -> Read<W> {
        let choices = || W::ALL.iter().map(|(word, _)| *word);
        let wanted = format!("one of {}", choices().collect::<Vec<_>>().join(", "));
        let Value::Scalar { text, .. } = &self.value else {
            return Err(self.is_not(&wanted));
        };
        if let Some((_, meaning)) = W::ALL.iter().find(|(word, _)| word == text) {
            return Ok(*meaning);
        }
        let fault = self.is_not(&wanted);
        Err(match nearest(text, choices()) {
            Some(word) => Fault { remedy: format!("did you mean `{word}`?"), ..fault },
            None => fault,
        })
    }

    /// A span of time such as `2s`, `500ms` or `1h 30m`.
    pub(super) fn duration(&self, least: Duration) -> Read<Duration> {
        let wanted = match least {
            Duration::ZERO => "a time".to_owned(),
            least => format!("a time of at least {}", humantime::format_duration(least)),
        };
        let text = self.text()?;
        match humantime::parse_duration(text.trim()) {
            // Timers add this to the present moment, which a span of centuries could overflow.
            Ok(duration) if duration > Duration::from_secs(10 * 365 * 86_400) => {
                Err(self.is_not("a time of at most ten years"))
            }
            Ok(duration) if duration >= least => Ok(duration),
            Ok(_) => Err(self.is_not(&wanted)),
            Err(_) if text.trim().parse::<f64>().is_ok() => {
                let fault = self.is_not(&wanted);
                Err(Fault { remedy: format!("say the unit, for example {}s or {0}m", text.trim()), ..fault })
            }
            Err(_) => Err(self.is_not(&format!("{wanted} with its unit"))),
        }
    }

    /// The items of a list.
    pub(super) fn items(&self, wanted: &str) -> Read<&[Node]> {
        match &self.value {
            Value::Sequence(items) => Ok(items),
            _ => Err(self.is_not(wanted)),
        }
    }

    /// A list of finite numbers within limits.
    pub(super) fn numbers(&self, wanted: &str, limits: Limits) -> Read<Vec<f64>> {
        let number = |item: &Node| item.number(limits).map_err(|fault| fault.of_item(item.place));
        self.items(wanted)?.iter().map(number).collect()
    }
}

fn shorten(text: &str) -> String {
    let shown: String = text.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(60).is_some() { format!("{shown}...") } else { shown }
}

/// The choice that was probably meant, if one is near enough to be worth a guess.
pub(super) fn nearest<'a>(written: &str, choices: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace('-', "_");
    let written = plain(written);
    // Comparing is quadratic in the lengths; nothing so long is a misspelt word.
    if written.len() > 100 {
        return None;
    }
    choices
        .map(|choice| (strsim::damerau_levenshtein(&written, &plain(choice)), choice))
        .filter(|(distance, choice)| *distance <= choice.chars().count().max(3) / 3)
        .min()
        .map(|(_, choice)| choice)
}
