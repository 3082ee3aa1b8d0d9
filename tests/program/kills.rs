//! `kill -9` at random moments of runs with the built-in trainer, a hundred times the service and a hundred times the
//! trainer: every run ends with the files of an undisturbed one, byte for byte, and leaves nothing else behind.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use gleaner::draw::{Draws, Stream};
use serde_json::Value;

use super::phases::{Followed, Phase};
use super::trainers::{Stage, Step, processes};
use super::workshop::{PATIENCE, Workshop};

const KILLS: usize = 100;
const POOL: usize = 800;
/// So many of the pool's images stand there once more, to be found as near-duplicates.
const COPIES: usize = 300;
/// Every killed step is an attempt.
const CONFIG: &str = "
mine: {quota: 0.15, budget: 1000.0}
cluster: {groups: 16}
lists: {formats: [txt, csv, paths, jsonl, tree]}
trainer: {attempts: 1000, backoff: 0s}
train: {batch: 16, learning_rate: 0.1, threads: 1}
score: {threads: 1, batch: 64}
plan: {forward: 0.17}
stop: {epochs: 4}
";
const FOLDERS: [&str; 4] = ["lists", "state", "watch", "cache"];
/// What says when something was, or where, or was written by several at once.
const VARIES: [&str; 5] = ["state/ledger.sqlite", "state/lock", "state/config.json", "state/report-", "cache/"];
/// A moment is drawn from a little more than a phase takes: it may take longer this time.
const MORE: f64 = 1.2;

fn workshop() -> Workshop {
    let workshop = Workshop::new(POOL, CONFIG);
    // The same paths in every run.
    let copies = Path::new(env!("CARGO_TARGET_TMPDIR")).join("copies");
    fs::create_dir_all(&copies).unwrap();
    let mut pool = workshop.read("pool.txt");
    for line in pool.clone().lines().take(COPIES) {
        let (path, label) = line.rsplit_once(' ').unwrap();
        let copy = copies.join(Path::new(path).file_name().unwrap());
        if !copy.exists() {
            fs::copy(path, &copy).unwrap();
        }
        pool += &format!("{} {label}\n", copy.display());
    }
    workshop.write("pool.txt", pool);
    workshop
}

/// What a run has left.
struct Remains {
    /// Every file and folder, with its content unless that varies.
    files: BTreeMap<String, Option<Vec<u8>>>,
    /// `gleaner status`, without durations and what went wrong on the way.
    status: Value,
}

impl Remains {
    fn of(workshop: &Workshop) -> Self {
        let mut files = BTreeMap::new();
        FOLDERS.iter().for_each(|folder| gather(workshop, folder, &mut files));
        let mut status = workshop.status();
        forget_times(&mut status);
        assert!(processes(workshop).is_empty(), "a training step has left processes");
        Self { files, status }
    }

    #[track_caller]
    fn same_as(&self, expected: &Self) {
        let [names, expected_names] = [self, expected].map(|remains| remains.files.keys().collect::<BTreeSet<_>>());
        let others: Vec<_> = names.symmetric_difference(&expected_names).collect();
        assert!(others.is_empty(), "too much or missing: {others:?}");
        for (name, content) in &self.files {
            assert!(*content == expected.files[name], "another {name}");
        }
        assert_eq!(self.status, expected.status);
    }
}

/// Every file below a folder, and links with what they point at.
fn gather(workshop: &Workshop, folder: &str, files: &mut BTreeMap<String, Option<Vec<u8>>>) {
    for entry in fs::read_dir(workshop.path(folder)).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{folder}/{}", entry.file_name().into_string().unwrap());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            gather(workshop, &name, files);
        }
        let content = if VARIES.iter().any(|varies| name.starts_with(varies)) || kind.is_dir() {
            None
        } else if kind.is_symlink() {
            Some(fs::read_link(entry.path()).unwrap().into_os_string().into_vec())
        } else {
            Some(workshop.bytes(&name))
        };
        files.insert(name, content);
    }
}

fn forget_times(status: &mut Value) {
    match status {
        Value::Object(entries) => {
            entries.retain(|key, _| !key.ends_with("_s") && key != "measured_forward" && key != "events");
            entries.values_mut().for_each(forget_times);
        }
        Value::Array(values) => values.iter_mut().for_each(forget_times),
        _ => {}
    }
}

/// A run to which nothing happens.
struct Undisturbed {
    remains: Remains,
    /// How long each phase lasted at most.
    lasted: BTreeMap<Phase, Duration>,
}

fn undisturbed() -> &'static Undisturbed {
    static RUN: OnceLock<Undisturbed> = OnceLock::new();
    RUN.get_or_init(|| {
        let workshop = workshop();
        let mut service = Followed::start(&workshop);
        service.until(Phase::Over);
        let lasted = std::mem::take(&mut service.lasted);
        service.end().well();
        let remains = Remains::of(&workshop);
        // Or else equal files say little.
        for table in ["lists/suspects.csv", "lists/duplicates.csv", "lists/epoch-0003.csv"] {
            assert!(workshop.read(table).lines().count() > 5, "{table}: {}", workshop.read(table));
        }
        assert_eq!(remains.status["epochs"].as_array().unwrap().len(), 4);
        Undisturbed { remains, lasted }
    })
}

