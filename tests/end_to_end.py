#!/usr/bin/env python3
"""The program as its users meet it: kill -9 at random moments, signals, and bad input.

usage: end_to_end.py SQUALL SOURCE_FOLDER kill-train|kill-search|signals|bad-input
"""
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

SQUALL, SOURCE, PART = sys.argv[1:4]
CONFIG = os.path.join(SOURCE, "configs/train/samples.yaml")
SMALL = ["--set", "train.steps=120", "--set", "train.batch=16", "--set", "train.checkpoint_every=7", "--set", "train.log_every=5",
         "--set", "train.ema=0.9", "--set", "search.population=6", "--set", "search.generations=3", "--set", "search.parents=3",
         "--set", "search.crossover=3", "--set", "search.mutation=3", "--set", "search.random_paths=3",
         "--set", "search.calibration_images=200", "--set", "search.evaluation_images=100", "--threads", "1"]


def run(*words, code=0):
    done = subprocess.run([SQUALL, *words], cwd=SOURCE, capture_output=True, text=True)
    assert done.returncode == code, f"{words}: exit {done.returncode}, wanted {code}: {done.stderr[-400:]}"
    return done


def read(path):
    with open(path, "rb") as file:
        return file.read()


def same_files(a, b, names):
    for name in names:
        assert read(os.path.join(a, name)) == read(os.path.join(b, name)), f"{name} differs"


