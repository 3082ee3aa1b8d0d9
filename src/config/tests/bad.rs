//! Configs that do not load, and what is said of them.

use super::*;

#[test]
fn all_problems_come_at_once_in_the_order_of_the_file() {
    let text = "\
seed: -1
pool:
  train: a.txt
pixels:
  size: [28]
  mean: [0.5, 0.5]
mine: {qota: 0.1, confident: high, budget: 0.5, budget: 0.6}
";
    let expected = [
        "c.yaml:1:7: seed is `-1`, not a whole number of at least 0; write for example 1",
        "c.yaml:1:1: model.start is missing; add `start: models/start.onnx` under `model:`",
        "c.yaml:2:1: pool.validation is missing; add `validation: data/validation.txt` under `pool:`",
        "c.yaml:5:9: pixels.size has 1 numbers, not two, height and width; write for example [224, 224]",
        "c.yaml:6:9: pixels.mean has 2 numbers, but pixels.channels is 3; \
         write one number for each channel, for example [0.5, 0.5, 0.5]",
        "c.yaml:7:8: there is no key mine.qota; did you mean mine.quota?",
        "c.yaml:7:30: mine.confident is `high`, not a number above 0 and at most 1; write for example 0.9",
        "c.yaml:7:49: mine.budget stands here again, after line 7 column 36; keep one of the two",
    ];
    let mut sorted = expected.to_vec();
    sorted.swap(0, 1);
    assert_eq!(said(text, &[]), sorted);
    let error = load(text, &[]).unwrap_err();
    let first = error.problems.iter().find(|problem| problem.key == "mine.qota").unwrap();
    assert_eq!((first.line, first.column), (Some(7), Some(8)));
}

