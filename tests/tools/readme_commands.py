#!/usr/bin/env python3
"""Runs every command that README.md and docs/*.md show, and compares the lines that a page shows below a command with the output.
Checks that the pages show every subcommand, and that links lead to existing files and headings.

usage: readme_commands.py SQUALL SOURCE_FOLDER
tools/quickstart runs first, with the existing program. Options that are added to the commands shorten trainings and searches. Commands that need
data which is not in the repository (ABSENT) do not run; the script only checks that --help has their options.
"""
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from mpi import ENVIRONMENT
from shown_commands import check_rules, make_program, run, shown

SQUALL, SOURCE = (os.path.abspath(word) for word in sys.argv[1:3])
QUICK = ["--set", "search.calibration_images=100", "--set", "search.evaluation_images=50"]
SHORT = {"train": ["--set", "train.steps=60", "--set", "train.batch=16"],
         "search": ["--set", "search.population=4", "--set", "search.generations=1", "--set", "search.random_paths=2", *QUICK],
         "rank": ["--paths", "2", "--steps", "5", *QUICK],
         "lut measure": ["--repeats", "1", "--networks", "4"], "lut networks": ["--repeats", "1"]}
ABSENT = ("/data/imagenet", "runs/imagenet", "runs/tiny10", "DIR")
QUICKSTART = "tools/quickstart"
RUNS_THIS = "tools/test"
LAUNCHERS = ("mpirun", "srun")
# Replaces tools/packages.sh, so that quickstart installs and builds nothing.
PACKAGES = 'need_packages() { :; }\nsquall_packages=\nbuild_squall() { mkdir -p "$1/bin" && ln -sf "$root/tools/squall" "$1/bin/squall"; }\n'
README_LINES = 150


def read(name):
    with open(os.path.join(SOURCE, name)) as file:
        return file.read()


def pages():
    """Returns the names of the pages: README.md, then the pages of docs/ that show commands."""
    names = sorted(name for name in os.listdir(os.path.join(SOURCE, "docs")) if name.endswith(".md"))
    return ["README.md"] + [page for page in (os.path.join("docs", name) for name in names) if "```console" in read(page)]


def check_options(command, folder, environment):
    """Checks that --help has the options of a command that cannot run here."""
    words = shlex.split(command)
    if words[0] in LAUNCHERS:
        words = words[words.index("squall"):]
    text = subprocess.run([*words, "--help"], cwd=folder, env=environment, capture_output=True, text=True).stdout
    for word in words:
        assert not word.startswith("-") or word.split("=")[0] in text, (words, word)


def has_mpi():
    libraries = subprocess.run(["ldd", SQUALL], capture_output=True, text=True).stdout
    return shutil.which("mpirun") and "libmpi" in libraries


def make_clone(scratch):
    """Makes those parts of the source folder in `scratch` that the pages use. Returns the environment for the commands of the pages."""
    for name in ("configs", "data"):
        os.symlink(os.path.join(SOURCE, name), os.path.join(scratch, name))
    tools = os.path.join(scratch, "tools")
    os.mkdir(tools)
    make_program(tools, SQUALL, SHORT)
    shutil.copy(os.path.join(SOURCE, QUICKSTART), tools)
    with open(os.path.join(tools, "packages.sh"), "w") as file:
        file.write(PACKAGES)
    return {**ENVIRONMENT, "PATH": tools + os.pathsep + os.environ["PATH"], "OMPI_MCA_rmaps_base_oversubscribe": "1",
            "OMPI_MCA_hwloc_base_binding_policy": "none"}


def run_page(page, scratch, environment):
    text = read(page)
    commands = shown(text)
    assert commands and len(commands) == len(re.findall(r"^\$ ", text, re.M)), f"{page}: a command outside of a console block"
    for one in commands:
        first = one.command.split()[0]
        if first == RUNS_THIS:
            continue
        if first in ("squall", QUICKSTART, *LAUNCHERS) and any(part in one.command for part in ABSENT):
            check_options(one.command, scratch, environment)
        elif first in LAUNCHERS and not has_mpi():
            print(f"not run, there is no mpirun or no MPI in this build: {one.command}")
        else:
            run(one, scratch, environment)
            print(f"ran: {page}: {one.command.splitlines()[0]}", flush=True)


def check_commands(text):
    """Checks that the pages show every subcommand, and that `squall help COMMAND` and `squall COMMAND --help` print the same text."""
    summary = subprocess.run([SQUALL, "help"], capture_output=True, text=True, check=True).stdout
    for name in re.findall(r"^  ([a-z]+) ", summary, re.M):
        assert f"squall {name}" in text, f"no page shows squall {name}"
        if name != "help":
            a = subprocess.run([SQUALL, "help", name], capture_output=True, text=True, check=True).stdout
            b = subprocess.run([SQUALL, name, "--help"], capture_output=True, text=True, check=True).stdout
            assert a == b and a.startswith("usage: squall " + name)


def headings(page):
    """Returns the anchors of the headings of a page, as GitHub makes them."""
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in re.findall(r"^#+ (.*)$", read(page), re.M)}


def check_links(page):
    text = read(page)
    for target in re.findall(r"\]\(([^)#:]*(?:#[^)]*)?)\)", text) + re.findall(r'src="([^"]*)"', text):
        path, _, anchor = target.partition("#")
        path = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
        assert os.path.exists(os.path.join(SOURCE, path)), f"{page}: {target} does not exist"
        assert not anchor or anchor in headings(path), f"{page}: {path} has no heading #{anchor}"


def main():
    check_rules()
    assert read("README.md").count("\n") <= README_LINES, f"README.md: more than {README_LINES} lines"
    for folder in ("docs", "docs/recipes"):
        for name in os.listdir(os.path.join(SOURCE, folder)):
            if name.endswith(".md"):
                check_links(os.path.join(folder, name))
    check_links("README.md")
    check_commands("".join(read(page) for page in pages()))
    with tempfile.TemporaryDirectory() as scratch:
        environment = make_clone(scratch)
        for page in pages():
            run_page(page, scratch, environment)


main()
