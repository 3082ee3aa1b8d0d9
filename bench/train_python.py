"""PyTorch's side of `make bench-train`: a turn a line on standard input, which says for how many batches it lasts.

    python bench/train_python.py step   NETWORK THREADS contiguous|channels_last        the step alone, eager
    python bench/train_python.py files  NETWORK THREADS contiguous|channels_last LIST   fed by a DataLoader, one worker a thread

The step is what PyTorch's documentation shows: forward, cross-entropy, backward, SGD with momentum and weight decay.
"""

import json
import resource
import sys
import time
from pathlib import Path

import torch
import train_networks
from PIL import Image
from torch import nn
from torchvision import transforms


class Images(torch.utils.data.Dataset):
    """The images of a list, as torchvision's training recipes prepare them."""

    def __init__(self, source, side):
        folder = Path(source).resolve().parent
        lines = [line.rstrip("\n").rsplit(" ", 1) for line in open(source)]
        self.samples = [(str(folder / path), int(label)) for path, label in lines]
        self.prepare = transforms.Compose([
            transforms.Resize(int(side / 0.875)), transforms.CenterCrop(side), transforms.RandomHorizontalFlip(),
            transforms.ToTensor(), transforms.Normalize([0.5] * 3, [0.25] * 3),
        ])

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        path, label = self.samples[index]
        with Image.open(path) as image:
            return self.prepare(image.convert("RGB")), label % train_networks.CLASSES


def main():
    mode, name, threads, layout, *source = sys.argv[1:]
    torch.set_num_threads(int(threads))
    _, channels, side, batch = train_networks.NETWORKS[name]
    layout = torch.channels_last if layout == "channels_last" else torch.contiguous_format
    network = train_networks.make(name).to(memory_format=layout)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    criterion = nn.CrossEntropyLoss()

    def step(images, labels):
        optimiser.zero_grad()
        loss = criterion(network(images.to(memory_format=layout)), labels)
        loss.backward()
        optimiser.step()
        return loss.item()

    if mode == "step":
        images = torch.rand(batch, channels, side, side) * 2 - 1
        labels = torch.arange(batch) % train_networks.CLASSES
        feed = lambda steps: ((images, labels) for _ in range(steps))
    else:
        loader = torch.utils.data.DataLoader(
            Images(source[0], side), batch_size=batch, shuffle=True, num_workers=int(threads), persistent_workers=True)
        feed = lambda steps: (pair for pair, _ in zip(loader, range(steps)))
    print("ready", flush=True)
    for line in sys.stdin:
        steps, last = int(line), 0.0
        began = time.perf_counter()
        for images, labels in feed(steps):
            last = step(images, labels)
        seconds = time.perf_counter() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(json.dumps({"seconds": seconds, "rate": steps * batch / seconds, "loss": last, "peak_mib": peak}), flush=True)


if __name__ == "__main__":
    main()
