#!/usr/bin/env python3
"""The program as its users meet it: kill -9 at random moments, signals, and bad input.

usage: end_to_end.py SQUALL SOURCE_FOLDER kill-train|full-disk|kill-search|kill-rank|kill-stages|steady-search|bases|signals|bad-input|bench
"""
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from run_files import read, tensors

SQUALL, SOURCE, PART = sys.argv[1:4]
CONFIG = os.path.join(SOURCE, "configs/train/samples.yaml")
SMALL = ["--set", "train.steps=120", "--set", "train.batch=16", "--set", "train.checkpoint_every=7", "--set", "train.log_every=5",
         "--set", "train.ema=0.9", "--set", "search.population=6", "--set", "search.generations=3", "--set", "search.parents=3",
         "--set", "search.crossover=3", "--set", "search.mutation=3", "--set", "search.random_paths=3",
         "--set", "search.calibration_images=200", "--set", "search.evaluation_images=100", "--threads", "1"]


def run(*words, code=0):
    done = subprocess.run([SQUALL, *words], cwd=SOURCE, capture_output=True, text=True)
    assert code is None or done.returncode == code, f"{words}: exit {done.returncode}, wanted {code}: {done.stderr[-400:]}"
    return done


def same_files(a, b, names):
    for name in names:
        assert read(os.path.join(a, name)) == read(os.path.join(b, name)), f"{name} differs"


