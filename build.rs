//! Makes the Rust types of ONNX from the vendored `proto/onnx.proto`; no `protoc` is needed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=proto/onnx.proto");
    let descriptors = protox::compile(["onnx.proto"], ["proto"])?;
    let mut config = prost_build::Config::new();
    // Indented comments of the schema would become doctests.
    config.disable_comments(["."]);
    // Copies of a model share its weights.
    config.bytes([".onnx.TensorProto.raw_data"]);
    config.compile_fds(descriptors)?;
    Ok(())
}
