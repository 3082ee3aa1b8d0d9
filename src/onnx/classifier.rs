//! What an image classifier looks like from outside: where the image goes in, where the classes come out, and which
//! value inside describes the image.

use super::element::{self, ElementType};
use super::error::{Problem, Result};
use super::lookup::Lookup;
use super::proto::NodeProto;
use super::{Dim, Model, Port, attribute_int};

/// In which order an image's extents stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Batch, channels, height, width.
    Nchw,
    /// Batch, height, width, channels.
    Nhwc,
}

/// What the classifier's output holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputKind {
    /// Numbers whose softmax are the probabilities of the classes.
    Logits,
    /// The probabilities themselves: the graph ends with a Softmax.
    Probabilities,
}

/// Where the embedding of an image can be read: at the input of the last layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddingSite {
    /// The value's name.
    pub value: String,
    /// How many numbers it has for each image; nothing if the model alone does not tell.
    pub width: Option<usize>,
    /// Whether it is known to be of the shape [batch, width]; otherwise it may have more extents.
    pub flat: bool,
    /// The type of its numbers.
    pub element: ElementType,
}

/// An image classifier's interface. Extents that are open in the model are `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classifier {
    /// The image input's name; it takes 32-bit floats.
    pub input: String,
    /// The order of its extents.
    pub layout: Layout,
    /// How many images one run takes, if that is fixed.
    pub batch: Option<usize>,
    /// Channels of the image.
    pub channels: Option<usize>,
    /// Height of the image in pixels.
    pub height: Option<usize>,
    /// Width of the image in pixels.
    pub width: Option<usize>,
    /// The name of the output with one number for each class.
    pub output: String,
    /// What these numbers are.
    pub kind: OutputKind,
    /// How many classes there are.
    pub classes: Option<usize>,
    /// Where the embedding is; nothing if the output does not come from a Gemm or MatMul with fixed weights.
    pub embedding: Option<EmbeddingSite>,
}

impl Classifier {
    /// Reads the interface off a model.
    ///
    /// The output is the first one of rank 2, or else the first one of unknown rank; of several, the first one from which the
    /// graph leads upwards to a last Gemm or MatMul with constant weights, for features may be given out beside the classes.
    /// The other input of that layer is the embedding.
    ///
    /// # Errors
    /// [`Problem::NotClassifier`] if there is not exactly one input, or it is no float tensor of rank 4, or no output
    /// can hold the classes, or the classes are not exclusive (a final Sigmoid).
    pub fn of(model: &Model) -> Result<Self> {
        let fail = |reason| model.error(Problem::NotClassifier(reason));
        let image = image(&model.inputs()).map_err(fail)?;
        let (output, end) = output(model).map_err(fail)?;
        let dims: [Dim; 4] = image.dims.and_then(|dims| dims.try_into().ok()).unwrap_or([const { Dim::Unknown }; 4]);
        let layout = layout(&dims);
        let [batch, first, second, third] = dims.each_ref().map(Dim::known);
        let (channels, height, width) = match layout {
            Layout::Nchw => (first, second, third),
            Layout::Nhwc => (third, first, second),
        };
        Ok(Self {
            input: image.name,
            layout,
            batch,
            channels,
            height,
            width,
            classes: declared(&output).or(end.classes),
            output: output.name,
            kind: end.kind,
            embedding: end.embedding,
        })
    }
}

fn list(ports: &[Port]) -> String {
    ports.iter().map(Port::to_string).collect::<Vec<_>>().join("; ")
}

fn image(inputs: &[Port]) -> Result<Port, String> {
    let is_image = |port: &&Port| port.rank() == Some(4) && port.element == ElementType::Float;
    match inputs {
        [] => Err("the graph has no input; an image input [N, C, H, W] of type float is needed".to_owned()),
        [one] if is_image(&one) => Ok(one.clone()),
        [one] => Err(format!(
            "the input is {one}; an image input of type float and rank 4, [N, C, H, W] or [N, H, W, C], is needed"
        )),
        several if several.iter().filter(is_image).count() == 0 => {
            Err(format!("none of the {} inputs is a float image of rank 4: {}", several.len(), list(several)))
        }
        several => Err(format!(
            "the graph has {} inputs where exactly one, the image, can be fed: {}",
            several.len(),
            list(several)
        )),
    }
}

