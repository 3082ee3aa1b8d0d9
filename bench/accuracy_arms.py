"""The arms and conditions of bench/accuracy.py.

An arm is a name, and either the settings that make gleaner do it in so many passes, or a script that drives the trainer
(bench/accuracy_scripts.py). It may name budgets and conditions of its own; so may a condition name budgets and arms. All
of this is fixed before the runs of the table: seeds below 10 are for choosing variants, the seeds of the table are others.
"""

from accuracy_scripts import infobatch, selective_backprop

# Passes over the pool in ordinary training.
FULL = 12
# Shares of that cost.
BUDGETS = [0.083, 0.25, 0.4, 0.5]
# The learning rate of every arm, unless a grid on the validation images said another (`accuracy.py run --rate`) ...
RATE = 0.2
# ... which then stands here, by arm or by (arm, condition).
RATES = {}


def rate_of(arm, condition):
    """The learning rate of an arm: that for the condition, or that of the arm, or the common one."""
    return RATES.get((arm, condition), RATES.get(arm, RATE))


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
    "K-weights": {"name": "confidence without weights", "settings": confidence(extras__exponent=0)},
    "K-clusters": {"name": "confidence without clusters", "settings": confidence(model__embedding="none")},
    "K-scan": {"name": "confidence without a scan", "settings": confidence(mine__budget=0)},
    "K-suspects": {"name": "confidence with suspects kept in", "settings": confidence(suspects__keep_out=1),
                   "conditions": ["clean", "noise-10", "noise-20", "pairs-20"]},
    "K-quotas": {"name": "confidence without quotas", "settings": confidence(classes__floor=0),
                 "conditions": ["clean", "tail-10"]},
}


def clean(rows, draws):
    return rows


def symmetric(share):
    """So large a share of the labels is replaced by one of the other classes."""
    def noisy(rows, draws):
        wrong = lambda label: draws.choice([other for other in range(10) if other != label])
        return [(path, wrong(label) if draws.random() < share else label) for path, label in rows]
    return noisy


def pairs(share):
    """So large a share of T-shirts (0) and Shirts (6), Pullovers (2) and Coats (4) is taken for the other of the pair."""
    twin = {0: 6, 6: 0, 2: 4, 4: 2}
    return lambda rows, draws: [
        (path, twin[label] if label in twin and draws.random() < share else label) for path, label in rows]


def long_tailed(ratio):
    """Class 0 whole, class 9 with one in `ratio`, the others in between on a geometric scale."""
    return lambda rows, draws: [(path, label) for path, label in rows if draws.random() < ratio ** (-label / 9)]


CONDITIONS = {
    "clean": {"name": "as it is", "pool": clean},
    "noise-10": {"name": "10% of the labels wrong", "pool": symmetric(0.10)},
    # At three fifths of what A30 costs, to tell what choosing gives from what ending sooner gives.
    "noise-20": {"name": "20% of the labels wrong", "pool": symmetric(0.20), "also": {"B": [1.5], "K": [1.5]}},
    "pairs-20": {"name": "20% of T-shirts and shirts, pullovers and coats confused", "pool": pairs(0.20)},
    "tail-10": {"name": "imbalanced, 10 to 1", "pool": long_tailed(10)},
    # Half a pass: a pool that the budget cannot visit once.
    "big": {"name": "half a pass", "pool": clean, "budgets": [0.5 / FULL], "arms": ["B", "D", "K"]},
}


def budgets_of(arm, condition, asked=None):
    """The budgets that an arm has under a condition: its own, the condition's, those asked for, or else the usual ones.

    None at all where it is not run.
    """
    here, there = ARMS[arm], CONDITIONS[condition]
    if condition not in here.get("conditions", CONDITIONS) or arm not in there.get("arms", ARMS):
        return []
    if "budgets" in there:
        return there["budgets"] if "budgets" not in here else []
    return here.get("budgets", asked or [*BUDGETS, *there.get("also", {}).get(arm, [])])
