//! Resizing along axes: by choosing the nearest values of a row, or by a product with a matrix of weights, since each output is a
//! weighted sum of inputs of its row.

use super::super::reader::{Reader, Refusal};
use super::list::{Integers, Numbers};
use super::{Compute, axes_of, one};
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
#[derive(Clone, Copy)]
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
        return older(node, false);
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
            Some(scales) => Length::scaled(&extents, &scales)?,
            None => Length::sized(&extents, &sizes.get(inputs, "the list of sizes")?, aspect)?,
        };
        resized(image, &axes, lengths, |_| way)
    }))
}

/// ONNX's `Upsample`, up to version 9 of the operator set.
pub(super) fn upsample(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    older(node, true)
}

/// Before version 11 of the operator set: places count from the left edge, and the nearest neighbour is the one before, or the one
/// behind where a row shrinks (as ONNX Runtime computes it).
fn older(node: &mut Reader<'_>, grows: bool) -> Result<Compute, Refusal> {
    let curves = [("nearest", Curve::Nearest(f64::floor)), ("linear", Curve::Linear)];
    let curve = named(node, "mode", &curves)?;
    let scales = Numbers::input(node, 1)?;
    Ok(one(move |inputs, _| {
        let image = inputs.get(0)?;
        let scales = scales.get(inputs, "the list of scales")?;
        if let Some(scale) = scales.iter().find(|&&scale| grows && scale < 1.0) {
            return Err(Fault::Other(format!("a scale is {scale}; it must be 1 or more")));
        }
        let axes: Vec<i64> = (0..).take(image.dim()).collect();
        let lengths = Length::scaled(&image.size(), &scales)?;
        let way = |length: Length| {
            let curve = match curve {
                Curve::Nearest(_) if length.scale < 1.0 => Curve::Nearest(f64::ceil),
                curve => curve,
            };
            Way { curve, place: Place::Asymmetric, excludes: false, smooths: false }
        };
        resized(image, &axes, lengths, way)
    }))
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

/// What becomes of the length of a row. Places in it are computed in 32 bits, as ONNX Runtime does: where one lies right between
/// two values, a bit decides which of them is the nearest.
#[derive(Clone, Copy)]
struct Length {
    before: i64,
    after: i64,
    scale: f32,
}

impl Length {
    fn scaled(before: &[i64], scales: &[f64]) -> Result<Vec<Self>, Fault> {
        let length = |(&before, &scale): (&i64, &f64)| {
            let scale = scale as f32;
            Self { before, after: (before as f32 * scale).floor() as i64, scale }
        };
        Ok(paired(before, scales)?.map(length).collect())
    }

    fn sized(before: &[i64], after: &[i64], aspect: Aspect) -> Result<Vec<Self>, Fault> {
        let scale = |(&before, &after): (&i64, &i64)| after as f32 / before as f32;
        let scales = paired(before, after)?.map(scale);
        let common = match aspect {
            Aspect::Stretch => None,
            Aspect::NotLarger => scales.reduce(f32::min),
            Aspect::NotSmaller => scales.reduce(f32::max),
        };
        let length = |(before, after): (&i64, &i64)| match common {
            None => Self { before: *before, after: *after, scale: scale((before, after)) },
            Some(scale) => Self { before: *before, after: (scale * *before as f32).round() as i64, scale },
        };
        Ok(paired(before, after)?.map(length).collect())
    }

    /// Where in the row before the value number `index` of the row after lies.
    fn place(self, index: i64, place: Place) -> f64 {
        let (index, before, after) = (index as f32, self.before as f32, self.after as f32);
        let middle = (index + 0.5) / self.scale - 0.5;
        f64::from(match place {
            Place::HalfPixel => middle,
            Place::HalfPixelSymmetric => before / 2.0 * (1.0 - after / (self.scale * before)) + middle,
            Place::PytorchHalfPixel if self.after <= 1 => 0.0,
            Place::PytorchHalfPixel => middle,
            Place::AlignCorners if self.after <= 1 => 0.0,
            // By the length that the row gets, as ONNX Runtime and PyTorch count, not by the scale times the length before.
            Place::AlignCorners => index * (before - 1.0) / (after - 1.0),
            Place::Asymmetric => index / self.scale,
        })
    }
}

fn paired<'a, T>(extents: &'a [i64], given: &'a [T]) -> Result<impl Iterator<Item = (&'a i64, &'a T)>, Fault> {
    if extents.len() != given.len() {
        return Err(Fault::Other(format!("{} scales or sizes are for {} axes", given.len(), extents.len())));
    }
    Ok(extents.iter().zip(given))
}

