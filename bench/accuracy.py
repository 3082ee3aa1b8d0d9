"""What a policy buys: test accuracy at a given cost, arm beside arm, seed by seed.

    python bench/accuracy.py run   [--task fashion-convnet] [--arms A B ...] [--budgets 0.25 ...] [--conditions clean ...]
                                   [--seeds 11 12 ...] [--bars] [--price 0.17] [--workers 2] [--rate 0.1 0.2 ...]
    python bench/accuracy.py rates [the same]
    python bench/accuracy.py table [--seeds ...]

Tasks are those of bench/accuracy_tasks.py, arms and conditions those of bench/accuracy_arms.py. A run is one arm, budget,
condition and seed; its result is a file in bench/results/accuracy, or accuracy-TASK for other tasks than the main one, and
a run whose file is there is not repeated, so that an interrupted benchmark goes on. Budgets are shares of the cost of
ordinary training, so many passes over the pool as the task says. The main task, Fashion-MNIST with a small network, wants
`make data`; photos-efficientnet the images of bench/photos.py and the packages of bench/requirements-torch.txt.

Cost is counted in training visits. A scoring forward is charged at the price that is measured at the start, on this
machine, from a scan and a training pass in turn (or at `--price`); all scans are charged, validation is not, since all
arms validate alike. Every arm's learning rate decays to zero at its budget. Runs of one seed share the starting weights
and the wrong labels, so arms are compared in pairs: the table gives mean differences with 95% intervals by the bootstrap,
and says of each bar of bench/accuracy_bars.py whether it is met, task by task. `--bars` runs only what a bar needs.

With `--rate` learning rates are tried: such runs never see the test images, have files of their own, and stay out of the
table; `rates` prints what they came to on the validation images. A choice among them goes into the rates of the task.
"""

import argparse
import json
import random
import shutil
import statistics
import time
from concurrent.futures import ThreadPoolExecutor, as_completed

import accuracy_bars
import harness
from accuracy_arms import ARMS, CONDITIONS
from accuracy_bars import differences, interval
from accuracy_programs import WORK, by_class, checkpoint, gleaner_run, settings_of, write_list
from accuracy_scripts import Script
from accuracy_tasks import MAIN, TASKS

# Where the README's table shows every arm.
IN_FULL = ("clean", 0.25)
CHOOSING = ("scan_s", "cluster_s", "select_s")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["run", "rates", "table"])
    parser.add_argument("--task", choices=list(TASKS), default=MAIN, help="for `run` and `rates`; the table has all tasks")
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(ARMS))
    parser.add_argument("--budgets", nargs="+", type=float, help="for arms and conditions that have none of their own")
    parser.add_argument("--conditions", nargs="+", choices=list(CONDITIONS), default=list(CONDITIONS))
    parser.add_argument("--seeds", nargs="+", type=int, help="otherwise those of the task")
    parser.add_argument("--bars", action="store_true", help="only the runs that a bar needs")
    parser.add_argument("--price", type=float, help="of a scoring forward in training visits; measured if left out")
    parser.add_argument("--workers", type=int, default=1, help="runs side by side, on one core each if there are several")
    parser.add_argument("--rate", nargs="+", type=float, default=[None], help="learning rates to try on validation")
    parser.add_argument("--against", default="B", help="the arm that others are held against in the table")
    options = parser.parse_args()
    options.more = not options.seeds
    options.task = TASKS[options.task]
    {"run": run_all, "rates": rates, "table": table}[options.what](options)


def wanted(task, options):
    """Every run of a task that was asked for, seed by seed, so that an interrupted benchmark has whole pairs; what costs more
    than ordinary training comes last."""
    dear = lambda budget: budget > 1
    for last in (False, True):
        for seed in options.seeds or task.seeds:
            for condition in options.conditions:
                for arm in options.arms:
                    for budget in task.budgets_of(arm, condition, options.budgets):
                        needed = not options.bars or accuracy_bars.needs(task, arm, budget, condition)
                        if needed and dear(budget) == last:
                            yield arm, budget, condition, seed
    if options.more:
        for (arm, budget, condition), seeds in task.more.items():
            asked = arm in options.arms and condition in options.conditions
            if asked and budget in task.budgets_of(arm, condition, options.budgets):
                yield from ((arm, budget, condition, seed) for seed in seeds)


