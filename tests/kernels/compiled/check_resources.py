#!/usr/bin/env python3
"""Checks the code that nvcc generates for every CUDA kernel: registers, spills and shared memory, instructions, and pointers.

usage: tests/kernels/compiled/check_resources.py [--write] [--nvcc EXE] [--cache FOLDER] [--root FOLDER] [FILE.cu...]
Compiles kernels/cuda/*.cu, or the given files, for each architecture. Checks of each kernel:
  - ptxas's report agrees with fixtures/cuda_resources.csv; a spill is always an error;
  - the PTX reads every const pointer of the parameter struct and writes every other pointer, with the exceptions in
    fixtures/cuda_pointers.csv;
  - the SASS stores, multiplies and synchronizes at every source line where the PTX does, loads every pointer that the PTX
    uses, and has the instruction counts of fixtures/cuda_sass.csv.
--write refreshes cuda_resources.csv and cuda_sass.csv (if files are given, only the rows of their kernels) and, if numpy is installed,
configs/gpus/ptx_to_sass.csv. If a check that needs no table fails, --write writes nothing. cuda_pointers.csv is maintained by hand.
If nvcc has a different version than the tables, the numbers are not compared, but all other checks run.
--root selects a different source tree. Without nvdisasm the checks of the SASS are skipped. Exit 77 without nvcc.
With --cache, unchanged sources are not compiled again.
"""
import argparse
import csv
import importlib.util
import os
import subprocess
import sys
import tempfile

import cubins
import kernel_pointers
import sass
import sass_gates
from kernel_measure import check_shape, measure

FIXTURES = os.path.join(cubins.TESTS, "fixtures")
RESOURCES, COUNTS, POINTERS = (os.path.join(FIXTURES, f"cuda_{name}.csv") for name in ("resources", "sass", "pointers"))
FACTORS = os.path.join(cubins.ROOT, "tools", "bench", "sass_factors.py")
REFRESH = "tests/kernels/compiled/check_resources.py --write"


def read_table(path):
    """Returns (nvcc's version, {(architecture, kernel): {column: number}})."""
    if not os.path.exists(path):
        return "", {}
    with open(path, newline="") as file:
        version = file.readline().strip().removeprefix("# nvcc ")
        rows = list(csv.DictReader(file))
    return version, {(row.pop("arch"), row.pop("kernel")): {column: int(number) for column, number in row.items()} for row in rows}


def write_table(path, version, columns, kernels):
    def order(item):
        return item[0][1], int(item[0][0][3:])

    with open(path, "w", newline="") as file:
        file.write(f"# nvcc {version}\n")
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("arch", "kernel", *columns))
        for (architecture, kernel), numbers in sorted(kernels.items(), key=order):
            rows.writerow((architecture, kernel, *(numbers[column] for column in columns)))
    print(f"{os.path.relpath(path, cubins.ROOT)}: {len(kernels)} kernels")


def compare_resources(numbers, table):
    for field in ("registers", "shared_bytes", "stack"):
        if numbers[field] > table[field]:
            yield f"{numbers[field]} {field.replace('_bytes', ' bytes')}, the table has {table[field]}"


def check_tables(kernels, version, is_whole):
    """Compares the kernels with the committed tables. Yields one line per difference."""
    for path, compare in ((RESOURCES, None), (COUNTS, sass_gates.compare_counts)):
        of, table = read_table(path)
        name = os.path.basename(path)
        if of != version:
            print(f"{name} is for nvcc {of}, this is {version}: its numbers are not compared. These checks still run: spills, pointers, "
                  "source lines, kinds of instructions")
            if not compare:
                continue
        for key, known in kernels.items():
            found = known["counts" if compare else "numbers"]
            if found and key not in table:
                yield f"{key[0]} {key[1]}: not in {name}"
            elif found:
                lines = compare(found, table[key], of == version) if compare else compare_resources(found, table[key])
                yield from (f"{key[0]} {key[1]}: {line}" for line in lines)
        for key in table.keys() - kernels.keys() if is_whole else ():
            yield f"{key[0]} {key[1]}: in {name}, but no such kernel was compiled"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--nvcc")
    parser.add_argument("--cache")
    parser.add_argument("--root", default=cubins.ROOT)
    parser.add_argument("--architecture", action="append", help="check only this one; may be repeated (default: all)")
    parser.add_argument("sources", nargs="*")
    return parser.parse_args()


def run(args, nvcc, folder):
    version, nvdisasm = cubins.version_of(nvcc), sass.find_nvdisasm()
    if not nvdisasm:
        print("SASS: skipped, no nvdisasm (pip install -r tests/requirements.txt)")
    sources = [os.path.abspath(source) for source in args.sources] or cubins.sources_of(os.path.join(args.root, "kernels", "cuda"), ".cu")
    kernels, layouts = measure(nvcc, nvdisasm, sources, args.architecture or cubins.ARCHITECTURES, folder, args.root)
    exceptions, used, problems = kernel_pointers.read_exceptions(POINTERS), set(), []
    for key, known in sorted(kernels.items()):
        pointers = layouts.get(known["struct"], {})
        problems += [f"{key[0]} {key[1]}: {line}" for line in check_shape(key[1], known, pointers, exceptions, used)]
    is_whole = not args.sources and not args.architecture
    if is_whole:
        problems += [f"{os.path.basename(POINTERS)}: no kernel needs the row '{row[3]}'" for i, row in enumerate(exceptions) if i not in used]
    if args.write and problems:
        problems.append("the tables were not written; fix these kernels first")
    elif args.write:
        for path, columns, part in ((RESOURCES, cubins.FIELDS, "numbers"), (COUNTS, sass.COLUMNS, "counts")):
            new = {key: known[part] for key, known in kernels.items() if known[part]}
            if new:
                write_table(path, version, columns, {**({} if is_whole else read_table(path)[1]), **new})
        if is_whole and nvdisasm and importlib.util.find_spec("numpy"):
            subprocess.run([sys.executable, FACTORS, "--nvcc", nvcc, "--compiled", folder], check=True)
    else:
        changes = sorted(check_tables(kernels, version, is_whole))
        problems += changes + ([f"if the change is intended, run {REFRESH}"] if changes else [])
    print("\n".join(problems) or f"{len(kernels)} kernels: no check failed")
    return bool(problems)


def main():
    args = parse_arguments()
    nvcc = cubins.find_nvcc(args.nvcc)
    if not nvcc:
        print("skipped: no nvcc")
        sys.exit(77)
    if args.cache and args.root == cubins.ROOT:
        sys.exit(run(args, nvcc, cubins.open_cache(args.cache, cubins.version_of(nvcc))))
    with tempfile.TemporaryDirectory() as scratch:
        sys.exit(run(args, nvcc, scratch))


main()
