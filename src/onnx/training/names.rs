//! What people call a layer, as far as exporters tell it.

use crate::onnx::proto::{GraphProto, NodeProto};
use std::collections::BTreeMap;

/// Where a node stands, by the names of modules inside one another. PyTorch's first exporter writes it into the node's name,
/// the second beside it.
pub(super) fn module(node: &NodeProto) -> Option<String> {
    of_path(node.name()).or_else(|| of_scopes(node))
}

/// `/blocks/blocks.0/attn/qkv/MatMul` stands in `blocks.0.attn.qkv`: a part of the path may begin with the one before it.
fn of_path(name: &str) -> Option<String> {
    let (path, _) = name.strip_prefix('/')?.rsplit_once('/').unwrap_or_default();
    let (mut module, mut before) = (String::new(), "");
    for part in path.split('/') {
        let inner = part.strip_prefix(before).filter(|_| !before.is_empty()).and_then(|rest| rest.strip_prefix('.'));
        if !module.is_empty() {
            module.push('.');
        }
        module.push_str(inner.unwrap_or(part));
        before = part;
    }
    Some(module)
}

/// Of `['', 'blocks.0', 'blocks.0.attn.qkv', 'linear']` all but the last are modules, each with its whole name.
fn of_scopes(node: &NodeProto) -> Option<String> {
    let scopes = node.metadata_props.iter().find(|entry| entry.key() == "pkg.torch.onnx.name_scopes")?;
    let names: Vec<&str> = scopes.value().split('\'').skip(1).step_by(2).collect();
    names.iter().nth_back(1).map(|&name| name.to_owned())
}

/// Names for initializers whose own names the exporter made up: the module of the first node that reads one, and `bias` if
/// that adds it, otherwise `weight`. Two of them may have one such name.
pub(super) fn aliases(graph: &GraphProto) -> BTreeMap<String, String> {
    let made_up = |name: &str| graph.initializer.iter().any(|tensor| tensor.name() == name) && is_made_up(name);
    let mut aliases = BTreeMap::new();
    for node in &graph.node {
        for name in node.input.iter().filter(|name| made_up(name)) {
            let Some(module) = module(node).filter(|module| !module.is_empty()) else { continue };
            let last = if node.op_type() == "Add" { "bias" } else { "weight" };
            aliases.entry(name.clone()).or_insert_with(|| format!("{module}.{last}"));
        }
    }
    aliases
}

/// Whether a name is `onnx::MatMul_233`, `val_12` or a bare number, or a copy's of such a one.
pub(super) fn is_made_up(name: &str) -> bool {
    let number = name.strip_prefix("val_").unwrap_or(name);
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    // `1.bias` is what PyTorch calls the bias of the second module of a sequence.
    name.starts_with("onnx::") || number.split('.').all(is_number)
}

/// Whether a module is a call of another: PyTorch's first exporter numbers all calls but the first, as in `block.fc` and
/// `block_1.fc`.
pub(super) fn is_call(module: &str, of: &str) -> bool {
    let numbered = |part: &str, plain: &str| {
        let rest = part.strip_prefix(plain);
        let number = rest.and_then(|rest| rest.strip_prefix('_'));
        rest == Some("") || number.is_some_and(|number| number.parse::<u32>().is_ok())
    };
    module.split('.').count() == of.split('.').count()
        && module.split('.').zip(of.split('.')).all(|(part, plain)| numbered(part, plain))
}
