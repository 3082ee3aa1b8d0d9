"""Which networks of timm gleaner trains, and whether it trains them as PyTorch does.

    python bench/timm_networks.py [NAME...]

Of each module of timm (a family of networks) the smallest network is exported as the README says, untrained, for ten classes;
by the older exporter, or by the newer one if the older cannot. Then both sides do one step of plain gradient descent on the
same four images, PyTorch on its own network and gleaner on the graph. The moves of all weights together are held against
PyTorch's in 64 bits: the length of the difference, as a part of the length of the move. Beside it stands the same of
PyTorch in 32 bits. Batch normalisation trains, everything else is as in evaluation.

What was measured stands in bench/results/timm.json; a network that is there is not measured again, unless it is named.
"""

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import warnings

import harness

WORK = harness.ROOT / "bench/data/timm"
KEPT = harness.RESULTS / "timm.json"
CLASSES, IMAGES, LARGEST, LIMIT = 10, 4, 100e6, 900
# Rounding moves values across kinks, in either of them. So much is the same, or so many times what 32 bits cost PyTorch, but
# never more than MOST.
SAME, TIMES, MOST = 0.01, 3, 0.1


def main():
    known = json.loads(KEPT.read_text())["networks"] if KEPT.exists() else {}
    names = sys.argv[1:]
    for module, name in smallest().items():
        if names and name not in names or not names and name in known:
            continue
        known[name] = {"module": module, **apart(name)}
        # All of them together would take tens of gigabytes.
        shutil.rmtree(WORK / name, ignore_errors=True)
        print(name, known[name], flush=True)
        KEPT.write_text(json.dumps({"networks": known}))
    table(known)


def smallest():
    """The smallest network of each module of timm, by the number of weights."""
    import timm
    import torch

    found = {}
    for module in sorted(timm.list_modules()):
        sizes = []
        for name in timm.list_models(module=module):
            try:
                with torch.device("meta"):
                    network = timm.create_model(name, num_classes=CLASSES)
                sizes.append((sum(weight.numel() for weight in network.parameters()), name))
            except Exception:  # Some cannot be made without numbers.
                continue
        if sizes and min(sizes)[0] <= LARGEST:
            found[module] = min(sizes)[1]
    return found


def apart(name):
    """What `one` finds, in a process of its own."""
    words = [sys.executable, __file__, "--one", name]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True) as one:
        try:
            said, complained = one.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(one.pid, signal.SIGKILL)
            return {"problem": f"takes more than {LIMIT} s"}
    lines = said.strip().splitlines()
    return json.loads(lines[-1]) if one.returncode == 0 and lines else {"problem": complained.strip()[-300:]}


def one(name):
    """Exports a network and trains it on both sides."""
    import numpy
    import timm
    import torch
    from PIL import Image

    warnings.simplefilter("ignore")
    torch.manual_seed(1)
    network = timm.create_model(name, num_classes=CLASSES).eval()
    channels, height, width = network.default_cfg["input_size"]
    folder = WORK / name
    folder.mkdir(parents=True, exist_ok=True)
    pixels = numpy.random.default_rng(1).integers(0, 256, (IMAGES, height, width, channels), dtype=numpy.uint8)
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    exporter, problem = export(torch, network, images, folder / "start.onnx")
    if not exporter:
        return {"problem": f"cannot be exported: {problem}"}
    rows = ["order,path,label,stratum,cluster,predicted,confidence,margin,weight"]
    for number, image in enumerate(pixels):
        Image.fromarray(image).save(folder / f"{number}.png")
        rows.append(f"{number},{folder / f'{number}.png'},{number % CLASSES},initial,,,,,1")
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n")
    (folder / "pool.txt").write_text("")
    settings = {"pool": {"train": str(folder / "pool.txt"), "validation": str(folder / "validation.txt")},
                "pixels": {"size": [height, width], "channels": channels, "mean": [0] * channels, "std": [1] * channels},
                "model": {"start": str(folder / "start.onnx")}, "cache": {"max_gib": 0},
                "train": {"batch": IMAGES, "momentum": 0, "weight_decay": 0, "learning_rate": 1, "schedule": "constant"}}
    (folder / "config.yaml").write_text(json.dumps(settings))
    step = subprocess.run(
        [harness.ROOT / "target/release/gleaner-trainer", "step", "--config", folder / "config.yaml", "--manifest",
         folder / "manifest.csv", "--checkpoint-in", folder / "start.onnx", "--checkpoint-out", folder / "out.onnx",
         "--epoch", "1", "--seed", "1"], capture_output=True, text=True)
    if step.returncode:
        return {"exporter": exporter, "problem": problem_of(step.stderr)}
    return {"exporter": exporter, **compare(torch, network, images, folder)}


