//! `gleaner model head` and what `gleaner model inspect` says of weights.

use std::fs;
use std::path::Path;

use gleaner::onnx::Model;
use gleaner::onnx::proto::AttributeProto;
use gleaner::onnx::proto::attribute_proto::AttributeType;

use super::tables::{Row, parquet};
use super::workshop::Workshop;

/// A workshop with images that are all said to be of the first class, which every network has.
fn of_class_zero(images: usize) -> Workshop {
    let workshop = Workshop::new(images, "");
    let list = workshop.read("pool.txt");
    let paths = list.lines().map(|line| line.rsplit_once(' ').unwrap().0);
    workshop.write("pool.txt", paths.map(|path| format!("{path} 0\n")).collect::<String>());
    workshop
}

/// A network of seven classes: see `tests/fixtures/make_heads.py`.
fn bring(workshop: &Workshop, name: &str) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/onnx/heads");
    workshop.write("seven.onnx", fs::read(fixtures.join(name)).unwrap());
}

/// Scores the workshop's pool by a network for colour images of 8 x 8 pixels.
fn score(workshop: &Workshop, graph: &str, more: &[&str]) -> Vec<Row> {
    let pixels = ["pixels.size=[8, 8]", "pixels.channels=3", "pixels.mean=[0, 0, 0]", "pixels.std=[1, 1, 1]"];
    let mut arguments =
        vec!["score", "-c", "config.yaml", "--checkpoint", graph, "--list", "pool.txt", "-o", "scores.parquet"];
    arguments.extend(pixels.iter().flat_map(|set| ["--set", set]));
    arguments.extend(more);
    workshop.run(&arguments).well();
    parquet(&workshop.path("scores.parquet")).1
}

fn numbers(model: &Model, name: &str) -> Vec<f64> {
    model.tensor(name).unwrap().f32().unwrap().iter().map(|&value| f64::from(value)).collect()
}

#[test]
fn a_new_last_layer_answers_by_the_old_embedding() {
    let workshop = of_class_zero(20);
    for name in ["gemm-dynamo.onnx", "gemm-torchscript.onnx"] {
        bring(&workshop, name);
        let said =
            workshop.run(&["model", "head", "--classes", "3", "--seed", "5", "seven.onnx", "-o", "three.onnx"]).well();
        assert_eq!(said, "three.onnx: 3 classes instead of 7, in classifier.weight and classifier.bias\n");
        let (old, new) =
            (score(&workshop, "seven.onnx", &["--embedding"]), score(&workshop, "three.onnx", &["--embedding"]));
        let model = Model::read(&workshop.path("three.onnx")).unwrap();
        let (weights, bias) = (numbers(&model, "classifier.weight"), numbers(&model, "classifier.bias"));
        for (old, new) in old.iter().zip(&new) {
            let embedding = new.embedding();
            assert_eq!(embedding, old.embedding(), "{name}");
            let logit = |class: usize| {
                let products = embedding.iter().zip(&weights[class * 5..]).map(|(value, weight)| value * weight);
                bias[class] + products.sum::<f64>()
            };
            let exponentials = [0, 1, 2].map(|class| logit(class).exp());
            let expected = exponentials[0] / exponentials.iter().sum::<f64>();
            assert!((new.of("p_label") - expected).abs() < 1e-5, "{name}: {} instead of {expected}", new.of("p_label"));
        }
    }
}

#[test]
fn every_kind_of_last_layer_runs_with_other_classes() {
    let workshop = of_class_zero(5);
    for name in ["conv-dynamo.onnx", "conv-torchscript.onnx", "matmul-dynamo.onnx", "matmul-torchscript.onnx"] {
        bring(&workshop, name);
        for classes in ["2", "12"] {
            workshop.run(&["model", "head", "--classes", classes, "seven.onnx", "-o", "new.onnx"]).well();
            let inspected = workshop.run(&["model", "inspect", "new.onnx"]).well();
            assert!(inspected.contains(&format!("classes     {classes}, as logits")), "{name}: {inspected}");
            assert!(inspected.contains("trainer     knows every operator"), "{name}: {inspected}");
            let scores = score(&workshop, "new.onnx", &[]);
            assert!(scores.iter().all(|row| row.of("predicted") < classes.parse().unwrap()), "{name}");
            // The probability of the best is no less than that of a blind guess, and the others share what is left.
            let blind = 1.0 / classes.parse::<f64>().unwrap();
            assert!(scores.iter().all(|row| row.of("confidence") >= blind - 1e-6), "{name}");
        }
    }
}

