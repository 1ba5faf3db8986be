#!/usr/bin/env python3
"""Runs every command that README.md shows, in one folder, in order; and compares its table of keys and its list of
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

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from shown_commands import check_rules, make_program, run, shown

SQUALL, SOURCE = (os.path.abspath(word) for word in sys.argv[1:3])
QUICK = ["--set", "search.calibration_images=100", "--set", "search.evaluation_images=50"]
SHORT = {"train": ["--set", "train.steps=60", "--set", "train.batch=16"],
         "search": ["--set", "search.population=4", "--set", "search.generations=1", "--set", "search.random_paths=2", *QUICK],
         "rank": ["--paths", "2", "--steps", "5", *QUICK],
         "lut measure": ["--repeats", "1", "--networks", "4"], "lut networks": ["--repeats", "1"]}
ABSENT = ("/data/imagenet", "DIR")  # what only a user has


def run_all(readme, scratch):
    commands = shown(readme)
    assert len(commands) >= 30 and len(commands) == len(re.findall(r"^\$ ", readme, re.M)), "a command outside of a console block"
    for name in ("configs", "data"):
        os.symlink(os.path.join(SOURCE, name), os.path.join(scratch, name))
    tools = os.path.join(scratch, "tools")
    os.mkdir(tools)
    make_program(tools, SQUALL, SHORT)
    environment = {**os.environ, "PATH": tools + os.pathsep + os.environ["PATH"]}
    for one in commands:
        words = shlex.split(one.command)
        if any(part in word for word in words for part in ABSENT):
            text = subprocess.run([*words, "--help"], cwd=scratch, env=environment, capture_output=True, text=True).stdout
            for word in words:  # the options must at least be known to the command's text
                assert not word.startswith("-") or word.split("=")[0] in text, (words, word)
            continue
        run(one, scratch, environment)
        print("ran:", one.command)


def main():
    check_rules()
    with open(os.path.join(SOURCE, "README.md")) as file:
        readme = file.read()
    with tempfile.TemporaryDirectory() as scratch:
        run_all(readme, scratch)
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
