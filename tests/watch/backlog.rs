//! Which of many files is taken, and which are none to be taken.

use std::fs;

use gleaner::watch::{Candidate, Evidence, Reconciled};

use super::scene::{SECOND, Scene, ready};

fn epochs(candidates: &[Candidate]) -> Vec<u32> {
    candidates.iter().map(|candidate| candidate.epoch).collect()
}

#[test]
fn of_a_backlog_the_newest_wins_by_number() {
    let mut scene = Scene::new();
    for (epoch, age) in [(2, 50), (9, 40), (10, 60), (3, 10), (11, 0)] {
        let name = format!("epoch-{epoch}.onnx");
        scene.write(&name, "whole");
        scene.written_at(&name, scene.now.wall - age * SECOND);
    }
    let reconciled = scene.look(3);
    assert_eq!(ready(&reconciled), Some(10), "neither the name nor the time decides");
    assert_eq!(epochs(&reconciled.skipped), [9, 3]);
    assert_eq!(reconciled.waiting.iter().map(|not_yet| not_yet.candidate.epoch).collect::<Vec<_>>(), [11]);
    assert_eq!(scene.judged, [(10, Evidence::Quiet)], "what is skipped is not read");
}

#[test]
fn two_names_for_one_epoch_are_not_two_epochs() {
    let mut scene = Scene::new();
    for name in ["epoch-07.onnx", "epoch-0007.onnx"] {
        scene.write(name, "whole");
        scene.written_at(name, scene.now.wall - 60 * SECOND);
    }
    let first = scene.look(0);
    assert_eq!(first.ready.unwrap().path, scene.path("epoch-0007.onnx"));
    assert!(first.skipped.is_empty());
    assert_eq!(first.ignored, [scene.path("epoch-07.onnx")]);
    assert!(scene.look(0).ignored.is_empty());
}

#[test]
fn files_that_are_no_checkpoints_are_told_once() {
    let mut scene = Scene::new();
    for name in [
        "best.onnx",
        "notes.txt",
        "epoch-0001.scores.parquet",
        ".epoch-1.onnx",
        "epoch-1.onnx.part",
        "epoch-1.onnx~",
        "epoch-1.onnx.done",
    ] {
        scene.write(name, "whole");
    }
    fs::create_dir(scene.path("epoch-0005.onnx")).unwrap();
    fs::create_dir(scene.path("rejected")).unwrap();
    std::os::unix::fs::symlink("nowhere", scene.path("epoch-0006.onnx")).unwrap();
    let first = scene.look(0);
    assert_eq!(first.ignored, [scene.path("best.onnx"), scene.path("notes.txt")]);
    assert_eq!((first.ready, first.waiting.len()), (None, 0));
    assert_eq!(scene.look(0), Reconciled::default());
    scene.write("another.txt", "");
    assert_eq!(scene.look(0).ignored, [scene.path("another.txt")]);
}
