"""What a policy buys: test accuracy at a given cost, arm beside arm, seed by seed.

    python bench/accuracy.py run   [--arms A B ...] [--budgets 0.25 ...] [--conditions clean ...] [--seeds 11 12 ...]
    python bench/accuracy.py table [--seeds ...]

Arms and conditions are those of bench/accuracy_arms.py. A run is one arm, budget, condition and seed on Fashion-MNIST
(`make data`); its result is a file in bench/results/accuracy, and a run whose file is there is not repeated, so that an
interrupted benchmark goes on. Budgets are shares of the cost of FULL passes over the pool.

Cost is counted in training visits. A scoring forward is charged at the price that is measured at the start, on this
machine, from a scan and a training pass in turn; all scans are charged, validation is not, since all arms validate after
every epoch alike. Every arm's learning rate decays to zero at its budget. Runs of one seed share the starting weights and
the wrong labels, so arms are compared in pairs: the table gives mean differences with 95% intervals by the bootstrap.
"""

import argparse
import json
import random
import shutil
import statistics
import subprocess
import sys
import time

import pyarrow.parquet as parquet

import harness
from accuracy_arms import ARMS, CONDITIONS, FULL

GLEANER = harness.ROOT / "target/release/gleaner"
CONFIG = harness.ROOT / "configs/fashion-mnist.yaml"
FASHION = harness.ROOT / "data/fashion-mnist"
WORK = harness.ROOT / "bench/data/accuracy"
RESULTS = harness.RESULTS / "accuracy"
# Draws of the bootstrap.
DRAWS = 10_000


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["run", "table"])
    parser.add_argument("--arms", nargs="+", default=list(ARMS))
    parser.add_argument("--budgets", nargs="+", type=float, default=[0.083, 0.25, 0.4, 0.5])
    parser.add_argument("--conditions", nargs="+", default=list(CONDITIONS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[11, 12, 13, 14, 15])
    parser.add_argument("--against", default="B", help="the arm that others are held against in the table")
    options = parser.parse_args()
    (run_all if options.what == "run" else table)(options)


def wanted(options):
    """Every run that was asked for, seed by seed, so that an interrupted benchmark has whole pairs."""
    for seed in options.seeds:
        for condition in options.conditions:
            for arm in options.arms:
                for budget in ARMS[arm].get("budgets", options.budgets):
                    yield arm, budget, condition, seed


def result_file(arm, budget, condition, seed):
    return RESULTS / condition / f"{arm}-{budget:g}-{seed}.json"


def run_all(options):
    left = [one for one in wanted(options) if not result_file(*one).exists()]
    print(f"{len(left)} runs", flush=True)
    if not left:
        return
    price = measured_price()
    print(f"one scoring forward costs {price:.3f} of a training visit here", flush=True)
    for arm, budget, condition, seed in left:
        result = run(arm, budget, condition, seed, price)
        path = result_file(arm, budget, condition, seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(result, indent=1) + "\n")
        print(f"{condition} {arm} {budget:g} seed {seed}: {result['accuracy']:.4f} (classes {result['class_mean']:.4f}), "
              f"cost {result['cost_passes']:.3f} passes, {result['wall_s']:.0f} s", flush=True)


def measured_price():
    """A scoring forward in training visits: the median of three times a training pass and a scan, one after the other."""
    folder = WORK / "price"
    prices = []
    for _ in range(3):
        status = gleaner_run(folder, 1, {"policy": "uniform", "plan.cost": 0.2, "mine.quota": 0.1},
                             FASHION / "pool.txt")
        prices.append(status["totals"]["measured_forward"])
    return statistics.median(prices)


def run(arm, budget, condition, seed, price):
    folder = WORK / f"{condition}-{arm}-{budget:g}-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    pool = folder.with_suffix(".txt")
    pool.write_text("".join(f"{path} {label}\n" for path, label in CONDITIONS[condition](images(), random.Random(seed))))
    size = sum(1 for _ in open(pool))
    passes = budget * FULL
    settings = {**ARMS[arm]["settings"](passes), "plan.cost": passes, "plan.forward": round(price, 4)}
    start = time.monotonic()
    status = gleaner_run(folder, seed, settings, pool)
    wall = time.monotonic() - start
    best = status["outcome"]["best_epoch"]
    right = by_class(folder, settings_of(folder, seed, settings, pool), best)
    totals = status["totals"]
    result = {
        "arm": arm, "budget": budget, "condition": condition, "seed": seed, "settings": settings, "pool": size,
        "accuracy": status["outcome"]["test_accuracy"], "best_accuracy": status["outcome"]["best_accuracy"],
        "class_mean": statistics.mean(right.values()), "by_class": right,
        "cost_passes": totals["cost"] / size, "train_visits": totals["train_visits"], "scan_forwards": totals["scan_forwards"],
        "price": price, "epochs": totals["epochs"], "wall_s": wall,
        "seconds": {name: totals[name] for name in ("train_s", "scan_s", "cluster_s", "select_s")},
        "curve": [(epoch["cost_so_far"] / size, epoch["validation_accuracy"]) for epoch in status["epochs"]],
        "machine": harness.machine(),
    }
    shutil.rmtree(folder, ignore_errors=True)
    pool.unlink()
    return result


def images():
    """The pool as it is: (absolute path, label) of each image."""
    rows = []
    for line in open(FASHION / "pool.txt"):
        path, label = line.rsplit(" ", 1)
        rows.append((str(FASHION / path), int(label)))
    return rows


def settings_of(folder, seed, settings, pool):
    everything = {
        "seed": seed, "pool.train": pool, "model.start": folder / "start.onnx", "state.folder": folder / "state",
        "lists.folder": folder / "lists", "checkpoint.folder": folder / "watch", "cache.folder": WORK / "cache",
        # Every run spends its whole budget.
        "stop.accuracy": "", "stop.patience": "", "stop.epochs": "", **settings,
    }
    return ["-c", CONFIG, *[word for key, value in everything.items() for word in ("--set", f"{key}={value}")]]


def gleaner_run(folder, seed, settings, pool):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    call("model", "new", "convnet", "--classes", 10, "--input", "1x28x28", "--seed", seed, "-o", folder / "start.onnx")
    arguments = settings_of(folder, seed, settings, pool)
    with open(folder / "log.txt", "w") as log:
        call("run", *arguments, stderr=log)
    return json.loads(call("status", "--json", *arguments))


def by_class(folder, arguments, epoch):
    """The share of each class's test images that the checkpoint of an epoch gets right."""
    scores = folder / "test.parquet"
    call("score", *arguments, "--checkpoint", folder / "watch" / f"epoch-{epoch:04}.onnx", "--list", FASHION / "test.txt",
         "-o", scores, stderr=subprocess.DEVNULL)
    rows = parquet.read_table(scores, columns=["label", "predicted"]).to_pydict()
    right = {}
    for label, predicted in zip(rows["label"], rows["predicted"]):
        right.setdefault(label, []).append(label == predicted)
    return {label: statistics.mean(answers) for label, answers in sorted(right.items())}


def call(*words, stderr=None):
    done = subprocess.run([str(word) for word in (GLEANER, *words)], cwd=harness.ROOT, stdout=subprocess.PIPE, stderr=stderr,
                          text=True)
    if done.returncode != 0:
        sys.exit(f"gleaner {' '.join(map(str, words))} ended with {done.returncode}")
    return done.stdout


def table(options):
    found = {}
    for one in wanted(options):
        if result_file(*one).exists():
            found[one] = json.loads(result_file(*one).read_text())
    rows = [["condition", "budget", "arm", "test accuracy, %", "classes' mean, %", f"less {options.against}, points",
             "95% interval", "seeds", "cost, passes", "choosing, % of wall time"]]
    cells = sorted({(condition, budget, arm) for arm, budget, condition, _ in found}, key=lambda cell: (cell[0], -cell[1], cell[2]))
    for condition, budget, arm in cells:
        of = lambda name: {seed: result for (a, b, c, seed), result in found.items() if (a, b, c) == (name, budget, condition)}
        ours, theirs = of(arm), of(options.against)
        differences = [100 * (ours[seed]["accuracy"] - theirs[seed]["accuracy"]) for seed in sorted(ours.keys() & theirs.keys())]
        mean = lambda value: statistics.mean(value(result) for result in ours.values())
        low, high = interval(differences)
        choosing = lambda it: sum(it["seconds"][name] for name in ("scan_s", "cluster_s", "select_s")) / it["wall_s"]
        rows.append([
            condition, f"{budget:g}", f"{arm}: {ARMS[arm]['name']}", f"{100 * mean(lambda it: it['accuracy']):.2f}",
            f"{100 * mean(lambda it: it['class_mean']):.2f}", f"{statistics.mean(differences):+.2f}" if differences else "",
            f"{low:+.2f} to {high:+.2f}" if len(differences) > 1 else "", str(len(ours)),
            f"{mean(lambda it: it['cost_passes']):.2f}", f"{100 * mean(choosing):.0f}",
        ])
    harness.keep("accuracy", {"runs": len(found), "table": rows}, rows)


def interval(differences):
    """The 95% bootstrap interval of the mean of paired differences (Efron, 1979), by percentiles."""
    if len(differences) < 2:
        return float("nan"), float("nan")
    draws = random.Random(1)
    means = sorted(statistics.mean(draws.choices(differences, k=len(differences))) for _ in range(DRAWS))
    return means[int(0.025 * DRAWS)], means[int(0.975 * DRAWS)]


if __name__ == "__main__":
    main()
