//! Scaled dot-product attention (from version 23 of the operator set on).

use super::super::reader::{Reader, Refusal};
use super::{Compute, one};
use crate::graph::Fault;
use tch::{Kind, Tensor};

/// Query, key, value and mask; what language models need besides (caches, soft caps) is refused.
pub(super) fn attention(node: &mut Reader<'_>) -> Result<Compute, Refusal> {
    let causal = node.integer("is_causal")?.unwrap_or(0) != 0;
    let scale = node.float("scale")?;
    let query_heads = node.integer("q_num_heads")?;
    let key_heads = node.integer("kv_num_heads")?;
    if node.float("softcap")?.is_some_and(|cap| cap != 0.0) {
        return Err(Refusal::new("attribute \"softcap\" is supported with the value 0 only"));
    }
    if (4..7).any(|index| node.has_input(index)) {
        return Err(Refusal::new("past keys and values are not supported; export the model without a cache"));
    }
    // It says in which type the softmax is computed, and what a further output, which is refused, holds.
    node.ignore("softmax_precision");
    node.ignore("qk_matmul_output_mode");
    Ok(one(move |inputs, _| {
        let query = by_head(inputs.get(0)?, query_heads)?;
        let kind = query.kind();
        let key = by_head(inputs.get(1)?, key_heads)?.f_to_kind(kind)?;
        let value = by_head(inputs.get(2)?, key_heads)?.f_to_kind(kind)?;
        // What is added is of the same kind; truth values say what is seen.
        let added =
            |mask: &Tensor| if mask.kind() == Kind::Bool { Ok(mask.shallow_clone()) } else { mask.f_to_kind(kind) };
        let mask = inputs.maybe(3).map(added).transpose()?;
        let grouped = query.size().get(1) != key.size().get(1);
        let attended = Tensor::f_scaled_dot_product_attention(&query, &key, &value, mask, 0.0, causal, scale, grouped)?;
        // What came as one row for all heads goes out as such.
        Ok(if inputs.get(0)?.dim() == 3 { attended.f_transpose(1, 2)?.f_flatten(2, 3)? } else { attended })
    }))
}

/// `[batch, heads, length, size of a head]`, also from `[batch, length, heads * size of a head]`.
fn by_head(input: &Tensor, heads: Option<i64>) -> Result<Tensor, Fault> {
    let size = input.size();
    match (size.as_slice(), heads) {
        (&[_, _, _, _], _) => Ok(input.shallow_clone()),
        (&[batch, length, _], Some(heads)) => Ok(input.f_reshape([batch, length, heads, -1])?.f_transpose(1, 2)?),
        _ => Err(Fault::Other(format!("an input of shape {size:?} cannot be parted into heads"))),
    }
}
