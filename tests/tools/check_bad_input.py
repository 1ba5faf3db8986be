#!/usr/bin/env python3
"""Checks that bad input gives one line that names what was found and what was expected, an exit code, and no partial files.

usage: check_bad_input.py SQUALL SOURCE_FOLDER bad-input
"""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from program import CONFIG, SMALL, SOURCE, SQUALL, main, run
from run_files import read


def without_gpu(folder, more):
    """Checks that, without a usable GPU, --device cuda fails with one line and changes no file, and that --device auto continues the run on the cpu."""
    hidden = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
    before = {name: read(os.path.join(folder, name)) for name in ("config.yaml", "log.jsonl", "last/state.json", "last/model.safetensors")}
    for run_folder in (folder, folder + "-new"):
        words = [SQUALL, "train", CONFIG, "-o", run_folder, "--resume", "auto", "--device", "cuda", *more]
        done = subprocess.run(words, cwd=SOURCE, env=hidden, capture_output=True, text=True)
        assert done.returncode == 1 and done.stderr.count("\n") == 1 and "cuda: " in done.stderr, (done.returncode, done.stderr)
    assert not os.path.exists(folder + "-new"), "a run that could not begin left its folder"
    assert all(read(os.path.join(folder, name)) == data for name, data in before.items())
    words[words.index("cuda")] = "auto"
    words[words.index(run_folder)] = folder
    done = subprocess.run(words, cwd=SOURCE, env=hidden, capture_output=True, text=True)
    assert done.returncode == 0 and re.search(r"device +cpu", done.stdout), (done.returncode, done.stdout, done.stderr)