def result_file(task, arm, budget, condition, seed, rate=None):
    tried = "" if rate is None else f"-rate-{rate:g}"
    return task.results / condition / f"{arm}-{budget:g}-{seed}{tried}.json"


def run_all(options):
    task = options.task
    left = [(*one, rate) for one in wanted(task, options) for rate in options.rate
            if not result_file(task, *one, rate).exists()]
    print(f"{len(left)} runs", flush=True)
    if not left:
        return
    machine = machine_of(options.workers)
    price = measured_price(task, machine) if options.price is None else options.price
    print(f"one scoring forward costs {price:.3f} of a training visit here", flush=True)
    with ThreadPoolExecutor(options.workers) as workers:
        runs = [workers.submit(run_and_keep, task, one, price, rate, machine) for *one, rate in left]
        try:
            for done in as_completed(runs):
                print(done.result(), flush=True)
        except BaseException:
            workers.shutdown(cancel_futures=True)
            raise


def machine_of(workers):
    """The settings of runs side by side. A network so small gains little from a second core: two runs on one core each are
    done sooner than one after another."""
    return {"train.threads": 1, "score.threads": 1} if workers > 1 else {}


def run_and_keep(task, one, price, rate, machine):
    """A run, whose result is written; returns a line about it."""
    result = run(task, *one, price, rate, machine)
    path = result_file(task, *one, rate)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")
    arm, budget, condition, seed = one
    shown = f"rate {rate:g}, validation {result['best_accuracy']:.4f}" if rate is not None else (
        f"{result['accuracy']:.4f} (classes {result['class_mean']:.4f})")
    return (f"{condition} {arm} {budget:g} seed {seed}: {shown}, cost {result['cost_passes']:.3f} passes, "
            f"{result['wall_s']:.0f} s")


def measured_price(task, machine):
    """A scoring forward in training visits: the median of three times a training pass and a scan, one after the other."""
    folder = WORK / f"{task.name}-price"
    pool = folder.with_name(f"{folder.name}.txt")
    write_list(pool, random.Random(task.name).sample(task.images(), task.priced) if task.priced else task.images())
    prices = []
    for _ in range(3):
        status = gleaner_run(task, folder, 1, {"policy": "uniform", "plan.cost": 0.2, "mine.quota": 0.1, **machine}, pool)
        prices.append(status["totals"]["measured_forward"])
    shutil.rmtree(folder)
    pool.unlink()
    return statistics.median(prices)


def run(task, arm, budget, condition, seed, price, rate=None, machine=None):
    """One run and its result; with a `rate` to try, nothing looks at the test images."""
    folder = WORK / f"{task.name}-{condition}-{arm}-{budget:g}-{seed}{'' if rate is None else f'-rate-{rate:g}'}"
    pool = folder.with_name(f"{folder.name}.txt")
    rows = task.pool(condition, seed)
    write_list(pool, rows)
    size, passes = len(rows), budget * task.full
    settings = {"train.learning_rate": task.rate_of(arm, condition) if rate is None else rate, "plan.cost": passes,
                "plan.forward": round(price, 4), **(machine or {})}
    start = time.monotonic()
    if "script" in ARMS[arm]:
        script = Script(task, folder, seed, settings, pool, passes, price)
        ARMS[arm]["script"](script)
        status = script.status()
    else:
        settings |= ARMS[arm]["settings"](passes)
        status = gleaner_run(task, folder, seed, settings, pool)
    wall = time.monotonic() - start
    totals, best = status["totals"], status["outcome"]["best_epoch"]
    tested = {}
    if rate is None:
        arguments = settings_of(task, folder, seed, settings, pool)
        accuracy, right = by_class(arguments, checkpoint(folder, best), task.lists / "test.txt")
        tested = {"accuracy": accuracy, "class_mean": statistics.mean(right.values()), "by_class": right}
        for name in task.stated:
            tested[f"{name}_accuracy"], _ = by_class(arguments, checkpoint(folder, best), task.lists / f"{name}.txt")
    result = {
        "task": task.name, "arm": arm, "budget": budget, "condition": condition, "seed": seed, "settings": settings, "pool": size, **tested,
        "best_accuracy": status["outcome"]["best_accuracy"], "best_epoch": best,
        "cost_passes": totals["cost"] / size, "train_visits": totals["train_visits"],
        "scan_forwards": totals["scan_forwards"], "price": price, "epochs": totals["epochs"], "wall_s": wall,
        "seconds": {name: totals[name] for name in ("train_s", *CHOOSING)},
        "curve": [(epoch["cost_so_far"] / size, epoch["validation_accuracy"]) for epoch in status["epochs"]],
        "machine": harness.machine(),
    }
    shutil.rmtree(folder, ignore_errors=True)
    pool.unlink()
    return result


