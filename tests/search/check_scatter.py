#!/usr/bin/env python3
"""Checks that the scatter plots parse as XML, contain only plain shapes, and keep their points inside the frame.

usage: check_scatter.py DUMP_SCATTER
"""
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as tree

SVG = "{http://www.w3.org/2000/svg}"
ALLOWED = {"svg", "rect", "clipPath", "g", "path", "circle", "text", "title"}


def check(path):
    root = tree.parse(path).getroot()
    tags = {element.tag.replace(SVG, "") for element in root.iter()}
    assert tags <= ALLOWED, f"{path}: {tags - ALLOWED}"
    assert root.get("width") == "100.0mm", f"{path}: {root.get('width')}"
    text = open(path, encoding="utf-8").read()
    assert not re.search(r"script|href|nan|inf[^o]", text, re.I), f"{path}: not a plain picture"
    frame = root.find(f"{SVG}clipPath/{SVG}rect")
    left, top, width, height = (float(frame.get(key)) for key in ("x", "y", "width", "height"))
    assert width == height, f"{path}: unequal scales"
    circles = list(root.iter(f"{SVG}circle"))
    for circle in circles:
        x, y = float(circle.get("cx")), float(circle.get("cy"))
        assert left <= x <= left + width and top <= y <= top + height, f"{path}: a point at {x}, {y}"
    return len(circles), len([t for t in root.iter(f"{SVG}text") if t.get("text-anchor") == "end"])


def main():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.argv[1], folder], check=True)
        for name in sorted(os.listdir(folder)):
            circles, labels = check(os.path.join(folder, name))
            print(f"{name}: {circles} discs, {labels} labels at the left")
            assert 2 <= labels <= 40, f"{name}: {labels} labels at the left"


main()
