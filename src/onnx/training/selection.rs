//! Which weights a person lets train.

use super::{Reason, Role};
use crate::onnx::error::Problem;

/// The patterns of `train.freeze` and `train.only`, over the names of floating-point initializers: `*` stands for any
/// text, also for none, with dots and slashes; everything else stands for itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// What matches one of these stays as it is, whatever `only` says.
    pub freeze: Vec<String>,
    /// If there are any, what matches none of these stays as it is.
    pub only: Vec<String>,
}

impl Selection {
    /// Freezes what is not to train: weights, and running statistics of the same names.
    ///
    /// # Errors
    /// [`Problem::Pattern`] for a pattern that no name matches, and [`Problem::AllFrozen`] if nothing is left to train. What
    /// has roles is in no certain state then.
    pub fn apply<'a>(&self, roles: impl IntoIterator<Item = (&'a str, &'a mut Role)>) -> Result<(), Problem> {
        let mut roles: Vec<(&str, &mut Role)> = roles.into_iter().collect();
        for (key, patterns) in [("train.freeze", &self.freeze), ("train.only", &self.only)] {
            for pattern in patterns {
                let names = || roles.iter().map(|(name, _)| *name);
                if !names().any(|name| matches(pattern, name)) {
                    let near = nearest(pattern, names());
                    return Err(Problem::Pattern { key, pattern: pattern.clone(), near });
                }
            }
        }
        let mut frozen = false;
        for (name, role) in &mut roles {
            if !self.lets_train(name) && !role.stays() {
                **role = Role::Fixed(Reason::Frozen);
                frozen = true;
            }
        }
        let trains = roles.iter().any(|(_, role)| matches!(role, Role::Trained { .. }));
        if frozen && !trains { Err(Problem::AllFrozen) } else { Ok(()) }
    }

    fn lets_train(&self, name: &str) -> bool {
        let one_of = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, name));
        !one_of(&self.freeze) && (self.only.is_empty() || one_of(&self.only))
    }
}

/// Whether the pieces between the stars stand in the name one behind the other, the first and the last at its ends.
fn matches(pattern: &str, name: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let Some(last) = pieces.next_back() else { return rest.is_empty() };
    for piece in pieces {
        match rest.split_once(piece) {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// The three names most like a pattern, most similar first. Names of weights have much in common where they begin, and so
/// Jaro's and Winkler's measure is taken, for which that counts most.
fn nearest<'a>(pattern: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let text = pattern.replace('*', "");
    let mut near: Vec<(f64, &str)> = names.map(|name| (strsim::jaro_winkler(&text, name), name)).collect();
    near.sort_by(|(left, one), (right, other)| right.total_cmp(left).then(one.cmp(other)));
    near.into_iter().take(3).map(|(_, name)| name.to_owned()).collect()
}
