"""How fast a training step is on a GPU, beside PyTorch's on the same graph, batch and GPU, of the same version of libtorch.

    python bench/train_gpu.py [--rounds 3] [--only NETWORK ...]

The step alone, on images that lie in memory which the GPU fetches from by itself: they go to the GPU, then come forward, loss,
backward and the optimiser's move. In 32 bits (convolutions by TensorFloat-32, which is PyTorch's default) and in
bfloat16 (PyTorch: autocast), with the batches of bench/train.py and with batches that fill a GPU. PyTorch runs eagerly: as
it is by default, and with channels last, as its own guide to performance advises.

The memory is what the process has taken of the GPU's, of ours and of the two of PyTorch.
"""

import argparse
import sys
from pathlib import Path

from harness import Contender, alternate, keep, median, median_ratio

import gpu
import train
import train_networks

TURN = 0.3
# A batch that fills a GPU.
FULL = {"convnet 28": 1024, "resnet18 32": 512, "resnet18 224": 256, "mobilenet_v3_small 224": 256, "vit_tiny 224": 256}
LAYOUTS = {"default": "contiguous", "channels last": "channels_last"}
HEAD = ["network", "images a batch", "precision", "images/s", *(f"PyTorch eager, {layout}" for layout in LAYOUTS),
        *(f"ratio to {layout}" for layout in LAYOUTS), "memory, MiB"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=list(train_networks.NETWORKS))
    options = parser.parse_args()
    if not gpu.name():
        sys.exit("train_gpu: there is no NVIDIA GPU here; bench/train.py measures the processor")
    results, rows = {}, []
    with Contender("PyTorch", [sys.executable, Path(__file__).with_name("train_gpu_python.py")]) as python:
        for name in options.only:
            for batch in (train_networks.NETWORKS[name][3], FULL[name]):
                for precision in ("fp32", "bf16"):
                    found = compare(python, name, batch, precision, options.rounds)
                    results[f"{name}, {batch} a batch, {precision}"] = found
                    rows.append(row(name, batch, precision, found))
            # What is measured is kept, even if somebody ends this here.
            keep("train-gpu", {"rounds": options.rounds, **results}, [HEAD, *rows])


def compare(python, name, batch, precision, rounds):
    _, channels, side, _ = train_networks.NETWORKS[name]
    command = [train.PROGRAM, train_networks.graph(train.GRAPHS, name), channels, side, batch, 1, precision]
    with Contender("gleaner", command, train.SURROUNDINGS) as ours:
        ours.turn(3)
        steps = max(3, round(TURN * 3 / ours.turn(3)["seconds"]))
        theirs = [Variant(python, layout, f"{word} {batch} {precision} {name}") for layout, word in LAYOUTS.items()]
        answers = alternate([ours, *theirs], rounds, request=steps)
        memory = {"gleaner": gpu.memory_of(ours.process.pid)}
    return {
        "rate": {who: median(turns, "rate") for who, turns in answers.items()},
        "rates": {who: [turn["rate"] for turn in turns] for who, turns in answers.items()},
        "ratio": {layout: median_ratio(answers["gleaner"], answers[layout], "rate") for layout in LAYOUTS},
        "memory_mib": memory | {layout: answers[layout][-1]["memory_mib"] for layout in LAYOUTS},
    }


def row(name, batch, precision, found):
    ratios = [f"{ratio:.2f}" for ratio in found["ratio"].values()]
    print(f"{name}, {batch} a batch, {precision}: {' and '.join(ratios)} of PyTorch", flush=True)
    rates = (f"{rate:,.0f}" for rate in found["rate"].values())
    return [name, str(batch), precision, *rates, *ratios, " / ".join(f"{mib:,}" for mib in found["memory_mib"].values())]


class Variant:
    """One of the ways in which PyTorch runs."""

    def __init__(self, contender, name, words):
        self.contender, self.name, self.words = contender, name, words

    def turn(self, request):
        return self.contender.turn(f"{request} {self.words}")


if __name__ == "__main__":
    main()
