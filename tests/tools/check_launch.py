#!/usr/bin/env python3
"""Checks which jobs configs/launch/train.sbatch requeues, and how often, with a simulated srun and scontrol.

usage: check_launch.py SOURCE_FOLDER
"""
import os
import subprocess
import sys
import tempfile

SCRIPT = os.path.join(os.path.abspath(sys.argv[1]), "configs/launch/train.sbatch")


def program(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w") as file:
        file.write("#!/bin/sh\n" + text)
    os.chmod(path, 0o755)


def job(scratch, code, checkpoint=None):
    """Runs one job, in which srun makes `checkpoint` and ends with `code`. Returns (exit code, arguments of scontrol, arguments of srun)."""
    run, tools = os.path.join(scratch, "run"), os.path.join(scratch, "tools")
    os.makedirs(tools, exist_ok=True)
    os.makedirs(run, exist_ok=True)
    requested, words = os.path.join(scratch, "requested"), os.path.join(scratch, "words")
    made = f"ln -sfn {checkpoint} {run}/last\n" if checkpoint else ""
    program(tools, "srun", f'echo "$@" >{words}\n{made}exit {code}\n')
    program(tools, "scontrol", f'echo "$@" >>{requested}\n')
    if os.path.exists(requested):
        os.remove(requested)
    environment = {**os.environ, "PATH": tools + os.pathsep + os.environ["PATH"], "SLURM_JOB_ID": "17"}
    done = subprocess.run(["bash", SCRIPT, "a config.yaml", run, "--set", "x=1 2"], env=environment, capture_output=True, text=True)
    assert done.stderr == "", done.stderr
    with open(words) as file:
        said = file.read().strip()
    requests = open(requested).read().strip() if os.path.exists(requested) else ""
    return done.returncode, requests, said


def main():
    with tempfile.TemporaryDirectory() as scratch:
        assert job(scratch, 0)[:2] == (0, "")
        code, requested, words = job(scratch, 75, "ckpt-1")
        assert (code, requested) == (75, "requeue 17")
        assert words == f"--mpi=pmix squall train a config.yaml -o {scratch}/run --resume auto --quiet --set x=1 2", words
        assert job(scratch, 2)[:2] == (2, ""), "a wrong configuration is not requeued"
        for i in range(3):
            assert job(scratch, 5)[:2] == (5, "requeue 17"), i
        assert job(scratch, 5)[:2] == (5, ""), "three failures without a new checkpoint"
        assert job(scratch, 5, "ckpt-2")[:2] == (5, "requeue 17"), "a new checkpoint restarts the count"


main()
