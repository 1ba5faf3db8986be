#!/usr/bin/env python3
"""Measures whether the tests of the CUDA kernels detect small faults. Mutates one operator of one kernel at a time and expects that a
test fails.

usage: mutate_kernels.py --nvcc EXE --ptx FOLDER --test PROGRAM=FILTER... [--count 20] [--seed 1] [--allowed 1]
A mutation changes a sign, a comparison, an index or a constant in kernels/cuda/*.cu or *.cuh. nvcc compiles the file to PTX,
and each PROGRAM runs its tests that match FILTER with this PTX. The emulator does not also run each launch as fibres
(EMU_PTX_TWIN=0), so only the comparison with the reference backend can detect the mutation. A mutation that does not change the PTX is
replaced by a new mutation. Fails if more than --allowed mutations survive. Exit 77 unless SQ_FULL_TESTS is set, because the script
takes many minutes.
"""
import argparse
import glob
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
FOLDER = os.path.join(ROOT, "kernels", "cuda")
OPERATORS = [(r"(?<=[\w\])]) \+ (?=[\w(])", " - "), (r"(?<=[\w\])]) - (?=[\w(])", " + "), (r"(?<=[\w\])]) \* (?=[\w(])", " + "),
             (r"(?<=[\w\])]) < (?=[\w(])", " <= "), (r"(?<=[\w\])]) >= (?=[\w(])", " > "), (r"(?<=[\w\])]) > (?=[\w(])", " >= "),
             (r" \+= (?=[\w(])", " -= "), (r" && ", " || "), (r"(?<=[\w\])]) / (?=[\w(])", " * "), (r"(?<=[\w\])]) % (?=[\w(])", " / ")]
# Lines that no kernel executes or that do not change its results: declarations, launches, hints, bounds of the block count.
SKIPPED = re.compile(r"^\s*(/?\*|//|#|enum|static_assert|typedef|template|struct|LAUNCH|extern|SQ_CUDA_INSTANCE|return cuda|static const)"
                     r"|__launch_bounds__|__global__|cudaError_t|_instances|/\*")
# Mutations that change no result: (file, text of the line, the mutated text). The comment gives the reason.
EQUIVALENT = (
    ("image.cu", "(low < high)", "(low <= high)"),  # low and high are never equal
    ("pointwise.cu", "z.x - x.mean, z.x - x.mean", "z.x - x.mean, z.x + x.mean"),  # sum (z - m)(z + m) = sum (z - m)^2
    ("classifier.cu", "other.largest > total.largest", "other.largest >= total.largest"),  # equal values give equal results
    ("weight_gradient.cu", "chunks = (u.rows - 1)", "chunks = (u.rows + 1)"),  # the additional chunk has no rows and adds zeros
)


def mutations(random_numbers):
    """Yields (file, line index, old line, new line) without end."""
    files, seen = sorted(glob.glob(os.path.join(FOLDER, "**", "*.cu"), recursive=True)), set()
    while True:
        path = random_numbers.choice(files)
        with open(path) as file:
            lines = file.read().split("\n")
        end = next((i for i, line in enumerate(lines) if "/* ---- Launch" in line), len(lines))
        at = random_numbers.randrange(end)
        line = lines[at]
        if SKIPPED.search(line):
            continue
        places = [(m, new) for pattern, new in OPERATORS for m in re.finditer(pattern, line)]
        if places:
            match, new = random_numbers.choice(places)
            mutated = line[:match.start()] + new + line[match.end():]
            is_equivalent = any(path.endswith("/" + file) and old in line and becomes in mutated for file, old, becomes in EQUIVALENT)
            if (path, at, mutated) not in seen and not is_equivalent:
                seen.add((path, at, mutated))
                yield path, at, line, mutated


def compile_ptx(nvcc, source, to):
    done = subprocess.run([nvcc, "-w", "-O3", "-DNDEBUG", "-std=c++17", "-lineinfo", "-arch=compute_90", "-ptx", f"-I{ROOT}", source, "-o", to],
                          capture_output=True, text=True)
    return done.returncode == 0


def code_of(path):
    """Returns the PTX without line information."""
    with open(path) as file:
        return re.sub(r"(?m)^\s*(\.loc|\.file|//).*$|\.section[^}]*\}", "", file.read())


def run_tests(programs, ptx):
    environment = dict(os.environ, EMU_PTX=ptx, EMU_PTX_ARCH="90", EMU_PTX_TWIN="0", EMU_PTX_COVERAGE="", GOMP_SPINCOUNT="1000")
    for program in programs:
        try:
            done = subprocess.run(program.split("=")[0:1] + ["--filter", program.split("=")[1]], capture_output=True, text=True, env=environment, timeout=900)
        except subprocess.TimeoutExpired:
            return "did not finish within 15 minutes"
        if done.returncode:
            text = (done.stderr + done.stdout).strip().split("\n")
            return next((line for line in text if "ptx:" in line or "differs" in line or "assert" in line), text[-1])[:150]
    return None


def main():
    parser = argparse.ArgumentParser()
    for name in ("nvcc", "ptx"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--test", required=True, action="append")
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--allowed", type=int, default=1)
    given = parser.parse_args()
    if not os.environ.get("SQ_FULL_TESTS"):
        print("skipped: runs with tools/test --full")
        return 77
    survivors, tried = [], 0
    with tempfile.TemporaryDirectory() as scratch:
        for file in glob.glob(os.path.join(given.ptx, "*.compute_90.ptx")):
            shutil.copy(file, scratch)
        for path, at, old, new in mutations(random.Random(given.seed)):
            if tried == given.count:
                break
            name = os.path.basename(path)
            source, to = os.path.join(scratch, name), os.path.join(scratch, name[:-3] + ".compute_90.ptx")
            with open(path) as file:
                lines = file.read().split("\n")
            lines[at] = new
            with open(source, "w") as file:
                file.write("\n".join(lines))
            original = to + ".original"
            shutil.copy(to, original)
            if compile_ptx(given.nvcc, source, to) and code_of(to) != code_of(original):
                tried += 1
                caught = run_tests(given.test, scratch)
                print(f"{tried}. kernels/cuda/{name}:{at + 1}: {old.strip()}\n   -> {new.strip()}\n   {caught or 'SURVIVED'}", flush=True)
                if not caught:
                    survivors.append(f"{name}:{at + 1}")
            shutil.move(original, to)
    print(f"{tried - len(survivors)} of {tried} mutations caught")
    return 1 if len(survivors) > given.allowed or not tried else 0


sys.exit(main())
