//! A list that cannot be published, and a second try by the same process: what is known of the samples must be what it
//! would be without the first.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;

use gleaner::config::Config;
use gleaner::onnx::start;
use gleaner::service::{Mined, Run};

const IMAGES: usize = 60;

/// A run over real images in a folder of its own, with a checkpoint of epoch 0 that is not sure of anything.
fn open(folder: &Path) -> Run {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/fashion-mnist");
    let at = |name: &str| folder.join(name).display().to_string();
    for list in ["pool.txt", "validation.txt"] {
        let text = fs::read_to_string(data.join(list)).expect("run make data");
        let lines = text.lines().take(IMAGES).map(|line| format!("{}/{line}\n", data.display()));
        fs::write(folder.join(list), lines.collect::<String>()).unwrap();
    }
    fs::create_dir_all(folder.join("watch")).unwrap();
    let graph = start::convnet(10, 1, 28, 28, 1).unwrap();
    for name in ["start.onnx", "watch/epoch-0000.onnx"] {
        graph.write(&folder.join(name)).unwrap();
    }
    let config = format!(
        "pool: {{train: {}, validation: {}}}\npixels: {{size: [28, 28], channels: 1}}\nmodel: {{start: {}}}\n\
         checkpoint: {{folder: {}}}\nlists: {{folder: {}}}\nstate: {{folder: {}}}\ntrainer: none\n\
         mine: {{quota: 0.5}}\n",
        at("pool.txt"),
        at("validation.txt"),
        at("start.onnx"),
        at("watch"),
        at("lists"),
        at("state")
    );
    fs::write(folder.join("config.yaml"), config).unwrap();
    Run::open(Config::load(&folder.join("config.yaml"), &[]).unwrap()).unwrap()
}

#[test]
fn a_second_try_knows_nothing_of_the_first() {
    let troubled = tempfile::tempdir().unwrap();
    let folder = troubled.path();
    let mut run = open(folder);
    // A folder where the manifest should be cannot be replaced by a file.
    let obstacles = [folder.join("lists/epoch-0000.csv"), folder.join("lists/epoch-0001.csv")];
    for obstacle in &obstacles {
        fs::create_dir_all(obstacle.join("inside")).unwrap();
        for _ in 0..2 {
            let error = run.mine(None).unwrap_err().to_string();
            assert!(error.contains(obstacle.to_str().unwrap()), "{error}");
        }
        fs::remove_dir_all(obstacle).unwrap();
    }
    let next = folder.join("lists/epoch-0001.txt");
    assert_eq!(run.mine(None).unwrap(), Mined::Published(next.clone()));

    let smooth = tempfile::tempdir().unwrap();
    open(smooth.path()).mine(None).unwrap();
    for name in ["lists/epoch-0000.csv", "lists/epoch-0001.csv", "lists/epoch-0001.txt", "state/samples.parquet"] {
        let content = |folder: &Path| fs::read(folder.join(name)).unwrap();
        assert!(content(folder) == content(smooth.path()), "{name}");
    }
    // Half of 60 images, none of which a random graph of ten classes can be sure of.
    assert_eq!(fs::read_to_string(next).unwrap().lines().count(), 30);
}
