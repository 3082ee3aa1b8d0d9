"""Makes the second data set of bench/accuracy.py: 12,000 labelled JPEGs of 11 classes, a cut-out photograph on a crop of another.

    python bench/photos.py FOLDER [COUNT]

Leaves FOLDER/{pool,validation,test}.txt with `path label` lines, eight, one and one tenth of the images, and beside them
unseen.txt with another tenth; every side has 224 pixels or more, and every class as many images as the others. The cut-outs
are the stamps of Debian's tuxpaint, the backgrounds photographs among its wallpapers, fetched with apt-get, which needs no
root. They are under the GPL, version 2 (stamps, MATE's), and the GPL, Creative Commons BY and BY-SA and the public domain
(Lomiri's and Plasma's): what is made of them stays in FOLDER. It is made once; the same sources, COUNT and libraries give the
same files.

What is a fair test? There are only 250 things to be seen. With so few of them a test on things that the pool does not have
says more about which things these are than about the training: a linear classifier on the pretrained network's features is
right for 65% of them, against 89% for new images of things it knows, and in a short trial more fine-tuning on the pool did
not raise the former. By such a test training less would cost little, and every arm that saves work would look good. So the
lists are divided by image: pool, validation and test have the same things, each image with a crop, size, place, angle, light and
focus of its own, and the test asks what there was to be learnt of the pool. Backgrounds are shared: they are drawn without
regard to the class, so to know one again says nothing of the label. Photographs that show a thing of some class are left out,
as their labels would not be true.

What is learnt that holds beyond the pool is stated as well: a fifth of the things of each class are in unseen.txt only.
Cut-outs whose names begin alike (`rabbit`, `rabbit-2`) are taken for the same thing and stay together. bench/accuracy.py keeps
the accuracy on them with each result; no bar looks at it.

The pool is redundant, about 50 images of each thing, as collections of the same things are; that suits methods that skip what
is known.
"""

import math
import multiprocessing
import random
import re
import sys
from pathlib import Path

from PIL import Image, ImageEnhance, ImageFilter

import jpegs

SEED = 1
# How many images the lists have, as shares of COUNT; and which share of a class's cut-outs is for the last list only.
LISTS = {"pool": 0.8, "validation": 0.1, "test": 0.1, "unseen": 0.1}
HELD_OUT = 0.2
STAMPS = "tuxpaint-stamps-default"
CLASSES = {
    "bird": ["animals/birds"], "fish": ["animals/fish"], "flower": ["plants/flowers"], "fruit": ["food/fruit"],
    "insect": ["animals/insects"], "mammal": ["animals/mammals", "animals/marsupials"], "music": ["hobbies/music"],
    "roadsign": ["town/roadsigns"], "tool": ["household/tools"], "vegetable": ["food/vegetables"], "vehicle": ["vehicles"],
}
# Words in the names of stamps that are drawn, or are the mirror image of another; and the smallest side of one.
NOT_STAMPS = ("cartoon", "mirror", "flip")
SMALLEST_STAMP = 40
# The wallpapers that are photographs and show no thing of any class.
BACKGROUNDS = [
    "Aqua", "Blinds", "Bridge_by", "BytheWater", "ColdRipple", "ColorfulCups", "DarkestHour", "Dune", "FallenLeaf",
    "GreenMeadow", "Grey/", "Kite", "OneStandsOut", "Path/", "RainDrops", "Shell", "Storm", "Volna", "Wood", "aitzgorri",
    "greentock", "life_by", "picosdeeuropa", "summer_1am", "sunset_by",
]
WIDTHS = [256, 320, 384, 512, 640]
SMALLEST = 224
# The share of the free side that a cut-out takes, how far it is turned, and how far the whole image is altered.
SIZES, TURNS = (0.25, 0.95), (-25, 25)
ALTERED = [(ImageEnhance.Brightness, 0.55, 1.3), (ImageEnhance.Contrast, 0.6, 1.2), (ImageEnhance.Color, 0.3, 1.3)]
BLURRED, BLURS = 0.3, (0.5, 2.5)
QUALITIES = [60, 75, 85, 92]


def main():
    folder = Path(sys.argv[1]).resolve()
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 12_000
    if made(folder) == sum(round(share * count) for share in LISTS.values()):
        return
    for package in [STAMPS, *jpegs.PACKAGES]:
        jpegs.fetch(folder / "sources", package, "bench-accuracy needs it for its task photos-efficientnet only")
    backgrounds = chosen_backgrounds(folder / "sources")
    images = planned(count, *cutouts(folder / "sources"), len(backgrounds))
    shares = [[image for image in images if image[-1] == number] for number in range(len(backgrounds))]
    print(f"photos: {len(images)} images with {len(backgrounds)} backgrounds", flush=True)
    with multiprocessing.Pool() as pool:
        pool.starmap(compose, [(path, share, folder) for path, share in zip(backgrounds, shares)], chunksize=1)
    for name in LISTS:
        lines = [f"{file_of(number)} {label}\n" for number, where, label, *_ in images if where == name]
        (folder / f"{name}.txt").write_text("".join(lines))


