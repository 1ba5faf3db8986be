#!/usr/bin/env python3
"""Tests failures on one of several ranks under mpirun: weights that differ between ranks are detected, and all ranks report a nonfinite
loss of one rank. Also tests the reduced bytes and the timeline.

usage: check_survival.py SQUALL DUMP_SURVIVAL SOURCE_FOLDER
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "support"))
from mpi import ENVIRONMENT, MPIRUN
from run_files import read

SQUALL, DUMP, SOURCE = (os.path.abspath(word) for word in sys.argv[1:4])


def dump(ranks, mode, folder):
    """Returns the last message of each rank, and the lines of the log."""
    done = subprocess.run([*MPIRUN, "-n", str(ranks), DUMP, mode, folder, SOURCE], env=ENVIRONMENT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    said = dict(re.findall(r"^rank (\d+): (.*)$", done.stdout, re.M))
    assert len(said) == ranks, done.stdout
    return [said[str(rank)] for rank in range(ranks)], [json.loads(line) for line in read(os.path.join(folder, "log.jsonl")).splitlines()]


def check_weights(scratch):
    """Expects that every rank reports the step, and the ranks whose weights differ."""
    said, log = dump(4, "well", os.path.join(scratch, "well"))
    assert said == ["exit 0: well"] * 4 and log[-1]["step"] == 8, said
    for ranks, groups in ((2, "0 against 1"), (4, "0, 1, 2 against 3")):
        said, log = dump(ranks, "drift", os.path.join(scratch, f"drift-{ranks}"))
        assert said == ["exit 5: step 3: weights are not the same on all ranks: " + groups] * ranks, said
        assert log[-1]["step"] == 2 and not os.path.exists(os.path.join(scratch, f"drift-{ranks}", "last"))
    folder = os.path.join(scratch, "start")
    os.mkdir(folder)
    open(os.path.join(folder, "log.jsonl"), "w").close()
    said, log = dump(2, "start", folder)
    assert said == ["exit 5: step 0: weights are not the same on all ranks: 0 against 1"] * 2 and log == [], (said, log)


def check_nonfinite(scratch):
    """Makes only the last rank's loss nonfinite. No rank updates its weights, the log names the path, and occurrence 3 stops all ranks."""
    said, log = dump(2, "odd", os.path.join(scratch, "odd"))
    skipped = [line for line in log if line["event"] == "skipped"]
    assert [line["step"] for line in skipped] == [1, 2] and [line["count"] for line in skipped] == [1, 2], log
    assert all(re.fullmatch(r"step \d: the loss of 4 of 8 images is not finite, path \([\d, ]+\), learning rate 0.05", line["text"]) for line in skipped), log
    assert all(re.match(r"exit 4: (rank 0: )?step 3: the loss of 4 of 8 .*; occurrence 3 exceeds train.nonfinite_limit \(2\)$", line) for line in said), said
    # After the reduction the running statistics are nonfinite on all ranks. They are restored, because otherwise no checkpoint could be
    # written.
    said, log = dump(2, "patient", os.path.join(scratch, "patient"))
    assert said == ["exit 0: well"] * 2 and [line["loss"] for line in log if line["event"] == "step"] == [None] * 4, (said, log)
    assert b'"nonfinite": 8, "lost": 8}' in read(os.path.join(scratch, "patient", "last", "state.json"))


def check_volume():
    """Expects that a step reduces only the sampled path: its weights and its norms' running statistics, 13.5 MB for SPOS."""
    done = subprocess.run([*MPIRUN, "-n", "2", DUMP, "volume", "-", SOURCE], env=ENVIRONMENT, capture_output=True, text=True, timeout=120)
    lines = re.findall(r"^volume \d: (\d) each, (\d+) bytes, (\d+) weights, (\d+) statistics, (\d+) parameters$", done.stdout, re.M)
    assert len(lines) == 12, (done.stdout, done.stderr)
    for line in lines:
        each, reduced, weights, statistics, parameters = (int(word) for word in line)
        assert reduced == each * weights + 4 * statistics and 13.4e6 < 4 * (weights + statistics) < 13.6e6, line
        assert parameters == weights + statistics, line  # each norm has as many scales and shifts as means and variances
    assert len({line[1] for line in lines}) == 6, "three paths of different sizes, in two ways"


