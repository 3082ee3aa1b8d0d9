//! Pieces of a tensor that an exporter put into a sequence.
//!
//! PyTorch's exporter, when it does not optimise, cuts tensors with `SplitToSequence` and takes each piece out with
//! `SequenceAt`. Each of these pieces is a `Slice`, which knows no sequences.

use super::reader::Constants;
use gleaner::onnx::proto::{AttributeProto, NodeProto};
use std::borrow::Cow;
use std::collections::BTreeMap;
use tch::{TchError, Tensor};

/// The nodes with a `Slice` for every `SequenceAt` whose piece is told by constants; the slices' limits become constants,
/// too. Sequences that are read in another way are left as they are.
pub(super) fn resolve<'a>(
    nodes: &'a [NodeProto],
    constants: &mut Constants,
) -> Result<Vec<Cow<'a, NodeProto>>, TchError> {
    let cuts = nodes.iter().filter(|node| node.op_type() == "SplitToSequence");
    let makers: BTreeMap<&str, &NodeProto> =
        cuts.filter_map(|node| Some((node.output.first()?.as_str(), node))).collect();
    if makers.is_empty() {
        return Ok(nodes.iter().map(Cow::Borrowed).collect());
    }
    let mut resolved = Vec::with_capacity(nodes.len());
    for node in nodes {
        let maker = node.input.first().and_then(|sequence| makers.get(sequence.as_str()));
        let maker = maker.filter(|_| node.op_type() == "SequenceAt");
        let piece = maker.and_then(|maker| Some((*maker, limits(maker, node, constants)?)));
        resolved.push(match piece {
            Some((maker, limits)) => Cow::Owned(slice(maker, node, limits, constants)?),
            None => Cow::Borrowed(node),
        });
    }
    let read: Vec<String> = resolved.iter().flat_map(|node| node.input.iter().cloned()).collect();
    resolved.retain(|node| {
        node.op_type() != "SplitToSequence" || node.output.iter().any(|sequence| read.contains(sequence))
    });
    Ok(resolved)
}

/// Where a piece begins and ends. All pieces but the last have the same size, or each has its own.
fn limits(maker: &NodeProto, reader: &NodeProto, constants: &Constants) -> Option<(i64, i64)> {
    let place = constants.get(reader.input.get(1)?)?.f_int64_value(&[]).ok()?;
    let sizes = constants.get(maker.input.get(1)?)?;
    if sizes.dim() == 0 {
        let size = sizes.f_int64_value(&[]).ok()?;
        let start = place.checked_mul(size)?;
        return (place >= 0).then_some((start, start.checked_add(size)?));
    }
    let sizes = Vec::<i64>::try_from(sizes).ok()?;
    let place =
        usize::try_from(if place < 0 { place.checked_add(i64::try_from(sizes.len()).ok()?)? } else { place }).ok()?;
    let start = sizes.get(..place)?.iter().try_fold(0_i64, |start, size| start.checked_add(*size))?;
    Some((start, start.checked_add(*sizes.get(place)?)?))
}

fn slice(
    maker: &NodeProto,
    reader: &NodeProto,
    (start, end): (i64, i64),
    constants: &mut Constants,
) -> Result<NodeProto, TchError> {
    let axis = maker.attribute.iter().find(|attribute| attribute.name() == "axis").map_or(0, AttributeProto::i);
    let mut input: Vec<String> = maker.input.iter().take(1).cloned().collect();
    let piece = reader.output.first().map(String::as_str).unwrap_or_default();
    for (what, value) in [("start", start), ("end", end), ("axis", axis)] {
        let name = format!("{piece}:{what}");
        constants.insert(name.clone(), Tensor::f_from_slice(&[value])?);
        input.push(name);
    }
    Ok(NodeProto { op_type: Some("Slice".to_owned()), input, attribute: Vec::new(), ..reader.clone() })
}
