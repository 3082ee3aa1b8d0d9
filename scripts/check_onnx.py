"""Holds models that gleaner wrote against two other implementations.

    cargo run --example onnx_dump FOLDER
    python scripts/check_onnx.py FOLDER        # needs onnx, onnxruntime, numpy

onnx.checker must accept every model with full shape inference, ONNX Runtime must run it with 1 and with 5 images
(where the batch is open), and the classes must be what the last layer makes of the exposed embedding; in half
precision only nearly so.
"""

import pathlib
import sys

import numpy as np
import onnx
import onnxruntime as ort


def last_layer(model, embedding):
    """What the weights of the last layer make of an embedding, without ONNX Runtime."""
    weights = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant":
            weights["w2"] = onnx.numpy_helper.to_array(node.attribute[0].t)
    weights = {name.removesuffix("/half"): value.astype(np.float32) for name, value in weights.items()}
    weight, bias = weights.get("fc.weight", weights.get("w2")), weights.get("fc.bias", weights.get("b2", 0))
    logits = embedding @ (weight if weight.shape[0] == embedding.shape[1] else weight.T) + bias
    if model.graph.output[0].name != "probabilities":
        return logits
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def check(path):
    onnx.checker.check_model(str(path), full_check=True)
    model = onnx.load(path)
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    (image,) = session.get_inputs()
    batches = [image.shape[0]] if isinstance(image.shape[0], int) else [1, 5]
    for batch in batches:
        shape, draws = [batch, *image.shape[1:]], np.random.default_rng(0)
        levels = image.type == "tensor(uint8)"
        pixels = draws.integers(0, 256, shape, np.uint8) if levels else draws.standard_normal(shape).astype(np.float32)
        classes, *embedding = session.run(None, {image.name: pixels})
        assert np.isfinite(classes).all(), path
        if embedding and "named" not in path.name:
            expected = last_layer(model, embedding[0])
            tolerance = 2e-2 * np.abs(expected).max() if ".half" in path.name else 1e-4
            np.testing.assert_allclose(classes, expected, atol=tolerance, err_msg=str(path))
    outputs = [(output.name, output.shape) for output in session.get_outputs()]
    print(path.name, "batches", batches, outputs)


def main():
    paths = sorted(pathlib.Path(sys.argv[1]).glob("*.onnx"))
    assert paths, "no models there; run `cargo run --example onnx_dump FOLDER` first"
    for path in paths:
        check(path)


main()
