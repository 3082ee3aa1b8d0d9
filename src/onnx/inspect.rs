//! A model described for people.

use std::collections::BTreeMap;
use std::fmt;

use super::{Classifier, Layout, Model, OutputKind, Port};

/// What `inspect` prints of a model.
#[derive(Clone, Debug)]
pub struct Report {
    file: String,
    digest: String,
    ir_version: i64,
    operator_sets: Vec<(String, i64)>,
    producer: String,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    operators: BTreeMap<String, usize>,
    classifier: Result<Classifier, String>,
    metadata: BTreeMap<String, String>,
}

impl Report {
    /// Describes a model; one that is no image classifier is described, too, with the reason.
    pub fn of(model: &Model) -> Self {
        let proto = model.proto();
        let mut operators = BTreeMap::new();
        for node in &model.graph().node {
            let name = match node.domain() {
                "" | "ai.onnx" => node.op_type().to_owned(),
                domain => format!("{domain}.{}", node.op_type()),
            };
            *operators.entry(name).or_default() += 1;
        }
        let producer = [proto.producer_name(), proto.producer_version()].join(" ");
        Self {
            file: model.file().to_owned(),
            digest: model.digest().to_owned(),
            ir_version: proto.ir_version(),
            operator_sets: proto.opset_import.iter().map(|set| (set.domain().to_owned(), set.version())).collect(),
            producer: producer.trim().to_owned(),
            inputs: model.inputs(),
            outputs: model.outputs(),
            operators,
            classifier: Classifier::of(model).map_err(|error| error.problem.to_string()),
            metadata: model.metadata(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |f: &mut fmt::Formatter<'_>, key: &str, value: &dyn fmt::Display| writeln!(f, "{key:<12}{value}");
        line(f, "file", &self.file)?;
        line(f, "sha256", &self.digest)?;
        line(f, "ir version", &self.ir_version)?;
        for (domain, version) in &self.operator_sets {
            let domain = if domain.is_empty() { "ai.onnx" } else { domain };
            line(f, "opset", &format_args!("{domain} {version}"))?;
        }
        if !self.producer.is_empty() {
            line(f, "producer", &self.producer)?;
        }
        for input in &self.inputs {
            line(f, "input", input)?;
        }
        for output in &self.outputs {
            line(f, "output", output)?;
        }
        let operators: Vec<String> = self.operators.iter().map(|(name, count)| format!("{name} {count}")).collect();
        line(f, "operators", &operators.join(", "))?;
        match &self.classifier {
            Ok(classifier) => describe(f, classifier, &line)?,
            Err(reason) => line(f, "classifier", reason)?,
        }
        for (key, value) in &self.metadata {
            line(f, "metadata", &format_args!("{key} = {value}"))?;
        }
        Ok(())
    }
}

type Line<'a> = dyn Fn(&mut fmt::Formatter<'_>, &str, &dyn fmt::Display) -> fmt::Result + 'a;

fn describe(f: &mut fmt::Formatter<'_>, classifier: &Classifier, line: &Line<'_>) -> fmt::Result {
    let extent = |extent: Option<usize>| extent.map_or_else(|| "any".to_owned(), |extent| extent.to_string());
    let layout = match classifier.layout {
        Layout::Nchw => "NCHW",
        Layout::Nhwc => "NHWC",
    };
    let (channels, height, width) = (extent(classifier.channels), extent(classifier.height), extent(classifier.width));
    line(f, "image", &format_args!("{layout}, {channels} channels, {height} high, {width} wide"))?;
    line(f, "batch", &extent(classifier.batch))?;
    let kind = match classifier.kind {
        OutputKind::Logits => "logits",
        OutputKind::Probabilities => "probabilities",
    };
    let classes = classifier.classes.map_or_else(|| "unknown".to_owned(), |classes| classes.to_string());
    line(f, "classes", &format_args!("{classes}, as {kind} in {:?}", classifier.output))?;
    match &classifier.embedding {
        Some(site) => {
            let width = site.width.map_or_else(|| "of unknown width".to_owned(), |width| format!("{width} wide"));
            line(f, "embedding", &format_args!("{:?}, {width}", site.value))
        }
        None => line(f, "embedding", &"none found; name a value under `model.embedding`, or say `none`"),
    }
}
