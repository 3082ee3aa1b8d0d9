"""Runs gleaner on Fashion-MNIST three times at the same cost and says which policy did best.

    python3 scripts/demo.py [--folder demo] [--epochs N]

`uniform` goes first: from its training and validation the price of a scoring forward, in training visits, is measured
on this machine, and `confidence` and `patent` are charged that price for their scans. Everything a run leaves (lists,
checkpoints, ledger, log) stands in FOLDER/POLICY, the results in FOLDER/summary.json.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

GLEANER = "target/release/gleaner"
CONFIG = "configs/fashion-mnist.yaml"
START = "models/fashion-mnist-start.onnx"
POLICIES = ["uniform", "confidence", "patent"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folder", default="demo", help="where the runs and summary.json go")
    parser.add_argument("--epochs", type=int, help="cut every run to so many epochs")
    options = parser.parse_args()
    folder = Path(options.folder)
    folder.mkdir(parents=True, exist_ok=True)
    call("model", "new", "convnet", "--classes", "10", "--input", "1x28x28", "--seed", "1", "-o", START)

    statuses, forward = {}, None
    for policy in POLICIES:
        statuses[policy] = run(folder / policy, policy, forward, options.epochs)
        if forward is None:
            forward = statuses[policy]["totals"]["measured_forward"]
            print(f"\nMeasured: one scoring forward costs {forward:.3f} of a training visit.", flush=True)

    summary = {policy: summarise(statuses[policy]) for policy in ("confidence", "uniform", "patent")}
    (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    print_summary(summary, folder, options.epochs is not None)


def run(folder, policy, forward, epochs):
    print(f"\n=== {policy} ===", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # Every run spends the whole plan: only then are the accuracies of the same cost.
    settings = [f"policy={policy}", "stop.accuracy=", "stop.patience=", f"model.start={START}", f"state.folder={folder}/state",
                f"lists.folder={folder}/lists", f"checkpoint.folder={folder}/watch"]
    if forward is not None:
        settings.append(f"plan.forward={forward:.4f}")
    if epochs is not None:
        settings.append(f"stop.epochs={epochs}")
    arguments = ["-c", CONFIG, *[part for setting in settings for part in ("--set", setting)]]
    log = folder / "log.txt"
    start = time.monotonic()
    with open(log, "w") as sink:
        code = subprocess.run([GLEANER, "run", *arguments], stderr=sink).returncode
    if code != 0:
        sys.stderr.write("".join(log.read_text().splitlines(keepends=True)[-20:]))
        sys.exit(f"demo: gleaner run ended with {code}; its log is {log}")
    wall = time.monotonic() - start
    status = json.loads(call("status", "--json", *arguments, capture=True))
    status["wall_s"] = wall
    print_epochs(status)
    return status


def call(*arguments, capture=False):
    done = subprocess.run([GLEANER, *arguments], stdout=subprocess.PIPE if capture else None, text=True)
    if done.returncode != 0:
        sys.exit(f"demo: gleaner {' '.join(arguments[:2])} ended with {done.returncode}")
    return done.stdout


def print_epochs(status):
    columns = ["epoch", "size", "initial", "uniform", "mined", "extra", "scanned", "found", "clusters"]
    print("  ".join(f"{name:>8}" for name in [*columns, "accuracy", "cost", "train s", "scan s", "cluster s", "select s"]))
    for epoch in status["epochs"]:
        cells = [str(epoch[name]) for name in columns]
        accuracy = epoch["validation_accuracy"]
        cells += ["-" if accuracy is None else f"{accuracy:.4f}", f"{epoch['cost_so_far']:.0f}"]
        cells += [f"{epoch[name]:.2f}" for name in ("train_s", "scan_s", "cluster_s", "select_s")]
        print("  ".join(f"{cell:>8}" for cell in cells))
    print(f"ended by {status['outcome']['reason']}", flush=True)


def summarise(status):
    totals = status["totals"]
    row = {name: totals[name] for name in ("epochs", "train_visits", "scan_forwards", "cost")}
    row["test_accuracy"] = status["outcome"]["test_accuracy"]
    row |= {name: round(totals[name], 3) for name in ("train_s", "scan_s", "cluster_s", "select_s")}
    row["wall_s"] = round(status["wall_s"], 3)
    return row


def print_summary(summary, folder, cut):
    names = list(next(iter(summary.values())))
    cost = "cut short, at different costs" if cut else "at the same cost, to within a hundredth"
    print(f"\n=== {cost} ===")
    print("  ".join(f"{name:>13}" for name in ["policy", *names]))
    for policy, row in summary.items():
        cells = [policy] + [f"{value:.4f}" if name == "test_accuracy" else f"{value:.6g}" for name, value in row.items()]
        print("  ".join(f"{cell:>13}" for cell in cells))
    best = max(summary, key=lambda policy: summary[policy]["test_accuracy"])
    points = {policy: 100 * (summary[best]["test_accuracy"] - row["test_accuracy"]) for policy, row in summary.items()}
    behind = ", ".join(f"{points[policy]:.2f} points above {policy}" for policy in summary if policy != best)
    print(f"\nBest test accuracy here: {best}, {behind} (one seed on {os.cpu_count()} cores; differences under 0.5 points "
          f"are within the spread of seeds).\nWritten: {folder / 'summary.json'}")


if __name__ == "__main__":
    main()
