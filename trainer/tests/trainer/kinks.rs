//! The gradient at the very place of a kink, where the value says nothing: PyTorch's, since it trained the networks that
//! come here. `hardtanh_backward` gives zero at both limits of ReLU6, `prelu_backward` the slope at zero,
//! `elu_backward` that of the exponential.

use gleaner::onnx::Model;
use gleaner::onnx::proto::{
    GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, ValueInfoProto, tensor_proto::DataType,
};
use gleaner_trainer::graph::Program;
use gleaner_trainer::state;
use tch::{Device, Tensor};

/// The gradients of the sum of what one operator makes of these numbers and of further single numbers.
fn gradients(operator: &str, further: &[f32], input: &[f32]) -> Vec<f32> {
    let port = |name: &str| ValueInfoProto { name: Some(name.to_owned()), ..Default::default() };
    let names: Vec<String> = (0..further.len()).map(|number| format!("number {number}")).collect();
    let initializer = names.iter().zip(further).map(|(name, number)| TensorProto {
        name: Some(name.clone()),
        data_type: Some(DataType::Float as i32),
        float_data: vec![*number],
        ..Default::default()
    });
    let node = NodeProto {
        op_type: Some(operator.to_owned()),
        input: std::iter::once("x".to_owned()).chain(names.clone()).collect(),
        output: vec!["y".to_owned()],
        ..Default::default()
    };
    let graph = GraphProto {
        node: vec![node],
        initializer: initializer.collect(),
        input: vec![port("x")],
        output: vec![port("y")],
        ..Default::default()
    };
    let proto = ModelProto {
        ir_version: Some(8),
        opset_import: vec![OperatorSetIdProto { domain: None, version: Some(17) }],
        graph: Some(graph),
        ..Default::default()
    };
    let program = Program::new(&Model::from_proto(proto).unwrap(), Device::Cpu).unwrap();
    let input = Tensor::from_slice(input).set_requires_grad(true);
    let outputs = program.evaluate(&[("x", input.shallow_clone())]).unwrap();
    outputs[0].1.sum(None).backward();
    state::values(&input.grad()).unwrap()
}

#[test]
fn relu6_has_no_gradient_at_its_limits() {
    assert_eq!(gradients("Clip", &[0.0, 6.0], &[-1.0, 0.0, 3.0, 6.0, 7.0]), [0.0, 0.0, 1.0, 0.0, 0.0]);
}

#[test]
fn prelu_has_its_slope_at_zero() {
    assert_eq!(gradients("PRelu", &[0.25], &[-1.0, 0.0, 2.0]), [0.25, 0.25, 1.0]);
}

#[test]
fn selu_has_the_slope_of_its_exponential_at_zero_and_a_finite_one_far_above() {
    // 1.0507 * 1.67326, and 1.0507.
    assert_eq!(gradients("Selu", &[], &[0.0, 200.0]), [1.758_099_3, 1.050_701]);
}
