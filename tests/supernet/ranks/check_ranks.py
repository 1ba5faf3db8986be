#!/usr/bin/env python3
"""Tests several processes of one run under mpirun: sums, agreement, reproducible training, resuming with a different number of ranks on
the same images, stopping of all ranks at the same step, and detection of a killed rank.

usage: check_ranks.py SQUALL DUMP_RANKS SOURCE_FOLDER
"""
import fcntl
import json
import os
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "support"))
from mpi import ENVIRONMENT, LEFT_ALIVE, MPIRUN, WITH_CODE, children
from run_files import read, tensors

SQUALL, DUMP, SOURCE = (os.path.abspath(word) for word in sys.argv[1:4])
CONFIG = os.path.join(SOURCE, "configs/train/samples.yaml")
OWN = ["--set", "train.rank_paths=own", "--set", "train.sampler=fair"]
SMALL = ["--threads", "1", "--quiet", "--set", "train.batch=16", "--set", "train.warmup_steps=5", "--set", "train.log_every=5",
         "--set", "train.checkpoint_every=20"]


def start(ranks, *words, more=()):
    launcher = [*MPIRUN, *more, "-n", str(ranks)] if ranks else []
    return subprocess.Popen([*launcher, *words], cwd=SOURCE, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(ranks, *words, code=0, more=()):
    process = start(ranks, *words, more=more)
    out, said = process.communicate(timeout=300)
    assert process.returncode == code, f"{ranks} x {words}: exit {process.returncode}, expected {code}: {said[-800:]}"
    return out, said


def log(folder):
    return [json.loads(line) for line in read(os.path.join(folder, "log.jsonl")).splitlines()]


def differs_by(a, b):
    """Returns the largest relative difference between equally named tensors of two files, each relative to the tensor's norm in `a`."""
    worst = 0
    for (name, x), (other, y) in zip(sorted(tensors(a).items()), sorted(tensors(b).items())):
        assert name == other and len(x) == len(y)
        if name.endswith("num_batches_tracked"):
            continue
        u, v = (struct.unpack(f"<{len(t) // 4}f", t) for t in (x, y))
        norm = sum(value * value for value in u) ** 0.5
        worst = max(worst, sum((p - q) ** 2 for p, q in zip(u, v)) ** 0.5 / (norm or 1))
    return worst


def check_calls():
    for ranks in (0, 1, 2, 4):
        n = max(ranks, 1)
        lines, _ = run(ranks, DUMP)
        for r in range(n):
            for bytes_each in (4, 2):
                assert f"rank {r} of {n}: 1000 means right, {bytes_each * 1000 if n > 1 else 0} bytes" in lines, lines
            assert f"rank {r} of {n}: sums {n * (n - 1) // 2 if n > 1 else 0} {n}, news, local {r} of {n}" in lines, lines
            told = n > 1 and r < n - 1
            prefix = f"rank {n - 1}: " if told else ""
            for word in ("status", "again"):
                assert f"rank {r} of {n}: {word} 3, told {int(told)}: {prefix}the last one fails" in lines, lines
    process = start(3, DUMP, "die", "1", more=LEFT_ALIVE)
    out, _ = process.communicate(timeout=60)
    for r in (0, 2):
        assert re.search(rf"rank {r} failed: waiting for the other ranks: .*rank 1 \(process \d+ on [^)]+\) exited", out), out


def check_standstill(scratch):
    """Checks that a rank that hangs before MPI_Init or MPI_Finalize does not block the other ranks, although MPI has no time limit there."""
    for where in ("first", "last"):
        pipe = os.path.join(scratch, where + "-pipe")
        os.mkfifo(pipe)
        process = start(3, *WITH_CODE, DUMP, where, "1", pipe, more=LEFT_ALIVE)
        with open(pipe) as file:
            pid = int(file.read())
        try:
            end = time.monotonic() + 60
            while len(alive := children(process.pid)) > 1:
                assert time.monotonic() < end, f"{where}: {alive} wait for rank 1, which hangs"
                time.sleep(0.1)
        finally:
            os.kill(pid, signal.SIGKILL)
        out, said = process.communicate(timeout=60)
        codes = sorted(re.findall(r"^exit (\d+)$", out, re.M))
        assert codes == ["137", "5" if where == "first" else "3", "5"], (out, said)  # a rank that failed earlier keeps its exit code
        line = "squall: the launcher's processes did not connect within 4 s" if where == "first" else "squall: another rank did not finish within 9 s"
        assert said.count(line) == 2, said


def train(ranks, folder, steps, *more, code=0):
    return run(ranks, SQUALL, "train", CONFIG, "-o", folder, *SMALL, "--set", "train.steps=40", "--resume", "auto", *more, code=code)


def check_training(scratch):
    path = lambda name: os.path.join(scratch, name)
    weights = lambda name: os.path.join(path(name), "ckpt-00000040/model.safetensors")
    for name, ranks, more in (("one", 0, ()), ("two", 2, ()), ("again", 2, ("--set", "data.cache=device")), ("four", 4, ())):
        train(ranks, path(name), 40, *more)
    assert read(weights("two")) == read(weights("again")) and read(os.path.join(path("two"), "log.jsonl")) == read(os.path.join(path("again"), "log.jsonl"))
    commands = [read(os.path.join(path(name), "commands.txt")).decode().splitlines() for name in ("one", "two", "four")]
    assert [lines[-1].split(" train ")[0] for lines in commands] == ["squall", "mpirun -n 2 squall", "mpirun -n 4 squall"], commands
    assert len(log(path("two"))) == 9 and not os.path.exists(os.path.join(path("two"), "log.jsonl.1"))
    assert read(weights("one")) != read(weights("two")), "each rank's norms see its own images"
    # A different number of ranks can resume from the same file. The original number of ranks continues with the same bytes.
    for name, ranks in (("mixed", (2, 4)), ("resumed", (2, 2))):
        shutil.copytree(path("two"), path(name), symlinks=True)
        shutil.rmtree(os.path.join(path(name), "ckpt-00000040"))
        os.remove(os.path.join(path(name), "last"))
        os.symlink("ckpt-00000020", os.path.join(path(name), "last"))
        train(ranks[1], path(name), 40)
    assert read(weights("resumed")) == read(weights("two"))
    assert 0 < differs_by(weights("mixed"), weights("two")), "four ranks continued"
    assert "4 ranks" not in read(os.path.join(path("mixed"), "config.yaml")).decode()


def gradient_difference(a, b):
    """Returns the norm of the gradients' difference, relative to the norm of `a`. After one step the momentum is the gradient."""
    difference = norm = 0
    for (name, x), (other, y) in zip(sorted(tensors(a).items()), sorted(tensors(b).items())):
        assert name == other and len(x) == len(y)
        u, v = (struct.unpack(f"<{len(t) // 4}f", t) for t in (x, y))
        difference += sum((p - q) ** 2 for p, q in zip(u, v))
        norm += sum(p * p for p in u)
    return (difference / norm) ** 0.5


def check_synchronised(scratch):
    """Checks train.sync_batch_norm: if norms include all ranks' images, several ranks compute one rank's gradient.

    Twenty convolutions, each rounded to about 2^-24 of its sums, give a difference of about 1e-5. If an activation is within rounding of
    its kink, a whole area of equal pixels can be on the other side of the kink. This happens with some seeds, so the median seed must
    meet the bound of 1e-5.
    """
    for ranks in (2, 4):
        found = []
        for seed in ("4", "5", "6"):
            one, several, apart = (os.path.join(scratch, f"{name}-{ranks}-{seed}") for name in ("one", "several", "apart"))
            words = [SQUALL, "train", CONFIG, *SMALL, "--set", "train.steps=1", "--set", "train.warmup_steps=0", "--set", "train.log_every=1", "--seed", seed]
            for folder, count, switch in ((one, 0, "on"), (several, ranks, "on"), (apart, ranks, "off")):
                run(count, *words, "-o", folder, "--set", f"train.sync_batch_norm={switch}")
            gradient = lambda folder: os.path.join(folder, "ckpt-00000001/optim.safetensors")
            found.append(gradient_difference(gradient(one), gradient(several)))
            assert gradient_difference(gradient(one), gradient(apart)) > 0.1, "each rank's norms see its own images"
            losses = [log(folder)[-1]["loss"] for folder in (one, several)]
            assert abs(losses[0] - losses[1]) < 1e-6 * losses[0], losses
        assert sorted(found)[1] < 1e-5 and max(found) < 0.05, found
    _, said = run(2, SQUALL, "train", CONFIG, *SMALL, "-o", os.path.join(scratch, "refused"), "--device", "reference", "--set", "train.sync_batch_norm=on", code=1)
    assert "train.sync_batch_norm: not supported by --device reference; use --device cpu" in said, said


def check_reduction(scratch):
    """Checks that gradients reduced in BF16 are reproducible and differ from those reduced in FP32 only by roundings.

    Each rank's values and each sum are rounded by up to 2^-9.
    """
    folder = lambda *words: os.path.join(scratch, "-".join(["reduced", *words]))
    gradient = lambda name: os.path.join(name, "ckpt-00000001/optim.safetensors")
    once = [SQUALL, "train", CONFIG, *SMALL, "--set", "train.steps=1", "--set", "train.warmup_steps=0"]
    for ranks in (2, 4):
        for way in ("float32", "bfloat16"):
            out, said = run(ranks, *[word for word in once if word != "--quiet"], "-o", folder(way, str(ranks)), "--set", f"train.reduction={way}")
            assert ("gradients are reduced in BF16" in out + said) == (way == "bfloat16"), out + said
        difference = gradient_difference(*(gradient(folder(way, str(ranks))) for way in ("float32", "bfloat16")))
        assert 2 ** -12 < difference < 2 ** -8, difference
        statistics = [tensors(os.path.join(folder(way, str(ranks)), "ckpt-00000001/model.safetensors")) for way in ("float32", "bfloat16")]
        assert all(statistics[0][name] == statistics[1][name] for name in statistics[0] if "running" in name), "running statistics are never rounded"
    for name in ("a", "b"):
        train(2, folder(name), 40, "--set", "train.reduction=bfloat16")
    assert read(os.path.join(folder("a"), "log.jsonl")) == read(os.path.join(folder("b"), "log.jsonl"))
    assert read(os.path.join(folder("a"), "last/model.safetensors")) == read(os.path.join(folder("b"), "last/model.safetensors"))
    assert 0 < differs_by(os.path.join(folder("a"), "last/model.safetensors"), os.path.join(scratch, "two", "ckpt-00000040/model.safetensors"))


def check_own_paths(scratch):
    """Checks paths that are split equally across ranks: all ranks have the same weights, and a run is reproducible and resumes exactly."""
    fair = ["--set", "train.sampler=fair", "--set", "train.rank_paths=own", "--set", "ranks.check_every=1"]
    path = lambda name: os.path.join(scratch, name)
    for ranks in (2, 4):
        for name in ("own", "own-again"):
            train(ranks, path(f"{name}-{ranks}"), 40, *fair)
        last = "ckpt-00000040/model.safetensors"
        assert read(os.path.join(path(f"own-{ranks}"), last)) == read(os.path.join(path(f"own-again-{ranks}"), last))
    train(2, path("all"), 40, *fair[:2])
    assert read(os.path.join(path("all"), last)) != read(os.path.join(path("own-2"), last))
    shutil.rmtree(os.path.join(path("own-again-2"), "ckpt-00000040"))
    os.remove(os.path.join(path("own-again-2"), "last"))
    os.symlink("ckpt-00000020", os.path.join(path("own-again-2"), "last"))
    train(2, path("own-again-2"), 40, *fair)
    assert read(os.path.join(path("own-again-2"), last)) == read(os.path.join(path("own-2"), last))
    _, said = run(2, SQUALL, "train", CONFIG, "-o", path("odd"), *SMALL, *fair[2:], "--set", "train.paths=3", code=2)
    assert "train.rank_paths: found 3 paths per step for 2 ranks, expected an equal number for each" in said and not os.path.exists(path("odd")), said


def check_signals(scratch):
    """Sends SIGTERM to one rank. All ranks must stop after the same step with exit 75, and the resumed run must end with the same bytes."""
    folder, whole = os.path.join(scratch, "stopped"), os.path.join(scratch, "whole")
    longer = ["--set", "train.steps=400"]
    run(2, SQUALL, "train", CONFIG, "-o", whole, *SMALL, *longer)
    process = start(2, SQUALL, "train", CONFIG, "-o", folder, *SMALL, *longer)
    while not os.path.exists(os.path.join(folder, "ckpt-00000020")):
        time.sleep(0.02)
        assert process.poll() is None
    os.kill(children(process.pid)[-1], signal.SIGTERM)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 75 and "is saved; continue with --resume auto" in said, (process.returncode, said)
    assert said.count("squall train:") == 1, said
    run(2, SQUALL, "train", CONFIG, "-o", folder, *SMALL, *longer, "--resume", "auto")
    last = "ckpt-00000400/model.safetensors"
    assert read(os.path.join(folder, last)) == read(os.path.join(whole, last))
    assert read(os.path.join(folder, "log.jsonl")) == read(os.path.join(whole, "log.jsonl"))


def check_death(scratch):
    """Kills a rank with SIGKILL. The other rank must name it and exit with 5, and the resumed run must end with the same bytes."""
    folder, whole = os.path.join(scratch, "dead"), os.path.join(scratch, "whole")
    longer = ["--set", "train.steps=400"]
    process = start(2, *WITH_CODE, SQUALL, "train", CONFIG, "-o", folder, *SMALL, *longer, more=LEFT_ALIVE)
    while not os.path.exists(os.path.join(folder, "ckpt-00000040")):
        time.sleep(0.02)
        assert process.poll() is None
    os.kill(children(children(process.pid)[-1])[-1], signal.SIGKILL)
    out, said = process.communicate(timeout=120)
    assert re.search(r"squall train: .*rank [01] \(process \d+ on [^)]+\) exited", said), said
    assert "exit 5" in out and "exit 137" in out, out
    run(2, SQUALL, "train", CONFIG, "-o", folder, *SMALL, *longer, "--resume", "auto")
    last = "ckpt-00000400/model.safetensors"
    assert read(os.path.join(folder, last)) == read(os.path.join(whole, last))


def check_silence(scratch):
    """Stops a rank with SIGSTOP. The other rank must report that after the time limit and exit with 5; the resumed run ends with the same bytes."""
    folder, whole = os.path.join(scratch, "hangs"), os.path.join(scratch, "whole")
    longer = ["--set", "train.steps=400"]
    process = start(2, *WITH_CODE, SQUALL, "train", CONFIG, "-o", folder, *SMALL, *longer, "--set", "ranks.time_limit=5", more=LEFT_ALIVE)
    while not os.path.exists(os.path.join(folder, "ckpt-00000040")):
        time.sleep(0.02)
        assert process.poll() is None
    ranks = [children(child)[-1] for child in children(process.pid)]
    os.kill(ranks[1], signal.SIGSTOP)
    while os.path.exists(f"/proc/{ranks[0]}"):
        time.sleep(0.05)
    os.kill(ranks[1], signal.SIGKILL)
    out, said = process.communicate(timeout=60)
    assert re.search(r"squall train: .*another rank has not answered for 5 s; rank 1 \(process \d+ on [^)]+\) is stopped", said) and "exit 5" in out, said
    run(2, SQUALL, "train", CONFIG, "-o", folder, *SMALL, *longer, "--resume", "auto")
    last = "ckpt-00000400/model.safetensors"
    assert read(os.path.join(folder, last)) == read(os.path.join(whole, last))


SEARCH = ["--limit-macs", "3", "--threads", "1", "--quiet", "--set", "search.population=7", "--set", "search.generations=5", "--set", "search.parents=3",
          "--set", "search.crossover=3", "--set", "search.mutation=3", "--set", "search.random_paths=5", "--set", "search.calibration_images=300"]
FOUND = ["search.json", "arch.json", "state.json", "config.yaml"]


def scored(folder):
    """Returns the number of candidates in the search's state file."""
    try:
        return read(os.path.join(folder, "search/state.json")).count(b'"arch"')
    except OSError:
        return 0


def begin_search(folder, *more, ranks=3):
    """Starts a search on several ranks, and returns its process and the ranks' process ids as soon as a candidate is on disk."""
    process = start(ranks, *WITH_CODE, SQUALL, "search", folder, *SEARCH, *more, more=LEFT_ALIVE)
    while not scored(folder):
        time.sleep(0.01)
        assert process.poll() is None
    return process, [children(child)[-1] for child in children(process.pid)]


def end_search(process, whole, folder, pattern, codes, tellers=1, files=FOUND):
    out, said = process.communicate(timeout=120)
    told = [line for line in said.splitlines() if line.startswith("squall search: ")]
    assert len(told) == tellers and all(re.search(pattern, line) for line in told), said
    assert sorted(re.findall(r"^exit (\d+)$", out, re.M)) == sorted(codes), out
    assert scored(folder) < scored(whole), "it was complete before the failure"
    run(2, SQUALL, "search", folder, *SEARCH)
    assert_same_search(whole, folder, files)


def assert_same_search(whole, folder, files=FOUND):
    for name in files:
        assert read(os.path.join(whole, "search", name)) == read(os.path.join(folder, "search", name)), (folder, name)


def check_search(scratch):
    """Checks that a search gives the same files on 1, 2 and 4 ranks, and resumed after a killed rank, a hanging rank or a signal."""
    path = lambda name: os.path.join(scratch, name)
    run(0, SQUALL, "train", CONFIG, "-o", path("net"), *SMALL, "--set", "train.steps=40")
    for name in ("s1", "s2", "s4", "lost", "first", "silent", "asked"):
        shutil.copytree(path("net"), path(name), symlinks=True)
    run(0, SQUALL, "search", path("s1"), *SEARCH)
    for ranks in (2, 4):
        out, said = run(ranks, SQUALL, "search", path(f"s{ranks}"), *SEARCH)
        assert out.count("found after") == 1 and re.search(rf"^{scored(path('s1'))} candidates in .*: \d+( \+ \d+){{{ranks - 1}}} on {ranks} ranks", said, re.M), said
        assert_same_search(path("s1"), path(f"s{ranks}"))
    process, ranks = begin_search(path("lost"))
    os.kill(ranks[1], signal.SIGKILL)
    end_search(process, path("s1"), path("lost"), r"rank 1 \(process \d+ on [^)]+\) exited; the other ranks have scored its candidates", codes=["137", "5", "5"])
    process, ranks = begin_search(path("first"))
    os.kill(ranks[0], signal.SIGKILL)
    end_search(process, path("s1"), path("first"), r"rank 0 .* exited", codes=["137", "5", "5"], tellers=2)
    process, ranks = begin_search(path("silent"), "--set", "ranks.time_limit=3", ranks=2)
    os.kill(ranks[1], signal.SIGSTOP)
    while os.path.exists(f"/proc/{ranks[0]}"):
        time.sleep(0.05)
    os.kill(ranks[1], signal.SIGKILL)
    end_search(process, path("s1"), path("silent"), r"rank 1 has not answered for 3 s; the other ranks", codes=["137", "5"], files=FOUND[:3])
    process, ranks = begin_search(path("asked"), ranks=2)
    os.kill(ranks[1], signal.SIGTERM)
    end_search(process, path("s1"), path("asked"), "rank 1: SIGTERM: ", codes=["75", "75"])


def check_stages(scratch):
    """Checks a two-stage search on two ranks: the ranks take the same decisions, and a repeated run gives the same files."""
    words = ["search", CONFIG, "--two-stage", *SEARCH, "--set", "train.batch=16", "--set", "train.warmup_steps=5", "--set", "stages.groups=5-8,1-4",
             "--set", "stages.start=(0, 0, 0, 0, 0, 0, 0, 0)", "--set", "stages.steps=20,10"]
    for name in ("staged", "staged-again"):
        out, _ = run(2, SQUALL, *words, "-o", os.path.join(scratch, name))
        assert out.count("found in 2 stages") == 1, out
    # Files of a different run are refused. --resume never removes these files.
    staged = os.path.join(scratch, "staged-again")
    _, said = run(0, SQUALL, *words, "-o", staged, "--seed", "99", code=2)
    assert "restore them, or use a new folder" in said, said
    _, said = run(0, SQUALL, *words, "-o", staged, "--limit-macs", "2.6", code=2)
    assert "the state of another search" in said, said
    for folder, more in ((staged, ["--resume", "never"]), (os.path.join(scratch, "staged-fresh"), [])):
        run(0, SQUALL, *words, "-o", folder, "--seed", "99", "--set", "stages.steps=10,5", *more)
    for file in ("stages.json", "stage-1/search/search.json", "stage-2/search/search.json"):
        assert read(os.path.join(staged, file)) == read(os.path.join(scratch, "staged-fresh", file)), file
    run(2, SQUALL, *words, "-o", staged, "--resume", "never")
    for file in ("stages.json", "stage-1/search/search.json", "stage-2/search/search.json"):
        assert read(os.path.join(scratch, "staged", file)) == read(os.path.join(scratch, "staged-again", file))


def check_full_disk(scratch):
    """Limits the file size so that rank 0 cannot write its log. All ranks must stop within the time limit, and one must print the reason."""
    folder = os.path.join(scratch, "full")
    process = start(2, SQUALL, "train", CONFIG, "-o", folder, *SMALL, "--set", "train.steps=4000", "--set", "train.checkpoint_every=10",
                    "--set", "write_retries=1")
    while not os.path.exists(os.path.join(folder, "last")):
        time.sleep(0.02)
        assert process.poll() is None
    size = os.path.getsize(os.path.join(folder, "log.jsonl")) + 150
    for child in children(process.pid):
        resource.prlimit(child, resource.RLIMIT_FSIZE, (size, size))
    _, said = process.communicate(timeout=60)
    told = [line for line in said.splitlines() if line.startswith("squall train: ")]
    assert process.returncode != 0 and len(told) == 1 and "File too large" in told[0], said


def run_unlike(first, second, text, code):
    """Starts two ranks with different arguments. Both must stop long before the time limit, and one must print the reason."""
    process = subprocess.Popen([*MPIRUN, "-n", "1", SQUALL, *first, ":", "-n", "1", SQUALL, *second], cwd=SOURCE, env=ENVIRONMENT,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    _, said = process.communicate(timeout=120)
    told = [line for line in said.splitlines() if line.startswith("squall ")]
    assert process.returncode == code and len(told) == 1 and text in told[0], (process.returncode, said)


def check_unlike(scratch):
    """Checks that all ranks exit if one rank fails or has different settings, and that the error text gives this rank's reason."""
    path = lambda name: os.path.join(scratch, name)
    words = ["train", CONFIG, *SMALL, "--set", "train.steps=40"]
    run_unlike([*words, "-o", path("alone")], [*words, "-o", path("alone"), "--device", "nothing"], "device", 2)
    run_unlike([*words, "-o", path("alone")], [*words, "-o", path("alone"), "--arch", "missing.json"], "missing.json", 1)
    run_unlike([*words, "-o", path("two"), "--resume", "auto", "--set", "train.steps=60"], [*words, "-o", path("apart"), "--resume", "auto", "--set", "train.steps=60"],
               "continues from step 40, rank 1 from step 0; use a folder that all ranks share", 5)
    search = ["search", path("net"), *SEARCH, "--resume", "never"]
    run_unlike(search, [*search, "--device", "reference"], "rank 0 has device cpu, engine 0, rank 1 has reference, engine 0", 2)
    run_unlike(search, ["search", path("two"), *SEARCH, "--resume", "never"], "rank 1 has different weights or images from rank 0", 2)


def check_one_together(scratch):
    """Checks search.together=1: rank 0 scores candidates too, and reports rank 1 if rank 1 hangs."""
    path = lambda name: os.path.join(scratch, name)
    shutil.copytree(path("net"), path("few"), symlinks=True)
    _, said = run(2, SQUALL, "search", path("few"), *SEARCH, "--set", "search.together=1")
    shares = [int(n) for n in re.search(r": (\d+) \+ (\d+) on 2 ranks", said).groups()]
    assert min(shares) > 0 and "nan" not in said, said
    assert_same_search(path("s1"), path("few"), FOUND[:3])
    shutil.rmtree(path("few/search"))
    process, ranks = begin_search(path("few"), "--set", "search.together=1", "--set", "ranks.time_limit=3", ranks=2)
    os.kill(ranks[1], signal.SIGSTOP)
    while os.path.exists(f"/proc/{ranks[0]}"):
        time.sleep(0.05)
    os.kill(ranks[1], signal.SIGKILL)
    end_search(process, path("s1"), path("few"), r"rank 1 has not answered for \d+ s; the other ranks", codes=["137", "5"], files=FOUND[:3])


def check_bad_input(scratch):
    out = os.path.join(scratch, "no")
    for ranks, words, text in ((3, ["train", CONFIG, "-o", out, *SMALL], "train.batch: found 16 images for 3 ranks, expected an equal number for each"),
                               (2, ["train", "nowhere.yaml", "-o", out], "nowhere.yaml: No such file"),
                               (2, ["train", CONFIG, "-o", os.path.join(scratch, "two"), *SMALL], "holds a run already"),
                               (2, ["search", os.path.join(scratch, "two"), "--limit-macs", "0.001"], "no path can meet it"),
                               (2, ["evaluate", os.path.join(scratch, "two")], "started by mpirun or srun with several processes"),
                               (2, ["pack", "data/samples", out], "only train, search, doctor and forecast work on several"),
                               (2, ["train"], "expected one configuration and -o RUN"),
                               (2, ["trian"], "did you mean 'train'?"),
                               (2, ["train", CONFIG, "-o", out, *SMALL, *OWN, "--set", "train.sync_batch_norm=on"], "train.sync_batch_norm: expected train.rank_paths: all"),
                               (2, ["train", CONFIG, "-o", out, *SMALL, "--set", "train.rank_paths=own"], "train.rank_paths: own: found one path per step"),
                               (2, ["train", CONFIG, "-o", out, *SMALL, "--timeline", os.path.join(scratch, "nowhere", "t.json")], "--timeline"),
                               (2, ["train", CONFIG, "-o", out, *SMALL, "--timeline", scratch], "--timeline")):
        process = start(ranks, SQUALL, *words)
        _, said = process.communicate(timeout=60)
        told = [line for line in said.splitlines() if line.startswith(("squall ", "squall: "))]
        assert process.returncode != 0 and len(told) == 1 and text in told[0], (words, process.returncode, said)
    assert not os.path.exists(out)
    # Two runs must not write to one folder at the same time.
    first = start(0, SQUALL, "train", CONFIG, "-o", out, *SMALL, "--set", "train.steps=100000")
    while not os.path.exists(os.path.join(out, "last")):
        time.sleep(0.05)
        assert first.poll() is None, first.communicate()
    _, said = run(2, SQUALL, "train", CONFIG, "-o", out, *SMALL, "--resume", "auto", code=2)
    assert f"{out}: another process is writing in it" in said, said
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=60)
    # A run that waited for a folder resumes the state that it finds there.
    held = os.path.join(scratch, "held")
    os.mkdir(held)
    folder = os.open(held, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    process = start(0, SQUALL, "train", CONFIG, "-o", held, *SMALL)
    while held not in [os.path.realpath(entry.path) for entry in os.scandir(f"/proc/{process.pid}/fd")]:
        time.sleep(0.01)
        assert process.poll() is None, process.communicate()
    shutil.copy(os.path.join(scratch, "two", "config.yaml"), held)
    os.close(folder)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2 and "holds a run already" in said and os.listdir(held) == ["config.yaml"], said
    gone, kept = os.path.join(scratch, "gone"), os.path.join(scratch, "traced")
    os.mkdir(gone)
    process = start(2, SQUALL, "train", CONFIG, "-o", kept, *[word for word in SMALL if word != "--quiet"], "--set", "train.steps=20000", "--set", "train.timeline_steps=300",
                    "--set", "train.checkpoint_every=400", "--timeline", os.path.join(gone, "t.json"))
    while not os.path.exists(os.path.join(kept, "config.yaml")):
        time.sleep(0.02)
        assert process.poll() is None, process.communicate()
    os.rmdir(gone)
    while not os.path.exists(os.path.join(kept, "last")):
        time.sleep(0.05)
        assert process.poll() is None, process.communicate()
    os.kill(children(process.pid)[0], signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 75 and "no trace file: " in said and gone in said, said[-1500:]


def main():
    if not shutil.which("mpirun") or "without MPI" in subprocess.run([DUMP], capture_output=True, text=True).stdout:
        print("skipped: no mpirun, or built without MPI")
        sys.exit(77)
    check_calls()
    with tempfile.TemporaryDirectory() as scratch:
        check_standstill(scratch)
        check_training(scratch)
        check_synchronised(scratch)
        check_reduction(scratch)
        check_own_paths(scratch)
        check_signals(scratch)
        check_death(scratch)
        check_silence(scratch)
        check_full_disk(scratch)
        check_search(scratch)
        check_stages(scratch)
        check_unlike(scratch)
        check_one_together(scratch)
        check_bad_input(scratch)


main()
