//! ONNX's own test cases of its operators, of which `scripts/stage_conformance.py` puts the newest into data/conformance.
//!
//! Every case that is made of operators that the trainer knows is run, unless one of the rules below says why it is not
//! applicable. What came of each stands in tests/conformance.md, and must stand there.

use crate::support::device;
use gleaner::onnx::{ElementType, Model, proto::NodeProto, proto::TensorProto};
use gleaner_trainer::graph::{Program, operators, value};
use prost::Message;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use tch::{Kind, Tensor};

/// As ONNX's own runner compares.
const RELATIVE: f64 = 1e-3;
const ABSOLUTE: f64 = 1e-7;

const TRAINING: &str = "BatchNormalization and Dropout: training as part of the graph; gleaner says when it trains";

/// A part of what the trainer says when it refuses a case, and why no image classifier misses it.
const REFUSED: [(&str, &str); 8] = [
    ("past keys and values", "Attention: caches and soft caps of language models"),
    ("attribute \"softcap\"", "Attention: caches and soft caps of language models"),
    ("output \"qk_matmul_output\" is used", "Attention: its inner products as an output"),
    ("(BatchNormalization): its output", TRAINING),
    ("(Dropout): its output", TRAINING),
    ("(MaxPool)", "MaxPool: positions of the maxima as an output"),
    ("\"tf_crop_and_resize\"", "Resize: crops as part of the graph"),
    ("attribute \"reduction\"", "ScatterND: products, maxima and minima"),
];

/// Cases of which the trainer computes what ONNX Runtime and PyTorch do, and why.
const OTHERWISE: [(&str, &str); 2] = [
    ("test_resize_downsample_scales_cubic_align_corners", ROUNDED),
    ("test_resize_downsample_scales_linear_align_corners", ROUNDED),
];

const ROUNDED: &str =
    "Resize: corners that are aligned by a length that is not rounded; ONNX Runtime and PyTorch round it";

/// Operators that mean the same since versions of the operator set that are older than what the trainer takes.
const UNCHANGED: [&str; 4] = ["And", "Not", "Or", "Xor"];

enum Verdict {
    Passed,
    /// With the reason.
    NotApplicable(String),
    /// With what went wrong.
    Failed(String),
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/conformance")
}

#[test]
fn what_inspect_says_is_known_is_known() {
    assert_eq!(operators(), gleaner::onnx::training::OPERATORS);
}

#[test]
fn every_supported_operator_passes_the_cases_of_onnx() {
    let known: Vec<&str> = operators().into_iter().chain(["Constant"]).collect();
    let mut cases: Vec<PathBuf> = std::fs::read_dir(folder())
        .expect("data/conformance is missing; run `make conformance`")
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    cases.sort();
    let mut tally: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let mut failed = Vec::new();
    let mut all_passed = 0;
    for case in &cases {
        let mut model = Model::read(&case.join("model.onnx")).unwrap();
        let operators: BTreeSet<String> = model.graph().node.iter().map(|node| node.op_type().to_owned()).collect();
        let made_of = |known: &[&str]| operators.iter().all(|operator| known.contains(&operator.as_str()));
        let standard = model.graph().node.iter().all(|node| matches!(node.domain(), "" | "ai.onnx"));
        if operators.is_empty() || !standard || !made_of(&known) {
            continue;
        }
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        if made_of(&UNCHANGED) {
            let mut proto = model.proto().clone();
            proto.opset_import.iter_mut().for_each(|set| set.version = set.version.max(Some(9)));
            model = Model::from_proto(proto).unwrap();
        }
        let (passed, not_applicable) = match judge(case, &model) {
            Verdict::Passed => {
                all_passed += 1;
                (1, 0)
            }
            Verdict::NotApplicable(reason) => {
                *reasons.entry(reason).or_default() += 1;
                (0, 1)
            }
            Verdict::Failed(what) => {
                failed.push(format!("{name}: {what}"));
                (0, 0)
            }
        };
        for operator in operators {
            let entry = tally.entry(operator).or_default();
            *entry = (entry.0 + passed, entry.1 + not_applicable);
        }
    }
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
    let found = table(cases.len(), all_passed, &tally, &reasons);
    let stands = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance.md");
    let expected = std::fs::read_to_string(&stands).unwrap_or_default();
    assert!(found == expected, "{} must be:\n{found}", stands.display());
}

