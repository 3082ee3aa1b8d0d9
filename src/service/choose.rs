//! From a scored pool to the next subset: the policies of the design, each put together from `mine`, `cluster` and
//! `select`.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::aside::Aside;
use super::plan::Plan;
use crate::cache::Cache;
use crate::cluster::{self, ClusterError, Clusters, Points};
use crate::config::{ClusterDistance, ClusterMode, Config, Policy, Word};
use crate::draw::{Draws, Stream};
use crate::duplicates::Duplicate;
use crate::ledger::{Centroids, Samples};
use crate::mine::{Ended, Harvest, Limits, Order, Plan as OrderPlan, Precedence, Rule, Scan, ScanError, Seen};
use crate::pool::Pool;
use crate::score::Scorer;
use crate::select::{self, Choice, Member};
use crate::settings;

/// The share of a scan for mistakes that is drawn at random, so that nothing is never visited.
const WANDERING: f64 = 0.05;

/// Everything that a policy looks at.
#[derive(Debug)]
pub(super) struct Choosing<'a> {
    pub(super) config: &'a Config,
    pub(super) plan: &'a Plan,
    pub(super) pool: &'a Pool,
    pub(super) samples: &'a Samples,
    /// Images that are not for training.
    pub(super) aside: Aside<'a>,
    /// Where the groups of the list before are centred.
    pub(super) centroids: Option<Centroids>,
    /// The epoch whose checkpoint scans; the subset is for the next one.
    pub(super) epoch: u32,
    /// The epoch of the list that it was trained on: the same, unless a script that runs by itself went on with an old
    /// list.
    pub(super) trained_on: u32,
    /// The cost of all epochs so far.
    pub(super) spent: f64,
    pub(super) cancel: &'a AtomicBool,
    pub(super) cache: &'a Cache,
}

/// The next subset, and how it came about.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    /// The subset in the order in which it is published.
    pub(super) choices: Vec<Choice>,
    /// The candidates of the scan, and how probably it came to each; nothing where there was no scan.
    pub(super) order: Option<Order>,
    /// Every image that the scan has scored, in its order.
    pub(super) seen: Vec<Seen>,
    /// The cluster of each, where there are clusters.
    pub(super) clusters_of_seen: Vec<Option<u32>>,
    /// Images that could not be read.
    pub(super) skipped: Vec<(u32, String)>,
    pub(super) clusters: u32,
    pub(super) centroids: Option<Centroids>,
    pub(super) mined: u64,
    pub(super) forwards: u64,
    pub(super) scan_s: f64,
    pub(super) cluster_s: f64,
    pub(super) select_s: f64,
    pub(super) cancelled: bool,
    /// How many suspects were kept out.
    pub(super) kept_out: u64,
    /// Near-duplicates that nobody knew of.
    pub(super) duplicates: Vec<Duplicate>,
}

