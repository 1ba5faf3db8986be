#!/usr/bin/env python3
"""Runs every command that docs/recipes/NAME.md shows, in order, starting from an empty folder, and compares the lines that the page shows below
a command with its output. SHORT and OVERRIDES shorten trainings and searches. Without NAME, the script checks the form of all pages.

usage: recipe_commands.py SQUALL SOURCE_FOLDER [NAME]
If MPI or onnxruntime is missing, a recipe runs up to the first command that needs it; the rest of the recipe is skipped.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from mpi import ENVIRONMENT
from shown_commands import check_rules, make_program, run, shown

SQUALL, SOURCE = (os.path.abspath(word) for word in sys.argv[1:3])
FOLDER = os.path.join(SOURCE, "docs", "recipes")
PARTS = ("Problem.", "Result.", "Why it works.", "Limits.")
SEARCH = ["--set", "search.population=4", "--set", "search.generations=1", "--set", "search.random_paths=2", "--set", "search.evaluation_images=50"]
SHORT = {"train": ["--set", "train.steps=60", "--set", "train.batch=16"], "search": [*SEARCH, "--set", "search.calibration_images=100"],
         "lut measure": ["--repeats", "2", "--rounds", "2", "--networks", "4"], "lut networks": ["--repeats", "2"], "bench step": ["--steps", "10"],
         "bench loader": ["--steps", "2", "--repeats", "2"]}
# The runs that a recipe interrupts need enough steps (LONGER). The run of own-images must reach the damaged image. several-gpus shows an odd batch
# size, so its batch size is not overridden. A short measurement is too noisy for the latency limit of onnx-phone, so that limit is raised.
LONGER = {"train": ["--set", "train.steps=1000", "--set", "train.batch=8"]}
OVERRIDES = {"resume": LONGER, "slurm": LONGER, "several-gpus": {"train": ["--set", "train.steps=60"]},
          "own-images": {"train": ["--set", "train.steps=52", "--set", "train.batch=64"]},
          "onnx-phone": {"search": [*SHORT["search"], "--set", "latency.limit_ms=1000"]}}

# Simulated Slurm programs. sbatch runs the job until the job is no longer requeued. srun starts two processes under mpirun. In its first run, it
# sends the signal of --signal as soon as a checkpoint exists.
SLURM = {"sbatch": 'export SLURM_JOB_ID=17\necho "Submitted batch job 17"\ntouch queued signal\n'
                   'while [ -e queued ]; do rm queued; bash "$@" >>squall-17.log 2>&1; code=$?; done\nexit $code\n',
         "scontrol": '[ "$*" = "requeue 17" ] && touch queued\n',
         "srun": '[ "$1" = --mpi=pmix ] && shift\nfor word; do [ "$before" = -o ] && run=$word; before=$word; done\n'
                 'mpirun --oversubscribe -n 2 "$@" &\nif [ -e signal ]; then\n    until [ -e "$run/last" ]; do kill -0 $! || exit 1; sleep 0.1; done\n'
                 '    rm signal; kill -USR1 $!\nfi\nwait $!\n'}


def has_mpi():
    libraries = subprocess.run(["ldd", SQUALL], capture_output=True, text=True).stdout
    return shutil.which("mpirun") and "libmpi" in libraries


def has_modules(*names):
    return subprocess.run([sys.executable, "-c", f"import {', '.join(names)}"], capture_output=True).returncode == 0


NEEDS = [(r"^mpirun|^sbatch", has_mpi, "mpirun and a build with MPI"),
         (r"onnxruntime|^python3", lambda: has_modules("onnx", "onnxruntime", "safetensors"), "Python's onnx, onnxruntime and safetensors")]


def check_form():
    with open(os.path.join(FOLDER, "README.md")) as file:
        listed = set(re.findall(r"^\| \[([a-z-]+)\.md\]\(\1\.md\)", file.read(), re.M))
    pages = {name[:-3] for name in os.listdir(FOLDER) if name.endswith(".md") and name != "README.md"}
    assert listed == pages and len(pages) >= 10, (listed ^ pages)
    assert set(OVERRIDES) <= pages
    for name in pages:
        with open(os.path.join(FOLDER, name + ".md")) as file:
            text = file.read()
        places = [text.find(f"**{part}**") for part in PARTS]
        assert -1 not in places and places == sorted(places), f"{name}: expected the parts {', '.join(PARTS)}, in this order"
        assert text.count("\n") <= 80, f"{name}: {text.count(chr(10))} lines, expected at most 80"
        commands = shown(text)
        assert any(one.lines for one in commands) and len(commands) == len(re.findall(r"^\$ ", text, re.M)), name
        for page in re.findall(r"\b([a-z-]+)\.md\b", text):
            assert page in pages or f"/{page}.md" in text, f"{name}: mentions {page}.md, which does not exist"


def check_recipe(name, scratch):
    with open(os.path.join(FOLDER, name + ".md")) as file:
        commands = shown(file.read())
    tools, place = os.path.join(scratch, "tools"), os.path.join(scratch, "place")
    os.mkdir(tools)
    os.mkdir(place)
    for shared in ("configs", "data"):
        os.symlink(os.path.join(SOURCE, shared), os.path.join(place, shared))
    make_program(tools, SQUALL, {**SHORT, **OVERRIDES.get(name, {})})
    for program, text in SLURM.items():
        with open(os.path.join(tools, program), "w") as file:
            file.write("#!/bin/bash\n" + text)
        os.chmod(os.path.join(tools, program), 0o755)
    path = [tools, os.path.dirname(sys.executable), os.environ["PATH"]]
    environment = {**ENVIRONMENT, "PATH": os.pathsep.join(path), "OMPI_MCA_rmaps_base_oversubscribe": "1",
                   "OMPI_MCA_hwloc_base_binding_policy": "none"}
    for one in commands:
        for need, is_there, words in NEEDS:
            if re.search(need, one.command, re.M) and not is_there():
                print(f"skipped: recipe {name} from this command on, it needs {words}: $ {one.command}")
                sys.exit(77)
        run(one, place, environment)
        print("ran:", one.command.splitlines()[0], flush=True)


def main():
    if len(sys.argv) < 4:
        check_rules()
        check_form()
        return
    with tempfile.TemporaryDirectory() as scratch:
        check_recipe(sys.argv[3], scratch)


main()
