//! Faults that show only when everything went well so far: in the scan, or when the run ends.

use std::fs::{self, File};

use super::graphs::{blind_to_white, skilled};
use super::workshop::{BY_ITSELF, Running, Workshop, images};

/// A scan that looks at everything.
const WHOLE: &str = "mine: {quota: 1.0, budget: 1000.0}\n";

/// 80 real images and, as the last of the pool, one that is white all over.
fn with_a_white_image(config: &str) -> Workshop {
    let workshop = Workshop::new(80, &format!("{config}{WHOLE}"));
    let file = File::create(workshop.path("white.png")).unwrap();
    let mut encoder = png::Encoder::new(file, 28, 28);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header().unwrap().write_image_data(&[u8::MAX; 28 * 28]).unwrap();
    workshop.write("pool.txt", workshop.read("pool.txt") + "white.png 0\n");
    workshop
}

/// The white image is scanned only if it was not trained on.
fn assert_white_is_to_be_scanned(workshop: &Workshop) {
    assert!(!workshop.read("lists/epoch-0000.txt").contains("white.png"), "another seed is needed: it is on the list");
}

fn until_put_aside(service: &mut Running, workshop: &Workshop, epoch: u32) {
    let file = workshop.path(&format!("watch/epoch-{epoch:04}.onnx"));
    service.until("the checkpoint being put aside", || (!file.exists()).then_some(()));
}

#[test]
fn a_checkpoint_whose_fault_shows_in_the_scan_gives_way_to_another_of_its_epoch() {
    let workshop = with_a_white_image(BY_ITSELF);
    let mut service = workshop.serve();
    service.until_awaited(0);
    assert_white_is_to_be_scanned(&workshop);
    let before = workshop.bytes("lists/next.txt");
    let unfit = blind_to_white(skilled());
    workshop.drop_in(0, &unfit);
    let reason = service.until("a rejection", || workshop.rejections().pop());
    assert!(reason.contains("epoch-0000.onnx: its scores for "), "{reason}");
    assert!(reason.contains("/white.png are not finite (NaN or infinity)"), "{reason}");
    until_put_aside(&mut service, &workshop, 0);
    let folders: Vec<_> = fs::read_dir(workshop.path("watch/rejected")).unwrap().map(Result::unwrap).collect();
    assert_eq!(folders.len(), 1);
    assert_eq!(fs::read(folders[0].path().join("epoch-0000.onnx")).unwrap(), unfit);
    let beside = fs::read_to_string(folders[0].path().join("reason.txt")).unwrap();
    assert!(beside.contains(&reason), "{beside}");

    // Known again by its bytes, however often it comes.
    for _ in 0..2 {
        workshop.drop_in(0, &unfit);
        until_put_aside(&mut service, &workshop, 0);
        assert_eq!(workshop.rejections(), [format!("it was rejected before: {reason}")]);
    }
    let status = workshop.status();
    assert_eq!(status["standing"], "epoch 0 is published, its checkpoint is awaited");
    assert_eq!(status["epochs"][0]["status"], "committed");
    assert_eq!(status["epochs"][0]["validation_accuracy"], serde_json::Value::Null);
    assert_eq!(workshop.bytes("lists/next.txt"), before, "the last good list stays");
    assert!(!workshop.path("lists/epoch-0001.csv").exists());

    workshop.drop_in(0, skilled());
    service.until_next(&workshop, 1);
    service.until_awaited(1);
    let status = workshop.status();
    assert_eq!((&status["epochs"][0]["status"], &status["epochs"][1]["scanned"]), (&"trained".into(), &73.into()));
    assert_eq!(status["epochs"][0]["train_visits"], status["epochs"][0]["size"], "one training, not four");
    let said = service.stop();
    assert_eq!(said.log.matches(" validated ").count(), 2, "the unfit one was accepted at first:\n{}", said.log);
}

#[test]
fn an_older_checkpoint_is_taken_when_the_newest_fails_in_the_scan() {
    let workshop = with_a_white_image(BY_ITSELF);
    let (unfit, fit) = (blind_to_white(skilled()), skilled());
    // The newest is written first, so that it is not the last to be quiet.
    workshop.drop_in(2, unfit);
    workshop.drop_in(0, fit);
    let mut service = workshop.serve();
    service.until_next(&workshop, 1);
    service.until_awaited(1);
    assert_white_is_to_be_scanned(&workshop);
    assert_eq!(workshop.rejections().len(), 1);
    let status = workshop.status();
    assert_eq!(status["rejected"][0]["epoch"], 2);
    assert!(!workshop.path("watch/epoch-0002.onnx").exists() && workshop.path("watch/epoch-0000.onnx").exists());
    let epochs = status["epochs"].as_array().unwrap();
    assert_eq!((epochs.len(), &epochs[0]["status"], &epochs[1]["epoch"]), (2, &"trained".into(), &1.into()));
    assert_eq!(epochs[0]["train_visits"], epochs[0]["size"], "the training behind the unfit one does not count");
}

