"""gleaner's programs as the accuracy benchmarks call them: paths, settings, single calls.

bench/accuracy.py runs arms with them, bench/accuracy_scripts.py drives the trainer by hand, bench/suspects.py both. What is
learnt is a `task` of bench/accuracy_tasks.py.
"""

import json
import shutil
import statistics
import subprocess
import sys

import pyarrow.parquet as parquet

import harness

GLEANER = harness.ROOT / "target/release/gleaner"
TRAINER = harness.ROOT / "target/release/gleaner-trainer"
# Runs leave nothing here but decoded images.
WORK = harness.ROOT / "bench/data/accuracy"


def read_list(path):
    """The (absolute path, label) of each `path label` line; relative paths start at the list's folder."""
    rows = (line.rsplit(" ", 1) for line in open(path))
    return [(str(path.parent / name), int(label)) for name, label in rows]


def write_list(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{name} {label}\n" for name, label in rows))


def settings_of(task, folder, seed, settings, pool):
    """The `--config FILE` and `--set KEY=VALUE` words of a run in a folder of its own."""
    everything = {
        "seed": seed, "pool.train": pool, "pool.validation": folder / "validation.txt",
        "model.start": folder / "start.onnx", "state.folder": folder / "state",
        "lists.folder": folder / "lists", "checkpoint.folder": folder / "watch", "cache.folder": WORK / "cache",
        # Only the benchmark looks at the test images, once a run.
        "pool.test": "",
        # Every run spends its whole budget.
        "stop.accuracy": "", "stop.patience": "", "stop.epochs": "", **task.settings, **settings,
    }
    return ["--config", task.config, *(word for key, value in everything.items() for word in ("--set", f"{key}={value}"))]


def new_folder(task, folder, seed):
    """An empty folder with the starting weights of a seed, and the validation images."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    task.start(task.classes, seed, folder / "start.onnx")
    task.write_validation(folder / "validation.txt")


def gleaner_run(task, folder, seed, settings, pool):
    """`gleaner run` from its start to its end; returns what `gleaner status --json` says then."""
    new_folder(task, folder, seed)
    arguments = settings_of(task, folder, seed, settings, pool)
    with open(folder / "log.txt", "w") as log:
        call(GLEANER, "run", *arguments, stderr=log)
    return json.loads(call(GLEANER, "status", "--json", *arguments))


def checkpoint(folder, epoch):
    return folder / "watch" / f"epoch-{epoch:04}.onnx"


def score(arguments, model, rows, columns):
    """Scores a list file with a checkpoint; returns the columns that were asked for, in the list's order."""
    out = model.with_suffix(".scored.parquet")
    call(GLEANER, "score", *arguments, "--checkpoint", model, "--list", rows, "-o", out,
         stderr=subprocess.DEVNULL)
    found = parquet.read_table(out, columns=list(columns)).to_pydict()
    out.unlink()
    return [found[name] for name in columns]


def by_class(arguments, model, rows):
    """The accuracy of a checkpoint on a list file, and that of each class."""
    right = {}
    for label, predicted in zip(*score(arguments, model, rows, ("label", "predicted"))):
        right.setdefault(label, []).append(label == predicted)
    accuracy = statistics.mean(answer for answers in right.values() for answer in answers)
    return accuracy, {label: statistics.mean(answers) for label, answers in sorted(right.items())}


def train(folder, arguments, seed, epoch, start, rows, weights, done, planned, log):
    """A training step over (path, label) rows; returns the loss of each as it was trained on, None for the unreadable.

    The learning rate is that of `done` of `planned` at its beginning, and moves on with every image.
    """
    manifest, out = folder / "manifest.csv", checkpoint(folder, epoch)
    out.parent.mkdir(exist_ok=True)
    with open(manifest, "w") as lines:
        lines.write("order,path,label,stratum,cluster,predicted,confidence,margin,weight\n")
        for order, ((path, label), weight) in enumerate(zip(rows, weights, strict=True)):
            lines.write(f"{order},{path},{label},uniform,,,,,{weight}\n")
    call(TRAINER, "step", *arguments, "--manifest", manifest, "--checkpoint-in", start,
         "--checkpoint-out", out, "--epoch", epoch, "--seed", seed, "--work-done", done, "--work-planned", planned,
         stderr=log)
    return parquet.read_table(out.with_suffix(".scores.parquet"), columns=["loss"])["loss"].to_pylist()


def call(*words, stderr=None):
    done = subprocess.run([str(word) for word in words], cwd=harness.ROOT, stdout=subprocess.PIPE, stderr=stderr, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, words))} ended with {done.returncode}")
    return done.stdout
