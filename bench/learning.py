"""Whether training comes to the same here and in PyTorch: one network, one recipe, test accuracy seed by seed.

    python bench/learning.py [--seeds 1 2 3] [--epochs 5] [--images N] [--threads N]

ResNet-18 with the stem for small images learns Fashion-MNIST, all 55,000 images of the pool, and is tested on the 10,000 test
images. Both sides begin with the same weights, and train by the recipe below; the order of the images is drawn anew by
each. PyTorch runs in this process, as its documentation shows; ours is `gleaner-trainer step`, once an epoch. Both use a GPU
if there is one, leave ONNX checkpoints, and are tested by `gleaner score`.

A result is a file in bench/results/learning; what is there is not repeated, and of a run that was cut off here the epochs that
are whole stay. With `--images` only so many are trained on: for a look, such results are not kept.
"""

import argparse
import json
import math
import os
import statistics
import time
import warnings

import numpy
import torch
from PIL import Image
from torch import nn

import accuracy_programs as programs
import gpu
import harness
import train_networks

FASHION = harness.ROOT / "data/fashion-mnist"
WORK = harness.ROOT / "bench/data/learning"
RESULTS = harness.RESULTS / "learning"
BATCH, RATE, MOMENTUM, DECAY, WARMUP = 128, 0.05, 0.9, 5e-4, 0.05
MEAN, DEVIATION = 0.286, 0.353
# What the two may differ by, in points of test accuracy.
BAR = 0.3


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--images", type=int)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    rows = programs.read_list(FASHION / "pool.txt")[:options.images]
    for seed in options.seeds:
        for name, train in (("gleaner", by_gleaner), ("pytorch", by_pytorch)):
            kept = RESULTS / f"{name}-{seed}.json"
            if kept.exists() and not options.images:
                continue
            folder = WORK / f"{name}-{seed}-{len(rows)}"
            began = time.monotonic()
            model = train(folder, seed, rows, options)
            accuracy, _ = programs.by_class(arguments(folder, seed, options.threads), model, FASHION / "test.txt")
            result = {"accuracy": accuracy, "epochs": options.epochs, "seconds": time.monotonic() - began,
                      "threads": options.threads, "gpu": gpu.name()}
            print(f"{name}, seed {seed}: {100 * accuracy:.2f} %, {result['seconds']:.0f} s", flush=True)
            if not options.images:
                RESULTS.mkdir(parents=True, exist_ok=True)
                kept.write_text(json.dumps(result, indent=2) + "\n")
    if not options.images:
        table(options.epochs)


def network():
    """The network for one channel."""
    made = train_networks.resnet18_small()
    made.conv1 = nn.Conv2d(1, 64, 3, padding=1, bias=False)
    return made


def export(made, path):
    """Writes a network as an ONNX graph that can be trained on."""
    part = path.with_suffix(".part")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            made.eval(), (torch.zeros(2, 1, 28, 28),), part, dynamo=False, opset_version=17,
            training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False,
            input_names=["input"], output_names=["logits"], dynamic_axes={"input": {0: "N"}, "logits": {0: "N"}},
        )
    part.rename(path)


def begin(folder, seed):
    """The network with the first weights of a seed, and its graph in the folder."""
    torch.manual_seed(seed)
    made = network()
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "start.onnx").exists():
        export(made, folder / "start.onnx")
    return made


def arguments(folder, seed, threads):
    """The config of a run, and what differs from it, as words of the command line."""
    config = harness.ROOT / "configs/fashion-mnist.yaml"
    settings = {
        "seed": seed, "pool.train": FASHION / "pool.txt", "pool.validation": FASHION / "validation.txt", "pool.test": "",
        "model.start": folder / "start.onnx", "cache.folder": programs.WORK / "cache",
        "train.batch": BATCH, "train.learning_rate": RATE, "train.momentum": MOMENTUM, "train.weight_decay": DECAY,
        "train.warmup": WARMUP, "train.threads": threads, "score.threads": threads,
    }
    return ["--config", config, *(word for key, value in settings.items() for word in ("--set", f"{key}={value}"))]


