//! Pooling over windows and over whole images.

use super::super::reader::{Reader, Refusal};
use super::window::{Fitted, Window, for_pad, positive, span};
use super::{Compute, Inputs, one};
use crate::graph::Fault;
use tch::{Kind, TchError, Tensor};

/// What the pools over windows have in common.
struct Pool {
    kernel: Vec<i64>,
    window: Window,
    ceil: bool,
}

impl Pool {
    fn read(node: &mut Reader<'_>) -> Result<Self, Refusal> {
        let kernel = positive(node, "kernel_shape")?;
        if !(1..=3).contains(&kernel.len()) {
            return Err(Refusal::new(format!(
                "attribute \"kernel_shape\" is {kernel:?}; only pooling over one to three axes is supported"
            )));
        }
        let ceil = node.integer("ceil_mode")?.unwrap_or(0) != 0;
        Ok(Self { kernel, window: Window::read(node)?, ceil })
    }

    /// The geometry over this image, and what must be added after it so that the windows that rounding up adds are
    /// whole (negative: what no window reaches).
    fn fit(&self, image: &Tensor) -> Result<(Fitted, Vec<(i64, i64)>), Fault> {
        let size = image.size();
        let [_, _, extents @ ..] = size.as_slice() else {
            return Err(Fault::Other(format!("an input of shape {size:?} is no batch of images")));
        };
        let fitted = self.window.fit(extents, &self.kernel)?;
        let mut extension = Vec::new();
        for (axis, (&extent, &kernel)) in extents.iter().zip(&self.kernel).enumerate() {
            let (Some(&stride), Some(&dilation), Some(&(before, after))) =
                (fitted.strides.get(axis), fitted.dilations.get(axis), fitted.pads.get(axis))
            else {
                return Err(Fault::Other("the window has too few axes".to_owned()));
            };
            let reach = span(kernel, dilation);
            let room = extent + before + after - reach;
            if room < 0 {
                return Err(Fault::Other(format!("a window of {reach} pixels does not fit an image of {extent}")));
            }
            let mut last = if self.ceil { (room + stride - 1) / stride } else { room / stride };
            // A window must begin in the image or before it, never in the padding after it (as PyTorch and ONNX
            // Runtime count).
            if self.ceil && last * stride >= extent + before {
                last -= 1;
            }
            extension.push((0, last * stride + reach - extent - before - after));
        }
        Ok((fitted, extension))
    }

    fn greatest(&self, image: &Tensor, fitted: &Fitted, padding: &[i64]) -> Result<Tensor, TchError> {
        let (kernel, strides, dilations) = (&self.kernel, &fitted.strides, &fitted.dilations);
        match kernel.len() {
            1 => image.f_max_pool1d(kernel, strides, padding, dilations, false),
            2 => image.f_max_pool2d(kernel, strides, padding, dilations, false),
            _ => image.f_max_pool3d(kernel, strides, padding, dilations, false),
        }
    }

    /// The sum over each window: a convolution of every channel by itself with ones.
    fn sums(&self, image: &Tensor, fitted: &Fitted) -> Result<Tensor, TchError> {
        let size = image.size();
        let (outer, extents) = size.split_at(2.min(size.len()));
        let ones = Tensor::f_ones([&[1, 1], self.kernel.as_slice()].concat(), (image.kind(), image.device()))?;
        let none = vec![0; self.kernel.len()];
        let planes = image.f_reshape([&[-1, 1], extents].concat())?;
        let (strides, dilations) = (&fitted.strides, &fitted.dilations);
        let sums = planes.f_convolution(&ones, None::<&Tensor>, strides, &none, dilations, false, &none, 1)?;
        let reduced = sums.size();
        sums.f_reshape([outer, reduced.get(2..).unwrap_or_default()].concat())
    }

    /// Whether libtorch's own pooling counts exactly as ONNX does here, and its padding if so.
    fn plain(&self, fitted: &Fitted) -> Option<Vec<i64>> {
        let padding = fitted.symmetric()?;
        let small = padding.iter().zip(&self.kernel).all(|(&pad, &kernel)| pad <= kernel / 2);
        (small && !self.ceil).then_some(padding)
    }
}

pub(super) fn maximum(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    node.only("storage_order", 0)?;
    let pool = Pool::read(node)?;
    Ok(one(move |inputs, _| {
        let image = inputs.get(0)?;
        let (fitted, extension) = pool.fit(image)?;
        if let Some(padding) = pool.plain(&fitted) {
            return Ok(pool.greatest(image, &fitted, &padding)?);
        }
        let pads = joined(&fitted.pads, &extension);
        let padded = image.f_pad(for_pad(&pads), "constant", f64::NEG_INFINITY)?;
        Ok(pool.greatest(&padded, &fitted, &vec![0; pool.kernel.len()])?)
    }))
}

pub(super) fn average(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let count_padding = node.integer("count_include_pad")?.unwrap_or(0) != 0;
    let pool = Pool::read(node)?;
    Ok(one(move |inputs, _| {
        let image = inputs.get(0)?;
        let (fitted, extension) = pool.fit(image)?;
        let dilated = fitted.dilations.iter().any(|&dilation| dilation != 1);
        if let Some(padding) = pool.plain(&fitted).filter(|padding| padding.len() == 2 && !dilated) {
            return Ok(image.f_avg_pool2d(&pool.kernel, &fitted.strides, padding, false, count_padding, None)?);
        }
        // The sum over each window divided by the number of pixels that count in it.
        let pads = joined(&fitted.pads, &extension);
        let mut shape = image.size();
        shape.iter_mut().take(2).for_each(|extent| *extent = 1);
        let pixels = Tensor::f_ones(&shape, (image.kind(), image.device()))?;
        let counted = if count_padding {
            let within = pixels.f_pad(fitted.for_pad(), "constant", 1.0)?;
            within.f_constant_pad_nd(for_pad(&extension))?
        } else {
            pixels.f_constant_pad_nd(for_pad(&pads))?
        };
        let total = pool.sums(&image.f_constant_pad_nd(for_pad(&pads))?, &fitted)?;
        Ok(total.f_div(&pool.sums(&counted, &fitted)?)?)
    }))
}

pub(super) fn global_average(_: &mut Reader<'_>) -> Result<Compute, Refusal> {
    Ok(one(|inputs, _| {
        let (image, axes) = spatial(inputs)?;
        Ok(image.f_mean_dim(axes, true, None::<Kind>)?)
    }))
}

pub(super) fn global_max(_: &mut Reader<'_>) -> Result<Compute, Refusal> {
    Ok(one(|inputs, _| {
        let (image, axes) = spatial(inputs)?;
        Ok(image.f_amax(axes, true)?)
    }))
}

fn spatial(inputs: Inputs<'_>) -> Result<(&Tensor, Vec<i64>), Fault> {
    let image = inputs.get(0)?;
    let rank = i64::try_from(image.dim()).unwrap_or(0);
    Ok((image, (2..rank).collect()))
}

fn joined(first: &[(i64, i64)], second: &[(i64, i64)]) -> Vec<(i64, i64)> {
    first.iter().zip(second).map(|(a, b)| (a.0 + b.0, a.1 + b.1)).collect()
}
