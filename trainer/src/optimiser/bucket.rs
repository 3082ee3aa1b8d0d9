//! Weights that move together.

use tch::{Device, TchError, Tensor};

/// Every weight in a bucket begins at a multiple of so many numbers, which is where libtorch's own allocator for GPUs
/// lets tensors begin: the GPU's libraries read several numbers at a time.
pub const ALIGNMENT: usize = 128;

/// How many numbers move at a time, where the weights are small enough to be put together: on a processor as many as its
/// nearest caches hold while one operation follows the other, on a GPU as many as make the start of an operation cheap
/// beside it.
fn most(device: Device) -> usize {
    if device == Device::Cpu { 1 << 15 } else { 1 << 24 }
}

/// One or several weights, their moments and their gradients. Several lie in one stretch of memory, as do their moments,
/// so that they move by as many operations as one: see PyTorch's `DistributedDataParallel`, whose word it is.
#[derive(Debug)]
pub struct Bucket {
    /// The weights' places among those of the optimiser.
    pub members: Vec<usize>,
    /// All of its weights.
    pub weight: Tensor,
    /// What is remembered of all of them.
    pub moments: Vec<Tensor>,
    /// Whether they decay.
    pub decays: bool,
    /// Of the weights, in the order of their numbers in memory; none before the first backward pass after a move.
    pub gradient: Option<Tensor>,
    /// How the weights lie, if they are several.
    forms: Vec<Form>,
}

/// A weight for a bucket: its place, itself and its moments.
pub type Member<'a> = (usize, &'a mut Tensor, &'a mut [Tensor]);

impl Bucket {
    /// Puts weights into buckets, which either all decay or all do not. The weights and the moments keep their values and
    /// what they are called; only where they lie changes.
    pub fn fill(members: Vec<Member<'_>>, decays: bool) -> Result<Vec<Self>, TchError> {
        let mut buckets = Vec::new();
        let mut open: Vec<Member<'_>> = Vec::new();
        let mut numbers = 0;
        for member in members {
            let (_, weight, _) = &member;
            let fits = open.last().is_none_or(|(_, last, _)| {
                (last.kind(), last.device()) == (weight.kind(), weight.device())
                    && numbers + weight.numel() <= most(weight.device())
            });
            if !fits {
                buckets.push(Self::of(std::mem::take(&mut open), decays)?);
                numbers = 0;
            }
            numbers += weight.numel();
            open.push(member);
        }
        if !open.is_empty() {
            buckets.push(Self::of(open, decays)?);
        }
        Ok(buckets)
    }

    fn of(mut members: Vec<Member<'_>>, decays: bool) -> Result<Self, TchError> {
        let places = members.iter().map(|(place, _, _)| *place).collect();
        if let [(_, weight, moments)] = members.as_mut_slice() {
            let moments = moments.iter().map(Tensor::shallow_clone).collect();
            let weight = weight.shallow_clone();
            return Ok(Self { members: places, weight, moments, decays, gradient: None, forms: Vec::new() });
        }
        let forms: Vec<Form> = members.iter().map(|(_, weight, _)| Form::of(weight)).collect();
        let count = members.first().map_or(0, |(_, _, moments)| moments.len());
        let weight = join(members.iter_mut().map(|(_, weight, _)| &mut **weight), &forms)?;
        let mut moments = Vec::new();
        for number in 0..count {
            moments.push(join(members.iter_mut().filter_map(|(_, _, moments)| moments.get_mut(number)), &forms)?);
        }
        Ok(Self { members: places, weight, moments, decays, gradient: None, forms })
    }

    /// Adds the gradients of its weights, one for each, to what it holds.
    pub fn gather(&mut self, gradients: Vec<Tensor>) -> Result<(), TchError> {
        let fresh = match <[Tensor; 1]>::try_from(gradients) {
            Ok([gradient]) => gradient,
            Err(gradients) => {
                let flat = gradients.iter().zip(&self.forms).map(|(gradient, form)| form.flat(gradient));
                in_a_row(flat.collect::<Result<_, _>>()?)?
            }
        };
        match &mut self.gradient {
            // Not in place: libtorch may give one tensor for several gradients.
            Some(held) => *held = held.f_add(&fresh)?,
            None => self.gradient = Some(fresh),
        }
        Ok(())
    }
}

/// Moves tensors into one stretch of memory, each in the form of its weight, and returns all of it as a vector.
fn join<'a>(tensors: impl Iterator<Item = &'a mut Tensor>, forms: &[Form]) -> Result<Tensor, TchError> {
    let tensors: Vec<&mut Tensor> = tensors.collect();
    let flat = tensors.iter().zip(forms).map(|(tensor, form)| form.flat(tensor));
    let all = in_a_row(flat.collect::<Result<_, _>>()?)?;
    let mut from = 0;
    for (tensor, form) in tensors.into_iter().zip(forms) {
        let part = all.f_as_strided(tensor.size(), &form.strides, from as i64)?;
        tensor.f_set_data(&part)?;
        from += tensor.numel().next_multiple_of(ALIGNMENT);
    }
    Ok(all)
}

/// Vectors one after another, each at its alignment, with zeros between them.
fn in_a_row(vectors: Vec<Tensor>) -> Result<Tensor, TchError> {
    let Some(first) = vectors.first() else { return Ok(Tensor::new()) };
    let zeros = Tensor::f_zeros([ALIGNMENT as i64], (first.kind(), first.device()))?;
    let mut pieces = Vec::new();
    for vector in vectors {
        let rest = vector.numel().next_multiple_of(ALIGNMENT) - vector.numel();
        pieces.push(vector);
        if rest > 0 {
            pieces.push(zeros.f_narrow(0, 0, rest as i64)?);
        }
    }
    Tensor::f_cat(&pieces, 0)
}

/// How the numbers of a weight lie in memory.
#[derive(Debug)]
struct Form {
    strides: Vec<i64>,
    /// The dimensions, those first of which a step leads furthest.
    order: Vec<i64>,
}

impl Form {
    fn of(weight: &Tensor) -> Self {
        let strides = weight.stride();
        let mut order: Vec<i64> = (0..strides.len() as i64).collect();
        order.sort_by_key(|&axis| strides.get(axis as usize).map(|&stride| std::cmp::Reverse(stride)));
        Self { strides, order }
    }

    /// The numbers of a tensor of the weight's shape in this order; where they lie in it, they stay there.
    fn flat(&self, tensor: &Tensor) -> Result<Tensor, TchError> {
        tensor.f_permute(&self.order)?.f_reshape([-1])
    }
}
