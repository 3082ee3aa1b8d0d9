"""What the benchmarks share: contenders that take turns, medians, the machine, results as JSON and as a table.

Every contender is a process of its own that lives through the whole benchmark. It says `ready` when it is set up; then it
reads a line from its standard input for each turn, does its work once, and answers with one line of JSON that has at
least `seconds`. Turns alternate, so that a machine that others use as well is slow for all of them alike; what counts is
the median over the rounds.
"""

import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import gpu

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
README = ROOT / "README.md"


class Contender:
    """A running contender. `command` is an argument list; its standard error is shown."""

    def __init__(self, name, command, environment=None):
        self.name = name
        settings = {**os.environ, **(environment or {})}
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=settings,
        )
        self._answer("ready")

    def turn(self, request="go"):
        """One turn: sends the request, returns the answer as a dictionary."""
        self.process.stdin.write(f"{request}\n")
        self.process.stdin.flush()
        return json.loads(self._answer("{"))

    def _answer(self, start):
        for line in self.process.stdout:
            if line.startswith(start):
                return line
        sys.exit(f"{self.name} ended (exit status {self.process.wait()}) instead of answering; see its message above")

    def close(self):
        self.process.stdin.close()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def alternate(contenders, rounds, warm_up=1, request="go"):
    """Lets every contender take `rounds` turns, one after another, each round beginning with another one.

    Returns a list of answers for each name. The first `warm_up` rounds are not counted. `request` is the line that each
    is sent for a turn.
    """
    answers = {contender.name: [] for contender in contenders}
    for number in range(-warm_up, rounds):
        shift = number % len(contenders)
        for contender in contenders[shift:] + contenders[:shift]:
            answer = contender.turn(request)
            if number >= 0:
                answers[contender.name].append(answer)
                print(f"  round {number + 1}/{rounds}  {contender.name}: {answer['seconds']:.3f} s", flush=True)
    return answers


def median(answers, key="seconds"):
    """The median of one value over the rounds."""
    return statistics.median(answer[key] for answer in answers)


def median_ratio(above, below, key="seconds"):
    """The median over the rounds of one contender's value divided by another's in the same round."""
    return statistics.median(a[key] / b[key] for a, b in zip(above, below, strict=True))


def machine():
    """The machine in words."""
    cpu = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    memory = int(re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text()).group(1))
    return {
        "cpu": cpu.group(1).strip() if cpu else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory / 2**20, 1),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        **({"gpu": gpu.name()} if gpu.name() else {}),
    }


def keep(name, results, table, notes=()):
    """Writes bench/results/NAME.json, prints the table, and puts it into the README between its marks.

    `table` is a list of rows, the first the header; every cell is text. `notes` are lines to stand below it.
    """
    RESULTS.mkdir(parents=True, exist_ok=True)
    here = machine()
    record = {"benchmark": name, "date": time.strftime("%Y-%m-%d"), "machine": here, **results}
    (RESULTS / f"{name}.json").write_text(json.dumps(record, indent=2) + "\n")
    head, *rows = [f"| {' | '.join(row)} |" for row in table]
    rule = f"|{' --- |' * len(table[0])}"
    where = f"{here['cpu']}, {here['cores']} cores, {here['memory_gib']:.0f} GiB, {record['date']}"
    where = f"{here['gpu']}, {where}" if "gpu" in here else where
    below = ["", *notes] if notes else []
    text = "\n".join([f"Measured on {where}; `make bench-{name}` measures it anew.", "", head, rule, *rows, *below])
    print(f"\n{text}\n")
    begin, end = f"<!-- bench-{name} -->", f"<!-- end of bench-{name} -->"
    readme = README.read_text()
    if begin in readme and end in readme:
        before, rest = readme.split(begin, 1)
        README.write_text(f"{before}{begin}\n{text}\n{end}{rest.split(end, 1)[1]}")
