//! The exponential moving average of the weights.

use crate::graph::Graph;
use tch::{TchError, Tensor};

/// An average of the trained weights and the running statistics, which follows them from move to move: it becomes
/// `decay * average + (1 - decay) * weight`.
///
/// The decay grows with the moves, so that the beginning is soon forgotten: it is 0 at the first, and `1 - (1 +
/// moves)^(-2/3)` after so many, until it comes to the one that was asked for (Crowson's warm-up, as timm's `ModelEmaV3`
/// has it with `use_warmup`).
#[derive(Debug)]
pub struct Average {
    decay: f64,
    moves: u64,
    followed: Vec<Followed>,
}

#[derive(Debug)]
struct Followed {
    name: String,
    weight: Tensor,
    average: Tensor,
}

impl Average {
    /// An average of what training moves in the graph, beginning with its present weights; `decay` in (0, 1).
    pub fn new(graph: &Graph, decay: f64) -> Result<Self, TchError> {
        let mut followed = Vec::new();
        for parameter in graph.parameters().iter().filter(|parameter| !parameter.role.stays()) {
            let weight = parameter.tensor.shallow_clone();
            let mut average = weight.f_detach()?.f_zeros_like()?;
            average.f_copy_(&weight.f_detach()?)?;
            followed.push(Followed { name: parameter.name.clone(), weight, average });
        }
        Ok(Self { decay, moves: 0, followed })
    }

    /// Follows the weights after a move.
    pub fn follow(&mut self) -> Result<(), TchError> {
        let _no_gradients = tch::no_grad_guard();
        let decay = (1.0 - (1.0 + self.moves as f64).powf(-2.0 / 3.0)).min(self.decay);
        for followed in &mut self.followed {
            let _ = followed.average.f_lerp_(&followed.weight, 1.0 - decay)?;
        }
        self.moves += 1;
        Ok(())
    }

    /// The averages by the names of their weights.
    pub fn averages(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.followed.iter().map(|followed| (followed.name.as_str(), &followed.average))
    }

    /// Moves that it has followed, this step and the steps before it.
    pub fn moves(&self) -> u64 {
        self.moves
    }

    /// Goes on after so many moves of an earlier step, whose [`Average::remembered`] have been put back.
    pub fn resume(&mut self, moves: u64) {
        self.moves = moves;
    }

    /// The very tensors that training goes on from, each under a name of its own: the averages, and the weights themselves,
    /// which a checkpoint of averages does not hold.
    pub fn remembered(&self) -> Vec<(String, Tensor)> {
        let of = |followed: &Followed| {
            let named = |kind: &str, tensor: &Tensor| (format!("{kind}/{}", followed.name), tensor.shallow_clone());
            [named("average", &followed.average), named("weight", &followed.weight)]
        };
        self.followed.iter().flat_map(of).collect()
    }
}
