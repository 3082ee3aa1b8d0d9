//! The sliding window that convolutions and pools share: strides, dilations and padding.

use super::super::Fault;
use super::super::reader::{Reader, Refusal};

/// How the edges are padded.
#[derive(Debug)]
enum Padding {
    /// So much before and after, per axis.
    Explicit(Vec<(i64, i64)>),
    /// As much as keeps `output = ceil(input / stride)`; an odd rest goes to the end.
    SameUpper,
    /// The same, with the odd rest at the beginning.
    SameLower,
}

/// A window's geometry, read from a node. Lists that the node leaves out stay empty and are filled with defaults when
/// the number of axes is known.
#[derive(Debug)]
pub(super) struct Window {
    strides: Vec<i64>,
    dilations: Vec<i64>,
    padding: Padding,
}

/// The geometry over a certain input: one entry per spatial axis.
#[derive(Debug)]
pub(super) struct Fitted {
    pub strides: Vec<i64>,
    pub dilations: Vec<i64>,
    /// Padding before and after.
    pub pads: Vec<(i64, i64)>,
}

impl Window {
    pub(super) fn read(node: &mut Reader<'_>) -> Result<Self, Refusal> {
        let strides = positive(node, "strides")?;
        let dilations = positive(node, "dilations")?;
        let pads = node.integers("pads")?.unwrap_or_default();
        let padding = match node.text("auto_pad")?.as_deref() {
            None | Some("NOTSET" | "") => Padding::Explicit(pairs(&pads)?),
            Some("VALID") => Padding::Explicit(Vec::new()),
            Some("SAME_UPPER") => Padding::SameUpper,
            Some("SAME_LOWER") => Padding::SameLower,
            Some(other) => return Err(Refusal::new(format!("attribute \"auto_pad\" is {other:?}, which is unknown"))),
        };
        Ok(Self { strides, dilations, padding })
    }

    /// The geometry over an input of these spatial extents, for a kernel of as many axes.
    pub(super) fn fit(&self, extents: &[i64], kernel: &[i64]) -> Result<Fitted, Fault> {
        let axes = kernel.len();
        if extents.len() != axes {
            return Err(Fault::Other(format!("a kernel {kernel:?} does not fit the image extents {extents:?}")));
        }
        let strides = filled(&self.strides, 1, axes, "strides")?;
        let dilations = filled(&self.dilations, 1, axes, "dilations")?;
        let pads = match &self.padding {
            Padding::Explicit(pads) => filled(pads, (0, 0), axes, "pads")?,
            Padding::SameUpper | Padding::SameLower => {
                let per_axis = extents.iter().zip(kernel).zip(&strides).zip(&dilations);
                per_axis
                    .map(|(((&extent, &size), &stride), &dilation)| self.same(extent, span(size, dilation), stride))
                    .collect()
            }
        };
        Ok(Fitted { strides, dilations, pads })
    }

    fn same(&self, extent: i64, span: i64, stride: i64) -> (i64, i64) {
        let outputs = extent.saturating_add(stride - 1) / stride;
        let total = ((outputs - 1).saturating_mul(stride).saturating_add(span) - extent).max(0);
        let (less, more) = (total / 2, total - total / 2);
        if matches!(self.padding, Padding::SameLower) { (more, less) } else { (less, more) }
    }
}

impl Fitted {
    /// The padding per axis, if it is the same before and after.
    pub(super) fn symmetric(&self) -> Option<Vec<i64>> {
        self.pads.iter().map(|&(before, after)| (before == after).then_some(before)).collect()
    }

    /// The padding in the order in which libtorch's `pad` wants it: last axis first.
    pub(super) fn for_pad(&self) -> Vec<i64> {
        for_pad(&self.pads)
    }
}

/// Padding in the order in which libtorch's `pad` wants it: last axis first.
pub(super) fn for_pad(pads: &[(i64, i64)]) -> Vec<i64> {
    pads.iter().rev().flat_map(|&(before, after)| [before, after]).collect()
}

/// How many pixels a dilated kernel spans.
pub(super) fn span(size: i64, dilation: i64) -> i64 {
    (size - 1).saturating_mul(dilation).saturating_add(1)
}

/// Extents are bounded so that the arithmetic above cannot overflow.
pub(super) const LARGEST: i64 = 1 << 20;

/// A list of window sizes or steps, each at least 1.
pub(super) fn positive(node: &mut Reader<'_>, name: &str) -> Result<Vec<i64>, Refusal> {
    let values = node.integers(name)?.unwrap_or_default();
    match values.iter().find(|&&value| !(1..=LARGEST).contains(&value)) {
        None => Ok(values),
        Some(value) => {
            Err(Refusal::new(format!("attribute {name:?} contains {value}; each entry must be 1 to {LARGEST}")))
        }
    }
}

/// What `pads` says of each axis: so much before, and after.
pub(super) fn pairs(pads: &[i64]) -> Result<Vec<(i64, i64)>, Refusal> {
    if let Some(pad) = pads.iter().find(|&&pad| !(0..=LARGEST).contains(&pad)) {
        return Err(Refusal::new(format!("attribute \"pads\" contains {pad}; each entry must be 0 to {LARGEST}")));
    }
    if !pads.len().is_multiple_of(2) {
        return Err(Refusal::new(format!("attribute \"pads\" has {} entries; it needs two per axis", pads.len())));
    }
    let (before, after) = pads.split_at(pads.len() / 2);
    Ok(before.iter().copied().zip(after.iter().copied()).collect())
}

/// A list with an entry for each axis; all are the default if the node leaves it out.
pub(super) fn filled<T: Copy>(values: &[T], default: T, axes: usize, name: &str) -> Result<Vec<T>, Fault> {
    if values.is_empty() {
        Ok(vec![default; axes])
    } else if values.len() == axes {
        Ok(values.to_vec())
    } else {
        Err(Fault::Other(format!("attribute {name:?} is for {} axes, but the kernel has {axes}", values.len())))
    }
}