def check_nesting(track):
    """Expects that the entries of a track are nested or disjoint, and that all entries are within a step. Returns the steps."""
    steps = [entry for entry in track if entry["cat"] == "step"]
    stack = []
    for entry in sorted(track, key=lambda entry: (entry["ts"], -entry["dur"])):
        begin, end = entry["ts"], entry["ts"] + entry["dur"]
        while stack and stack[-1] <= begin + 0.001:  # us; the file has three decimals
            stack.pop()
        assert not stack or end <= stack[-1] + 0.002, entry
        assert entry["cat"] == "step" or len(stack) == 1, ("inside a step, without overlap", entry)
        stack.append(end)
    return steps


def within(entries, step, cat):
    return [entry for entry in entries if entry["cat"] == cat and step["ts"] <= entry["ts"] <= step["ts"] + step["dur"]]


def check_timeline(scratch):
    """Expects one track per rank, with the parts of each step in order, and reductions that overlap the backward pass."""
    folder, file = os.path.join(scratch, "timed"), os.path.join(scratch, "timeline.json")
    words = [SQUALL, "train", "configs/train/samples.yaml", "-o", folder, "--threads", "1", "--quiet", "--timeline", file]
    for key in ("train.steps=9", "train.batch=16", "train.warmup_steps=2", "train.log_every=3", "train.checkpoint_every=4", "train.timeline_steps=6"):
        words += ["--set", key]
    done = subprocess.run([*MPIRUN, "-n", "2", *words], cwd=SOURCE, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    events = json.loads(read(file))["traceEvents"]
    assert {(e["tid"], e["args"]["name"]) for e in events if e["ph"] == "M"} == {(0, "rank 0"), (1, "rank 1")}
    for rank in (0, 1):
        track = [e for e in events if e["ph"] == "X" and e["tid"] == rank]
        begun, ended = ([e for e in events if e["ph"] == kind and e["tid"] == rank] for kind in "be")
        steps = check_nesting(track)
        assert [step["name"] for step in steps] == [f"step {number}" for number in range(1, 7)], steps
        for number, step in enumerate(steps, 1):
            parts = {cat: within(track, step, cat) for cat in ("load", "forward", "loss", "backward", "wait", "agree", "update", "log", "checkpoint")}
            assert [len(parts[cat]) for cat in ("loss", "wait", "agree")] == [1, 1, 1], parts
            assert len(parts["load"]) == 1 + (number == 1), "the next step's batch, behind the backward; at first its own too"
            assert len(parts["log"]) == (number % 3 == 0) and len(parts["checkpoint"]) == (number % 4 == 0), parts
            layers = len(parts["forward"])
            assert layers > 8 and [e["args"]["layer"] for e in parts["backward"]] == list(reversed(range(layers))) and len(parts["update"]) == layers
            at = [parts[cat][-1 if cat == "load" else 0]["ts"] for cat in ("forward", "loss", "backward", "wait", "load", "agree", "update")]
            assert at == sorted(at) and (number > 1 or parts["load"][0]["ts"] < at[0]), at
            reductions = within(begun, step, "reduction")
            end = parts["backward"][-1]["ts"] + parts["backward"][-1]["dur"]
            assert len(reductions) == layers and sum(e["ts"] < end for e in reductions) == layers - 1, "all but the first layer's begin before backward ends"
            closing = {e["id"]: e["ts"] for e in ended}
            assert all(closing[e["id"]] >= parts["wait"][0]["ts"] for e in reductions)


def main():
    if not shutil.which("mpirun") or "without MPI" in subprocess.run([DUMP], capture_output=True, text=True).stdout:
        print("skipped: no mpirun, or built without MPI")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as scratch:
        check_weights(scratch)
        check_nonfinite(scratch)
        check_timeline(scratch)
    check_volume()


main()
