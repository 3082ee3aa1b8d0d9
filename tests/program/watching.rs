//! The watched folder of a service that runs for months: what comes late, goes away, or comes all at once.

use std::fs;

use rusqlite::{Connection, OpenFlags};
use rustix::process::{Pid, Signal, kill_process};

use super::graphs::{inclined, skilled, with_weights_beside};
use super::memory::kib;
use super::workshop::{BY_ITSELF, Running, Workshop};

/// A scan that looks at everything.
const WHOLE: &str = "mine: {quota: 1.0, budget: 1000.0}\n";
/// Checkpoints that are dropped at once.
const MANY: u32 = 1_000;

fn by_itself(images: usize, checkpoint: &str) -> Workshop {
    Workshop::new(images, &format!("trainer: none\ncheckpoint: {{{checkpoint}}}\n{WHOLE}"))
}

fn signal(service: &Running, signal: Signal) {
    kill_process(Pid::from_raw(service.id().cast_signed()).unwrap(), signal).unwrap();
}

/// Stops the service in the middle of the scan of epoch 0, so that the test has all the time it needs.
fn hold_in_scan(service: &mut Running) {
    service.until_said("scanning epoch=0 ");
    signal(service, Signal::STOP);
}

#[test]
fn weights_beside_the_graph_may_come_late_and_bit_by_bit() {
    let workshop = by_itself(60, "quiet: 1s");
    let mut service = workshop.serve();
    service.until_awaited(0);
    let (graph, weights) = with_weights_beside(skilled(), "epoch-0000.onnx.data");
    workshop.write("watch/epoch-0000.onnx.part", graph);
    fs::rename(workshop.path("watch/epoch-0000.onnx.part"), workshop.path("watch/epoch-0000.onnx")).unwrap();
    service.until_said("is missing in ");
    workshop.write("watch/epoch-0000.onnx.data", &weights[..weights.len() / 2]);
    service.until_said(&format!("holds {} bytes, but ", weights.len() / 2));
    workshop.write("watch/epoch-0000.onnx.data", &weights);
    service.until_next(&workshop, 1);
    assert_eq!(workshop.rejections(), [""; 0]);
    let beside = workshop.read("lists/epoch-0001.csv");

    // The same network in one file leads to the same list.
    let workshop = by_itself(60, "quiet: 100ms");
    workshop.drop_in(0, skilled());
    let mut service = workshop.serve();
    service.until_next(&workshop, 1);
    assert_eq!(workshop.read("lists/epoch-0001.csv"), beside);
}

#[test]
fn weights_that_never_come_are_told_and_make_room_for_better() {
    let workshop = Workshop::new(60, &format!("{BY_ITSELF}{WHOLE}"));
    let mut service = workshop.serve();
    service.until_awaited(0);
    let (graph, weights) = with_weights_beside(skilled(), "weights.bin");
    workshop.drop_in(0, &graph);
    let reason = service.until("a rejection", || workshop.rejections().pop());
    let watch = workshop.path("watch");
    let expected = format!("external data \"weights.bin\" is missing in {}; copy it beside the model", watch.display());
    assert!(reason.contains("epoch-0000.onnx: tensor ") && reason.contains(&expected), "{reason}");
    service.until("it being put aside", || (!workshop.path("watch/epoch-0000.onnx").exists()).then_some(()));
    // The very same graph again, now with what it needs.
    workshop.write("watch/weights.bin", weights);
    workshop.drop_in(0, &graph);
    service.until_next(&workshop, 1);
}

#[test]
fn the_folder_may_go_and_come_back_while_a_checkpoint_is_awaited() {
    let workshop = by_itself(60, "quiet: 100ms, poll: 200ms");
    let watch = workshop.path("watch");
    let mut service = workshop.serve();
    service.until_awaited(0);
    fs::remove_dir_all(&watch).unwrap();
    service.until_said("the folder of checkpoints is gone; it will be made anew");
    service.until("the folder being made anew", || watch.is_dir().then_some(()));
    workshop.drop_in(0, skilled());
    service.until_next(&workshop, 1);
    service.until_awaited(1);
    // Moved away, with another in its place at once.
    fs::rename(&watch, workshop.path("old")).unwrap();
    fs::create_dir(&watch).unwrap();
    workshop.drop_in(1, skilled());
    service.until_next(&workshop, 2);
    service.until_awaited(2);
    // Something else in its place, and only then a folder again.
    fs::rename(&watch, workshop.path("older")).unwrap();
    workshop.write("watch", "");
    service.until_said("the folder is looked at again later");
    fs::remove_file(&watch).unwrap();
    workshop.drop_in(2, skilled());
    service.until_next(&workshop, 3);
    service.stop().well();
}

