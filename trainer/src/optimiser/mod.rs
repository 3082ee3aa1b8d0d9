//! How gradients move the weights.
//!
//! | file | owns |
//! | --- | --- |
//! | `bucket` | weights that move together |
//! | `sgd` | stochastic gradient descent with momentum |
//! | `adamw` | Adam with decoupled weight decay |

mod adamw;
pub mod bucket;
mod sgd;

use crate::graph::Graph;
use bucket::Bucket;
use gleaner::config::OptimiserConfig;
use gleaner::onnx::training::Role;
use tch::{TchError, Tensor};

/// The graph's trained weights, and what the optimiser remembers of each.
///
/// Weight decay acts only on the weights whose [`Role`] says so: not on biases and not on normalisation.
#[derive(Debug)]
pub struct Optimiser {
    rule: OptimiserConfig,
    weight_decay: f64,
    weights: Vec<Moving>,
    /// The weights that the loss depends on; none before the first backward pass, which finds them.
    buckets: Vec<Bucket>,
    moves: u64,
}

#[derive(Debug)]
struct Moving {
    name: String,
    weight: Tensor,
    /// One for each of [`moments`].
    moments: Vec<Tensor>,
    decays: bool,
}

/// What an optimiser remembers of each weight, by name.
fn moments(rule: OptimiserConfig) -> &'static [&'static str] {
    match rule {
        OptimiserConfig::Sgd { .. } => &["velocity"],
        OptimiserConfig::AdamW { .. } => &["mean", "square"],
    }
}

impl Optimiser {
    /// An optimiser of the graph's trained weights, at rest.
    pub fn new(graph: &Graph, rule: OptimiserConfig, weight_decay: f64) -> Result<Self, TchError> {
        let mut weights = Vec::new();
        for parameter in graph.parameters() {
            let Role::Trained { decays } = parameter.role else { continue };
            let weight = parameter.tensor.shallow_clone();
            let zeros = |_: &&str| weight.f_detach()?.f_zeros_like();
            let moments = moments(rule).iter().map(zeros).collect::<Result<_, _>>()?;
            weights.push(Moving { name: parameter.name.clone(), weight, moments, decays });
        }
        Ok(Self { rule, weight_decay, weights, buckets: Vec::new(), moves: 0 })
    }

    /// How many weights it moves.
    pub fn len(&self) -> usize {
        self.weights.len()
    }

    /// Whether there is nothing to train.
    pub fn is_empty(&self) -> bool {
        self.weights.is_empty()
    }

    /// Computes the gradient of a loss and adds it to what the batches since the last move have given.
    pub fn backward(&mut self, loss: &Tensor) -> Result<(), TchError> {
        let leaves: Vec<&Tensor> = self.weights.iter().map(|moving| &moving.weight).collect();
        let mut gradients = Tensor::f_run_backward(&[loss], &leaves, false, false)?;
        let _no_gradients = tch::no_grad_guard();
        if self.buckets.is_empty() {
            self.fill(&gradients)?;
        }
        for bucket in &mut self.buckets {
            let places = bucket.members.iter();
            let own =
                places.filter_map(|&place| gradients.get_mut(place).map(|slot| std::mem::replace(slot, Tensor::new())));
            bucket.gather(own.collect())?;
        }
        Ok(())
    }

    /// Puts the weights that have a gradient into buckets. The others stay, which is told.
    fn fill(&mut self, gradients: &[Tensor]) -> Result<(), TchError> {
        for (moving, _) in self.weights.iter().zip(gradients).filter(|(_, gradient)| !gradient.defined()) {
            eprintln!("note: {:?} stays as it is: no gradient reaches it", moving.name);
        }
        for decays in [true, false] {
            let weights = self.weights.iter_mut().enumerate().zip(gradients);
            let members = weights.filter(|((_, moving), gradient)| moving.decays == decays && gradient.defined());
            let members =
                members.map(|((place, moving), _)| (place, &mut moving.weight, moving.moments.as_mut_slice()));
            self.buckets.extend(Bucket::fill(members.collect(), decays)?);
        }
        Ok(())
    }

    /// Makes the gradient no longer than `most`, all weights taken together as one vector (Pascanu et al., "On the
    /// difficulty of training recurrent neural networks", ICML 2013, as PyTorch's `clip_grad_norm_` has it). Returns how long
    /// it was; what is no finite number stays.
    pub fn clip(&mut self, most: f64) -> Result<f64, TchError> {
        let norm = self.gradient_norm()?;
        let factor = most / (norm + 1e-6);
        if norm.is_finite() && factor < 1.0 {
            self.scale_gradients(factor)?;
        }
        Ok(norm)
    }

    fn gradient_norm(&mut self) -> Result<f64, TchError> {
        let _no_gradients = tch::no_grad_guard();
        let norms = self.gradients().map(|gradient| gradient.f_norm()).collect::<Result<Vec<_>, _>>()?;
        match norms.is_empty() {
            true => Ok(0.0),
            false => Tensor::f_stack(&norms, 0)?.f_norm()?.f_double_value(&[]),
        }
    }

    /// Multiplies the gradient of every weight.
    pub fn scale_gradients(&mut self, factor: f64) -> Result<(), TchError> {
        let _no_gradients = tch::no_grad_guard();
        for gradient in self.gradients() {
            *gradient = gradient.f_mul_scalar(factor)?;
        }
        Ok(())
    }

    fn gradients(&mut self) -> impl Iterator<Item = &mut Tensor> {
        self.buckets.iter_mut().filter_map(|bucket| bucket.gradient.as_mut())
    }

    /// Moves every weight by its gradient and forgets the gradients.
    pub fn step(&mut self, learning_rate: f64) -> Result<(), TchError> {
        let _no_gradients = tch::no_grad_guard();
        self.moves += 1;
        for bucket in &mut self.buckets {
            let Some(gradient) = bucket.gradient.take() else { continue };
            let decay = if bucket.decays { self.weight_decay } else { 0.0 };
            match (self.rule, bucket.moments.as_mut_slice()) {
                (OptimiserConfig::Sgd { momentum, nesterov }, [velocity]) => {
                    let rule = sgd::Sgd { momentum, nesterov, decay, learning_rate };
                    rule.advance(&mut bucket.weight, velocity, &gradient)?;
                }
                (OptimiserConfig::AdamW { betas, epsilon }, [mean, square]) => {
                    let rule = adamw::AdamW { betas, epsilon, decay, learning_rate, moves: self.moves };
                    rule.advance(&mut bucket.weight, mean, square, &gradient)?;
                }
                // `moments` gives each rule as many as it asks for.
                _ => {}
            }
        }
        Ok(())
    }

    /// How often the weights were moved, this step and the steps before it.
    pub fn moves(&self) -> u64 {
        self.moves
    }

    /// Goes on after so many moves of an earlier step, whose [`Optimiser::remembered`] have been put back.
    pub fn resume(&mut self, moves: u64) {
        self.moves = moves;
    }

    /// The very tensors that say how the weights were moving, each under a name of its own.
    pub fn remembered(&self) -> Vec<(String, Tensor)> {
        let names = moments(self.rule);
        let of = |moving: &Moving| -> Vec<(String, Tensor)> {
            let named = names.iter().zip(&moving.moments);
            named.map(|(moment, tensor)| (format!("{moment}/{}", moving.name), tensor.shallow_clone())).collect()
        };
        self.weights.iter().flat_map(of).collect()
    }
}
