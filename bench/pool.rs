//! One epoch of `confidence` at the size of a big pool, without its images: what `make bench-pool` holds against the bars.
//!
//! `bench-pool LIST FOLDER CHOICES` loads a list, makes up a scan that has seen three times as many images as are
//! to be chosen (predictions drawn at random, a seventh of them finds), and selects and publishes with the functions that
//! the service uses. It prints a line of JSON for each stage: seconds, and the resident memory after it and at its peak.
//! Run twice in the same folder, the second run begins as a restarted service does, with the samples of the first.

use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use gleaner::draw::{Draws, Stream};
use gleaner::ledger::{self, Access, EpochCommit, Ledger, Samples, Strata};
use gleaner::lists::{self, Format, Row, Rows};
use gleaner::mine;
use gleaner::pool::Pool;
use gleaner::prediction::Prediction;
use gleaner::select::{self, Candidate, Choice, Extras, Favour, Member, Stratum};

const SEED: u64 = 7;
/// Images that the scan sees for each that is chosen, and of them the share of finds.
const SEEN: usize = 3;
const FINDS: f64 = 1.0 / 7.0;
/// Of the others this share comes along, so that about as many are chosen as were asked for.
const EXTRAS: f64 = (1.0 / SEEN as f64 - FINDS) / (1.0 - FINDS);
const GROUPS: u64 = 64;
/// `mine.confident` and `mine.random`, as they are by default.
const CONFIDENT: f32 = 0.9;
const RANDOM: f64 = 0.05;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [list, folder, choices] = arguments.as_slice() else {
        return Err("usage: bench-pool LIST FOLDER CHOICES".into());
    };
    let folder = PathBuf::from(folder);
    let choices: usize = choices.parse()?;
    let mut stages = Stages::default();

    let pool = Pool::load(Path::new(list))?;
    stages.end("load")?;

    let mut ledger = Ledger::open(&folder.join("state"), Access::Write)?;
    let word = str::to_owned;
    ledger.begin_run(&ledger::Run {
        seed: SEED,
        policy: word("confidence"),
        config_digest: word("none"),
        pool_digest: word("none"),
        config_text: word("{}"),
    })?;
    let len = pool.len() as usize;
    let mut samples = ledger.read_samples(len)?.unwrap_or_else(|| Samples::new(len));
    // The checkpoint of the last list scans for the next one.
    let last = ledger.last_epoch()?.map(|last| last.commit.epoch);
    let (epoch, next) = (last.unwrap_or(0), last.map_or(0, |last| last + 1));
    stages.end("recall")?;

    let scan = Draws::new(SEED, epoch, Stream::Scan);
    let precedence = mine::Precedence::Stalest;
    let plan = mine::Plan { trained_on: epoch, epoch, precedence, stale: 1, random: RANDOM, quota: choices };
    let mut order = mine::Order::new(&plan, &samples, |_| true, |id| pool.label(id), scan);
    let mut seen: Vec<(u32, Prediction)> = Vec::new();
    loop {
        let round = order.next_round(choices.saturating_mul(SEEN) - seen.len());
        if round.is_empty() {
            break;
        }
        for id in round {
            let said = made_up(id, epoch, &pool);
            order.learn(Some(said.p_label < CONFIDENT));
            seen.push((id, said));
        }
    }
    drop(order);
    stages.end("order")?;

    let member = |&(sample, said): &(u32, Prediction)| Member {
        sample,
        cluster: u32::try_from(u64::from(said.loss.to_bits()) % GROUPS).ok(),
    };
    let candidate = |entry: &(u32, Prediction)| Candidate { member: member(entry), reach: 1.0 };
    let of = |found| seen.iter().filter(move |(_, said)| (said.p_label < CONFIDENT) == found).map(candidate);
    let (mined, known): (Vec<Candidate>, Vec<Candidate>) = (of(true).collect(), of(false).collect());
    let found = mined.len() as u64;
    let chosen =
        select::confidence(&mined, &[], &known, Extras { share: EXTRAS, exponent: 1.0 }, |_| Favour::NONE, SEED, next);
    drop((mined, known));
    let chosen = select::order(&select::cut(&chosen, usize::MAX, SEED, next), SEED, next);
    stages.end("select")?;

    for entry in &seen {
        samples.record_score(entry.0, epoch, &entry.1);
        if let Some(cluster) = member(entry).cluster {
            samples.record_cluster(entry.0, cluster);
        }
    }
    chosen.iter().for_each(|choice| samples.record_visit(choice.sample, next));
    let rows = Subset { pool: &pool, samples: &samples, choices: &chosen };
    let target = folder.join("lists");
    let published = std::thread::scope(|scope| -> Result<_, Box<dyn Error>> {
        let lists = scope.spawn(|| lists::publish_epoch(&target, next, &[Format::Txt], &[], &rows));
        let prepared = ledger.prepare_samples(&samples, &mut |id, path| {
            path.extend_from_slice(pool.listed(id));
            pool.label(id)
        })?;
        Ok((lists.join().map_err(|_| "the lists could not be published")??, prepared))
    });
    let (published, prepared) = published?;
    let commit = EpochCommit {
        epoch: next,
        lists: published.names().collect(),
        strata: Strata { mined: found, extra: chosen.len() as u64 - found, ..Strata::default() },
        scanned: seen.len() as u64,
        ..EpochCommit::default()
    };
    ledger.commit_epoch(&commit, &[], Some(prepared))?;
    lists::point_next(&target, next, &[Format::Txt])?;
    stages.end("publish")?;
    let text = fs::metadata(target.join(Format::Txt.epoch_name(next)))?.len();
    println!("{{\"pool\": {}, \"chosen\": {}, \"bytes\": {text}}}", pool.len(), chosen.len());
    Ok(())
}