#[test]
fn the_seed_decides_and_the_input_is_never_overwritten() {
    let workshop = Workshop::new(1, "");
    let head = |seed: &str, output: &str| {
        workshop.run(&["model", "head", "--classes", "4", "--seed", seed, "start.onnx", "-o", output])
    };
    for (seed, output) in [("1", "one.onnx"), ("1", "again.onnx"), ("2", "two.onnx")] {
        head(seed, output).well();
    }
    assert_eq!(workshop.bytes("one.onnx"), workshop.bytes("again.onnx"));
    assert_ne!(workshop.bytes("one.onnx"), workshop.bytes("two.onnx"));
    let before = workshop.bytes("start.onnx");
    std::os::unix::fs::symlink(workshop.path("start.onnx"), workshop.path("link.onnx")).unwrap();
    for output in ["start.onnx", "./start.onnx", "link.onnx"] {
        let said = head("1", output).badly();
        assert!(said.contains("start.onnx would be overwritten; name another file with -o"), "{said}");
    }
    assert_eq!(workshop.bytes("start.onnx"), before);
}

#[test]
fn inspect_says_why_a_graph_cannot_be_trained() {
    let workshop = Workshop::new(1, "");
    let mut model = Model::from_bytes(&workshop.bytes("start.onnx")).unwrap();
    for node in model.graph_mut().node.iter_mut().filter(|node| node.op_type() == "Relu") {
        node.op_type = Some("Hardmax".to_owned());
    }
    workshop.write("hardmax.onnx", model.to_bytes().unwrap());
    let said = workshop.run(&["model", "inspect", "hardmax.onnx"]).well();
    let refusal = "does not know Hardmax; train with a command of your own (`trainer.command`)\n";
    assert!(said.contains(&format!("trainer     {refusal}")), "{said}");
    let checked = workshop.run(&["check", "-c", "config.yaml", "--set", "model.start=hardmax.onnx"]).out;
    assert!(checked.contains(&format!("problem  hardmax.onnx: the built-in trainer {refusal}")), "{checked}");

    // A normalisation whose offset and mean are one tensor of two dimensions: such a one is taken to be shared on purpose.
    let mut tied = Model::from_bytes(&workshop.bytes("start.onnx")).unwrap();
    let graph = tied.graph_mut();
    let weight = graph.initializer.iter_mut().find(|tensor| tensor.name() == "bn1.bias").unwrap();
    weight.dims = vec![4, 8];
    for node in graph.node.iter_mut().filter(|node| node.name() == "bn1") {
        node.input[3] = node.input[2].clone();
    }
    workshop.write("tied.onnx", tied.to_bytes().unwrap());
    let said = workshop.run(&["model", "inspect", "tied.onnx"]).well();
    let reason =
        "trainer     initializer \"bn1.bias\" is a weight in one place and a running statistic at node \"bn1\"";
    assert!(said.contains(reason), "{said}");
}

#[test]
fn check_has_the_trainer_try_a_batch() {
    let workshop = Workshop::new(1, "train: {batch: 6}\n");
    let said = workshop.run(&["check", "-c", "config.yaml"]);
    // Three convolutions, scale and offset of three normalisations, and the last layer's matrix and bias.
    let tried = "ok       start.onnx: a batch of 6 images of 10 classes trains 11 weights on Cpu\n";
    assert!(said.out.contains(tried), "{}", said.out);

    let set = ["--set", "train.batch=1", "--set", "train.freeze=[\"conv*\", \"bn*\"]"];
    let said = workshop.run(&[&["check", "-c", "config.yaml"], &set[..]].concat());
    assert!(said.out.contains("a batch of 1 images of 10 classes trains 2 weights on Cpu\n"), "{}", said.out);

    // Every operator is known, but not everything that an attribute may ask of it.
    let mut model = Model::from_bytes(&workshop.bytes("start.onnx")).unwrap();
    let pool = model.graph_mut().node.iter_mut().find(|node| node.op_type() == "MaxPool").unwrap();
    let name = pool.name().to_owned();
    pool.attribute.push(AttributeProto {
        name: Some("storage_order".to_owned()),
        r#type: Some(AttributeType::Int.into()),
        i: Some(1),
        ..Default::default()
    });
    workshop.write("columns.onnx", model.to_bytes().unwrap());
    let said = workshop.run(&["check", "-c", "config.yaml", "--set", "model.start=columns.onnx"]);
    assert_eq!(said.code, Some(1));
    let problem = format!(
        "problem  the built-in trainer: columns.onnx: node \"{name}\" (MaxPool): attribute \"storage_order\" is 1, but only \
         0 is supported\n"
    );
    assert!(said.out.contains(&problem), "{}", said.out);
}

