//! The steps of a graph, and running them.

use super::ops::{Compute, Inputs};
use super::reader::Constants;
use super::reuse::{self, Reuse};
use super::{Fault, Mode, RunError};
use std::collections::{BTreeMap, BTreeSet};
use tch::{Device, Kind, TchError, Tensor};

/// Where a value of the graph is kept during a pass.
pub(super) type Slot = usize;

/// One node, ready to run.
pub(super) struct Step {
    pub label: String,
    pub operator: String,
    pub compute: Compute,
    /// Whether it is a convolution or a product of matrices, which [`super::Graph::narrow`] speaks of.
    pub multiplies: bool,
    /// How many of its first inputs are data, which must lie on one device; the others are read on the processor.
    pub data: usize,
    /// Mean and variance of a BatchNormalization.
    pub statistics: Option<[Slot; 2]>,
    /// Whether it judges in training, too: see [`super::Graph::freeze`].
    pub judges: bool,
    pub inputs: Vec<Option<Slot>>,
    /// Beside each output, its slot, unless nothing reads it.
    pub outputs: Vec<Option<Slot>>,
}

/// The steps that some outputs need, and after which step each value is no longer needed.
pub(super) struct Plan {
    pub steps: Vec<usize>,
    /// Beside each step, the slots that nothing reads afterwards.
    spent: Vec<Vec<Slot>>,
    /// Beside each step, the input over which it may write.
    reuses: Vec<Reuse>,
}

/// The values of one pass, by slot.
pub(super) struct Pass(Vec<Option<Tensor>>);

impl Pass {
    fn put(&mut self, slot: Slot, value: Tensor) {
        if let Some(place) = self.0.get_mut(slot) {
            *place = Some(value);
        }
    }

    fn get(&self, slot: Slot) -> Option<&Tensor> {
        self.0.get(slot).and_then(Option::as_ref)
    }

    /// A value that has been computed, by its name.
    pub(super) fn named(&self, slot: Slot, name: &str) -> Result<Tensor, RunError> {
        self.get(slot).map(Tensor::shallow_clone).ok_or_else(|| RunError {
            node: name.to_owned(),
            fault: Fault::Other("nothing computes this value".to_owned()),
        })
    }
}

/// Any ONNX graph as something that runs in libtorch: tensors of any kind in, tensors out. Floating-point numbers lie on
/// the device; shapes and other integers are computed on the processor, as long as they do not meet such numbers.
pub struct Program {
    pub(super) steps: Vec<Step>,
    pub(super) slots: BTreeMap<String, Slot>,
    pub(super) inputs: Vec<String>,
    pub(super) outputs: Vec<String>,
    /// Initializers and `Constant` nodes.
    pub(super) constants: Constants,
    /// On a GPU: the single numbers that `Constant` nodes hold, which never train, on the processor.
    pub(super) numbers: BTreeMap<Slot, Tensor>,
    pub(super) device: Device,
}

impl Program {
    /// The names of what must be fed.
    pub fn inputs(&self) -> &[String] {
        &self.inputs
    }

    /// The names of the graph's outputs.
    pub fn outputs(&self) -> &[String] {
        &self.outputs
    }

    /// Every output of the graph, by name, in evaluation mode. `feeds` are the inputs by name; those that are left out must
    /// be optional.
    ///
    /// # Errors
    /// A node that cannot compute its output, and a feed that the graph does not have.
    pub fn evaluate(&self, feeds: &[(&str, Tensor)]) -> Result<Vec<(String, Tensor)>, RunError> {
        let targets: Vec<Slot> = self.outputs.iter().filter_map(|name| self.slot(name)).collect();
        let plan = plan(&self.steps, &targets);
        let pass = self.run(&plan, feeds, Mode::Evaluate, false)?;
        let outputs = self.outputs.iter().zip(&targets);
        outputs.map(|(name, &slot)| Ok((name.clone(), pass.named(slot, name)?))).collect()
    }

    pub(super) fn slot(&self, name: &str) -> Option<Slot> {
        self.slots.get(name).copied()
    }

    pub(super) fn run(
        &self,
        plan: &Plan,
        feeds: &[(&str, Tensor)],
        mode: Mode,
        narrow: bool,
    ) -> Result<Pass, RunError> {
        let mut values = Pass(Vec::new());
        values.0.resize_with(self.slots.len(), || None);
        for (name, value) in &self.constants {
            if let Some(slot) = self.slot(name) {
                values.put(slot, value.shallow_clone());
            }
        }
        for (name, value) in feeds {
            match self.slot(name) {
                Some(slot) => values.put(slot, value.shallow_clone()),
                None => {
                    let known = self.inputs.join(", ");
                    let fault = Fault::Other(format!("the graph has no such input; it has {known}"));
                    return Err(RunError { node: format!("{name:?}"), fault });
                }
            }
        }
        for ((&index, spent), reuse) in plan.steps.iter().zip(&plan.spent).zip(&plan.reuses) {
            let Some(step) = self.steps.get(index) else { continue };
            let narrow = narrow && step.multiplies && mode == Mode::Train;
            let outputs = self.compute(step, *reuse, &values, mode, narrow);
            let outputs = outputs.map_err(|fault| RunError { node: step.label.clone(), fault })?;
            for (slot, output) in step.outputs.iter().zip(outputs) {
                if let Some(slot) = *slot {
                    values.put(slot, output);
                }
            }
            for &slot in spent {
                if let Some(value) = values.0.get_mut(slot) {
                    *value = None;
                }
            }
        }
        Ok(values)
    }