/// Why no subset could be chosen.
#[derive(Debug, thiserror::Error)]
pub(super) enum ChooseError {
    #[error(transparent)]
    Scan(#[from] ScanError),
    #[error("the embeddings cannot be clustered: {0}")]
    Cluster(#[from] ClusterError),
}

impl ChooseError {
    /// Whether the checkpoint is to blame, and not this machine.
    pub(super) fn blames_checkpoint(&self) -> bool {
        match self {
            Self::Scan(ScanError::Score(error)) => error.blames_checkpoint(),
            Self::Scan(ScanError::Spool(_)) => false,
            Self::Cluster(error) => matches!(error, ClusterError::NotFinite { .. }),
        }
    }
}

impl Choosing<'_> {
    /// Scans, clusters and selects as the config's policy says.
    pub(super) fn choose(&self, scorer: &Scorer) -> Result<Chosen, ChooseError> {
        if self.plan.finishes(self.config.plan.finish, self.spent) {
            return Ok(self.full());
        }
        match self.config.policy {
            Policy::Uniform => Ok(self.uniform()),
            Policy::Confidence => self.confidence(scorer),
            Policy::Patent => self.patent(scorer),
        }
    }

    /// The last part of the planned work, where one is to train on the whole pool.
    fn full(&self) -> Chosen {
        let start = Instant::now();
        let choices = self.finish(select::full(self.allowed()), 0);
        let kept_out = self.aside.kept_out;
        Chosen { choices, kept_out, select_s: start.elapsed().as_secs_f64(), ..Chosen::default() }
    }

    fn uniform(&self) -> Chosen {
        let start = Instant::now();
        let choices = select::uniform(self.allowed(), self.quota(), self.config.seed, self.epoch + 1);
        let choices = self.finish(choices, 0);
        Chosen { choices, select_s: start.elapsed().as_secs_f64(), ..Chosen::default() }
    }

    /// S3 and S4: a scan for wrong answers, at random or where they probably are, their clusters thinned or expanded.
    fn patent(&self, scorer: &Scorer) -> Result<Chosen, ChooseError> {
        let mut order = self.order(Precedence::None, 0, |id| self.allows(id));
        let quota = f64::from(self.quota());
        let harvest = self.scan(scorer, Rule::Wrong, &mut order, Limits::of(quota), 0)?;
        let clustering = Instant::now();
        let (found, others): (Vec<u32>, Vec<u32>) = (0..harvest.seen.len() as u32)
            .partition(|&row| harvest.seen.get(row as usize).is_some_and(|seen| seen.found));
        let of = |rows| Points { values: harvest.embeddings.as_ref(), only: Some(rows) };
        let clusters = self.cluster(of(&found), harvest.width)?;
        let mut assigned = clusters.assignment.iter().copied();
        let members: Vec<Member> = (harvest.seen.iter())
            .map(|seen| Member { sample: seen.sample, cluster: if seen.found { assigned.next() } else { None } })
            .collect();
        let (mined, rest) = split(&harvest.seen, &members);
        let fraction = self.config.cluster.fraction;
        let expansions = match self.config.cluster.mode {
            ClusterMode::Thin => Vec::new(),
            ClusterMode::Expand | ClusterMode::ThinExpand => {
                let counts = select::expansion_counts(&mined, clusters.groups, fraction);
                let nearest = if harvest.width == 0 {
                    Vec::new()
                } else {
                    cluster::nearest_others(
                        &clusters.centroids,
                        of(&others),
                        harvest.width,
                        settings::distance(self.config),
                        &counts,
                    )?
                };
                let sample = |row: u32| rest.get(row as usize).map(|member| member.sample);
                nearest.into_iter().map(|rows| rows.into_iter().filter_map(sample).collect()).collect()
            }
        };
        let cluster_s = clustering.elapsed().as_secs_f64();
        let selecting = Instant::now();
        let (seed, next) = (self.config.seed, self.epoch + 1);
        let choices = match self.config.cluster.mode {
            ClusterMode::Thin => select::patent_thin(&mined, fraction, seed, next),
            ClusterMode::Expand => select::patent_expand(&mined, &expansions, fraction),
            ClusterMode::ThinExpand => select::patent_thin_and_expand(&mined, &expansions, fraction, seed, next),
        };
        let choices = self.finish(reached(choices, &harvest.seen), harvest.tally.forwards);
        let select_s = selecting.elapsed().as_secs_f64();
        let chosen = gathered(harvest, &members, clusters, self.config.cluster.distance, choices, cluster_s, select_s);
        Ok(Chosen { order: Some(order), ..chosen })
    }

    /// The order in which the scan visits the images that are `allowed`, were not trained on, and have no answer that is
    /// fewer than `stale` epochs old.
    pub(super) fn order(&self, precedence: Precedence, stale: u32, allowed: impl Fn(u32) -> bool) -> Order {
        let plan = OrderPlan {
            trained_on: self.trained_on,
            epoch: self.epoch,
            precedence,
            stale,
            random: self.random(),
            quota: self.quota() as usize,
        };
        let draws = Draws::new(self.config.seed, self.epoch, Stream::Scan);
        Order::new(&plan, self.samples, allowed, |id| self.pool.label(id), draws)
    }

    /// The share of a scan that is drawn at random.
    ///
    /// Where mistakes are all that is wanted, they are found with half of the looks where they probably are. `confidence` wants
    /// whatever is in doubt: the likeliest of it is all alike, and runs of half a pass that looked there first were worse for it,
    /// while longer ones come to look at everything anyhow (bench/results/tried.md).
    fn random(&self) -> f64 {
        let everywhere = self.config.policy == Policy::Confidence;
        self.config.mine.random.unwrap_or_else(|| if everywhere { 1.0 } else { WANDERING })
    }

    /// Scans within these limits, of which that on forwards is the budget, less those that there were `already`. Where the
    /// budget is what bounds it, and not the end of the planned work, unseen images may make up for what it cannot pay for.
    pub(super) fn scan(
        &self,
        scorer: &Scorer,
        rule: Rule,
        order: &mut Order,
        limits: Limits,
        already: u64,
    ) -> Result<Harvest, ScanError> {
        let spent = self.spent + self.reserved() + self.plan.cost(0, already);
        let (budget, feeds) = (self.config.mine.budget, self.quota() as usize);
        let forwards = self.plan.forwards(budget, feeds, spent);
        let forwards = forwards.saturating_sub(usize::try_from(already).unwrap_or(usize::MAX));
        tracing::info!(epoch = self.epoch, candidates = order.len(), wanted = limits.quota, forwards, "scanning");
        let unseen = limits.unseen && !self.plan.runs_short(budget, feeds, spent);
        let limits = Limits { forwards, unseen, ..limits };
        let augment = settings::scan_augment(self.config, self.epoch);
        let folder = &self.config.state.folder;
        Scan { pool: self.pool, rule, limits, augment, cancel: self.cancel, folder }.run(scorer, order)
    }

    /// Groups of embeddings; no groups where the model gives none out.
    pub(super) fn cluster(&self, embeddings: Points<'_>, width: usize) -> Result<Clusters, ClusterError> {
        if width == 0 {
            return Ok(Clusters::none(0));
        }
        let options = settings::clustering(self.config, self.epoch);
        let distance = self.config.cluster.distance.word();
        // Those of another network, or of another distance, say nothing here.
        let last = self.centroids.as_ref().filter(|last| last.dims as usize == width && last.distance == distance);
        let clusters = cluster::kmeans_after(last.map_or(&[], |last| &last.values), embeddings, width, &options)?;
        tracing::info!(
            embeddings = clusters.assignment.len(),
            groups = clusters.in_use(),
            iterations = clusters.iterations,
            continued = clusters.continued,
            "clustered"
        );
        Ok(clusters)
    }

    /// Cuts the choices to what the plan still pays for after the scan, and orders them.
    pub(super) fn finish(&self, choices: Vec<Choice>, forwards: u64) -> Vec<Choice> {
        let (seed, next) = (self.config.seed, self.epoch + 1);
        let affordable = self.plan.visits_left(self.spent + self.reserved() + self.plan.cost(0, forwards));
        select::order(&select::cut(&choices, affordable, seed, next), seed, next)
    }

    /// Whether an image may be trained on.
    pub(super) fn allows(&self, id: u32) -> bool {
        self.aside.allows(self.samples, id)
    }

    /// All such images.
    pub(super) fn allowed(&self) -> impl Iterator<Item = u32> {
        (0..self.pool.len()).filter(|&id| self.allows(id))
    }

    /// Work that is not to be spent yet: that of the last part of the plan, until it begins.
    fn reserved(&self) -> f64 {
        self.plan.reserved(self.config.plan.finish, self.spent)
    }

    /// How large the next subset is to be.
    pub(super) fn quota(&self) -> u32 {
        select::share_count(self.pool.len(), self.plan.quota(self.config))
    }
}

/// A choice among what was scanned has the probability of being scanned besides its own.
fn reached(mut choices: Vec<Choice>, seen: &[Seen]) -> Vec<Choice> {
    let scanned: HashMap<u32, f32> = seen.iter().map(|seen| (seen.sample, seen.inclusion)).collect();
    for choice in &mut choices {
        choice.inclusion *= scanned.get(&choice.sample).copied().map_or(1.0, f64::from);
    }
    choices
}

/// The members that are finds, and the others.
fn split(seen: &[Seen], members: &[Member]) -> (Vec<Member>, Vec<Member>) {
    let of = |found| seen.iter().zip(members).filter(move |(seen, _)| seen.found == found).map(|(_, member)| *member);
    (of(true).collect(), of(false).collect())
}

/// What comes of a scan, its clusters and the choices.
pub(super) fn gathered(
    harvest: Harvest,
    members: &[Member],
    clusters: Clusters,
    distance: ClusterDistance,
    choices: Vec<Choice>,
    cluster_s: f64,
    select_s: f64,
) -> Chosen {
    Chosen {
        choices,
        order: None,
        kept_out: 0,
        duplicates: Vec::new(),
        mined: harvest.found() as u64,
        clusters_of_seen: members.iter().map(|member| member.cluster).collect(),
        clusters: clusters.in_use() as u32,
        centroids: (clusters.groups > 0).then(|| Centroids {
            distance: distance.word().to_owned(),
            dims: clusters.dims as u32,
            values: clusters.centroids,
        }),
        forwards: harvest.tally.forwards,
        scan_s: harvest.tally.elapsed.as_secs_f64(),
        cancelled: harvest.ended == Ended::Cancelled,
        skipped: harvest.skipped,
        seen: harvest.seen,
        cluster_s,
        select_s,
    }
}
