"""Ten million images: loading the pool, choosing a tenth of it, and publishing the lists; `make bench-pool` runs it.

Four contenders, each turn of each in a process of its own, whose peak memory the operating system reports:

- `gleaner mine`, the real program, with the policy `uniform`: it opens a run that has an epoch behind it, validates a
  checkpoint on real images, and publishes the next list. The images of the pool are not there: nothing opens them.
- `bench-pool` (bench/pool.rs): the service's functions for an epoch of `confidence`, with a scan that is made up.
- what a person would script with pyarrow, polars or pandas: read the list, draw a tenth of it, write it. No weights, no
  record of what is known of each image, no check for bad lines and duplicates, nothing flushed to the disk.

`--images` makes the pool smaller; the bars are for ten million.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from harness import ROOT, Contender, alternate, keep, median  # noqa: E402

IMAGES = 10_000_000
CLASSES = 1000
SEED = 7
PROGRAM = ROOT / "target/release/gleaner"
EXAMPLE = ROOT / "target/release/examples/bench-pool"
VALIDATION = ROOT / "data/fashion-mnist/validation.txt"
SCRIPTS = ("pyarrow", "polars", "pandas")
BARS = {"load_s": 10, "publish_s": 15, "peak_mib": 1.2 * 1024}


def make_list(path, images):
    """A list with the paths of a large collection: 40 characters each, in a folder a class."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with open(part, "w", buffering=1 << 20) as file:
        for label in range(CLASSES):
            name = f"n{1440764 + 7919 * label % 13_000_000:08d}"
            first, end = images * label // CLASSES, images * (label + 1) // CLASSES
            file.write("".join(f"images/{name}/{name}_{number:08d}.JPEG {label}\n" for number in range(end - first)))
    part.rename(path)


def measured(command, folder=None):
    """Runs a command to its end: its output; its seconds, those of all cores together, and its peak memory in MiB."""
    start = time.perf_counter()
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, cwd=folder, env={**os.environ, "RUST_LOG": "info", "NO_COLOR": "1"})
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status != 0:
        sys.exit(f"{' '.join(map(str, command))} ended with {os.waitstatus_to_exitcode(status)}:\n{said}")
    return said, {"seconds": seconds, "cpu_s": usage.ru_utime + usage.ru_stime, "peak_mib": usage.ru_maxrss / 1024}


def number(key, said):
    """The last value of a key in the program's log."""
    return float(re.findall(rf"\b{key}=([0-9.]+)", said)[-1])


class Gleaner:
    """A run of the real program, one epoch a turn."""

    def __init__(self, list_path, folder):
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "watch").mkdir(parents=True)
        (folder / "config.yaml").write_text(
            f"policy: uniform\npool: {{train: {list_path}, validation: {VALIDATION}}}\n"
            "pixels: {size: [28, 28], channels: 1}\nmodel: {start: start.onnx}\ntrainer: none\n"
            "initial: {fraction: 0.1}\nmine: {quota: 0.1}\n"
        )
        measured([PROGRAM, "model", "new", "convnet", "--classes", CLASSES, "--input", "1x28x28", "-o", "start.onnx"],
                 folder)
        self.epoch = 0

    def turn(self):
        checkpoint = self.folder / f"watch/epoch-{self.epoch:04}.onnx"
        shutil.copy(self.folder / "start.onnx", checkpoint)
        said, taken = measured([PROGRAM, "mine", "-c", "config.yaml", "--checkpoint", checkpoint], self.folder)
        self.epoch += 1
        opened = next(line for line in said.splitlines() if "the run is open" in line)
        # Lists are kept for ever; here they would fill the disk.
        for old in (self.folder / "lists").glob(f"epoch-{self.epoch - 1:04}.*"):
            old.unlink()
        return {
            **taken, "load_s": number("seconds", opened),
            "publish_s": number("select_s", said) + number("publish_s", said),
        }


class Confidence:
    """The service's functions for an epoch of `confidence`."""

    def __init__(self, list_path, folder, choices):
        shutil.rmtree(folder, ignore_errors=True)
        self.command = [EXAMPLE, list_path, folder, choices]
        self.folder = folder

    def turn(self):
        said, taken = measured(self.command)
        lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
        stages = {line["stage"]: line for line in lines if "stage" in line}
        lists = sorted((self.folder / "lists").glob("epoch-*.txt"))
        for old in lists[:-1]:
            old.unlink()
            old.with_suffix(".csv").unlink()
        return {
            **taken, "load_s": stages["load"]["seconds"],
            "publish_s": sum(stages[stage]["seconds"] for stage in ("order", "select", "publish")), "stages": stages, **lines[-1],
        }