#[test]
fn each_bad_value_is_named_with_its_remedy() {
    let cases = [
        ("sed: 1", "c.yaml:4:1: there is no key sed; did you mean seed?"),
        (
            "plan: {finish: 0.2}",
            "c.yaml:4:16: plan.finish has no end to come before; write plan.cost, the work of which this is a share, or \
             leave it out",
        ),
        ("quota: 0.1", "c.yaml:4:1: there is no key quota; did you mean mine.quota?"),
        (
            "folder: x",
            "c.yaml:4:1: there is no key folder; did you mean cache.folder or checkpoint.folder or lists.folder or state.folder?",
        ),
        ("extras: {weighting: 1}", "c.yaml:4:10: there is no key extras.weighting; known here: share, exponent"),
        ("Policy: patent", "c.yaml:4:1: there is no key Policy; did you mean policy?"),
        (
            "train: {learning-rate: 1}",
            "c.yaml:4:9: there is no key train.learning-rate; did you mean train.learning_rate?",
        ),
        ("seed: 1.5", "c.yaml:4:7: seed is `1.5`, not a whole number of at least 0; write for example 1"),
        ("seed:", "c.yaml:4:1: seed has no value; write a value, or leave the key out for the default 1"),
        (
            "mine: {quota: 0}",
            "c.yaml:4:15: mine.quota is `0`, not a number above 0 and at most 1; write for example auto",
        ),
        (
            "mine: {quota: 10%}",
            "c.yaml:4:15: mine.quota is `10%`, not a number above 0 and at most 1; write 0.1 instead of the percentage",
        ),
        (
            "mine: {quota: \"0.1\"}",
            "c.yaml:4:15: mine.quota is the text \"0.1\", not a number above 0 and at most 1; take the quotes away",
        ),
        (
            "mine: {quota: [0.1]}",
            "c.yaml:4:15: mine.quota is a list, not a number above 0 and at most 1; write for example auto",
        ),
        ("mine: {budget: -0.5}", "c.yaml:4:16: mine.budget is `-0.5`, not a number at least 0; write for example 1"),
        ("mine: {budget: nan}", "c.yaml:4:16: mine.budget is `nan`, not a number at least 0; write for example 1"),
        ("mine: {budget: inf}", "c.yaml:4:16: mine.budget is `inf`, not a number at least 0; write for example 1"),
        (
            "train: {momentum: 1.0}",
            "c.yaml:4:19: train.momentum is `1.0`, not a number at least 0 and below 1; write for example 0.9",
        ),
        (
            "train: {only: fc.*}",
            "c.yaml:4:15: train.only is `fc.*`, not a list of patterns; write for example [\"classifier.*\"]",
        ),
        ("train: {freeze: []}", "c.yaml:4:17: train.freeze is an empty list; leave the key out"),
        (
            "train: {freeze: [a, '']}",
            "c.yaml:4:21: train.freeze has an item that is empty; write for example [\"features.*\"]",
        ),
        (
            "train: {only: [*.bias]}",
            "c.yaml:4:16: this is not YAML: while parsing node, found unknown anchor; mind the indentation and the brackets, and put \
             quotes around text with { } [ ] : # * in it",
        ),
        ("mine: 3", "c.yaml:4:7: mine is `3`, not a section with keys; write it as `key: value` lines"),
        (
            "train: {mixup: 5}",
            "c.yaml:4:16: train.mixup is `5`, not a number at least 0 and at most 4; write for example 0",
        ),
        (
            "train: {batch: 0}",
            "c.yaml:4:16: train.batch is `0`, not a whole number from 1 to 1048576; write for example 128",
        ),
        (
            "policy: confident",
            "c.yaml:4:9: policy is `confident`, not one of confidence, patent, uniform; did you mean `confidence`?",
        ),
        (
            "policy: best",
            "c.yaml:4:9: policy is `best`, not one of confidence, patent, uniform; write for example confidence",
        ),
        (
            "lists: {formats: [txt, xml]}",
            "c.yaml:4:24: lists.formats has an item that is `xml`, not one of txt, csv, paths, jsonl, tree; write for example [txt, csv]",
        ),
        (
            "lists: {formats: txt}",
            "c.yaml:4:18: lists.formats is `txt`, not a list of formats; write for example [txt, csv]",
        ),
        (
            "checkpoint: {quiet: 2}",
            "c.yaml:4:21: checkpoint.quiet is `2`, not a time; say the unit, for example 2s or 2m",
        ),
        (
            "checkpoint: {quiet: soon}",
            "c.yaml:4:21: checkpoint.quiet is `soon`, not a time with its unit; write for example 2s",
        ),
        (
            "checkpoint: {watch: inotify}",
            "c.yaml:4:21: checkpoint.watch is `inotify`, not one of native, poll; write for example native",
        ),
        (
            "checkpoint: {poll: 0s}",
            "c.yaml:4:20: checkpoint.poll is `0s`, not a time of at least 10ms; write for example 30s",
        ),
        (
            "checkpoint: {poll: 900y}",
            "c.yaml:4:20: checkpoint.poll is `900y`, not a time of at most ten years; write for example 30s",
        ),
        (
            "checkpoint: {pattern: epoch.onnx}",
            "c.yaml:4:23: checkpoint.pattern is `epoch.onnx`, without {epoch}; write a file name with one {epoch}, for example epoch-{epoch}.onnx",
        ),
        (
            "checkpoint: {pattern: '{epoch}-{epoch}'}",
            "c.yaml:4:23: checkpoint.pattern is `{epoch}-{epoch}`, with {epoch} 2 times; write a file name with one {epoch}, for example epoch-{epoch}.onnx",
        ),
        (
            "checkpoint: {pattern: '{name}-{epoch}'}",
            "c.yaml:4:23: checkpoint.pattern is `{name}-{epoch}`, with the unknown placeholder {name}; write a file name with one {epoch}, for example epoch-{epoch}.onnx",
        ),
        (
            "checkpoint: {pattern: 'a/{epoch}'}",
            "c.yaml:4:23: checkpoint.pattern is `a/{epoch}`, with a folder in it; name the folder by checkpoint.folder, and only the file here",
        ),
        (
            "trainer: script",
            "c.yaml:4:10: trainer is `script`, neither `none` nor a section with keys; write `none`, or `trainer: {command: [...]}`",
        ),
        (
            "trainer:",
            "c.yaml:4:1: trainer has no value; write `none` if a script runs by itself, or leave the key out for the built-in trainer",
        ),
        (
            "trainer: {command: []}",
            "c.yaml:4:20: trainer.command is an empty list; leave the key out for the built-in trainer",
        ),
        (
            "trainer: {command: [a, {b: c}]}",
            "c.yaml:4:24: trainer.command has a section with keys among its arguments; put quotes around an argument such as \"{list}\"",
        ),
        (
            "trainer: {command: [a, '{lists}']}",
            "c.yaml:4:24: trainer.command names the unknown placeholder {lists}; did you mean {list}?",
        ),
        (
            "hooks: {on_stop: [a, '{work_done}']}",
            "c.yaml:4:22: hooks.on_stop names the unknown placeholder {work_done}; there are {event} {epoch} {list} {manifest} {reason}",
        ),
        ("hooks: {on_publish: []}", "c.yaml:4:21: hooks.on_publish is an empty list; leave the key out for no hook"),
        (
            "hooks: {timeout: 0s}",
            "c.yaml:4:18: hooks.timeout is `0s`, not a time of at least 1s; write for example 30s",
        ),
        (
            "trainer: {attempts: 0}",
            "c.yaml:4:21: trainer.attempts is `0`, not a whole number from 1 to 1000; write for example 3",
        ),
        (
            "stop: {accuracy: 95}",
            "c.yaml:4:18: stop.accuracy is `95`, not a number above 0 and at most 1; write for example 0.95",
        ),
        (
            "stop: {patience: 0}",
            "c.yaml:4:18: stop.patience is `0`, not a whole number from 1 to 4294967295; write for example 5",
        ),
        ("lists: {folder: ''}", "c.yaml:4:17: lists.folder is empty; write for example lists"),
        (
            "lists: {folder: ./state/}",
            "c.yaml:4:17: state.folder and lists.folder are both `state`; give each a folder of its own",
        ),
        (
            "cache: {folder: ./state/}",
            "c.yaml:4:17: state.folder and cache.folder are both `state`; give each a folder of its own",
        ),
        ("score: {max_gib: 0}", "c.yaml:4:18: score.max_gib is `0`, not a number above 0; write for example auto"),
        ("cache: {max_gib: -1}", "c.yaml:4:18: cache.max_gib is `-1`, not a number at least 0; write for example 10"),
        ("mine: &a {quota: *a}", "c.yaml:4:18: aliases (*) are not read here; write the value out"),
        ("mine: !x {quota: 1}", "c.yaml:4:7: tags (!) are not read here; leave the tag out"),
        ("? [a]\n: 1", "c.yaml:4:3: a key is a list or a mapping; write a plain word before the colon"),
        ("---\nseed: 1", "c.yaml:4:1: a second document starts here; keep one document a file"),
    ];
    for (line, expected) in cases {
        assert_eq!(said_of(line), [expected], "for {line}");
    }
}

