//! Numbers in, numbers out, and metadata.

use super::*;
use crate::onnx::{Problem, Tensor, Values};

const FRACTIONS: [f32; 6] = [1.5, -2.0, 0.0, 0.25, -1024.0, 1.0 / 16384.0];

#[test]
fn every_type_of_number_is_read() {
    let model = model("types.onnx");
    let dims = vec![2, 3];
    for name in ["float", "double", "float16", "bfloat16"] {
        for form in ["typed", "raw"] {
            let tensor = model.tensor(&format!("{name}.{form}")).unwrap();
            assert_eq!(tensor, Tensor { dims: dims.clone(), values: Values::F32(FRACTIONS.to_vec()) }, "{name}.{form}");
        }
    }
    for name in ["int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8"] {
        let whole = if name.starts_with('u') { [1, 2, 0, 100, 127, 3] } else { [1, -2, 0, 100, -128, 3] };
        for form in ["typed", "raw"] {
            let tensor = model.tensor(&format!("{name}.{form}")).unwrap();
            assert_eq!(tensor, Tensor { dims: dims.clone(), values: Values::I64(whole.to_vec()) }, "{name}.{form}");
        }
    }
    assert_eq!(model.tensor("bool.typed").unwrap().i64(), Some(&[1, 0][..]));
    assert_eq!(model.tensor("bool.raw").unwrap().i64(), Some(&[1, 0][..]));
    assert_eq!(model.tensor("none").unwrap(), Tensor { dims: vec![0, 3], values: Values::F32(vec![]) });
    // The smallest number of float16 is 2^-24; 0x83FF is minus 1023 of them.
    let smallest = 2f32.powi(-24);
    assert_eq!(model.tensor("subnormal.raw").unwrap().f32(), Some(&[smallest, -1023.0 * smallest][..]));
    assert_eq!(model.tensor("infinite.raw").unwrap().f32(), Some(&[f32::INFINITY, f32::NEG_INFINITY][..]));
}

#[test]
fn every_constant_is_read() {
    let model = model("types.onnx");
    assert_eq!(model.tensor("c_tensor").unwrap().dims, [2, 2]);
    assert_eq!(model.tensor("c_tensor").unwrap().f32(), Some(&[-2.0, -1.875, -1.75, -1.625][..]));
    assert_eq!(model.tensor("c_float").unwrap(), Tensor { dims: vec![], values: Values::F32(vec![2.5]) });
    assert_eq!(model.tensor("c_floats").unwrap(), Tensor { dims: vec![2], values: Values::F32(vec![1.0, 2.0]) });
    assert_eq!(model.tensor("c_int").unwrap(), Tensor { dims: vec![], values: Values::I64(vec![0]) });
    assert_eq!(model.tensor("c_ints").unwrap(), Tensor { dims: vec![3], values: Values::I64(vec![4, -5, 6]) });
}

#[test]
fn what_is_no_plain_number_is_refused() {
    let model = model("types.onnx");
    for (name, kind) in
        [("int4.typed", "int4"), ("complex.typed", "complex64"), ("text.typed", "string"), ("uint64.large", "uint64")]
    {
        let error = model.tensor(name).unwrap_err().to_string();
        assert!(error.contains(&format!("tensor {name:?} is of type {kind}")), "{error}");
    }
    assert!(matches!(*model.tensor("c_text").unwrap_err().problem, Problem::ElementType { .. }));
    let error = model.tensor("float.type").unwrap_err().to_string();
    assert!(error.contains("no initializer or constant named \"float.type\"; the nearest are float.typed"), "{error}");
}

