"""How fast a training step is, beside PyTorch's on the same graph, batch and threads, of the same version of libtorch.

    python bench/train.py [--rounds 9] [--threads N] [--only NETWORK ...] [--jpegs LIST]

    step     the step alone, on images that lie ready in memory: forward, loss, backward, the optimiser's move
    files    the whole of `gleaner-trainer step` on JPEG photographs, decoding and augmentation included, against the step
             alone, and against PyTorch fed by a DataLoader with one worker a thread. What a core gives depends on what its
             neighbours do, so there is the step beside a busy core as well: an empty loop, which touches no memory

PyTorch runs eagerly: as it is by default, and with channels last, as its own guide to performance advises. The peak of
memory is that of the process, libraries included. For `files` one core is left to decoding: both train with one thread
fewer than there are cores.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from harness import ROOT, Contender, alternate, keep, median, median_ratio

import train_networks

PROGRAM = ROOT / "target/release/examples/bench-train"
TRAINER = ROOT / "target/release/gleaner-trainer"
# What `gleaner-trainer` gives its engine on the way (trainer/src/doorstep.rs).
SEARCH = ":".join(filter(None, [str(ROOT / "runtime/libtorch/lib"), os.environ.get("LD_LIBRARY_PATH")]))
SURROUNDINGS = {"LD_LIBRARY_PATH": SEARCH, "GOMP_SPINCOUNT": "10000", "MALLOC_MMAP_MAX_": "0",
                "MALLOC_TRIM_THRESHOLD_": "17179869184"}
DATA = ROOT / "bench/data"
GRAPHS = DATA / "train/graphs"
# What is read from files.
FED = ["resnet18 224", "mobilenet_v3_small 224"]
# A turn of a step alone lasts about so many seconds, a turn from files so many times as long.
TURN, LONGER = 2.0, 4


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--only", nargs="*", default=list(train_networks.NETWORKS))
    parser.add_argument("--jpegs", default=str(DATA / "jpegs/list.txt"))
    options = parser.parse_args()
    results, rows = {}, []
    for name in options.only:
        results[name] = {"step": step(name, options, rows)}
        if name in FED and options.threads > 1:
            results[name]["files"] = files(name, options, rows)
        # What is measured is kept, even if somebody ends this here.
        keep("train", {"rounds": options.rounds, "threads": options.threads, **results},
             [["what", "images/s", "beside", "ratio", "peak memory, MiB"], *rows])


def step(name, options, rows):
    threads = options.threads
    answers = turns(options.rounds, gleaner(name, threads), python("step", name, threads, "contiguous"),
                    python("step", name, threads, "channels_last"))
    return {layout: compare(rows, f"{name}, step", answers[0], f"PyTorch eager, {layout}", theirs)
            for layout, theirs in zip(("default", "channels last"), answers[1:])}


def files(name, options, rows):
    threads = options.threads - 1
    alone = gleaner(name, threads)
    with tempfile.TemporaryDirectory() as folder:
        ours = [alone, Files(name, threads, Path(folder), options.jpegs)]
        alone, fed, busy, loader = turns(max(3, options.rounds // 3), *ours, Beside(gleaner(name, threads)),
                                         python("files", name, threads, "contiguous", options.jpegs), longer=LONGER)
    return {"alone": compare(rows, f"{name}, from JPEG files", fed, "the step alone", alone),
            "beside a busy core": compare(rows, f"{name}, from JPEG files", fed, "the step beside a busy core", busy),
            "DataLoader": compare(rows, f"{name}, from JPEG files", fed, "PyTorch eager, DataLoader", loader)}


class Files:
    """`gleaner-trainer step` on photographs: a contender whose turns are processes of their own, timed from inside."""

    def __init__(self, name, threads, folder, jpegs):
        self.name, self.folder = "gleaner files", folder
        _, channels, side, self.batch = train_networks.NETWORKS[name]
        source = Path(jpegs).resolve()
        lines = [line.rstrip("\n").rsplit(" ", 1) for line in open(source)]
        self.samples = [(source.parent / path, int(label) % train_networks.CLASSES) for path, label in lines]
        self.graph, self.log = train_networks.graph(GRAPHS, name), open(folder / "log.txt", "w")
        (folder / "config.yaml").write_text(json.dumps({
            "pool": {"train": str(source), "validation": str(folder / "none.txt")},
            "pixels": {"size": [side, side], "channels": channels, "mean": [0.5] * channels, "std": [0.25] * channels,
                       "crop_fraction": 0.875, "augment": {"flip": True}},
            "model": {"start": str(self.graph)}, "cache": {"folder": str(folder / "cache"), "max_gib": 0},
            "train": {"threads": threads, "batch": self.batch, "learning_rate": 0.01},
        }))

    def turn(self, steps):
        rows = [self.samples[index % len(self.samples)] for index in range(steps * self.batch)]
        lines = [f'{number},"{path}",{label},uniform,,,,,1' for number, (path, label) in enumerate(rows)]
        header = "order,path,label,stratum,cluster,predicted,confidence,margin,weight"
        (self.folder / "manifest.csv").write_text("\n".join([header, *lines, ""]))
        report = self.folder / "report.json"
        subprocess.run(
            [TRAINER, "step", "--config", self.folder / "config.yaml", "--manifest", self.folder / "manifest.csv",
             "--checkpoint-in", self.graph, "--checkpoint-out", self.folder / "out.onnx", "--epoch", "1", "--seed", "1",
             "--report", report], check=True, cwd=ROOT, stderr=self.log)
        told = json.loads(report.read_text())
        return {"seconds": told["seconds"], "rate": told["images"] / told["seconds"], "peak_mib": 0}

    def close(self):
        self.log.close()


class Beside:
    """A contender beside whom another core is kept busy."""

    def __init__(self, contender):
        self.name, self.contender, self.close = f"{contender.name} beside a busy core", contender, contender.close

    def turn(self, request):
        neighbour = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        try:
            return self.contender.turn(request)
        finally:
            neighbour.kill()
            neighbour.wait()


def turns(rounds, *contenders, longer=1):
    """So many rounds of turns of about equal length; the contenders are closed."""
    first = contenders[0].turn(1)
    first = contenders[0].turn(1)
    steps = max(1, round(longer * TURN / first["seconds"]))
    answers = alternate(list(contenders), rounds, request=steps)
    for contender in contenders:
        contender.close()
    return [answers[contender.name] for contender in contenders]


def compare(rows, what, ours, other, theirs):
    ratio = median_ratio(ours, theirs, "rate")
    peaks = [max(answer["peak_mib"] for answer in answers) for answers in (ours, theirs)]
    rows.append([what, f"{median(ours, 'rate'):,.0f}", f"{other}: {median(theirs, 'rate'):,.0f}", f"{ratio:.2f}",
                 f"{peaks[0]:,} against {peaks[1]:,}" if all(peaks) else ""])
    print(f"{what}: {ratio:.3f} of {other}", flush=True)
    return {"ratio": ratio, "rounds": [a["rate"] / b["rate"] for a, b in zip(ours, theirs)], "peak_mib": peaks}


def gleaner(name, threads):
    _, channels, side, batch = train_networks.NETWORKS[name]
    return Contender("gleaner step",
                     [PROGRAM, train_networks.graph(GRAPHS, name), channels, side, batch, threads, "fp32"], SURROUNDINGS)


def python(mode, name, threads, layout, *source):
    script = Path(__file__).with_name("train_python.py")
    return Contender(f"PyTorch {mode} {layout}", [sys.executable, script, mode, name, threads, layout, *source])


if __name__ == "__main__":
    main()
