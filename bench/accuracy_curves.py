"""Draws what bench/accuracy.py measured: accuracy against cost, one picture for each task and condition.

    python bench/accuracy_curves.py [--conditions clean ...] [--seeds 11 12 ...] [--arms B D K ...]

bench/results/accuracy-CONDITION.svg, or accuracy-TASK-CONDITION.svg beside the main task, has two panels. Left: test
accuracy at the end of a run against what the run has cost, the mean over the seeds with its 95% interval by the bootstrap.
Right: validation accuracy along the runs of one budget, the mean over the seeds at 20 equal costs, each seed with its last
checkpoint before that cost. The arms of the patent are so far below the others that they would press these together: they
fix no scale, and the legend says where they ended. bench/results/accuracy-patent.svg shows why: every epoch of single runs.

The colours are those that Okabe and Ito chose to be told apart by colour-blind people; marks and dashes differ as well.
"""

import argparse
import json
import statistics

import matplotlib
import numpy
from matplotlib.figure import Figure

import harness
from accuracy import result_file
from accuracy_arms import ARMS, CONDITIONS, SEEDS
from accuracy_bars import interval
from accuracy_tasks import MAIN, TASKS

# The arms that a picture shows unless others are asked for: more than these cannot be told apart.
SHOWN = ["A", "B", "D", "E", "F", "Gt", "K", "A30"]
LOOK = {  # colour, mark, dashes
    "K": ("#D55E00", "o", "-"), "A": ("#000000", "*", ""), "A30": ("#666666", "X", ""), "B": ("#0072B2", "s", "-"),
    "D": ("#56B4E9", "D", "--"), "E": ("#009E73", "^", "-."), "F": ("#CC79A7", "v", ":"), "Gt": ("#E69F00", "P", "--"),
}
SPARE = [("#332288", "<", "-"), ("#88CCEE", ">", "--"), ("#882255", "h", "-."), ("#117733", "p", ":"), ("#999933", "d", "-")]
# Arms that fix no scale.
FAR_BELOW = ("Gt", "Ge")
# Where curves of single runs are read off, along their budget; the first seventh of a run is off the scale.
POINTS, FROM = 20, 0.15
# Whose epochs the picture of the patent shows.
FORGETFUL = ["Gt", "Ge", "D", "K"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--conditions", nargs="+", choices=list(CONDITIONS), default=list(CONDITIONS))
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=SHOWN)
    # Text stays text, and the same results give the same file.
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "gleaner", "font.size": 10,
                                "axes.spines.top": False, "axes.spines.right": False})
    parser.add_argument("--along", type=float, default=0.25, help="the budget whose runs are drawn step by step")
    options = parser.parse_args()
    for task in TASKS.values():
        for condition in options.conditions:
            found = results(task, condition, options)
            if found:
                draw(task, condition, found, options)
    draw_epochs(TASKS[MAIN], options)


def results(task, condition, options):
    """By arm and budget the results of all seeds that are there."""
    found = {}
    for arm in options.arms:
        for budget in task.budgets_of(arm, condition):
            paths = [result_file(task, arm, budget, condition, seed) for seed in options.seeds]
            there = [json.loads(path.read_text()) for path in paths if path.exists()]
            if there:
                found.setdefault(arm, {})[budget] = there
    return found


def looks(arms):
    """A colour, a mark and dashes for each arm."""
    spare = iter(SPARE * len(ARMS))
    return {arm: LOOK.get(arm) or next(spare) for arm in arms}


