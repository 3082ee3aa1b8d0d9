//! Weights that move together move as they would alone.

use crate::support::{Run, device, fixtures};
use gleaner::onnx::Model;
use gleaner::onnx::proto::{NodeProto, TensorProto, tensor_proto::DataType};
use gleaner_trainer::optimiser::bucket::{ALIGNMENT, Bucket};
use tch::{Kind, Tensor};

fn counted(shape: &[i64]) -> Tensor {
    let numbers: i64 = shape.iter().product();
    Tensor::arange(numbers, (Kind::Float, device())).reshape(shape)
}

/// The buckets of weights that have one moment each.
fn filled(weights: &mut [Tensor], moments: &mut [[Tensor; 1]]) -> Vec<Bucket> {
    let members = weights.iter_mut().zip(moments).enumerate();
    let members = members.map(|(place, (weight, moments))| (place, weight, moments.as_mut_slice()));
    Bucket::fill(members.collect(), true).unwrap()
}

fn moments_of(weights: &[Tensor]) -> Vec<[Tensor; 1]> {
    weights.iter().map(|weight| [(weight * 2.0).contiguous()]).collect()
}

/// Of 3 x 2 pixels in 5 x 7 channels, which lie side by side.
fn channels_last() -> Tensor {
    counted(&[5, 3, 2, 7]).permute([0, 3, 1, 2])
}

#[test]
fn small_weights_share_a_bucket_and_large_ones_have_their_own() {
    let mut weights = [counted(&[3, 5]), channels_last(), counted(&[200, 200]), counted(&[4])];
    let mut moments = moments_of(&weights);
    let buckets = filled(&mut weights, &mut moments);
    let members: Vec<&[usize]> = buckets.iter().map(|bucket| bucket.members.as_slice()).collect();
    assert_eq!(members, [[0, 1].as_slice(), &[2], &[3]]);
}

#[test]
fn weights_and_moments_keep_their_values_and_move_with_their_bucket() {
    let mut weights = [counted(&[3, 5]), channels_last(), counted(&[7])];
    let mut moments = moments_of(&weights);
    let before: Vec<Tensor> = weights.iter().map(Tensor::copy).collect();
    let [bucket] = filled(&mut weights, &mut moments).try_into().unwrap();
    for (number, (weight, before)) in weights.iter().zip(&before).enumerate() {
        assert_eq!(weight, before);
        assert_eq!(weight.stride(), before.stride());
        assert_eq!(moments[number][0], before * 2.0);
        let distance = weight.data_ptr() as usize - bucket.weight.data_ptr() as usize;
        assert!(distance.is_multiple_of(4 * ALIGNMENT), "weight {number} lies {distance} bytes from the first");
    }
    assert_eq!(bucket.moments[0], &bucket.weight * 2.0, "each number's moment lies where the number does");
    let [mut all, mut all_moments] = [bucket.weight.shallow_clone(), bucket.moments[0].shallow_clone()];
    let (_, _) = (all.g_add_scalar_(1.0), all_moments.g_add_scalar_(3.0));
    for (number, (weight, before)) in weights.iter().zip(&before).enumerate() {
        assert_eq!(*weight, before + 1.0);
        assert_eq!(moments[number][0], before * 2.0 + 3.0);
    }
}

#[test]
fn gradients_meet_their_weights_however_both_lie_in_memory() {
    let mut weights = [counted(&[3, 5]), channels_last(), counted(&[7])];
    let mut moments = moments_of(&weights);
    let before: Vec<Tensor> = weights.iter().map(Tensor::copy).collect();
    let [mut bucket] = filled(&mut weights, &mut moments).try_into().unwrap();
    let gradients = [
        counted(&[5, 3]).transpose(0, 1),
        counted(&[5, 7, 3, 2]),
        Tensor::ones([1], (Kind::Float, device())).expand([7], false),
    ];
    for _ in 0..2 {
        bucket.gather(gradients.iter().map(Tensor::shallow_clone).collect()).unwrap();
    }
    let _ = bucket.weight.g_sub_(bucket.gradient.as_ref().unwrap());
    for ((weight, before), gradient) in weights.iter().zip(before).zip(&gradients) {
        assert_eq!(*weight, before - gradient * 2.0);
    }
}

#[test]
fn a_gradient_that_two_weights_share_is_added_to_each_of_them_alone() {
    let mut weights = [counted(&[200, 200]), counted(&[200, 200])];
    let mut moments = moments_of(&weights);
    let [mut first, mut second] = filled(&mut weights, &mut moments).try_into().unwrap();
    let shared = counted(&[200, 200]);
    first.gather(vec![shared.shallow_clone()]).unwrap();
    second.gather(vec![shared.shallow_clone()]).unwrap();
    first.gather(vec![shared.shallow_clone()]).unwrap();
    assert_eq!(first.gradient, Some(counted(&[200, 200]) * 2.0));
    assert_eq!(second.gradient, Some(counted(&[200, 200])));
}

#[test]
fn a_weight_that_no_gradient_reaches_stays_and_does_not_decay() {
    let run = Run::new();
    let mut proto = Model::read(&fixtures().join("train-linear.onnx")).unwrap().proto().clone();
    let graph = proto.graph.as_mut().unwrap();
    graph.initializer.push(TensorProto {
        name: Some("lowest".to_owned()),
        data_type: Some(DataType::Float as i32),
        float_data: vec![0.125],
        ..Default::default()
    });
    let last = graph.node.len() - 1;
    let features = std::mem::replace(&mut graph.node[last].input[0], "clipped".to_owned());
    let clip = NodeProto {
        op_type: Some("Clip".to_owned()),
        input: vec![features, "lowest".to_owned()],
        output: vec!["clipped".to_owned()],
        ..Default::default()
    };
    graph.node.insert(last, clip);
    Model::from_proto(proto).unwrap().write(&run.path("start.onnx")).unwrap();
    run.config(2, "batch: 2, learning_rate: 0.25, weight_decay: 0.5, also: [lowest]");
    run.image("dark.png", 2, 2, &[0, 0, 0, 0]);
    run.image("light.png", 2, 2, &[255, 255, 255, 255]);
    run.manifest(&[("dark.png", 0, 1.0), ("light.png", 1, 1.0)]);
    let said = run.trained("start.onnx", "next.onnx", 1, &[]);
    assert!(said.contains("\"lowest\" stays as it is: no gradient reaches it"), "{said}");
    assert_eq!(run.weights("next.onnx", "lowest"), [0.125]);
    assert_ne!(run.weights("next.onnx", "w"), run.weights("start.onnx", "w"));
}
