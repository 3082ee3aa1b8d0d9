//! Starting graphs. ONNX's checker and ONNX Runtime accept them (`scripts/check_onnx.py`).

use super::*;
use crate::onnx::start::{Stem, convnet, resnet18};
use crate::onnx::training::{Parameter, Role, parameters};
use crate::onnx::{Classifier, Report, Result};

/// The numbers that train, and the running statistics.
fn counts(model: &Model) -> (usize, usize) {
    let parameters = parameters(model, &Classifier::of(model).unwrap()).unwrap();
    let sum = |of: &dyn Fn(Role) -> bool| {
        parameters.iter().filter(|parameter| of(parameter.role)).map(Parameter::count).sum::<usize>()
    };
    (sum(&|role| matches!(role, Role::Trained { .. })), sum(&|role| role == Role::Running))
}

#[test]
fn the_convnet_has_94186_parameters() {
    // 9 (1*32 + 32*64 + 64*128) + 2 (32 + 64 + 128) + 128*10 + 10, and as many running statistics as scales and shifts.
    assert_eq!(counts(&convnet(10, 1, 28, 28, 1).unwrap()), (94_186, 448));
}

#[test]
fn resnet18_has_the_parameters_of_torchvision() {
    assert_eq!(counts(&resnet18(1000, 3, 224, 224, 1, None).unwrap()), (11_689_512, 9_600));
    // 64*3*49 became 64*3*9, and 513*1000 became 513*10.
    assert_eq!(counts(&resnet18(10, 3, 32, 32, 1, None).unwrap()), (11_173_962, 9_600));
}

#[test]
fn the_stem_follows_the_height() {
    let pooled = |height, stem| {
        let model = resnet18(10, 3, height, height, 1, stem).unwrap();
        model.graph().node.iter().any(|node| node.op_type() == "MaxPool")
    };
    assert!(!pooled(63, None) && pooled(64, None));
    assert!(pooled(63, Some(Stem::Imagenet)) && !pooled(64, Some(Stem::Small)));
}

#[test]
fn the_names_are_those_of_pytorch() {
    let model = resnet18(10, 3, 32, 32, 1, None).unwrap();
    let names: Vec<&str> = model.graph().initializer.iter().map(|tensor| tensor.name()).collect();
    for name in [
        "conv1.weight",
        "bn1.running_var",
        "layer1.0.bn1.running_mean",
        "layer2.0.downsample.0.weight",
        "layer2.0.downsample.1.bias",
        "layer4.1.conv2.weight",
        "fc.weight",
        "fc.bias",
    ] {
        assert!(names.contains(&name), "{name}");
    }
    // torchvision's state dictionary has 122 entries, 20 of which count batches.
    assert_eq!(names.len(), 102);
}

#[test]
fn both_are_classifiers_with_an_embedding() {
    for (model, width) in [(convnet(7, 3, 20, 30, 1).unwrap(), 128), (resnet18(7, 3, 20, 30, 1, None).unwrap(), 512)] {
        let found = Classifier::of(&model).unwrap();
        assert_eq!((found.input.as_str(), found.output.as_str()), ("image", "logits"));
        assert_eq!((found.batch, found.channels, found.height, found.width), (None, Some(3), Some(20), Some(30)));
        let site = found.embedding.unwrap();
        assert_eq!((site.value.as_str(), site.width, site.flat), ("embedding", Some(width), true));
    }
}

#[test]
fn a_seed_makes_the_same_bytes_and_another_seed_others() {
    let bytes = |seed| convnet(10, 1, 28, 28, seed).unwrap().to_bytes().unwrap();
    assert_eq!(bytes(1), bytes(1));
    assert_ne!(bytes(1), bytes(2));
}

/// Mean and variance.
fn moments(values: &[f32]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / count;
    (mean, values.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>() / count)
}

#[test]
fn weights_are_drawn_as_pytorch_draws_them() {
    let model = resnet18(10, 3, 32, 32, 3, None).unwrap();
    let values = |name: &str| model.tensor(name).unwrap().f32().unwrap().to_vec();
    // 512*512*9 numbers of N(0, 2 / (512*9)): the mean errs by 1.4e-5, the variance by a thousandth of itself.
    let weights = values("layer4.1.conv2.weight");
    let (mean, variance) = moments(&weights);
    let expected = 2.0 / (512.0 * 9.0);
    assert!(mean.abs() < 6e-5 && (variance / expected - 1.0).abs() < 4e-3, "{mean} {variance}");
    // 68.27% of a normal distribution lie within one deviation.
    let within = weights.iter().filter(|&&value| f64::from(value).powi(2) < expected).count();
    assert!((within as f64 / weights.len() as f64 - 0.6827).abs() < 2e-3, "{within}");
    // Neighbours, which may come from one pair of draws, are not correlated.
    let products: f64 = weights.as_chunks::<2>().0.iter().map(|&[one, two]| f64::from(one) * f64::from(two)).sum();
    assert!((products / (weights.len() / 2) as f64 / expected).abs() < 4e-3, "{products}");
    // 5,120 numbers of U(-b, b), b = 1/sqrt(512): the variance is b^2 / 3.
    let layer = values("fc.weight");
    let bound = 1.0 / 512f64.sqrt();
    assert!(layer.iter().all(|&value| f64::from(value).abs() <= bound));
    assert!((moments(&layer).1 / (bound * bound / 3.0) - 1.0).abs() < 0.05);
    assert!(values("fc.bias").iter().any(|&value| value != 0.0));
    for (name, value) in [("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)] {
        assert!(values(&format!("layer3.0.bn2.{name}")).iter().all(|&other| other == value), "{name}");
    }
}

#[test]
fn impossible_forms() {
    let refused = |made: Result<Model>, reason: &str| {
        let error = made.unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    };
    refused(convnet(1, 1, 28, 28, 1), "1 for classes; 2 to 1000000 are possible");
    refused(convnet(10, 0, 28, 28, 1), "0 for channels");
    refused(convnet(10, 1, 3, 28, 1), "3 for height");
    refused(resnet18(10, 3, 32, usize::MAX, 1, None), "for width");
}

#[test]
fn the_report_tells_all() {
    let mut model = convnet(10, 1, 28, 28, 1).unwrap();
    model.set_metadata("epoch", "7");
    let report = Report::of(&model).to_string();
    for line in [
        &format!("sha256      {}", model.digest()),
        "opset       ai.onnx 17",
        "input       image float [N, 1, 28, 28]",
        "output      logits float [N, 10]",
        "operators   BatchNormalization 3, Conv 3, Flatten 1, Gemm 1, GlobalAveragePool 1, MaxPool 2, Relu 3",
        "image       NCHW, 1 channels, 28 high, 28 wide",
        "classes     10, as logits in \"logits\"",
        "embedding   \"embedding\", 128 wide",
        "metadata    epoch = 7",
    ] {
        assert!(report.lines().any(|other| other == line), "{line:?} is missing in\n{report}");
    }
}

#[test]
fn the_report_of_what_is_no_classifier_says_why() {
    let report = Report::of(&super::model("types.onnx")).to_string();
    assert!(report.contains("classifier  not an image classifier: the input is x float [1]"), "{report}");
}
