"""Turns Fashion-MNIST (Debian's package dataset-fashion-mnist, MIT) into PNG files and `path label` lists.

    python3 scripts/fashion_mnist.py FOLDER [IDX_FOLDER]

Leaves FOLDER/{train,test}/NNNNN.png and FOLDER/{pool,validation,test}.txt: 55,000 images to choose from, 5,000 for
validation (500 of each class, by a fixed draw) and the 10,000 test images. Paths in the lists are relative to FOLDER.
Without IDX_FOLDER, which must hold the four idx files (plain or .gz), the package is fetched with apt-get, unpacked
with dpkg and not installed; that needs no root. Needs nothing beyond Python 3's own library.
"""

import gzip
import hashlib
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

PACKAGE = "dataset-fashion-mnist"
FILES = {  # name: SHA-256 of the unpacked idx file
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
VALIDATION_PER_CLASS = 500
SEED = 1


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    done = folder / "done"
    if done.is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    source = Path(sys.argv[2]) if len(sys.argv) == 3 else fetch(folder / ".package")
    parts = {name: read(source, name) for name in FILES}
    print(f"fashion_mnist: writing 70,000 PNG files to {folder}", flush=True)
    train = write_images(folder, "train", parts["train-images-idx3-ubyte"], parts["train-labels-idx1-ubyte"])
    test = write_images(folder, "test", parts["t10k-images-idx3-ubyte"], parts["t10k-labels-idx1-ubyte"])
    held_out = validation(train)
    write_list(folder / "pool.txt", [line for index, line in enumerate(train) if index not in held_out])
    write_list(folder / "validation.txt", [line for index, line in enumerate(train) if index in held_out])
    write_list(folder / "test.txt", test)
    shutil.rmtree(folder / ".package", ignore_errors=True)
    done.write_text("")
    print(f"fashion_mnist: lists stand in {folder}", flush=True)


def fetch(folder):
    folder.mkdir(parents=True, exist_ok=True)
    print(f"fashion_mnist: fetching Debian's package {PACKAGE}", flush=True)
    for tool in ("apt-get", "dpkg"):
        if shutil.which(tool) is None:
            sys.exit(f"fashion_mnist: there is no {tool} here; get the four idx files of Fashion-MNIST yourself and "
                     "run: make data FASHION_MNIST=FOLDER")
    if not download(folder):
        # No package lists on this machine, or old ones: lists of our own need no root.
        own = folder.resolve() / "apt"
        (own / "lists" / "partial").mkdir(parents=True, exist_ok=True)
        (own / "cache" / "archives" / "partial").mkdir(parents=True, exist_ok=True)
        options = ["-o", f"Dir::State::Lists={own}/lists", "-o", f"Dir::Cache={own}/cache"]
        subprocess.run(["apt-get", "update", "-qq", *options], cwd=folder)
        if not download(folder, *options):
            sys.exit(f"fashion_mnist: apt-get found no {PACKAGE} (its message stands above); get the four idx files of "
                     "Fashion-MNIST yourself and run: make data FASHION_MNIST=FOLDER")
    for package in folder.glob(f"{PACKAGE}_*.deb"):
        subprocess.run(["dpkg", "-x", package.name, "unpacked"], cwd=folder, check=True)
    found = list((folder / "unpacked").rglob("train-images-idx3-ubyte*"))
    if not found:
        sys.exit(f"fashion_mnist: {PACKAGE} holds no train-images-idx3-ubyte")
    return found[0].parent


def download(folder, *options):
    # As root, apt warns that its unprivileged user cannot write here; it then does the work itself.
    command = ["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *options, PACKAGE]
    return subprocess.run(command, cwd=folder).returncode == 0


def read(folder, name):
    plain, packed = folder / name, folder / f"{name}.gz"
    if plain.is_file():
        content = plain.read_bytes()
    elif packed.is_file():
        content = gzip.decompress(packed.read_bytes())
    else:
        sys.exit(f"fashion_mnist: neither {plain} nor {packed} is there")
    digest = hashlib.sha256(content).hexdigest()
    if digest != FILES[name]:
        sys.exit(f"fashion_mnist: {folder / name} is not Fashion-MNIST's (SHA-256 {digest}, wanted {FILES[name]})")
    return content


def write_images(folder, split, images, labels):
    _, count, height, width = struct.unpack(">IIII", images[:16])
    (folder / split).mkdir(exist_ok=True)
    lines = []
    for index in range(count):
        start = 16 + index * height * width
        name = f"{split}/{index:05}.png"
        (folder / name).write_bytes(png(images[start:start + height * width], height, width))
        lines.append((name, labels[8 + index]))
    return lines


def png(pixels, height, width):
    """A grey 8-bit PNG file (ISO/IEC 15948): every row is preceded by its filter, 0 for none."""
    rows = b"".join(b"\0" + pixels[row * width:(row + 1) * width] for row in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks)


def validation(train):
    """The same images on every machine: in each class, those whose digest of seed and index is smallest."""
    drawn = {}
    for index, (_, label) in enumerate(train):
        drawn.setdefault(label, []).append((hashlib.sha256(f"{SEED}:{index}".encode()).digest(), index))
    return {index for members in drawn.values() for _, index in sorted(members)[:VALIDATION_PER_CLASS]}


def write_list(path, lines):
    path.write_text("".join(f"{name} {label}\n" for name, label in lines))


if __name__ == "__main__":
    main()