def rates(options):
    """What the learning rates that were tried came to on the validation images: the mean over the seeds that all have."""
    task = options.task
    cells = sorted({one[:3] for one in wanted(task, options)}, key=str)
    for arm, budget, condition in cells:
        tried = {}
        for seed in options.seeds or task.seeds:
            for path in result_file(task, arm, budget, condition, seed).parent.glob(f"{arm}-{budget:g}-{seed}-rate-*.json"):
                result = json.loads(path.read_text())
                tried.setdefault(result["settings"]["train.learning_rate"], {})[seed] = result["best_accuracy"]
        shared = set.intersection(*map(set, tried.values())) if tried else set()
        if shared:
            mean = lambda by_seed: 100 * statistics.mean(by_seed[seed] for seed in shared)
            means = {rate: mean(by_seed) for rate, by_seed in sorted(tried.items())}
            best = max(means, key=means.get)
            print(f"{condition} {arm} {budget:g}, {len(shared)} seeds: "
                  + ", ".join(f"{rate:g}: {mean:.2f}" for rate, mean in means.items()) + f"; best {best:g}")


def choosing_share(result):
    """The share of a run's wall time that scans, clustering and selection take."""
    return sum(result["seconds"][name] for name in CHOOSING) / result["wall_s"]


def training_speed(result):
    """Training visits a second: how fast the machine was, which tells which wall times can be held against each other."""
    return result["train_visits"] / result["seconds"]["train_s"]


def table(options):
    """All tasks below one another, and below the table the bars of each."""
    head = ["condition", "budget", "arm", "test accuracy, %", "classes' mean, %", f"less {options.against}, points",
             "95% interval", "seeds", "cost, passes", "wall time, s (median)",
             "choosing, % of wall time", "training, images/s (median)"]
    runs, every, short, bars, notes = 0, [head], [head], {}, []
    for task in TASKS.values():
        found = {one: json.loads(result_file(task, *one).read_text()) for one in wanted(task, options)
                 if result_file(task, *one).exists()}
        bars[task.name] = accuracy_bars.judged(task, found, choosing_share)
        notes += [f"Bars for {task.title}:", "", *(f"- {bar}" for bar in bars[task.name]), ""]
        if found:
            title = [f"**{task.title}**", *([""] * (len(head) - 1))]
            rows, some = section(task, found, options.against)
            runs, every, short = runs + len(found), [*every, title, *rows], [*short, title, *some]
    for row in every:
        print(" | ".join(row))
    # The README has the cells with a bar; all of them are in the results.
    harness.keep("accuracy", {"runs": runs, "table": every, "bars": bars}, short, notes)


def section(task, found, against):
    """The rows of a task, and those of them that the README shows."""
    cells = sorted({(condition, budget, arm) for arm, budget, condition, _ in found},
                   key=lambda cell: (cell[0], -cell[1], cell[2]))
    rows, short = [], []
    for condition, budget, arm in cells:
        ours = [result for one, result in found.items() if one[:3] == (arm, budget, condition)]
        less = differences(found, condition, (arm, budget), (against, budget))
        mean = lambda value: statistics.mean(value(result) for result in ours)
        low, high = interval(less)
        rows.append([
            condition, f"{budget:.3g}", f"{arm}: {ARMS[arm]['name']}", f"{100 * mean(lambda it: it['accuracy']):.2f}",
            f"{100 * mean(lambda it: it['class_mean']):.2f}",
            f"{statistics.mean(less):+.2f}" if less and arm != against else "",
            f"{low:+.2f} to {high:+.2f}" if len(less) > 1 and arm != against else "", str(len(ours)),
            f"{mean(lambda it: it['cost_passes']):.2f}", f"{statistics.median(it['wall_s'] for it in ours):.0f}",
            f"{100 * mean(choosing_share):.0f}", f"{statistics.median(map(training_speed, ours)):,.0f}",
        ])
        if accuracy_bars.needs(task, arm, budget, condition) or (condition, budget) == IN_FULL:
            short.append(rows[-1])
    return rows, short


if __name__ == "__main__":
    main()
