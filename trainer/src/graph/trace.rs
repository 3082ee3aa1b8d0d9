//! Every value that a graph computes, for comparison step by step with another runtime.

use super::program::{Program, Slot, plan};
use super::{Mode, RunError};
use std::collections::BTreeMap;
use tch::Tensor;

/// One value that a node has computed.
#[derive(Debug)]
pub struct Computed {
    /// Its name in the graph.
    pub value: String,
    /// The node, by name and operator, as errors tell it.
    pub node: String,
    /// The node's operator.
    pub operator: String,
    /// What it holds, of the type that it has in the graph.
    pub tensor: Tensor,
}

impl Program {
    /// Every value that nodes compute and that something reads, in the order of the graph, in evaluation mode. `feeds`
    /// are as for [`Program::evaluate`]. All of them are kept in memory at once.
    ///
    /// # Errors
    /// A node that cannot compute its output, and a feed that the graph does not have.
    pub fn trace(&self, feeds: &[(&str, Tensor)]) -> Result<Vec<Computed>, RunError> {
        let all: Vec<Slot> = self.steps.iter().flat_map(|step| step.outputs.iter().flatten().copied()).collect();
        let pass = self.run(&plan(&self.steps, &all), feeds, Mode::Evaluate, false)?;
        let names: BTreeMap<Slot, &String> = self.slots.iter().map(|(name, &slot)| (slot, name)).collect();
        let mut computed = Vec::new();
        for step in &self.steps {
            for slot in step.outputs.iter().flatten() {
                let Some(&name) = names.get(slot) else { continue };
                computed.push(Computed {
                    value: name.clone(),
                    node: step.label.clone(),
                    operator: step.operator.clone(),
                    tensor: pass.named(*slot, name)?,
                });
            }
        }
        Ok(computed)
    }
}
