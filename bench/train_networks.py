"""The networks of `bench-train`, as PyTorch modules and exported as the README says that they are exported for training.

    python bench/train_networks.py FOLDER
"""

import sys
import warnings
from pathlib import Path

import timm
import torch
import torchvision
from torch import nn

CLASSES = 10


def convnet():
    """The network of `gleaner model new convnet`."""
    layers, channels = [], 1
    for block, width in enumerate((32, 64, 128)):
        layers += [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        layers += [nn.MaxPool2d(2)] if block < 2 else []
        channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, CLASSES))


def resnet18_small():
    """ResNet-18 with the stem for small images: a 3x3 convolution, no pooling."""
    network = torchvision.models.resnet18(num_classes=CLASSES)
    network.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    network.maxpool = nn.Identity()
    return network


# name: (network, channels, side, images a batch)
NETWORKS = {
    "convnet 28": (convnet, 1, 28, 128),
    "resnet18 32": (resnet18_small, 3, 32, 64),
    "resnet18 224": (lambda: torchvision.models.resnet18(num_classes=CLASSES), 3, 224, 16),
    "mobilenet_v3_small 224": (lambda: torchvision.models.mobilenet_v3_small(num_classes=CLASSES), 3, 224, 32),
    "vit_tiny 224": (lambda: timm.create_model("vit_tiny_patch16_224", num_classes=CLASSES), 3, 224, 16),
}


def make(name):
    """The network in training mode; its first weights are the same each time."""
    torch.manual_seed(1)
    return NETWORKS[name][0]().train()


def graph(folder, name):
    return folder / f"{name.replace(' ', '-')}.onnx"


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")
    for name, (_, channels, side, _) in NETWORKS.items():
        path = graph(folder, name)
        if path.exists():
            continue
        part = path.with_suffix(".part")
        torch.onnx.export(
            make(name).eval(), (torch.zeros(2, channels, side, side),), part, dynamo=False, opset_version=17,
            training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False,
            input_names=["input"], output_names=["logits"], dynamic_axes={"input": {0: "N"}, "logits": {0: "N"}},
        )
        part.rename(path)
        print(f"train_networks: {path}", flush=True)


if __name__ == "__main__":
    main()
