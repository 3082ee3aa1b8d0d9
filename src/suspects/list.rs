//! `suspects.csv`: the suspects, most certain first, with what speaks against each.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::{Doubt, Evidence, Spared, SuspectsError};
use crate::files;
use crate::ledger::{NEVER, NONE, Samples};
use crate::pool::Pool;

/// The name of the list in the folder of the lists.
pub const LIST_FILE: &str = "suspects.csv";
/// Its columns.
pub const HEADER: [&str; 15] = [
    "path",
    "label",
    "suggested",
    "mean_p_label",
    "times_scored",
    "p_label",
    "confidence",
    "last_scored",
    "visits",
    "cluster",
    "mates",
    "mates_with_label",
    "mates_with_suggested",
    "kept_out",
    "doubt",
];

/// The suspects of a pool.
#[derive(Clone, Debug)]
pub struct Suspects<'a> {
    /// Their numbers, in any order.
    pub ids: Vec<u32>,
    /// The pool.
    pub pool: &'a Pool,
    /// What is known of it.
    pub samples: &'a Samples,
    /// What makes them suspects.
    pub evidence: &'a Evidence,
    /// Whether the unbelieved are kept out of training, but for those of classes that are spared ([`Spared`]).
    pub kept_out: bool,
    /// Whether paths are written absolute, and not as the pool's list has them.
    pub absolute: bool,
}

/// How the images that resemble a suspect are labelled: counts over the clusters that have suspects.
#[derive(Debug, Default)]
struct Mates {
    /// Images of a cluster with a label; only the pairs that are asked for.
    labelled: HashMap<(u32, u32), u32>,
    /// Images of a cluster.
    all: HashMap<u32, u32>,
}

impl Mates {
    /// Counts, for the sorted `suspects`, the images of each one's cluster, less the suspects themselves: their labels say
    /// nothing.
    fn count(pool: &Pool, samples: &Samples, suspects: &[u32]) -> Self {
        let cluster_of = |id: u32| samples.cluster.get(id as usize).copied().filter(|&cluster| cluster != NONE);
        let mut mates = Self::default();
        for &id in suspects {
            let Some(cluster) = cluster_of(id) else { continue };
            mates.all.insert(cluster, 0);
            let suggested = samples.score(id).map(|said| said.predicted);
            for label in [Some(pool.label(id)), suggested].into_iter().flatten() {
                mates.labelled.insert((cluster, label), 0);
            }
        }
        if mates.all.is_empty() {
            return mates;
        }
        for (id, cluster) in (0..pool.len()).filter_map(|id| Some((id, cluster_of(id)?))) {
            if let Some(all) = mates.all.get_mut(&cluster)
                && suspects.binary_search(&id).is_err()
            {
                *all += 1;
                if let Some(count) = mates.labelled.get_mut(&(cluster, pool.label(id))) {
                    *count += 1;
                }
            }
        }
        mates
    }

    fn with(&self, cluster: u32, label: u32) -> Option<u32> {
        self.labelled.get(&(cluster, label)).copied()
    }
}

/// Writes the list of suspects, atomically: the lowest mean of p(label) first, equal ones in the pool's order.
///
/// `suggested` is the class that the last model took the image for, and never more than a suggestion. Epochs and classes are
/// numbers; what is not known is empty. The mates are the images of its cluster, less the suspects.
///
/// # Errors
/// The file cannot be written; what stood there before is untouched.
pub fn publish(path: &Path, suspects: &Suspects<'_>) -> Result<(), SuspectsError> {
    let Suspects { pool, samples, evidence, kept_out, absolute, .. } = *suspects;
    let mut ids = suspects.ids.clone();
    ids.sort_unstable();
    let mates = Mates::count(pool, samples, &ids);
    let unbelieved: Vec<u32> = ids.iter().copied().filter(|&id| evidence.is_unbelieved(samples, id)).collect();
    let spared = Spared::of(pool, &unbelieved);
    let mean = |id: u32| samples.evidence(id, None).0;
    ids.sort_by(|&a, &b| mean(a).total_cmp(&mean(b)));
    files::publish(path, |file| {
        let mut writer = csv::Writer::from_writer(file);
        writer.write_record(HEADER)?;
        for &id in &ids {
            let (mean, times) = samples.evidence(id, None);
            let at = id as usize;
            let said = samples.score(id).filter(|said| said.predicted != NONE);
            let cluster = samples.cluster.get(at).copied().filter(|&cluster| cluster != NONE);
            let number = |value: Option<u32>| value.map(|value| value.to_string()).unwrap_or_default();
            let share = |value: Option<f32>| value.map(|value| format!("{value:.6}")).unwrap_or_default();
            let scored = samples.last_scored.get(at).filter(|&&scored| scored != NEVER);
            let suggested = said.map(|said| said.predicted);
            let doubt = evidence.against(samples, id, pool.label(id));
            let is_out = kept_out && doubt == Some(Doubt::Unbelieved) && !spared.has(pool.label(id));
            let absolute_path = absolute.then(|| pool.path(id));
            let path = absolute_path.as_ref().map_or(pool.listed(id), |path| path.as_os_str().as_bytes());
            writer.write_field(path)?;
            let cells = [
                pool.label(id).to_string(),
                number(suggested),
                share(Some(mean)),
                times.to_string(),
                share(said.map(|said| said.p_label)),
                share(said.map(|said| said.confidence)),
                scored.map(i32::to_string).unwrap_or_default(),
                samples.visits.get(at).copied().unwrap_or_default().to_string(),
                number(cluster),
                number(cluster.and_then(|cluster| mates.all.get(&cluster).copied())),
                number(cluster.and_then(|cluster| mates.with(cluster, pool.label(id)))),
                number(cluster.zip(suggested).and_then(|(cluster, suggested)| mates.with(cluster, suggested))),
                if is_out { "yes" } else { "no" }.to_owned(),
                doubt.map_or("", Doubt::word).to_owned(),
            ];
            writer.write_record(cells)?;
        }
        writer.flush()
    })?;
    Ok(())
}
