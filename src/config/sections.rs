//! Every section, key by key: its default, its range, and what must agree within the section.

use super::choosing::*;
use super::pixels;
use super::problem::Fault;
use super::programs;
use super::reader::{Section, count};
use super::templates;
use super::train::train;
use super::tree::Node;
use super::types::*;
use super::values::{BELOW_ONE, FRACTION, NOT_NEGATIVE, POSITIVE, Read, SHARE};
use super::words::{
    ClusterDistance, ClusterMode, Device, Links, ListFormat, ListPaths, Others, Policy, Precision, ScanAugment, Watch,
};
use std::time::Duration;

pub(super) const LARGEST_BATCH: u32 = 1_048_576;
pub(super) const MOST_THREADS: u32 = 4_096;
const MOST_GROUPS: u32 = 1_000_000;
/// As far as is counted how often an image was scored.
const MOST_SCORES: u32 = 255;

/// The whole config. Where something is wrong a value stands in, and the problem is in the report.
pub(super) fn config(root: &Section<'_>) -> Config {
    let trainer = programs::trainer(root);
    let needs_start = trainer.program.needs_start();
    Config {
        seed: root.or("seed", 1, "1", |node| node.count(0..=u64::MAX)),
        pool: root.section("pool", pool),
        pixels: root.section("pixels", pixels::pixels),
        cache: root.section("cache", |s| CacheConfig {
            folder: s.path("folder", "cache"),
            max_gib: s.number("max_gib", 10.0, NOT_NEGATIVE),
        }),
        model: root.section("model", |s| model(s, needs_start)),
        checkpoint: root.section("checkpoint", checkpoint),
        policy: root.word("policy", Policy::Confidence),
        initial: root.section("initial", |s| InitialConfig { fraction: s.number("fraction", 0.10, FRACTION) }),
        mine: root.section("mine", mine),
        cluster: root.section("cluster", cluster),
        extras: root.section("extras", |s| ExtrasConfig {
            share: s.number("share", 0.15, SHARE),
            exponent: s.or_auto("exponent", |node| node.number(SHARE)),
        }),
        classes: root.section("classes", |s| ClassesConfig { floor: s.number("floor", 0.0, SHARE) }),
        suspects: root.section("suspects", suspects),
        lists: root.section("lists", lists),
        trainer,
        hooks: root.section("hooks", programs::hooks),
        train: root.section("train", train),
        score: root.section("score", score),
        plan: root.section("plan", plan),
        stop: root.section("stop", stop),
        state: root.section("state", |s| StateConfig { folder: s.path("folder", "state") }),
    }
}

fn pool(s: &Section<'_>) -> PoolConfig {
    PoolConfig {
        train: s.required_path("train", "data/train.txt"),
        validation: s.required_path("validation", "data/validation.txt"),
        test: s.optional_path("test", "data/test.txt"),
        links: s.word("links", Links::Inside),
    }
}

fn model(s: &Section<'_>, needs_start: bool) -> ModelConfig {
    let (key, example) = ("start", "models/start.onnx");
    ModelConfig {
        start: if needs_start { Some(s.required_path(key, example)) } else { s.optional_path(key, example) },
        embedding: s.or("embedding", Embedding::Auto, "auto", |node| {
            Ok(match node.text()? {
                "auto" => Embedding::Auto,
                "none" => Embedding::None,
                name => Embedding::Name(name.to_owned()),
            })
        }),
    }
}

fn checkpoint(s: &Section<'_>) -> CheckpointConfig {
    let default = "epoch-{epoch}.onnx";
    CheckpointConfig {
        folder: s.path("folder", "watch"),
        pattern: s.or("pattern", default.to_owned(), default, |node| templates::pattern(node.text()?)),
        quiet: s.duration("quiet", Duration::from_secs(2), Duration::ZERO),
        watch: s.word("watch", Watch::Native),
        // Without a floor the folder would be read without a pause.
        poll: s.duration("poll", Duration::from_secs(30), Duration::from_millis(10)),
    }
}

fn mine(s: &Section<'_>) -> MineConfig {
    MineConfig {
        quota: s.or_auto("quota", |node| node.number(FRACTION)),
        budget: s.number("budget", 1.0, NOT_NEGATIVE),
        confident: s.number("confident", 0.9, FRACTION),
        stale: s.count("stale", 10, 1..=u32::MAX),
        random: s.or_auto("random", |node| node.number(FRACTION)),
        augment: s.word("augment", ScanAugment::None),
    }
}

fn suspects(s: &Section<'_>) -> SuspectsConfig {
    SuspectsConfig {
        p_label: s.number("p_label", 0.04, SHARE),
        scores: u8::try_from(s.count("scores", 2, 1..=MOST_SCORES)).unwrap_or(u8::MAX),
        mixed_up: s.number("mixed_up", 0.1, SHARE),
        keep_out: s.number("keep_out", 0.05, SHARE),
        recheck: s.count("recheck", 3, 1..=u32::MAX),
        others: s.word("others", Others::Confidence),
        reviews: s.optional_path("reviews", "reviews.csv"),
    }
}

fn cluster(s: &Section<'_>) -> ClusterConfig {
    ClusterConfig {
        mode: s.word("mode", ClusterMode::Thin),
        groups: s.count("groups", 64, 1..=MOST_GROUPS),
        distance: s.word("distance", ClusterDistance::Euclidean),
        budget: s.duration("budget", Duration::from_secs(60), Duration::ZERO),
        fraction: s.number("fraction", 0.5, FRACTION),
        duplicates: s.number("duplicates", 0.1, SHARE),
    }
}

fn lists(s: &Section<'_>) -> ListsConfig {
    let mut formats = s.or("formats", vec![ListFormat::Txt], "[txt, csv]", |node| {
        node.items("a list of formats")?.iter().map(format).collect::<Read<Vec<_>>>()
    });
    formats.push(ListFormat::Csv);
    formats.sort();
    formats.dedup();
    ListsConfig { folder: s.path("folder", "lists"), formats, paths: s.word("paths", ListPaths::Absolute) }
}

fn format(item: &Node) -> Read<ListFormat> {
    item.word().map_err(|fault| fault.of_item(item.place))
}

fn score(s: &Section<'_>) -> ScoreConfig {
    ScoreConfig {
        batch: s.or_auto("batch", |node| count(node, &(1..=LARGEST_BATCH))),
        threads: s.count("threads", 0, 0..=MOST_THREADS),
        device: s.word("device", Device::Auto),
        precision: s.word("precision", Precision::Fp32),
        max_gib: s.or_auto("max_gib", |node| node.number(POSITIVE)),
    }
}

fn plan(s: &Section<'_>) -> PlanConfig {
    let config = PlanConfig {
        cost: s.optional_number("cost", "5.0", POSITIVE),
        forward: s.number("forward", 0.17, POSITIVE),
        finish: s.number("finish", 0.0, BELOW_ONE),
    };
    if let Some(entry) = s.entry("finish")
        && s.sound(&["cost", "finish"])
        && config.finish > 0.0
        && config.cost.is_none()
    {
        let remedy = "write plan.cost, the work of which this is a share, or leave it out";
        s.blame("finish", entry.node.place, Fault::new("has no end to come before", remedy));
    }
    config
}

fn stop(s: &Section<'_>) -> StopConfig {
    StopConfig {
        accuracy: s.optional_number("accuracy", "0.95", FRACTION),
        patience: s.optional_count("patience", "5", 1..=u32::MAX),
        epochs: s.optional_count("epochs", "50", 1..=u32::MAX),
    }
}
