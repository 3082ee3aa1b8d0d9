"""How fast embeddings are grouped, and how well, beside scikit-learn and faiss.

    python bench/cluster.py [--rounds 5] [--only resnet18 convnet]

The embeddings are those of real images by networks that have learnt to tell them apart, both made here by gleaner itself:

    resnet18   20,000 images of Fashion-MNIST, 512 values each, into 64 groups
    convnet    200,000 views, 128 values each, into 256 groups: every one of the 70,000 images whole, and cut to the
               middle 93 and 86 percent (`pixels.crop_fraction`), of which the first 200,000 in this order

Each contender fits and assigns every embedding, on all cores: gleaner with its defaults, scikit-learn's MiniBatchKMeans
with its defaults, faiss.Kmeans with its defaults (25 iterations on at most 256 embeddings per group) and then a search
for all. Another seed each round. The inertia is computed here, alike for all: from the labels alone, as the squared
distances of all embeddings to the mean of their group, in double precision.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from harness import ROOT, Contender, alternate, keep, median, median_ratio

DATA = ROOT / "bench/data/cluster"
FASHION = ROOT / "data/fashion-mnist"
BINARIES = ROOT / "target/release"
# name: (network, further arguments of `gleaner model new`, learning rate, crops, rows, dims, groups)
SUBJECTS = {
    "resnet18": ("resnet18", ["--stem", "imagenet"], 0.02, (1.0,), 20_000, 512, 64),
    "convnet": ("convnet", [], 0.05, (1.0, 0.93, 0.86), 200_000, 128, 256),
}
LEARNT_FROM = 20_000


def main():
    if len(sys.argv) > 1 and sys.argv[1] == "contend":
        return contend(*sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=list(SUBJECTS), choices=list(SUBJECTS))
    options = parser.parse_args()
    results, table = {}, [["embeddings", "contender", "seconds", "times gleaner's", "inertia, to scikit-learn's"]]
    for name in options.only:
        results[name] = compare(name, options.rounds, table)
    keep("cluster", {"rounds": options.rounds, **results}, table)


def compare(name, rounds, table):
    """All contenders in turn on one table."""
    *_, rows, dims, groups = SUBJECTS[name]
    values = embeddings(name)
    print(f"{name}: {rows:,} x {dims} into {groups}", flush=True)
    contenders = [Measured(who, name, values, groups) for who in ("gleaner", "scikit-learn", "faiss")]
    answers = alternate(contenders, rounds)
    for contender in contenders:
        contender.close()
    ours, theirs = answers["gleaner"], median(answers["scikit-learn"], "inertia")
    results = {"rows": rows, "dims": dims, "groups": groups}
    for who, given in answers.items():
        times, loss = median_ratio(given, ours), median(given, "inertia") / theirs
        results[who] = {"seconds": [round(answer["seconds"], 4) for answer in given],
                        "inertia": [round(answer["inertia"], 3) for answer in given],
                        "median_seconds": median(given), "times_ours": times, "inertia_to_scikit_learn": loss}
        table.append([f"{rows:,} x {dims} into {groups}" if who == "gleaner" else "", who, f"{median(given):.3f}",
                      f"{times:.2f}", f"{loss:.4f}"])
    return results


class Measured(Contender):
    """A contender whose labels are judged after each turn, outside its time."""

    def __init__(self, who, name, values, groups):
        self.values, self.groups = values, groups
        self.labels = DATA / f"{who}.labels"
        arguments = [table(name), values.shape[1], groups, self.labels]
        if who == "gleaner":
            command = [BINARIES / "examples/bench-cluster", *arguments]
        else:
            command = [sys.executable, Path(__file__), "contend", who, *arguments]
        super().__init__(who, command)

    def turn(self, request="go"):
        import numpy
        answer = super().turn(request)
        labels = numpy.fromfile(self.labels, "<u4")
        if len(labels) != len(self.values) or labels.max() >= self.groups:
            sys.exit(f"{self.name} did not give every embedding one of {self.groups} groups")
        answer["inertia"] = inertia(self.values, labels)
        return answer


def inertia(values, labels):
    """The squared distances of all rows to the mean of their group, in float64."""
    import numpy
    total = 0.0
    for group in numpy.unique(labels):
        rows = values[labels == group].astype(numpy.float64)
        total += float(((rows - rows.mean(axis=0)) ** 2).sum())
    return total


def contend(who, values, dims, groups, labels):
    """One of the others, as a process of its own."""
    import numpy
    points, groups = numpy.fromfile(values, "<f4").reshape(-1, int(dims)), int(groups)
    if who == "faiss":
        import faiss
        faiss.omp_set_num_threads(len(os.sched_getaffinity(0)))
    else:
        from sklearn.cluster import MiniBatchKMeans
    print("ready", flush=True)
    for seed, _ in enumerate(sys.stdin, 1):
        start = time.perf_counter()
        if who == "faiss":
            fitted = faiss.Kmeans(points.shape[1], groups, seed=seed)
            fitted.train(points)
            given = fitted.index.search(points, 1)[1][:, 0]
        else:
            given = MiniBatchKMeans(groups, random_state=seed).fit(points).labels_
        seconds = time.perf_counter() - start
        given.astype("<u4").tofile(labels)
        print(json.dumps({"seconds": seconds}), flush=True)


def table(name):
    """Where the embeddings of a subject stand, as bare 32-bit floats."""
    return DATA / f"{name}.f32"


def embeddings(name):
    """The embeddings of a subject; they are made where they are missing."""
    import numpy
    network, how, learning_rate, crops, rows, dims, _ = SUBJECTS[name]
    if not table(name).exists():
        import pyarrow.parquet
        DATA.mkdir(parents=True, exist_ok=True)
        config, graph = inputs(name, network, how, learning_rate)
        views = []
        for crop in crops:
            scores = DATA / f"{name}.parquet"
            run("gleaner", "score", "-c", config, "--checkpoint", graph, "--list", DATA / f"{name}.txt", "--embedding",
                "--set", f"pixels.crop_fraction={crop}", "-o", scores)
            column = pyarrow.parquet.read_table(scores, columns=["embedding"]).column(0).combine_chunks()
            views.append(numpy.asarray(column.flatten(), "<f4").reshape(len(column), -1))
            scores.unlink()
        made = numpy.concatenate(views)[:rows]
        if made.shape != (rows, dims):
            sys.exit(f"{name} gives embeddings of {made.shape}, not {(rows, dims)}")
        part = table(name).with_suffix(".part")
        numpy.ascontiguousarray(made).tofile(part)
        part.rename(table(name))
    return numpy.fromfile(table(name), "<f4").reshape(rows, dims)


def inputs(name, network, how, learning_rate):
    """A config, a list of images, and a network that has learnt from some of them."""
    images = [line for part in ("pool", "validation", "test")
              for line in (FASHION / f"{part}.txt").read_text().splitlines()]
    if name == "resnet18":
        images = images[:20_000]
    (DATA / f"{name}.txt").write_text("".join(f"{FASHION}/{image}\n" for image in images))
    config, start, graph = (DATA / f"{name}{end}" for end in (".yaml", "-start.onnx", ".onnx"))
    config.write_text(f"pool: {{train: {DATA}/{name}.txt, validation: {FASHION}/validation.txt}}\n"
                      "pixels: {size: [28, 28], channels: 1, mean: [0.286], std: [0.353]}\n"
                      f"model: {{start: {start}}}\ntrain: {{learning_rate: {learning_rate}}}\n")
    manifest = DATA / f"{name}.csv"
    lines = (image.rsplit(" ", 1) for image in images[:LEARNT_FROM])
    manifest.write_text("order,path,label,stratum,cluster,predicted,confidence,margin,weight\n" + "".join(
        f"{order},{FASHION}/{path},{label},full,,,,,1\n" for order, (path, label) in enumerate(lines)))
    run("gleaner", "model", "new", network, *how, "--classes", "10", "--input", "1x28x28", "-o", start)
    run("gleaner-trainer", "step", "--config", config, "--manifest", manifest, "--checkpoint-in", start,
        "--checkpoint-out", graph, "--epoch", "0", "--seed", "1")
    return config, graph


def run(program, *arguments):
    subprocess.run([BINARIES / program, *map(str, arguments)], check=True, cwd=ROOT)


if __name__ == "__main__":
    main()
