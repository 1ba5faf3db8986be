#!/usr/bin/env python3
"""Compares the loader's samples with Pillow's. The samples may differ by at most one grey level.

data.decode "exact" corresponds to Pillow's Image.crop, then Image.resize. "draft" corresponds to Image.draft, then Image.resize with a
box. The JPEGs are made by Pillow; if ../shared/datasets/imagenet-sample exists, ImageNet originals are compared too.

usage: check_pillow.py DUMP_SAMPLES SOURCE_FOLDER     exits with 77 without Pillow
"""
import os
import random
import subprocess
import sys
import tempfile

try:
    from PIL import Image, ImageChops, features
except ImportError:
    print("skipped: no Pillow")
    sys.exit(77)


def make_images(folder):
    """Writes JPEGs with edges and noise, in every mode and chroma subsampling that Pillow can write."""
    draw = random.Random(0)
    os.makedirs(os.path.join(folder, "val", "c"))
    for number, mode in enumerate(["RGB", "L", "RGB", "RGB"]):
        for subsampling in range(3):
            w, h = draw.randrange(90, 700), draw.randrange(90, 700)
            noise = Image.frombytes(mode, (w // 3, h // 3), draw.randbytes(w // 3 * (h // 3) * len(mode))).resize((w, h), Image.BICUBIC)
            options = {"subsampling": subsampling} if mode == "RGB" else {}
            noise.save(os.path.join(folder, "val", "c", f"{number}-{subsampling}.jpg"), quality=90, progressive=number == 2, **options)


def pillows(line, side):
    reduction, x, y, w, h, name = line.split(" ", 5)
    by, x, y, w, h = (int(word) for word in (reduction, x, y, w, h))
    image = Image.open(name)
    if by == 1:
        return by, image.convert("RGB").crop((x, y, x + w, y + h)).resize((side, side), Image.BILINEAR)
    wanted = tuple(-(-length // by) for length in image.size)
    image.draft("RGB" if image.mode == "RGB" else "L", tuple(length // by for length in image.size))
    assert image.size == wanted, (image.size, wanted, by)
    return by, image.convert("RGB").resize((side, side), Image.BILINEAR, box=(x / by, y / by, (x + w) / by, (y + h) / by))


def check(dump, source, decode, side, count, scratch):
    raw = os.path.join(scratch, "samples.raw")
    lines = subprocess.run([dump, source, str(decode), str(side), str(count), raw], capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(lines) == count
    reductions = set()
    with open(raw, "rb") as file:
        for line in lines:
            ours = Image.frombytes("RGB", (side, side), file.read(side * side * 3))
            by, wanted = pillows(line, side)
            reductions.add(by)
            worst = max(high for _, high in ImageChops.difference(ours, wanted).getextrema())
            assert worst <= 1, f"decode {decode}, side {side}: {worst} grey levels: {line}"
    assert reductions == {1} if decode == 0 else len(reductions) > 1, (decode, reductions)
    print(f"{count} samples of {os.path.basename(source)}, {['exact', 'draft'][decode]}, {side} x {side}: within one grey level; reductions {sorted(reductions)}")


def main():
    dump, source = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    print(f"libjpeg-turbo of Pillow: {features.version('libjpeg_turbo')}")
    with tempfile.TemporaryDirectory() as scratch:
        folder = os.path.join(scratch, "made")
        make_images(folder)
        for decode, side in ((0, 224), (0, 33), (1, 33), (1, 64)):
            check(dump, folder, decode, side, 250, scratch)
        originals = os.path.join(source, "../shared/datasets/imagenet-sample")
        if not os.path.isdir(originals):
            print("skipped: no ../shared/datasets/imagenet-sample")
            return
        for decode, side in ((0, 224), (1, 64)):
            check(dump, originals, decode, side, 1000, scratch)


main()
