"""Compares the trainer's forward pass with ONNX Runtime's on any model.

    python trainer/tests/agreement.py MODEL.onnx [gleaner-trainer]

Feeds random images, prints the greatest difference of every output, and fails above 1e-4. Needs onnxruntime and numpy.
"""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime

TOLERANCE = 1e-4


def main(model, program="target/release/gleaner-trainer"):
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (image,) = session.get_inputs()
    shape = [4 if not isinstance(extent, int) else extent for extent in image.shape]
    images = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    names = [output.name for output in session.get_outputs()]
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "input.npy")
        np.save(file, images)
        subprocess.run([program, "forward", model, "--input", f"{image.name}={file}", "-o", folder], check=True)
        for name, expected in zip(names, session.run(names, {image.name: images})):
            found = np.load(pathlib.Path(folder, name.replace("/", "_") + ".npy"))
            assert found.shape == expected.shape, f"{name}: {found.shape} instead of {expected.shape}"
            difference = float(np.abs(found - expected).max())
            print(f"{name} {list(expected.shape)}: {difference:.2e}")
            worst = max(worst, difference)
    sys.exit(worst > TOLERANCE)


main(*sys.argv[1:])
