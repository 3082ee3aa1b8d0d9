//! Stochastic gradient descent with momentum.

use crate::graph::Graph;
use gleaner::onnx::training::Role;
use std::collections::BTreeMap;
use tch::{TchError, Tensor};

/// Gradient descent as PyTorch's `SGD` does it: with `g = gradient + weight_decay * weight`, the velocity becomes
/// `momentum * velocity + g` and the weight moves by `-learning_rate * velocity`. A velocity begins at zero.
///
/// Weight decay acts only on the weights whose [`Role`] says so: not on biases and not on normalisation.
#[derive(Debug)]
pub struct Optimiser {
    momentum: f64,
    weight_decay: f64,
    weights: Vec<Moving>,
}

#[derive(Debug)]
struct Moving {
    name: String,
    weight: Tensor,
    velocity: Tensor,
    decays: bool,
}

impl Optimiser {
    /// An optimiser of the graph's trained weights, at rest.
    pub fn new(graph: &Graph, momentum: f64, weight_decay: f64) -> Result<Self, TchError> {
        let mut weights = Vec::new();
        for parameter in graph.parameters() {
            let Role::Trained { decays } = parameter.role else { continue };
            let weight = parameter.tensor.shallow_clone();
            let velocity = weight.f_detach()?.f_zeros_like()?;
            weights.push(Moving { name: parameter.name.clone(), weight, velocity, decays });
        }
        Ok(Self { momentum, weight_decay, weights })
    }

    /// Whether there is nothing to train.
    pub fn is_empty(&self) -> bool {
        self.weights.is_empty()
    }

    /// Moves every weight by its gradient and forgets the gradients.
    pub fn step(&mut self, learning_rate: f64) -> Result<(), TchError> {
        let _no_gradients = tch::no_grad_guard();
        for moving in &mut self.weights {
            let mut gradient = moving.weight.f_grad()?;
            // A weight that this batch did not reach has none.
            if !gradient.defined() {
                continue;
            }
            let _ = moving.velocity.f_mul_scalar_(self.momentum)?.f_add_(&gradient)?;
            if moving.decays && self.weight_decay != 0.0 {
                let decay = moving.weight.f_mul_scalar(self.weight_decay)?;
                let _ = moving.velocity.f_add_(&decay)?;
            }
            let _ = moving.weight.f_sub_(&moving.velocity.f_mul_scalar(learning_rate)?)?;
            let _ = gradient.f_zero_()?;
        }
        Ok(())
    }

    /// Every velocity, by its weight's name.
    pub fn velocities(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.weights.iter().map(|moving| (moving.name.as_str(), &moving.velocity))
    }

    /// Takes up velocities of an earlier step. Returns `false`, and stays at rest, unless there is one of the right
    /// size for every weight.
    pub fn resume(&mut self, velocities: &BTreeMap<String, Vec<f32>>) -> Result<bool, TchError> {
        let fits = |moving: &Moving| {
            velocities.get(&moving.name).is_some_and(|values| values.len() == moving.velocity.numel())
        };
        if !self.weights.iter().all(fits) {
            return Ok(false);
        }
        for moving in &mut self.weights {
            let Some(values) = velocities.get(&moving.name) else { continue };
            moving.velocity.f_copy_(&Tensor::f_from_slice(values)?.f_reshape(moving.weight.size())?)?;
        }
        Ok(true)
    }
}