#[test]
fn a_list_awaits_its_checkpoint_again_when_a_later_one_fails_in_the_scan() {
    let workshop = with_a_white_image(BY_ITSELF);
    let mut service = workshop.serve();
    service.until_awaited(0);
    assert_white_is_to_be_scanned(&workshop);
    workshop.drop_in(2, blind_to_white(skilled()));
    until_put_aside(&mut service, &workshop, 2);
    let status = workshop.status();
    assert_eq!(status["standing"], "epoch 0 is published, its checkpoint is awaited");
    assert_eq!(status["epochs"][0]["status"], "committed");
    workshop.drop_in(1, skilled());
    service.until_next(&workshop, 2);
    service.until_awaited(2);
    let epochs = &workshop.status()["epochs"];
    assert_eq!((&epochs[0]["size"], &epochs[0]["train_visits"]), (&8.into(), &16.into()), "epochs 0 and 1");
}

#[test]
fn a_step_whose_checkpoint_fails_in_the_scan_is_done_anew() {
    let script = "echo run >> runs; graph=start.onnx; [ $(wc -l < runs) -gt 1 ] || graph=blind.onnx\n\
                  cp $graph \"$1.part\"; mv \"$1.part\" \"$1\"\n";
    let config = "trainer: {command: [sh, train.sh, \"{checkpoint_out}\"], attempts: 2, backoff: 100ms}\n";
    let workshop = with_a_white_image(&format!("{config}stop: {{epochs: 2}}\n"));
    workshop.write("blind.onnx", blind_to_white(&workshop.bytes("start.onnx")));
    workshop.write("train.sh", script);
    assert!(workshop.serve().end().well().contains("ended by stop.epochs: 2 epochs are done"));
    assert_white_is_to_be_scanned(&workshop);
    assert_eq!(workshop.read("runs").lines().count(), 3, "epoch 0 twice, epoch 1 once");
    let reasons = workshop.rejections();
    assert!(reasons.len() == 1 && reasons[0].contains("white.png are not finite"), "{reasons:?}");

    // A trainer that cannot do better does not go on for ever.
    let workshop = with_a_white_image(config);
    workshop.write("blind.onnx", blind_to_white(&workshop.bytes("start.onnx")));
    workshop.write("train.sh", script.replace("-gt 1", "-gt 9"));
    let said = workshop.serve().end().badly();
    assert!(said.contains("the training step of epoch 0 failed 2 times, the last time so: it was rejected"), "{said}");
    assert_eq!(workshop.read("runs").lines().count(), 2);
    assert!(workshop.next_is(0));

    // Nor does one whose bytes are new each time: here an entry of metadata counts the runs.
    let workshop = with_a_white_image(config);
    workshop.write("blind.onnx", blind_to_white(&workshop.bytes("start.onnx")));
    let counted = "echo run >> runs; cp blind.onnx \"$1.part\"\n\
                   printf '\\162\\006\\012\\001k\\022\\001%d' $(wc -l < runs) >> \"$1.part\"; mv \"$1.part\" \"$1\"\n";
    workshop.write("train.sh", counted);
    let said = workshop.serve().end().badly();
    assert!(said.contains("the training step of epoch 0 failed 2 times"), "{said}");
    assert!(said[said.rfind("failed 2 times").unwrap()..].contains("white.png are not finite"), "{said}");
    assert_eq!((workshop.read("runs").lines().count(), workshop.rejections().len()), (2, 2));
    assert!(workshop.next_is(0));
}

#[test]
fn an_accepted_checkpoint_that_is_gone_is_awaited_again() {
    let workshop = Workshop::new(60, &format!("{BY_ITSELF}{WHOLE}stop: {{epochs: 1}}\n"));
    workshop.drop_in(0, skilled());
    assert!(workshop.mine(0).well().contains("ended by stop.epochs"));
    fs::remove_file(workshop.path("watch/epoch-0000.onnx")).unwrap();
    let mut service = workshop.start(&["run", "-c", "config.yaml", "--set", "stop.epochs=5"]);
    service.until_said("the accepted checkpoint cannot be scanned with");
    service.until_awaited(0);
    workshop.drop_in(0, skilled());
    service.until_next(&workshop, 1);
    service.until_awaited(1);
    assert_eq!(workshop.status()["epochs"][0]["status"], "trained");
}

