#!/usr/bin/env python3
"""Writes tests/fixtures/images with Pillow: one image in each format, and resized crops of a pattern.

usage: make_images.py         (requires Pillow and numpy)
"""
import os

import numpy
from PIL import Image

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures", "images")


def main():
    os.makedirs(OUT, exist_ok=True)
    flat = Image.new("RGB", (32, 24), (200, 60, 30))
    flat.save(os.path.join(OUT, "rgb.jpg"), quality=95)
    flat.save(os.path.join(OUT, "progressive.jpg"), quality=95, progressive=True)
    flat.convert("CMYK").save(os.path.join(OUT, "cmyk.jpg"), quality=98)
    flat.save(os.path.join(OUT, "rgb.png"))
    flat.save(os.path.join(OUT, "png_named.JPEG"), format="PNG")
    flat.save(os.path.join(OUT, "rgb.bmp"))
    flat.quantize(4).save(os.path.join(OUT, "palette.gif"))
    Image.new("RGBA", (32, 24), (200, 60, 30, 128)).save(os.path.join(OUT, "alpha.png"))
    Image.new("L", (32, 24), 120).save(os.path.join(OUT, "grey.jpg"), quality=95)
    Image.fromarray(numpy.full((24, 32), 128 * 257, numpy.uint16)).save(os.path.join(OUT, "grey16.png"))
    y, x = numpy.mgrid[0:100, 0:120]
    pattern = numpy.stack([(x * 2) % 256, (y * 3 + x) % 256, (x * y // 7) % 256], 2).astype(numpy.uint8)
    image = Image.fromarray(pattern)
    image.save(os.path.join(OUT, "pattern.png"))
    for name, (left, top, width, height), side in (("down", (5, 3, 90, 70), 24), ("up", (10, 10, 9, 11), 24), ("whole", (0, 0, 120, 100), 16)):
        crop = image.crop((left, top, left + width, top + height)).resize((side, side), Image.BILINEAR)
        with open(os.path.join(OUT, f"resize_{name}.raw"), "wb") as file:
            file.write(numpy.asarray(crop).tobytes())


main()
