"""Makes the seeds of `external` and `cache`, which are no files of their kind (see the targets for what they are), and a graph
of nodes that make much out of little.

    python fuzz/seeds/make.py        (needs the Python package onnx)
"""

import pathlib
import struct

import onnx
from onnx import TensorProto, helper

HERE = pathlib.Path(__file__).parent
FIXTURES = HERE.parent.parent / "tests/fixtures/onnx"


def external(name, change=lambda entries: None):
    """The fixture with its weights beside it, after `change` of what each tensor says of where they are."""
    model = onnx.load(FIXTURES / "external.onnx", load_external_data=False)
    for tensor in model.graph.initializer:
        entries = {entry.key: entry.value for entry in tensor.external_data}
        change(entries)
        del tensor.external_data[:]
        for key, value in entries.items():
            tensor.external_data.add(key=key, value=value)
    graph = model.SerializeToString()
    weights = (FIXTURES / "external.onnx.data").read_bytes()
    (HERE / "external" / name).write_bytes(struct.pack("<I", len(graph)) + graph + weights)


def cache(name, *damages):
    """Words of the file, and what stands there then."""
    (HERE / "cache" / name).write_bytes(b"".join(struct.pack("<HQ", *damage) for damage in damages))


def shapes():
    """One node of each operator that follows a shape in the file, in the graph, in a branch and in a function."""

    def numbers(name, *values):
        return helper.make_tensor(name, TensorProto.INT64, [len(values)], values)

    branch = helper.make_graph(
        [helper.make_node("Expand", ["x", "shape"], ["inner"])], "branch", [], [helper.make_tensor_value_info("inner", TensorProto.FLOAT, None)]
    )
    function = helper.make_function(
        "own",
        "f",
        ["in"],
        ["out"],
        [
            helper.make_node("Constant", [], ["repeats"], value_ints=[2, 2]),
            helper.make_node("Tile", ["in", "repeats"], ["out"]),
        ],
        [helper.make_opsetid("", 17)],
    )
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["filled"]),
        helper.make_node("OneHot", ["shape", "depth", "shape"], ["hot"]),
        helper.make_node("Resize", ["x", "", "", "sizes"], ["resized"]),
        helper.make_node("RandomNormal", [], ["drawn"], shape=[3, 4]),
        helper.make_node("Range", ["start", "depth", "step"], ["counted"]),
        helper.make_node("If", ["yes"], ["either"], then_branch=branch, else_branch=branch),
        helper.make_node("f", ["x"], ["y"], domain="own"),
    ]
    weights = [numbers("shape", 3, 4), numbers("sizes", 1, 1, 8, 8)]
    weights += [numbers("depth", 9), numbers("start", 1), numbers("step", 2)]
    weights.append(helper.make_tensor("yes", TensorProto.BOOL, [], [True]))
    values = helper.make_tensor("thin", TensorProto.FLOAT, [1], [1.0])
    sparse = helper.make_sparse_tensor(values, numbers("at", 5), [8, 8])
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1, 4, 4])
    classes = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 2])
    graph = helper.make_graph(nodes, "shapes", [image], [classes], weights, sparse_initializer=[sparse])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8, functions=[function])
    onnx.save(model, HERE / "onnx/shapes.onnx")


def main():
    shapes()
    external("good")
    external("whole-file", lambda entries: (entries.pop("offset", None), entries.pop("length", None)))
    external("outside", lambda entries: entries.update(location="../out"))
    external("absolute", lambda entries: entries.update(location="/proc/self/environ"))
    external("link", lambda entries: entries.update(location="link"))
    external("folder", lambda entries: entries.update(location="."))
    external("itself", lambda entries: entries.update(location="external.onnx"))
    external("beyond", lambda entries: entries.update(offset=str(2**64 - 1)))
    external("negative", lambda entries: entries.update(offset="-1"))

    # Words: header 0 to 9, the next free slot 32, the table 512 to 1039, and from 1536 on the slots, 6 words each.
    cache("good")
    cache("another-version", (1, 2))
    cache("many-slots", (7, 2**40))
    cache("no-slot-free", (32, 2**64 - 1))
    cache("slot-of-another", *((cell, 2) for cell in range(512, 1040, 8)))
    cache("slot-beyond", *((cell, 2**32 - 1) for cell in range(512, 1040, 8)))
    cache("other-pixels", *((1536 + 6 * slot + 5, 7) for slot in range(8)))
    cache("other-record", *((1536 + 6 * slot + word, 0) for slot in range(8) for word in range(5)))


if __name__ == "__main__":
    main()