def draw(task, condition, found, options):
    budgets = {budget for cells in found.values() for budget in cells}
    along = options.along if options.along in budgets else min(budgets, key=lambda budget: abs(budget - options.along))
    figure = Figure(figsize=(11, 4.8), layout="constrained")
    ends, curves = figure.subplots(1, 2)
    look = looks(found)
    for arm in sorted(found, key=lambda arm: arm == "K"):
        against_budget(ends, arm, found[arm], look[arm])
        if along in found[arm]:
            along_the_run(curves, arm, found[arm][along], look[arm])
    seeds = len({result["seed"] for cells in found.values() for there in cells.values() for result in there})
    ends.set(title=f"At the end of a run ({seeds} seeds, 95% intervals)", xlabel="cost of the run, passes over the pool",
             ylabel="test accuracy, %")
    curves.set(title=f"Along runs of {along * task.full:.3g} passes", xlabel="cost so far, passes over the pool",
               ylabel="validation accuracy, %")
    for axes in (ends, curves):
        grid(axes)
        fit(axes)
    ends.set_xscale("log")
    costs = sorted(budgets)
    # Budgets that stand close together have their labels apart.
    ends.set_xticks([budget * task.full for budget in costs], [f"{budget * task.full:.2g}" for budget in costs])
    ends.minorticks_off()
    handles, names = ends.get_legend_handles_labels()
    figure.legend(handles[::-1], names[::-1], loc="outside lower center", ncols=4, frameon=False)
    figure.suptitle(f"{task.title}, {CONDITIONS[condition]['name']}")
    save(figure, f"{task.key}-{condition}")


def grid(axes):
    axes.grid(color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)


def save(figure, name):
    path = harness.RESULTS / f"{name}.svg"
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    print(path, flush=True)


def draw_epochs(task, options):
    """Every epoch of single runs of the arms that choose small subsets, with the seed that comes first."""
    paths = {arm: result_file(task, arm, options.along, "clean", options.seeds[0]) for arm in FORGETFUL}
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axes = figure.subplots()
    for arm, path in paths.items():
        if path.exists():
            colour, mark, dashes = looks(FORGETFUL)[arm]
            costs, accuracies = zip(*json.loads(path.read_text())["curve"])
            axes.plot(costs, [100 * accuracy for accuracy in accuracies], color=colour, marker=mark, linestyle=dashes,
                      markersize=4, linewidth=1.4, label=f"{arm}: {ARMS[arm]['name']}")
    if axes.get_lines():
        grid(axes)
        axes.set(title=f"{task.title}: each epoch of one run", xlabel="cost so far, passes over the pool",
                 ylabel="validation accuracy, %")
        figure.legend(loc="outside lower center", ncols=4, frameon=False)
        save(figure, f"{task.key}-patent")


def against_budget(axes, arm, cells, look):
    colour, mark, dashes = look
    points = []
    for _, there in sorted(cells.items()):
        values = [100 * result["accuracy"] for result in there]
        low, high = interval(values) if len(values) > 1 else (values[0], values[0])
        points.append((statistics.mean(result["cost_passes"] for result in there), statistics.mean(values), low, high))
    cost, mean, low, high = map(numpy.array, zip(*points))
    bars = axes.errorbar(cost, mean, [mean - low, high - mean], color=colour, marker=mark, linestyle=dashes or "none",
                         capsize=2, linewidth=2.2 if arm == "K" else 1.4, markersize=6, label=name(arm, mean))
    bars.lines[0].set_gid(arm)


def name(arm, means):
    where = f" ({min(means):.1f} to {max(means):.1f}%)" if arm in FAR_BELOW else ""
    return f"{arm}: {ARMS[arm]['name']}{where}"


def fit(axes):
    """The scale of accuracy is that of the arms that are not far below the others."""
    lines = [line for line in axes.get_lines() if line.get_gid() and line.get_gid() not in FAR_BELOW]
    values = [value for line in lines for value in line.get_ydata()]
    if values:
        room = 0.06 * (max(values) - min(values)) + 0.1
        axes.set_ylim(min(values) - room, max(values) + room)


def along_the_run(axes, arm, there, look):
    colour, mark, dashes = look
    whole = max(result["curve"][-1][0] for result in there)
    costs, means = [], []
    for cost in numpy.linspace(FROM * whole, whole, POINTS):
        # A hair is forgiven: runs of one budget end within a hundredth of it.
        values = [[value for so_far, value in result["curve"] if so_far <= 1.01 * cost] for result in there]
        if all(values):
            costs.append(cost)
            means.append(100 * statistics.mean(before[-1] for before in values))
    axes.plot(costs, means, gid=arm, color=colour, marker=mark, linestyle=dashes or "none", markersize=4,
              drawstyle="steps-post", linewidth=2.2 if arm == "K" else 1.4)


if __name__ == "__main__":
    main()