#[test]
fn a_folder_that_cannot_be_made_ends_a_start_and_nothing_later() {
    let workshop = by_itself(400, "quiet: 100ms, poll: 100ms");
    let watch = workshop.path("watch");
    workshop.write("watch", "");
    let said = workshop.serve().end().badly();
    let expected = format!("{}: the folder of checkpoints cannot be made: ", watch.display());
    assert!(said.contains(&expected) && said.contains("checkpoint.folder"), "{said}");
    fs::remove_file(&watch).unwrap();
    let mut service = workshop.serve();
    service.until_awaited(0);
    workshop.drop_in(0, skilled());
    // It stands in the way while the next list is made, and for a while afterwards.
    hold_in_scan(&mut service);
    fs::rename(&watch, workshop.path("old")).unwrap();
    workshop.write("watch", "");
    signal(&service, Signal::CONT);
    service.until_awaited(1);
    service.until_said("this is tried again later");
    fs::remove_file(&watch).unwrap();
    service.until("the folder being made", || watch.is_dir().then_some(()));
    workshop.drop_in(1, skilled());
    service.until_next(&workshop, 2);
    service.stop().well();
}

#[test]
fn a_folder_of_a_network_file_system_is_looked_at_by_the_clock_alone() {
    let listens = |service: &Running| {
        let open = fs::read_dir(format!("/proc/{}/fd", service.id())).unwrap();
        open.filter_map(|file| fs::read_link(file.unwrap().path()).ok())
            .any(|file| file.ends_with("anon_inode:inotify"))
    };
    for (method, by_events) in [("native", true), ("poll", false)] {
        let workshop = by_itself(60, &format!("watch: {method}, poll: 100ms, quiet: 100ms"));
        let mut service = workshop.serve();
        service.until_awaited(0);
        assert_eq!(listens(&service), by_events, "{method}");
        workshop.drop_in(0, skilled());
        service.until_next(&workshop, 1);
    }
}

#[test]
fn more_events_than_the_operating_system_keeps() {
    let kept = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let kept: usize = kept.trim().parse().unwrap();
    let workshop = by_itself(60, "quiet: 100ms, poll: 1h");
    fs::create_dir(workshop.path("watch")).unwrap();
    ["watch/one", "watch/two"].iter().for_each(|name| workshop.write(name, ""));
    let mut service = workshop.serve();
    service.until_said("ignored, its name is not a checkpoint's");
    service.until_awaited(0);
    signal(&service, Signal::STOP);
    // That somebody reads a file is no reason to look, and by turns, lest equal events melt together.
    for _ in 0..kept {
        ["watch/one", "watch/two"].iter().for_each(|name| drop(workshop.bytes(name)));
    }
    workshop.drop_in(0, skilled());
    signal(&service, Signal::CONT);
    service.until_next(&workshop, 1);
    // It still hears of what comes.
    service.until_awaited(1);
    workshop.drop_in(1, skilled());
    service.until_next(&workshop, 2);
    service.stop().well();
}

