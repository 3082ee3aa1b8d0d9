//! Conversions of type, and choice.

use super::super::reader::{Reader, Refusal};
use super::super::values;
use super::{Compute, one};

pub(super) fn cast(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let Some(to) = node.integer("to")? else { return Err(Refusal::new("attribute \"to\" is missing")) };
    let kind = i32::try_from(to).ok().and_then(values::kind);
    let Some(kind) = kind else {
        return Err(Refusal::new(format!("attribute \"to\" is {to}, a type that libtorch does not compute with")));
    };
    // They say how to round to 8 bits, which is refused above.
    node.ignore("saturate");
    node.ignore("round_mode");
    Ok(one(move |inputs, _| Ok(inputs.get(0)?.f_to_kind(kind)?)))
}

pub(super) fn cast_like(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    node.ignore("saturate");
    node.ignore("round_mode");
    Ok(one(|inputs, _| Ok(inputs.get(0)?.f_to_kind(inputs.get(1)?.kind())?)))
}

pub(super) fn choose(_: &mut Reader<'_>) -> Result<Compute, Refusal> {
    Ok(one(|inputs, _| Ok(inputs.get(1)?.f_where_self(inputs.get(0)?, inputs.get(2)?)?)))
}