fn judge(case: &Path, model: &Model) -> Verdict {
    let ports = model.inputs().into_iter().chain(model.outputs());
    if let Some(reason) = ports.filter_map(|port| unused(port.element)).next() {
        return Verdict::NotApplicable(reason.to_owned());
    }
    let trains = |node: &NodeProto| node.op_type() == "Dropout" && node.input.len() > 2;
    if model.graph().node.iter().any(trains) {
        return Verdict::NotApplicable(TRAINING.to_owned());
    }
    let name = case.file_name().unwrap_or_default();
    if let Some((_, reason)) = OTHERWISE.iter().find(|(other, _)| name == *other) {
        return Verdict::NotApplicable((*reason).to_owned());
    }
    let program = match Program::new(model, device()) {
        Ok(program) => program,
        Err(error) => {
            let error = error.to_string();
            let rule = REFUSED.iter().find(|(part, _)| error.contains(part));
            return rule.map_or(Verdict::Failed(error), |(_, reason)| Verdict::NotApplicable((*reason).to_owned()));
        }
    };
    match run(case, model, &program) {
        Ok(()) => Verdict::Passed,
        Err(what) => Verdict::Failed(what),
    }
}

/// Why values of this type have no place in an image classifier.
fn unused(element: ElementType) -> Option<&'static str> {
    match element {
        ElementType::Float | ElementType::Double | ElementType::Bool => None,
        ElementType::Int64 | ElementType::Int32 | ElementType::Uint8 => None,
        ElementType::Float16 | ElementType::Bfloat16 => Some("16-bit floats: the trainer keeps weights in 32 bits"),
        ElementType::Int8 | ElementType::Int16 | ElementType::Uint16 | ElementType::Uint32 | ElementType::Uint64 => {
            Some("integers of 8, 16 and 32 bits without a sign, and of 8 and 16 with one: quantised models")
        }
        ElementType::String => Some("texts"),
        ElementType::Undefined => Some("sequences and optional values"),
        _ => Some("numbers of 4 and 8 bits: quantised models"),
    }
}

fn run(case: &Path, model: &Model, program: &Program) -> Result<(), String> {
    let data = case.join("test_data_set_0");
    let mut feeds = Vec::new();
    for (number, name) in program.inputs().iter().enumerate() {
        let fed = read(&data.join(format!("input_{number}.pb")))?;
        let floats = matches!(fed.kind(), Kind::Float | Kind::Double);
        feeds.push((name.as_str(), if floats { fed.to_device(device()) } else { fed }));
    }
    let outputs = tch::no_grad(|| program.evaluate(&feeds)).map_err(|error| error.to_string())?;
    assert_eq!(outputs.len(), model.outputs().len());
    for (number, (name, found)) in outputs.iter().enumerate() {
        let expected = read(&data.join(format!("output_{number}.pb")))?;
        compare(found, &expected).map_err(|what| format!("output {name:?}: {what}"))?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<Tensor, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let stored = TensorProto::decode(bytes.as_slice()).map_err(|error| format!("{}: {error}", path.display()))?;
    value(&stored).map_err(|error| format!("{}: {error}", path.display()))
}

fn compare(found: &Tensor, expected: &Tensor) -> Result<(), String> {
    if (found.size(), found.kind()) != (expected.size(), expected.kind()) {
        return Err(format!(
            "{:?} {:?} instead of {:?} {:?}",
            found.kind(),
            found.size(),
            expected.kind(),
            expected.size()
        ));
    }
    let numbers = |tensor: &Tensor| Vec::<f64>::try_from(tensor.to_kind(Kind::Double).reshape([-1])).unwrap();
    for (found, expected) in numbers(found).into_iter().zip(numbers(expected)) {
        let near = (found - expected).abs() <= ABSOLUTE + RELATIVE * expected.abs();
        if !(near || found == expected || found.is_nan() && expected.is_nan()) {
            return Err(format!("{found} instead of {expected}"));
        }
    }
    Ok(())
}

fn table(
    cases: usize,
    passed: usize,
    tally: &BTreeMap<String, (usize, usize)>,
    reasons: &BTreeMap<String, usize>,
) -> String {
    let not_applicable: usize = reasons.values().sum();
    let mut text = format!(
        "# ONNX's operator test cases\n\n\
         Written by tests/trainer/conformance.rs. Of {cases} cases, {} are made of operators that the trainer knows:\n\
         {passed} passed, {not_applicable} not applicable, 0 failed. A case counts for each of its operators.\n\n",
        passed + not_applicable
    );
    text.push_str("| operator | cases passed | not applicable | failed |\n| --- | ---: | ---: | ---: |\n");
    for (operator, (passed, not_applicable)) in tally {
        let _ = writeln!(text, "| {operator} | {passed} | {not_applicable} | 0 |");
    }
    text.push_str("\n| why not applicable | cases |\n| --- | ---: |\n");
    for (reason, count) in reasons {
        let _ = writeln!(text, "| {reason} | {count} |");
    }
    text
}