#[test]
fn an_image_that_cannot_be_read_costs_no_forward() {
    // 40 images, of which 4 are trained on first. A budget of 0.03 visits for each of the quota of 40, at 0.17 visits a
    // forward, pays for 7 forwards.
    let workshop = Workshop::new(40, &format!("{BY_ITSELF}mine: {{quota: 1.0, budget: 0.03}}\n"));
    let real = images("pool.txt", 40);
    let every_second = |(at, line): (usize, &String)| match line.rsplit_once(' ') {
        Some((_, label)) if at % 2 == 0 => format!("lost-{at}.png {label}\n"),
        _ => format!("{line}\n"),
    };
    workshop.write("pool.txt", real.iter().enumerate().map(every_second).collect::<String>());
    let mut service = workshop.serve();
    service.until_awaited(0);
    workshop.drop_in(0, skilled());
    service.until_next(&workshop, 1);
    service.until_awaited(1);
    let epoch = &workshop.status()["epochs"][1];
    assert_eq!((&epoch["scanned"], &epoch["scan_forwards"]), (&7.into(), &7.into()));
    assert!(epoch["skipped"].as_u64().unwrap() > 0, "{epoch}");
}

#[test]
fn a_run_whose_best_checkpoint_is_gone_ends_without_a_test() {
    const WARNING: &str = "the best checkpoint cannot be held against the test images";
    let script = "graph=skilled.onnx; if [ $GLEANER_EPOCH = 1 ]; then graph=start.onnx; rm watch/epoch-0000.onnx; fi\n\
                  cp $graph \"$1.part\"; mv \"$1.part\" \"$1\"\n";
    let config = "trainer: {command: [sh, train.sh, \"{checkpoint_out}\"]}\npolicy: uniform\nstop: {epochs: 2}\n";
    let run = ["run", "-c", "config.yaml", "--set", "pool.test=test.txt"];
    let ended = |script: &str| {
        let workshop = Workshop::new(60, config);
        workshop.write("test.txt", images("test.txt", 30).join("\n"));
        workshop.write("skilled.onnx", skilled());
        workshop.write("train.sh", script);
        let said = workshop.run(&run);
        assert!(said.out.contains("ended by stop.epochs: 2 epochs are done"), "{}{}", said.out, said.log);
        let status = workshop.status();
        assert_eq!(status["outcome"]["best_epoch"], 0);
        assert_eq!(status["outcome"]["best_accuracy"], status["epochs"][0]["validation_accuracy"]);
        assert_eq!(said.code, Some(0));
        (status["outcome"]["test_accuracy"].clone(), said.log)
    };
    let (accuracy, log) = ended(script);
    assert!(accuracy.is_null(), "{accuracy}");
    assert!(log.lines().any(|line| line.contains("WARN") && line.contains(WARNING)), "{log}");
    assert!(log.contains("epoch-0000.onnx: cannot be read"), "{log}");

    let (accuracy, log) = ended(&script.replace("rm ", "ls "));
    assert!(accuracy.as_f64().unwrap() > 0.4 && !log.contains(WARNING), "{accuracy}\n{log}");
}

#[test]
fn a_pool_that_cannot_be_read_ends_the_service_and_not_the_run() {
    let workshop = Workshop::new(30, &format!("{BY_ITSELF}{WHOLE}"));
    let real = images("pool.txt", 30);
    let real: Vec<(&str, &str)> = real.iter().map(|line| line.rsplit_once(' ').unwrap()).collect();
    let lines = real.iter().enumerate().map(|(at, (_, label))| format!("lost-{at}.png {label}\n"));
    workshop.write("pool.txt", lines.collect::<String>());
    let mut service = workshop.serve();
    service.until_awaited(0);
    let before = workshop.bytes("lists/next.txt");
    workshop.drop_in(0, skilled());
    let said = service.end().badly();
    let message = &said[said.rfind("gleaner: ").unwrap()..];
    let list = workshop.path("pool.txt");
    // The other three were trained on, and not looked at.
    let expected = format!("{}: none of its 27 images could be read; the first: ", list.display());
    assert!(message.contains(&expected) && message.contains("lost-"), "{message}");
    let status = workshop.status();
    assert!(status["outcome"].is_null(), "{}", status["outcome"]);
    assert_eq!(status["standing"], "epoch 0 is trained, the next list is due");
    assert_eq!(status["rejected"], serde_json::json!([]), "the checkpoint is not to blame");
    assert!(!workshop.path("lists/epoch-0001.csv").exists());
    assert_eq!(workshop.bytes("lists/next.txt"), before, "the last good list stays");
    assert!(workshop.next_is(0));

    for (at, (image, _)) in real.iter().enumerate() {
        fs::copy(image, workshop.path(&format!("lost-{at}.png"))).unwrap();
    }
    let mut service = workshop.serve();
    service.until_next(&workshop, 1);
}
