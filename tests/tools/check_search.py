#!/usr/bin/env python3
"""Checks searches that are killed at random moments, searches in stages, the memory of a search, and squall rank.

usage: check_search.py SQUALL SOURCE_FOLDER kill-search|kill-rank|kill-stages|steady-search
"""
import json
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from program import CONFIG, SMALL, SOURCE, SQUALL, kill_often, main, remove, run, same_files
from run_files import read, tensors


def kill_search(scratch):
    """Checks that each searcher, killed several times, ends with the same bytes."""
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
    # A search that starts over removes all files of the older search.
    words = ["search", a, "--limit-macs", "2.9", "--resume", "never", "--quiet", "--threads", "1", "--set", "search.together=5"]
    process = subprocess.Popen([SQUALL, *words], cwd=SOURCE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while not os.path.exists(os.path.join(folder, "state.json")) or os.path.exists(os.path.join(folder, "search.json")):
        assert process.poll() is None
        time.sleep(0.002)
    process.kill()
    process.communicate()
    assert "run squall search first" in run("export", a, code=2).stderr
    run(*words)
    # A search that is refused does not change the files of the older search.
    names = sorted(os.listdir(folder))
    before = [read(os.path.join(folder, name)) for name in names]
    for more in (["--limit-macs", "0.001"], ["--limit-macs", "2.9", "--latency", "nowhere", "--limit-latency", "1"],
                 ["--searcher", "nsga2", "--objectives", "accuracy,latency"]):
        refused = run("search", a, "--resume", "never", "--quiet", "--set", "search.evaluation_batch=0", *more, code=None)
        assert refused.returncode in (1, 2) and refused.stderr.count("\n") == 1, refused.stderr
        assert sorted(os.listdir(folder)) == names and [read(os.path.join(folder, name)) for name in names] == before, more


def check_report(report, searcher, printed):
    candidates, front = report["candidates"], report["pareto"]
    assert all(c["macs_m"] <= 2.9 for c in candidates) and report["searcher"] == searcher
    most = max(c["images"] for c in candidates[3:])
    best = candidates[report["best"]]
    ranked = [c for c in candidates[3:] if c["images"] == most]
    assert best["images"] == most and best["top1_acc"] == max(c["top1_acc"] for c in ranked)
    if searcher == "halving":  # the budget of 24 evaluations of 200 + 99 images pays for 21 of 200 + 33 and 7 of 200 + 99
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
    """Trains a supernet with the sampler fair, then its paths alone with squall rank. Checks that killed and resumed runs of both commands end with the
    same bytes."""
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
    # The scores equal those of squall evaluate. Finished trainings are not repeated, and a different training is refused.
    for folder, arch, score in ((a, ["--arch", str(paths[1]["arch"])[1:-1]], paths[1]["supernet"]),
                                (os.path.join(a, "rank/path-001"), [], paths[1]["alone"])):
        calibrated = next(line for line in run("evaluate", folder, "--threads", "1", *arch).stdout.splitlines() if "calibrated" in line)
        assert f"{100 * score['top1_acc']:.2f} % top-1" in calibrated and f"loss {score['loss']:.4f}" in calibrated, (calibrated, score)
    before = os.stat(os.path.join(a, "rank/path-000/last/model.safetensors")).st_mtime_ns
    shared = run("rank", b, "--paths", "4", "--steps", "21", "--alone", os.path.join(a, "rank"), "--threads", "1").stdout
    assert before == os.stat(os.path.join(a, "rank/path-000/last/model.safetensors")).st_mtime_ns
    assert "Kendall tau-b" in shared and shared.count(" %  (") == 4, shared
    for more, text in ((["--steps", "22"], "path-000: was started with a different train.steps"), (["--seed", "9"], "holds the training of a different path"),
                       (["--set", "train.lr=0.3"], "was started with a different train.lr"), (["--paths", "1"], "--paths: found '1', expected"),
                       (["--resume", "maybe"], "--resume: found 'maybe', expected one of: never auto"), (["--steps", "x"], "--steps: found 'x', expected")):
        failed = run("rank", a, "--paths", "4", "--steps", "21", "--threads", "1", "--quiet", *more, code=2)
        assert text in failed.stderr and failed.stderr.count("\n") == 1, (more, failed.stderr)
    assert "there is nothing to rank" in run("rank", os.path.join(a, "rank/path-000"), code=2).stderr
    new = os.path.join(scratch, "c")
    assert "the sampler fair takes 4" in run("train", CONFIG, "-o", new, *fair, "--set", "train.paths=3", code=2).stderr
    assert not os.path.exists(new)
    assert "3 paths  loss" in run("train", CONFIG, "-o", new, *SMALL, "--set", "train.paths=3", "--set", "train.gradients=mean",
                                  "--set", "train.steps=5", "--set", "train.warmup_steps=0").stderr


def kill_stages(scratch):
    """Checks a search of later layers, then of earlier layers. Fixed layers must be the same in every candidate. The second stage must start with the
    weights of the first stage. Limits must apply to the whole network in both stages. A search that is killed often must end with the same bytes."""
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
    assert "stage-1" in config and 'search: "1-4"' in config, config
    before, after = (tensors(os.path.join(a, f"stage-{stage}/last/model.safetensors")) for stage in (1, 2))
    kept = [name for name in before for layer in range(5, 9) for choice in range(4)
            if name.startswith(f"features.{layer - 1}.{choice}.") and choice != best[layer - 1] and name.endswith("weight")]
    assert len(kept) > 20 and all(before[name] == after[name] for name in kept), "blocks that stage 2 does not draw keep the weights of stage 1"
    assert any(before[name] != after[name] for name in before)

    def check():
        for stage in ("stage-1", "stage-2"):
            same_files(os.path.join(a, stage), os.path.join(b, stage), ["search/search.json", "search/arch.json", "last/model.safetensors"])
        same_files(a, b, ["stages.json"])
    kill_often([*words, "-o", os.path.join(scratch, "whole")], [*words, "-o", b], 20, check, lambda: remove(b))
    # A run cannot resume with a different search mask. A stage is an ordinary run, so it can be exported.
    done = run("train", os.path.join(a, "stage-1/config.yaml"), "-o", os.path.join(a, "stage-1"), "--resume", "auto", "--quiet", "--set",
               "layers.search=1-4", "--set", "train.steps=60", code=2)
    assert "layers.search and layers.fixed differ" in done.stderr, done.stderr
    assert "exported" in run("export", os.path.join(a, "stage-2")).stdout or os.path.exists(os.path.join(a, "stage-2/export/model.onnx"))
    for extra, text in ((["--set", "stages.groups=5-8"], "layer 1 is in no group"), (["--set", "layers.search=1-2"], "expected both or neither"),
                        (["--set", "stages.start=1,2"], "2 numbers, expected 8")):
        done = run(*words, *extra, "-o", os.path.join(scratch, "c"), code=2)
        assert done.stderr.count("\n") == 1 and text in done.stderr, done.stderr
    assert "expected one configuration, --two-stage and -o RUN" in run("search", CONFIG, "--two-stage", code=2).stderr


def resident(process):
    with open(f"/proc/{process.pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def steady_search(scratch):
    """Checks that resident memory does not grow in a search of 1,000 candidates, and that the search prints the time per candidate and the shares of
    this time."""
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
    # A candidate needs about 150 bytes in the list and 300 in the text; nothing else must grow.
    grown = max(size for done, size in sizes.items() if done > 200) - max(size for done, size in sizes.items() if done <= 200)
    assert grown < 2048, f"{grown} KiB more after 1,000 candidates than after 200: {sizes}"
    text = next(line for line in said if line.startswith("1000 candidates in"))
    shares = [float(number) for number in re.findall(r"([0-9.]+) %", text)]
    assert re.search(r", [0-9.]+ ms each: calibration", text) and len(shares) == 4 and abs(sum(shares) - 100) < 0.3, text


main({"kill-search": kill_search, "kill-rank": kill_rank, "kill-stages": kill_stages, "steady-search": steady_search})
