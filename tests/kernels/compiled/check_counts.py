#!/usr/bin/env python3
"""Compares the instruction counts of the CUDA kernels with the committed table configs/gpus/counts.csv.

usage: tests/kernels/compiled/check_counts.py COUNT_LAUNCHES --ptx FOLDER [--write] [--nvcc EXE]
COUNT_LAUNCHES (tests/emulation) runs blocks of a sample of the table's launches, with the PTX that the build wrote to FOLDER.
With the table's version of nvcc the counts must be equal; with a different version they may grow by 5 %. --write counts every
launch and writes the table. The table's registers come from fixtures/cuda_resources.csv, so refresh that file first
(check_resources.py --write).
Exit 77 without nvcc.
"""
import argparse
import concurrent.futures
import csv
import io
import os
import re
import subprocess
import sys

import cubins

TESTS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ROOT = os.path.dirname(TESTS)
TABLE = os.path.join(ROOT, "configs", "gpus", "counts.csv")
RESOURCES = os.path.join(TESTS, "fixtures", "cuda_resources.csv")
ARCHITECTURE, MULTIPROCESSORS = "sm_90", 132
REGISTERS = ("sm_80", "sm_90", "sm_100")
SPACES = ("spos.yaml:256", "spos.yaml:1024", "proxyless.yaml:256", "proxyless.yaml:1024", "tiny.yaml:256")
SAMPLE = ("tiny.yaml:256", "spos.yaml:256")
EVERY = 12  # the test counts one in EVERY launches of the sample
TOLERANCE = 0.05  # allowed growth with a different nvcc
KEY = ("kernel", "variant", "sizes", "parts", "bytes", "instance")
# These columns and the total number of instructions must not grow.
MOVED = ("ld.global moved", "st.global moved", "ld.shared moved", "st.shared moved")
REFRESH = "cmake --build BUILD --target refresh_counts"


def count_space(program, ptx, space, subset):
    """Returns the rows of the CSV that the program prints."""
    file = os.path.join(ROOT, "configs", "spaces", space)
    done = subprocess.run([program, ptx, str(MULTIPROCESSORS), file, *subset], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{program}: {done.stderr}")
    return list(csv.DictReader(io.StringIO(done.stdout)))


def count(program, ptx, spaces, subset):
    """Returns the rows of all spaces, which one process per space counts. A launch that occurs in several spaces is listed once."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        parts = list(pool.map(lambda space: count_space(program, ptx, space, subset), spaces))
    rows = {tuple(row[field] for field in KEY): row for part in reversed(parts) for row in part}
    return list(rows.values())


def read_table():
    """Returns (nvcc's version, {key: row})."""
    with open(TABLE, newline="") as file:
        version = re.search(r"nvcc ([0-9.]+)", file.readline()).group(1)
        return version, {tuple(row[field] for field in KEY): row for row in csv.DictReader(file)}


def write_table(version, rows):
    with open(RESOURCES, newline="") as file:
        used = {(row["arch"], row["kernel"]): row["registers"]
                for row in csv.DictReader(line for line in file if not line.startswith("#"))}
    rows = sorted(rows, key=lambda row: [row[field] for field in KEY[:-1]])  # stable, so kernels of one launch keep their order
    columns = [*rows[0], *(f"registers {name}" for name in REGISTERS)]
    with open(TABLE + ".tmp", "w", newline="") as file:
        file.write(f"# nvcc {version}, PTX of {ARCHITECTURE}, {MULTIPROCESSORS} multiprocessors: {', '.join(SPACES)}. "
                   f"Written by {REFRESH}\n")
        table = csv.DictWriter(file, columns, lineterminator="\n")
        table.writeheader()
        for row in rows:
            registers = {f"registers {name}": used.get((name, row["instance"]), "0") for name in REGISTERS}
            table.writerow({**row, **registers})
    os.replace(TABLE + ".tmp", TABLE)
    missing = sorted({row["instance"] for row in rows if (ARCHITECTURE, row["instance"]) not in used})
    print(f"{os.path.relpath(TABLE, ROOT)}: {len(rows)} rows")
    if missing:
        print(f"not in {os.path.relpath(RESOURCES, ROOT)}, so without registers: {', '.join(missing)}")


def classes_of(row):
    """Returns the names of the instruction columns, which are between "shared_bytes" and "ld.global requests"."""
    names = list(row)
    return names[names.index("shared_bytes") + 1:names.index("ld.global requests")]


def compare(rows, table, is_same_nvcc):
    """Yields one line per difference from the table."""
    for row in rows:
        key = tuple(row[field] for field in KEY)
        name = f"{row['instance']} {row['variant']} {row['sizes']}"
        known = table.get(key)
        if not known:
            yield f"{name}, {row['parts']} parts: not in the table"
            continue
        vectors = max(float(row["bytes"]) / 16, 1)
        classes = classes_of(row)
        sums = [("instructions", *(sum(float(r[c]) for c in classes) for r in (row, known)))]
        sums += [(field, float(row[field]), float(known[field])) for field in MOVED]
        for what, now, before in sums:
            if now > before * (1 + TOLERANCE) + 1 or (is_same_nvcc and now != before):
                yield f"{name}: {now / vectors:.4f} {what} per 16 bytes, the table has {before / vectors:.4f}"
        if is_same_nvcc and all(now == before for _, now, before in sums):
            changed = [field for field in classes + ["grid", "block", "shared_bytes"] if row[field] != known[field]]
            if changed:
                yield f"{name}: {', '.join(changed)} differ from the table"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--nvcc")
    parser.add_argument("--ptx", required=True)
    args = parser.parse_args()
    nvcc = cubins.find_nvcc(args.nvcc)
    if not nvcc:
        print("skipped: no nvcc")
        sys.exit(77)
    version = cubins.version_of(nvcc)
    if args.write:
        write_table(version, count(args.program, args.ptx, SPACES, ()))
        return
    known, table = read_table()
    # The hash of the kernel sources selects the sampled launches.
    now = cubins.hash_of(version, cubins.sources_of(cubins.FOLDER, (".cu", ".cuh", ".h")))
    rows = count(args.program, args.ptx, SAMPLE, ("--", str(EVERY), str(int(now, 16) % EVERY)))
    problems = list(compare(rows, table, known == version))
    if known != version:
        print(f"found nvcc {version}, the table is for {known}: counts may grow by {100 * TOLERANCE:.0f} %")
    if problems:
        problems.append(f"if the change is intended, run {REFRESH}")
    print("\n".join(problems) or f"{len(rows)} launches agree with the table")
    sys.exit(bool(problems))


main()
