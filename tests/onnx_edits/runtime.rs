//! ONNX Runtime as the judge, through its own API and not through gleaner's scoring.

use std::sync::OnceLock;

use gleaner::libraries::{self, ONNX_RUNTIME};
use gleaner::onnx::{Arithmetic, Layout, Model, PixelInput};
use gleaner::pixels::{self, Channels, Crop, Limits, Preprocess, Resize};
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::{DynValue, Tensor};

const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const STD: [f32; 3] = [0.229, 0.224, 0.225];

/// Tensors can be made once this has been called.
fn environment() -> &'static ort::environment::Environment {
    static ENVIRONMENT: OnceLock<ort::environment::Environment> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let library = libraries::find(ONNX_RUNTIME).unwrap();
        ort::init_from(library).unwrap().build().unwrap()
    })
}

pub fn tensor<T: ort::value::PrimitiveTensorElementType + std::fmt::Debug + Clone + 'static>(
    shape: [usize; 4],
    values: &[T],
) -> DynValue {
    environment();
    Tensor::from_array((shape, values.to_vec())).unwrap().into_dyn()
}

fn session(model: &Model) -> Session {
    let builder = Session::builder(environment()).unwrap();
    let builder = builder.with_optimization_level(GraphOptimizationLevel::Level3).unwrap();
    let mut builder = builder.with_intra_threads(1).unwrap();
    builder.commit_from_memory(&model.to_bytes().unwrap()).unwrap()
}

/// All outputs of a model for one input.
pub fn run(model: &Model, name: &str, input: DynValue) -> Vec<(String, Vec<i64>, Vec<f32>)> {
    let mut session = session(model);
    let outputs = session.run(ort::inputs![name => input]).unwrap();
    let floats = outputs.iter().map(|(name, value)| {
        let (shape, data) = value.try_extract_tensor::<f32>().unwrap();
        (name.to_owned(), shape.to_vec(), data.to_vec())
    });
    floats.collect()
}

pub fn numbers(model: &Model, name: &str, shape: [usize; 4], input: &[f32]) -> Vec<f32> {
    run(model, name, tensor(shape, input)).remove(0).2
}

pub fn bytes(model: &Model, name: &str, shape: [usize; 4], input: &[u8]) -> Vec<f32> {
    run(model, name, tensor(shape, input)).remove(0).2
}

pub fn preprocess(height: usize, width: usize, channels: usize) -> Preprocess {
    Preprocess {
        height: height as u32,
        width: width as u32,
        channels: if channels == 1 { Channels::Grey } else { Channels::Rgb },
        resize: Resize::Bilinear,
        crop: Crop::Center,
        crop_fraction: 1.0,
        mean: MEAN[..channels].to_vec(),
        std: STD[..channels].to_vec(),
        limits: Limits::default(),
    }
}

/// Images in which every channel has every level, in no simple order.
pub fn images(count: usize) -> Vec<u8> {
    (0..count).map(|place| ((place * 167 + place / 256 * 29) % 256) as u8).collect()
}

/// What the decoding side makes of the images, image after image.
pub fn normalised(images: &[u8], batch: usize, preprocess: &Preprocess, layout: Layout) -> Vec<f32> {
    let layout = if layout == Layout::Nchw { pixels::Layout::Nchw } else { pixels::Layout::Nhwc };
    let size = images.len() / batch;
    let mut out = vec![0.0; images.len()];
    for (image, out) in images.chunks(size).zip(out.chunks_mut(size)) {
        preprocess.normalise(image, layout, out).unwrap();
    }
    out
}

pub fn pixel_input(preprocess: &Preprocess, arithmetic: Arithmetic) -> PixelInput<'_> {
    PixelInput {
        mean: &preprocess.mean,
        std: &preprocess.std,
        height: preprocess.height as usize,
        width: preprocess.width as usize,
        arithmetic,
    }
}
