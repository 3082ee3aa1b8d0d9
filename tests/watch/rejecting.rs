//! Files that are no good: when they are given up, and where they are put.

use std::fs;
use std::time::Duration;

use gleaner::watch::{QuarantineError, Reconciled, quarantine};

use super::scene::{QUIET, SECOND, Scene, ready};

#[test]
fn a_file_that_breaks_off_is_given_time_and_then_rejected_once() {
    let mut scene = Scene::begun();
    scene.write("epoch-0003.onnx", "who");
    scene.look(0);
    scene.pass(QUIET);
    let waiting = &scene.look(0).waiting[0];
    assert_eq!((waiting.reason.as_str(), waiting.look_again_in), ("it breaks off", Duration::from_secs(28)));
    scene.pass(27 * SECOND);
    assert_eq!(scene.look(0).look_again_in(), Some(SECOND));
    scene.pass(SECOND);
    let last = scene.look(0);
    assert_eq!((last.rejected[0].candidate.epoch, last.rejected[0].reason.as_str()), (3, "it breaks off"));
    assert_eq!(scene.judged.len(), 2, "read when it fell silent, and once more before it was given up");
    assert_eq!(scene.look(0), Reconciled::default());

    // The writer comes back after all.
    scene.grow("epoch-0003.onnx", "le");
    scene.look(0);
    scene.pass(QUIET);
    assert_eq!(ready(&scene.look(0)), Some(3));
}

#[test]
fn a_bad_file_does_not_stand_in_the_way_and_is_judged_anew_when_it_changes() {
    let mut scene = Scene::new();
    for (name, content) in [("epoch-0003.onnx", "whole"), ("epoch-0004.onnx", "bad")] {
        scene.write(name, content);
        scene.written_at(name, scene.now.wall - 60 * SECOND);
    }
    let first = scene.look(0);
    assert_eq!(ready(&first), Some(3));
    assert_eq!(first.rejected[0].reason, "12 classes, but the pool has 10");
    let second = scene.look(0);
    assert_eq!((ready(&second), second.rejected.len()), (Some(3), 0));
    assert_eq!(scene.judged.len(), 2);

    scene.write("epoch-0004.onnx", "whole");
    scene.heed_rename("epoch-0004.onnx");
    assert_eq!(ready(&scene.look(0)), Some(4));
}

#[test]
fn a_checkpoint_that_fails_in_the_scan_is_not_offered_again() {
    let mut scene = Scene::begun();
    scene.write("epoch-0003.onnx", "whole");
    scene.heed_rename("epoch-0003.onnx");
    let found = scene.look(0).ready.unwrap();
    scene.reconciler.reject(&found, "its logits are NaN");
    assert_eq!(scene.look(0), Reconciled::default());
}

#[test]
fn a_marked_file_that_breaks_off_is_bad_at_once() {
    let mut scene = Scene::begun();
    scene.write("epoch-0003.onnx", "who");
    scene.write("epoch-0003.onnx.done", "");
    assert_eq!(scene.look(0).rejected.len(), 1);
}

#[test]
fn quarantine_keeps_the_names_and_says_why() {
    let mut scene = Scene::begun();
    for (name, content) in
        [("epoch-0003.onnx", "bad"), ("epoch-0003.onnx.data", "weights"), ("epoch-0003.onnx.done", "")]
    {
        scene.write(name, content);
    }
    let rejection = scene.look(0).rejected.remove(0);
    let digest = "0123456789abcdef0123456789abcdef";
    let folder = quarantine(&rejection.candidate, digest, &rejection.reason).unwrap();
    assert_eq!(folder, scene.path("rejected/0123456789ab-epoch-0003"));
    assert_eq!(fs::read_to_string(folder.join("epoch-0003.onnx")).unwrap(), "bad");
    assert_eq!(fs::read_to_string(folder.join("epoch-0003.onnx.data")).unwrap(), "weights");
    let reason = fs::read_to_string(folder.join("reason.txt")).unwrap();
    assert!(reason.contains("12 classes") && reason.contains(digest), "{reason}");
    let left: Vec<_> = fs::read_dir(scene.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["rejected"]);
    assert_eq!(scene.look(0), Reconciled::default());
}

#[test]
fn quarantine_leaves_alone_what_it_cannot_or_may_not_move() {
    let mut scene = Scene::begun();
    scene.write("epoch-0003.onnx", "bad");
    scene.write("epoch-0003.onnx.done", "");
    let candidate = scene.look(0).rejected.remove(0).candidate;
    for digest in ["short", "../../../../etc", ""] {
        assert!(matches!(quarantine(&candidate, digest, "bad"), Err(QuarantineError::Digest { .. })), "{digest}");
    }
    scene.write("rejected", "a file where the folder should be");
    assert!(matches!(quarantine(&candidate, "0123456789ab", "bad"), Err(QuarantineError::Reason(_))));
    scene.write("epoch-0003.onnx", "whole, and new");
    assert!(matches!(quarantine(&candidate, "0123456789ab", "bad"), Err(QuarantineError::Changed { .. })));
    assert_eq!(fs::read_to_string(scene.path("epoch-0003.onnx")).unwrap(), "whole, and new");
    assert!(scene.path("epoch-0003.onnx.done").exists());
}
