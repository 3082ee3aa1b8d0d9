"""An ordinary PyTorch loop, which knows nothing of gleaner: a small network learns grey images of 28 x 28 pixels.

    python3 plain.py TRAIN.csv VALIDATION.csv FIRST LAST

trains the epochs FIRST to LAST, and goes on from what the epoch before FIRST has saved. The tables have the columns `path` and
`label`. train.py, beside this file, is the same loop with the nine lines that gleaner needs: `diff plain.py train.py`.
"""

import csv
import sys

import numpy
import torch
from PIL import Image
from torch import nn


class Images(torch.utils.data.Dataset):
    def __init__(self, table):
        self.rows = list(csv.DictReader(open(table)))

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, at):
        row = self.rows[at]
        pixels = numpy.asarray(Image.open(row["path"]), dtype=numpy.float32)[None] / 255
        return {"image": (pixels - numpy.float32(0.286)) / numpy.float32(0.353), "label": int(row["label"])}


def block(inputs, outputs):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)
    )


def accuracy(net, loader):
    net.eval()
    with torch.no_grad():
        right = [(net(batch["image"]).argmax(1) == batch["label"]).float() for batch in loader]
    return torch.cat(right).mean().item()


def main():
    train, validation, first, last = *sys.argv[1:3], *map(int, sys.argv[3:])
    torch.manual_seed(first)
    net = nn.Sequential(block(1, 16), block(16, 32), block(32, 64), nn.Flatten(), nn.Linear(64 * 3 * 3, 10))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    if first > 0:
        saved = torch.load(f"epoch-{first - 1:04}.pt")
        net.load_state_dict(saved["net"])
        optimizer.load_state_dict(saved["optimizer"])
    for epoch in range(first, last + 1):
        name = f"epoch-{epoch:04}"
        net.train()
        for batch in torch.utils.data.DataLoader(Images(train), batch_size=64, shuffle=True):
            loss = nn.functional.cross_entropy(net(batch["image"]), batch["label"])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"{name}: accuracy {accuracy(net, torch.utils.data.DataLoader(Images(validation), 256)):.4f}", flush=True)
        torch.save({"net": net.state_dict(), "optimizer": optimizer.state_dict()}, f"{name}.pt")


if __name__ == "__main__":
    main()
