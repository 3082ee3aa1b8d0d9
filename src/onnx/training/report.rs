//! What the built-in trainer would do with a graph, for people.

use super::constants;
use super::operators::unknown;
use super::{OLDEST_OPSET, Parameter, Reason, Role, Selection, parameters, untie};
use crate::onnx::error::Result;
use crate::onnx::{Classifier, Model};
use std::collections::BTreeSet;
use std::fmt;

/// So many names of what is in doubt are shown.
const SHOWN: usize = 5;

/// What `inspect` prints of a classifier's training: whether every operator is known, and what becomes of each weight.
#[derive(Clone, Debug)]
pub struct TrainingReport {
    opset: i64,
    unknown: BTreeSet<String>,
    parameters: Vec<Parameter>,
    constants: usize,
}

impl TrainingReport {
    /// Describes what training does to a model if it trains what `selection` lets it. The names are those that the model
    /// has in training: see [`untie`].
    ///
    /// # Errors
    /// Those of [`Classifier::of`], [`parameters`] and [`Selection::apply`].
    pub fn of(mut model: Model, selection: &Selection) -> Result<Self> {
        untie(&mut model);
        let mut parameters = parameters(&model, &Classifier::of(&model)?)?;
        selection.apply(parameters.iter_mut().map(Parameter::candidate)).map_err(|problem| model.error(problem))?;
        let opset = model.opset().unwrap_or(0);
        Ok(Self { opset, unknown: unknown(&model), parameters, constants: constants::in_layers(&model) })
    }

    /// Why the built-in trainer refuses the graph, as far as its operators alone tell, in words that follow the trainer's name.
    pub fn refusal(&self) -> Option<String> {
        if self.opset < OLDEST_OPSET {
            return Some(format!("takes operator sets from {OLDEST_OPSET} on; export the model with a newer one"));
        }
        let names: Vec<&str> = self.unknown.iter().map(String::as_str).collect();
        let remedy = "train with a command of your own (`trainer.command`)";
        (!names.is_empty()).then(|| format!("does not know {}; {remedy}", names.join(", ")))
    }

    /// How many numbers train.
    pub fn trained(&self) -> usize {
        self.count(|role| matches!(role, Role::Trained { .. }))
    }

    /// What stays although it may well be one that was learned: how many numbers, and the remedy.
    pub fn doubts(&self) -> Vec<String> {
        let doubtful = || self.parameters.iter().filter(|parameter| parameter.is_in_doubt());
        let count: usize = doubtful().map(Parameter::count).sum();
        let names: Vec<&str> = doubtful().map(|parameter| parameter.name.as_str()).collect();
        let more = names.len().checked_sub(SHOWN).filter(|&more| more > 0);
        let more = more.map(|more| format!(" and {more} more")).unwrap_or_default();
        let names = names.get(..SHOWN).unwrap_or(&names).join(", ");
        let unseen = (count > 0).then(|| {
            format!(
                "{count} numbers stay fixed because no layer is seen to have them as its weights: {names}{more}; name those that \
                 are learned in `train.also`"
            )
        });
        let constants = (self.constants > 0).then(|| {
            format!(
                "{} numbers stay fixed because they stand in Constant nodes, where layers have their weights; export the \
                 model with its weights as initializers to train them",
                self.constants
            )
        });
        unseen.into_iter().chain(constants).collect()
    }

    /// How many numbers the initializers hold whose role is like this.
    fn count(&self, of: impl Fn(Role) -> bool) -> usize {
        self.parameters.iter().filter(|parameter| of(parameter.role)).map(Parameter::count).sum()
    }
}

impl fmt::Display for TrainingReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "trainer     {}", self.refusal().unwrap_or_else(|| "knows every operator".to_owned()))?;
        let [decaying, plain] = [true, false].map(|wanted| self.count(|role| role == Role::Trained { decays: wanted }));
        let (running, fixed) = (self.count(|role| role == Role::Running), self.count(Role::stays));
        writeln!(
            f,
            "parameters  {decaying} trained with weight decay, {plain} trained without, {running} running statistics, \
             {fixed} fixed"
        )?;
        for doubt in self.doubts() {
            writeln!(f, "in doubt    {doubt}")?;
        }
        let (names, shapes): (Vec<String>, Vec<String>) =
            self.parameters.iter().map(|of| (name(of), shape(of))).unzip();
        let widest = |texts: &[String]| texts.iter().map(|text| text.chars().count()).max().unwrap_or(0);
        let (name_width, shape_width) = (widest(&names), widest(&shapes));
        for ((name, shape), Parameter { role, .. }) in names.iter().zip(&shapes).zip(&self.parameters) {
            writeln!(f, "  {name:<name_width$}  {shape:<shape_width$}  {role}")?;
        }
        Ok(())
    }
}

fn name(parameter: &Parameter) -> String {
    let Parameter { name, alias, .. } = parameter;
    alias.as_ref().map_or_else(|| name.clone(), |alias| format!("{name} ({alias})"))
}

fn shape(parameter: &Parameter) -> String {
    match parameter.dims.as_slice() {
        [] => "scalar".to_owned(),
        dims => dims.iter().map(usize::to_string).collect::<Vec<_>>().join("x"),
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trained { decays: true } => f.write_str("trained, with weight decay"),
            Self::Trained { decays: false } => f.write_str("trained"),
            Self::Running => f.write_str("running statistic"),
            Self::Fixed(reason) => write!(f, "fixed: {reason}"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unused => "the logits do not follow from it",
            Self::Preprocessing => "it acts on the image before the first trained layer",
            Self::Input => "a layer computes from it as from an image",
            Self::SingleNumber => "a single number",
            Self::Mask => "an attention mask",
            Self::NoGradient => "only its shape is used, or what is compared or rounded",
            Self::Constant => "no layer has weights at this place",
            Self::OtherType => "not of type float32",
            Self::Frozen => "by train.freeze or train.only",
        })
    }
}
