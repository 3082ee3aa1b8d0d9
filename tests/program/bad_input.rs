//! Bad input: each with a message of its own that names the file, the value and the remedy, and nothing lost.

use std::fs;

use super::graphs::skilled;
use super::tables::manifest;
use super::workshop::{BY_ITSELF, Workshop, images};

fn assert_says(message: &str, texts: &[&str]) {
    for text in texts {
        assert!(message.contains(text), "no {text:?} in:\n{message}");
    }
}

/// Nothing was made but what the test has put there.
fn assert_untouched(workshop: &Workshop) {
    for folder in ["lists", "state", "watch"] {
        assert!(!workshop.path(folder).exists(), "{folder} was made");
    }
}

#[test]
fn all_problems_of_a_config_at_once_with_line_and_column() {
    let config = "trainer: none\nmine: {qota: 0.1, confident: high}\nlists:\n  formats: [txt, xml]\n";
    let workshop = Workshop::new(10, config);
    for command in ["run", "mine"] {
        let said = workshop.run(&[command, "-c", "config.yaml", "--set", "seeed=1"]).badly();
        let expected = [
            "config.yaml:7:8: there is no key mine.qota; did you mean mine.quota?",
            "config.yaml:7:30: mine.confident is `high`",
            "config.yaml:9:18: lists.formats has an item that is `xml`, not one of txt, csv, paths, jsonl, tree",
            "--set seeed=1: there is no key seeed; did you mean seed?",
        ];
        assert_says(&said, &expected);
        assert_eq!(said.trim().lines().count(), 4, "{said}");
    }
    let said = workshop.run(&["run", "-c", "nowhere.yaml"]).badly();
    assert_says(&said, &["nowhere.yaml: the config cannot be read", "configs/fashion-mnist.yaml"]);
    assert_untouched(&workshop);
}

#[test]
fn names_that_a_list_cannot_hold_are_told_before_anything_begins() {
    let workshop = Workshop::new(12, &format!("{BY_ITSELF}lists: {{formats: [jsonl]}}\n"));
    let pool = [workshop.read("pool.txt").as_bytes(), b"caf\xe9.png 1\na b.png 2\n"].concat();
    workshop.write("pool.txt", pool);
    let expected = ["1 image cannot be listed", "caf\\xE9.png\": its path is not UTF-8", "leave out jsonl"];
    assert_says(&workshop.serve().end().badly(), &expected);
    assert_untouched(&workshop);
    assert_says(&workshop.run(&["check", "-c", "config.yaml"]).out, &expected);
}

#[test]
fn lists_and_graphs_that_cannot_be_used() {
    let refused = |spoil: &dyn Fn(&Workshop), texts: &[&str]| {
        let workshop = Workshop::new(12, BY_ITSELF);
        spoil(&workshop);
        assert_says(&workshop.serve().end().badly(), texts);
        assert_untouched(&workshop);
    };
    let pool = |lines: &dyn Fn(Vec<String>) -> Vec<String>| lines(images("pool.txt", 12)).join("\n");
    let relabelled = pool(&|mut lines| {
        lines[6] = lines[6].rsplit_once(' ').unwrap().0.to_owned() + " 10";
        lines
    });
    refused(
        &|workshop| workshop.write("pool.txt", &relabelled),
        &["pool.txt:7: label 10 is outside the 10 classes of the model, 0 to 9", "correct the label"],
    );
    let unlabelled = pool(&|mut lines| {
        lines[2] = "lonely.png".to_owned();
        lines[4] = "image.png cat".to_owned();
        lines
    });
    refused(&|workshop| workshop.write("pool.txt", &unlabelled), &["pool.txt:3: `lonely.png`", "pool.txt:5: "]);
    let twice = pool(&|mut lines| {
        lines[3] = lines[1].clone();
        lines
    });
    refused(&|workshop| workshop.write("validation.txt", &twice), &["validation.txt:4: "]);
    refused(
        &|workshop| workshop.write("pool.txt", "\n"),
        &["pool.txt: there are no images in this list; write one `path label` a line"],
    );
    refused(
        &|workshop| fs::remove_file(workshop.path("pool.txt")).unwrap(),
        &["pool.txt: cannot be read: ", "name a list of `path label` lines"],
    );
    refused(&|workshop| fs::remove_file(workshop.path("start.onnx")).unwrap(), &["start.onnx: cannot be read: "]);
    refused(
        &|workshop| workshop.write("start.onnx", &skilled()[..1000]),
        &["start.onnx: not an ONNX file or truncated", "export or copy the model again"],
    );
}

