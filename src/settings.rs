//! The config in the words of the rooms that carry it out. `config` and those rooms do not know each other.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use crate::cache;
use crate::cluster;
use crate::config::{self, Config};
use crate::draw::{Draws, Stream};
use crate::lists;
use crate::onnx;
use crate::pixels;
use crate::pool::{Pool, PoolError};
use crate::score;
use crate::suspects;
use crate::watch;

/// A list or a folder of images, if no symbolic link leads where none may.
///
/// # Errors
/// Those of [`Pool::load`] and [`Pool::check_links`].
pub fn images(config: &Config, source: &Path) -> Result<Pool, PoolError> {
    let images = Pool::load(source)?;
    match config.pool.links {
        config::Links::Inside => images.check_links().map(|()| images),
        config::Links::Anywhere => Ok(images),
    }
}

/// The one preprocessing, for scoring and for training.
pub fn preprocess(config: &Config) -> pixels::Preprocess {
    let pixels = &config.pixels;
    pixels::Preprocess {
        height: pixels.size[0],
        width: pixels.size[1],
        channels: if pixels.channels == 1 { pixels::Channels::Grey } else { pixels::Channels::Rgb },
        resize: match pixels.resize {
            config::Resize::Bilinear => pixels::Resize::Bilinear,
            config::Resize::Bicubic => pixels::Resize::Bicubic,
            config::Resize::Lanczos => pixels::Resize::Lanczos,
            config::Resize::Nearest => pixels::Resize::Nearest,
        },
        crop: match pixels.crop {
            config::Crop::Center => pixels::Crop::Center,
            config::Crop::None => pixels::Crop::None,
        },
        crop_fraction: pixels.crop_fraction as f32,
        mean: pixels.mean.clone(),
        std: pixels.std.clone(),
        // A number beyond 64 bits is as good as none.
        limits: pixels::Limits {
            pixels: (pixels.max_megapixels * 1e6) as u64,
            bytes: (pixels.max_file_mib * f64::from(1 << 20)) as u64,
        },
    }
}

/// Where decoded images are kept.
pub fn cache(config: &Config) -> cache::Settings {
    // A number of bytes beyond 64 bits is as good as none.
    let max_bytes = (config.cache.max_gib * f64::from(1 << 30)) as u64;
    cache::Settings { folder: config.cache.folder.clone(), max_bytes, keep_free: cache::KEEP_FREE }
}

/// How the folder of checkpoints is watched.
pub fn watching(config: &config::CheckpointConfig) -> watch::Method {
    match config.watch {
        config::Watch::Native => watch::Method::Native,
        config::Watch::Poll => watch::Method::Polling,
    }
}

/// From when on an image is a suspect, where there are so many classes.
pub fn suspects(config: &Config, classes: u32) -> suspects::Rule {
    let suspects = &config.suspects;
    suspects::Rule::new(suspects.p_label, suspects.scores, suspects.mixed_up, classes)
}

/// Where a person's reviews are.
pub fn reviews(config: &Config) -> PathBuf {
    let lists = || config.lists.folder.join(suspects::REVIEWS_FILE);
    config.suspects.reviews.clone().unwrap_or_else(lists)
}

/// The random changes of training images.
pub fn augment(config: &Config) -> pixels::Augment {
    let config::AugmentConfig { flip, pad, crop, jitter, randaugment, erase } = &config.pixels.augment;
    pixels::Augment {
        crop: crop.scale.map(|scale| pixels::RandomCrop { scale, ratio: crop.ratio }),
        pad: *pad,
        flip: *flip,
        jitter: pixels::Jitter {
            brightness: jitter.brightness,
            contrast: jitter.contrast,
            saturation: jitter.saturation,
            hue: jitter.hue,
        },
        randaugment: pixels::RandAugment { operations: randaugment.operations, magnitude: randaugment.magnitude },
        erase: pixels::Erase { probability: *erase },
    }
}

