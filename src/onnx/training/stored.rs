//! Which values stand in the model, or are nothing but such a value in another shape or under another name.

use crate::onnx::proto::NodeProto;
use std::collections::BTreeSet;

/// Operators that pass a value on as it is.
const PASSING: [&str; 8] = ["Cast", "CastLike", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"];

/// The names of what some of the nodes, in their order, pass on of values that stand in the model, of which `stands` tells.
pub fn passed_on<'a>(
    nodes: impl IntoIterator<Item = &'a NodeProto>,
    stands: impl Fn(&str) -> bool,
) -> BTreeSet<String> {
    let mut passed: BTreeSet<String> = BTreeSet::new();
    for node in nodes.into_iter().filter(|node| PASSING.contains(&node.op_type())) {
        if node.input.first().is_some_and(|name| stands(name) || passed.contains(name)) {
            passed.extend(node.output.first().cloned());
        }
    }
    passed
}