#[test]
fn a_thousand_checkpoints_at_once_during_a_scan() {
    let workshop = Workshop::new(400, &format!("{BY_ITSELF}{WHOLE}"));
    let mut service = workshop.serve();
    service.until_awaited(0);
    workshop.drop_in(0, skilled());
    hold_in_scan(&mut service);
    let before = kib(service.id());
    // What is older than the newest is not even read as a model.
    for epoch in 1..MANY {
        workshop.drop_in(epoch, format!("checkpoint {epoch}"));
    }
    workshop.drop_in(MANY, skilled());
    signal(&service, Signal::CONT);
    service.until_next(&workshop, MANY + 1);
    service.until_awaited(MANY + 1);
    assert!(workshop.path("lists/epoch-0001.csv").exists(), "the scan came to its end");
    let after = kib(service.id());
    assert!(after <= before + before / 10, "{before} KiB before, {after} KiB after");
    assert_eq!(workshop.rejections(), [""; 0]);
    let said = service.stop();
    assert_eq!(said.log.matches(" validated ").count(), 2, "only the first and the newest were run:\n{}", said.log);

    let ledger = workshop.path("state/ledger.sqlite");
    let ledger = Connection::open_with_flags(ledger, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let query = "SELECT status, reason, count(*), min(epoch), max(epoch), count(DISTINCT digest) FROM checkpoints
                 GROUP BY status, reason ORDER BY status";
    let mut statement = ledger.prepare(query).unwrap();
    let row = |row: &rusqlite::Row<'_>| {
        let reason: Option<String> = row.get(1)?;
        Ok((row.get::<_, String>(0)?, reason, [row.get::<_, u32>(2)?, row.get(3)?, row.get(4)?, row.get(5)?]))
    };
    let found: Vec<_> = statement.query_map([], row).unwrap().map(Result::unwrap).collect();
    let newer = Some("epoch-1000.onnx is newer".to_owned());
    let expected = [
        ("accepted".to_owned(), None, [2, 0, MANY, 1]),
        ("skipped".to_owned(), newer, [MANY - 1, 1, MANY - 1, MANY - 1]),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_checkpoint_that_is_overwritten_during_its_scan_does_not_disturb_it() {
    let scanned = |disturb: &dyn Fn(&Workshop)| {
        let workshop = Workshop::new(400, &format!("{BY_ITSELF}{WHOLE}"));
        let mut service = workshop.serve();
        service.until_awaited(0);
        workshop.drop_in(0, skilled());
        hold_in_scan(&mut service);
        disturb(&workshop);
        signal(&service, Signal::CONT);
        service.until_next(&workshop, 1);
        service.until_awaited(1);
        assert_eq!(workshop.rejections(), [""; 0]);
        service.stop().well();
        workshop.read("lists/epoch-0001.csv")
    };
    let overwritten = scanned(&|workshop| workshop.drop_in(0, "something else"));
    assert_eq!(overwritten, scanned(&|_| ()));
    assert!(overwritten.lines().count() > 40, "{overwritten}");
}

#[test]
fn a_checkpoint_that_was_overwritten_while_nobody_looked_is_judged_anew() {
    let workshop = Workshop::new(400, &format!("{BY_ITSELF}{WHOLE}"));
    let mut service = workshop.serve();
    service.until_awaited(0);
    workshop.drop_in(0, skilled());
    hold_in_scan(&mut service);
    service.kill();
    // A graph that takes everything for a bag.
    workshop.drop_in(0, inclined(skilled(), 8, 1000.0));
    let mut service = workshop.serve();
    service.until_said("the accepted checkpoint cannot be scanned with; another one is awaited");
    service.until_next(&workshop, 1);
    service.until_awaited(1);
    let accuracy = workshop.status()["epochs"][0]["validation_accuracy"].as_f64().unwrap();
    let bags = workshop.read("validation.txt").lines().filter(|line| line.ends_with(" 8")).count();
    // The hundred images of the validation list.
    assert_eq!(accuracy, bags as f64 / 100.0);
}

#[test]
fn files_that_are_no_checkpoints_are_told_of_once_in_a_run() {
    let workshop = Workshop::new(60, &format!("{BY_ITSELF}{WHOLE}"));
    fs::create_dir(workshop.path("watch")).unwrap();
    workshop.write("watch/best.onnx", skilled());
    let mut service = workshop.serve();
    for epoch in 0..2 {
        service.until_awaited(epoch);
        workshop.drop_in(epoch, skilled());
        service.until_next(&workshop, epoch + 1);
    }
    service.until_awaited(2);
    workshop.write("watch/notes.txt", "for a person");
    service.until_said("watch/notes.txt");
    let log = service.stop().log;
    for name in ["best.onnx", "notes.txt"] {
        let told =
            log.lines().filter(|line| line.contains("ignored, its name is not a checkpoint's") && line.contains(name));
        assert_eq!(told.count(), 1, "{name}:\n{log}");
    }
    assert!(workshop.path("watch/best.onnx").exists());
}

#[test]
fn a_bad_checkpoint_that_cannot_be_put_aside_is_looked_at_again_when_it_changes() {
    let workshop = Workshop::new(60, &format!("{BY_ITSELF}{WHOLE}"));
    fs::create_dir(workshop.path("watch")).unwrap();
    // Where rejected ones go there is a file.
    workshop.write("watch/rejected", "");
    let mut service = workshop.serve();
    service.until_awaited(0);
    workshop.drop_in(0, &skilled()[..1000]);
    service.until_said("the rejected checkpoint stays where it is");
    // Events that are not about it.
    for name in ["a.tmp", "b.tmp"] {
        workshop.write(&format!("watch/{name}"), "");
    }
    assert_eq!(workshop.rejections().len(), 1);
    workshop.drop_in(0, skilled());
    service.until_next(&workshop, 1);
    let log = service.stop().log;
    assert_eq!(log.matches("the rejected checkpoint stays where it is").count(), 1, "{log}");
}