fn output(model: &Model) -> Result<(Port, End), String> {
    let outputs = model.outputs();
    let usable = |port: &&Port| port.element == ElementType::Undefined || element::is_floating(port.element);
    let of_rank = |rank| outputs.iter().filter(usable).filter(move |port| port.rank() == rank);
    let candidates: Vec<&Port> = of_rank(Some(2)).chain(of_rank(None)).collect();
    let Some(&first) = candidates.first() else {
        return Err(format!(
            "no output can hold the classes, a float tensor [N, classes] is needed: {}",
            list(&outputs)
        ));
    };
    let others = candidates.iter().skip(1).filter_map(|&port| Some((port, follow(model, port).ok()?)));
    let found = follow(model, first)?;
    let layered = |end: &End| end.embedding.is_some();
    if !layered(&found)
        && let Some((port, end)) = others.into_iter().find(|(_, end)| layered(end))
    {
        return Ok((port.clone(), end));
    }
    Ok((first.clone(), found))
}

/// Channels are told by their number, 1 or 3. Where both ends could be channels, or none, it is PyTorch's order.
fn layout(dims: &[Dim; 4]) -> Layout {
    let channels = |dim: &Dim| matches!(dim, Dim::Known(1 | 3));
    let [_, first, _, last] = dims;
    if channels(last) && !channels(first) { Layout::Nhwc } else { Layout::Nchw }
}

/// What is found on the way from the output upwards.
struct End {
    kind: OutputKind,
    classes: Option<usize>,
    embedding: Option<EmbeddingSite>,
}

impl End {
    /// Takes what the last layer says. If its input may have several rows for each image, the width is that of one row,
    /// which counts only if one row gives all the classes.
    fn layer(&mut self, found: Option<(EmbeddingSite, usize)>, declared: Option<usize>) {
        if let Some((mut site, classes)) = found {
            if !site.flat && declared != Some(classes) {
                site.width = None;
            }
            self.classes = Some(classes);
            self.embedding = Some(site);
        }
    }
}

/// The classes as the output's shape has them.
fn declared(output: &Port) -> Option<usize> {
    output.dims.as_ref()?.last()?.known()
}

fn follow(model: &Model, output: &Port) -> Result<End, String> {
    let lookup = Lookup::of(model.graph());
    let mut end = End { kind: OutputKind::Logits, classes: None, embedding: None };
    let mut value = output.name.as_str();
    let mut same_rank = output.rank() == Some(2);
    // A checked graph has no cycles; the bound is for graphs that were edited since.
    for _ in 0..model.graph().node.len() {
        let Some(node) = lookup.maker(value) else { break };
        let Some(data) = node.input.first() else { break };
        value = match node.op_type() {
            "Softmax" => {
                end.kind = OutputKind::Probabilities;
                data
            }
            "Sigmoid" => {
                return Err(format!(
                    "output {:?} ends with a Sigmoid, so that its classes do not exclude each other; \
                     export the model with logits or a Softmax at its end",
                    output.name
                ));
            }
            // The softmax of log-probabilities are the probabilities: they serve as logits.
            "LogSoftmax" | "Identity" | "Dropout" | "Cast" | "QuantizeLinear" | "DequantizeLinear" => data,
            "Flatten" | "Reshape" | "Squeeze" | "Unsqueeze" => {
                same_rank = false;
                data
            }
            "Add" | "Sub" | "Mul" | "Div" => match variable(&lookup, node) {
                Some(data) => data,
                None => break,
            },
            "Gemm" | "MatMul" => {
                end.layer(layer(&lookup, node, same_rank), declared(output));
                break;
            }
            _ => break,
        };
    }
    Ok(end)
}

/// The one input of an arithmetic node that is no constant: the value to which a bias is added.
fn variable<'a>(lookup: &Lookup<'a>, node: &'a NodeProto) -> Option<&'a str> {
    match node.input.as_slice() {
        [left, right] if lookup.is_constant(right) && !lookup.is_constant(left) => Some(left),
        [left, right] if lookup.is_constant(left) && !lookup.is_constant(right) => Some(right),
        _ => None,
    }
}

/// The embedding before a fully connected layer, and the classes behind it.
pub(super) fn layer(lookup: &Lookup<'_>, node: &NodeProto, same_rank: bool) -> Option<(EmbeddingSite, usize)> {
    let [data, weight, ..] = node.input.as_slice() else { return None };
    let gemm = node.op_type() == "Gemm";
    if lookup.is_constant(data) || gemm && attribute_int(node, "transA").unwrap_or(0) != 0 {
        return None;
    }
    let (dims, element) = lookup.weight(weight)?;
    let [rows, columns] = dims.as_slice() else { return None };
    let (rows, columns) = (usize::try_from(*rows).ok()?, usize::try_from(*columns).ok()?);
    let transposed = gemm && attribute_int(node, "transB").unwrap_or(0) != 0;
    let (width, classes) = if transposed { (columns, rows) } else { (rows, columns) };
    let element = ElementType::try_from(element).ok().filter(|&element| element::is_floating(element));
    let element = element.unwrap_or(ElementType::Float);
    Some((EmbeddingSite { value: data.clone(), width: Some(width), flat: gemm || same_rank, element }, classes))
}
