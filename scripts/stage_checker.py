"""Stages ONNX's own checker of models, which judges what the trainer writes in its tests.

    python3 scripts/stage_checker.py FOLDER

The wheel is pinned and hash-checked by pip (checker.txt). Only its compiled module for this Python is unpacked, which
needs none of the packages that the wheel asks for, so no Python package is installed. A finished staging is marked by
FOLDER/staged, which holds the pin and the version of Python; it is done again only when these change.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
MODULE = "onnx/onnx_cpp2py_export."


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    pins = HERE / "checker.txt"
    version = ".".join(map(str, sys.version_info[:2]))
    wanted = f"{version} {hashlib.sha256(pins.read_bytes() + Path(__file__).read_bytes()).hexdigest()}"
    mark = folder / "staged"
    if mark.is_file() and mark.read_text().strip() == wanted:
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".wheels-") as wheels:
        print(f"stage_checker: fetching the wheel named in {pins.name}", flush=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
                   "--no-cache-dir", "--only-binary=:all:", "--require-hashes", "--dest", wheels, "-r", str(pins)]
        if subprocess.run(command).returncode != 0:
            sys.exit("stage_checker: pip could not fetch the wheel (its message stands above); see that the package "
                     f"index is reachable and that {sys.executable} is Python 3.10 or newer, then run make again")
        staged = Path(wheels) / "staged"
        staged.mkdir()
        for wheel in Path(wheels).glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                for member in archive.namelist():
                    if member.startswith(MODULE) and member.endswith(".so"):
                        with archive.open(member) as source, open(staged / Path(member).name, "wb") as sink:
                            shutil.copyfileobj(source, sink)
        if not any(staged.iterdir()):
            sys.exit(f"stage_checker: the wheel holds no {MODULE}*.so; check {pins}")
        (staged / "staged").write_text(wanted + "\n")
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(staged, folder)
    print(f"stage_checker: ONNX's checker stands in {folder}", flush=True)


if __name__ == "__main__":
    main()
