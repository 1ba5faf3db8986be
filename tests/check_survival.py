#!/usr/bin/env python3
"""What several processes of one run live through, under mpirun: weights that drift apart are noticed, a loss that is not finite on one rank
is told by all.

usage: check_survival.py SQUALL DUMP_SURVIVAL SOURCE_FOLDER
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

from run_files import read

SQUALL, DUMP, SOURCE = (os.path.abspath(word) for word in sys.argv[1:4])
# Open MPI as root, and more ranks than cores.
ENVIRONMENT = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_btl_vader_single_copy_mechanism": "none"}
MPIRUN = ["mpirun", "--oversubscribe", "--bind-to", "none"]


def dump(ranks, mode, folder):
    """What each rank says at its end, and the lines of the log."""
    done = subprocess.run([*MPIRUN, "-n", str(ranks), DUMP, mode, folder, SOURCE], env=ENVIRONMENT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    said = dict(re.findall(r"^rank (\d+): (.*)$", done.stdout, re.M))
    assert len(said) == ranks, done.stdout
    return [said[str(rank)] for rank in range(ranks)], [json.loads(line) for line in read(os.path.join(folder, "log.jsonl")).splitlines()]


def check_weights(scratch):
    """The step, and who has other weights than whom; every rank knows it."""
    said, log = dump(4, "well", os.path.join(scratch, "well"))
    assert said == ["exit 0: well"] * 4 and log[-1]["step"] == 8, said
    for ranks, groups in ((2, "0 against 1"), (4, "0, 1, 2 against 3")):
        said, log = dump(ranks, "drift", os.path.join(scratch, f"drift-{ranks}"))
        assert said == ["exit 5: step 3: weights are not the same on all ranks: " + groups] * ranks, said
        assert log[-1]["step"] == 2 and not os.path.exists(os.path.join(scratch, f"drift-{ranks}", "last"))
    folder = os.path.join(scratch, "start")
    os.mkdir(folder)
    open(os.path.join(folder, "log.jsonl"), "w").close()
    said, log = dump(2, "start", folder)
    assert said == ["exit 5: step 0: weights are not the same on all ranks: 0 against 1"] * 2 and log == [], (said, log)


def check_nonfinite(scratch):
    """The last rank's loss alone is not finite: no rank's weights see it, the log names the path, the third time stops all."""
    said, log = dump(2, "odd", os.path.join(scratch, "odd"))
    skipped = [line for line in log if line["event"] == "skipped"]
    assert [line["step"] for line in skipped] == [1, 2] and [line["count"] for line in skipped] == [1, 2], log
    assert all(re.fullmatch(r"step \d: the loss of 4 of 8 images is not finite, path \([\d, ]+\), learning rate 0.05", line["text"]) for line in skipped), log
    assert all(re.match(r"exit 4: (rank 0: )?step 3: the loss of 4 of 8 .*; it was the 3. time, train.nonfinite_limit is 2$", line) for line in said), said
    # What the ranks' means made of its running statistics is taken back: no checkpoint could hold it.
    said, log = dump(2, "patient", os.path.join(scratch, "patient"))
    assert said == ["exit 0: well"] * 2 and [line["loss"] for line in log if line["event"] == "step"] == [None] * 4, (said, log)
    assert b'"nonfinite": 8, "lost": 8}' in read(os.path.join(scratch, "patient", "last", "state.json"))


def main():
    if not shutil.which("mpirun") or "without MPI" in subprocess.run([DUMP], capture_output=True, text=True).stdout:
        print("skipped: no mpirun, or built without MPI")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as scratch:
        check_weights(scratch)
        check_nonfinite(scratch)


main()
