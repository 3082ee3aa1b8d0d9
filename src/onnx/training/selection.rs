//! Which weights a person lets train, and makes train.

use super::{Reason, Role};
use crate::onnx::error::Problem;
use std::iter;

/// The patterns of `train.freeze`, `train.only` and `train.also`, over the names of floating-point initializers and over what
/// people call those whose names an exporter made up: `*` stands for any text, also for none, with dots and slashes;
/// everything else stands for itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// What matches one of these stays as it is, whatever `only` says.
    pub freeze: Vec<String>,
    /// If there are any, what matches none of these stays as it is.
    pub only: Vec<String>,
    /// What matches one of these trains although the rule sees no weight in it, unless one of the others keeps it. No weight
    /// decay acts on it.
    pub also: Vec<String>,
}

/// What a pattern is held against, and what becomes of it.
#[derive(Debug)]
pub struct Candidate<'a> {
    /// The initializer's name.
    pub name: &'a str,
    /// See [`super::Parameter::alias`].
    pub alias: Option<&'a str>,
    /// What becomes of it in training.
    pub role: &'a mut Role,
}

impl<'a> Candidate<'a> {
    fn names(&self) -> impl Iterator<Item = &'a str> {
        iter::once(self.name).chain(self.alias)
    }

    fn is(&self, pattern: &str) -> bool {
        self.names().any(|name| matches(pattern, name))
    }

    fn is_one_of(&self, patterns: &[String]) -> bool {
        patterns.iter().any(|pattern| self.is(pattern))
    }
}

impl Selection {
    /// Lets train what is to train besides, and freezes what is not to train: weights, and running statistics of the same
    /// names.
    ///
    /// # Errors
    /// [`Problem::Pattern`] for a pattern that no name matches, [`Problem::Also`] if nothing that one of `also` matches can
    /// train, and [`Problem::AllFrozen`] if nothing is left to train. What has roles is in no certain state then.
    pub fn apply<'a>(&self, candidates: impl IntoIterator<Item = Candidate<'a>>) -> Result<(), Problem> {
        let mut candidates: Vec<Candidate<'_>> = candidates.into_iter().collect();
        for (key, patterns) in [("train.freeze", &self.freeze), ("train.only", &self.only), ("train.also", &self.also)]
        {
            for pattern in patterns {
                if !candidates.iter().any(|candidate| candidate.is(pattern)) {
                    let near = nearest(pattern, candidates.iter().flat_map(Candidate::names));
                    return Err(Problem::Pattern { key, pattern: pattern.clone(), near });
                }
            }
        }
        for pattern in &self.also {
            train(&mut candidates, pattern)?;
        }
        let mut frozen = false;
        for candidate in &mut candidates {
            if !self.lets_train(candidate) && !candidate.role.stays() {
                *candidate.role = Role::Fixed(Reason::Frozen);
                frozen = true;
            }
        }
        let trains = candidates.iter().any(|candidate| matches!(candidate.role, Role::Trained { .. }));
        if frozen && !trains { Err(Problem::AllFrozen) } else { Ok(()) }
    }

    fn lets_train(&self, candidate: &Candidate<'_>) -> bool {
        !candidate.is_one_of(&self.freeze) && (self.only.is_empty() || candidate.is_one_of(&self.only))
    }
}

/// Lets train what a pattern of `train.also` matches.
fn train(candidates: &mut [Candidate<'_>], pattern: &str) -> Result<(), Problem> {
    let (mut trains, mut reason) = (false, None);
    for candidate in candidates.iter_mut().filter(|candidate| candidate.is(pattern)) {
        match *candidate.role {
            Role::Fixed(other) if !other.gives_way() => reason = Some(other),
            Role::Fixed(_) => {
                *candidate.role = Role::Trained { decays: false };
                trains = true;
            }
            Role::Trained { .. } => trains = true,
            Role::Running => {}
        }
    }
    if trains {
        return Ok(());
    }
    let reason = reason.map_or_else(|| "running statistics follow the batches".to_owned(), |reason| reason.to_string());
    Err(Problem::Also { pattern: pattern.to_owned(), reason })
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
