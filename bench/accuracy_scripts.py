"""Arms of bench/accuracy.py that gleaner has no policy for: other people's methods, driven step by step.

An arm is a function of a `Script`, which trains with gleaner-trainer and scores with `gleaner score`, so that the network,
the recipe, the pixels and the validation are those of all other arms; only what is trained on, and with which weight, is
the method's own. A visit in training costs 1, a scoring forward the price, validation nothing. Both arms write their own
manifests and so are also examples of gleaner's programs used without its loop.
"""

import math
import time

import numpy

import accuracy_programs as programs

# What InfoBatch's authors recommend.
PRUNED, PRUNING_ENDS = 0.5, 0.875
# What an epoch is thought to prune before there is a loss to go by: only the first epoch's learning rate depends on it.
FIRST_GUESS = 0.35
# The defaults of Composer's SelectiveBackprop: from where to where in the run, the share that is kept, and how many
# batches there are to one that is taken whole.
BEGINS, ENDS, KEPT, WHOLE_EVERY = 0.5, 0.9, 0.5, 2
# Images that Selective-Backprop looks at with one checkpoint.
CHUNK = 2560
# A step is not worth its while for fewer images (two batches), nor for less than this share of the budget.
LEAST, NOT_WORTH = 64, 0.01


class Script:
    """A run by hand: the checkpoints so far, what they have cost, and how good they are."""

    def __init__(self, task, folder, seed, settings, pool, budget, price):
        programs.new_folder(task, folder, seed)
        self.folder, self.seed, self.price = folder, seed, price
        self.arguments = programs.settings_of(task, folder, seed, settings, pool)
        self.images = programs.read_list(pool)
        # In training visits.
        self.budget = budget * len(self.images)
        self.newest, self.steps = folder / "start.onnx", 0
        self.visits, self.forwards = 0, 0
        self.seconds = {"train_s": 0.0, "scan_s": 0.0, "cluster_s": 0.0, "select_s": 0.0}
        self.validations = []

    def draws(self, number):
        """Random draws of their own for each epoch or chunk of the seed."""
        return numpy.random.default_rng([self.seed, number])

    def cost(self):
        return self.visits + self.price * self.forwards

    def train(self, chosen, weights, done, planned):
        """Trains on the images of these numbers; returns their losses, nan for what could not be read."""
        began = time.monotonic()
        rows = [self.images[number] for number in chosen]
        with open(self.folder / "log.txt", "a") as log:
            losses = programs.train(self.folder, self.arguments, self.seed, self.steps, self.newest, rows, weights, done,
                                    planned, log)
        self.newest, self.steps = programs.checkpoint(self.folder, self.steps), self.steps + 1
        self.visits += len(chosen)
        self.seconds["train_s"] += time.monotonic() - began
        return numpy.array(losses, dtype=float)

    def losses(self, chosen):
        """The losses of the newest checkpoint, at the price of a forward each."""
        began = time.monotonic()
        rows = self.folder / "chunk.txt"
        programs.write_list(rows, [self.images[number] for number in chosen])
        losses, = programs.score(self.arguments, self.newest, rows, ["loss"])
        self.forwards += len(chosen)
        self.seconds["scan_s"] += time.monotonic() - began
        return numpy.array(losses, dtype=float)

    def validate(self):
        accuracy, _ = programs.by_class(self.arguments, self.newest, self.folder / "validation.txt")
        self.validations.append((self.steps - 1, self.cost(), accuracy))

    def status(self):
        """The run as `gleaner status --json` would tell it; of equally good checkpoints the earliest is the best."""
        best = max(self.validations, key=lambda validation: validation[2])
        return {
            "outcome": {"best_epoch": best[0], "best_accuracy": best[2]},
            "totals": {"cost": self.cost(), "train_visits": self.visits, "scan_forwards": self.forwards,
                       "epochs": len(self.validations), **self.seconds},
            "epochs": [{"cost_so_far": cost, "validation_accuracy": accuracy} for _, cost, accuracy in self.validations],
        }


def infobatch(script):
    """InfoBatch (Qin et al., "InfoBatch: Lossless Training Speed Up by Unbiased Dynamic Data Pruning", ICLR 2024).

    The score of an image is its loss when it was last trained on. In the first delta of the epochs the images that score
    below the mean are pruned: r of them, drawn anew, are left out, and the others weigh 1 / (1 - r). All other images
    weigh 1. The last epochs train on everything at weight 1. The first epoch prunes nothing, since all scores are equal.

    As in the authors' code an exact share of the images below the mean is drawn, floor(delta x epochs) epochs prune, and
    a batch's loss is the sum of weight x loss over the images in it. Unlike there the weights are those of the epoch in
    every case: the published loader resets them when the number of the epoch equals delta x epochs + 1, which it never
    does unless that product is whole, and then trains its last epochs with old weights.

    The paper fixes the epochs and lets the cost follow; here the cost is fixed. Before each epoch the number of epochs is
    the smallest whose expected cost fills the budget, if as many images are pruned in epochs to come as in this one. The
    last epoch is cut, at random, to what is left of the budget; it is never one that prunes.

    The learning rate follows the epochs, not the visits: a pruned epoch moves it as far as a whole one, the last one as
    far as what is left of it. That is what the authors ask for (steps per epoch of a schedule are to be adjusted at the
    beginning of each epoch), and it reaches zero at the budget.
    """
    size = len(script.images)
    scores, pruned = numpy.zeros(size), FIRST_GUESS
    epoch, ending = 0, False
    while script.budget - script.visits >= max(LEAST, NOT_WORTH * script.budget):
        began = time.monotonic()
        draws = script.draws(epoch)
        easy = numpy.flatnonzero(scores < scores.mean())
        left_out = draws.choice(easy, len(easy) - int((1 - PRUNED) * len(easy)), replace=False)
        pruned = len(left_out) / size if epoch else pruned
        epochs = planned_epochs(epoch, script.visits / size, script.budget / size, pruned)
        # Once everything is trained on, it stays so.
        ending = ending or epoch >= math.floor(PRUNING_ENDS * math.ceil(epochs))
        chosen, weights = numpy.arange(size), numpy.ones(size)
        if not ending:
            weights[easy] = 1 / (1 - PRUNED)
            chosen = numpy.delete(chosen, left_out)
        whole, paid = len(chosen), round(script.budget - script.visits)
        if whole > paid:
            chosen = draws.choice(chosen, paid, replace=False)
        script.seconds["select_s"] += time.monotonic() - began
        losses = script.train(chosen, weights[chosen], epoch * whole, epochs * whole)
        seen = numpy.isfinite(losses)
        scores[chosen[seen]] = losses[seen]
        script.validate()
        epoch += 1


