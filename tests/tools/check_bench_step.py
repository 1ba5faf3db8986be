#!/usr/bin/env python3
"""Checks that a step of `squall bench step` launches the same kernels as a step of `squall train`, in the traces of the emulator.

usage: check_bench_step.py SQUALL_EMULATED SOURCE_FOLDER
The space has one path, so every step launches the same kernels. The script compares the kernels of the last step in order, including the
check of the gradients. The trainer's other work (decoding, log, checkpoints) launches no kernel.
"""
import collections
import os
import re
import subprocess
import sys
import tempfile

SQUALL, SOURCE = sys.argv[1:3]
CONFIG = os.path.join(SOURCE, "configs", "train", "samples.yaml")
SPACE = os.path.join(SOURCE, "configs", "spaces", "samples.yaml")
STEPS, BATCH = 3, 4


def kernels(words):
    """Runs squall on the emulated GPU and returns the names of the launched kernels, in order."""
    done = subprocess.run([SQUALL, *words, "--device", "cuda"], capture_output=True, text=True,
                          env={**os.environ, "EMU_TRACE": "1", "SQ_SOURCE_DIR": SOURCE})
    assert done.returncode == 0, f"{' '.join(words)}: exit {done.returncode}: {done.stderr[-2000:]}"
    return re.findall(r"^cuda_emu: \(?([a-z_]+_kernel)", done.stderr, re.M)


def last_step(trace):
    """Returns the kernels of the last step: from the last image_kernel to the last update_kernel."""
    assert trace.count("image_kernel") >= STEPS, collections.Counter(trace)
    return trace[len(trace) - 1 - trace[::-1].index("image_kernel"):len(trace) - trace[::-1].index("update_kernel")]


def main():
    with tempfile.TemporaryDirectory() as folder:
        space = os.path.join(folder, "space.yaml")
        with open(SPACE) as file, open(space, "w") as one_path:
            one_path.write(re.sub("^searched: .*$", "searched: [shuffle_3x3]", file.read(), flags=re.M))
        settings = {"batch": BATCH, "steps": STEPS, "warmup_steps": 0, "checkpoint_every": STEPS, "log_every": STEPS}
        sets = [word for name, value in settings.items() for word in ("--set", f"train.{name}={value}")]
        trained = last_step(kernels(["train", CONFIG, "-o", os.path.join(folder, "run"), "--quiet", "--set", f"space={space}", *sets]))
        benched = last_step(kernels(["bench", "step", space, "--batch", str(BATCH), "--steps", str(STEPS), "--warmup", "1"]))
    assert trained.count("nonfinite_kernel") == 1, collections.Counter(trained)
    difference = [f"kernel {i}: trained {a}, benched {b}" for i, (a, b) in enumerate(zip(trained, benched)) if a != b]
    assert len(trained) == len(benched) and not difference, (len(trained), len(benched), difference[:3])
    print(f"bench step and train launch the same {len(trained)} kernels in a step")


main()
