"""Exports the networks of `bench-mine` from torchvision and timm as a user would: untrained, which costs the same.

    python bench/graphs.py FOLDER
"""

import sys
import warnings
from pathlib import Path

import timm
import torch
import torchvision

NETWORKS = {
    "mobilenet_v3_small": torchvision.models.mobilenet_v3_small,
    "efficientnet_lite0": lambda: timm.create_model("efficientnet_lite0"),
    "resnet50": torchvision.models.resnet50,
}


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")
    for name, make in NETWORKS.items():
        path = folder / f"{name}.onnx"
        if path.exists():
            continue
        torch.manual_seed(1)
        part = path.with_suffix(".part")
        torch.onnx.export(
            make().eval(), (torch.zeros(2, 3, 224, 224),), part, dynamo=False, opset_version=17,
            input_names=["input"], output_names=["logits"], dynamic_axes={"input": {0: "N"}, "logits": {0: "N"}},
        )
        part.rename(path)
        print(f"graphs: {path}", flush=True)


if __name__ == "__main__":
    main()
