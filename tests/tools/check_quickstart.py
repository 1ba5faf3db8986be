#!/usr/bin/env python3
"""Checks tools/quickstart with simulated package tools and a simulated cmake. Wrong arguments must fail with one line before anything is installed or
built. With valid arguments, the script must finish with the existing program, on a few small images and steps.

usage: check_quickstart.py SQUALL SOURCE_FOLDER
"""
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from shown_commands import make_program

SQUALL, SOURCE = (os.path.abspath(word) for word in sys.argv[1:3])
SEARCH = ["search.population=4", "search.generations=1", "search.random_paths=2", "search.evaluation_images=20", "search.calibration_images=40"]
SHORT = {"train": ["train.steps=52", "train.batch=4"], "search": SEARCH, "export": ["search.calibration_images=40"]}
MEASURE = ["--rounds", "2", "--repeats", "1", "--networks", "4"]
# Simulated tools. Every tool that installs or builds writes a mark. The simulated cmake copies the existing program into the build folder.
FAKES = {"dpkg-query": 'echo "install ok installed"\n', "apt-get": "exit 1\n",
         "cmake": 'while [ $# -gt 0 ]; do [ "$1" = -B ] && { mkdir -p "$2/bin"; cp "$FAKES/squall" "$2/bin/squall"; }; shift; done\n'}


def fill(place, classes):
    """Writes a few digits of each class and a stray text file to place/train."""
    with tarfile.open(os.path.join(SOURCE, "data/samples/train.tar")) as tar:
        members = [one for one in tar if one.isfile() and int(one.name.split("/")[-2]) < classes and int(os.path.basename(one.name)[:3]) < 20]
        for one in members:
            path = os.path.join(place, "train", one.name.split("/")[-2], os.path.basename(one.name))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(tar.extractfile(one).read())
    assert members
    with open(os.path.join(place, "train/notes.txt"), "w") as file:
        file.write("a stray file is no class\n")


def pack_tar(path, folder, name, mode="w"):
    with tarfile.open(path, mode) as tar:
        tar.add(folder, arcname=name)


class Clone:
    """The parts of the source tree that quickstart needs, in a separate folder."""

    def __init__(self, scratch):
        self.root, self.fakes = os.path.join(scratch, "clone"), os.path.join(scratch, "fakes")
        self.mark = os.path.join(scratch, "mark")
        os.makedirs(os.path.join(self.root, "tools"))
        os.mkdir(self.fakes)
        for name in ("quickstart", "packages.sh"):
            shutil.copy(os.path.join(SOURCE, "tools", name), os.path.join(self.root, "tools", name))
        for name in ("configs", "data"):
            os.symlink(os.path.join(SOURCE, name), os.path.join(self.root, name))
        sets = {words: [part for one in values for part in ("--set", one)] for words, values in SHORT.items()}
        make_program(self.fakes, SQUALL, {**sets, "lut measure": MEASURE, "lut networks": ["--repeats", "1"]})
        for name, text in FAKES.items():
            path = os.path.join(self.fakes, name)
            with open(path, "w") as file:
                file.write(f'#!/bin/bash\necho "{name}" >>"{self.mark}"\n' + text)
            os.chmod(path, 0o755)

    def run(self, *words):
        """Runs quickstart. Returns (exit code, stdout, stderr, whether a tool that installs or builds was called)."""
        if os.path.exists(self.mark):
            os.remove(self.mark)
        environment = {**os.environ, "PATH": self.fakes + os.pathsep + os.environ["PATH"], "FAKES": self.fakes}
        done = subprocess.run(["bash", os.path.join(self.root, "tools/quickstart"), *words], env=environment, capture_output=True, text=True,
                              cwd=os.path.dirname(self.root))
        return done.returncode, done.stdout, done.stderr, os.path.exists(self.mark)


def refuses(clone, code, part, *words):
    got, out, error, touched = clone.run(*words)
    assert got == code and part in error, (words, got, out, error)
    assert out == "" and error.count("\n") == 1 and error.startswith("quickstart: "), (words, out, error)
    assert not touched, f"{words}: installed or built before it was refused"