class Script:
    """A script of a person's."""

    def __init__(self, library, list_path, folder, choices):
        folder.mkdir(parents=True, exist_ok=True)
        self.command = [sys.executable, __file__, "script", library, list_path, folder / f"{library}.txt", choices]

    def turn(self):
        said, taken = measured(self.command)
        return {**taken, **json.loads(said.splitlines()[-1])}


def script(library, list_path, out, choices):
    """Reads a list, draws from it, writes the subset in random order; prints what it took."""
    if library == "pyarrow":
        import numpy
        from pyarrow import csv
        start = time.perf_counter()
        table = csv.read_csv(list_path, csv.ReadOptions(column_names=["path", "label"]), csv.ParseOptions(delimiter=" "))
        loaded = time.perf_counter()
        chosen = numpy.random.default_rng(SEED).choice(len(table), choices, replace=False)
        options = csv.WriteOptions(include_header=False, delimiter=" ", quoting_style="none")
        csv.write_csv(table.take(chosen), out, options)
    elif library == "polars":
        import polars
        start = time.perf_counter()
        table = polars.read_csv(list_path, separator=" ", has_header=False, new_columns=["path", "label"])
        loaded = time.perf_counter()
        table.sample(choices, shuffle=True, seed=SEED).write_csv(out, separator=" ", include_header=False)
    else:
        import pandas
        start = time.perf_counter()
        table = pandas.read_csv(list_path, sep=" ", header=None, names=["path", "label"])
        loaded = time.perf_counter()
        table.sample(choices, random_state=SEED).to_csv(out, sep=" ", header=False, index=False)
    end = time.perf_counter()
    print(json.dumps({"seconds": end - start, "load_s": loaded - start, "publish_s": end - loaded}))


def contender(name, list_path, folder, choices):
    """Answers turns; see harness.py."""
    if name == "gleaner mine":
        work = Gleaner(list_path, folder / "uniform")
        work.turn()
    elif name == "bench-pool":
        work = Confidence(list_path, folder / "confidence", choices)
        work.turn()
    else:
        work = Script(name, list_path, folder / "scripts", choices)
    print("ready", flush=True)
    for _ in sys.stdin:
        print(json.dumps(work.turn()), flush=True)


def table(medians):
    """The rows for the README."""
    names = {"gleaner mine": "`gleaner mine`, uniform (real program)", "bench-pool": "an epoch of `confidence`, scan made up"}
    rows = [["10,000,000 lines, 1,000,000 chosen", "load, s", "select and publish, s", "peak memory, MiB", "core seconds in all"]]
    for name, value in medians.items():
        label = names.get(name, f"a script with {name}: read, sample, write")
        rows.append([label, *(f"{value[key]:.{digits}f}" for key, digits in
                              [("load_s", 2), ("publish_s", 2), ("peak_mib", 0), ("cpu_s", 1)])])
    rows.append(["bar", "10", "15", f"{BARS['peak_mib']:.0f}", ""])
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    folder = ROOT / "bench/data/pool"
    list_path = folder / f"list-{arguments.images}.txt"
    make_list(list_path, arguments.images)
    choices = arguments.images // 10
    contenders = []
    try:
        for name in ("gleaner mine", "bench-pool", *SCRIPTS):
            command = [sys.executable, __file__, "contender", name, list_path, folder, choices]
            contenders.append(Contender(name, command))
        answers = alternate(contenders, arguments.rounds, warm_up=0)
    finally:
        for one in contenders:
            one.close()
    kept = (*BARS, "cpu_s")
    medians = {name: {key: median(turns, key) for key in kept} for name, turns in answers.items()}
    ratios = {
        name: {key: medians["gleaner mine"][key] / medians[name][key] for key in kept} for name in SCRIPTS
    }
    for name, ratio in ratios.items():
        print(f"gleaner mine / {name}: " + ", ".join(f"{key} {value:.2f}" for key, value in ratio.items()))
    missed = [f"{name}: {key} {value[key]:.1f} > {bar:.1f}" for name, value in medians.items() if name not in SCRIPTS
              for key, bar in BARS.items() if value[key] > bar]
    if arguments.images == IMAGES:
        keep("pool", {"images": arguments.images, "choices": choices, "bars": BARS, "medians": medians,
                      "ratios": ratios, "missed": missed, "turns": answers}, table(medians))
    print("missed: " + "; ".join(missed) if missed else "every bar is met")


if __name__ == "__main__":
    if sys.argv[1:2] == ["script"]:
        script(sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]))
    elif sys.argv[1:2] == ["contender"]:
        contender(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]), int(sys.argv[5]))
    else:
        main()