def kill_often(whole, words, kills, check, clean):
    """Starts `words` again and again, each time killed at a random moment of what `whole` takes, until it was killed so often. Whenever
    it came to its end before, that is checked and cleaned away; at last it may end."""
    draw = random.Random(1)
    begin = time.monotonic()
    run(*whole)
    seconds = time.monotonic() - begin
    while kills:
        process = subprocess.Popen([SQUALL, *words], cwd=SOURCE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            assert process.wait(draw.uniform(0.02, max(0.1, 0.5 * seconds))) == 0, words
            check()
            clean()
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills -= 1
    run(*words)
    check()


def remove(folder):
    subprocess.run(["rm", "-rf", folder], check=True)


def kill_train(scratch):
    a, b = os.path.join(scratch, "a"), os.path.join(scratch, "b")
    longer = ["--set", "train.steps=300", "--set", "train.keep_every=10"]
    first = ["train", CONFIG, "-o", a, "--quiet", *SMALL, *longer]
    again = ["train", CONFIG, "-o", b, "--quiet", "--resume", "auto", *SMALL, *longer]
    names = ["ckpt-00000300/model.safetensors", "ckpt-00000300/optim.safetensors", "ckpt-00000300/state.json", "log.jsonl"]
    kill_often(first, again, 20, lambda: same_files(a, b, names), lambda: remove(b))
    for folder in (a, b):  # the newest two, and every tenth
        kept = sorted(int(name[5:]) for name in os.listdir(folder) if name.startswith("ckpt-"))
        assert kept == [70, 140, 210, 280, 294, 300], kept
    assert os.readlink(os.path.join(b, "last")) == "ckpt-00000300"
    assert not [name for name in os.listdir(b) if name.endswith(".tmp")]


def kill_search(scratch):
    """Each searcher with its options and the number of kills."""
    a = os.path.join(scratch, "a")
    run("train", CONFIG, "-o", a, "--quiet", *SMALL)
    searchers = {"evolution": ([], 20),
                 "nsga2": (["--objectives", "accuracy,macs,memory"], 5),
                 "annealing": (["--set", "search.chains=2"], 2),
                 "halving": (["--set", "search.rungs=2", "--set", "search.evaluation_images=99"], 2),
                 "regularized": (["--set", "search.children=4"], 2),
                 "local": ([], 2)}
    for searcher, (more, kills) in searchers.items():
        folder, kept = os.path.join(a, "search"), os.path.join(scratch, searcher)
        words = ["search", a, "--quiet", "--limit-macs", "2.9", "--threads", "1", "--searcher", searcher, *more]
        remove(folder)
        printed = run(*words).stdout
        os.rename(folder, kept)
        kill_often([*words, "--resume", "never"], words, kills,
                   lambda: same_files(kept, folder, ["search.json", "arch.json", "state.json"]), lambda: remove(folder))
        report = json.loads(read(os.path.join(kept, "search.json")))
        check_report(report, searcher, printed)
        assert json.loads(read(os.path.join(kept, "state.json")))["limit"] == len(report["candidates"]), searcher
    # One that begins anew leaves nothing of the older one to be taken for its own.
    words = ["search", a, "--limit-macs", "2.9", "--resume", "never", "--quiet", "--threads", "1", "--set", "search.together=5"]
    process = subprocess.Popen([SQUALL, *words], cwd=SOURCE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while not os.path.exists(os.path.join(folder, "state.json")) or os.path.exists(os.path.join(folder, "search.json")):
        assert process.poll() is None
        time.sleep(0.002)
    process.kill()
    process.communicate()
    assert "run squall search first" in run("export", a, code=2).stderr
    run(*words)
    # A search that is refused leaves the older one as it was.
    names = sorted(os.listdir(folder))
    before = [read(os.path.join(folder, name)) for name in names]
    for more in (["--limit-macs", "0.001"], ["--limit-macs", "2.9", "--latency", "nowhere", "--limit-latency", "1"],
                 ["--searcher", "nsga2", "--objectives", "accuracy,latency"]):
        refused = run("search", a, "--resume", "never", "--quiet", "--set", "search.evaluation_batch=0", *more, code=None)
        assert refused.returncode in (1, 2) and refused.stderr.count("\n") == 1, refused.stderr
        assert sorted(os.listdir(folder)) == names and [read(os.path.join(folder, name)) for name in names] == before, more


def limit_files(process, size):
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def full_disk(scratch):
    """A limit on the size of files stands for a disk that is full. It is said, the checkpoint before stays, nothing half is left; freed in
    time the run goes on to the same bytes; else it stops, and a resume does."""
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
        assert re.fullmatch(rf"\S+/(log.jsonl|ckpt-\d+.tmp/\S+): File too large; again in 0.5 s, tries left: {retries}\n", said), said
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
    """The same in a search: its state is written after every few candidates."""
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
    assert re.search(r"state.json.tmp: File too large; again in 0.5 s, tries left: 50$", said), said
    limit_files(process, resource.RLIM_INFINITY)
    assert process.wait() == 0 and read(state) == whole


def resident(process):
    with open(f"/proc/{process.pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def steady_search(scratch):
    """1,000 candidates: resident memory stands still, and the search says what a candidate took and where its time went."""
    a, sizes = os.path.join(scratch, "a"), {}
    run("train", CONFIG, "-o", a, "--quiet", *SMALL)
    words = ["search", a, "--threads", "1", "--set", "search.population=40", "--set", "search.generations=24", "--set", "search.parents=10",
             "--set", "search.crossover=20", "--set", "search.mutation=20", "--set", "search.random_paths=0", "--set",
             "search.calibration_images=20", "--set", "search.calibration_batch=10", "--set", "search.evaluation_images=20"]
    process = subprocess.Popen([SQUALL, *words], cwd=SOURCE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said = []
    for line in process.stderr:
        said.append(line)
        match = re.match(r"search +(\d+)/1000 ", line)
        if match:
            sizes[int(match[1])] = resident(process)
    assert process.wait() == 0 and len(sizes) == 25, (process.returncode, said[-3:])
    # A candidate is some 150 bytes in the list and 300 in the text that is written; nothing else may grow.
    grown = max(size for done, size in sizes.items() if done > 200) - max(size for done, size in sizes.items() if done <= 200)
    assert grown < 2048, f"{grown} KiB more after 1,000 candidates than after 200: {sizes}"
    text = next(line for line in said if line.startswith("1000 candidates in"))
    shares = [float(number) for number in re.findall(r"([0-9.]+) %", text)]
    assert re.search(r", [0-9.]+ ms each: calibration", text) and len(shares) == 4 and abs(sum(shares) - 100) < 0.3, text


def check_report(report, searcher, printed):
    candidates, front = report["candidates"], report["pareto"]
    assert all(c["macs_m"] <= 2.9 for c in candidates) and report["searcher"] == searcher
    most = max(c["images"] for c in candidates[3:])
    best = candidates[report["best"]]
    ranked = [c for c in candidates[3:] if c["images"] == most]
    assert best["images"] == most and best["top1_acc"] == max(c["top1_acc"] for c in ranked)
    if searcher == "halving":  # 24 evaluations of 200 + 99 images, as n of 200 + 33 and n / 3 of 200 + 99
        assert [c["images"] for c in candidates] == [99] * 3 + [33] * 21 + [99] * 7, [c["images"] for c in candidates]
    else:
        assert len(candidates) == 27
    costs = {"accuracy": lambda c: -c["top1_acc"], "macs": lambda c: c["macs_m"], "memory": lambda c: c["memory_mb"]}
    point = lambda c: [costs[name](c) for name in report["objectives"]]
    beats = lambda a, b: all(x <= y for x, y in zip(point(a), point(b))) and point(a) != point(b)
    wanted = [i for i, c in enumerate(candidates) if i > 2 and c["images"] == most and not any(beats(other, c) for other in ranked)]
    assert front == wanted and report["hypervolume"] > 0, (front, wanted)
    assert report["hypervolume_reference"][1] == max(c["macs_m"] for c in ranked)
    assert (f"front of {len(front)}, hypervolume" in printed) == (searcher == "nsga2"), printed


def kill_rank(scratch):
    """A fair supernet, killed and resumed; then its paths trained alone, killed likewise: the same bytes."""
    a, b = os.path.join(scratch, "a"), os.path.join(scratch, "b")
    fair = ["--quiet", *SMALL, "--set", "train.sampler=fair", "--set", "train.warmup_steps=4", "--set", "train.steps=42"]
    names = ["ckpt-00000042/model.safetensors", "ckpt-00000042/optim.safetensors", "ckpt-00000042/state.json", "log.jsonl"]
    kill_often(["train", CONFIG, "-o", a, *fair], ["train", CONFIG, "-o", b, "--resume", "auto", *fair], 6,
               lambda: same_files(a, b, names), lambda: remove(b))
    log = [json.loads(line) for line in read(os.path.join(a, "log.jsonl")).splitlines()]
    assert all(line["paths"] == 4 for line in log), log
    words = lambda run_folder: ["rank", run_folder, "--paths", "4", "--steps", "21", "--quiet", "--threads", "1"]
    kill_often(words(a), words(b), 6, lambda: same_files(a, b, ["rank/rank.json", "rank/path-002/last/model.safetensors"]),
               lambda: remove(os.path.join(b, "rank")))
    report = json.loads(read(os.path.join(a, "rank/rank.json")))
    paths = report["paths"]
    assert len(paths) == 4 and report["pairs"] == 6 and report["steps_alone"] == 21, report
    assert [p["macs_m"] for p in paths] == sorted(p["macs_m"] for p in paths) and len({tuple(p["arch"]) for p in paths}) == 4
    assert report["kendall_tau_b"] is None or -1 <= report["kendall_tau_b"] <= 1
    # The scores are those of squall evaluate; what was trained is not trained again, nor taken for something else.
    for folder, arch, score in ((a, ["--arch", str(paths[1]["arch"])[1:-1]], paths[1]["supernet"]),
                                (os.path.join(a, "rank/path-001"), [], paths[1]["alone"])):
        calibrated = next(line for line in run("evaluate", folder, "--threads", "1", *arch).stdout.splitlines() if "calibrated" in line)
        assert f"{100 * score['top1_acc']:.2f} % top-1" in calibrated and f"loss {score['loss']:.4f}" in calibrated, (calibrated, score)
    before = os.stat(os.path.join(a, "rank/path-000/last/model.safetensors")).st_mtime_ns
    shared = run("rank", b, "--paths", "4", "--steps", "21", "--alone", os.path.join(a, "rank"), "--threads", "1").stdout
    assert before == os.stat(os.path.join(a, "rank/path-000/last/model.safetensors")).st_mtime_ns
    assert "Kendall tau-b" in shared and shared.count(" %  (") == 4, shared
    for more, text in ((["--steps", "22"], "path-000: was begun with another train.steps"), (["--seed", "9"], "trains another path"),
                       (["--set", "train.lr=0.3"], "was begun with another train.lr"), (["--paths", "1"], "--paths: '1', wanted"),
                       (["--resume", "maybe"], "wanted auto or never"), (["--steps", "x"], "--steps: 'x', wanted")):
        failed = run("rank", a, "--paths", "4", "--steps", "21", "--threads", "1", "--quiet", *more, code=2)
        assert text in failed.stderr and failed.stderr.count("\n") == 1, (more, failed.stderr)
    assert "there is nothing to rank" in run("rank", os.path.join(a, "rank/path-000"), code=2).stderr
    new = os.path.join(scratch, "c")
    assert "the sampler fair takes 4" in run("train", CONFIG, "-o", new, *fair, "--set", "train.paths=3", code=2).stderr
    assert not os.path.exists(new)
    assert "3 paths  loss" in run("train", CONFIG, "-o", new, *SMALL, "--set", "train.paths=3", "--set", "train.gradients=mean",
                                  "--set", "train.steps=5", "--set", "train.warmup_steps=0").stderr


def kill_stages(scratch):
    """Later layers, then earlier ones: what is fixed stays so in every candidate, the second stage begins with the first one's weights,
    limits hold for the whole network in both, and a search in stages that is killed often ends with the same bytes."""
    a, b = os.path.join(scratch, "a"), os.path.join(scratch, "b")
    words = ["search", CONFIG, "--two-stage", "--quiet", "--limit-macs", "3.2", *SMALL, "--set", "stages.groups=5-8, 1-4", "--set",
             "stages.steps=50, 30", "--set", "stages.lr=0.2, 0.1", "--set", "stages.start=1,1,1,1,1,1,1,1", "--set", "train.warmup_steps=3"]
    printed = run(*words, "-o", a).stdout
    assert "80 steps; one group takes 120 (train.steps): -33.3 %" in printed and "one group at this speed" in printed, printed
    reports = [json.loads(read(os.path.join(a, f"stage-{stage}/search/search.json"))) for stage in (1, 2)]
    best = reports[0]["candidates"][reports[0]["best"]]["arch"]
    for candidate in reports[0]["candidates"]:
        assert candidate["arch"][:4] == [1, 1, 1, 1] and (candidate["generation"] < 0 or candidate["macs_m"] <= 3.2), candidate
    for candidate in reports[1]["candidates"]:
        assert candidate["arch"][4:] == best[4:] and (candidate["generation"] < 0 or candidate["macs_m"] <= 3.2), candidate
    found = reports[1]["candidates"][reports[1]["best"]]["arch"]
    summary = json.loads(read(os.path.join(a, "stages.json")))
    assert summary["tuple"] == "(" + ", ".join(map(str, found)) + ")" and summary["steps"] == 80, summary
    config = read(os.path.join(a, "stage-2/config.yaml")).decode()
    assert "stage-1" in config and 'free: "1-4"' in config, config
    before, after = (tensors(os.path.join(a, f"stage-{stage}/last/model.safetensors")) for stage in (1, 2))
    kept = [name for name in before for layer in range(5, 9) for choice in range(4)
            if name.startswith(f"features.{layer - 1}.{choice}.") and choice != best[layer - 1] and name.endswith("weight")]
    assert len(kept) > 20 and all(before[name] == after[name] for name in kept), "what stage 2 does not draw is stage 1's, to the bit"
    assert any(before[name] != after[name] for name in before)

    def check():
        for stage in ("stage-1", "stage-2"):
            same_files(os.path.join(a, stage), os.path.join(b, stage), ["search/search.json", "search/arch.json", "last/model.safetensors"])
        same_files(a, b, ["stages.json"])
    kill_often([*words, "-o", os.path.join(scratch, "whole")], [*words, "-o", b], 20, check, lambda: remove(b))
    # Another search mask is another run; a stage is an ordinary run.
    done = run("train", os.path.join(a, "stage-1/config.yaml"), "-o", os.path.join(a, "stage-1"), "--resume", "auto", "--quiet", "--set",
               "layers.search=1-4", "--set", "train.steps=60", code=2)
    assert "other layers fixed" in done.stderr, done.stderr
    assert "exported" in run("export", os.path.join(a, "stage-2")).stdout or os.path.exists(os.path.join(a, "stage-2/export/model.onnx"))
    for extra, text in ((["--set", "stages.groups=5-8"], "layer 1 stands in no group"), (["--set", "layers.search=1-2"], "wanted both, or neither"),
                        (["--set", "stages.start=1,2"], "2 numbers, wanted 8")):
        done = run(*words, *extra, "-o", os.path.join(scratch, "c"), code=2)
        assert done.stderr.count("\n") == 1 and text in done.stderr, done.stderr
    assert "expected one configuration, --two-stage and -o RUN" in run("search", CONFIG, "--two-stage", code=2).stderr


def bases(scratch):
    """base: this file overrides keys of the other one. Keys of version 0.1 are accepted with a hint."""
    own, loop, run_folder = (os.path.join(scratch, name) for name in ("own.yaml", "loop.yaml", "based"))
    with open(own, "w") as file:
        file.write(f"base: {CONFIG}\ntrain: {{steps: 9}}\npublished: {{name: Other, top1: 12.5}}\nscope: {{free: 1-4, fixed: \"0,0,0,0,0,0,0,0\"}}\n")
    hints = run("train", own, "-o", run_folder, "--quiet", *SMALL[2:], "--set", "train.warmup_steps=0").stderr
    for hint in (f"{own}:3: key published.name has no effect any more; remove it", f"{own}:3: key published.top1 has no effect",
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


def without_gpu(folder, more):
    """Where no GPU can be used, cuda says so in one line and touches nothing; auto takes the cpu, and the run goes on."""
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


def learning_rates(scratch):
    """train.lr for another batch than train.batch, scaled by rule; a resumed run does not scale it again."""
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


def bad_input(scratch):
    a = os.path.join(scratch, "a")
    run("train", CONFIG, "-o", a, "--quiet", *SMALL)
    cases = [
        (["trian"], 2, "did you mean 'train'?"),
        (["train"], 2, "expected one configuration and -o RUN"),
        (["train", CONFIG, "-o", a], 2, "holds a run already"),
        (["train", CONFIG, "-o", a, "--resume", "auto", "--seed", "99"], 2, "not the same run"),
        (["train", CONFIG, "-o", a, "--resume", "auto", "--set", "space=configs/spaces/tiny.yaml"], 2, "of another space"),
        (["train", CONFIG, "-o", a + "2", "--arhc", "1"], 2, "did you mean '--arch'?"),
        (["train", CONFIG, "-o", a + "2", "--set", "train.bacth=3"], 2, "unknown key 'train.bacth', did you mean 'train.batch'?"),
        (["train", CONFIG, "-o", a + "2", "--set", "train.batch=many"], 2, "train.batch: found 'many', expected a whole number from 2 to 65536"),
        (["train", CONFIG, "-o", a + "2", "--set", "train.schedule=cosin"], 2, "found 'cosin', expected one of: constant linear cosine"),
        (["train", CONFIG, "-o", a + "2", "--set", "data.train=/no/such"], 3, "/no/such: No such file"),
        (["train", CONFIG, "-o", a + "2", "--set", "data.cache=device", "--set", "data.decode=draft"], 2, "data.cache: device: keeps whole images, wanted data.decode: exact"),
        (["bench", "loader", CONFIG, "--set", "data.cache=device"], 2, "data.cache: device: nothing trains here, wanted none or ram"),
        (["train", CONFIG, "-o", a + "2", "--set", "data.decode=fast"], 2, "found 'fast', expected one of: exact draft"),
        (["train", CONFIG, "-o", a + "2", "--arch", "1,2"], 2, "2 numbers, wanted 8"),
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
        assert len(lines) == 1 and text in lines[0], f"{words}: {done.stderr!r}, wanted {text!r}"
    assert kept == {name: read(os.path.join(a, name)) for name in kept}, "what is refused leaves the run as it was"
    run("train", CONFIG, "-o", a + "8", "--quiet", *SMALL, "--set", "train.warmup_steps=2", "--set", "train.steps=14")
    without_gpu(a + "8", [*SMALL, "--set", "train.warmup_steps=2", "--set", "train.steps=21"])
    assert os.readlink(os.path.join(a + "8", "last")) == "ckpt-00000021"
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


def one_json(*words):
    lines = run("bench", *words, "--json").stdout.splitlines()
    assert len(lines) == 1, lines
    return json.loads(lines[0])


def bench_dry():
    """Counted without a device. SPOS: the arithmetic of fused units (normalised on load, both gradients apart) gives 89 MB an image,
    joins and channels read again for every tile come on top, both gradients in one pass take off. Partial sums of weight gradients
    do not shrink with the batch."""
    large = one_json("step", "configs/spaces/spos.yaml", "--dry", "--batch", "1024")
    assert 60e6 < large["bytes_per_image"] <= 92e6, large["bytes_per_image"]
    spos = one_json("step", "configs/spaces/spos.yaml", "--dry", "--batch", "256")
    assert 60e6 < spos["bytes_per_image"] <= 95e6, spos["bytes_per_image"]
    for part in (sum(spos[key] for key in ("bytes_forward", "bytes_backward", "bytes_update")), sum(spos["bytes_by_kernel"].values())):
        assert abs(part - spos["bytes_per_image"]) < 1e-6 * spos["bytes_per_image"], (part, spos)
    assert abs(spos["bound_images_per_second"] * spos["bytes_per_image"] / 4.3e12 - 1) < 1e-6
    assert "images_per_second" not in spos and spos == one_json("step", "configs/spaces/spos.yaml", "--dry")
    assert "in all" in run("bench", "step", "configs/spaces/proxyless.yaml", "--dry", "--steps", "7").stdout
    kernels = one_json("kernels", "--dry", "--batch", "32")
    assert kernels["space"] == "spos" and len(kernels["launches"]) > 100
    assert {row["level"] for row in kernels["launches"]} == {"L3", "L4", "-"}
    assert all(row["bytes"] > 0 and row["times"] > 0 and "us" not in row for row in kernels["launches"])
    price = {(row["width"], row["unit"], row["mode"]): row["surcharge"] for row in kernels["widths"]}
    assert len(price) == 16 and all(price[116, unit, mode] > price[120, unit, mode] for _, unit, mode in price)
    assert "by kernel" in run("bench", "kernels", "configs/spaces/tiny.yaml", "--dry").stdout


def bench_model(scratch):
    """The modelled time of a step: the parts add up, the table of counts holds SPOS, a faster memory is not slower, one path is one."""
    step = ("step", "configs/spaces/spos.yaml", "--dry", "--steps", "40", "--gpu")
    h200 = one_json(*step, "h200")
    assert h200["space"] == "spos" and h200["batch"] == 256 and h200["paths"] == 40 and h200 == one_json(*step, "h200")
    assert abs(h200["ms_per_step"] * h200["images_per_second"] / 256e3 - 1) < 1e-6
    assert h200["images_per_second_min"] < h200["images_per_second"] < h200["images_per_second_max"]
    for key in ("expected_ms", "memory_ms", "issue_ms"):
        assert abs(sum(c[key] for c in h200["classes"].values()) / h200["all"][key] - 1) < 1e-6, key
    assert h200["share_estimated"] == 0 and h200["share_rescaled"] == 0
    assert h200["images_per_second"] > one_json(*step, "h100")["images_per_second"] > one_json(*step, "a100")["images_per_second"]
    assert one_json(*step, "rtx3090")["share_rescaled"] > 0.5
    assert one_json(*step, "h200", "--batch", "64")["share_estimated"] > 0.5
    path = "(" + ", ".join("0" * 20) + ")"
    small, large = (one_json("step", "configs/spaces/spos.yaml", "--dry", "--gpu", "h200", "--arch", path.replace("0", c)) for c in "02")
    assert small["ms_per_step"] < large["ms_per_step"], "7 x 7 is faster than 3 x 3"
    table = run("bench", *step, "h200").stdout
    assert "depthwise backward" in table and "bound by" in table and "0.0 % of the time" in table
    other = os.path.join(scratch, "other.yaml")
    with open(other, "w") as file:
        file.write(read(os.path.join(SOURCE, "configs", "gpus", "h200.yaml")).decode().replace("copy_gb_per_s: 4300", "copy_gb_per_s: 4500"))
    assert one_json(*step, other)["images_per_second"] >= h200["images_per_second"]


def bench_loader(scratch):
    """Rates and stages of the loader; a run's timing.jsonl tells how it fared."""
    short = ["--batch", "16", "--steps", "2", "--repeats", "3"]
    for words in ((os.path.join(SOURCE, "data", "samples"),), (CONFIG, "--threads", "2", "--set", "data.cache=ram"), (CONFIG, "--set", "data.decode=draft")):
        a = one_json("loader", *words, *short)
        assert a["images_per_second"] > 0 and a["images_per_second_one_thread"] > 0 and a["bad"] == 0, a
        assert list(a["us_per_image"]) == ["read", "decode", "resize", "copy"] and all(a["us_per_image"].values()), a
        assert abs(a["speedup"] * a["images_per_second_one_thread"] / a["images_per_second"] - 1) < 1e-6
    assert a["decode"] == "draft" and a["batch"] == 16 and a["rounds"] == 3
    assert "ram: all 2400 images, decoded" in run("bench", "loader", CONFIG, *short, "--set", "data.cache=ram").stdout
    runs = [os.path.join(scratch, name) for name in ("none", "ram", "device")]
    for folder in runs:
        done = run("train", CONFIG, "-o", folder, *SMALL, "--set", "train.steps=90", "--set", "data.cache=" + os.path.basename(folder))
        assert read(os.path.join(folder, "last", "model.safetensors")) == read(os.path.join(runs[0], "last", "model.safetensors")), folder
    assert "device: all 2400 images, decoded" in done.stdout, done.stdout
    for line in read(os.path.join(runs[0], "timing.jsonl")).splitlines():
        event = json.loads(line)
        assert 0 <= event["stalls"] <= 90 and 2 <= event["batches_ahead"] <= 4 and event["wait_seconds"] >= 0, event


def bench(scratch):
    bench_loader(scratch)
    tiny = ["step", "configs/spaces/tiny.yaml", "--device", "cpu", "--batch", "4", "--warmup", "1", "--threads", "1"]
    a, b = one_json(*tiny, "--steps", "2"), one_json(*tiny, "--steps", "2")
    assert (a["space"], a["device"], a["batch"], a["steps"]) == ("tiny", "cpu", 4, 2) and "bytes_per_image" not in a, a
    assert 0 < a["images_per_second_min"] <= a["images_per_second"] <= a["images_per_second_max"] and a["loss"] == b["loss"]
    assert abs(a["ms_per_step"] * a["images_per_second"] / 4000 - 1) < 1e-6
    assert "in 3 blocks" in run("bench", *tiny, "--steps", "35").stdout
    found = run("info", "device").stdout
    bench_dry()
    bench_model(scratch)
    cases = [
        (["steps"], 2, "unknown command 'steps', did you mean 'step'?"),
        (["step"], 2, "expected one space file"),
        (["loader"], 2, "expected one source of images or one configuration"),
        (["loader", "/no/such"], 3, "/no/such: No such file"),
        (["step", "no.yaml"], 1, "no.yaml: No such file"),
        (["step", "configs/spaces/spos.yaml", "--dry", "--gpu", "h300"], 2, "found 'h300', expected one of a100, h100, h200, rtx3090, or a file"),
        (["step", "configs/spaces/spos.yaml", "--gpu", "h200"], 2, "--gpu: needs --dry"),
        (["kernels", "--steps", "3"], 2, "unknown option '--steps'"),
        (["step", "configs/spaces/spos.yaml", "--dry", "--gpu", "h200", "--arch", "(1, 2)"], 2, ""),
        ([*tiny, "--batch", "0"], 2, "--batch: found '0', expected a whole number from 2 to 65536"),
        ([*tiny, "--steps", "0"], 2, "--steps: found '0', expected a whole number"),
        ([*tiny, "--bandwidth", "fast"], 2, "--bandwidth: found 'fast', expected a number"),
        ([*tiny, "--graphs", "maybe"], 2, "graphs: found 'maybe', expected one of: off on"),
        (["step", "configs/spaces/tiny.yaml", "--device", "cuda:x"], 2, "device cuda:x: expected a name like cuda:0"),
        (["kernels", "--device", "cpu"], 1, "device cpu has no launches of its own to time; wanted cuda, or --dry"),
    ]
    if "not in this build" in found or "not used" in found:
        cases.append((["step", "configs/spaces/tiny.yaml", "--device", "cuda"], 1, "cuda: "))
    for words, code, text in cases:
        lines = run("bench", *words, code=code).stderr.strip().splitlines()
        assert len(lines) == 1 and text in lines[0], f"{words}: {lines}, wanted {text!r}"
    odd = run("info", "space", "tests/fixtures/odd_widths_pad.yaml", "--device").stdout
    assert "warning: layer 0 wastes lanes: stem 37.5 %" in odd
    assert "warning" not in run("info", "space", "configs/spaces/spos.yaml", "--device").stdout
    run("train", CONFIG, "-o", os.path.join(scratch, "a"), "--quiet", "--graphs", "off", *SMALL, "--set", "train.steps=60")
    assert b"graphs: off\n" in read(os.path.join(scratch, "a", "config.yaml"))


def main():
    with tempfile.TemporaryDirectory() as scratch:
        {"kill-train": kill_train, "full-disk": full_disk, "kill-search": kill_search, "kill-rank": kill_rank, "kill-stages": kill_stages, "steady-search": steady_search, "bases": bases, "signals": signals, "learning-rates": learning_rates, "bad-input": bad_input, "bench": bench}[PART](scratch)


main()
