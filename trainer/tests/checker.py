"""Holds models against ONNX's own checker, with full inference of shapes.

    python3 trainer/tests/checker.py data/checker MODEL.onnx...

The first argument is the folder that `make conformance` staged the checker in.
"""

import sys

folder, *models = sys.argv[1:]
sys.path.insert(0, folder)
import onnx_cpp2py_export  # noqa: E402, stands in that folder

for model in models:
    onnx_cpp2py_export.checker.check_model_path(model, True, False, False)
    print(model, "is accepted")