def problem_of(said):
    """The error in what the trainer said, without the paths and the list of operators that it ends with."""
    lines = [line for line in said.splitlines() if line.startswith("error: ")] or said.strip().splitlines()[-1:] or [""]
    return lines[-1].removeprefix("error: ").replace(f"{WORK}/", "").split("; ")[0][:200]


def export(torch, network, images, path):
    """Which exporter wrote the graph, or None and why neither can."""
    common = {"input_names": ["image"], "output_names": ["logits"]}
    try:
        torch.onnx.export(network, images, path, dynamo=False, opset_version=17, dynamic_axes={"image": {0: "N"}},
                          training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False, **common)
        return "TorchScript", None
    except Exception:
        pass
    try:
        torch.onnx.export(network, (images,), path, dynamo=True, opset_version=20, optimize=False, external_data=False,
                          dynamic_shapes=({0: torch.export.Dim("N", min=1, max=64)},), verbose=False, **common)
        return "dynamo", None
    except Exception as error:
        return None, str(error).strip().splitlines()[0][:200]


def compare(torch, network, images, folder):
    """How far the moves of the weights are from PyTorch's in 64 bits, here and in PyTorch itself in 32 bits."""
    import onnx
    from onnx import numpy_helper

    out = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(folder / "out.onnx").graph.initializer}
    start = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(folder / "start.onnx").graph.initializer}
    weights = {name: weight.detach().clone() for name, weight in network.named_parameters() if weight.requires_grad}
    # An exporter that transposes a weight gives it a name of its own; its numbers tell which it is.
    transposed = {weight.numpy().T.tobytes(): name for name, weight in weights.items() if weight.dim() == 2}
    ours = {name: out[name] - weight.numpy() for name, weight in weights.items() if name in out}
    for stored_name, before in start.items():
        name = None if stored_name in weights else transposed.get(before.tobytes())
        if name and weights[name].shape == before.T.shape:
            ours[name] = (out[stored_name] - before).T
    single, exact = gradients(torch, network, images), gradients(torch, network.double(), images.double())
    # Single numbers stay unless `train.also` names them, and what the loss does not follow from has nothing to follow.
    moved = {name: gradient for name, gradient in exact.items() if gradient is not None and gradient.numel() > 1}
    missing = [name for name, gradient in moved.items() if name not in ours]
    together = lambda moves: sum(float(((move + moved[name].numpy()) ** 2).sum()) for name, move in moves) ** 0.5
    whole = sum(float((gradient ** 2).sum()) for gradient in moved.values()) ** 0.5 or 1.0
    return {"weights": sum(weight.numel() for weight in weights.values()),
            "numbers that stay": sum(weight.numel() for weight in weights.values() if weight.numel() == 1),
            "missing": missing,
            "ours": together((name, ours[name]) for name in moved if name in ours) / whole,
            "pytorch": together((name, -single[name].numpy()) for name in moved) / whole}


def gradients(torch, network, images):
    """Of the mean cross-entropy, by name, with batch statistics in every batch normalisation."""
    for module in network.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.train()
    weights = {name: weight for name, weight in network.named_parameters() if weight.requires_grad}
    loss = torch.nn.functional.cross_entropy(network(images), torch.arange(IMAGES) % CLASSES)
    return dict(zip(weights, torch.autograd.grad(loss, list(weights.values()), allow_unused=True)))


def table(known):
    done = {name: it for name, it in sorted(known.items()) if "ours" in it}
    good = [it for it in done.values() if as_pytorch(it)]
    median = lambda who: f"{statistics.median(it[who] for it in good):.0e}"
    largest = lambda who: f"{max(it[who] for it in good):.0e}"
    rows = [["networks, each of another module", "train as in PyTorch", "difference, median", "PyTorch in 32 bits", "difference, largest",
             "PyTorch in 32 bits"],
            [str(len(known)), str(len(good)), median("ours"), median("pytorch"), largest("ours"), largest("pytorch")]]
    others = [f"- {name} ({it['module']}): {why(it)}" for name, it in sorted(known.items()) if not as_pytorch(it)]
    harness.keep("timm", {"networks": known}, rows, ["The others:", "", *others])


def as_pytorch(it):
    return "ours" in it and not it["missing"] and it["ours"] <= min(MOST, max(SAME, TIMES * it["pytorch"]))


def why(it):
    """What is wrong with a network, in words."""
    if "problem" in it:
        return it["problem"]
    if it["missing"]:
        return f"{len(it['missing'])} weights do not train: {', '.join(it['missing'][:3])}"
    return f"the moves differ by {it['ours']:.0e}, in PyTorch by {it['pytorch']:.0e}"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(one(sys.argv[2])))
    else:
        main()
