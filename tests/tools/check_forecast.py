#!/usr/bin/env python3
"""Checks squall forecast: its sums, the effect of bandwidth and latency, programs measured on this machine, and bad input. Compares no measured times.

usage: check_forecast.py SQUALL SOURCE_FOLDER
"""
import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from mpi import ENVIRONMENT, MPIRUN

SQUALL, SOURCE = (os.path.abspath(word) for word in sys.argv[1:3])
SPOS, SAMPLES = "configs/train/spos-imagenet.yaml", "configs/train/samples.yaml"
NODES = ["--gpus", "64", "--nodes", "8"]


def run(*words, ranks=0):
    launcher = [*MPIRUN, "-n", str(ranks)] if ranks else []
    return subprocess.run([*launcher, SQUALL, "forecast", *words], cwd=SOURCE, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)


def near(a, b):
    return abs(a - b) <= 1e-7 * max(abs(a), abs(b), 1e-6)


def forecast(*words, ranks=0):
    """Runs squall forecast and returns its JSON output. Checks what must hold for every forecast."""
    done = run(*words, "--json", ranks=ranks)
    assert done.returncode == 0, (words, done.stderr[-500:])
    shown = json.loads(done.stdout)
    first, last = shown["rows"][0], shown["rows"][-1]
    assert first["ranks"] == 1 and near(first["step_ms"], shown["measured_ms"]) and near(first["efficiency"], 1), shown
    assert first["network_ms"] == first["exposed_ms"] == first["agreement_ms"] == 0, first
    assert last["ranks"] == shown["gpus"]
    programs = shown["forward_ms"] + shown["backward_ms"] + shown["update_ms"]
    for row in shown["rows"]:
        assert near(row["programs_ms"], programs) and near(row["step_ms"], programs + row["exposed_ms"] + row["agreement_ms"]), row
        assert near(row["efficiency"], first["step_ms"] / row["step_ms"]) and row["exposed_ms"] <= row["network_ms"] + 1e-9, row
        assert near(row["images_per_second"], 1e3 * row["ranks"] * shown["batch"] * shown.get("paths", 1) / row["step_ms"]), row
    assert shown["double_bandwidth_ms"] <= last["step_ms"] * (1 + 1e-9) and shown["half_latency_ms"] <= last["step_ms"] * (1 + 1e-9), shown
    return shown


def check_given():
    """Checks forecasts of SPOS on 64 GPUs with a given step time of 40 ms."""
    fast = forecast(SPOS, *NODES, "--bandwidth", "50", "--latency", "8", "--step-ms", "40")
    assert [row["ranks"] for row in fast["rows"]] == [1, 2, 4, 8, 16, 32, 64] and fast["batch"] == 16
    assert near(fast["measured_ms"], 40) and near(fast["forward_ms"], 40 / 3) and near(fast["backward_ms"], 80 / 3)
    assert 13.4e6 < fast["bytes"] < 14e6, "a path of SPOS is 13.5 MB of FP32, and its statistics"
    assert 22 < fast["messages"] <= 46, "each block's gradients, and statistics where it has norms"
    narrow = forecast(SPOS, *NODES, "--bandwidth", "50", "--latency", "8", "--step-ms", "40", "--set", "train.reduction=bfloat16")
    assert 0.5 < narrow["bytes"] / fast["bytes"] < 0.51 and narrow["messages"] == fast["messages"], "statistics keep their size"
    slow = forecast(SPOS, *NODES, "--bandwidth", "0.5", "--latency", "8", "--step-ms", "40")
    # A node's cable carries 2 x 63 / 64 of the bytes with a ring and twice the bytes with a tree. The step waits for the reductions of the last block.
    assert slow["rows"][-1]["network_ms"] >= 2e-6 * slow["bytes"] / 0.5 * 63 / 64 > fast["rows"][-1]["network_ms"], slow
    assert slow["rows"][-1]["step_ms"] > fast["rows"][-1]["step_ms"]
    far = forecast(SPOS, *NODES, "--bandwidth", "50", "--latency", "800", "--step-ms", "40", "--algorithm", "ring")
    assert near(far["rows"][-1]["agreement_ms"], 2 * (2 * (3 * 0.8 + 3 * 0.005) + 64e-6 * (3 / 50 * (1 + 8) + 6 / 150))), far["rows"][-1]
    assert far["rows"][-1]["network_ms"] > far["messages"] * 126 * 0.8, "126 rounds of a ring for each message"
    on_host = [forecast(SPOS, *NODES, "--bandwidth", "50", "--latency", "8", "--step-ms", "40", "--device", name) for name in ("cpu", "reference")]
    assert on_host[0] == on_host[1] and on_host[0]["bytes"] == fast["bytes"], "weights and statistics are as large on every device"
    tree = forecast(SPOS, *NODES, "--bandwidth", "50", "--latency", "800", "--step-ms", "40")
    assert tree["rows"][-1]["step_ms"] < far["rows"][-1]["step_ms"], "the fastest is a tree there"
    fair = forecast(SPOS, *NODES, "--bandwidth", "50", "--latency", "8", "--step-ms", "40", "--set", "train.sampler=fair")
    assert fair["paths"] == 4 and fair["messages"] > fast["messages"]
    own = run(SPOS, *NODES, "--bandwidth", "50", "--latency", "8", "--step-ms", "40", "--set", "train.sampler=fair", "--set", "train.rank_paths=own", "--set", "train.sync_batch_norm=on").stdout
    assert "train.rank_paths: own is not in the model" in own and "train.sync_batch_norm is not in the model" in own, own
    text = run(SPOS, *NODES, "--bandwidth", "50", "--latency", "8", "--step-ms", "40").stdout
    assert "not in the model" not in text, text
    for line in ("spos, 16 images on each rank, given step of one rank 40.000 ms", "ranks  nodes", "a step of 64 ranks", "waits for gradients",
                 "with twice the bandwidth", "with half the latency"):
        assert line in text, text


