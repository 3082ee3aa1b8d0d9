"""The arms and conditions of bench/accuracy.py.

An arm is a name, and either the settings that make gleaner do it in so many passes, or a script that drives the trainer
(bench/accuracy_scripts.py). It may name budgets and conditions of its own; so may a condition name arms, and the passes that
they have. Which of them a task runs stands in bench/accuracy_tasks.py. All of this is fixed before the runs of the table:
seeds below 10 are for choosing variants, the seeds of the table are others.
"""

from accuracy_scripts import infobatch, selective_backprop

# The seeds of the table; some cells of bench/accuracy_tasks.py have more, and so has the task of the photographs.
SEEDS = [11, 12, 13, 14, 15]


def whole(passes):
    """Every image in every epoch."""
    return {"policy": "uniform", "initial.fraction": 1.0, "mine.quota": 1.0}


def fresh(passes):
    """RS2: a fresh uniform tenth of the pool each epoch (Okanovic et al., "Repeated Random Sampling", 2024)."""
    return {"policy": "uniform", "initial.fraction": 0.1, "mine.quota": 0.1}


def patent(mode):
    return lambda passes: {"policy": "patent", "cluster.mode": mode, "mine.quota": 0.1}


def confidence(**changes):
    """The default policy, with single settings changed; `__` in a name stands for the dot."""
    changed = {key.replace("__", "."): value for key, value in changes.items()}
    return lambda passes: {"policy": "confidence", **changed}


ARMS = {
    "A": {"name": "everything, full cost", "settings": whole, "budgets": [1.0]},
    # So long that wrong labels are learnt by heart.
    "A30": {"name": "everything, 30 epochs", "settings": whole, "budgets": [2.5], "conditions": ["noise-20"]},
    "B": {"name": "everything, fewer epochs", "settings": whole},
    "D": {"name": "a fresh random tenth", "settings": fresh},
    "E": {"name": "InfoBatch", "script": infobatch},
    "F": {"name": "Selective-Backprop", "script": selective_backprop},
    "Gt": {"name": "patent, thin", "settings": patent("thin")},
    "Ge": {"name": "patent, expand", "settings": patent("expand")},
    "K": {"name": "confidence", "settings": confidence()},
    "K+share": {"name": "confidence with twice the share of what is known", "settings": confidence(extras__share=0.3)},
    # As the prototype had it in long runs.
    "K+share+weights": {"name": "the same at weights that keep the gradient unbiased",
                        "settings": confidence(extras__share=0.3, extras__exponent=1)},
    "K-clusters": {"name": "confidence without clusters", "settings": confidence(model__embedding="none")},
    "K-scan": {"name": "confidence without a scan", "settings": confidence(mine__budget=0)},
    "K-even": {"name": "confidence, even choice among those not suspected", "settings": confidence(suspects__others="even"),
               "conditions": ["noise-10", "noise-20", "pairs-20"]},
    "K-suspects": {"name": "confidence with suspects kept in", "settings": confidence(suspects__keep_out=1),
                   "conditions": ["clean", "noise-10", "noise-20", "pairs-20"]},
    "K+quotas": {"name": "confidence with quotas for rare classes", "settings": confidence(classes__floor=1),
                 "conditions": ["clean", "tail-10"]},
}


def clean(rows, draws, classes):
    return rows


def symmetric(share):
    """So large a share of the labels is replaced by one of the other classes."""
    def noisy(rows, draws, classes):
        wrong = lambda label: draws.choice([other for other in range(classes) if other != label])
        return [(path, wrong(label) if draws.random() < share else label) for path, label in rows]
    return noisy


def pairs(share):
    """So large a share of T-shirts (0) and Shirts (6), Pullovers (2) and Coats (4) is taken for the other of the pair."""
    twin = {0: 6, 6: 0, 2: 4, 4: 2}
    return lambda rows, draws, classes: [
        (path, twin[label] if label in twin and draws.random() < share else label) for path, label in rows]


def long_tailed(ratio):
    """The first class whole, the last with one in `ratio`, the others in between on a geometric scale."""
    return lambda rows, draws, classes: [
        (path, label) for path, label in rows if draws.random() < ratio ** (-label / (classes - 1))]


CONDITIONS = {
    "clean": {"name": "as it is", "pool": clean},
    "noise-10": {"name": "10% of the labels wrong", "pool": symmetric(0.10)},
    "noise-20": {"name": "20% of the labels wrong", "pool": symmetric(0.20)},
    "pairs-20": {"name": "20% of T-shirts and shirts, pullovers and coats confused", "pool": pairs(0.20)},
    "tail-10": {"name": "imbalanced, 10 to 1", "pool": long_tailed(10)},
    # Half a pass: a pool that the budget cannot visit once.
    "big": {"name": "half a pass", "pool": clean, "passes": 0.5, "arms": ["B", "D", "K"]},
}
