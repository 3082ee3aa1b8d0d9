"""Finds per forward: the scan that goes where finds are likely against one in random order.

    python3 bench/finds.py [--seeds 1 2 3] [--modes expand thin] [--gleaner target/release/gleaner]

Runs policy `patent` on Fashion-MNIST (`make data`) with the config of the demo, mine.quota 0.10, for twelve epochs, in
bench/data/finds. For each checkpoint of the epochs 3 to 10 it then takes from the ledger what the scan has cost and
found, and scores the whole pool with the same checkpoint: the share of wrong answers among the same candidates (all
images that are not in the list just trained on) is exactly what a scan in random order finds per forward on average. The
overall ratio is the forwards that random order would have taken for the same finds, divided by those that were taken.
"""

import argparse
import csv
import shutil
import sqlite3
import statistics
import subprocess
import sys

import pyarrow.parquet as parquet

import harness

CONFIG = "configs/fashion-mnist.yaml"
FOLDER = harness.ROOT / "bench" / "data" / "finds"
EPOCHS = range(3, 11)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--modes", nargs="+", default=["expand", "thin"], help="of cluster.mode")
    parser.add_argument("--gleaner", default="target/release/gleaner", help="the program, with its trainer beside it")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="other settings of the runs")
    options = parser.parse_args()
    call = lambda *words, **more: subprocess.run([options.gleaner, *map(str, words)], cwd=harness.ROOT, check=True, **more)
    runs = [run(call, mode, seed, options.set) for mode in options.modes for seed in options.seeds]
    table = [["`cluster.mode`", "seed", "wrong in the pool", "finds per forward", "times random order", "by epoch"]]
    for it in runs:
        by_epoch = ", ".join(f"{epoch['ratio']:.2f}" for epoch in it["epochs"])
        table.append([it["mode"], str(it["seed"]), f"{it['rate']:.3f}", f"{it['found_per_forward']:.3f}", f"**{it['ratio']:.2f}**", by_epoch])
    overall = {}
    for mode in options.modes:
        of_mode = [it for it in runs if it["mode"] == mode]
        overall[mode] = sum(it["random_forwards"] for it in of_mode) / sum(it["forwards"] for it in of_mode)
        table.append([mode, "all", f"{statistics.mean(it['rate'] for it in of_mode):.3f}", "", f"**{overall[mode]:.2f}**", ""])
    harness.keep("finds", {"bar": 2.0, "settings": options.set, "overall": overall, "runs": runs}, table)


def run(call, mode, seed, more):
    folder = FOLDER / f"{mode}-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    start = folder / "start.onnx"
    call("model", "new", "convnet", "--classes", "10", "--input", "1x28x28", "--seed", seed, "-o", start, stdout=subprocess.DEVNULL)
    settings = {
        "policy": "patent", "seed": seed, "model.start": start, "state.folder": folder / "state",
        "lists.folder": folder / "lists", "checkpoint.folder": folder / "watch", "cluster.mode": mode, "mine.quota": 0.10,
        # Enough work for twelve epochs of every mode.
        "plan.cost": 2.5, "stop.accuracy": "", "stop.patience": "", "stop.epochs": EPOCHS[-1] + 2,
    }
    settings = ["-c", CONFIG, *[word for key, value in settings.items() for word in ("--set", f"{key}={value}")]]
    settings += [word for setting in more for word in ("--set", setting)]
    print(f"=== {mode}, seed {seed} ===", flush=True)
    with open(folder / "log.txt", "w") as log:
        call("run", *settings, stderr=log, stdout=subprocess.DEVNULL)
    ledger = sqlite3.connect(f"file:{folder / 'state' / 'ledger.sqlite'}?mode=ro", uri=True)
    epochs = []
    for epoch in EPOCHS:
        row = ledger.execute("SELECT scanned, mined, scan_forwards FROM epochs WHERE epoch = ?", [epoch + 1]).fetchone()
        if row is None:
            sys.exit(f"{folder}: the run ended before it scanned with the checkpoint of epoch {epoch}; see its log.txt")
        scanned, found, forwards = row
        candidates, wrong = of_candidates(call, settings, folder, epoch)
        rate = wrong / candidates
        epochs.append({
            "epoch": epoch, "candidates": candidates, "wrong": wrong, "scanned": scanned, "found": found,
            "forwards": forwards, "random_forwards": found / rate, "ratio": found / forwards / rate,
        })
        print(f"epoch {epoch}: {found} finds in {forwards} forwards, {found / forwards:.3f}; random order {rate:.3f}; "
              f"{found / forwards / rate:.2f} times", flush=True)
    total = lambda key: sum(epoch[key] for epoch in epochs)
    result = {
        "mode": mode, "seed": seed, "ratio": total("random_forwards") / total("forwards"),
        "rate": total("wrong") / total("candidates"), "found_per_forward": total("found") / total("forwards"),
        "forwards": total("forwards"), "random_forwards": total("random_forwards"), "epochs": epochs,
    }
    print(f"overall {result['ratio']:.2f} times random order", flush=True)
    return result


def of_candidates(call, settings, folder, epoch):
    """How many images were not in the list of this epoch, and on how many of them its checkpoint is wrong."""
    with open(folder / "lists" / f"epoch-{epoch:04}.csv", newline="") as manifest:
        trained_on = {row["path"] for row in csv.DictReader(manifest)}
    scores = folder / "scores.parquet"
    pool = harness.ROOT / "data" / "fashion-mnist" / "pool.txt"
    checkpoint = folder / "watch" / f"epoch-{epoch:04}.onnx"
    call("score", *settings, "--checkpoint", checkpoint, "--list", pool, "-o", scores, stdout=subprocess.DEVNULL,
         stderr=subprocess.DEVNULL)
    columns = parquet.read_table(scores, columns=["path", "label", "predicted"]).to_pydict()
    rest = [(label, predicted) for path, label, predicted in zip(columns["path"], columns["label"], columns["predicted"])
            if path not in trained_on]
    if len(rest) + len(trained_on) != len(columns["path"]):
        sys.exit(f"{folder}: the list of epoch {epoch} names images that the pool does not have")
    return len(rest), sum(label != predicted for label, predicted in rest)


if __name__ == "__main__":
    main()