def check_refused(clone, place):
    for name in ("empty", "unfilled/train/cat", "flat", "only-val/val/cat"):
        os.makedirs(os.path.join(place, name))
    shutil.copy(os.path.join(place, "mine/train/0/000.png"), os.path.join(place, "flat/cat.png"))
    shutil.copy(os.path.join(place, "mine/train/0/000.png"), os.path.join(place, "only-val/val/cat/1.png"))
    pack_tar(os.path.join(place, "mine.tar.gz"), os.path.join(place, "mine/train"), "train", "w:gz")
    pack_tar(os.path.join(place, "flat.tar"), os.path.join(place, "flat"), ".")
    for option in ("--data", "--out", "--device"):
        refuses(clone, 2, f"{option}: expected a value", option)
        refuses(clone, 2, f"{option}: expected a value", option, "")
    refuses(clone, 2, "--data: expected a value", "--data", "--out", "x")
    refuses(clone, 2, "--dta: unknown option", "--dta", "mine")
    refuses(clone, 2, "mine: unknown option", "mine")
    refuses(clone, 2, "--device gpu: expected", "--device", "gpu")
    refuses(clone, 1, "the folder cannot be created", "--out", os.path.join(place, "mine/train/notes.txt"))
    for name, words in (("missing", "no such folder or tar"), ("empty", "found no images by class"), ("unfilled", "found no images by class"),
                        ("flat", "found no images by class"), ("only-val", "found no images by class"), ("flat.tar", "found no images by class"),
                        ("mine.tar.gz", "found neither a folder nor an uncompressed tar"), ("mine/train/notes.txt", "found neither a folder nor an uncompressed tar")):
        refuses(clone, 3, words, "--data", os.path.join(place, name))
    code, out, error, touched = clone.run("--help")
    assert (code, error, touched) == (0, "", False) and "usage: tools/quickstart" in out, (out, error)


def finishes(clone, classes, *words):
    code, out, error, touched = clone.run(*words)
    assert code == 0 and touched, (words, code, out[-800:], error[-800:])
    assert out.index("building squall") < out.index("$ build/bin/squall info device"), out
    assert f", {classes} classes," in out and "Quickstart done" in out, out
    row = {line.split("  ")[1].strip(): line.split("  ", 2)[2].strip() for line in out.split("Quickstart done")[1].splitlines() if line.startswith("  ")}
    for name in ("found path", "held-out accuracy", "multiply-adds", "predicted latency", "measured latency"):
        assert any(one.isdigit() for one in row[name]), (name, out)
    return out


def main():
    with tempfile.TemporaryDirectory() as scratch:
        clone = Clone(scratch)
        fill(os.path.join(scratch, "mine"), 3)
        check_refused(clone, scratch)
        print("refused: bad arguments, before anything")

        tar = os.path.join(scratch, "my images.tar")
        pack_tar(tar, os.path.join(scratch, "mine/train"), "train")
        out = finishes(clone, 3, "--data", tar)
        assert "my\\ images.tar" in out and "lut measure" in out, "a command that cannot be copied"
        assert os.path.exists(os.path.join(clone.root, "runs/quickstart-my images/report.html"))
        assert "lut measure" not in finishes(clone, 3, "--data", tar), "the second run has the table"
        print("ran: a tar")

        # The latency table is for three classes, but the images have four classes.
        fill(os.path.join(scratch, "mine"), 4)
        other = os.path.join(scratch, "other")
        shutil.copytree(os.path.join(clone.root, "runs/quickstart-my images/device"), os.path.join(other, "device"))
        assert "lut measure" in finishes(clone, 4, "--data", os.path.join(scratch, "mine"), "--out", other)
        print("ran: a folder with a stray file, over the table of other classes")

        code, _, error, _ = clone.run("--data", os.path.join(scratch, "mine"), "--out", "clone/runs/quickstart-my images")
        assert code == 2 and "choose another --out" in error, (code, error)

        out = finishes(clone, 10)
        assert "--limit-macs 3" in out and os.path.exists(os.path.join(clone.root, "runs/quickstart/run/export/model.onnx")), out
        print("ran: the bundled digits, in a separate folder")

        packed = os.path.join(scratch, "packed")
        subprocess.run([SQUALL, "pack", os.path.join(scratch, "mine"), packed, "--quiet"], check=True, capture_output=True)
        finishes(clone, 4, "--data", packed)
        print("ran: packed shards")


main()