/// The greatest length that a row may get, and the most weights that it may take: no image is that long, and a wrong one is not
/// to fill the memory.
const LONGEST: i64 = 1 << 20;
const MOST_WEIGHTS: i64 = 1 << 27;

fn resized(image: &Tensor, axes: &[i64], lengths: Vec<Length>, way: impl Fn(Length) -> Way) -> Result<Tensor, Fault> {
    if lengths.iter().all(|length| length.before == length.after) {
        return Ok(image.shallow_clone());
    }
    let mut result = image.shallow_clone();
    for (&axis, length) in axes.iter().zip(lengths) {
        let Length { before, after, scale } = length;
        if !(1..=LONGEST).contains(&after) || !(1..=LONGEST).contains(&before) {
            return Err(Fault::Other(format!("an axis of length {before} cannot become one of length {after}")));
        }
        if before == after && scale == 1.0 {
            continue;
        }
        let way = way(length);
        result = match way.curve {
            Curve::Nearest(rounding) => {
                let nearest = |index| (rounding(length.place(index, way.place)) as i64).clamp(0, before - 1);
                let chosen: Vec<i64> = (0..after).map(nearest).collect();
                result.f_index_select(axis, &Tensor::f_from_slice(&chosen)?.f_to_device(image.device())?)?
            }
            Curve::Linear => interpolated(&result, axis, length, &way, |away| (1.0 - away).max(0.0), 1.0)?,
            Curve::Cubic(a) => interpolated(&result, axis, length, &way, |away| cubic(away, a), 2.0)?,
        };
    }
    Ok(result)
}

/// Along one axis, by what a value weighs that is so far away; it weighs nothing beyond `reach`.
fn interpolated(
    image: &Tensor,
    axis: i64,
    length: Length,
    way: &Way,
    curve: impl Fn(f64) -> f64,
    reach: f64,
) -> Result<Tensor, Fault> {
    let Length { before, after, .. } = length;
    if !image.is_floating_point() {
        return Err(Fault::Other(format!("values of type {:?} cannot be interpolated", image.kind())));
    }
    if after * before > MOST_WEIGHTS {
        return Err(Fault::Other(format!("an axis of length {before} is too long to become one of length {after}")));
    }
    let weights = Tensor::f_from_slice(&weights(length, way, curve, reach))?.f_reshape([after, before])?;
    let weights = weights.f_to_kind(image.kind())?.f_to_device(image.device())?;
    Ok(image.f_transpose(axis, -1)?.f_matmul(&weights.f_transpose(0, 1)?)?.f_transpose(axis, -1)?)
}

/// The weights of all values before (columns) in each value after (rows).
fn weights(length: Length, way: &Way, curve: impl Fn(f64) -> f64, reach: f64) -> Vec<f64> {
    let stretch = if way.smooths { f64::from(length.scale).min(1.0) } else { 1.0 };
    let start = (-reach / stretch).floor() as i64 + 1;
    let columns = length.before as usize;
    let mut all = vec![0.0; length.after as usize * columns];
    for (index, row) in (0..).zip(all.chunks_mut(columns)) {
        let place = length.place(index, way.place);
        let first = place.floor();
        let inside = |tap: &i64| !way.excludes || (0..length.before).contains(tap);
        let taps = (start..=1 - start).map(|tap| tap + first as i64).filter(inside);
        let taps: Vec<(i64, f64)> = taps.map(|tap| (tap, curve(((tap as f64 - place) * stretch).abs()))).collect();
        let whole: f64 = taps.iter().map(|(_, weight)| weight).sum();
        for (tap, weight) in taps {
            if let Some(place) = row.get_mut(tap.clamp(0, length.before - 1) as usize) {
                *place += weight / whole;
            }
        }
    }
    all
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