#[test]
fn validation_on_training_images_is_refused() {
    let same = LEAST.replace("b.txt", "a.txt");
    assert!(said(&same, &[])[0].starts_with("c.yaml:1:34: pool.validation is `a.txt`, as is pool.train"));
}

#[test]
fn overrides_win_and_are_blamed_by_their_own_text() {
    let set =
        ["mine.quota=0.2", "lists.formats=[paths]", "trainer=none", "stop.epochs=3", "stop.epochs=4", "pool.test="];
    let config = load(&format!("{LEAST}mine: {{quota: bad}}"), &set).unwrap();
    assert_eq!(config.mine.quota, OrAuto::Of(0.2));
    assert_eq!(config.lists.formats, [ListFormat::Csv, ListFormat::Paths]);
    assert_eq!(config.trainer.program, TrainerProgram::None);
    assert_eq!(config.stop.epochs, Some(4));
    let cases = [
        (
            "mine.quota=2",
            "--set mine.quota=2: mine.quota is `2`, not a number above 0 and at most 1; write for example auto",
        ),
        ("mine.qota=0.2", "--set mine.qota=0.2: there is no key mine.qota; did you mean mine.quota?"),
        ("mime.quota=0.2", "--set mime.quota=0.2: there is no key mime; did you mean mine?"),
        ("mine.quota", "--set mine.quota: there is no `=`; write --set key=value, as in --set mine.quota=0.2"),
        (".quota=1", "--set .quota=1: `.quota` is no key; write the key with its section, as in --set mine.quota=0.2"),
        ("seed.x=1", "--set seed.x=1: seed is no section with keys in the config; set seed as a whole"),
        (
            "mine={quota: 1, quota: 1}",
            "--set mine={quota: 1, quota: 1}: quota stands twice in the value; keep one of the two",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(said(&format!("{LEAST}seed: 3\n"), &[text]), [expected]);
    }
    let syntax = said(LEAST, &["mine.quota=[1"]);
    assert!(syntax[0].starts_with("--set mine.quota=[1: this is not YAML: "), "{syntax:?}");
}

#[test]
fn what_is_no_yaml_is_told_by_line_and_column() {
    let found = said("seed: 1\npool: {train: a\nmine: ]\n", &[]);
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("c.yaml:3:"), "{found:?}");
    assert!(found[0].contains("this is not YAML"));
    let deep = format!("seed: {}", "[".repeat(20));
    assert!(said(&deep, &[])[0].contains("nested more than 16 deep"), "{:?}", said(&deep, &[]));
    for endless in ["[", "{", "- ", "{a: ", "? "] {
        assert_eq!(said(&endless.repeat(100_000), &[]).len(), 1, "for {endless}");
    }
    assert_eq!(said("", &[]).len(), 4, "every required key is named");
    assert!(said("# nothing\n", &[])[0].starts_with("c.yaml:1:1: pool.train is missing"));
    assert!(said("just text", &[])[0].starts_with("c.yaml:1:1: the config is `just text`, not a section with keys"));
    assert_eq!(load(&format!("\u{feff}{LEAST}"), &[]).unwrap(), load(LEAST, &[]).unwrap());
    assert_eq!(load(&LEAST.replace('\n', "\r\n"), &[]).unwrap(), load(LEAST, &[]).unwrap());
}

#[test]
fn a_file_that_is_no_config_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.yaml");
    let said = |path: &Path| Config::load(path, &[]).unwrap_err().to_string();
    assert!(said(&path).contains("cannot be read") && said(&path).starts_with(&*path.to_string_lossy()));
    assert!(said(folder.path()).contains("cannot be read"));
    std::fs::write(&path, b"seed: 1\npool: \xff\n").unwrap();
    assert!(said(&path).contains("line 2 is not UTF-8"), "{}", said(&path));
    std::fs::write(&path, vec![b'a'; (1 << 18) + 1]).unwrap();
    assert!(said(&path).contains("larger than any config"));
}
