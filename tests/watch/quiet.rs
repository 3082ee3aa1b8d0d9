//! When a file is whole: once it has been quiet, or something vouches for it.

use gleaner::watch::{Evidence, Reconciled};

use super::scene::{QUIET, SECOND, Scene, ready};

#[test]
fn a_file_is_ready_once_it_has_been_quiet() {
    let mut scene = Scene::begun();
    scene.write("epoch-0003.onnx", "who");
    let first = scene.look(3);
    assert_eq!(ready(&first), None);
    assert_eq!(first.look_again_in(), Some(QUIET));

    scene.pass(SECOND);
    scene.grow("epoch-0003.onnx", "le");
    assert_eq!(scene.look(3).look_again_in(), Some(QUIET), "the time begins anew with every change");
    scene.pass(SECOND);
    assert_eq!(scene.look(3).look_again_in(), Some(SECOND));
    assert!(scene.judged.is_empty(), "nobody reads a file that may still be growing");

    scene.pass(SECOND);
    let found = scene.look(3).ready.expect("two seconds have passed");
    assert_eq!((found.epoch, found.path.clone(), found.data.clone()), (3, scene.path("epoch-0003.onnx"), None));
    assert_eq!(scene.look(3).ready, Some(found), "it stays ready until another is wanted");
    assert_eq!(scene.judged, [(3, Evidence::Quiet)], "and is read once");
    assert_eq!(scene.look(4), Reconciled::default());
}

#[test]
fn a_file_that_lay_there_before_the_start_is_quiet_at_once() {
    let mut scene = Scene::new();
    scene.write("epoch-0003.onnx", "whole");
    scene.written_at("epoch-0003.onnx", scene.now.wall - 3 * SECOND);
    assert_eq!(ready(&scene.look(0)), Some(3));
}

#[test]
fn a_clock_set_back_does_not_make_a_file_wait_for_ever() {
    let mut scene = Scene::new();
    scene.write("epoch-0003.onnx", "whole");
    scene.written_at("epoch-0003.onnx", scene.now.wall + 3600 * SECOND);
    assert_eq!(ready(&scene.look(0)), None);
    scene.now.monotonic += QUIET;
    scene.now.wall -= 7200 * SECOND;
    assert_eq!(ready(&scene.look(0)), Some(3));
}

#[test]
fn an_old_time_counts_at_the_start_only() {
    // A file server whose clock is an hour behind.
    let mut scene = Scene::begun();
    scene.write("epoch-0003.onnx", "whole");
    scene.written_at("epoch-0003.onnx", scene.now.wall - 3600 * SECOND);
    assert_eq!(ready(&scene.look(0)), None);
    scene.pass(QUIET);
    assert_eq!(ready(&scene.look(0)), Some(3));
}

#[test]
fn a_rename_or_a_marker_makes_waiting_needless() {
    let mut scene = Scene::begun();
    scene.write("epoch-0003.onnx", "whole");
    scene.heed_rename("epoch-0003.onnx");
    assert_eq!(ready(&scene.look(0)), Some(3));

    scene.write("epoch-0004.onnx", "whole");
    assert_eq!(ready(&scene.look(4)), None);
    scene.write("epoch-0004.onnx.done", "");
    assert_eq!(ready(&scene.look(4)), Some(4));
    assert_eq!(scene.judged, [(3, Evidence::Renamed), (4, Evidence::Marked)]);
}

#[test]
fn a_rename_may_be_heard_of_after_its_file_was_seen() {
    let mut scene = Scene::begun();
    scene.write("epoch-0003.onnx", "whole");
    assert_eq!(ready(&scene.look(0)), None);
    scene.heed_rename("epoch-0003.onnx");
    assert_eq!(ready(&scene.look(0)), Some(3));
}

#[test]
fn a_rename_vouches_for_nothing_that_is_written_after_it() {
    let mut scene = Scene::begun();
    scene.write("epoch-0003.onnx", "whole");
    scene.heed_rename("epoch-0003.onnx");
    scene.look(4);
    scene.look(0);
    scene.grow("epoch-0003.onnx", " and more");
    assert_eq!(scene.look(0).look_again_in(), Some(QUIET));
}

#[test]
fn a_marker_older_than_its_file_speaks_of_an_earlier_one() {
    let mut scene = Scene::begun();
    scene.write("epoch-0004.onnx.done", "");
    scene.written_at("epoch-0004.onnx.done", scene.now.wall - 60 * SECOND);
    scene.write("epoch-0004.onnx", "whole");
    assert_eq!(ready(&scene.look(0)), None);
    scene.pass(QUIET);
    assert_eq!(ready(&scene.look(0)), Some(4));
    assert_eq!(scene.judged, [(4, Evidence::Quiet)]);
}

#[test]
fn the_weights_beside_the_graph_have_to_be_complete_too() {
    let mut scene = Scene::begun();
    scene.write("epoch-0003.onnx", "whole");
    scene.write("epoch-0003.onnx.data", "1");
    scene.heed_rename("epoch-0003.onnx");
    assert_eq!(scene.look(0).look_again_in(), Some(QUIET), "the rename of the graph says nothing of its weights");
    scene.pass(SECOND);
    scene.grow("epoch-0003.onnx.data", "2");
    assert_eq!(scene.look(0).look_again_in(), Some(QUIET));
    scene.pass(QUIET);
    let found = scene.look(0).ready.unwrap();
    assert_eq!(found.data, Some(scene.path("epoch-0003.onnx.data")));
    assert_eq!(found.identity.data.unwrap().size, 2);

    scene.grow("epoch-0003.onnx.data", "3");
    assert!(!found.is_unchanged());
    assert_eq!(ready(&scene.look(0)), None, "a change makes it another content");
}
