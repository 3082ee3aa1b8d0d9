"""What NVIDIA's driver says of the GPU."""

import shutil
import subprocess


def name():
    """The first GPU's name; none if there is no GPU."""
    lines = ask("--query-gpu=name")
    return lines[0].strip() if lines else None


def memory_of(process):
    """MiB of the GPU's memory that a process has taken; 0 if the driver does not tell."""
    taken = dict(line.split(", ") for line in ask("--query-compute-apps=pid,used_memory") if line.count(", ") == 1)
    mib = taken.get(str(process), "0")
    return int(mib) if mib.isdigit() else 0


def ask(question):
    if not shutil.which("nvidia-smi"):
        return []
    words = ["nvidia-smi", question, "--format=csv,noheader,nounits"]
    return subprocess.run(words, capture_output=True, text=True).stdout.splitlines()
