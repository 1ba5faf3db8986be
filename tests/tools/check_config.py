#!/usr/bin/env python3
"""Checks configurations: base files, keys of version 0.1, scaled learning rates.

usage: check_config.py SQUALL SOURCE_FOLDER bases|old-runs|learning-rates
"""
import json
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from program import CONFIG, SMALL, SOURCE, SQUALL, main, run, same_files
from run_files import read


def bases(scratch):
    """Checks that a file overrides keys of its base file, and that keys of version 0.1 are accepted with a hint."""
    own, loop, run_folder = (os.path.join(scratch, name) for name in ("own.yaml", "loop.yaml", "based"))
    with open(own, "w") as file:
        file.write(f"base: {CONFIG}\ntrain: {{steps: 9}}\npublished: {{name: Other, top1: 12.5}}\nscope: {{free: 1-4, fixed: \"0,0,0,0,0,0,0,0\"}}\n")
    hints = run("train", own, "-o", run_folder, "--quiet", *SMALL[2:], "--set", "train.warmup_steps=0").stderr
    for hint in (f"{own}:3: key published.name no longer has an effect; remove it", f"{own}:3: key published.top1 no longer has an effect",
                 f"{own}:4: key scope.free is now layers.search; it is accepted in this version", f"{own}:4: key scope.fixed is now layers.fixed"):
        assert hint in hints, hints
    assert hints.count("\n") == 4, hints
    config = read(os.path.join(run_folder, "config.yaml")).decode()
    assert "steps: 9\n" in config and "weight_decay: 4.0" in config and "base" not in config, config
    assert 'layers:\n  search: "1-4"\n  fixed: "0,0,0,0,0,0,0,0"\n' in config and "scope" not in config and "published" not in config and config.count("\ntrain:\n") == 1, config
    printed = run("search", run_folder, "--quiet", "--threads", "1").stdout
    assert "Other" not in printed, printed
    for text, wanted in ((f"base: {loop}\n", "base: more than 8 nested files"), ("base: nowhere.yaml\n", "nowhere.yaml: No such file"),
                         ("base: [a, b]\n", "base: expected the path of one file"), ("train: {base: a}\n", "unknown key 'train.base'")):
        with open(loop, "w") as file:
            file.write(text)
        failed = subprocess.run([SQUALL, "train", loop, "-o", os.path.join(scratch, "no")], cwd=SOURCE, capture_output=True, text=True)
        assert failed.returncode in (1, 2) and wanted in failed.stderr and failed.stderr.count("\n") == 1, failed.stderr


def as_old_version(text):
    """Converts a config.yaml to the form of version 0.1, which has the sections scope and published, and keys of train in three places."""
    text = text.replace("layers:\n  search: ", "scope:\n  free: ")
    train, more = re.search(r"^train:\n((?:  .*\n)+)", text, re.M)[1], ""
    for key in ("from", "sync_batch_norm"):
        line = re.search(rf"^  {key}: .*\n", train, re.M)[0]
        train, more = train.replace(line, ""), more + "train:\n" + line
    text = re.sub(r"^train:\n(?:  .*\n)+", lambda _: "train:\n" + train, text, flags=re.M)
    return text + more + 'published:\n  name: ""\n  top1: 0\n  latency_ms: 0\n  source: ""\n'


def old_runs(scratch):
    """Checks that a run folder of version 0.1 that stopped in the middle of its training resumes to the same bytes, and that its search then gives
    the same bytes."""
    whole, old = os.path.join(scratch, "whole"), os.path.join(scratch, "old")
    mask = ["--set", "layers.search=1-4", "--set", "layers.fixed=0,1,2,3,0,1,2,3"]
    run("train", CONFIG, "-o", whole, "--quiet", *SMALL, *mask)
    run("search", whole, "--quiet")
    run("train", CONFIG, "-o", old, "--quiet", *SMALL, *mask, "--set", "train.keep=100")
    for name in os.listdir(old):  # as if it was killed after step 63
        if name.startswith("ckpt-") and int(name[5:]) > 63:
            shutil.rmtree(os.path.join(old, name))
    os.remove(os.path.join(old, "last"))
    os.symlink("ckpt-00000063", os.path.join(old, "last"))
    config = os.path.join(old, "config.yaml")
    text = as_old_version(read(config).decode())
    assert text.count("\ntrain:\n") == 3 and "layers:" not in text, text
    with open(config, "w") as file:
        file.write(text)
    hints = run("train", config, "-o", old, "--resume", "auto", "--quiet").stderr.splitlines()
    assert len(hints) == 2 and all("it is accepted in this version" in hint for hint in hints), hints
    same_files(whole, old, ["last/model.safetensors", "last/optim.safetensors", "log.jsonl"])
    with open(config, "w") as file:
        file.write(text)
    done = run("search", old, "--quiet")
    assert done.stderr.count("it is accepted in this version") == 2, done.stderr
    same_files(whole, old, ["search/search.json", "search/arch.json"])


def learning_rates(scratch):
    """Checks that train.lr is scaled from train.lr_batch to train.batch, and that a resumed run does not scale it again."""
    rates = lambda folder: [json.loads(line)["lr"] for line in read(os.path.join(folder, "log.jsonl")).splitlines() if b'"lr"' in line]
    short = ["--quiet", *SMALL, "--set", "train.steps=20", "--set", "train.warmup_steps=0", "--set", "train.schedule=linear", "--set", "train.lr=0.4", "--set", "train.final_lr=0.04"]
    found = {}
    for name, more in (("plain", []), ("same", ["train.lr_batch=16"]), ("linear", ["train.lr_batch=64"]), ("sqrt", ["train.lr_batch=64", "train.lr_rule=sqrt"])):
        folder = os.path.join(scratch, name)
        shown = run("train", CONFIG, "-o", folder, *[word for word in short if word != "--quiet"], *(word for pair in more for word in ("--set", pair))).stdout
        found[name] = rates(folder)
        factor = {"linear": 0.25, "sqrt": 0.5}.get(name, 1)
        assert f"learning rate {0.4 * factor:g}" in shown and ("0.4 for batches of 64" in shown) == (factor < 1), shown
        assert len(found[name]) == 4 and all(abs(rate - factor * plain) < 1e-7 for rate, plain in zip(found[name], found["plain"])), found
    again = os.path.join(scratch, "again")
    shutil.copytree(os.path.join(scratch, "linear"), again, symlinks=True)
    for step in (14, 20):
        shutil.rmtree(os.path.join(again, f"ckpt-{step:08d}"), ignore_errors=True)
    run("train", os.path.join(again, "config.yaml"), "-o", again, "--resume", "auto", "--quiet")
    assert read(os.path.join(again, "log.jsonl")) == read(os.path.join(scratch, "linear", "log.jsonl"))


main({"bases": bases, "old-runs": old_runs, "learning-rates": learning_rates})
