"""Suspects of wrong labels: what a run of the default policy finds by the way, against cleanlab.

    python bench/suspects.py [--conditions noise-10 noise-20 pairs-20] [--seeds 11 12 13 14 15] [--epochs 6] [--price 0.17]
                             [--workers 2]

The conditions are those of bench/accuracy_arms.py: labels of Fashion-MNIST are made wrong by the seed, so it is known which
ones. Ours is the list `suspects.csv` that a run with policy `confidence` ends with, at half the cost of ordinary training.
cleanlab (Northcutt et al., "Confident Learning", 2021) gets probabilities for every image from the same network, trained in
five folds on the other four fifths of the images with the same recipe, for so many passes as `--epochs` says, and lists
what `find_label_issues` finds with its defaults.

Both lists are held against the truth: precision, recall, F1, the average precision of the list (what is not on it counts
as never found), and that of the whole pool ranked, by the mean probability of the label here and by cleanlab's label
quality there. Costs are in passes over the pool. The training of ours is done anyway, so what finding suspects takes is at
most the run's scans, at the price of a forward; the cost of the whole run stands beside it. cleanlab's is that of five
trainings and a forward for each image.

A result is a file in bench/results/suspects; what is there is not repeated, and a fold that is done is not trained again.
Results with other `--epochs`, or by the prototype's rule, have names of their own: the bars of bench/accuracy_bars.py do
not look at them.
"""

import argparse
import csv
import json
import shutil
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy
import onnxruntime
import pyarrow.parquet as parquet
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from PIL import Image
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedKFold

import accuracy
import accuracy_programs as programs
import harness
from accuracy_arms import ARMS, CONDITIONS
from accuracy_tasks import MAIN, TASKS

RESULTS = harness.RESULTS / "suspects"
WORK = harness.ROOT / "bench/data/suspects"
TASK = TASKS[MAIN]
BUDGET, FOLDS, EPOCHS = 0.5, 5, 6
FIGURES = ["precision", "recall", "f1", "average_precision", "average_precision_of_ranking"]
# The normalisation of the config.
MEAN, DEVIATION = 0.286, 0.353


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--conditions", nargs="+", default=["noise-10", "noise-20", "pairs-20"], choices=list(CONDITIONS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[11, 12, 13, 14, 15])
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="passes of cleanlab's network over its four fifths")
    parser.add_argument("--price", type=float, help="of a scoring forward in training visits; measured if left out")
    parser.add_argument("--workers", type=int, default=1, help="trainings side by side, on one core each if there are several")
    parser.add_argument("--from-samples", action="store_true",
                        help="take the rule of the prototype, on state/samples.parquet, instead of suspects.csv")
    options = parser.parse_args()
    left = [(condition, seed) for seed in options.seeds for condition in options.conditions
            if not result_file(condition, seed, options).exists()]
    print(f"{len(left)} runs", flush=True)
    options.machine = accuracy.machine_of(options.workers)
    if left and options.price is None:
        options.price = accuracy.measured_price(TASK, options.machine)
    for condition, seed in left:
        result = compare(condition, seed, options)
        RESULTS.mkdir(parents=True, exist_ok=True)
        result_file(condition, seed, options).write_text(json.dumps(result, indent=1) + "\n")
        for name in ("ours", "cleanlab"):
            print(f"{condition} seed {seed}, {name}: {result[name]}", flush=True)
    table(options)


def result_file(condition, seed, options):
    other = "" if options.epochs == EPOCHS else f"-{options.epochs}-epochs"
    return RESULTS / f"{condition}-{seed}{other}{'-by-rule' if options.from_samples else ''}.json"


def compare(condition, seed, options):
    clean, rows = TASK.images(), TASK.pool(condition, seed)
    truth = numpy.array([label != given for (_, label), (_, given) in zip(clean, rows, strict=True)])
    folder = WORK / f"{condition}-{seed}"
    pool = folder.with_name(f"{folder.name}.txt")
    programs.write_list(pool, rows)
    with ThreadPoolExecutor(options.workers) as workers:
        run = workers.submit(ours, folder / "ours", pool, condition, seed, rows, truth, options)
        theirs = cleanlabs(workers, folder, pool, condition, seed, rows, truth, options)
        result = {
            "condition": condition, "seed": seed, "pool": len(rows), "wrong": int(truth.sum()), "price": options.price,
            "epochs": options.epochs, "from_samples": options.from_samples, "ours": run.result(), "cleanlab": theirs,
            "machine": harness.machine(),
        }
    shutil.rmtree(folder)
    pool.unlink()
    return result


def judged(listed, truth, quality):
    """How good a list of suspects is (numbers of images, most certain first), and a ranking by quality, worst first."""
    hits = truth[listed]
    right = int(hits.sum())
    precision, recall = right / max(len(listed), 1), right / int(truth.sum())
    at_hits = numpy.cumsum(hits)[hits] / (numpy.flatnonzero(hits) + 1)
    return {
        "listed": len(listed), "precision": precision, "recall": recall,
        "f1": 2 * precision * recall / (precision + recall) if right else 0.0,
        "average_precision": float(at_hits.sum()) / int(truth.sum()),
        "average_precision_of_ranking": float(average_precision_score(truth, -quality)),
    }


