//! Looking at the folder as it is, and deciding which checkpoint is next.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use super::folder::{Found, list};
use super::sightings::Sightings;
use super::{Candidate, Evidence, Hints, Identity, NotYet, Now, Pattern, Reconciled, Rejection, Verdict, WatchError};

/// A file that does not read to its end may still be on its way, so it is given this many quiet times before it is
/// called bad. Ours, not measured: with the default of 2 s it outlasts a file server that hangs for half a minute.
const PATIENCE_IN_QUIET_TIMES: u32 = 15;

#[derive(Debug)]
struct Judgement {
    identity: Identity,
    verdict: Verdict,
}

/// Looks at one folder again and again, and remembers what it saw.
///
/// The folder alone decides; events are only a reason to look. A new `Reconciler` may be made at any time and comes to
/// the same result, after the quiet time at the latest.
#[derive(Debug)]
pub struct Reconciler {
    folder: PathBuf,
    pattern: Pattern,
    quiet: Duration,
    sightings: Sightings,
    looked_before: bool,
    judgements: BTreeMap<OsString, Judgement>,
    told: BTreeSet<OsString>,
}

impl Reconciler {
    /// A look-out for `folder`, where a file counts as complete when it has not changed for `quiet`.
    pub fn new(folder: impl Into<PathBuf>, pattern: Pattern, quiet: Duration) -> Self {
        Self {
            folder: folder.into(),
            pattern,
            quiet,
            sightings: Sightings::default(),
            looked_before: false,
            judgements: BTreeMap::new(),
            told: BTreeSet::new(),
        }
    }

    /// Takes note of what the [`Watcher`](super::Watcher) has heard: a file that was renamed to its name need not be
    /// quiet first. Call it before the next look.
    pub fn heed(&mut self, hints: &Hints) {
        for name in &hints.renamed {
            self.sightings.heard_of_rename(name.clone());
        }
    }

    /// Looks at the folder and says what is next, from epoch `wanted` on.
    ///
    /// `judge` reads a candidate that seems complete; it is asked once for each content, and once more before a
    /// candidate that was [`Verdict::Unfinished`] is given up. The newest whole candidate wins; what is older is not
    /// judged at all. A folder that is not there is empty.
    ///
    /// # Errors
    /// [`WatchError::List`] when the folder is there but cannot be listed; nothing that was remembered is lost.
    pub fn look(
        &mut self,
        wanted: u32,
        now: Now,
        judge: &mut dyn FnMut(&Candidate, Evidence) -> Verdict,
    ) -> Result<Reconciled, WatchError> {
        let listing = list(&self.folder, &self.pattern, wanted)?;
        self.remember(&listing.found, now);
        let mut reconciled = Reconciled::default();
        for name in listing.strangers.iter().filter(|name| !self.told.contains(*name)) {
            reconciled.ignored.push(self.folder.join(name));
        }
        let mut told: BTreeSet<OsString> = listing.strangers.into_iter().collect();
        for found in listing.found {
            match &reconciled.ready {
                Some(ready) if found.candidate.epoch < ready.epoch => reconciled.skipped.push(found.candidate),
                Some(_) => {
                    // A second name for the same epoch, as epoch-7.onnx beside epoch-0007.onnx.
                    if !self.told.contains(&found.name) {
                        reconciled.ignored.push(found.candidate.path);
                    }
                    told.insert(found.name);
                }
                None => self.weigh(found, now, judge, &mut reconciled),
            }
        }
        self.told = told;
        Ok(reconciled)
    }

    /// Remembers that a candidate is bad for a reason that showed only later, as in the scan; it is not offered again
    /// unless its file changes. For when it cannot be moved away.
    pub fn reject(&mut self, candidate: &Candidate, reason: impl Into<String>) {
        if let Some(name) = candidate.path.file_name() {
            let judgement = Judgement { identity: candidate.identity, verdict: Verdict::Bad(reason.into()) };
            self.judgements.insert(name.to_owned(), judgement);
        }
    }

    fn remember(&mut self, found: &[Found], now: Now) {
        let first_look = !self.looked_before;
        self.looked_before = true;
        let mut present: BTreeSet<&OsStr> = BTreeSet::new();
        for found in found {
            self.sightings.see(&found.name, found.candidate.identity.graph, now, first_look);
            present.insert(&found.name);
            if let (Some(name), Some(state)) = (&found.data_name, found.candidate.identity.data) {
                self.sightings.see(name, state, now, first_look);
                present.insert(name);
            }
        }
        self.sightings.keep_only(|name| present.contains(name));
        self.judgements.retain(|name, _| present.contains(name.as_os_str()));
    }

    /// Puts one candidate where it belongs: ready, waiting or rejected.
    fn weigh(
        &mut self,
        found: Found,
        now: Now,
        judge: &mut dyn FnMut(&Candidate, Evidence) -> Verdict,
        reconciled: &mut Reconciled,
    ) {
        let patience = self.quiet.saturating_mul(PATIENCE_IN_QUIET_TIMES);
        let patience_left = if found.marked { Duration::ZERO } else { self.remaining(&found, patience, now) };
        let candidate = found.candidate.clone();
        let known = self.judgements.get(&found.name).filter(|known| known.identity == candidate.identity);
        match known.map(|known| &known.verdict) {
            Some(Verdict::Whole) => {
                reconciled.ready = Some(candidate);
                return;
            }
            Some(Verdict::Bad(_)) => return,
            Some(Verdict::Unfinished(reason)) if !patience_left.is_zero() => {
                let reason = reason.clone();
                reconciled.waiting.push(NotYet { candidate, reason, look_again_in: patience_left });
                return;
            }
            Some(Verdict::Unfinished(_)) | None => {}
        }
        let evidence = match self.evidence(&found, now) {
            Ok(evidence) => evidence,
            Err(look_again_in) => {
                let reason = format!("it changed less than {:?} ago", self.quiet);
                reconciled.waiting.push(NotYet { candidate, reason, look_again_in });
                return;
            }
        };
        let verdict = match judge(&candidate, evidence) {
            Verdict::Unfinished(reason) if patience_left.is_zero() => Verdict::Bad(reason),
            verdict => verdict,
        };
        let identity = candidate.identity;
        match verdict.clone() {
            Verdict::Whole => reconciled.ready = Some(candidate),
            Verdict::Bad(reason) => reconciled.rejected.push(Rejection { candidate, reason }),
            Verdict::Unfinished(reason) => {
                reconciled.waiting.push(NotYet { candidate, reason, look_again_in: patience_left });
            }
        }
        self.judgements.insert(found.name, Judgement { identity, verdict });
    }

    /// What speaks for the candidate being complete, or how long until its silence does.
    fn evidence(&self, found: &Found, now: Now) -> Result<Evidence, Duration> {
        if found.marked {
            return Ok(Evidence::Marked);
        }
        let left = self.remaining(found, self.quiet, now);
        if left.is_zero() {
            return Ok(Evidence::Quiet);
        }
        // A rename vouches for the one file only: the other may still be growing beside it.
        let data_settled = found.data_name.as_ref().is_none_or(|name| {
            self.sightings.is_renamed(name) || self.sightings.remaining(name, self.quiet, now).is_zero()
        });
        if self.sightings.is_renamed(&found.name) && data_settled { Ok(Evidence::Renamed) } else { Err(left) }
    }

    fn remaining(&self, found: &Found, wanted: Duration, now: Now) -> Duration {
        let graph = self.sightings.remaining(&found.name, wanted, now);
        found.data_name.as_ref().map_or(graph, |name| graph.max(self.sightings.remaining(name, wanted, now)))
    }
}
