"""Other people's side of `make bench-mine`: the scan's work as it is done in Python, a turn a line on standard input.

    python bench/mine_python.py pillow      LIST GRAPH SIDE CHANNELS       decoding alone, in one thread
    python bench/mine_python.py workers     LIST GRAPH SIDE CHANNELS       Pillow in two processes, onnxruntime
    python bench/mine_python.py dataloader  LIST GRAPH SIDE CHANNELS       PyTorch's DataLoader with two workers, onnxruntime

The line says how many images the turn takes. `workers` hands bytes between processes and normalises in the one that scores, which is the faster way round.
"""

import json
import multiprocessing
import random
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

BATCH = 64
WORKERS = 2


class Images:
    """The images of a list, as arrays of bytes [side, side, channels]."""

    def __init__(self, source, side, channels):
        folder = Path(source).resolve().parent
        self.paths = [str(folder / line.rsplit(" ", 1)[0]) for line in open(source)]
        self.side, self.mode = side, "L" if channels == 1 else "RGB"

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        with Image.open(self.paths[index]) as image:
            image = image.convert(self.mode)
        side = self.side
        if image.size != (side, side):
            # torchvision's Resize(side / 0.875) and CenterCrop(side)
            short = round(side / 0.875)
            width, height = image.size
            if width < height:
                width, height = short, int(short * height / width)
            else:
                width, height = int(short * width / height), short
            image = image.resize((width, height), Image.BILINEAR)
            left, top = round((width - side) / 2), round((height - side) / 2)
            image = image.crop((left, top, left + side, top + side))
        array = np.asarray(image)
        return array[:, :, None] if array.ndim == 2 else array

    def batch(self, indices):
        return np.stack([self[index] for index in indices])


IMAGES = None


def batch_of(indices):
    return IMAGES.batch(indices)


def score(session, batch):
    """A batch of bytes, normalised and through the model."""
    numbers = (batch.astype(np.float32) / 255 - 0.5) / 0.25
    return session.run(None, {session.get_inputs()[0].name: np.ascontiguousarray(numbers.transpose(0, 3, 1, 2))})[0]


def main():
    global IMAGES
    mode, source, graph, side, channels = sys.argv[1:]
    IMAGES = Images(source, int(side), int(channels))
    turn = {"pillow": pillow, "workers": workers, "dataloader": dataloader}[mode](graph)
    print("ready", flush=True)
    for number, line in enumerate(sys.stdin):
        count = int(line)
        order = random.Random(number).sample(range(len(IMAGES)), count)
        start = time.perf_counter()
        assert turn(order) == count
        seconds = time.perf_counter() - start
        print(json.dumps({"seconds": seconds, "images": count, "rate": count / seconds}), flush=True)


def pillow(_):
    return lambda order: sum(IMAGES[index].size > 0 for index in order)


def workers(graph):
    processes = multiprocessing.Pool(WORKERS)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])

    def turn(order):
        batches = [order[start:start + BATCH] for start in range(0, len(order), BATCH)]
        return sum(len(score(session, batch)) for batch in processes.imap(batch_of, batches))

    return turn


def dataloader(graph):
    import torch

    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    order = []
    loader = torch.utils.data.DataLoader(
        IMAGES, batch_size=BATCH, num_workers=WORKERS, sampler=order, persistent_workers=True,
        collate_fn=lambda images: torch.from_numpy(np.stack(images)),
    )

    def turn(now):
        order[:] = now
        return sum(len(score(session, batch.numpy())) for batch in loader)

    return turn


if __name__ == "__main__":
    main()