def bad_input(scratch):
    a = os.path.join(scratch, "a")
    run("train", CONFIG, "-o", a, "--quiet", *SMALL)
    cases = [
        (["trian"], 2, "did you mean 'train'?"),
        (["train"], 2, "expected one configuration and -o RUN"),
        (["train", CONFIG, "-o", a], 2, "holds a run already"),
        (["train", CONFIG, "-o", a, "--resume", "auto", "--seed", "99"], 2, "restore them, or use a new folder"),
        (["train", CONFIG, "-o", a, "--resume", "auto", "--set", "space=configs/spaces/tiny.yaml"], 2, "belongs to a different space"),
        (["train", CONFIG, "-o", a + "2", "--arhc", "1"], 2, "did you mean '--arch'?"),
        (["train", CONFIG, "-o", a + "2", "--set", "train.bacth=3"], 2, "unknown key 'train.bacth', did you mean 'train.batch'?"),
        (["train", CONFIG, "-o", a + "2", "--set", "train.batch=many"], 2, "train.batch: found 'many', expected a whole number from 2 to 65536"),
        (["train", CONFIG, "-o", a + "2", "--set", "train.schedule=cosin"], 2, "found 'cosin', expected one of: constant linear cosine"),
        (["train", CONFIG, "-o", a + "2", "--set", "data.train=/no/such"], 3, "/no/such: No such file"),
        (["train", CONFIG, "-o", a + "2", "--set", "data.cache=device", "--set", "data.decode=draft"], 2, "data.cache: device: keeps whole images, expected data.decode: exact"),
        (["bench", "loader", CONFIG, "--set", "data.cache=device"], 2, "data.cache: device: only for training, expected none or ram"),
        (["train", CONFIG, "-o", a + "2", "--set", "data.decode=fast"], 2, "found 'fast', expected one of: exact draft"),
        (["train", CONFIG, "-o", a + "2", "--arch", "1,2"], 2, "2 numbers, expected 8"),
        (["train", CONFIG, "-o", a + "2", "--device", "gpu"], 2, "device gpu: unknown"),
        (["train", "no.yaml", "-o", a + "2"], 1, "no.yaml: No such file"),
        (["search", a, "--limit-macs", "1"], 2, "no path can meet it, the smallest has"),
        (["search", a, "--searcher", "nsga2", "--objectives", "accuracy,latency"], 2, "latency: no device 1, give --latency"),
        (["search", a, "--objectives", "macs,latency"], 2, "found 'macs,latency', expected accuracy and up to 3 different ones of"),
        (["search", a, "--searcher", "halving", "--set", "search.rungs=8"], 2, "100 images for 8 rungs of eta 3"),
        (["search", a, "--set", "search.final_temperature=2"], 2, "search.final_temperature: found 2, expected at most search.temperature (1)"),
        (["search", scratch], 2, "not a run"),
        (["evaluate", a], 2, "found a supernet, expected --arch"),
        (["export", a], 2, "run squall search first"),
        (["info", "space", "no.yaml"], 1, "no.yaml"),
    ]
    kept = {name: read(os.path.join(a, name)) for name in ("config.yaml", "commands.txt")}
    for words, code, text in cases:
        done = run(*words, code=code)
        lines = done.stderr.strip().splitlines()
        assert len(lines) == 1 and text in lines[0], f"{words}: {done.stderr!r}, expected {text!r}"
    assert kept == {name: read(os.path.join(a, name)) for name in kept}, "a refused command leaves the run unchanged"
    run("train", CONFIG, "-o", a + "8", "--quiet", *SMALL, "--set", "train.warmup_steps=2", "--set", "train.steps=14")
    without_gpu(a + "8", [*SMALL, "--set", "train.warmup_steps=2", "--set", "train.steps=21"])
    assert os.readlink(os.path.join(a + "8", "last")) == "ckpt-00000021"
    broken = os.path.join(scratch, "broken.yaml")
    with open(broken, "w") as file:
        file.write("space: configs/spaces/tiny.yaml\ntrain:\n  batch: 8\n  stesp: 5\n")
    assert "broken.yaml:4: unknown key 'train.stesp', did you mean 'train.steps'?" in run("train", broken, "-o", a + "3", code=2).stderr
    assert run("train", CONFIG, "-o", a + "4", "--quiet", *SMALL, "--set", "train.lr=1e15", "--set", "train.schedule=constant",
               "--set", "train.warmup_steps=0", code=4).stderr.count("\n") == 1
    # Trains one path from scratch, then evaluates and exports it.
    run("train", CONFIG, "-o", a + "5", "--quiet", "--arch", "0,1,2,3,0,1,2,3", *SMALL)
    assert "calibrated" in run("evaluate", a + "5").stdout
    assert "(0, 1, 2, 3, 0, 1, 2, 3)" in run("export", a + "5", "--fold", "off").stdout
    arch = os.path.join(a + "5", "export/arch.json")
    assert "(0, 1, 2, 3, 0, 1, 2, 3)" in run("export", a + "5", "--arch", arch, "-o", a + "6").stdout
    assert "trained only (0, 1, 2, 3, 0, 1, 2, 3)" in run("evaluate", a + "5", "--arch", "0,0,0,0,0,0,0,0", code=2).stderr
    assert "(0, 1, 2, 3, 0, 1, 2, 3)" in run("evaluate", a + "5").stdout
    assert "trained only (0, 1, 2, 3, 0, 1, 2, 3)" in run("export", a + "5", "--arch", "0,0,0,0,0,0,0,0", code=2).stderr
    # A limit on the size of files simulates a full disk. The export fails with one line and leaves no file.
    small = subprocess.run(["sh", "-c", 'ulimit -f 100; exec "$@"', "sh", SQUALL, "export", a + "5", "-o", a + "7"], cwd=SOURCE,
                           capture_output=True, text=True)
    assert small.returncode == 1 and small.stderr.count("\n") == 1 and "model.safetensors" in small.stderr, (small.returncode, small.stderr)
    assert os.listdir(a + "7") == []
    assert "running statistics" in run("evaluate", a, "--arch", "0,0,0,0,0,0,0,0", "--on-val").stdout


main({"bad-input": bad_input})
