"""PyTorch's side of bench/train_gpu.py: a turn a line on standard input.

A line says for how many batches the turn lasts, contiguous or channels_last, how many images a batch has, fp32 or bf16, and
which network. The networks of one batch and precision stay until a line asks for another. The memory is what PyTorch's
allocator took for the network and its batches, and what a process takes of the GPU at all.
"""

import json
import os
import sys
import time

import torch
import train_networks
from torch import nn

import gpu


class Training:
    """A network that trains on one batch again and again."""

    def __init__(self, name, layout, batch, precision):
        _, channels, side, _ = train_networks.NETWORKS[name]
        self.layout = torch.channels_last if layout == "channels_last" else torch.contiguous_format
        self.half = precision == "bf16"
        before = torch.cuda.memory_reserved()
        self.network = train_networks.make(name).to("cuda", memory_format=self.layout)
        self.optimiser = torch.optim.SGD(self.network.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
        self.criterion = nn.CrossEntropyLoss()
        self.images = (torch.rand(batch, channels, side, side) * 2 - 1).pin_memory()
        self.labels = (torch.arange(batch) % train_networks.CLASSES).pin_memory()
        for _ in range(3):
            self.step()
        self.mib = (torch.cuda.memory_reserved() - before) // 2**20

    def step(self):
        images = self.images.to("cuda", non_blocking=True).to(memory_format=self.layout)
        labels = self.labels.to("cuda", non_blocking=True)
        self.optimiser.zero_grad()
        with torch.autocast("cuda", torch.bfloat16, enabled=self.half):
            loss = self.criterion(self.network(images), labels)
        loss.backward()
        self.optimiser.step()
        return loss.item()


def main():
    torch.zeros(1, device="cuda")
    context = gpu.memory_of(os.getpid()) - torch.cuda.memory_reserved() // 2**20
    print("ready", flush=True)
    there, present = {}, None
    for line in sys.stdin:
        steps, layout, batch, precision, name = line.rstrip("\n").split(" ", 4)
        if present != (batch, precision, name):
            training, there, present = None, {}, (batch, precision, name)
            torch.cuda.empty_cache()
        if layout not in there:
            there[layout] = Training(name, layout, int(batch), precision)
        training, steps = there[layout], int(steps)
        began = time.perf_counter()
        for _ in range(steps):
            last = training.step()
        torch.cuda.synchronize()
        seconds = time.perf_counter() - began
        rate = steps * int(batch) / seconds
        print(json.dumps({"seconds": seconds, "rate": rate, "loss": last, "memory_mib": context + training.mib}), flush=True)


if __name__ == "__main__":
    main()
