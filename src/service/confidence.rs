//! The default policy: what the model does not yet get confidently right, and a share of the rest, by the freshest answer
//! for each image.

use std::time::Instant;

use super::choose::{ChooseError, Choosing, Chosen, gathered};
use crate::cluster::Clusters;
use crate::config::{ExtrasConfig, Others};
use crate::draw::{Draws, Stream};
use crate::ledger::NONE;
use crate::mine::{Ended, Harvest, Limits, Precedence, Rule, Seen};
use crate::score::Scorer;
use crate::select::{self, Candidate, Extras, Favour, Member, Stock};
use crate::spool::Numbers;

/// For the sake of its class an image counts for at most so many times what it would otherwise.
const MOST: f64 = 4.0;
/// Passes over the pool from which on a run is long. Weights took 0.4 points from a run of 6 passes on labels of which a fifth
/// were wrong, and gave 0.8 to one of 18.
const LONG: f64 = 10.0;

impl Choosing<'_> {
    /// An image is looked at by its answer, if it has one that still holds, from a training visit or an earlier scan, and
    /// else by a scan, within the budget. Of what is looked at, all that is not confidently right is mined, and of the rest
    /// a share comes along.
    ///
    /// Everything is looked at if that does not make the subset larger than the quota. If it would, the scan ends when the
    /// share of its candidates that it came to, times what all images with a fresh answer would bring, fills the quota
    /// together with what it has found; then the same share of those with a fresh answer is looked at. Where the budget ends
    /// it before that, some of the candidates are taken without a look, so many that this share of all of them is taken or
    /// looked at; where the planned work is about to end, more of those with a fresh answer are looked at instead. Where
    /// `mine.random` is below 1 a scan does not come to all of its candidates alike: weights make up for that if
    /// `extras.exponent` asks for them.
    ///
    /// A class of few images has a quota of its own ([`select::quotas`]): more of its images are looked at and drawn.
    ///
    /// Suspects that are kept out are no candidates; those that models have come to believe are.
    pub(super) fn confidence(&self, scorer: &Scorer) -> Result<Chosen, ChooseError> {
        let rule = Rule::NotConfident(self.config.mine.confident as f32);
        let rechecked = self.recheck(scorer, rule)?;
        if self.aside.kept_out > 0 && self.config.suspects.others == Others::Even {
            return Ok(self.even(rechecked));
        }
        let extras = self.extras();
        let quota = f64::from(self.quota());
        let mut order = self.order(Precedence::Stalest, self.config.mine.stale, |id| self.allows(id));
        let mut brings = 0.0;
        self.fresh(rule, |_, find| brings += if find { 1.0 } else { extras.share });
        let along = if order.is_empty() { 0.0 } else { brings / order.len() as f64 };
        let already = rechecked.as_ref().map_or(0, |rechecked| rechecked.tally.forwards);
        let limits = Limits { known: extras.share, along, unseen: true, ..Limits::of(quota) };
        let mut harvest = self.scan(scorer, rule, &mut order, limits, already)?;
        let clustering = Instant::now();
        let clusters = self.cluster((&harvest.embeddings).into(), harvest.width)?;
        let scanned_samples: Vec<u32> = harvest.seen.iter().map(|seen| seen.sample).collect();
        let embeddings = (&harvest.embeddings).into();
        let duplicates = self.duplicates(&scanned_samples, embeddings, harvest.width, &clusters.assignment)?;
        drop(scanned_samples);
        // The largest table of all, and done with.
        harvest.embeddings = Numbers::default();
        let cluster_s = clustering.elapsed().as_secs_f64();
        let selecting = Instant::now();
        let (mut mined, mut known) = scanned(&harvest, &clusters.assignment);
        for seen in rechecked.iter().flat_map(|rechecked| self.believed(rechecked)) {
            let candidate = Candidate { member: Member { sample: seen.sample, cluster: None }, reach: 1.0 };
            if seen.found { &mut mined } else { &mut known }.push(candidate);
        }
        let thinned = self.thinned(&duplicates);
        for candidates in [&mut mined, &mut known] {
            candidates.retain(|candidate| thinned.binary_search(&candidate.member.sample).is_err());
        }
        let unseen: Vec<Candidate> = (harvest.unseen.iter())
            .map(|&(sample, reach)| Candidate { member: Member { sample, cluster: None }, reach })
            .collect();
        let stocks = self.stocks(rule, mined.iter().chain(&unseen), &known);
        let (share, quotas) = select::quotas(&stocks, extras.share, quota, self.config.classes.floor);
        let quota_of = |sample: u32| quotas.get(self.pool.label(sample) as usize).copied();
        let draws = Draws::new(self.config.seed, self.epoch + 1, Stream::Fresh);
        self.fresh(rule, |member, find| {
            let reach = quota_of(member.sample).map_or(share, |quota| quota.fresh);
            if draws.unit(u64::from(member.sample)) < reach {
                if find { &mut mined } else { &mut known }.push(Candidate { member, reach: reach as f32 });
            }
        });
        // As likely as others are to be looked at, one way or the other.
        let taken = harvest.seen.len() + unseen.len();
        let common = share.max(taken as f64 / order.len().max(1) as f64);
        let favour = |sample: u32| {
            let Some(quota) = quota_of(sample) else { return Favour::NONE };
            let is_fresh = || self.samples.is_fresh(sample, self.epoch, self.config.mine.stale);
            let raised = quota.fresh > common && is_fresh();
            Favour { reach: if raised { (quota.fresh / common).min(MOST) } else { 1.0 }, share: quota.extras }
        };
        let choices = select::confidence(&mined, &unseen, &known, extras, favour, self.config.seed, self.epoch + 1);
        let choices = self.finish(choices, harvest.tally.forwards + already);
        let mut members: Vec<Member> = (harvest.seen.iter().enumerate())
            .map(|(row, seen)| Member { sample: seen.sample, cluster: clusters.assignment.get(row).copied() })
            .collect();
        if let Some(rechecked) = rechecked {
            members.extend(without_cluster(&rechecked));
            add(&mut harvest, rechecked);
        }
        let select_s = selecting.elapsed().as_secs_f64();
        let chosen = gathered(harvest, &members, clusters, self.config.cluster.distance, choices, cluster_s, select_s);
        Ok(Chosen { order: Some(order), duplicates, kept_out: self.aside.kept_out, ..chosen })
    }

    /// What is known comes back, by itself as one image like any other. In a long run on wrong labels, those that nobody
    /// suspects would come to weigh ever more, for they are never known: there every image counts as it would without a choice.
    fn extras(&self) -> Extras {
        let ExtrasConfig { share, exponent } = self.config.extras;
        let long = self.config.plan.cost.is_none_or(|passes| passes >= LONG);
        Extras { share, exponent: exponent.unwrap_or_else(|| if long && self.aside.kept_out > 0 { 1.0 } else { 0.0 }) }
    }

    /// While suspects are kept out, those that were not scored for `suspects.recheck` epochs are scored again, and with them
    /// images that could not be read.
    fn recheck(&self, scorer: &Scorer, rule: Rule) -> Result<Option<Harvest>, ChooseError> {
        if self.aside.kept_out == 0 {
            return Ok(None);
        }
        let (recheck, even) = (self.config.suspects.recheck, self.config.suspects.others == Others::Even);
        let wanted =
            |id| self.aside.keeps_out(self.samples, id) || (even && self.samples.is_unreadable(id) && self.allows(id));
        let mut order = self.order(Precedence::Stalest, recheck, wanted);
        Ok(Some(self.scan(scorer, rule, &mut order, Limits::of(f64::INFINITY), 0)?))
    }

    /// Those that models have come to believe.
    fn believed<'a>(&'a self, rechecked: &'a Harvest) -> impl Iterator<Item = &'a Seen> {
        rechecked.seen.iter().filter(|seen| {
            let left_out = self.aside.duplicates.left_out_for(self.pool, seen.sample).is_some();
            !left_out && !self.aside.evidence.would_be_unbelieved(self.samples, seen.sample, seen.prediction.p_label)
        })
    }

    /// Where suspects are kept out, the rest at random.
    fn even(&self, rechecked: Option<Harvest>) -> Chosen {
        let selecting = Instant::now();
        let harvest = rechecked.unwrap_or_default();
        let turned = self.believed(&harvest).map(|seen| seen.sample);
        let (seed, next) = (self.config.seed, self.epoch + 1);
        let others = self.allowed().filter(|&id| !self.samples.is_unreadable(id));
        let choices = select::uniform(others.chain(turned), self.quota(), seed, next);
        let choices = self.finish(choices, harvest.tally.forwards);
        let select_s = selecting.elapsed().as_secs_f64();
        let (members, distance) = (without_cluster(&harvest).collect::<Vec<_>>(), self.config.cluster.distance);
        let chosen = gathered(harvest, &members, Clusters::none(0), distance, choices, 0.0, select_s);
        Chosen { kept_out: self.aside.kept_out, ..chosen }
    }

    /// What there is of each class.
    fn stocks<'c>(&self, rule: Rule, chosen: impl Iterator<Item = &'c Candidate>, known: &[Candidate]) -> Vec<Stock> {
        let mut stocks = vec![Stock::default(); self.pool.classes() as usize];
        let mut add = |sample: u32, part: fn(&mut Stock) -> &mut f64| {
            // A person may have given it a label that the pool's list does not have.
            let label = self.pool.label(sample) as usize;
            if label >= stocks.len() {
                stocks.resize(label + 1, Stock::default());
            }
            if let Some(stock) = stocks.get_mut(label) {
                *part(stock) += 1.0;
            }
        };
        self.allowed().for_each(|sample| add(sample, |stock| &mut stock.images));
        chosen.for_each(|candidate| add(candidate.member.sample, |stock| &mut stock.mined));
        known.iter().for_each(|candidate| add(candidate.member.sample, |stock| &mut stock.known));
        self.fresh(rule, |member, find| {
            add(member.sample, if find { |stock| &mut stock.fresh_mined } else { |stock| &mut stock.fresh_known });
        });
        stocks
    }

    /// Visits the images with an answer that still holds, and says of each whether it is a find. There may be as many as
    /// the pool has, so they are not gathered.
    fn fresh(&self, rule: Rule, mut visit: impl FnMut(Member, bool)) {
        for sample in 0..self.pool.len() {
            if !self.samples.is_fresh(sample, self.epoch, self.config.mine.stale) || !self.allows(sample) {
                continue;
            }
            let Some(said) = self.samples.score(sample) else { continue };
            let cluster = self.samples.cluster.get(sample as usize).copied().filter(|&cluster| cluster != NONE);
            visit(Member { cluster, sample }, rule.finds(&said, self.pool.label(sample)));
        }
    }
}

fn without_cluster(harvest: &Harvest) -> impl Iterator<Item = Member> {
    harvest.seen.iter().map(|seen| Member { sample: seen.sample, cluster: None })
}

/// What another scan brought in, besides.
fn add(harvest: &mut Harvest, other: Harvest) {
    harvest.seen.extend(other.seen);
    harvest.skipped.extend(other.skipped);
    harvest.tally.add(&other.tally);
    if other.ended == Ended::Cancelled {
        harvest.ended = Ended::Cancelled;
    }
}

/// What the scan found, and the rest of what it saw.
fn scanned(harvest: &Harvest, clusters: &[u32]) -> (Vec<Candidate>, Vec<Candidate>) {
    let (mut mined, mut known) = (Vec::new(), Vec::new());
    for (row, seen) in harvest.seen.iter().enumerate() {
        let member = Member { sample: seen.sample, cluster: clusters.get(row).copied() };
        let candidate = Candidate { member, reach: seen.inclusion };
        if seen.found { &mut mined } else { &mut known }.push(candidate);
    }
    (mined, known)
}
