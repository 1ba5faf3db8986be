#!/usr/bin/env python3
"""Runs every command that README.md shows after "$ squall", in one folder, in order; and compares its table of keys and its list of
commands with `squall help`.

usage: readme_commands.py SQUALL SOURCE_FOLDER
Commands that need what a test has not (ImageNet, minutes of training) are shortened by --set.
"""
import os
import re
import shlex
import subprocess
import sys
import tempfile

SQUALL, SOURCE = (os.path.abspath(word) for word in sys.argv[1:3])
SHORT = {"train": ["--set", "train.steps=60", "--set", "train.batch=16"],
         "search": ["--set", "search.population=4", "--set", "search.generations=1", "--set", "search.random_paths=2",
                    "--set", "search.calibration_images=100", "--set", "search.evaluation_images=50"],
         "rank": ["--paths", "2", "--steps", "5", "--set", "search.calibration_images=100", "--set", "search.evaluation_images=50"]}
SHORTER = {"measure": ["--repeats", "1", "--networks", "4"], "networks": ["--repeats", "1"]}
ABSENT = ("/data/imagenet", "DIR")  # what only a user has


def main():
    with open(os.path.join(SOURCE, "README.md")) as file:
        readme = file.read()
    commands = [shlex.split(line) for line in re.findall(r"^\$ squall (.*)$", readme, re.M)]
    assert len(commands) >= 12, len(commands)
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("configs", "data"):
            os.symlink(os.path.join(SOURCE, name), os.path.join(scratch, name))
        for words in commands:
            full = [SQUALL, *words, *([] if "--help" in words else SHORT.get(words[0], [])),
                    *(SHORTER.get(words[1], []) if words[0] == "lut" else [])]
            if any(part in word for word in words for part in ABSENT):
                full.append("--help")  # the options must at least be known to the command's text
                text = subprocess.run(full, cwd=scratch, capture_output=True, text=True).stdout
                for word in words:
                    assert not word.startswith("-") or word.split("=")[0] in text, (words, word)
                continue
            done = subprocess.run(full, cwd=scratch, capture_output=True, text=True)
            assert done.returncode == 0, f"{words}: exit {done.returncode}: {done.stderr[-300:]}"
            print("ran: squall", " ".join(words))
    keys = subprocess.run([SQUALL, "help", "config"], capture_output=True, text=True, check=True).stdout
    for key, initial in re.findall(r"^  ([a-z_.]+) +(\S+)", keys, re.M):
        assert f"| `{key}` |" in readme, f"README.md does not list the key {key}"
    section = readme.split("## Configuration")[1].split("\n## ")[0]
    for key in re.findall(r"^\| `([a-z_.]+)` \|", section, re.M):
        assert f"  {key} " in keys, f"README.md lists a key that is not there: {key}"
    summary = subprocess.run([SQUALL, "help"], capture_output=True, text=True, check=True).stdout
    for name in re.findall(r"^  ([a-z]+) ", summary, re.M):
        assert f"squall {name}" in readme, f"README.md does not show squall {name}"
        if name != "help":
            a = subprocess.run([SQUALL, "help", name], capture_output=True, text=True, check=True).stdout
            b = subprocess.run([SQUALL, name, "--help"], capture_output=True, text=True, check=True).stdout
            assert a == b and a.startswith("usage: squall " + name)


main()