/// A prediction for an image that nobody has: right or not, and about as sure as a model in the middle of its training.
fn made_up(id: u32, epoch: u32, pool: &Pool) -> Prediction {
    let draw = |stream| Draws::new(SEED, epoch, stream).unit(u64::from(id)) as f32;
    let (is_find, sureness) = (f64::from(draw(Stream::Extras)) < FINDS, draw(Stream::Augment));
    let p_label = if is_find { 0.9 * sureness } else { 0.9 + 0.1 * sureness };
    let (right, other) = (p_label >= 0.5, 1.0 - p_label);
    let label = pool.label(id);
    Prediction {
        predicted: if right { label } else { (label + 1) % pool.classes().max(1) },
        confidence: p_label.max(other),
        p_label,
        margin: p_label - other,
        loss: -p_label.max(f32::MIN_POSITIVE).ln(),
    }
}

/// The rows of the lists, made as they are written, as the service does.
struct Subset<'a> {
    pool: &'a Pool,
    samples: &'a Samples,
    choices: &'a [Choice],
}

impl Rows for Subset<'_> {
    fn count(&self) -> usize {
        self.choices.len()
    }

    fn row<'a>(&'a self, at: usize, room: &'a mut OsString) -> Option<Row<'a>> {
        let choice = self.choices.get(at)?;
        *room = self.pool.path(choice.sample).into_os_string();
        let said = self.samples.score(choice.sample);
        Some(Row {
            path: room,
            label: self.pool.label(choice.sample),
            stratum: if choice.stratum == Stratum::Mined { "mined" } else { "extra" },
            cluster: choice.cluster,
            predicted: said.map(|said| said.predicted),
            confidence: said.map(|said| said.confidence),
            margin: said.map(|said| said.margin),
            weight: choice.weight,
        })
    }
}

/// What each stage took.
struct Stages {
    start: Instant,
    /// Seconds of all cores together, at the start.
    cpu: f64,
}

impl Default for Stages {
    fn default() -> Self {
        Self { start: Instant::now(), cpu: 0.0 }
    }
}

impl Stages {
    /// Prints a line for the stage that has just ended, and begins the next.
    fn end(&mut self, stage: &str) -> Result<(), Box<dyn Error>> {
        let seconds = self.start.elapsed().as_secs_f64();
        let cpu = cpu_seconds().unwrap_or_default();
        let cpu_seconds = cpu - self.cpu;
        let status = fs::read_to_string("/proc/self/status")?;
        let mebibytes = |key: &str| -> Option<u64> {
            let line = status.lines().find(|line| line.starts_with(key))?;
            line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kibibytes| kibibytes / 1024)
        };
        let (resident, peak) = (mebibytes("VmRSS:").unwrap_or_default(), mebibytes("VmHWM:").unwrap_or_default());
        println!(
            "{{\"stage\": \"{stage}\", \"seconds\": {seconds:.3}, \"cpu_s\": {cpu_seconds:.2}, \
             \"resident_mib\": {resident}, \"peak_mib\": {peak}}}"
        );
        (self.start, self.cpu) = (Instant::now(), cpu);
        Ok(())
    }
}

/// What all threads have worked so far, from the fields utime and stime of proc(5), in hundredths of a second.
fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}
