#!/usr/bin/env python3
"""Tests several ranks on emulated GPUs under mpirun. emulation/ranks/nccl_emulated.c implements NCCL's calls in shared memory.

Checks means; training, which must equal one process that does the work of all ranks; that missing waits are detected; ranks that
exit, hang or fail; the assignment of GPUs.

usage: check_nccl.py DUMP_DEVICE_RANKS NCCL_LIBRARY SOURCE_FOLDER [SQUALL_EMULATED]
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "support"))
import mpi
from mpi import LEFT_ALIVE, MPIRUN, WITH_CODE, children
from run_files import read

DUMP, LIBRARY, SOURCE, *REST = (os.path.abspath(word) for word in sys.argv[1:])
SQUALL = REST[0] if REST else None
ENVIRONMENT = {**mpi.ENVIRONMENT, "OMP_NUM_THREADS": "1", "SQ_NCCL_LIBRARY": LIBRARY, "ASAN_OPTIONS": "detect_leaks=0"}  # Open MPI leaks memory
STEPS = 4


def start(ranks, *words, **more):
    environment = {**ENVIRONMENT, "EMU_DEVICES": str(max(ranks, 1)), **more}
    launcher = [*MPIRUN, *LEFT_ALIVE, "-n", str(ranks), *WITH_CODE] if ranks else WITH_CODE
    return subprocess.Popen([*launcher, *words], cwd=SOURCE, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(ranks, *words, code=0, **more):
    """Returns the output of all ranks. Each rank must exit with `code`; a tuple lists the codes of all ranks in any order."""
    process = start(ranks, *words, **more)
    out, said = process.communicate(timeout=300)
    codes = sorted(int(number) for number in re.findall(r"^exit (\d+)$", out, re.M))
    wanted = sorted(code) if isinstance(code, tuple) else [code] * max(ranks, 1)
    assert codes == wanted, f"{ranks} x {words} {more}: exit {codes}, expected {wanted}: {out[-1500:]} {said[-1500:]}"
    return out + said


def check_means():
    for ranks in (0, 1, 2, 4):
        n, gpus = max(ranks, 1), {"NCCL_EMULATED_EAGER": str(ranks // 4)}
        out = run(ranks, DUMP, "means", **gpus)
        for r in range(n):
            for way, size in (("fp32", 4 * 2119668), ("bf16", 2 * 2119668), ("mixed", 4261836)):
                assert f"rank {r} of {n}: {way}: 2119668 of 2119668 means right, {size if n > 1 else 0} bytes" in out, out
            assert n == 1 or f"rank {r}: {n} ranks on 1 host, " in out and ", NCCL 2.28.9\n" in out, out
            assert f"rank {r}: 0 bytes left" in out, out


def check_training():
    """Runs reductions as early and as late as the streams allow, with CUDA graphs. A missing wait must give wrong weights."""
    for ranks, eager, schedule in ((2, "0", "0"), (2, "1", "1"), (4, "1", "0")):
        out = run(ranks, DUMP, "train", NCCL_EMULATED_EAGER=eager, EMU_SCHEDULE=schedule)
        for r in range(ranks):
            line = f"rank {r} of {ranks}: weights {STEPS}, statistics {STEPS}, averages {STEPS} of {STEPS} steps right, bytes of the paths alone"
            assert line in out, out
    for what, eager in (("reduce-early", "1"), ("join-early", "0")):
        out = run(2, DUMP, what, NCCL_EMULATED_EAGER=eager)
        assert out.count(f"weights 0, ") == 2, (what, out)


def check_losses():
    gone = r"rank 1 \(process \d+ on [^)]+\) exited"
    out = run(3, DUMP, "die", "1", code=(5, 5, 137))
    for r in (0, 2):
        assert re.search(rf"rank {r} failed: gradients: .*{gone}", out), out
    out = run(2, DUMP, "fail", "1", code=(3, 5))
    assert "rank 1 failed: the images of this rank are missing" in out and re.search("rank 0 failed: gradients: ", out), out
    out = run(2, DUMP, "train", NCCL_EMULATED_FAIL="9", code=5)
    assert out.count("failed: gradients: NCCL: internal error\n") == 2, out
    out = run(2, DUMP, "means", NCCL_EMULATED_STUCK="1", code=5)
    assert out.count("failed: ") == 2 and "ranks: another rank has not answered for 3 s" in out, out
    # Rank 1 stops itself, and rank 0 must report that. Then SIGCONT resumes rank 1 so that the test ends.
    process = start(2, DUMP, "stop", "1")
    for line in process.stdout:
        if "rank 0 failed" in line:
            break
    assert "gradients: another rank has not answered for 3 s" in line, line
    for shell in children(process.pid):
        for child in children(shell):
            os.kill(child, signal.SIGCONT)
    rest, _ = process.communicate(timeout=60)
    assert rest.count("exit 5") == 2, rest


def check_gpus():
    out = run(2, DUMP, "means", EMU_DEVICES="1", code=2)
    assert re.search(r"rank 0 failed: ranks 0 and 1 have the same GPU, [0-9a-f:]+ of \S+; start as many ranks as there are GPUs", out), out
    out = run(3, DUMP, "means", EMU_DEVICES="2", code=2)
    assert "ranks 0 and 2 have the same GPU" in out, out
    for library in ("/nowhere/libnccl.so.2", shutil.which("sh")):
        out = run(2, DUMP, "means", SQ_NCCL_LIBRARY=library, code=1)
        assert "rank 0 failed: NCCL cannot be loaded: " in out and "set SQ_NCCL_LIBRARY to its file" in out, out
    libc = re.search(r"/\S*libm\.so\.6", subprocess.run(["ldd", DUMP], capture_output=True, text=True).stdout)
    out = run(2, DUMP, "means", SQ_NCCL_LIBRARY=libc.group(), code=1)
    assert "rank 0 failed: NCCL: the library has no ncclGetVersion; version 2.14 or newer is needed" in out, out


def train(ranks, folder, *more, code=0, **environment):
    return run(ranks, SQUALL, "train", os.path.join(SOURCE, "configs/train/samples.yaml"), "-o", folder, "--threads", "1", "--set", "train.batch=8",
               "--set", "train.warmup_steps=0", "--set", "train.log_every=1", "--set", "train.checkpoint_every=2", *more, code=code, **environment)


def check_program(scratch):
    """Checks squall train: equal bytes for any timing of the reductions, shared GPUs only on request, and exit 5 after a rank is killed."""
    folder = lambda name: os.path.join(scratch, name)
    weights = lambda name: read(os.path.join(folder(name), "last", "model.safetensors"))
    short = ["--set", "train.steps=4"]
    for name, eager in (("late", "0"), ("early", "1")):
        out = train(2, folder(name), "--device", "cuda", *short, NCCL_EMULATED_EAGER=eager)
        assert re.search(r"ranks +2 ranks on 1 host, .*, NCCL 2\.28\.9; 4 images each", out), out
    assert weights("late") == weights("early")
    train(2, folder("shared"), "--device", "cuda:0", *short, "--graphs", "off", EMU_DEVICES="1")
    assert weights("shared") == weights("late"), "without graphs, and on one GPU"
    out = train(2, folder("no"), "--device", "cuda", *short, EMU_DEVICES="1", code=2)
    told = [line for line in out.splitlines() if line.startswith("squall train: ")]
    assert len(told) == 1 and "ranks 0 and 1 have the same GPU" in told[0] and not os.path.exists(folder("no")), out
    process = start(2, SQUALL, "train", os.path.join(SOURCE, "configs/train/samples.yaml"), "-o", folder("dead"), "--threads", "1", "--quiet",
                    "--device", "cuda", "--set", "train.batch=8", "--set", "train.warmup_steps=0", "--set", "train.checkpoint_every=2", "--set", "train.steps=4000")
    while not os.path.exists(os.path.join(folder("dead"), "last")):
        time.sleep(0.02)
        assert process.poll() is None, process.communicate()
    os.kill(children(children(process.pid)[-1])[-1], signal.SIGKILL)
    out, said = process.communicate(timeout=120)
    assert re.search(r"squall train: .*rank [01] \(process \d+ on [^)]+\) exited", said), said
    assert "exit 5" in out and "exit 137" in out, out


def main():
    if not shutil.which("mpirun") or "without MPI" in run(0, DUMP):
        print("skipped: no mpirun, or built without MPI")
        sys.exit(77)
    check_means()
    check_training()
    check_losses()
    check_gpus()
    if SQUALL:
        with tempfile.TemporaryDirectory() as scratch:
            check_program(scratch)


main()
