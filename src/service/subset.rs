//! The rows of an epoch's lists, made from what is in memory anyway.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use crate::config::{Config, ListPaths};
use crate::ledger::{NONE, Samples};
use crate::lists::{self, ListError, Row, Rows};
use crate::pool::Pool;
use crate::prediction::Prediction;
use crate::select::Choice;
use crate::settings;

/// A subset as it stands in lists.
#[derive(Debug)]
pub(super) struct Subset<'a> {
    pub(super) pool: &'a Pool,
    /// With the scores of this scan noted in it.
    pub(super) samples: &'a Samples,
    /// In the order in which they are published.
    pub(super) choices: &'a [Choice],
    /// The epoch whose checkpoint this subset was chosen by, if one was, and how many epochs an answer counts: only such
    /// answers stand in the manifest.
    pub(super) chosen_by: Option<(u32, u32)>,
    pub(super) paths: ListPaths,
}

impl Subset<'_> {
    /// The answer for an image that this subset was chosen by, if there was one.
    fn said(&self, sample: u32) -> Option<Prediction> {
        let (epoch, stale) = self.chosen_by?;
        let scored = self.samples.last_scored.get(usize::try_from(sample).ok()?).copied()?;
        let age = epoch.checked_sub(u32::try_from(scored).ok()?)?;
        self.samples.score(sample).filter(|said| age < stale && said.predicted != NONE)
    }
}

impl Rows for Subset<'_> {
    fn count(&self) -> usize {
        self.choices.len()
    }

    fn row<'a>(&'a self, at: usize, room: &'a mut OsString) -> Option<Row<'a>> {
        let choice = self.choices.get(at)?;
        let path = path(self.pool, choice.sample, self.paths, room);
        let said = self.said(choice.sample);
        Some(Row {
            path,
            label: self.pool.label(choice.sample),
            stratum: choice.stratum.as_str(),
            cluster: choice.cluster,
            predicted: said.map(|said| said.predicted),
            confidence: said.map(|said| said.confidence),
            margin: said.map(|said| said.margin),
            weight: choice.weight,
        })
    }
}

/// The path of an image as it stands in lists.
fn path<'a>(pool: &'a Pool, sample: u32, paths: ListPaths, room: &'a mut OsString) -> &'a OsStr {
    match paths {
        ListPaths::Listed => OsStr::from_bytes(pool.listed(sample)),
        ListPaths::Absolute => {
            *room = pool.path(sample).into_os_string();
            room
        }
    }
}

/// Refuses a pool of which some image could not be listed once it is chosen.
///
/// # Errors
/// [`ListError::Names`].
pub fn check_names(config: &Config, pool: &Pool) -> Result<(), ListError> {
    let plain_root = lists::is_plain(pool.root().as_os_str().as_bytes());
    let odd = (0..pool.len()).filter(|&id| !(plain_root && lists::is_plain(pool.listed(id))));
    let paths = odd.map(|id| path(pool, id, config.lists.paths, &mut OsString::new()).to_owned());
    lists::check_names(&settings::list_formats(config), paths)
}
