"""The tasks of bench/accuracy.py: which images are learnt by which network, how long, and which arms are run on them.

The main task has all arms, budgets and conditions; the others have the cells that matter most, to see whether what holds
for one small network holds for a larger one, and for fine-tuning on photographs.
"""

import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import accuracy_programs as programs
import harness
from accuracy_arms import ARMS, CONDITIONS, SEEDS

# The arms, budgets and conditions of the tasks beside the main one.
FEW_ARMS, FEW_BUDGETS, FEW_CONDITIONS = ["A", "B", "D", "E", "K"], [0.25, 0.5], ["clean", "noise-20"]


@dataclass(frozen=True)
class Task:
    """What is learnt; the settings that the config does not have are those of a run."""

    name: str
    title: str
    config: Path
    # With pool.txt, validation.txt and test.txt; what further lists there are to test on stands in `stated`.
    lists: Path
    classes: int
    # Writes the starting graph of a seed: start(classes, seed, path).
    start: Callable
    # Passes over the pool in ordinary training.
    full: int
    # The learning rate of every arm, unless a grid on the validation images said another (`accuracy.py run --rate`) ...
    rate: float
    # ... which then stands here, by arm or by (arm, condition).
    rates: dict = field(default_factory=dict)
    # So large shares of the lists of the pool and of the validation images are used, always the same images.
    drawn: float = 1.0
    validated: float = 1.0
    # Settings that every arm shares.
    settings: dict = field(default_factory=dict)
    # Lists beside the test whose accuracy is kept with a result, but is in no table.
    stated: tuple = ()
    # The price of a forward is measured on so many images of the pool; None: all.
    priced: int | None = None
    # Shares of the full cost, for arms and conditions that have none of their own; by (arm, condition) further ones.
    budgets: list = field(default_factory=lambda: [0.083, 0.25, 0.4, 0.5])
    also: dict = field(default_factory=dict)
    arms: list = field(default_factory=lambda: list(ARMS))
    conditions: list = field(default_factory=lambda: list(CONDITIONS))
    seeds: list = field(default_factory=lambda: list(SEEDS))
    # Seeds besides these, by (arm, budget, condition), where they left an interval that is wider than the bar. They were fixed
    # after the first ones were seen and before they ran; all count.
    more: dict = field(default_factory=dict)

    @property
    def key(self):
        """What the names of its results begin with; those of the main task have nothing before them."""
        return "accuracy" if self.name == MAIN else f"accuracy-{self.name}"

    @property
    def results(self):
        return harness.RESULTS / self.key

    def images(self):
        """The pool as it is: (absolute path, label) of each image."""
        return self.some_of("pool.txt", self.drawn)

    def some_of(self, name, share):
        """The images of a list that the task uses, in the order of the list."""
        rows = programs.read_list(self.lists / name)
        if share == 1:
            return rows
        return [rows[place] for place in sorted(random.Random(name).sample(range(len(rows)), round(share * len(rows))))]

    def write_validation(self, path):
        """The validation images as a list."""
        programs.write_list(path, self.some_of("validation.txt", self.validated))

    def pool(self, condition, seed):
        """The pool under a condition, with the wrong labels of the seed."""
        return CONDITIONS[condition]["pool"](self.images(), random.Random(seed), self.classes)

    def rate_of(self, arm, condition):
        """The learning rate of an arm: that for the condition, or that of the arm, or the common one."""
        return self.rates.get((arm, condition), self.rates.get(arm, self.rate))

    def budgets_of(self, arm, condition, asked=None):
        """The budgets that an arm has under a condition: its own, the condition's, those asked for, or else the usual ones.

        None at all where it is not run.
        """
        here, there = ARMS[arm], CONDITIONS[condition]
        if arm not in self.arms or condition not in self.conditions:
            return []
        if condition not in here.get("conditions", CONDITIONS) or arm not in there.get("arms", ARMS):
            return []
        if "passes" in there:
            return [there["passes"] / self.full] if "budgets" not in here else []
        return here.get("budgets", asked or [*self.budgets, *self.also.get((arm, condition), [])])


def new_network(*words):
    """The start of an untrained network that gleaner knows."""
    return lambda classes, seed, path: programs.call(
        programs.GLEANER, "model", "new", *words, "--classes", classes, "--input", "1x28x28", "--seed", seed, "-o", path)


def pretrained(classes, seed, path):
    programs.call(sys.executable, harness.ROOT / "bench/pretrained.py", classes, seed, path)


MAIN = "fashion-convnet"
FASHION = {"config": harness.ROOT / "configs/fashion-mnist.yaml", "lists": harness.ROOT / "data/fashion-mnist", "classes": 10}
HALF_A_PASS = 0.5 / 12
FEW = {"budgets": FEW_BUDGETS, "arms": FEW_ARMS, "conditions": FEW_CONDITIONS,
       # For the bar against full training.
       "also": {("K", "clean"): [0.4]}}

TASKS = {task.name: task for task in [
    Task(MAIN, "Fashion-MNIST", **FASHION, start=new_network("convnet"), full=12, rate=0.2,
         # At three fifths of what A30 costs, to tell what choosing gives from what ending sooner gives.
         also={("B", "noise-20"): [1.5], ("K", "noise-20"): [1.5]},
         more={("K", 0.4, "clean"): range(16, 21), ("A", 1.0, "clean"): range(16, 21),
               **{(arm, HALF_A_PASS, "big"): range(16, 31) for arm in "KBD"}}),
    # In bfloat16, and on a tenth of the images, to be done in hours. It has room to learn wrong labels by heart.
    Task("fashion-resnet18", "a tenth of Fashion-MNIST, ResNet-18", **FASHION,
         start=new_network("resnet18", "--stem", "small"), full=12, rate=0.05, drawn=0.1, validated=0.4, priced=3000,
         settings={"train.precision": "bf16"}, more={(arm, 0.25, "clean"): range(16, 21) for arm in "KBDE"},
         **FEW | {"arms": [*FEW_ARMS, "A30"],
                  "also": {**FEW["also"], ("B", "noise-20"): [1.5], ("K", "noise-20"): [1.5]}}),
    Task("photos-efficientnet", "photographs, a pretrained EfficientNet-Lite0", harness.ROOT / "bench/photos.yaml",
         harness.ROOT / "bench/data/photos", 11, start=pretrained, full=4, rate=0.03, priced=1500,
         # Few images to test on.
         stated=("unseen",), seeds=[*SEEDS, *range(16, 21)], more={(arm, 0.25, "clean"): range(21, 31) for arm in "KB"},
         **FEW | {"arms": [*FEW_ARMS, "K-scan"]}),
]}
