#!/usr/bin/env python3
"""Compiles dropped_loop.cu with nvcc, and checks that the PTX contains the stores of the source.

usage: check_toolchain.py NVCC
With every version of nvcc, the kernel with braces must contain its stores. The kernel without braces must lose its loop
if the version is in LOSES_THE_LOOP, and must contain its stores otherwise. Exits with 77 if nvcc is missing.
"""
import os
import re
import subprocess
import sys

LOSES_THE_LOOP = {"13.0.88"}  # the front end of cicc drops the loop for compute_80, 90 and 100
SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "dropped_loop.cu")


def stores(ptx, kernel):
    body = re.search(r"\.entry \w*%s\w*\(.*?\n\}" % kernel, ptx, re.S)
    return len(re.findall(r"st\.global", body.group(0))) if body else None


def main():
    nvcc = sys.argv[1] if len(sys.argv) > 1 else ""
    if not os.access(nvcc, os.X_OK):
        print(f"skipped: no nvcc at '{nvcc}'")
        return 77
    version = re.search(r"V([0-9.]+)", subprocess.run([nvcc, "--version"], capture_output=True, text=True).stdout).group(1)
    failures = 0
    for architecture in ("compute_80", "compute_90", "compute_100"):
        done = subprocess.run([nvcc, "-std=c++17", "-ptx", f"-arch={architecture}", SOURCE, "-o", "-"],
                              capture_output=True, text=True)
        if done.returncode:
            print(f"{SOURCE}, {architecture}: nvcc failed:\n{done.stderr}")
            return 1
        braced, unbraced = (stores(done.stdout, name) for name in ("6braced", "8unbraced"))
        loses = not unbraced
        print(f"nvcc {version}, {architecture}: {braced} stores with braces, {unbraced} without")
        if not braced:
            print("  found no store with braces, expected at least 1; this nvcc cannot compile the kernels correctly")
            failures += 1
        if loses != (version in LOSES_THE_LOOP):
            print(f"  LOSES_THE_LOOP says that {version} {'keeps' if loses else 'loses'} the unbraced loop; correct the list")
            failures += 1
    if not failures and version in LOSES_THE_LOOP:
        print(f"nvcc {version} drops the statement after an unbraced, discarded `if constexpr`; the sources use braces")
    return 1 if failures else 0


sys.exit(main())
