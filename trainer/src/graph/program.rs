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
    /// Whether all its inputs are data, so that they must lie on one device; otherwise only the first one is, and the
    /// others are lists of integers that are read on the processor.
    pub all_data: bool,
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
        let inputs: Vec<Option<&Tensor>> =
            step.inputs.iter().map(|slot| slot.and_then(|slot| values.get(slot))).collect();
        let moved = if narrow {
            Some(each(&inputs, |input| input.f_to_kind(Kind::BFloat16))?)
        } else if step.all_data && self.device != Device::Cpu && parted(&inputs) {
            Some(each(&inputs, |input| input.f_to_device(self.device))?)
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
}

/// Whether some inputs lie on the processor and others do not.
fn parted(inputs: &[Option<&Tensor>]) -> bool {
    let on_processor = inputs.iter().flatten().filter(|input| input.device() == Device::Cpu).count();
    on_processor > 0 && on_processor < inputs.iter().flatten().count()
}

fn each(
    inputs: &[Option<&Tensor>],
    change: impl Fn(&Tensor) -> Result<Tensor, TchError>,
) -> Result<Vec<Option<Tensor>>, TchError> {
    inputs.iter().map(|input| input.map(&change).transpose()).collect()
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
