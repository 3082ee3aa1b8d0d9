"""How fast a scan is, beside what bounds it and beside what Python does.

    python bench/mine.py [--rounds 5] [--threads N] [--only fashion|decode|NETWORK ...] [--jpegs LIST]

For Fashion-MNIST with the 28-pixel convnet, and for JPEG photographs with two ImageNet networks at 224 pixels:

    decode   the images alone, on all cores
    ready    ready tensors alone, in the sessions of a scan      plain   the same, one session with ONNX Runtime's defaults
    files    the scan, from files                                cache   the scan, from the pixel cache

The work-conserving limit of a scan from files is 1 / (1 / ready + 1 / decode): every core busy all the time.

What differs by a few hundredths takes many short turns, so that whatever else the machine does strikes all alike; beside
Python turns are longer, so that its workers are not measured while they wait for their first batch.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from harness import ROOT, Contender, alternate, keep, median, median_ratio

PROGRAM = ROOT / "target/release/examples/bench-mine"
GLEANER = ROOT / "target/release/gleaner"
DATA = ROOT / "bench/data"
FASHION = ROOT / "data/fashion-mnist"

# name: (list, graph, side, channels, images of a long turn)
SUBJECTS = {
    "fashion": (FASHION / "pool.txt", DATA / "graphs/convnet.onnx", 28, 1, 32_768),
    "mobilenet_v3_small": (None, DATA / "graphs/mobilenet_v3_small.onnx", 224, 3, 2_048),
    "efficientnet_lite0": (None, DATA / "graphs/efficientnet_lite0.onnx", 224, 3, 768),
}
# A long turn is so many short ones, and there are so many times as many rounds of the short ones.
SHORT, MANY = 2, 4


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--only", nargs="*", default=["decode", *SUBJECTS])
    parser.add_argument("--jpegs", default=str(DATA / "jpegs/list.txt"))
    options = parser.parse_args()
    convnet = SUBJECTS["fashion"][1]
    convnet.parent.mkdir(parents=True, exist_ok=True)
    if not convnet.exists():
        subprocess.run([GLEANER, "model", "new", "convnet", "--classes", "10", "--input", "1x28x28", "--seed", "1",
                        "-o", convnet], check=True)
    results, rows = {}, []
    for name in (name for name in ("decode", *SUBJECTS) if name in options.only):
        results[name] = decode(options, rows) if name == "decode" else scan(name, options, rows)
        # What is measured is kept, even if somebody ends this here.
        keep("mine", {"rounds": options.rounds, "threads": options.threads, **results},
             [["what", "images/s", "beside", "ratio"], *rows])


def warm(source):
    """Reads every file once, lest the first to come wait for the disk in place of the others."""
    folder = Path(source).resolve().parent
    for line in open(source):
        (folder / line.rsplit(" ", 1)[0]).read_bytes()


def decode(options, rows):
    """One thread of ours against one of Pillow's."""
    results = {}
    for name, count in (("fashion", 16_384), ("mobilenet_v3_small", 1_024)):
        warm(SUBJECTS[name][0] or options.jpegs)
        ours, pillow = turns(
            [gleaner("decode", name, options, threads=1), python("pillow", name, options)], options.rounds, count)
        what = "PNG 28 x 28" if name == "fashion" else "JPEG to 224 x 224"
        results[what] = compare(rows, f"decoding {what}, one thread", ours, "Pillow", pillow)
    return results


def scan(name, options, rows):
    count = SUBJECTS[name][4]
    warm(SUBJECTS[name][0] or options.jpegs)
    files = gleaner("files", name, options)
    batch = files.turn(count)["batch"]
    cache = gleaner("cache", name, options, batch)
    alone = [gleaner(mode, name, options, batch) for mode in ("decode", "ready", "plain")]
    decoding, ready, plain, files_short, cache_short = turns(
        [*alone, files, cache], options.rounds * MANY, count // SHORT, close=alone)
    others = [python(mode, name, options) for mode in ("workers", "dataloader")]
    files, cache, workers, loader = turns([files, cache, *others], options.rounds, count)
    # The limit of every round from the figures of that round.
    limit = [{"rate": 1 / (1 / a["rate"] + 1 / b["rate"])} for a, b in zip(ready, decoding)]
    result = {"batch": batch}
    for title, ours, other, theirs in (
        ("from files", files_short, "work-conserving limit", limit), ("from the cache", cache_short, "ready tensors", ready),
        ("from files", files, "Python, two workers", workers), ("from files", files, "DataLoader, two workers", loader),
        ("from the cache", cache, "Python, two workers", workers), ("ready tensors", ready, "one session, defaults", plain),
    ):
        result[f"{title} / {other}"] = compare(rows, f"{name}, {title}", ours, other, theirs)
    result["images/s"] = {key: median(answers, "rate") for key, answers in
                          (("decode", decoding), ("ready", ready), ("plain", plain), ("files", files_short),
                           ("cache", cache_short), ("workers", workers), ("dataloader", loader))}
    return result


def compare(rows, what, ours, other, theirs):
    ratio = median_ratio(ours, theirs, "rate")
    rows.append([what, f"{median(ours, 'rate'):,.0f}", f"{other}: {median(theirs, 'rate'):,.0f}", f"{ratio:.2f}"])
    print(f"{what}: {ratio:.3f} of {other}", flush=True)
    return {"ratio": ratio, "rounds": [a["rate"] / b["rate"] for a, b in zip(ours, theirs)]}


def turns(contenders, rounds, count, close=None):
    """Turns of `count` images each; then contenders are closed, all or those in `close`."""
    answers = alternate(contenders, rounds, request=count)
    for contender in contenders if close is None else close:
        contender.close()
    return [answers[contender.name] for contender in contenders]


def gleaner(mode, name, options, batch=None, threads=None):
    source, graph, side, channels, _ = SUBJECTS[name]
    source = source or Path(options.jpegs)
    threads = threads or options.threads
    folder = DATA / "mine" / name
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / f"{mode}.yaml"
    config.write_text(json.dumps({
        "pool": {"train": str(source), "validation": str(FASHION / "test.txt")},
        "pixels": {"size": [side, side], "channels": channels, "mean": [0.5] * channels, "std": [0.25] * channels,
                   **({"crop_fraction": 0.875} if side > 28 else {})},
        "model": {"start": str(graph)},
        # What the scan from files has found for itself holds for all.
        "score": {"threads": threads, "device": "cpu", "batch": batch or "auto"},
        "cache": {"folder": str(folder / "cache")},
        "state": {"folder": str(folder / "state")},
    }))
    if mode == "cache":
        shutil.rmtree(folder / "cache", ignore_errors=True)
    return Contender(f"gleaner {mode}", [PROGRAM, mode, config, source, graph, *([batch] if mode in ("ready", "plain") else [])])


def python(mode, name, options):
    source, graph, side, channels, _ = SUBJECTS[name]
    script = Path(__file__).with_name("mine_python.py")
    return Contender(f"python {mode}", [sys.executable, script, mode, source or options.jpegs, graph, side, channels])


if __name__ == "__main__":
    main()
