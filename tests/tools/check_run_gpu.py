#!/usr/bin/env python3
"""Checks that tests/run-gpu stops at the first operation that differs and names the operation. Runs on the emulator, which skips one kernel.

usage: check_run_gpu.py SQUALL_EMULATED SMOKE_EMULATED SOURCE_FOLDER
"""
import datetime
import json
import os
import shutil
import subprocess
import sys
import tempfile

SQUALL, SMOKE, SOURCE = (os.path.abspath(path) for path in sys.argv[1:4])
COMMIT, HASH = "0123456789ab", "f" * 64


def make_bundle(folder):
    """Makes a folder with those files of a bundle (tools/bundle) that the smoke test reads."""
    os.makedirs(os.path.join(folder, "bin"))
    os.makedirs(os.path.join(folder, "share"))
    shutil.copy(os.path.join(SOURCE, "tests", "run-gpu"), folder)
    os.symlink(SQUALL, os.path.join(folder, "bin", "squall"))
    os.symlink(SMOKE, os.path.join(folder, "bin", "test_cuda_gpu"))
    os.symlink(SOURCE, os.path.join(folder, "share", "squall"))
    with open(os.path.join(folder, "bundle.json"), "w") as file:
        json.dump({"commit": COMMIT, "kernels_hash": HASH}, file)


def run(bundle, out, *words, **variables):
    """Runs run-gpu. Returns (exit code, standard output, contents of gpu-verified.json)."""
    done = subprocess.run([sys.executable, os.path.join(bundle, "run-gpu"), out, *words], capture_output=True, text=True,
                          env={**os.environ, "SQ_SMOKE_TABLES": "1", **variables})
    assert not done.stderr, done.stderr
    with open(os.path.join(out, "gpu-verified.json")) as file:
        return done.returncode, done.stdout, json.load(file)


def check_agreement(bundle, out):
    code, text, record = run(bundle, out, "--only", "smoke")
    assert code == 0 and record["passed"] == ["smoke"] and not record["failed"], (code, text)
    assert record["commit"] == COMMIT and record["kernels_hash"] == HASH, record
    assert record["date"] == datetime.date.today().isoformat() and record["device"], record
    assert 0 < record["smoke_seconds"] <= 61, record
    assert any("operations agree with the reference" in note for note in record["notes"]), record


def check_difference(bundle, out):
    code, text, record = run(bundle, out, EMU_SKIP_KERNEL="depthwise_kernel")
    assert code == 1 and record["failed"] == ["smoke"] and not record["passed"], (code, text)
    line = next(note for note in record["notes"] if note.startswith("smoke: "))
    for words in (" forward: conv 3x3 stride ", " depthwise of 2 x ", " on emulated: ", " exceeds the bound ", "largest error "):
        assert words in line, line
    assert line.split(": ", 1)[1] in text, text
    assert "left out: tests, job, sanitizer" in record["notes"], record
    assert record["smoke_seconds"] > 0, record


def check_crash(bundle, out):
    """Checks that, if the program dies, the record names the operation that was running."""
    program = os.path.join(bundle, "bin", "test_cuda_gpu")
    os.unlink(program)
    with open(program, "w") as file:
        file.write("#!/bin/sh\ncase $2 in none) exit 0 ;; esac\necho 'layer 3 mb forward: conv 5x5'\nkill -9 $$\n")
    os.chmod(program, 0o755)
    code, text, record = run(bundle, out)
    assert code == 1 and "smoke: ended in: layer 3 mb forward: conv 5x5" in record["notes"], (code, text, record)


def main():
    with tempfile.TemporaryDirectory() as folder:
        bundle = os.path.join(folder, "bundle")
        make_bundle(bundle)
        for number, check in enumerate((check_agreement, check_difference, check_crash)):
            check(bundle, os.path.join(folder, str(number)))
    print("run-gpu: the smoke test passes, names a wrong result, and names what crashed")


main()