#[test]
fn claimed_shapes_are_held_against_the_bytes() {
    let refusal = |change: fn(&mut crate::onnx::proto::TensorProto)| {
        let mut model = model("gemm.onnx");
        change(&mut model.graph_mut().initializer[0]);
        reread(&model).unwrap_err()
    };
    let error = refusal(|weight| weight.dims[0] = 13);
    assert!(error.contains("tensor \"w1\" of shape [13, 7] needs 364 bytes but holds 336"), "{error}");
    let error = refusal(|weight| weight.raw_data.as_mut().unwrap().truncate(335));
    assert!(error.contains("needs 336 bytes but holds 335"), "{error}");
    let error = refusal(|weight| weight.raw_data = None);
    assert!(error.contains("needs 84 values but holds 0"), "{error}");
    let error = refusal(|weight| weight.dims = vec![-12, -7]);
    assert!(error.contains("impossible shape [-12, -7]"), "{error}");
    let error = refusal(|weight| weight.dims = vec![i64::MAX, i64::MAX]);
    assert!(error.contains("impossible shape"), "{error}");
    // 2^61 floats can be counted, but not in bits.
    let error = refusal(|weight| weight.dims = vec![1 << 61]);
    assert!(error.contains("impossible shape"), "{error}");
    let error = refusal(|weight| weight.data_type = Some(99));
    assert!(error.contains("tensor \"w1\" is of type 99; "), "{error}");
}

#[test]
fn tensors_in_nodes_are_checked_too() {
    let mut model = model("tokens.onnx");
    let constant = model.graph_mut().node[1].attribute[0].t.as_mut().unwrap();
    constant.dims = vec![3, 17];
    assert!(reread(&model).unwrap_err().contains("\"w_value\" of shape [3, 17] needs 204 bytes but holds 192"));
}

#[test]
fn new_values_take_the_place_of_old_ones() {
    let mut model = model("types.onnx");
    for name in ["float.typed", "float.raw"] {
        model.set_f32(name, &[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
        let again = reread(&model).unwrap().tensor(name).unwrap();
        assert_eq!(again, Tensor { dims: vec![2, 3], values: Values::F32(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]) });
    }
}

#[test]
fn new_values_must_fit() {
    let mut model = model("types.onnx");
    let before = model.to_bytes().unwrap();
    let six = [0.0; 6];
    for (name, dims, values, reason) in [
        ("float.raw", &[3, 2][..], &six[..], "has the shape [2, 3], not [3, 2] with 6 values"),
        ("float.raw", &[2, 3], &six[..5], "not [2, 3] with 5 values"),
        ("float.raw", &[usize::MAX, 3], &six, "has the shape [2, 3]"),
        ("double.raw", &[2, 3], &six, "is of type double; only float weights can be replaced"),
        ("float.row", &[2, 3], &six, "no initializer named \"float.row\"; the nearest are float.raw"),
    ] {
        let error = model.set_f32(name, dims, values).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
    assert_eq!(model.to_bytes().unwrap(), before);
}

#[test]
fn metadata_are_kept_in_order() {
    let mut one = model("gemm.onnx");
    let mut other = one.clone();
    for (key, value) in [("epoch", "7"), ("classes", "4"), ("epoch", "8")] {
        one.set_metadata(key, value);
    }
    other.set_metadata("epoch", "8");
    other.set_metadata("classes", "4");
    assert_eq!(one.to_bytes().unwrap(), other.to_bytes().unwrap());
    let metadata: Vec<(String, String)> = reread(&one).unwrap().metadata().into_iter().collect();
    assert_eq!(metadata, [("classes".into(), "4".into()), ("epoch".into(), "8".into())]);
}

#[test]
fn numbers_are_rounded_to_the_nearest_half_and_ties_to_even() {
    use crate::onnx::tensor::{half, to_half};
    for bits in 0..0x7C00u16 {
        let value = half(bits);
        assert_eq!((to_half(value), to_half(-value)), (bits, bits | 0x8000));
        // The number after 65504 would be 65536; there infinity stands.
        let above = if bits == 0x7BFF { 65536.0 } else { half(bits + 1) };
        let middle = (value + above) / 2.0;
        let nearest = [middle.next_down(), middle, middle.next_up()].map(to_half);
        assert_eq!(nearest, [bits, bits + (bits & 1), bits + 1], "around {middle:e}");
    }
    assert_eq!([f32::INFINITY, f32::NEG_INFINITY, f32::MAX, 1e-40].map(to_half), [0x7C00, 0xFC00, 0x7C00, 0]);
    assert!(half(to_half(f32::NAN)).is_nan());
}