def made(folder):
    """How many images the lists have, 0 if one is missing."""
    lists = [folder / f"{name}.txt" for name in LISTS]
    return sum(1 for path in lists for _ in open(path)) if all(path.exists() for path in lists) else 0


def chosen_backgrounds(sources):
    """The backgrounds, each in its largest size."""
    found = jpegs.photographs(sources)
    area = lambda path: math.prod(Image.open(path).size)
    named = [[path for path in found if STAMPS not in path.parts and name in str(path.relative_to(sources))]
             for name in BACKGROUNDS]
    return [max(paths, key=area) for paths in named]


def cutouts(sources):
    """The stamps of each class in the order of the classes: those for all lists, and those for `unseen` only."""
    known, unseen = [], []
    stamps = sources / STAMPS / "usr/share/tuxpaint/stamps"
    for label, folders in enumerate(CLASSES.values()):
        paths = [path for folder in folders for path in sorted((stamps / folder).rglob("*.png"))
                 if not any(word in str(path) for word in NOT_STAMPS) and min(Image.open(path).size) >= SMALLEST_STAMP]
        things = {}
        for path in paths:
            things.setdefault(thing(path), []).append(path)
        groups = [things[name] for name in sorted(things)]
        random.Random(f"{SEED} cut-outs {label}").shuffle(groups)
        # A thing of more cut-outs than there is room for is known.
        room, ours, theirs = math.ceil(HELD_OUT * len(paths)), [], []
        for group in groups:
            where = theirs if len(theirs) + len(group) <= room else ours
            where += group
        known.append(ours)
        unseen.append(theirs)
    return known, unseen


def thing(path):
    """What a stamp shows, by its name: the first word without numbers."""
    return re.split("[-_]", path.stem.lower())[0].rstrip("0123456789") or path.stem


def planned(count, known, unseen, backgrounds):
    """Every image as (number, list, label, stamp, background); classes, and the stamps of a class, take turns."""
    images = []
    for name, share in LISTS.items():
        for turn in range(round(share * count)):
            number, label = len(images), turn % len(CLASSES)
            stamps = (unseen if name == "unseen" else known)[label]
            stamp = stamps[turn // len(CLASSES) % len(stamps)]
            images.append((number, name, label, stamp, random.Random(f"{SEED} background {number}").randrange(backgrounds)))
    return images


def file_of(number):
    return f"{number % 100:02d}/{number:05d}.jpg"


def compose(path, images, folder):
    """Makes all images that have this background."""
    with Image.open(path) as image:
        photograph = image.convert("RGB")
    for number, _, _, stamp, _ in images:
        draw = random.Random(f"{SEED} image {number}")
        target = folder / file_of(number)
        target.parent.mkdir(parents=True, exist_ok=True)
        image = altered(with_cutout(window(photograph, draw), stamp, draw), draw)
        image.save(target, quality=draw.choice(QUALITIES))


def window(photograph, draw):
    """A random part of the photograph, scaled to a random size and shape."""
    width = draw.choice(WIDTHS)
    height = max(SMALLEST, round(width * draw.uniform(0.75, 1.33)))
    zoom = draw.uniform(1, 2.5)
    across, down = min(photograph.width, round(width * zoom)), min(photograph.height, round(height * zoom))
    left, top = draw.randint(0, photograph.width - across), draw.randint(0, photograph.height - down)
    return photograph.resize((width, height), Image.BICUBIC, box=(left, top, left + across, top + down))


def with_cutout(image, stamp, draw):
    """The image with the stamp on it: mirrored or not, turned, and of a random size at a random place."""
    with Image.open(stamp) as file:
        cutout = file.convert("RGBA")
    if draw.random() < 0.5:
        cutout = cutout.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    cutout = cutout.rotate(draw.uniform(*TURNS), expand=True, resample=Image.BICUBIC)
    scale = draw.uniform(*SIZES) * min(image.width / cutout.width, image.height / cutout.height)
    size = [max(8, int(side * scale)) for side in cutout.size]
    cutout = cutout.resize(size, Image.LANCZOS)
    place = draw.randint(0, image.width - size[0]), draw.randint(0, image.height - size[1])
    image.paste(cutout, place, cutout)
    return image


def altered(image, draw):
    """The image in other light and colours, and sometimes out of focus."""
    for enhancer, low, high in ALTERED:
        image = enhancer(image).enhance(draw.uniform(low, high))
    if draw.random() < BLURRED:
        image = image.filter(ImageFilter.GaussianBlur(draw.uniform(*BLURS)))
    return image


if __name__ == "__main__":
    main()
