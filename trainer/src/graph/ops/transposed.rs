//! Transposed convolution: what convolution does to gradients.

use super::super::reader::{Reader, Refusal};
use super::window::{LARGEST, filled, pairs, positive, span};
use super::{Compute, extent_of, one};
use crate::graph::Fault;

/// What is cut off the edges.
enum Cut {
    /// So much before and after, per axis.
    Explicit(Vec<(i64, i64)>),
    /// As much as leaves these extents, or without them the extents before times the strides. An odd rest is cut off the end
    /// or the beginning.
    To(Vec<i64>, Odd),
}

#[derive(Clone, Copy)]
enum Odd {
    AtTheEnd,
    AtTheBeginning,
}

/// What is wanted of one axis.
#[derive(Clone, Copy)]
enum Wanted {
    Edges(i64, i64),
    Extent(i64, Odd),
    Strided(Odd),
}

pub(super) fn transposed(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    // The weight tells it as well.
    node.ignore("kernel_shape");
    let groups = node.integer("group")?.unwrap_or(1);
    if groups < 1 {
        return Err(Refusal::new(format!("attribute \"group\" is {groups}; it must be 1 or more")));
    }
    let (strides, dilations) = (positive(node, "strides")?, positive(node, "dilations")?);
    let more = node.integers("output_padding")?.unwrap_or_default();
    if let Some(pixels) = more.iter().find(|&&pixels| !(0..=LARGEST).contains(&pixels)) {
        return Err(Refusal::new(format!(
            "attribute \"output_padding\" contains {pixels}; each entry must be 0 to {LARGEST}"
        )));
    }
    let cut = cut(node)?;
    Ok(one(move |inputs, _| {
        let (image, weight) = (inputs.get(0)?, inputs.get(1)?);
        let (before, kernel) = (image.size(), weight.size());
        let (before, kernel) = (before.get(2..).unwrap_or_default(), kernel.get(2..).unwrap_or_default());
        let axes = kernel.len();
        if before.len() != axes {
            return Err(Fault::Other(format!("a kernel {kernel:?} does not fit the image extents {before:?}")));
        }
        let strides = filled(&strides, 1, axes, "strides")?;
        let dilations = filled(&dilations, 1, axes, "dilations")?;
        let mut more = filled(&more, 0, axes, "output_padding")?;
        let mut cuts = Vec::new();
        for (axis, (more, wanted)) in more.iter_mut().zip(cut.wanted(axes)?).enumerate() {
            let at = |list: &[i64]| list.get(axis).copied().unwrap_or(0);
            let full = (at(before) - 1) * at(&strides) + span(at(kernel), at(&dilations)) + *more;
            let (first, last) = wanted.cut(full, at(before) * at(&strides));
            // What is missing to the extent that is asked for is added at the end.
            *more += (-last).max(0);
            cuts.push((first, last.max(0)));
        }
        let none = vec![0; axes];
        let mut result =
            image.f_convolution(weight, inputs.maybe(2), &strides, &none, &dilations, true, &more, groups)?;
        for (axis, (first, last)) in (2..).zip(cuts) {
            if (first, last) != (0, 0) {
                result = result.f_narrow(axis, first, extent_of(&result.size(), axis) - first - last)?;
            }
        }
        Ok(result)
    }))
}

fn cut(node: &mut Reader<'_>) -> Result<Cut, Refusal> {
    let pads = pairs(&node.integers("pads")?.unwrap_or_default())?;
    let extents = positive(node, "output_shape")?;
    let automatic = node.text("auto_pad")?.unwrap_or_default();
    let odd = if automatic == "SAME_UPPER" { Odd::AtTheEnd } else { Odd::AtTheBeginning };
    Ok(match automatic.as_str() {
        _ if !extents.is_empty() => Cut::To(extents, odd),
        "SAME_UPPER" | "SAME_LOWER" => Cut::To(Vec::new(), odd),
        "" | "NOTSET" => Cut::Explicit(pads),
        "VALID" => Cut::Explicit(Vec::new()),
        other => return Err(Refusal::new(format!("attribute \"auto_pad\" is {other:?}, which is unknown"))),
    })
}

impl Cut {
    /// What is wanted of each of so many axes.
    fn wanted(&self, axes: usize) -> Result<Vec<Wanted>, Fault> {
        Ok(match self {
            Self::Explicit(pads) => {
                let pads = filled(pads, (0, 0), axes, "pads")?;
                pads.into_iter().map(|(before, after)| Wanted::Edges(before, after)).collect()
            }
            Self::To(extents, odd) if extents.is_empty() => vec![Wanted::Strided(*odd); axes],
            Self::To(extents, odd) => {
                let extents = filled(extents, 0, axes, "output_shape")?;
                extents.into_iter().map(|extent| Wanted::Extent(extent, *odd)).collect()
            }
        })
    }
}

impl Wanted {
    /// What is cut off an axis of the extent `full`, before and after; less than nothing after it if that is too little.
    fn cut(self, full: i64, strided: i64) -> (i64, i64) {
        let (target, odd) = match self {
            Self::Edges(before, after) => return (before, after),
            Self::Extent(extent, odd) => (extent, odd),
            Self::Strided(odd) => (strided, odd),
        };
        let total = full - target;
        let (less, more) = (total / 2, total - total / 2);
        match odd {
            _ if total < 0 => (0, total),
            Odd::AtTheEnd => (less, more),
            Odd::AtTheBeginning => (more, less),
        }
    }
}
