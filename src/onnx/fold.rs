//! Folding the preprocessing's last step into the graph: pixels go in as bytes, and the graph makes of them what the
//! model was trained on.

use super::element::ElementType;
use super::error::{Problem, Result};
use super::graft::{Graft, int, ints};
use super::port::{Dim, declare};
use super::proto::TensorProto;
use super::tensor::{from_f32, from_i64};
use super::{Classifier, Layout, Model, Port};

/// Arithmetic with NumPy's broadcasting and a Cast whose target is a number, as used here, begin with this set.
const OLDEST_OPSET: i64 = 7;
/// DequantizeLinear knows one scale for each channel since this set.
const SCALES_BY_CHANNEL: i64 = 13;

/// How the graph computes `(level / 255 - mean) / std`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// In 32-bit floats step by step, as torchvision's `ToTensor` and `Normalize`, bit for bit. Three passes over the
    /// floats of an image.
    Stepwise,
    /// As `level * scale + offset`, which differs from the above by a few units in the last place at most. One pass over
    /// the floats of an image, from operator set 13 on; the choice where a processor core does the arithmetic.
    Scaled,
}

/// The pixels that a graph is to take, and what it is to make of them.
#[derive(Clone, Copy, Debug)]
pub struct PixelInput<'a> {
    /// The mean of each channel, where 1 is the level 255.
    pub mean: &'a [f32],
    /// The standard deviation of each channel, in the same unit.
    pub std: &'a [f32],
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// How the numbers are computed.
    pub arithmetic: Arithmetic,
}

/// Gives the graph an image input of bytes, [batch, height, width, channels], and lets the graph itself do the layout
/// that the model wants and the normalisation. Returns the new input's name; the old input's name belongs to the
/// normalised image now, so that whatever used it goes on using it.
///
/// # Errors
/// [`Problem::Fold`] if there is not one usable mean and std for each channel, the sizes are not those of the model, or
/// the model's operator set is older than 7; [`Problem::Missing`] if `classifier` is not of this model.
pub fn fold_pixels(model: &mut Model, classifier: &Classifier, pixels: &PixelInput<'_>) -> Result<String> {
    let opset = model.opset().unwrap_or(0);
    usable(classifier, pixels, opset).map_err(|reason| model.error(Problem::Fold(reason)))?;
    let image = classifier.input.as_str();
    let Some(place) = model.graph().input.iter().position(|input| input.name() == image) else {
        let (name, near) =
            (image.to_owned(), model.graph().input.iter().map(|input| input.name().to_owned()).collect());
        return Err(model.error(Problem::Missing { what: "input", name, near }));
    };
    let mut fold = Fold { graft: Graft::onto(model.proto()), image, pixels, opset };
    let bytes = fold.graft.fresh(&format!("{image}/pixels"));
    match classifier.layout {
        Layout::Nchw => fold.planar(&bytes),
        Layout::Nhwc => fold.interleaved(&bytes),
    }
    let graft = fold.graft;
    let graph = model.graph_mut();
    if let Some(input) = graph.input.get_mut(place) {
        let batch = Port::of(input).dims.and_then(|dims| dims.into_iter().next()).unwrap_or(Dim::Unknown);
        let [height, width, channels] =
            [pixels.height, pixels.width, pixels.mean.len()].map(|extent| Dim::Known(extent as u64));
        *input = declare(&bytes, ElementType::Uint8, &[batch, height, width, channels]);
    }
    let nodes = graft.settle(graph);
    graph.node.splice(0..0, nodes);
    Ok(bytes)
}

fn usable(classifier: &Classifier, pixels: &PixelInput<'_>, opset: i64) -> std::result::Result<(), String> {
    if opset < OLDEST_OPSET {
        return Err(format!("operator set {opset} is older than {OLDEST_OPSET}; export the model with a newer one"));
    }
    let PixelInput { mean, std, height, width, .. } = *pixels;
    let finite = mean.iter().chain(std).all(|value| value.is_finite()) && std.iter().all(|&value| value > 0.0);
    if mean.is_empty() || mean.len() != std.len() || !finite {
        return Err(format!("mean {mean:?} and std {std:?}; one finite mean and one std above 0 a channel are needed"));
    }
    let extents = [
        ("channels", classifier.channels, mean.len()),
        ("rows", classifier.height, height),
        ("columns", classifier.width, width),
    ];
    for (what, model, given) in extents {
        if given == 0 || i64::try_from(given).is_err() || model.is_some_and(|model| model != given) {
            let model = model.map_or_else(|| "any number".to_owned(), |model| model.to_string());
            return Err(format!("images of {given} {what}, where the model takes {model}; set `pixels` as the model"));
        }
    }
    Ok(())
}