/// Which weights the built-in trainer trains, where a person says so.
pub fn selection(config: &Config) -> onnx::training::Selection {
    let patterns = |patterns: &Option<Vec<String>>| patterns.clone().unwrap_or_default();
    let config::TrainConfig { freeze, only, also, .. } = &config.train;
    onnx::training::Selection { freeze: patterns(freeze), only: patterns(only), also: patterns(also) }
}

/// How checkpoints are run, with plain images: for validation.
pub fn scoring(config: &Config) -> score::Options {
    score::Options {
        preprocess: preprocess(config),
        batch: match config.score.batch {
            config::OrAuto::Auto => score::Batch::Auto,
            config::OrAuto::Of(images) => score::Batch::Of(images as usize),
        },
        threads: threads(config.score.threads),
        embedding: match &config.model.embedding {
            config::Embedding::Auto => onnx::Embedding::Auto,
            config::Embedding::None => onnx::Embedding::None,
            config::Embedding::Name(name) => onnx::Embedding::Named(name.clone()),
        },
        device: match config.score.device {
            config::Device::Auto => score::Device::Auto,
            config::Device::Cpu => score::Device::Cpu,
            config::Device::Cuda => score::Device::Cuda,
            config::Device::TensorRt => score::Device::TensorRt,
        },
        max_bytes: match config.score.max_gib {
            config::OrAuto::Auto => None,
            // A number of bytes beyond 64 bits is as good as none.
            config::OrAuto::Of(gib) => Some((gib * f64::from(1 << 30)) as u64),
        },
        precision: match config.score.precision {
            config::Precision::Fp32 => score::Precision::Single,
            config::Precision::Fp16 => score::Precision::Half,
        },
        timings: Some(config.state.folder.join("tensorrt")),
        cache: Arc::new(cache::Cache::off()),
    }
}

/// The changes of images in the scan of an epoch's checkpoint, if `mine.augment` asks for them.
pub fn scan_augment(config: &Config, epoch: u32) -> Option<(pixels::Augment, Draws)> {
    match config.mine.augment {
        config::ScanAugment::None => None,
        config::ScanAugment::Train => Some((augment(config), Draws::new(config.seed, epoch, Stream::ScanAugment))),
    }
}

/// Multiply-adds that count as one second of `cluster.budget`: about what two cores of 2023 do. Whatever the machine, it
/// is this number, because groups must not depend on how fast or how busy it is.
pub const MULTIPLY_ADDS_A_SECOND: f64 = 2e10;

/// How the embeddings of an epoch's scan are grouped.
pub fn clustering(config: &Config, epoch: u32) -> cluster::Options {
    cluster::Options {
        distance: distance(config),
        // A float becomes the nearest number that there is.
        work: (config.cluster.budget.as_secs_f64() * MULTIPLY_ADDS_A_SECOND) as u64,
        ..cluster::Options::new(config.cluster.groups as usize, config.seed, epoch)
    }
}

/// How alike two embeddings are.
pub fn distance(config: &Config) -> cluster::Distance {
    match config.cluster.distance {
        config::ClusterDistance::Euclidean => cluster::Distance::Euclidean,
        config::ClusterDistance::Cosine => cluster::Distance::Cosine,
    }
}

/// A thread count of the config: 0 is one for every core.
pub fn threads(configured: u32) -> usize {
    match configured {
        0 => thread::available_parallelism().map_or(1, usize::from),
        count => count as usize,
    }
}

/// The formats in which lists are published.
pub fn list_formats(config: &Config) -> Vec<lists::Format> {
    let format = |format: &config::ListFormat| match format {
        config::ListFormat::Txt => lists::Format::Txt,
        config::ListFormat::Csv => lists::Format::Csv,
        config::ListFormat::Paths => lists::Format::Paths,
        config::ListFormat::Jsonl => lists::Format::Jsonl,
        config::ListFormat::Tree => lists::Format::Tree,
    };
    config.lists.formats.iter().map(format).collect()
}

/// The format of the list that is handed on: the first that is not the manifest, which is always there beside it.
pub fn list_format(config: &Config) -> lists::Format {
    list_formats(config).into_iter().find(|format| *format != lists::Format::Csv).unwrap_or(lists::Format::Csv)
}
