//! A batch as libtorch's tensors, on its way to where the graph is.

use crate::loader::Batch;
use tch::{Device, Kind, TchError, Tensor};

/// A batch whose numbers wait as tensors.
#[derive(Debug)]
pub struct Feed {
    /// Which images they are; their pixels have moved to `images`.
    pub batch: Batch,
    images: Tensor,
    labels: Tensor,
    weights: Tensor,
}

/// What the graph is given.
#[derive(Debug)]
pub struct Arrived {
    /// The images, in the form of the graph's input.
    pub images: Tensor,
    /// Their classes, `[images]`.
    pub labels: Tensor,
    /// Their weights, `[images]`.
    pub weights: Tensor,
}

impl Feed {
    /// Makes tensors of a batch whose images have this shape. It needs no time of the thread that trains: see
    /// [`crate::loader::Loader::start`].
    pub fn of(mut batch: Batch, shape: &[i64], device: Device) -> Result<Self, TchError> {
        let pixels = std::mem::take(&mut batch.images);
        Ok(Self {
            images: near(Tensor::f_from_slice(&pixels)?.f_reshape(shape)?, device)?,
            labels: near(Tensor::f_from_slice(&batch.labels)?, device)?,
            weights: near(Tensor::f_from_slice(&batch.weights)?, device)?,
            batch,
        })
    }

    /// Sends the numbers to where the graph is.
    pub fn send(&self, device: Device) -> Result<Arrived, TchError> {
        Ok(Arrived {
            images: sent(&self.images, Kind::Float, device)?,
            labels: sent(&self.labels, Kind::Int64, device)?,
            weights: sent(&self.weights, Kind::Float, device)?,
        })
    }
}

/// Memory from which a GPU fetches by itself, if there is one.
fn near(tensor: Tensor, device: Device) -> Result<Tensor, TchError> {
    if device == Device::Cpu { Ok(tensor) } else { tensor.f_internal_pin_memory(device) }
}

/// A GPU is told to fetch the numbers, and nobody waits for it: what is computed with them comes later in its queue.
fn sent(tensor: &Tensor, kind: Kind, device: Device) -> Result<Tensor, TchError> {
    if device == Device::Cpu { Ok(tensor.shallow_clone()) } else { tensor.f_internal_to_copy((kind, device), true) }
}
