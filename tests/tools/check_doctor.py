#!/usr/bin/env python3
"""Checks squall doctor alone and under mpirun: facts, measurements, and planted problems.

usage: check_doctor.py SQUALL SOURCE_FOLDER
"""
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from mpi import MPIRUN, ROOT

SQUALL, SOURCE = (os.path.abspath(word) for word in sys.argv[1:3])
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "OMPI_", "PMI", "LOCAL_RANK"))}
ENVIRONMENT = {**CLEAN, **ROOT}


def run(ranks, *words, **more):
    launcher = [*MPIRUN, "-n", str(ranks)] if ranks else []
    return subprocess.run([*launcher, SQUALL, "doctor", *words], cwd=SOURCE, env={**ENVIRONMENT, **more}, capture_output=True, text=True, timeout=300)


def facts(ranks, *words, **more):
    """Runs squall doctor and returns its JSON output. Checks what must hold for every output, such as exit code 1 if and only if there are
    problems."""
    done = run(ranks, "--device", "cpu", "--json", *words, **more)
    found = json.loads(done.stdout)
    count = max(ranks, 1)
    assert done.returncode == (1 if found["wrong"] else 0), (done.returncode, found["wrong"])
    assert len(found["ranks"]) == count and all(rank["host"] == socket.gethostname() for rank in found["ranks"]), found
    sizes = [line["bytes"] for line in found["network"]["reductions"]]
    assert sizes == ([4096, 65536, 1 << 20, 16 << 20] if count > 1 else []), found
    for line in found["network"]["reductions"]:
        assert line["us"] > 0 and abs(line["gbps"] - 1e-3 * line["bytes"] / line["us"]) < 1e-6 * line["gbps"], line
    assert (found["network"]["agreement_us"] is not None) == (count > 1)
    return found


def complaints(found, *texts):
    """Checks that each text occurs in exactly one reported problem. The machine may have further problems."""
    for text in texts:
        assert sum(text in line for line in found["wrong"]) == 1, (text, found["wrong"])


def check_alone(scratch):
    found = facts(0, "-o", scratch, "--threads", "1")
    rank, = found["ranks"]
    assert rank["threads"] == 1 and rank["device"].startswith("cpu: ") and rank["free_bytes"] > 0 and rank["problem"] == "", rank
    assert rank["cores_of_host"] >= len(os.sched_getaffinity(0)), rank
    assert not any("launcher" in line or "threads" in line for line in found["wrong"]), found["wrong"]
    cores = len(os.sched_getaffinity(0))
    complaints(facts(0, "--threads", str(cores + 1)), f"{cores + 1} threads of 1 ranks on {cores} cores: use --threads {cores}")
    complaints(facts(0, "-o", os.path.join(scratch, "nowhere")), "nowhere is not writable")
    complaints(facts(0, SLURM_STEP_NUM_TASKS="4"), "the launcher started 4 ranks, but each rank is alone")
    complaints(facts(0, TMPDIR=os.path.join(scratch, "nowhere")), "the folder for temporary files has nothing free")
    text = run(0, "--device", "cpu", "-o", scratch).stdout
    for line in ("squall ", "rank  local  host", "backends", "GPUs among themselves", "not measured: one rank"):
        assert line in text, text
    assert ("nothing looks wrong" in text) != ("wrong: " in text), text


def check_cores(scratch):
    """Checks the reported cores and threads of a process that is bound to one core."""
    cores = sorted(os.sched_getaffinity(0))
    done = subprocess.run([SQUALL, "doctor", "--json", "--device", "cpu", "-o", scratch], env=ENVIRONMENT, capture_output=True, text=True,
                          preexec_fn=lambda: os.sched_setaffinity(0, cores[:1]), timeout=60)
    rank, = json.loads(done.stdout)["ranks"]
    assert rank["cores"] == str(cores[0]) and rank["threads"] == 1, rank


def check_device():
    done = run(0, "--json", "--device", "cuda:99")
    found = json.loads(done.stdout)
    assert done.returncode == 1 and found["ranks"][0]["problem"] and found["ranks"][0]["device"] == "none", found
    complaints(found, f"rank 0 on {socket.gethostname()}: {found['ranks'][0]['problem']}")


def check_bad_input():
    for words, text in ((["more"], "expected no argument"), (["--jsn"], "did you mean '--json'?"),
                        (["--device", "gpu"], None), (["--set", "train.batch=no"], "train.batch")):
        done = run(0, *words)
        if text:
            assert done.returncode == 2 and done.stderr.count("\n") == 1 and text in done.stderr, (words, done)
        else:
            assert done.returncode == 1 and "gpu" in done.stdout.splitlines()[-1], (words, done)


def check_ranks(scratch):
    found = facts(2, "-o", scratch, "--threads", "1")
    assert [rank["local"] for rank in found["ranks"]] == [0, 1] and found["mpi"].startswith("2 ranks on 1 host"), found
    assert not any("launcher" in line or "number 0" in line for line in found["wrong"]), found["wrong"]
    complaints(facts(2, "-o", scratch, LOCAL_RANK="0"), "ranks 0 and 1 have the same local number 0")
    text = run(2, "--device", "cpu", "-o", scratch).stdout
    assert text.count("rank  local  host") == 1 and "GB/s" in text and "us for one number of all ranks" in text, text
    assert re.search(r"for squall forecast +--local-bandwidth [0-9.e+-]+ --local-latency [0-9.]+", text), text


def main():
    with tempfile.TemporaryDirectory() as scratch:
        check_alone(scratch)
        check_cores(scratch)
        check_device()
        check_bad_input()
        if "without MPI" in run(0).stdout or not shutil.which("mpirun"):
            print("several ranks skipped: no mpirun, or built without MPI")
        else:
            check_ranks(scratch)


main()