def kill_often(words, kills, finished):
    """Starts the command again and again, each time killed at a random moment, until it has been killed often; then lets it end."""
    draw = random.Random(1)
    begin = time.monotonic()
    run(*words[0])
    whole = time.monotonic() - begin
    for i in range(kills):
        process = subprocess.Popen([SQUALL, *words[1]], cwd=SOURCE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(draw.uniform(0.02, max(0.1, 1.2 * whole / kills)))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        process.wait()
    run(*words[1])
    assert finished()


def kill_train(scratch):
    a, b = os.path.join(scratch, "a"), os.path.join(scratch, "b")
    longer = ["--set", "train.steps=600"]
    first = ["train", CONFIG, "-o", a, "--quiet", *SMALL, *longer]
    again = ["train", CONFIG, "-o", b, "--quiet", "--resume", "auto", *SMALL, *longer]
    kill_often((first, again), 20, lambda: os.path.exists(os.path.join(b, "ckpt-00000600")))
    same_files(a, b, ["ckpt-00000600/model.safetensors", "ckpt-00000600/optim.safetensors", "ckpt-00000600/state.json", "log.jsonl"])
    assert os.readlink(os.path.join(b, "last")) == "ckpt-00000600"
    assert not [name for name in os.listdir(b) if name.endswith(".tmp")]


def kill_search(scratch):
    a = os.path.join(scratch, "a")
    run("train", CONFIG, "-o", a, "--quiet", *SMALL)
    found = {}
    for name in ("plain", "killed"):
        folder = os.path.join(a, "search")
        subprocess.run(["rm", "-rf", folder], check=True)
        words = ["search", a, "--quiet", "--limit-macs", "2.9", "--threads", "1"]
        if name == "plain":
            run(*words)
        else:
            kill_often((["info", "device"], words), 20, lambda: os.path.exists(os.path.join(folder, "search.json")))
        found[name] = [read(os.path.join(folder, file)) for file in ("search.json", "arch.json", "state.json")]
    assert found["plain"] == found["killed"], "the killed search ended differently"
    report = json.loads(found["plain"][0])
    assert all(c["macs_m"] <= 2.9 for c in report["candidates"]) and len(report["candidates"]) == 27


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
        assert process.returncode == 75 and "is saved; --resume auto goes on" in text, (process.returncode, text[-300:])


def bad_input(scratch):
    a = os.path.join(scratch, "a")
    run("train", CONFIG, "-o", a, "--quiet", *SMALL)
    cases = [
        (["trian"], 2, "did you mean 'train'?"),
        (["train"], 2, "wanted one configuration and -o RUN"),
        (["train", CONFIG, "-o", a], 2, "holds a run already"),
        (["train", CONFIG, "-o", a + "2", "--arhc", "1"], 2, "did you mean '--arch'?"),
        (["train", CONFIG, "-o", a + "2", "--set", "train.bacth=3"], 2, "unknown key 'train.bacth', did you mean 'train.batch'?"),
        (["train", CONFIG, "-o", a + "2", "--set", "train.batch=many"], 2, "train.batch: 'many', wanted a whole number from 2 to 65536"),
        (["train", CONFIG, "-o", a + "2", "--set", "train.schedule=cosin"], 2, "'cosin', wanted one of: constant linear cosine"),
        (["train", CONFIG, "-o", a + "2", "--set", "data.train=/no/such"], 3, "/no/such: No such file"),
        (["train", CONFIG, "-o", a + "2", "--arch", "1,2"], 2, "2 numbers, wanted 8"),
        (["train", CONFIG, "-o", a + "2", "--device", "gpu"], 2, "device gpu: unknown"),
        (["train", "no.yaml", "-o", a + "2"], 1, "no.yaml: No such file"),
        (["search", a, "--limit-macs", "1"], 2, "no path can meet it, the smallest has"),
        (["search", scratch], 2, "not a run"),
        (["evaluate", a], 2, "--arch: missing"),
        (["export", a], 2, "run squall search first"),
        (["info", "space", "no.yaml"], 1, "no.yaml"),
        (["measure", "configs/spaces/tiny.yaml"], 2, "-o DEVICE"),
    ]
    for words, code, text in cases:
        done = run(*words, code=code)
        lines = done.stderr.strip().splitlines()
        assert len(lines) == 1 and text in lines[0], f"{words}: {done.stderr!r}, wanted {text!r}"
    broken = os.path.join(scratch, "broken.yaml")
    with open(broken, "w") as file:
        file.write("space: configs/spaces/tiny.yaml\ntrain:\n  batch: 8\n  stesp: 5\n")
    assert "broken.yaml:4: unknown key 'train.stesp', did you mean 'train.steps'?" in run("train", broken, "-o", a + "3", code=2).stderr
    assert run("train", CONFIG, "-o", a + "4", "--quiet", *SMALL, "--set", "train.lr=1e15", "--set", "train.schedule=constant",
               "--set", "train.warmup_steps=0", code=4).stderr.count("\n") == 1
    # One path from scratch, evaluated and exported.
    run("train", CONFIG, "-o", a + "5", "--quiet", "--arch", "0,1,2,3,0,1,2,3", *SMALL)
    assert "calibrated" in run("evaluate", a + "5").stdout
    assert "(0, 1, 2, 3, 0, 1, 2, 3)" in run("export", a + "5", "--fold", "off").stdout
    arch = os.path.join(a + "5", "export/arch.json")
    assert "(0, 1, 2, 3, 0, 1, 2, 3)" in run("export", a + "5", "--arch", arch, "-o", a + "6").stdout
    assert "trained only (0, 1, 2, 3, 0, 1, 2, 3)" in run("evaluate", a + "5", "--arch", "0,0,0,0,0,0,0,0", code=2).stderr
    assert "(0, 1, 2, 3, 0, 1, 2, 3)" in run("evaluate", a + "5").stdout
    assert "trained only (0, 1, 2, 3, 0, 1, 2, 3)" in run("export", a + "5", "--arch", "0,0,0,0,0,0,0,0", code=2).stderr
    # A full disk, as a limit on the size of files: one line, nothing left over.
    small = subprocess.run(["sh", "-c", 'ulimit -f 100; exec "$@"', "sh", SQUALL, "export", a + "5", "-o", a + "7"], cwd=SOURCE,
                           capture_output=True, text=True)
    assert small.returncode == 1 and small.stderr.count("\n") == 1 and "model.safetensors" in small.stderr, (small.returncode, small.stderr)
    assert os.listdir(a + "7") == []
    assert "running statistics" in run("evaluate", a, "--arch", "0,0,0,0,0,0,0,0", "--on-val").stdout


def main():
    with tempfile.TemporaryDirectory() as scratch:
        {"kill-train": kill_train, "kill-search": kill_search, "signals": signals, "bad-input": bad_input}[PART](scratch)


main()
