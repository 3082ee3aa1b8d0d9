//! `mine.augment: train`: the scan judges images as training changes them.

use super::graphs::skilled;
use super::workshop::{BY_ITSELF, Workshop};

/// One turn with these settings: the list that it leads to, and what is known of each image afterwards.
fn turn(settings: &[&str]) -> [Vec<u8>; 2] {
    let workshop = Workshop::new(400, &format!("{BY_ITSELF}mine: {{quota: 1.0, budget: 1000.0}}\n"));
    workshop.drop_in(0, skilled());
    let mut arguments = vec!["mine", "-c", "config.yaml", "--checkpoint", "watch/epoch-0000.onnx"];
    settings.iter().for_each(|setting| arguments.extend(["--set", setting]));
    workshop.run(&arguments).well();
    ["lists/epoch-0001.csv", "state/samples.parquet"].map(|name| workshop.bytes(name))
}

#[test]
fn it_does_so_with_every_change_whatever_the_threads_and_the_cache() {
    let plain = turn(&[]);
    let changes = [
        "pixels.augment.crop.scale=[0.3, 0.5]",
        "pixels.augment.flip=true",
        "pixels.augment.jitter.contrast=0.4",
        "pixels.augment.randaugment.operations=2",
        "pixels.augment.erase=0.5",
    ];
    assert!(turn(&changes) == plain, "unless it is asked for");
    let scan = "mine.augment=train";
    let expected = turn(&[&changes[..], &[scan, "score.threads=1", "cache.max_gib=0"]].concat());
    assert!(expected[1] != plain[1]);
    assert!(turn(&[&changes[..], &[scan, "score.threads=3", "score.batch=7"]].concat()) == expected);
    // All of an image that is square and has the right size is the image.
    let whole = ["pixels.augment.crop.scale=[1, 1]", "pixels.augment.crop.ratio=[1, 1]", scan];
    assert!(turn(&whole) == plain);
}