    fn compute(
        &self,
        step: &Step,
        reuse: Reuse,
        values: &Pass,
        mode: Mode,
        narrow: bool,
    ) -> Result<Vec<Tensor>, Fault> {
        let mut inputs: Vec<Option<&Tensor>> =
            step.inputs.iter().map(|slot| slot.and_then(|slot| values.get(slot))).collect();
        let data = step.data.min(inputs.len());
        if self.device != Device::Cpu && parted(&inputs, data) {
            self.keep_near(step, &mut inputs);
        }
        let moved = if narrow {
            Some(each(&inputs, |_, input| input.f_to_kind(Kind::BFloat16))?)
        } else if self.device != Device::Cpu && parted(&inputs, data) {
            let moved = |index, input: &Tensor| match index < data {
                true => input.f_to_device(self.device),
                false => Ok(input.shallow_clone()),
            };
            Some(each(&inputs, moved)?)
        } else {
            None
        };
        if moved.is_none()
            && let Some(place) = reuse
            && let Some(output) = reuse::over(step, place, &inputs)?
        {
            return Ok(vec![output]);
        }
        let mode = if step.judges { Mode::Evaluate } else { mode };
        match moved {
            Some(moved) => {
                let moved: Vec<Option<&Tensor>> = moved.iter().map(Option::as_ref).collect();
                step.compute.run(Inputs::new(&moved), mode)
            }
            None => step.compute.run(Inputs::new(&inputs), mode),
        }
    }

    /// Where everything that a step reads lies on the processor, but for numbers that stand in the model, it computes there:
    /// what follows from extents, like the factor of an attention, is asked for again and again, and a GPU would have to be
    /// waited for.
    fn keep_near<'a>(&'a self, step: &Step, inputs: &mut [Option<&'a Tensor>]) {
        let near = |slot: &Option<Slot>, input: &Option<&'a Tensor>| match input {
            Some(input) if input.device() != Device::Cpu => slot.and_then(|slot| self.numbers.get(&slot)),
            input => *input,
        };
        let all: Vec<Option<&Tensor>> =
            step.inputs.iter().zip(inputs.iter()).map(|(slot, input)| near(slot, input)).collect();
        if all.iter().zip(inputs.iter()).all(|(near, input)| near.is_some() == input.is_some()) {
            inputs.copy_from_slice(&all);
        }
    }
}

/// Whether of the first inputs some lie on the processor and others do not.
fn parted(inputs: &[Option<&Tensor>], data: usize) -> bool {
    let places = || inputs.iter().take(data).flatten().map(|input| input.device() == Device::Cpu);
    places().any(|on_processor| on_processor) && places().any(|on_processor| !on_processor)
}

fn each(
    inputs: &[Option<&Tensor>],
    change: impl Fn(usize, &Tensor) -> Result<Tensor, TchError>,
) -> Result<Vec<Option<Tensor>>, TchError> {
    let inputs = inputs.iter().enumerate();
    inputs.map(|(index, input)| input.map(|input| change(index, input)).transpose()).collect()
}

/// The steps from which `targets` follow, in order. A value is dropped after its last use, so that evaluation needs
/// little memory; in training, libtorch keeps what the backward pass needs.
pub(super) fn plan(steps: &[Step], targets: &[Slot]) -> Plan {
    let mut needed: BTreeSet<Slot> = targets.iter().copied().collect();
    let mut later: BTreeSet<Slot> = needed.clone();
    let mut chosen = Vec::new();
    let mut spent = Vec::new();
    for (index, step) in steps.iter().enumerate().rev() {
        let outputs = || step.outputs.iter().flatten();
        if !outputs().any(|output| needed.contains(output)) {
            continue;
        }
        let mut last_used_here: Vec<Slot> = outputs().filter(|output| !later.contains(output)).copied().collect();
        for &slot in step.inputs.iter().flatten() {
            needed.insert(slot);
            if later.insert(slot) {
                last_used_here.push(slot);
            }
        }
        chosen.push(index);
        spent.push(last_used_here);
    }
    chosen.reverse();
    spent.reverse();
    let reuses = reuse::reuses(steps, &chosen, targets);
    Plan { steps: chosen, spent, reuses }
}
