#!/usr/bin/env python3
"""Interrupts runs by kill -9 at random moments, full disks and signals. Checks that the same command resumes and ends with the same bytes.

usage: check_interruptions.py SQUALL SOURCE_FOLDER kill-train|full-disk|signals
"""
import os
import re
import resource
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from program import CONFIG, SMALL, SOURCE, SQUALL, kill_often, main, remove, run, same_files
from run_files import read


def kill_train(scratch):
    a, b = os.path.join(scratch, "a"), os.path.join(scratch, "b")
    longer = ["--set", "train.steps=300", "--set", "train.keep_every=10"]
    first = ["train", CONFIG, "-o", a, "--quiet", *SMALL, *longer]
    again = ["train", CONFIG, "-o", b, "--quiet", "--resume", "auto", *SMALL, *longer]
    names = ["ckpt-00000300/model.safetensors", "ckpt-00000300/optim.safetensors", "ckpt-00000300/state.json", "log.jsonl"]
    kill_often(first, again, 20, lambda: same_files(a, b, names), lambda: remove(b))
    for folder in (a, b):  # the newest two checkpoints and every tenth one
        kept = sorted(int(name[5:]) for name in os.listdir(folder) if name.startswith("ckpt-"))
        assert kept == [70, 140, 210, 280, 294, 300], kept
    assert os.readlink(os.path.join(b, "last")) == "ckpt-00000300"
    assert not [name for name in os.listdir(b) if name.endswith(".tmp")]


def limit_files(process, size):
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def full_disk(scratch):
    """Checks a run on a full disk, which a limit on the size of files simulates. The run must print a message, keep the last checkpoint and leave no
    partial files. If the limit is removed in time, the run must end with the same bytes. Otherwise the run must stop, and a resumed run must end
    with the same bytes."""
    a, b, c = (os.path.join(scratch, name) for name in "abc")
    names = ["ckpt-00000120/model.safetensors", "ckpt-00000120/optim.safetensors", "ckpt-00000120/state.json", "log.jsonl"]
    run("train", CONFIG, "-o", a, "--quiet", *SMALL)
    for folder, retries in ((b, "50"), (c, "1")):
        words = [SQUALL, "train", CONFIG, "-o", folder, "--quiet", *SMALL, "--set", "write_retries=" + retries]
        process = subprocess.Popen(words, cwd=SOURCE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        while not os.path.exists(os.path.join(folder, "last")):
            time.sleep(0.01)
            assert process.poll() is None, process.stderr.read()
        limit_files(process, 10)
        said = process.stderr.readline()
        assert re.fullmatch(rf"\S+/(log.jsonl|ckpt-\d+.tmp/\S+): File too large; retrying in 0.5 s, attempts left: {retries}\n", said), said
        assert os.path.exists(os.path.join(folder, "last", "state.json"))
        if folder == b:
            limit_files(process, resource.RLIM_INFINITY)
            assert process.wait() == 0, process.stderr.read()
        else:
            rest = process.stderr.read().splitlines()
            assert process.wait() == 1 and len(rest) == 1 and re.fullmatch(r"squall train: .*: File too large", rest[0]), rest
            assert not [name for name in os.listdir(folder) if name.endswith(".tmp")]
            run("train", CONFIG, "-o", folder, "--quiet", "--resume", "auto", *SMALL)
        same_files(a, folder, names)
    full_search(a)


def full_search(a):
    """Checks a search on a full disk. A search writes its state after each batch of candidates."""
    words = ["search", a, "--quiet", "--limit-macs", "2.9", "--threads", "1", "--resume", "never", "--set", "search.together=1"]
    run(*words)
    state = os.path.join(a, "search", "state.json")
    whole = read(state)
    os.remove(state)
    process = subprocess.Popen([SQUALL, *words, "--set", "write_retries=50"], cwd=SOURCE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while not os.path.exists(state):
        time.sleep(0.005)
        assert process.poll() is None, process.stderr.read()
    limit_files(process, 10)
    said = process.stderr.readline()
    assert re.search(r"state.json.tmp: File too large; retrying in 0.5 s, attempts left: 50$", said), said
    limit_files(process, resource.RLIM_INFINITY)
    assert process.wait() == 0 and read(state) == whole


def signals(scratch):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        folder = os.path.join(scratch, str(int(number)))
        words = [SQUALL, "train", CONFIG, "-o", folder, *SMALL, "--set", "train.steps=100000"]
        process = subprocess.Popen(words, cwd=SOURCE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        while not os.path.exists(os.path.join(folder, "last")):
            time.sleep(0.05)
            assert process.poll() is None, process.stderr.read()
        process.send_signal(number)
        text = process.communicate()[1]
        assert process.returncode == 75 and "is saved; continue with --resume auto" in text, (process.returncode, text[-300:])


main({"kill-train": kill_train, "full-disk": full_disk, "signals": signals})
