"""Stages ONNX's own test cases of its operators, against which the trainer's are tested.

    python3 scripts/stage_conformance.py FOLDER

The wheel is pinned and hash-checked by pip (conformance.txt); only the cases are unpacked, one folder each with
model.onnx and its inputs and outputs, so no Python package is installed. A finished staging is marked by FOLDER/staged,
which holds the pin; it is done again only when that changes.
"""

import hashlib
import os
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

from stage_runtime import fetch

HERE = Path(__file__).resolve().parent
CASES = "onnx/backend/test/data/node/"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    pins = HERE / "conformance.txt"
    wanted = hashlib.sha256(pins.read_bytes() + Path(__file__).read_bytes()).hexdigest()
    mark = folder / "staged"
    if mark.is_file() and mark.read_text().strip() == wanted:
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".wheels-") as wheels:
        print(f"stage_conformance: fetching the wheel named in {pins.name}", flush=True)
        fetch(pins, wheels)
        for wheel in Path(wheels).glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(wheels, [name for name in archive.namelist() if name.startswith(CASES)])
        cases = Path(wheels) / CASES
        if not cases.is_dir():
            sys.exit(f"stage_conformance: the wheel holds no {CASES}; check {pins}")
        (cases / "staged").write_text(wanted + "\n")
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(cases, folder)
    print(f"stage_conformance: {len(list(folder.iterdir())) - 1} cases stand in {folder}", flush=True)


if __name__ == "__main__":
    main()
