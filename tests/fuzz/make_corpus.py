#!/usr/bin/env python3
"""Writes the seeds of the fuzz corpus: small tars of every form, and shards that squall pack makes of some.

usage: make_corpus.py SQUALL [FOLDER]     FOLDER: default beside this script
"""
import io
import os
import subprocess
import sys
import tarfile
import tempfile

SQUALL = os.path.abspath(sys.argv[1])
OUT = sys.argv[2] if len(sys.argv) > 2 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")
IMAGES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures", "images")


def image(name):
    with open(os.path.join(IMAGES, name), "rb") as file:
        return file.read()


def tar(members, form=tarfile.USTAR_FORMAT):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as file:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return padded(out.getvalue().rstrip(b"\0")) + bytes(512)  # one block of zeros ends it


def padded(data):
    return data + bytes(-len(data) % 512)


def main():
    png, jpeg = image("rgb.png"), image("grey.jpg")
    long = "train/a/" + "n" * 120 + ".png"
    tars = {
        "tree": tar([("./train/a/1.png", png), ("train/b/images/2.jpg", jpeg), ("val/a/3.png", b"x")]),
        "gnu": tar([(long, png)], tarfile.GNU_FORMAT),
        "pax": tar([(long, png), ("train/\u732b/1.png", b"")], tarfile.PAX_FORMAT),
        "bare": tar([("a/1.png", png), ("b/2.png", b"y"), ("a/list.txt", b"z")]),
        "nested": tar([("a.tar", padded(tar([("1.png", png)]))), ("b.tar", padded(tar([("2.png", b"q")])))]),
        "pairs": tar([("1.jpg", jpeg), ("1.cls", b"1"), ("2.png", png), ("2.json", b'{"label": 2}')]),
    }
    for name, data in tars.items():
        data = padded(data)
        os.makedirs(os.path.join(OUT, "tar"), exist_ok=True)
        with open(os.path.join(OUT, "tar", name), "wb") as file:
            file.write(data)
    os.makedirs(os.path.join(OUT, "shard"), exist_ok=True)
    for name, options in {"as-is": [], "raw": ["--side", "4", "--raw"], "jpeg": ["--side", "8"]}.items():
        with tempfile.TemporaryDirectory() as scratch:
            source = os.path.join(scratch, "source.tar")
            with open(source, "wb") as file:
                file.write(tar([("train/a/1.png", png), ("train/a/2.jpg", jpeg), ("train/b/1.png", png)]))
            subprocess.run([SQUALL, "pack", source, os.path.join(scratch, "out"), "--quiet", *options], check=True, stdout=subprocess.DEVNULL)
            with open(os.path.join(scratch, "out", "train-00000.shard"), "rb") as file:
                data = file.read()
        with open(os.path.join(OUT, "shard", name), "wb") as file:
            file.write(data)


main()
