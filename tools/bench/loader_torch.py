"""Loads images with PyTorch's DataLoader and Pillow: RandomResizedCrop(224) as in torchvision, flip, uint8. tools/bench/loader runs it.

usage: loader_torch.py SOURCE THREADS BATCH     with one thread, this process decodes the images without a worker process
"""
import math
import os
import random
import sys
import time

import numpy
import PIL
import torch
from PIL import Image


class Images(torch.utils.data.Dataset):
    def __init__(self, source):
        split = next(split for split in ("train", "val", ".") if os.path.isdir(os.path.join(source, split)))
        root = os.path.join(source, split)
        classes = sorted(name for name in os.listdir(root) if os.path.isdir(os.path.join(root, name)))
        self.items = [(os.path.join(root, name, file), label) for label, name in enumerate(classes) for file in sorted(os.listdir(os.path.join(root, name)))]

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        path, label = self.items[index]
        with open(path, "rb") as file:
            image = Image.open(file).convert("RGB")
        x, y, w, h = draw_crop(*image.size)
        image = image.crop((x, y, x + w, y + h)).resize((224, 224), Image.BILINEAR)
        if random.random() < 0.5:
            image = image.transpose(Image.FLIP_LEFT_RIGHT)
        return torch.from_numpy(numpy.array(image)), label


def draw_crop(width, height):
    """Returns (x, y, width, height) of a crop, drawn as in torchvision.transforms.RandomResizedCrop.get_params."""
    for _ in range(10):
        area, aspect = width * height * random.uniform(0.08, 1), math.exp(random.uniform(math.log(3 / 4), math.log(4 / 3)))
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            return random.randint(0, width - w), random.randint(0, height - h), w, h
    side = min(width, height)
    return (width - side) // 2, (height - side) // 2, side, side


def endless(loader):
    while True:
        yield from loader


def main():
    source, threads, batch = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(1)
    images = Images(source)
    many = torch.utils.data.Subset(images, [i % len(images) for i in range(max(len(images), 40 * batch))])  # fewer ends of epochs
    workers = {"num_workers": threads, "persistent_workers": True, "prefetch_factor": 4} if threads > 1 else {}
    batches = endless(torch.utils.data.DataLoader(many, batch_size=batch, shuffle=True, drop_last=True, **workers))
    print(f"DataLoader (PyTorch {torch.__version__}, Pillow {PIL.__version__})", flush=True)
    for line in sys.stdin:
        count = int(line)
        for _ in range(4 * threads if threads > 1 else 0):  # drop the batches that were prepared during other measurements
            next(batches)
        begin, cpu_begin = time.perf_counter(), time.process_time()
        for _ in range(count):
            next(batches)
        cpu = time.process_time() - cpu_begin if threads == 1 else float("nan")  # process_time() does not include worker processes
        print(count * batch / (time.perf_counter() - begin), count * batch / cpu, flush=True)


main()
