"""The loop of plain.py as a trainer of gleaner: it takes lists, and gives checkpoints.

Started by gleaner, an epoch at a time:

    trainer:
      command: [python3, train.py, "{manifest}", validation.csv, "{epoch}", "{epoch}"]

or by itself, with `trainer: none`, where it waits for the list of each epoch:

    python3 train.py lists/next.csv validation.csv 0 9

Both run in the folder in which `lists` and `watch` are. New releases of PyTorch want `onnxscript` for the export.
"""

import csv
import filecmp
import os
import sys
import time

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
        return {"image": (pixels - numpy.float32(0.286)) / numpy.float32(0.353), "label": int(row["label"]), "weight": float(row.get("weight", 1))}


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
        while not (os.path.exists(f"lists/{name}.csv") and filecmp.cmp(train, f"lists/{name}.csv", shallow=False)):
            time.sleep(1)
        net.train()
        for batch in torch.utils.data.DataLoader(Images(train), batch_size=64, shuffle=True):
            loss = (batch["weight"] * nn.functional.cross_entropy(net(batch["image"]), batch["label"], reduction="none")).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"{name}: accuracy {accuracy(net, torch.utils.data.DataLoader(Images(validation), 256)):.4f}", flush=True)
        torch.save({"net": net.state_dict(), "optimizer": optimizer.state_dict()}, f"{name}.pt")
        torch.onnx.export(net, torch.zeros(2, 1, 28, 28), f"watch/{name}.part", input_names=["image"], dynamic_axes={"image": {0: "batch"}})
        os.rename(f"watch/{name}.part", f"watch/{name}.onnx")


if __name__ == "__main__":
    main()