#[test]
fn check_says_how_many_numbers_stay_that_may_be_learned() {
    let workshop = Workshop::new(1, "");
    let mut model = Model::from_bytes(&workshop.bytes("start.onnx")).unwrap();
    let graph = model.graph_mut();
    let mut gain = graph.initializer.iter().find(|tensor| tensor.name() == "bn1.weight").unwrap().clone();
    gain.name = Some("gain".to_owned());
    gain.dims = vec![32, 1, 1];
    graph.initializer.push(gain);
    // In the place of the first rectifier: the greater one of a value and of its channel's gain.
    let node = graph.node.iter_mut().find(|node| node.op_type() == "Relu").unwrap();
    node.op_type = Some("Max".to_owned());
    node.input.push("gain".to_owned());
    workshop.write("greatest.onnx", model.to_bytes().unwrap());
    let set = ["check", "-c", "config.yaml", "--set", "model.start=greatest.onnx"];
    let note = "note     greatest.onnx: 32 numbers stay fixed because no layer is seen to have them as its weights: gain; \
                name those that are learned in `train.also`\n";
    let said = workshop.run(&set);
    assert!(said.out.contains(note), "{}", said.out);
    let said = workshop.run(&[&set[..], &["--set", "train.also=[gain]"]].concat());
    assert!(!said.out.contains("note "), "{}", said.out);
    assert!(said.out.contains("trains 12 weights on Cpu\n"), "{}", said.out);
}

#[test]
fn inspect_shows_what_the_config_freezes() {
    let workshop = Workshop::new(1, "train: {only: [\"fc.*\", \"bn3.*\"], freeze: [fc.bias]}\n");
    let said = workshop.run(&["model", "inspect", "start.onnx"]).well();
    let line = |said: &str, name: &str| {
        let found = said.lines().find(|line| line.split_whitespace().next() == Some(name));
        found
            .unwrap_or_else(|| panic!("{name} is missing in\n{said}"))
            .split_whitespace()
            .skip(1)
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(line(&said, "conv1.weight"), "32x1x3x3 trained, with weight decay");
    assert_eq!(line(&said, "bn1.running_var"), "32 running statistic");
    let said = workshop.run(&["model", "inspect", "start.onnx", "-c", "config.yaml"]).well();
    for (name, expected) in [
        ("conv1.weight", "32x1x3x3 fixed: by train.freeze or train.only"),
        ("bn1.running_var", "32 fixed: by train.freeze or train.only"),
        ("bn3.running_var", "128 running statistic"),
        ("bn3.bias", "128 trained"),
        ("fc.weight", "10x128 trained, with weight decay"),
        ("fc.bias", "10 fixed: by train.freeze or train.only"),
    ] {
        assert_eq!(line(&said, name), expected);
    }
    assert!(
        said.contains("parameters  1280 trained with weight decay, 256 trained without, 256 running statistics, "),
        "{said}"
    );
    let checked = workshop.run(&["check", "-c", "config.yaml"]).out;
    assert!(checked.contains("ok       start.onnx: 1536 parameters are trained\n"), "{checked}");

    let refusal = "start.onnx: train.only: no initializer matches \"head.*\"; the nearest are ";
    let set = ["-c", "config.yaml", "--set", "train.only=[\"head.*\"]"];
    let said = workshop.run(&[&["model", "inspect", "start.onnx"], &set[..]].concat()).badly();
    assert!(said.contains(refusal), "{said}");
    let checked = workshop.run(&[&["check"], &set[..]].concat());
    assert_eq!(checked.code, Some(1));
    assert!(checked.out.contains(&format!("problem  {refusal}")), "{}", checked.out);
}