def check_measured():
    """Checks forecasts from programs measured on the cpu of this machine."""
    words = [SAMPLES, "--device", "cpu", "--threads", "1", "--steps", "3", "--batch", "4"]
    shown = forecast(*words, "--gpus", "4", "--nodes", "2", "--bandwidth", "0.01", "--latency", "1000")
    assert shown["batch"] == 4 and all(shown[name] > 0 for name in ("measured_ms", "forward_ms", "backward_ms", "update_ms")), shown
    assert [row["ranks"] for row in shown["rows"]] == [1, 2, 4] and shown["rows"][2]["exposed_ms"] > shown["rows"][1]["exposed_ms"], shown
    several = forecast(*words, "--gpus", "1", "--set", "train.paths=2")
    assert several["paths"] == 2 and several["rows"][0]["exposed_ms"] == 0
    if shutil.which("mpirun") and "without MPI" not in subprocess.run([SQUALL, "doctor"], capture_output=True, text=True).stdout:
        assert forecast(*words, ranks=2)["gpus"] == 2, "the ranks of the launcher"


def check_bad_input():
    for words, code, text in (([], 2, "expected one configuration"),
                              ([SPOS, "--gpus", "0"], 2, "--gpus: found '0', expected a whole number from 1"),
                              ([SPOS, "--gpus", "64", "--nodes", "7", "--bandwidth", "1", "--latency", "1"], 2, "--gpus 64 on --nodes 7"),
                              ([SPOS, "--nodes", "2", "--bandwidth", "1", "--latency", "1"], 2, "--nodes 2: expected --gpus"),
                              ([SPOS, *NODES], 2, "8 nodes: expected --bandwidth (GB/s) and --latency (us)"),
                              ([SPOS, *NODES, "--bandwidth", "-1", "--latency", "1"], 2, "--bandwidth: found '-1', expected a number"),
                              ([SPOS, *NODES, "--bandwidth", "1", "--latency", "soon"], 2, "--latency: found 'soon', expected a number"),
                              ([SPOS, "--gpus", "2", "--bandwidth", "1"], 2, "there is one; expected --nodes"),
                              ([SPOS, "--gpus", "2", "--step-ms", "1", "--measure"], 2, "unknown option '--measure'"),
                              ([SPOS, "--gpus", "2", "--step-ms", "0"], 2, "--step-ms: found '0'"),
                              ([SPOS, "--gpus", "2", "--step-ms", "1", "--algorithm", "rings"], 2, "--algorithm: found 'rings', expected one of: auto ring tree"),
                              ([SPOS, "--gpus", "1000", "--step-ms", "1"], 2, "train.batch: found 1024 images for 1000 ranks"),
                              (["nowhere.yaml", "--gpus", "2", "--step-ms", "1"], 1, "nowhere.yaml: No such file"),
                              ([SPOS, "--gpu", "2"], 2, "did you mean '--gpus'?")):
        done = run(*words)
        assert done.returncode == code, (words, done)
        assert done.stderr.count("\n") == 1 and text in done.stderr and not done.stdout, (words, done)


def check_old_name():
    """Checks that `squall plan`, the name of the command in version 0.1, still works and prints a hint."""
    words = [SPOS, "--gpus", "2", "--step-ms", "1", "--batch", "16", "--json"]
    old = subprocess.run([SQUALL, "plan", *words], cwd=SOURCE, capture_output=True, text=True)
    assert old.returncode == 0 and old.stdout == run(*words).stdout, old
    assert old.stderr == "squall: the command plan is now forecast; the old name is accepted in this version\n", old.stderr


def main():
    check_old_name()
    check_given()
    check_measured()
    check_bad_input()


main()