struct Fold<'a> {
    graft: Graft,
    image: &'a str,
    pixels: &'a PixelInput<'a>,
    opset: i64,
}

impl Fold<'_> {
    /// For a model of planes. The layout comes first, while a pixel is one byte.
    fn planar(&mut self, bytes: &str) {
        let channels = self.pixels.mean.len();
        let planes = if channels == 1 {
            // One plane is the same bytes in either order, and a Reshape moves none.
            self.reshape(bytes, &[0, 1, self.pixels.height, self.pixels.width], "planes")
        } else {
            let output = self.graft.fresh(&format!("{}/planes", self.image));
            self.graft.node("Transpose", &[bytes], output, vec![ints("perm", &[0, 3, 1, 2])])
        };
        self.normalise(&planes, &[channels, 1, 1], 1, true, self.image.to_owned());
    }

    /// For a model that takes the channels last. Each row of pixels counts as one long vector meanwhile: operators that
    /// repeat three numbers along the last extent are ten times slower than those that go through long rows.
    fn interleaved(&mut self, bytes: &str) {
        let PixelInput { mean, height, width, .. } = *self.pixels;
        let row = width.saturating_mul(mean.len());
        let rows = self.reshape(bytes, &[0, height, row], "rows");
        let flat = self.graft.fresh(&format!("{}/normalised", self.image));
        let flat = self.normalise(&rows, &[row], width, false, flat);
        let shape = self.shape(&[0, height, width, mean.len()]);
        self.graft.node("Reshape", &[&flat, &shape], self.image.to_owned(), Vec::new());
    }

    /// `(level / 255 - mean) / std`, with the numbers of the channels repeated `times` over in weights of shape `dims`.
    fn normalise(&mut self, levels: &str, dims: &[usize], times: usize, planar: bool, output: String) -> String {
        let PixelInput { mean, std, arithmetic, .. } = *self.pixels;
        let pairs = || mean.iter().zip(std).map(|(&mean, &std)| (f64::from(mean), f64::from(std)));
        if arithmetic == Arithmetic::Stepwise {
            let level = self.cast(levels);
            let whole = self.constant("255", &[], vec![255.0]);
            let (mean, std) =
                (self.constant("mean", dims, mean.repeat(times)), self.constant("std", dims, std.repeat(times)));
            let unit = self.step("Div", &level, &whole, "unit");
            let centred = self.step("Sub", &unit, &mean, "centred");
            return self.graft.node("Div", &[&centred, &std], output, Vec::new());
        }
        let scales: Vec<f32> = pairs().map(|(_, std)| (1.0 / (255.0 * std)) as f32).collect();
        let offsets: Vec<f32> = pairs().map(|(mean, std)| (-mean / std) as f32).collect();
        let scaled = if planar && self.opset >= SCALES_BY_CHANNEL {
            let scale = self.constant("scale", &[scales.len()], scales);
            let scaled = self.graft.fresh(&format!("{}/scaled", self.image));
            self.graft.node("DequantizeLinear", &[levels, &scale], scaled, vec![int("axis", 1)])
        } else {
            let level = self.cast(levels);
            let scale = self.constant("scale", dims, scales.repeat(times));
            self.step("Mul", &level, &scale, "scaled")
        };
        let offset = self.constant("offset", dims, offsets.repeat(times));
        self.graft.node("Add", &[&scaled, &offset], output, Vec::new())
    }

    fn cast(&mut self, levels: &str) -> String {
        let output = self.graft.fresh(&format!("{}/levels", self.image));
        self.graft.node("Cast", &[levels], output, vec![int("to", ElementType::Float as i64)])
    }

    fn step(&mut self, operator: &str, left: &str, right: &str, wish: &str) -> String {
        let output = self.graft.fresh(&format!("{}/{wish}", self.image));
        self.graft.node(operator, &[left, right], output, Vec::new())
    }

    fn reshape(&mut self, value: &str, dims: &[usize], wish: &str) -> String {
        let shape = self.shape(dims);
        self.step("Reshape", value, &shape, wish)
    }

    fn constant(&mut self, wish: &str, dims: &[usize], values: Vec<f32>) -> String {
        self.weight(wish, from_f32("", dims, &values))
    }

    /// A shape whose 0 means the batch, whatever it is.
    fn shape(&mut self, dims: &[usize]) -> String {
        let dims: Vec<i64> = dims.iter().map(|&extent| i64::try_from(extent).unwrap_or(i64::MAX)).collect();
        self.weight("shape", from_i64("", &dims))
    }

    fn weight(&mut self, wish: &str, tensor: TensorProto) -> String {
        self.graft.weight(&format!("{}/{wish}", self.image), tensor)
    }
}
