//! All changes together: their order, and that none of them goes by another's draws.

use std::collections::BTreeMap;

use gleaner::draw::{Draws, Stream};
use gleaner::pixels::{Augment, Channels, Erase, Jitter, Operation, RandAugment, RandomCrop, Resize, Window};

use super::fixtures::{bits, fixture, settings};

#[test]
fn an_image_is_moved_then_coloured_then_shaped_then_painted_over() {
    let settings = settings(26, 33, Channels::Rgb, Resize::Bilinear);
    let image = &std::fs::read(fixture("expected.bin")).unwrap()[..settings.bytes()];
    let all = Augment {
        crop: None,
        pad: 3,
        flip: true,
        jitter: Jitter { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 },
        randaugment: RandAugment { operations: 2, magnitude: 9 },
        erase: Erase { probability: 0.5 },
    };
    let (mut erased, mut wider) = (0, 0);
    for bits in bits(200) {
        let mut expected = vec![0; image.len()];
        Augment { pad: 3, flip: true, ..Augment::default() }.apply(bits, &settings, image, &mut expected);
        for operation in all.jitter.draw(bits).into_iter().chain(all.randaugment.draw(bits, 33, 26)) {
            operation.apply(&mut expected, 33, 26, Channels::Rgb);
        }
        if let Some(Window { left, top, width, height }) = all.erase.draw(bits, 33, 26) {
            erased += 1;
            wider += u32::from(width > height);
            for row in top..top + height {
                let at = ((row * 33 + left) * 3) as usize;
                // Half of 255, rounded: the mean.
                expected[at..at + width as usize * 3].fill(128);
            }
        }
        let mut found = vec![0; image.len()];
        all.apply(bits, &settings, image, &mut found);
        assert_eq!(found, expected, "{bits:x}");
    }
    // About 100 of 200, within five standard deviations.
    assert!((65..135).contains(&erased) && wider > 0 && wider < erased, "{erased} {wider}");
    assert!(!all.is_none() && Augment::default().is_none());
}

#[test]
fn changes_do_not_share_their_draws() {
    // What one change draws says nothing of another: flipped, brighter and large are one time in two each.
    let draws = Draws::new(1, 2, Stream::Augment);
    let jitter = Jitter { brightness: 0.5, ..Jitter::default() };
    let crop = RandomCrop { scale: [0.1, 0.5], ratio: [1.0, 1.0] };
    let mut both = BTreeMap::<(bool, bool, bool), u32>::new();
    for sample in 0..16_000 {
        let bits = draws.bits(sample);
        let bright = matches!(jitter.draw(bits)[..], [Operation::Brightness(factor)] if factor > 1.0);
        let large = crop.draw(bits, 1000, 1000).width > 548; // the root of 0.3 is 0.5477
        *both.entry((bits >> 63 == 1, bright, large)).or_default() += 1;
    }
    // Each of 8 about 2000 times, within five times the square root.
    assert!(both.len() == 8 && both.values().all(|count| (1_776..2_224).contains(count)), "{both:?}");
}