/// Numbers from 0 to 1, others each time unless `GLEANER_KILL_SEED` says which.
fn chances(test: u32) -> impl Iterator<Item = f64> {
    let now = || SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let seed = std::env::var("GLEANER_KILL_SEED").map_or_else(|_| now(), |seed| seed.parse().unwrap());
    println!("GLEANER_KILL_SEED={seed} draws these moments");
    let draws = Draws::new(seed, test, Stream::Uniform);
    (0..).map(move |number| draws.unit(number))
}

/// Whoever looks between a kill and the next start finds lists that are whole and true.
#[track_caller]
fn stands_well(workshop: &Workshop) {
    let expected = &undisturbed().remains.files;
    let Ok(next) = fs::read(workshop.path("lists/next.txt")) else { return };
    assert!(expected.values().flatten().any(|list| *list == next), "next.txt is none of the lists");
    for epoch in workshop.status()["epochs"].as_array().unwrap() {
        for list in epoch["lists"].as_array().unwrap() {
            let name = format!("lists/{}", list["name"].as_str().unwrap());
            // The tree is a folder.
            let content = fs::read(workshop.path(&name)).ok();
            assert!(content == expected[&name] && workshop.path(&name).exists(), "another {name}");
        }
    }
}

/// One of these, drawn at random; in the second half of the kills one that was not hit yet, if there is any.
fn any<T: Copy + PartialEq>(of: &[T], hit: &[T], chance: f64) -> T {
    let missing: Vec<T> = of.iter().filter(|one| !hit.contains(one)).copied().collect();
    let of = if hit.len() < KILLS / 2 || missing.is_empty() { of } else { &missing };
    of[(chance * of.len() as f64) as usize]
}

#[test]
fn a_service_killed_at_random_moments_ends_as_if_undisturbed() {
    let (expected, mut chances, start) = (undisturbed(), chances(1), Instant::now());
    let mut chance = || chances.next().unwrap();
    let (mut killed, mut runs) = (Vec::new(), 0);
    while killed.len() < KILLS {
        let workshop = workshop();
        loop {
            let mut service = Followed::start(&workshop);
            let phase = if killed.len() < KILLS { any(&Phase::BUSY, &killed, chance()) } else { Phase::Over };
            if !service.until(phase) {
                service.end().well();
                break;
            }
            thread::sleep(expected.lasted[&phase].mul_f64(MORE * chance()));
            let Some(phase) = service.kill() else { break };
            killed.extend((phase != Phase::Over).then_some(phase));
            stands_well(&workshop);
        }
        Remains::of(&workshop).same_as(&expected.remains);
        runs += 1;
    }
    let killed = tally(killed);
    println!("{KILLS} kills of the service in {runs} runs: {killed:?}, {:.0?}", start.elapsed());
    assert!(Phase::BUSY.iter().all(|phase| killed.contains_key(phase)), "not in every phase: {killed:?}");
}

#[test]
fn a_trainer_killed_at_random_moments_leaves_the_run_as_if_undisturbed() {
    let (expected, mut chances, start) = (undisturbed(), chances(2), Instant::now());
    let (mut killed, mut runs) = (Vec::new(), 0);
    while killed.len() < KILLS {
        let workshop = workshop();
        let mut service = Followed::start(&workshop);
        let mut struck = None;
        loop {
            match service.next() {
                Phase::Over => break,
                Phase::Training => {
                    // What was struck is tried again.
                    killed.extend(struck.take());
                    if killed.len() < KILLS {
                        struck = strike(&workshop, expected.lasted[&Phase::Training], &killed, &mut chances);
                    }
                }
                // It had come to its end all the same.
                _ => struck = None,
            }
        }
        service.end().well();
        Remains::of(&workshop).same_as(&expected.remains);
        runs += 1;
    }
    let killed = tally(killed);
    println!("{KILLS} kills of the trainer in {runs} runs: {killed:?}, {:.0?}", start.elapsed());
    assert!(Stage::ALL.iter().all(|stage| killed.contains_key(stage)), "not in every stage: {killed:?}");
}

/// Kills a training step some time after a stage of it has begun, and says at which stage that was. `None` if it was left
/// alone, or had ended before.
fn strike(
    workshop: &Workshop,
    longest: Duration,
    hit: &[Stage],
    mut chances: impl Iterator<Item = f64>,
) -> Option<Stage> {
    let mut chance = || chances.next().unwrap();
    // Or else hardly an epoch would come to its end.
    if chance() < 0.1 {
        return None;
    }
    let wanted = any(&Stage::ALL, hit, chance());
    let (deadline, mut begun) = (Instant::now() + PATIENCE, false);
    loop {
        let stage = Step::of(workshop).and_then(|step| step.stage());
        begun |= stage.is_some();
        if stage >= Some(wanted) || (begun && stage.is_none()) {
            break;
        }
        assert!(Instant::now() < deadline, "no training step comes to {wanted:?}");
        thread::sleep(Duration::from_millis(1));
    }
    let lasts = match wanted {
        Stage::Doorstep => Duration::from_millis(5),
        Stage::StartUp | Stage::Training => longest / 2,
        Stage::Writing => Duration::from_millis(50),
    };
    thread::sleep(lasts.mul_f64(chance()));
    Step::of(workshop)?.kill(chance() < 0.5)
}

/// How often each comes.
fn tally<T: Ord>(all: Vec<T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    all.into_iter().for_each(|one| *counts.entry(one).or_default() += 1);
    counts
}
