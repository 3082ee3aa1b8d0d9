"""Makes a list of real JPEG photographs: crops of the wallpapers that Debian ships, at sizes as photo collections have.

    python bench/jpegs.py FOLDER [COUNT]

The photographs come from Debian packages (fetched with apt-get, which needs no root; some are under the GPL, some under
Creative Commons licences, so what is made of them stays here). Leaves FOLDER/list.txt with `path label` lines, the label
being the photograph. It is made once.
"""

import multiprocessing
import random
import subprocess
import sys
from pathlib import Path

from PIL import Image

PACKAGES = ["lomiri-wallpapers-16.04", "lomiri-wallpapers-20.04", "mate-backgrounds", "plasma-workspace-wallpapers"]
WIDTHS = [256, 320, 384, 448, 512, 640]
SMALLEST = 240
Image.MAX_IMAGE_PIXELS = None


def main():
    folder = Path(sys.argv[1]).resolve()
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 12_000
    made = folder / "list.txt"
    if made.exists() and sum(1 for _ in open(made)) == count:
        return
    for package in PACKAGES:
        fetch(folder / "sources", package,
              "on a system without it give bench-mine a list of your own: make bench-mine JPEGS=FILE")
    found = photographs(folder / "sources")
    print(f"jpegs: {count} crops of {len(found)} photographs", flush=True)
    shares = [range(start, count, len(found)) for start in range(len(found))]
    with multiprocessing.Pool() as pool:
        pool.starmap(crops, [(path, label, share, folder) for label, (path, share) in enumerate(zip(found, shares))])
    lines = [f"{index % 100:02d}/{index:05d}.jpg {index % len(found)}\n" for index in range(count)]
    made.write_text("".join(lines))


def fetch(folder, package, without):
    """Unpacks a Debian package under the folder, once; `without` says what can be done where that fails."""
    into = folder / package
    if into.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    print(f"fetching Debian's {package}", flush=True)
    if subprocess.run(["apt-get", "download", "-q", package], cwd=folder).returncode != 0:
        sys.exit(f"apt-get could not fetch {package}; {without}")
    part = into.with_suffix(".part")
    subprocess.run(["dpkg", "-x", next(folder.glob(f"{package}_*.deb")), part], check=True)
    part.rename(into)


def photographs(folder):
    """The photographs of 1000 pixels and more, in the order of their paths."""
    found = []
    for path in sorted(folder.glob("*/usr/share/**/*")):
        if path.suffix.lower() in (".jpg", ".jpeg") and not path.is_symlink():
            with Image.open(path) as image:
                if min(image.size) >= 1000:
                    found.append(path)
    if not found:
        sys.exit(f"no photographs of 1000 pixels and more in {folder}; remove the folder and try again")
    return found


def crops(path, label, share, folder):
    """Cuts random windows out of one photograph and scales each to a size of its own."""
    with Image.open(path) as image:
        photograph = image.convert("RGB")
    for index in share:
        draw = random.Random(index)
        width = draw.choice(WIDTHS)
        height = max(SMALLEST, int(width * draw.uniform(0.67, 1.33)))
        zoom = draw.uniform(1.0, max(1.0, min(photograph.width / width, photograph.height / height)))
        across, down = min(int(width * zoom), photograph.width), min(int(height * zoom), photograph.height)
        left, top = draw.randint(0, photograph.width - across), draw.randint(0, photograph.height - down)
        window = photograph.crop((left, top, left + across, top + down)).resize((width, height), Image.LANCZOS)
        target = folder / f"{index % 100:02d}" / f"{index:05d}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        window.save(target, quality=draw.choice([75, 80, 85, 90, 95]))


if __name__ == "__main__":
    main()