def by_gleaner(folder, seed, rows, options):
    begin(folder, seed)
    newest = folder / "start.onnx"
    planned = len(rows) * options.epochs
    for epoch in range(options.epochs):
        made = programs.checkpoint(folder, epoch)
        if not made.exists():
            with open(folder / "log.txt", "a") as log:
                programs.train(folder, arguments(folder, seed, options.threads), seed, epoch, newest, rows,
                               [1] * len(rows), epoch * len(rows), planned, log)
        newest = made
    return newest


def by_pytorch(folder, seed, rows, options):
    torch.set_num_threads(options.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    made, final = begin(folder, seed).to(device), folder / "final.onnx"
    # The rule of gleaner's trainer: biases and normalisation do not decay.
    weights = [weight for weight in made.parameters() if weight.dim() > 1]
    others = [weight for weight in made.parameters() if weight.dim() <= 1]
    optimiser = torch.optim.SGD([{"params": weights, "weight_decay": DECAY}, {"params": others, "weight_decay": 0}],
                                lr=RATE, momentum=MOMENTUM)
    pixels = numpy.stack([numpy.asarray(Image.open(path)) for path, _ in rows])
    images = ((torch.from_numpy(pixels).unsqueeze(1).float() / 255 - MEAN) / DEVIATION).to(device)
    labels = torch.tensor([label for _, label in rows]).to(device)
    planned, kept = len(rows) * options.epochs, folder / "kept.pt"
    first = 0
    if kept.exists():
        state = torch.load(kept)
        first = state["epoch"] + 1
        made.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
    for epoch in range(first, options.epochs):
        made.train()
        order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(1000 * seed + epoch))
        for start in range(0, len(rows), BATCH):
            chosen = order[start:start + BATCH]
            for group in optimiser.param_groups:
                group["lr"] = RATE * factor((epoch * len(rows) + start + len(chosen) / 2) / planned)
            optimiser.zero_grad()
            nn.functional.cross_entropy(made(images[chosen]), labels[chosen]).backward()
            optimiser.step()
        torch.save({"epoch": epoch, "network": made.state_dict(), "optimiser": optimiser.state_dict()},
                   kept.with_suffix(".part"))
        kept.with_suffix(".part").rename(kept)
    export(made.cpu(), final)
    return final


def factor(share):
    """The share of the highest learning rate when this share of the work is done: warm-up, then a cosine to zero."""
    if share < WARMUP:
        return share / WARMUP
    return (1 + math.cos(math.pi * (share - WARMUP) / (1 - WARMUP))) / 2


def table(epochs):
    found = {name: {int(path.stem.rsplit("-", 1)[1]): 100 * json.loads(path.read_text())["accuracy"]
                    for path in sorted(RESULTS.glob(f"{name}-*.json"))} for name in ("gleaner", "pytorch")}
    seeds = sorted(found["gleaner"].keys() & found["pytorch"].keys())
    if not seeds:
        return
    mean = {name: statistics.mean(by_seed[seed] for seed in seeds) for name, by_seed in found.items()}
    rows = [["", *(f"seed {seed}" for seed in seeds), "mean"]]
    rows += [[title, *(f"{found[name][seed]:.2f}" for seed in seeds), f"{mean[name]:.2f}"]
             for name, title in (("gleaner", "gleaner-trainer"), ("pytorch", "PyTorch"))]
    difference = mean["gleaner"] - mean["pytorch"]
    word = "met" if abs(difference) <= BAR else "missed"
    harness.keep("learning", {"epochs": epochs, "accuracy": found, "difference": difference}, rows,
                 [f"ResNet-18 on Fashion-MNIST, {epochs} epochs, test accuracy in %: {difference:+.2f} points, bar {BAR} either "
                  f"way: {word}{'' if len(seeds) >= 3 else f' (only {len(seeds)} of 3 seeds)'}."])


if __name__ == "__main__":
    main()
