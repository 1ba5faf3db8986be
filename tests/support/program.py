"""Runs the program under test for end-to-end checks. sys.argv[1] is squall, sys.argv[2] the source folder."""
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

from run_files import read

SQUALL, SOURCE = sys.argv[1:3]
CONFIG = os.path.join(SOURCE, "configs/train/samples.yaml")
SMALL = ["--set", "train.steps=120", "--set", "train.batch=16", "--set", "train.checkpoint_every=7", "--set", "train.log_every=5",
         "--set", "train.ema=0.9", "--set", "search.population=6", "--set", "search.generations=3", "--set", "search.parents=3",
         "--set", "search.crossover=3", "--set", "search.mutation=3", "--set", "search.random_paths=3",
         "--set", "search.calibration_images=200", "--set", "search.evaluation_images=100", "--threads", "1"]


def run(*words, code=0):
    """Runs squall and checks that the exit code is `code`; None accepts any exit code. Returns the finished process."""
    done = subprocess.run([SQUALL, *words], cwd=SOURCE, capture_output=True, text=True)
    assert code is None or done.returncode == code, f"{words}: exit {done.returncode}, expected {code}: {done.stderr[-400:]}"
    return done


def same_files(a, b, names):
    for name in names:
        assert read(os.path.join(a, name)) == read(os.path.join(b, name)), f"{name} differs"


def kill_often(whole, words, kills, check, clean):
    """Runs the command `whole` once to measure its seconds. Then starts the command `words` and kills it at a random moment, until it was killed
    `kills` times. If the command ends before the kill, calls check() and clean(). Finally runs `words` to the end and calls check()."""
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


def main(parts):
    """Runs the part that sys.argv[3] names, in a temporary folder."""
    with tempfile.TemporaryDirectory() as scratch:
        parts[sys.argv[3]](scratch)
