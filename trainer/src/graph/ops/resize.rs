//! Resizing along axes. Each output is a weighted sum of inputs of its row, axis by axis, so that a product with the matrix of
//! these weights computes it, and its gradient.

use super::super::reader::{Reader, Refusal};
use super::list::{Integers, Numbers};
use super::{Compute, Inputs, axes_of, one};
use crate::graph::Fault;
use tch::Tensor;

/// What an attribute calls a way, and which it is.
type Named<T> = [(&'static str, T)];

#[derive(Clone, Copy)]
enum Place {
    HalfPixel,
    HalfPixelSymmetric,
    PytorchHalfPixel,
    AlignCorners,
    Asymmetric,
}

const PLACES: &Named<Place> = &[
    ("half_pixel", Place::HalfPixel),
    ("half_pixel_symmetric", Place::HalfPixelSymmetric),
    ("pytorch_half_pixel", Place::PytorchHalfPixel),
    ("align_corners", Place::AlignCorners),
    ("asymmetric", Place::Asymmetric),
];

/// Which neighbour is the nearest one of a place between two.
const ROUNDINGS: &Named<fn(f64) -> f64> = &[
    ("round_prefer_floor", |place| (place - 0.5).ceil()),
    ("round_prefer_ceil", |place| (place + 0.5).floor()),
    ("floor", f64::floor),
    ("ceil", f64::ceil),
];

#[derive(Clone, Copy)]
enum Curve {
    Nearest(fn(f64) -> f64),
    Linear,
    /// With ONNX's `cubic_coeff_a`.
    Cubic(f64),
}

#[derive(Clone, Copy)]
enum Aspect {
    Stretch,
    NotLarger,
    NotSmaller,
}

const ASPECTS: &Named<Aspect> =
    &[("stretch", Aspect::Stretch), ("not_larger", Aspect::NotLarger), ("not_smaller", Aspect::NotSmaller)];

/// How the values of a row are made from those of another one.
struct Way {
    curve: Curve,
    place: Place,
    /// Whether what lies outside the row weighs nothing; otherwise it is the last one inside.
    excludes: bool,
    /// Whether a row that shrinks is smoothed before.
    smooths: bool,
}

/// ONNX's `Resize`. In version 10 of the operator set it is what `Upsample` was.
pub(super) fn resize(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    if node.opset < 11 {
        return upsample(node);
    }
    let rounding = named(node, "nearest_mode", ROUNDINGS)?;
    let cubic = node.float("cubic_coeff_a")?.unwrap_or(-0.75);
    let curve = curve(node, rounding, cubic)?;
    let place = named(node, "coordinate_transformation_mode", PLACES)?;
    let excludes = node.integer("exclude_outside")?.unwrap_or(0) != 0;
    let smooths = node.integer("antialias")?.unwrap_or(0) != 0;
    let aspect = named(node, "keep_aspect_ratio_policy", ASPECTS)?;
    // It is for a way of placing that is not among ours.
    node.ignore("extrapolation_value");
    let axes = node.integers("axes")?;
    let (scales, sizes) = (Numbers::input(node, 2)?, Integers::input(node, 3)?);
    let way = Way { curve, place, excludes, smooths };
    Ok(one(move |inputs, _| {
        let image = inputs.get(0)?;
        let extents = image.size();
        let axes = match &axes {
            Some(axes) => axes_of(axes, extents.len())?,
            None => (0..).take(extents.len()).collect(),
        };
        let extents: Vec<i64> = axes.iter().map(|&axis| super::extent_of(&extents, axis)).collect();
        let lengths = match scales.of(inputs)?.filter(|scales| !scales.is_empty()) {
            Some(scales) => extents.iter().zip(scales).map(|(&extent, scale)| Length::scaled(extent, scale)).collect(),
            None => Length::all(&extents, &sizes.get(inputs, "the list of sizes")?, aspect),
        };
        resized(image, &axes, lengths, &way)
    }))
}

/// Up to version 9 of the operator set. Places count from the left edge, and the nearest neighbour is the one before.
pub(super) fn upsample(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let curve = curve(node, f64::floor, 0.0)?;
    let scales = Numbers::input(node, 1)?;
    let way = Way { curve, place: Place::Asymmetric, excludes: false, smooths: false };
    Ok(one(move |inputs, _| by_scales(inputs, &scales, &way)))
}

fn by_scales(inputs: Inputs<'_>, scales: &Numbers, way: &Way) -> Result<Tensor, Fault> {
    let image = inputs.get(0)?;
    let scales = scales.of(inputs)?.unwrap_or_default();
    let lengths = image.size().into_iter().zip(scales).map(|(extent, scale)| Length::scaled(extent, scale)).collect();
    let axes: Vec<i64> = (0..).take(image.dim()).collect();
    resized(image, &axes, lengths, way)
}

fn curve(node: &mut Reader<'_>, rounding: fn(f64) -> f64, cubic: f64) -> Result<Curve, Refusal> {
    let curves = [("nearest", Curve::Nearest(rounding)), ("linear", Curve::Linear), ("cubic", Curve::Cubic(cubic))];
    named(node, "mode", &curves)
}

/// The way that an attribute names, the first one by default.
fn named<T: Copy>(node: &mut Reader<'_>, attribute: &str, ways: &[(&str, T)]) -> Result<T, Refusal> {
    let name = node.text(attribute)?;
    let found = ways.iter().find(|(known, _)| name.as_deref().is_none_or(|name| name == *known));
    found.map(|(_, way)| *way).ok_or_else(|| {
        let known: Vec<&str> = ways.iter().map(|(known, _)| *known).collect();
        let name = name.unwrap_or_default();
        Refusal::new(format!("attribute {attribute:?} is {name:?}; it must be one of {}", known.join(", ")))
    })
}

/// What becomes of the length of a row.
#[derive(Clone, Copy)]
struct Length {
    before: i64,
    after: i64,
    scale: f64,
}

impl Length {
    fn scaled(before: i64, scale: f64) -> Self {
        // In 32 bits, as ONNX Runtime computes it: 0.7 of 10 pixels are 7.
        let after = (before as f32 * scale as f32).floor() as i64;
        Self { before, after, scale }
    }

    fn all(before: &[i64], after: &[i64], aspect: Aspect) -> Vec<Self> {
        let scale = |(&before, &after): (&i64, &i64)| after as f64 / before as f64;
        let scales = before.iter().zip(after).map(scale);
        let common = match aspect {
            Aspect::Stretch => None,
            Aspect::NotLarger => scales.reduce(f64::min),
            Aspect::NotSmaller => scales.reduce(f64::max),
        };
        let lengths = before.iter().zip(after);
        let length = |(before, after): (&i64, &i64)| match common {
            None => Self { before: *before, after: *after, scale: scale((before, after)) },
            Some(scale) => Self { before: *before, after: (scale * *before as f64 + 0.5).floor() as i64, scale },
        };
        lengths.map(length).collect()
    }

    /// Where in the row before the value number `index` of the row after lies.
    fn place(self, index: i64, place: Place) -> f64 {
        let (index, before, whole) = (index as f64, self.before as f64, self.scale * self.before as f64);
        let middle = (index + 0.5) / self.scale - 0.5;
        match place {
            Place::HalfPixel => middle,
            Place::HalfPixelSymmetric => before / 2.0 * (1.0 - self.after as f64 / whole) + middle,
            Place::PytorchHalfPixel if self.after <= 1 => 0.0,
            Place::PytorchHalfPixel => middle,
            Place::AlignCorners if self.after <= 1 => 0.0,
            Place::AlignCorners => index * (before - 1.0) / (whole - 1.0),
            Place::Asymmetric => index / self.scale,
        }
    }
}

/// The greatest length that a row may get: no image is that long, and a wrong one is not to fill the memory.
const LONGEST: i64 = 1 << 20;

fn resized(image: &Tensor, axes: &[i64], lengths: Vec<Length>, way: &Way) -> Result<Tensor, Fault> {
    if lengths.len() != axes.len() {
        return Err(Fault::Other(format!("{} scales or sizes are for {} axes", lengths.len(), axes.len())));
    }
    let mut result = image.shallow_clone();
    for (&axis, length) in axes.iter().zip(lengths) {
        if !(1..=LONGEST).contains(&length.after) || length.before < 1 {
            let Length { before, after, .. } = length;
            return Err(Fault::Other(format!("an axis of length {before} cannot become one of length {after}")));
        }
        if length.before != length.after || length.scale != 1.0 {
            let weights = Tensor::f_from_slice(&weights(length, way))?.f_reshape([length.after, length.before])?;
            let weights = weights.f_to_kind(image.kind())?.f_to_device(image.device())?;
            result = result.f_transpose(axis, -1)?.f_matmul(&weights.f_transpose(0, 1)?)?.f_transpose(axis, -1)?;
        }
    }
    Ok(result)
}

/// The weights of all values before (columns) in each value after (rows).
fn weights(length: Length, way: &Way) -> Vec<f64> {
    let columns = length.before as usize;
    let mut all = vec![0.0; length.after as usize * columns];
    for (index, row) in (0..).zip(all.chunks_mut(columns)) {
        let place = length.place(index, way.place);
        let first = place.floor();
        let mut taps = taps(place - first, length.scale, way);
        for (offset, _) in &mut taps {
            *offset += first as i64;
        }
        if way.excludes {
            taps.retain(|(tap, _)| (0..length.before).contains(tap));
        }
        let whole: f64 = taps.iter().map(|(_, weight)| weight).sum();
        for (tap, weight) in taps {
            if let Some(place) = row.get_mut(tap.clamp(0, length.before - 1) as usize) {
                *place += weight / whole;
            }
        }
    }
    all
}

/// The neighbours of a place that lies `beyond` a value (0 to 1), counted from that value, and what they weigh.
fn taps(beyond: f64, scale: f64, way: &Way) -> Vec<(i64, f64)> {
    let stretch = if way.smooths { scale.min(1.0) } else { 1.0 };
    let within = |reach: f64, curve: &dyn Fn(f64) -> f64| {
        let start = (-reach / stretch).floor() as i64 + 1;
        (start..=1 - start).map(|tap| (tap, curve(((tap as f64 - beyond) * stretch).abs()))).collect()
    };
    match way.curve {
        Curve::Nearest(rounding) => vec![(rounding(beyond) as i64, 1.0)],
        Curve::Linear => within(1.0, &|away| (1.0 - away).max(0.0)),
        Curve::Cubic(a) => within(2.0, &|away| cubic(away, a)),
    }
}

/// The cubic convolution of Keys, "Cubic Convolution Interpolation for Digital Image Processing" (1981).
fn cubic(away: f64, a: f64) -> f64 {
    if away <= 1.0 {
        ((a + 2.0) * away - (a + 3.0)) * away * away + 1.0
    } else if away < 2.0 {
        ((a * away - 5.0 * a) * away + 8.0 * a) * away - 4.0 * a
    } else {
        0.0
    }
}
