//! Image files to batches: which images, changed how, in which order.

use crate::support::Run;
use gleaner::cache::{Cache, Settings};
use gleaner::draw::{Draws, Stream};
use gleaner::pixels::{
    Augment, Channels, Crop, Erase, Jitter, Layout, Limits, Preprocess, RandAugment, RandomCrop, Resize,
};
use gleaner_trainer::loader::{Batch, Loader, Recipe};
use gleaner_trainer::manifest::Sample;
use std::sync::Arc;

const IMAGES: u32 = 23;

fn preprocess() -> Preprocess {
    Preprocess {
        height: 12,
        width: 10,
        channels: Channels::Grey,
        resize: Resize::Bilinear,
        crop: Crop::Center,
        crop_fraction: 1.0,
        mean: vec![0.25],
        std: vec![0.5],
        limits: Limits::default(),
    }
}

/// Noise of 40 x 30 pixels, and one file that is no image.
fn samples(run: &Run) -> Arc<Vec<Sample>> {
    let sample = |number: u32| {
        let name = format!("{number}.png");
        let pixels: Vec<u8> = (0..1200).map(|place| ((place * place + place * number * 13) % 256) as u8).collect();
        run.image(&name, 40, 30, &pixels);
        Sample { path: name.into(), label: number % 3, weight: number as f32, line: 2 + u64::from(number) }
    };
    let samples = (0..IMAGES).map(sample).collect();
    std::fs::write(run.path("data/7.png"), b"no image").unwrap();
    Arc::new(samples)
}

/// The batches, and how many images were left out.
fn batches(run: &Run, augment: Augment, cache: &Arc<Cache>, threads: usize) -> (Vec<Batch>, usize) {
    let recipe = Recipe {
        root: run.path("data"),
        preprocess: preprocess(),
        cache: Arc::clone(cache),
        augment,
        layout: Layout::Nchw,
        batch: 5,
        accumulate: 1,
        threads,
        seed: 3,
        epoch: 2,
    };
    let mut loader = Loader::start(samples(run), recipe, |batch| batch).unwrap();
    let batches = std::iter::from_fn(|| loader.next_batch()).collect();
    (batches, loader.finish().unwrap())
}

fn everything() -> Augment {
    Augment {
        crop: Some(RandomCrop { scale: [0.08, 1.0], ratio: [0.75, 4.0 / 3.0] }),
        pad: 0,
        flip: true,
        jitter: Jitter { brightness: 0.4, contrast: 0.4, ..Jitter::default() },
        randaugment: RandAugment { operations: 2, magnitude: 9 },
        erase: Erase { probability: 0.5 },
    }
}

#[test]
fn threads_change_nothing() {
    let run = Run::new();
    let cache = Arc::new(Cache::off());
    for augment in [Augment::default(), everything()] {
        let (one, skipped) = batches(&run, augment, &cache, 1);
        // Of 23 images 5, 5, 5, 4 and 4, of which one is left out.
        assert_eq!((one.iter().map(Batch::len).collect::<Vec<_>>(), skipped), (vec![5, 5, 5, 4, 3], 1));
        assert!(one == batches(&run, augment, &cache, 3).0, "{augment:?}");
    }
}

#[test]
fn a_part_is_of_the_original_also_where_the_scaled_image_is_kept() {
    let run = Run::new();
    let settings = Settings { folder: run.path("cache"), max_bytes: 1 << 20, keep_free: 0 };
    let cache = Arc::new(Cache::open(&settings, &preprocess(), Some(IMAGES.into())).unwrap());
    batches(&run, Augment::default(), &cache, 2);
    let kept = cache.summary();
    assert_eq!(kept.images, 22, "{:?}", kept.ended);
    let (found, _) = batches(&run, everything(), &cache, 2);
    assert_eq!(cache.summary().hits, 0, "kept images were asked for");

    let draws = Draws::new(3, 2, Stream::Augment);
    let crop = everything().crop.unwrap();
    let preprocess = preprocess();
    for batch in &found {
        for (place, &row) in batch.rows.iter().enumerate() {
            let bits = draws.bits(row.into());
            let (mut part, mut changed) = (vec![0; 120], vec![0; 120]);
            preprocess.load_cropped(&run.path(&format!("data/{row}.png")), &crop, bits, &mut part).unwrap();
            everything().apply(bits, &preprocess, &part, &mut changed);
            let mut numbers = vec![0.0; 120];
            preprocess.normalise(&changed, Layout::Nchw, &mut numbers).unwrap();
            assert!(batch.images[place * 120..][..120] == numbers, "row {row}");
            assert_eq!((batch.labels[place], batch.weights[place]), (i64::from(row % 3), row as f32));
        }
    }
}