#[test]
fn images_that_cannot_be_read_are_counted_listed_and_skipped() {
    let workshop = Workshop::new(80, &format!("{BY_ITSELF}mine: {{quota: 1.0, budget: 1000.0}}\n"));
    workshop.write("text.png", "this is no image");
    let mut lines = images("pool.txt", 80);
    let whole = fs::read(lines[0].rsplit_once(' ').unwrap().0).unwrap();
    workshop.write("cut.png", &whole[..whole.len() / 2]);
    let spoilt = ["text.png", "cut.png", "nowhere.png"];
    lines.extend(spoilt.map(|name| format!("{name} 3")));
    workshop.write("pool.txt", lines.join("\n"));
    let mut validation = images("validation.txt", 50);
    validation.push("gone.png 3".to_owned());
    workshop.write("validation.txt", validation.join("\n"));

    let mut service = workshop.serve();
    service.until_next(&workshop, 0);
    let first = workshop.read("lists/epoch-0000.txt");
    assert!(
        spoilt.iter().all(|name| !first.contains(name)),
        "another seed is needed: one of them is on the first list"
    );
    workshop.drop_in(0, skilled());
    service.until_next(&workshop, 1);
    service.until_said("waiting for the checkpoint epoch=1 ");
    let status = workshop.status();
    let epoch = &status["epochs"][1];
    assert_eq!((&epoch["skipped"], &epoch["scanned"]), (&3.into(), &72.into()), "8 of 83 were trained on");
    let events: Vec<&str> = status["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["kind"] == "skipped")
        .map(|event| event["text"].as_str().unwrap())
        .collect();
    let events = events.join("\n");
    assert_eq!(events.lines().count(), 3);
    assert_says(&events, &["/nowhere.png: there is no such file; correct the path in the list, or remove the line"]);
    for name in ["text.png", "cut.png"] {
        assert_says(&events, &[&format!("{}: is not a whole image", workshop.path(name).display())]);
    }
    let list = manifest(&workshop.path("lists/epoch-0001.csv"));
    assert!(list.iter().all(|line| spoilt.iter().all(|name| !line.path.ends_with(name))));
    // The run goes on.
    workshop.drop_in(1, skilled());
    service.until_next(&workshop, 2);
    let said = service.stop();
    assert_says(&said.log, &["an image is left out", "gone.png"]);
}

#[test]
fn no_validation_image_can_be_read() {
    let workshop = Workshop::new(20, BY_ITSELF);
    workshop.write("validation.txt", "nowhere.png 1\nneither.png 2\n");
    let mut service = workshop.serve();
    service.until_next(&workshop, 0);
    workshop.drop_in(0, skilled());
    let said = service.end().badly();
    assert_says(&said, &["validation.txt: none of its 2 images could be read; the first: ", "nowhere.png"]);
    assert!(workshop.path("watch/epoch-0000.onnx").exists(), "the checkpoint is not to blame");
    assert!(workshop.next_is(0));
}

#[test]
fn one_state_folder_serves_one_run() {
    let workshop = Workshop::new(40, BY_ITSELF);
    let mut service = workshop.serve();
    service.until_next(&workshop, 0);
    for command in ["run", "mine"] {
        let said = workshop.run(&[command, "-c", "config.yaml"]).badly();
        assert_says(&said, &[&format!("another gleaner (process {})", service.id()), "state.folder"]);
    }
    service.until_said("waiting for the checkpoint");
    service.stop().well();

    let before = workshop.bytes("lists/next.txt");
    let said = workshop.run(&["run", "-c", "config.yaml", "--set", "seed=4"]).badly();
    assert_says(&said, &["this ledger belongs to a run with another seed", "state.folder"]);
    let mut lines = images("pool.txt", 40);
    lines.swap(0, 1);
    workshop.write("pool.txt", lines.join("\n"));
    let said = workshop.serve().end().badly();
    assert_says(&said, &["this ledger belongs to a run with another pool (pool.train)", "state.folder"]);
    assert_eq!(workshop.bytes("lists/next.txt"), before);

    workshop.write("pool.txt", images("pool.txt", 40).join("\n"));
    let mut service = workshop.serve();
    workshop.drop_in(0, skilled());
    service.until_next(&workshop, 1);
}

#[test]
fn a_new_run_refuses_the_checkpoints_of_an_old_one() {
    let workshop = Workshop::new(20, "trainer: {command: [sh, -c, \"exit 1\"]}\n");
    workshop.drop_in(7, skilled());
    let said = workshop.serve().end().badly();
    assert_says(&said, &["epoch-0007.onnx: stands where the new run's checkpoints will appear", "checkpoint.folder"]);
    assert!(!workshop.path("lists").exists());
}

#[test]
fn a_turn_by_hand_refuses_what_it_cannot_take() {
    let workshop = Workshop::new(40, BY_ITSELF);
    workshop.new_graph(7, "seven.onnx");
    let mine = |checkpoint: &str| workshop.run(&["mine", "-c", "config.yaml", "--checkpoint", checkpoint]).badly();
    assert_says(&mine("start.onnx"), &["start.onnx: its name does not follow checkpoint.pattern (epoch-{epoch}.onnx)"]);
    workshop.drop_in(0, workshop.bytes("seven.onnx"));
    assert_says(&mine("watch/epoch-0000.onnx"), &["epoch-0000.onnx: ", "it tells 7 classes apart"]);
    let said = workshop.run(&["mine", "-c", "config.yaml"]);
    assert_eq!(said.code, Some(1), "{}", said.log);
    workshop.drop_in(0, skilled());
    workshop.run(&["mine", "-c", "config.yaml"]).well();
    assert!(workshop.next_is(1));
    assert_says(&mine("watch/epoch-0000.onnx"), &["it is of epoch 0, where 1 or later is awaited"]);
    assert!(workshop.next_is(1));
}

#[test]
fn check_names_every_problem_at_once() {
    let workshop = Workshop::new(20, "trainer: {command: [sh, train.sh]}\n");
    let said = workshop.run(&["check", "-c", "config.yaml"]).well();
    assert_says(&said, &["no problem found", "pool.txt: 20 images, ", "start.onnx: 10 classes"]);
    assert!(!said.contains("problem  "), "{said}");

    workshop.write("pool.txt", images("pool.txt", 20).join("\n") + "\nnowhere.png 1\nneither.png 2\n");
    workshop.write("validation.txt", images("validation.txt", 3).join("\n") + "\nimage.png 12\n");
    let set = ["--set", "trainer.command=[no-such-trainer]", "--set", "state.folder=start.onnx/state"];
    let said = workshop.run(&[&["check", "-c", "config.yaml"], &set[..]].concat());
    assert_eq!(said.code, Some(1), "{}{}", said.out, said.log);
    let problems: Vec<&str> = said.out.lines().filter_map(|line| line.strip_prefix("problem  ")).collect();
    let expected: [&[&str]; 4] = [
        &["pool.txt: 2 of 22 images are not there, the first is ", "nowhere.png"],
        &["validation.txt:4: label 12 is outside the 10 classes"],
        &["trainer.command: there is no program no-such-trainer"],
        &["state.folder: nothing can be written in "],
    ];
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    problems.iter().zip(expected).for_each(|(problem, texts)| assert_says(problem, texts));
    assert_says(&said.out, &["4 problem(s) found"]);

    let said =
        workshop.run(&["check", "-c", "config.yaml", "--set", "model.start=nowhere.onnx", "--set", "mine.quota=2"]);
    assert_eq!(said.code, Some(1));
    assert_says(&said.out, &["--set mine.quota=2: mine.quota is `2`"]);
    assert_untouched(&workshop);
}
