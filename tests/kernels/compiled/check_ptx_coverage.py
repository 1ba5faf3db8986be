#!/usr/bin/env python3
"""Reports the share of every kernel's PTX instructions that the tests ran. The check fails if a kernel never ran.

usage: check_ptx_coverage.py FOLDER...
A folder has the files that the tests of one architecture wrote (EMU_PTX_COVERAGE). Each line is one kernel: the kernel's name, the
number of its instructions, and the indices of the instructions that ran.
"""
import os
import sys


def read(folder):
    """Returns {kernel: [number of instructions, set of the indices of the instructions that ran]}."""
    kernels = {}
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name)) as file:
            for line in file:
                kernel, count, *ran = line.rstrip("\n").split("\t")
                entry = kernels.setdefault(kernel, [int(count), set()])
                entry[1].update(map(int, ran))
    return kernels


def main():
    failures = 0
    for folder in sys.argv[1:]:
        kernels = read(folder) if os.path.isdir(folder) else {}
        if not kernels:
            print(f"{folder}: found no coverage, expected the files of the PTX tests; run them first")
            return 1
        never = [kernel for kernel, (_, ran) in kernels.items() if not ran]
        print(f"{os.path.basename(folder)}: {len(kernels) - len(never)} of {len(kernels)} kernels ran")
        for kernel, (count, ran) in sorted(kernels.items(), key=lambda k: len(k[1][1]) / k[1][0]):
            print(f"  {100 * len(ran) / count:5.1f} %  {kernel}")
        for kernel in never:
            print(f"  never ran: {kernel}; add a shape to a space of tests/kernels/test_cuda.c that reaches it")
        failures += len(never)
    return 1 if failures else 0


sys.exit(main())