def planned_epochs(epoch, spent, budget, pruned):
    """How many epochs fill a budget of so many passes, `spent` of which went into the `epoch` epochs before; the last is
    counted with the part of it that is paid for.

    An epoch of the first delta of them costs 1 - pruned passes, but for the first of all, and every later one 1.
    """
    epochs = epoch + 1
    while True:
        pruning = math.floor(PRUNING_ENDS * epochs)
        costs = [1 - pruned if 0 < each < pruning else 1 for each in range(epoch, epochs)]
        short = budget - spent - sum(costs)
        if short < NOT_WORTH * budget:
            return epochs - max(-short, 0) / costs[-1]
        epochs += 1


def selective_backprop(script):
    """Selective-Backprop (Jiang et al., "Accelerating Deep Learning by Focusing on the Biggest Losers", 2019).

    As MosaicML's Composer has it, with its defaults: from half to nine tenths of the run every other batch is scored
    first, and half of its images are trained on, drawn without replacement with a probability that rises with the rank of
    the loss (to the power of 1 / keep - 1, here in proportion). All others, and all images before and after, are trained
    on as they come, at weight 1. The run and the learning rate are counted in images that went by, trained on or not, so
    many that the cost of forwards and visits fills the budget.

    Where it differs: images come in chunks of about 2,560, of which half is scored with the checkpoint as it is then, is
    ranked as a whole, and is mixed with the other half. So a loss is up to 60 batches old, as the paper allows ("stale"
    losses did no harm there), and a rank is more exact than one among 32. What is kept makes whole batches, as in the
    paper; Composer's steps get half a batch each. Scores come from the network as it is for inference, not from training
    mode. Starting a process for each chunk costs wall time, which is not charged.
    """
    plan = selective_plan(script.budget, len(script.images), script.price)
    planned = sum(size for size, *_ in plan)
    passed, order = 0, None
    for number, (size, selective, ends) in enumerate(plan):
        draws = script.draws(number)
        at = passed % len(script.images)
        if at == 0:
            order = draws.permutation(len(script.images))
        chosen = order[at:at + size]
        if selective:
            scored = scored_of(size)
            kept = biggest_losers(script.losses(chosen[:scored]), draws)
            chosen = numpy.concatenate([chosen[:scored][kept], chosen[scored:]])
        script.train(chosen, numpy.ones(len(chosen)), passed, planned)
        passed += size
        if ends:
            script.validate()


def biggest_losers(losses, draws):
    """The places of the losses that are kept: half of them, the likelier the higher they rank."""
    ranked = numpy.argsort(losses)
    chances = ((numpy.arange(len(losses)) + 0.5) / len(losses)) ** (1 / KEPT - 1)
    return ranked[draws.choice(len(losses), int(KEPT * len(losses)), replace=False, p=chances / chances.sum())]


def scored_of(size):
    """How many images of a chunk are scored: Composer begins with such a batch, and every second one is taken whole."""
    return size - size // WHOLE_EVERY


def selective_plan(budget, pool, price):
    """The steps that cost `budget` visits at most: (images that go by, whether half is scored, whether to validate)."""
    low, high = 1, 2 * round(budget)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if selective_cost(selective_steps(middle, pool), price) <= budget else (low, middle)
    return selective_steps(low, pool)


def selective_cost(steps, price):
    cost = lambda size, scored: size - scored + int(KEPT * scored) + price * scored
    return sum(cost(size, scored_of(size) if selective else 0) for size, selective, _ in steps)


def selective_steps(total, pool):
    """The steps of a run that `total` images go by in: cut where an epoch, the first half and nine tenths end."""
    epochs = [pool * number for number in range(1, total // pool + 1)]
    near = lambda cut: next((end for end in epochs if abs(end - cut) < LEAST), cut)
    begins, ends, total = (near(round(share * total)) for share in (BEGINS, ENDS, 1))
    steps, at = [], 0
    for cut in sorted({begins, ends, total, *(end for end in epochs if end < total)} - {0}):
        selective = begins <= at < ends
        parts = math.ceil((cut - at) / CHUNK) if selective else 1
        marks = [at + round(part * (cut - at) / parts) for part in range(parts + 1)]
        steps += [(end - start, selective, end == cut) for start, end in zip(marks, marks[1:])]
        at = cut
    return steps
