//! Configs that load, and what they say.

use super::*;
use std::time::Duration;

#[test]
fn the_least_config_has_the_documented_defaults() {
    let config = load(LEAST, &[]).unwrap();
    assert_eq!(config.seed, 1);
    assert_eq!(config.pool.train, Path::new("a.txt"));
    assert_eq!(config.pool.validation, Path::new("b.txt"));
    assert_eq!(config.pool.test, None);
    assert_eq!(config.pool.links, Links::Inside);
    assert_eq!(config.pixels.size, [28, 32]);
    assert_eq!(config.pixels.channels, 3);
    assert_eq!(config.pixels.mean, [0.5, 0.5, 0.5]);
    assert_eq!(config.pixels.std, [0.5, 0.5, 0.5]);
    assert_eq!((config.pixels.resize, config.pixels.crop), (Resize::Bilinear, Crop::Center));
    assert_eq!(config.pixels.crop_fraction, 1.0);
    let crop = CropConfig { scale: None, ratio: [0.75, 4.0 / 3.0] };
    let jitter = JitterConfig { brightness: 0.0, contrast: 0.0, saturation: 0.0, hue: 0.0 };
    let randaugment = RandAugmentConfig { operations: 0, magnitude: 9 };
    let augment = AugmentConfig { flip: false, pad: 0, crop, jitter, randaugment, erase: 0.0 };
    assert_eq!(config.pixels.augment, augment);
    assert_eq!((config.pixels.max_megapixels, config.pixels.max_file_mib), (100.0, 256.0));
    assert_eq!(config.cache, CacheConfig { folder: "cache".into(), max_gib: 10.0 });
    assert_eq!(config.model, ModelConfig { start: Some("m.onnx".into()), embedding: Embedding::Auto });
    let checkpoint = CheckpointConfig {
        folder: "watch".into(),
        pattern: "epoch-{epoch}.onnx".to_owned(),
        quiet: Duration::from_secs(2),
        watch: Watch::Native,
        poll: Duration::from_secs(30),
    };
    assert_eq!(config.checkpoint, checkpoint);
    assert_eq!(config.policy, Policy::Confidence);
    assert_eq!(config.initial.fraction, 0.10);
    let mine = MineConfig {
        quota: OrAuto::Auto,
        budget: 1.0,
        confident: 0.9,
        stale: 10,
        random: OrAuto::Auto,
        augment: ScanAugment::None,
    };
    assert_eq!(config.mine, mine);
    let cluster = ClusterConfig {
        mode: ClusterMode::Thin,
        groups: 64,
        distance: ClusterDistance::Euclidean,
        budget: Duration::from_secs(60),
        fraction: 0.5,
        duplicates: 0.1,
    };
    assert_eq!(config.cluster, cluster);
    assert_eq!(config.extras, ExtrasConfig { share: 0.15, exponent: OrAuto::Auto });
    assert_eq!(config.classes, ClassesConfig { floor: 0.0 });
    let suspects = SuspectsConfig {
        p_label: 0.04,
        scores: 2,
        mixed_up: 0.1,
        keep_out: 0.05,
        recheck: 3,
        others: Others::Confidence,
        reviews: None,
    };
    assert_eq!(config.suspects, suspects);
    let formats = vec![ListFormat::Txt, ListFormat::Csv];
    assert_eq!(config.lists, ListsConfig { folder: "lists".into(), formats, paths: ListPaths::Absolute });
    let backoff = Duration::from_secs(5);
    assert_eq!(config.trainer, Trainer { program: TrainerProgram::BuiltIn, attempts: 3, backoff, timeout: None });
    let hooks = HooksConfig { on_publish: None, on_stop: None, on_failure: None, timeout: Duration::from_secs(30) };
    assert_eq!(config.hooks, hooks);
    let train = TrainConfig {
        batch: 128,
        accumulate: 1,
        optimiser: OptimiserConfig::Sgd { momentum: 0.9, nesterov: false },
        learning_rate: 0.05,
        weight_decay: 0.0005,
        schedule: ScheduleConfig::Cosine { warmup: 0.05 },
        label_smoothing: 0.0,
        clip_norm: None,
        ema: None,
        threads: 0,
        precision: TrainPrecision::Fp32,
        channels_last: true,
        freeze: None,
        only: None,
        also: None,
        mixup: 0.0,
        cutmix: 0.0,
        mix_probability: 1.0,
    };
    assert_eq!(config.train, train);
    assert_eq!(
        config.score,
        ScoreConfig {
            batch: OrAuto::Auto,
            threads: 0,
            device: Device::Auto,
            precision: Precision::Fp32,
            max_gib: OrAuto::Auto,
        }
    );
    assert_eq!(config.plan, PlanConfig { cost: None, forward: 0.17, finish: 0.0 });
    assert_eq!(config.stop, StopConfig { accuracy: None, patience: None, epochs: None });
    assert_eq!(config.state.folder, Path::new("state"));
}

