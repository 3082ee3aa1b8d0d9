"""The arms and conditions of bench/accuracy.py.

An arm is a name, and the settings that make gleaner do it in so many passes. They are fixed before the runs of the table:
seeds below 10 are for choosing variants, the seeds of the table are others.
"""

# Passes over the pool in ordinary training.
FULL = 12
# The learning rate of every arm, unless a grid on the validation images said another.
RATE = 0.2


def whole(passes):
    """Every image in every epoch."""
    return {"policy": "uniform", "initial.fraction": 1.0, "mine.quota": 1.0, "train.learning_rate": RATE}


def fresh(passes):
    """RS2: a fresh uniform tenth of the pool each epoch (Okanovic et al., "Repeated Random Sampling", 2024)."""
    return {"policy": "uniform", "initial.fraction": 0.1, "mine.quota": 0.1, "train.learning_rate": RATE}


def patent(mode):
    return lambda passes: {"policy": "patent", "cluster.mode": mode, "mine.quota": 0.1, "train.learning_rate": RATE}


def confidence(**changes):
    """The default policy, with single settings changed; `__` in a name stands for the dot."""
    changed = {key.replace("__", "."): value for key, value in changes.items()}
    return lambda passes: {"policy": "confidence", "train.learning_rate": RATE, **changed}


ARMS = {
    "A": {"name": "everything, full cost", "settings": whole, "budgets": [1.0]},
    "B": {"name": "everything, fewer epochs", "settings": whole},
    "D": {"name": "a fresh random tenth", "settings": fresh},
    "Gt": {"name": "patent, thin", "settings": patent("thin")},
    "Ge": {"name": "patent, expand", "settings": patent("expand")},
    "K": {"name": "confidence", "settings": confidence()},
    "K-weights": {"name": "confidence without weights", "settings": confidence(extras__exponent=0)},
    "K-clusters": {"name": "confidence without clusters", "settings": confidence(model__embedding="none")},
    "K-scan": {"name": "confidence without a scan", "settings": confidence(mine__budget=0)},
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
    "clean": clean, "noise-10": symmetric(0.10), "noise-20": symmetric(0.20), "pairs-20": pairs(0.20),
    "tail-10": long_tailed(10),
}