def ours(folder, pool, condition, seed, rows, truth, options):
    """A run of the default policy, and the suspects that it ends with."""
    passes = BUDGET * TASK.full
    settings = {**ARMS["K"]["settings"](passes), "plan.cost": passes, "plan.forward": round(options.price, 4),
                "train.learning_rate": TASK.rate_of("K", condition), **options.machine}
    start = time.monotonic()
    totals = programs.gleaner_run(TASK, folder, seed, settings, pool)["totals"]
    seconds = time.monotonic() - start
    samples = parquet.read_table(folder / "state/samples.parquet", columns=["mean_p_label", "times_scored"]).to_pydict()
    mean = numpy.array(samples["mean_p_label"], dtype=float)
    listed = by_rule(mean, numpy.array(samples["times_scored"])) if options.from_samples else read_suspects(folder, rows)
    # An image that was never looked at is not suspected.
    found = judged(listed, truth, numpy.where(numpy.isfinite(mean), mean, 1.0))
    return {**found, "extra_passes": totals["scan_forwards"] * options.price / len(rows),
            "total_passes": totals["cost"] / len(rows), "seconds": seconds}


def read_suspects(folder, rows):
    path = folder / "lists/suspects.csv"
    if not path.exists():
        sys.exit(f"{path} is missing: this gleaner lists no suspects; build a newer one, or give --from-samples")
    places = {name: number for number, (name, _) in enumerate(rows)}
    with open(path, newline="") as lines:
        return numpy.array([places[row["path"]] for row in csv.DictReader(lines)], dtype=int)


def by_rule(mean, times):
    """The prototype's rule: a mean probability of the label below 0.05 over two looks or more."""
    suspects = numpy.flatnonzero((times >= 2) & (mean < 0.05))
    return suspects[numpy.argsort(mean[suspects], kind="stable")]


def cleanlabs(workers, folder, pool, condition, seed, rows, truth, options):
    """What cleanlab lists, from probabilities of networks that have not seen the image."""
    labels = numpy.array([label for _, label in rows])
    probabilities = numpy.zeros((len(rows), labels.max() + 1), dtype=numpy.float32)
    folds = list(StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(labels, labels))
    asked = [workers.submit(fold_of, number, folder, pool, condition, seed, rows, fold, options)
             for number, fold in enumerate(folds)]
    seconds, visits = 0.0, 0
    for number, ((others, held_out), fold) in enumerate(zip(folds, asked, strict=True)):
        probabilities[held_out], took = fold.result()
        seconds, visits = seconds + took, visits + options.epochs * len(others)
        print(f"{condition} seed {seed}, fold {number + 1} of {FOLDS}", flush=True)
    start = time.monotonic()
    listed = find_label_issues(labels, probabilities, return_indices_ranked_by="self_confidence")
    seconds += time.monotonic() - start
    found = judged(listed, truth, get_label_quality_scores(labels, probabilities))
    for kept in WORK.glob(f"{condition}-{seed}-{options.epochs}-fold-*.npy"):
        kept.unlink()
    return {**found, "passes": (visits + options.price * len(rows)) / len(rows), "seconds": seconds}


def fold_of(number, folder, pool, condition, seed, rows, fold, options):
    """The probabilities of a fold's images, from a network trained on the others, and the seconds that it took."""
    others, held_out = fold
    kept = WORK / f"{condition}-{seed}-{options.epochs}-fold-{number}.npy"
    start = time.monotonic()
    if not kept.exists():
        learnt = [rows[place] for place in others]
        model = trained(folder / f"fold-{number}", pool, condition, seed, learnt, options)
        numpy.save(kept, predicted(model, [rows[place] for place in held_out]))
    return numpy.load(kept), time.monotonic() - start


def trained(folder, pool, condition, seed, rows, options):
    """The checkpoint after so many passes over the rows, with the recipe of every other run."""
    programs.new_folder(TASK, folder, seed)
    settings = {"train.learning_rate": TASK.rate_of("B", condition), **options.machine}
    arguments = programs.settings_of(TASK, folder, seed, settings, pool)
    newest, size, epochs = folder / "start.onnx", len(rows), options.epochs
    with open(folder / "log.txt", "w") as log:
        for epoch in range(epochs):
            programs.train(folder, arguments, seed, epoch, newest, rows, [1] * size, epoch * size, epochs * size, log)
            newest = programs.checkpoint(folder, epoch)
    return newest


def predicted(model, rows, batch=256):
    """The probability of every class for each image, [images, classes]; `gleaner score` writes only that of the label."""
    one_thread = onnxruntime.SessionOptions()
    one_thread.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, one_thread, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    answers = []
    for first in range(0, len(rows), batch):
        pixels = numpy.stack([numpy.asarray(Image.open(path)) for path, _ in rows[first:first + batch]])
        logits, = session.run(None, {name: ((pixels[:, None] / 255 - MEAN) / DEVIATION).astype(numpy.float32)})
        exponentials = numpy.exp(logits - logits.max(axis=1, keepdims=True))
        answers.append(exponentials / exponentials.sum(axis=1, keepdims=True))
    return numpy.concatenate(answers)


def table(options):
    head = ["condition", "finder", "precision", "recall", "F1", "average precision, list", "average precision, ranking",
            "cost, passes", "with the training", "seeds"]
    rows, means = [head], {}
    for condition in options.conditions:
        results = [json.loads(result_file(condition, seed, options).read_text()) for seed in options.seeds
                   if result_file(condition, seed, options).exists()]
        for name, cost, total in (("ours", "extra_passes", "total_passes"), ("cleanlab", "passes", "passes")):
            if not results:
                continue
            mean = lambda key: statistics.mean(result[name][key] for result in results)
            figures = [mean(key) for key in FIGURES]
            means[f"{condition} {name}"] = figures
            rows.append([condition, "`suspects.csv`" if name == "ours" else name, *(f"{figure:.3f}" for figure in figures),
                         f"{mean(cost):.2f}", f"{mean(total):.2f}", str(len(results))])
    if means:
        harness.keep("suspects", {"epochs": options.epochs, "means": means, "table": rows}, rows)


if __name__ == "__main__":
    main()
