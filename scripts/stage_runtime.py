"""Stages the native libraries (ONNX Runtime and libtorch) that gleaner stands on.

    python3 scripts/stage_runtime.py cpu|cuda FOLDER

The wheels are pinned and hash-checked by pip (runtime-cpu.txt, runtime-cuda.txt); only shared libraries and C++
headers are unpacked, so no Python package is installed and the Python that runs this does not matter. Leaves

    FOLDER/onnxruntime/   libonnxruntime.so and, for cuda, its providers
    FOLDER/libtorch/      include/ and lib/

A finished staging is marked by FOLDER/staged, which holds the pins; it is done again only when they change.
"""

import fnmatch
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent

# The tags under which the pinned wheels were published: pip is told them, so that any Python 3 fetches the same files.
TAGS = ["--python-version", "3.12", "--implementation", "cp", "--abi", "cp312", "--abi", "none"]
PLATFORMS = ["manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_25_x86_64", "manylinux_2_18_x86_64",
             "manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64"]

# (pattern of paths inside the wheels, folder they go to; None keeps the path below torch/)
PARTS = {
    "cpu": [
        ("onnxruntime/capi/libonnxruntime.so.*", "onnxruntime"),
        ("torch/include/*", None),
        ("torch/lib/libtorch.so", "libtorch/lib"),
        ("torch/lib/libtorch_cpu.so", "libtorch/lib"),
        ("torch/lib/libtorch_global_deps.so", "libtorch/lib"),
        ("torch/lib/libc10.so", "libtorch/lib"),
        ("torch/lib/libgomp.so.1", "libtorch/lib"),
        ("nvidia/cu13/lib/libcudart.so.13", "libtorch/lib"),
        ("nvidia/cu13/lib/libcupti.so.13", "libtorch/lib"),
    ],
    "cuda": [
        ("onnxruntime/capi/libonnxruntime*.so*", "onnxruntime"),
        ("torch/include/*", None),
        ("torch/lib/lib*.so*", "libtorch/lib"),
        ("nvidia/*/lib/lib*.so*", "libtorch/lib"),
    ],
}
NOT_NEEDED = ["*/libtorch_python.so", "*/libnvperf_*", "*/libpcsamplingutil.so", "*/libcheckpoint.so"]


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in PARTS:
        sys.exit(__doc__)
    kind, folder = sys.argv[1], Path(sys.argv[2])
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        sys.exit(f"stage_runtime: the pinned libraries are for x86-64 Linux, this is {platform.system()} on "
                 f"{platform.machine()}; put libonnxruntime.so into {folder}/onnxruntime and libtorch into "
                 f"{folder}/libtorch yourself")
    pins = HERE / f"runtime-{kind}.txt"
    wanted = hashlib.sha256(pins.read_bytes() + Path(__file__).read_bytes()).hexdigest()
    mark = folder / "staged"
    if mark.is_file() and mark.read_text().split() == [kind, wanted]:
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".wheels-") as wheels:
        print(f"stage_runtime: fetching the {kind} wheels named in {pins.name}", flush=True)
        fetch(pins, wheels)
        staged = Path(wheels) / "staged"
        for wheel in sorted(Path(wheels).glob("*.whl")):
            unpack(wheel, PARTS[kind], staged)
        # From here on until all of it stands, it is neither the old staging nor the new.
        mark.unlink(missing_ok=True)
        for part in ("onnxruntime", "libtorch"):
            if not (staged / part).is_dir():
                sys.exit(f"stage_runtime: the wheels hold no {part}; check {pins}")
            shutil.rmtree(folder / part, ignore_errors=True)
            os.replace(staged / part, folder / part)
    for library in (folder / "onnxruntime").glob("libonnxruntime.so.*"):
        link = library.with_name("libonnxruntime.so")
        link.unlink(missing_ok=True)
        link.symlink_to(library.name)
    mark.write_text(f"{kind} {wanted}\n")
    print(f"stage_runtime: libonnxruntime and libtorch ({kind}) stand in {folder}", flush=True)


def fetch(pins, into):
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
               "--no-cache-dir", "--only-binary=:all:", "--require-hashes", "--dest", into, "-r", str(pins), *TAGS]
    for name in PLATFORMS:
        command += ["--platform", name]
    if subprocess.run(command).returncode != 0:
        sys.exit("stage_runtime: pip could not fetch the wheels (its message stands above); see that the package "
                 "index is reachable, then run make again")


def unpack(wheel, parts, into):
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.namelist():
            if member.endswith("/") or any(fnmatch.fnmatch(member, pattern) for pattern in NOT_NEEDED):
                continue
            for pattern, target in parts:
                if fnmatch.fnmatch(member, pattern):
                    if target is None:
                        path = into / "libtorch" / Path(member).relative_to("torch")
                    else:
                        path = into / target / Path(member).name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    with archive.open(member) as source, open(path, "wb") as sink:
                        shutil.copyfileobj(source, sink, 1 << 20)
                    break


if __name__ == "__main__":
    main()