#[test]
fn the_example_loads_and_says_what_its_comments_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/fashion-mnist.yaml");
    let config = Config::load(&path, &[]).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config.pixels.size, [28, 28]);
    assert_eq!((config.pixels.mean, config.pixels.std), (vec![0.286], vec![0.353]));
    assert_eq!(config.plan.cost, Some(1.5));
    assert_eq!(config.trainer.timeout, Some(Duration::from_secs(3600)));
    assert_eq!(config.stop, StopConfig { accuracy: Some(0.95), patience: Some(10), epochs: Some(50) });
    // A default that the comments name in brackets is the true one.
    let text = std::fs::read_to_string(&path).unwrap();
    for (key, default) in [("stale: 10", "[10]"), ("groups: 64", "[64]"), ("momentum: 0.9", "[0.9]")] {
        let line = text.lines().find(|line| line.trim_start().starts_with(key)).unwrap();
        assert!(line.contains(default), "{line}");
    }
}

#[test]
fn every_kind_of_value_is_read() {
    let config = load(
        "\
seed: 18446744073709551615
pool: {train: 7, validation: 'with blank.txt', test: t, links: anywhere}
pixels: {size: [1, 2], channels: 1, mean: [0], std: [1], resize: lanczos, crop: center, crop_fraction: 0.875,
         augment: {flip: true, pad: 4, crop: {ratio: [0.5, 2]}, jitter: {brightness: 0.4, contrast: 1.5},
                   randaugment: {operations: 2, magnitude: 30}, erase: 0.25}, max_megapixels: 0.5, max_file_mib: 1.5}
model: {start: m.onnx, embedding: /features/Flatten_output_0}
checkpoint: {pattern: \"run-{epoch}.onnx\", quiet: 1m 30s, watch: poll, poll: 500ms}
policy: patent
cache: {folder: /var/cache/gleaner, max_gib: 0.5}
mine: {quota: 1, budget: 0, augment: train}
score: {max_gib: 1.5}
cluster: {mode: thin+expand, distance: cosine, budget: 1m 30s}
lists: {formats: [tree, jsonl, jsonl], paths: listed}
trainer:
  command: [./train, --lr, 0.1, '{\"a\": {}}', 'x={epoch}', \"{list}\"]
  timeout: 2h
hooks: {on_stop: [mail, -s, '{event} {{x}}', '{reason}'], timeout: 1m}
train: {freeze: [\"*.bn1.*\"], only: [layer4.*, '*fc*', onnx::Conv_12], also: ['*.latent']}
plan: {cost: 12}
",
        &[],
    );
    let config = config.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config.seed, u64::MAX);
    assert_eq!(config.pool.train, Path::new("7"));
    assert_eq!(config.pool.validation, Path::new("with blank.txt"));
    assert_eq!(config.pool.test.as_deref(), Some(Path::new("t")));
    assert_eq!(config.pool.links, Links::Anywhere);
    assert_eq!((config.pixels.mean, config.pixels.std), (vec![0.0], vec![1.0]));
    assert_eq!((config.pixels.max_megapixels, config.pixels.max_file_mib), (0.5, 1.5));
    assert_eq!(config.checkpoint.watch, Watch::Poll);
    let crop = CropConfig { scale: None, ratio: [0.5, 2.0] };
    let jitter = JitterConfig { brightness: 0.4, contrast: 1.5, saturation: 0.0, hue: 0.0 };
    let randaugment = RandAugmentConfig { operations: 2, magnitude: 30 };
    let augment = AugmentConfig { flip: true, pad: 4, crop, jitter, randaugment, erase: 0.25 };
    assert_eq!(config.pixels.augment, augment);
    assert_eq!(config.cache, CacheConfig { folder: "/var/cache/gleaner".into(), max_gib: 0.5 });
    assert_eq!(config.model.embedding, Embedding::Name("/features/Flatten_output_0".to_owned()));
    assert_eq!(config.checkpoint.quiet, Duration::from_secs(90));
    assert_eq!(config.checkpoint.poll, Duration::from_millis(500));
    assert_eq!((config.mine.quota, config.mine.budget), (OrAuto::Of(1.0), 0.0));
    assert_eq!(config.score.max_gib, OrAuto::Of(1.5));
    assert_eq!((config.cluster.mode, config.cluster.distance), (ClusterMode::ThinExpand, ClusterDistance::Cosine));
    assert_eq!(config.cluster.budget, Duration::from_secs(90));
    assert_eq!(config.lists.formats, [ListFormat::Csv, ListFormat::Jsonl, ListFormat::Tree]);
    let command = ["./train", "--lr", "0.1", "{\"a\": {}}", "x={epoch}", "{list}"].map(str::to_owned).to_vec();
    assert_eq!(config.trainer.program, TrainerProgram::Command(command));
    assert_eq!(config.trainer.timeout, Some(Duration::from_secs(7200)));
    let on_stop = Some(["mail", "-s", "{event} {{x}}", "{reason}"].map(str::to_owned).to_vec());
    let timeout = Duration::from_secs(60);
    assert_eq!(config.hooks, HooksConfig { on_publish: None, on_stop, on_failure: None, timeout });
    assert_eq!(config.train.freeze, Some(vec!["*.bn1.*".to_owned()]));
    assert_eq!(config.train.only, Some(["layer4.*", "*fc*", "onnx::Conv_12"].map(str::to_owned).to_vec()));
    assert_eq!(config.train.also, Some(vec!["*.latent".to_owned()]));
    assert_eq!(config.plan.cost, Some(12.0));
    let none = load(&format!("{LEAST}trainer: none\nmodel2: "), &["model2="]);
    assert!(none.is_err());
    assert_eq!(load(&format!("{LEAST}trainer: none"), &[]).unwrap().trainer.program, TrainerProgram::None);
}

#[test]
fn who_does_not_ask_for_a_starting_graph_needs_none() {
    let bare = LEAST.replace("model: {start: m.onnx}\n", "");
    for trainer in ["none", "{command: [a, \"{list}\", \"{{checkpoint_in}}\"]}"] {
        let config = load(&format!("{bare}trainer: {trainer}\n"), &[]).unwrap();
        assert_eq!(config.model.start, None, "{trainer}");
        assert_eq!(load(&config.canonical().unwrap(), &[]).unwrap(), config);
    }
    let missing = ["c.yaml:1:1: model.start is missing; add `start: models/start.onnx` under `model:`"];
    for trainer in ["{attempts: 2}", "{command: [a, \"--from={checkpoint_in}\"]}"] {
        assert_eq!(said(&format!("{bare}trainer: {trainer}\n"), &[]), missing, "{trainer}");
    }
}

#[test]
fn the_canonical_text_is_the_same_config_again() {
    let rich = format!(
        "{LEAST}trainer: {{command: [a, \"{{list}}\"], timeout: 90m}}\nhooks: {{on_publish: [a]}}\nstop: {{accuracy: 0.9}}\ntrain: {{only: [fc.*]}}\nmine: {{quota: 0.30}}\n"
    );
    for text in [LEAST.to_owned(), format!("{LEAST}trainer: none"), rich] {
        let config = load(&text, &[]).unwrap();
        let canonical = config.canonical().unwrap();
        assert_eq!(load(&canonical, &[]).unwrap_or_else(|error| panic!("{error}")), config);
    }
    let value: serde_json::Value =
        serde_json::from_str(&load(LEAST, &["mine.quota=0.30"]).unwrap().canonical().unwrap()).unwrap();
    assert_eq!(value["mine"]["quota"], 0.3);
    assert_eq!(value["checkpoint"]["quiet"], "2s");
    assert_eq!(value["lists"]["formats"], serde_json::json!(["txt", "csv"]));
    assert_eq!(value["pixels"]["mean"], serde_json::json!([0.5, 0.5, 0.5]));
    assert_eq!(value["policy"], "confidence");
    // How a config is written makes no difference; what it says does.
    let text = |text: &str, set: &[&str]| load(text, set).unwrap().canonical().unwrap();
    assert_eq!(text(LEAST, &[]), text(&format!("# a comment\n{LEAST}seed: 1\n"), &[]));
    assert_ne!(text(LEAST, &[]), text(LEAST, &["seed=2"]));
}

#[test]
fn paths_become_absolute_only_when_asked() {
    let config = load(LEAST, &["pool.test=/data/t.txt"]).unwrap();
    assert_eq!(config.state.folder, Path::new("state"));
    let here = std::env::current_dir().unwrap();
    let absolute = config.absolute().unwrap();
    assert_eq!(absolute.pool.train, here.join("a.txt"));
    assert_eq!(absolute.pool.validation, here.join("b.txt"));
    assert_eq!(absolute.pool.test.as_deref(), Some(Path::new("/data/t.txt")));
    assert_eq!(absolute.model.start, Some(here.join("m.onnx")));
    assert_eq!(absolute.checkpoint.folder, here.join("watch"));
    assert_eq!(absolute.lists.folder, here.join("lists"));
    assert_eq!(absolute.state.folder, here.join("state"));
    assert_eq!(absolute.cache.folder, here.join("cache"));
}
