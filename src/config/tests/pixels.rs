//! Pixels that cannot be had, and what is said of them.

use super::*;

#[test]
fn they_are_held_against_their_channels_their_scale_and_their_limits() {
    let pixels = |text: &str| said(&LEAST.replace("size: [28, 32]", text), &[]);
    let cases = [
        (
            "size: [28, 0]",
            "c.yaml:2:21: pixels.size has an item that is `0`, not a whole number from 1 to 16384; write for example [224, 224]",
        ),
        (
            "size: 28",
            "c.yaml:2:16: pixels.size is `28`, not a list of height and width in pixels; write for example [224, 224]",
        ),
        ("size: [1, 1], channels: 2", "c.yaml:2:34: pixels.channels is 2, not 1 or 3"),
        (
            "size: [1, 1], channels: 1, mean: [0.1, 0.2, 0.3]",
            "c.yaml:2:43: pixels.mean has 3 numbers, but pixels.channels is 1; write one number for each channel, for example [0.5]",
        ),
        (
            "size: [1, 1], mean: [123.7, 116.3, 103.5]",
            "c.yaml:2:31: pixels.mean has an item that is `123.7`, not a number at least 0 and at most 1; divide by 255: pixels are scaled to 0..1 before this",
        ),
        (
            "size: [1, 1], std: [0.5, 0, 0.5]",
            "c.yaml:2:35: pixels.std has an item that is `0`, not a number above 0 and at most 1; write for example [0.5, 0.5, 0.5]",
        ),
        (
            "size: [1, 1], crop: none, crop_fraction: 0.8",
            "c.yaml:2:51: pixels.crop_fraction cuts nothing away under `crop: none`; leave it out, or write `crop: center`",
        ),
        (
            "size: [1, 1], max_megapixels: 0",
            "c.yaml:2:40: pixels.max_megapixels is `0`, not a number above 0; write for example 100",
        ),
        (
            "size: [1, 1], max_file_mib: -1",
            "c.yaml:2:38: pixels.max_file_mib is `-1`, not a number above 0; write for example 256",
        ),
        // With the rim that the crop takes away, 100 x 50 is of 200 x 100 pixels.
        (
            "size: [100, 50], crop_fraction: 0.5, max_megapixels: 0.019",
            "c.yaml:2:63: pixels.max_megapixels leaves no room for an image of pixels.size, which takes 0.020000 megapixels; \
             raise it, or take a smaller size",
        ),
        (
            "size: [1, 1], augment: {flip: yes}",
            "c.yaml:2:40: pixels.augment.flip is `yes`, not true or false; write for example false",
        ),
        (
            "size: [1, 1], augment: {crop: {scale: 0.5}}",
            "c.yaml:2:48: pixels.augment.crop.scale is `0.5`, not a list of the least and the greatest; write for example [0.08, 1.0]",
        ),
        (
            "size: [1, 1], augment: {crop: {scale: [0.5, 0.1]}}",
            "c.yaml:2:48: pixels.augment.crop.scale begins with 0.5, which is more than 0.1; write the least first",
        ),
        (
            "size: [1, 1], augment: {crop: {scale: [0, 1]}}",
            "c.yaml:2:49: pixels.augment.crop.scale has an item that is `0`, not a number above 0 and at most 1",
        ),
        (
            "size: [1, 1], augment: {crop: {ratio: [0.5, 1, 2]}}",
            "c.yaml:2:48: pixels.augment.crop.ratio has 3 numbers, not two, the least and the greatest",
        ),
        (
            "size: [1, 1], augment: {pad: 4, crop: {scale: [0.08, 1]}}",
            "c.yaml:2:39: pixels.augment.pad is 4, a second random crop after pixels.augment.crop.scale; leave one of the two out",
        ),
        (
            "size: [1, 1], augment: {jitter: {hue: 0.6}}",
            "c.yaml:2:48: pixels.augment.jitter.hue is `0.6`, not a number at least 0 and at most 0.5",
        ),
        (
            "size: [1, 1], channels: 1, augment: {jitter: {saturation: 0.4}}",
            "c.yaml:2:68: pixels.augment.jitter.saturation is 0.4, but pixels.channels is 1, and grey has no saturation; leave it out",
        ),
        (
            "size: [1, 1], channels: 1, augment: {jitter: {brightness: 0.4, hue: 0.1}}",
            "c.yaml:2:78: pixels.augment.jitter.hue is 0.1, but pixels.channels is 1, and grey has no hue; leave it out",
        ),
        (
            "size: [1, 1], augment: {randaugment: {operations: 2, magnitude: 31}}",
            "c.yaml:2:74: pixels.augment.randaugment.magnitude is `31`, not a whole number from 0 to 30",
        ),
        (
            "size: [1, 1], augment: {erase: 1.5}",
            "c.yaml:2:41: pixels.augment.erase is `1.5`, not a number at least 0 and at most 1",
        ),
    ];
    for (text, expected) in cases {
        let found = pixels(text);
        assert_eq!(found.len(), 1, "for {text}: {found:?}");
        assert!(found[0].starts_with(expected), "for {text}: {}", found[0]);
    }
    // Wrong channels do not also blame a mean that may well be right.
    assert_eq!(pixels("size: [1, 1], channels: 4, mean: [0.1, 0.2, 0.3, 0.4]").len(), 1);
}
