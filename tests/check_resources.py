#!/usr/bin/env python3
"""Registers, spills and shared memory of every CUDA kernel, against the committed table.

usage: tests/check_resources.py [--write] [--nvcc EXE] [--cache FOLDER] [FILE.cu...]
Compiles kernels/cuda/*.cu for each architecture and reads what ptxas says. A spill is always an error; a kernel that takes
more than fixtures/cuda_resources.csv says needs a look and then --write (with files: of these alone). Another nvcc than the table's: only spills count.
Exit 77 without nvcc. With --cache, what was compiled before from the same sources is not compiled again.
"""
import argparse
import concurrent.futures
import csv
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile

TESTS = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(TESTS)
FOLDER = os.path.join(ROOT, "kernels", "cuda")
TABLE = os.path.join(TESTS, "fixtures", "cuda_resources.csv")
ARCHITECTURES = ("sm_80", "sm_90", "sm_100")
FIELDS = ("registers", "spill_bytes", "shared_bytes", "stack")
FLAGS = ("-std=c++17", "-O3", "-DNDEBUG", "-Xptxas", "-v", "-cubin", f"-I{ROOT}")
REFRESH = "tests/check_resources.py --write"


def find_nvcc(wanted):
    homes = [os.environ.get(name) for name in ("CUDA_HOME", "CUDA_PATH")] + ["/usr/local/cuda"]
    places = [wanted, shutil.which("nvcc")] + [os.path.join(home, "bin", "nvcc") for home in homes if home]
    return next((place for place in places if place and os.access(place, os.X_OK)), None)


def version_of(nvcc):
    text = subprocess.run([nvcc, "--version"], capture_output=True, text=True, check=True).stdout
    return re.search(r"V([0-9.]+)", text).group(1)


def source_hash(version):
    digest = hashlib.sha256(repr((version, FLAGS[:-1])).encode())
    for name in sorted(os.listdir(FOLDER)):
        if name.endswith((".cu", ".cuh", ".h")):
            with open(os.path.join(FOLDER, name), "rb") as file:
                digest.update(name.encode() + b"\0" + file.read())
    return digest.hexdigest()[:24]


def compile_one(nvcc, architecture, source, cache):
    """What ptxas says of one file for one architecture."""
    kept = cache and os.path.join(cache, f"{os.path.basename(source)}.{architecture}.txt")
    if kept and os.path.exists(kept):
        with open(kept) as file:
            return architecture, file.read()
    with tempfile.TemporaryDirectory() as scratch:
        done = subprocess.run([nvcc, f"-arch={architecture}", *FLAGS, source, "-o", os.path.join(scratch, "out.cubin")],
                              capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{source}, {architecture}: nvcc failed:\n{done.stderr}{done.stdout}")
    if kept:
        with open(kept + ".tmp", "w") as file:
            file.write(done.stderr + done.stdout)
        os.replace(kept + ".tmp", kept)
    return architecture, done.stderr + done.stdout


def short_name(demangled):
    """rows_kernel<128, 3> of void rows_kernel<128, 3>(sq_cuda_rows, int)."""
    name, depth = demangled.replace("(int)", "").replace("(bool)1", "true").replace("(bool)0", "false"), 0
    for i, letter in enumerate(name):
        depth += (letter == "<") - (letter == ">")
        if letter == "(" and depth == 0:
            name = name[:i]
            break
    return name.removeprefix("void ").replace("(anonymous namespace)::", "")


def parse(text):
    """[mangled name, {field: number}] of every kernel in ptxas's report."""
    found, numbers = [], None
    for line in text.splitlines():
        entry = re.search(r"Compiling entry function '([^']+)'", line)
        frame = re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", line)
        used = re.search(r"Used (\d+) registers", line)
        if entry:
            numbers = dict.fromkeys(FIELDS, 0)
            found.append((entry.group(1), numbers))
        elif frame and numbers is not None:
            numbers["stack"] = int(frame.group(1))
            numbers["spill_bytes"] = int(frame.group(2)) + int(frame.group(3))
        elif used and numbers is not None:
            shared = re.search(r"(\d+) bytes smem", line)
            numbers["registers"] = int(used.group(1))
            numbers["shared_bytes"] = int(shared.group(1)) if shared else 0
            numbers = None  # a function that is no entry may follow
    return found


def measure(nvcc, sources, cache):
    """{(architecture, kernel): numbers}. The longest files begin first."""
    sources = sorted(sources, key=os.path.getsize, reverse=True)
    jobs = [(nvcc, architecture, source, cache) for source in sources for architecture in ARCHITECTURES]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        reports = list(pool.map(lambda job: compile_one(*job), jobs))
    kernels = [(architecture, name, numbers) for architecture, text in reports for name, numbers in parse(text)]
    mangled = "\n".join(name for _, name, _ in kernels)
    demangler = shutil.which("c++filt") or os.path.join(os.path.dirname(nvcc), "cu++filt")
    names = subprocess.run([demangler], input=mangled, capture_output=True, text=True, check=True).stdout.split("\n")
    return {(kernel[0], short_name(name)): kernel[2] for kernel, name in zip(kernels, names)}


def read_table():
    """(nvcc's version, {(architecture, kernel): numbers})."""
    with open(TABLE, newline="") as file:
        version = file.readline().strip().removeprefix("# nvcc ")
        return version, {(row["arch"], row["kernel"]): {field: int(row[field]) for field in FIELDS} for row in csv.DictReader(file)}


def write_table(version, kernels):
    def order(item):
        return item[0][1], int(item[0][0][3:])

    with open(TABLE, "w", newline="") as file:
        file.write(f"# nvcc {version}\n")
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("arch", "kernel", *FIELDS))
        for (architecture, kernel), numbers in sorted(kernels.items(), key=order):
            rows.writerow((architecture, kernel, *(numbers[field] for field in FIELDS)))
    print(f"{os.path.relpath(TABLE, ROOT)}: {len(kernels)} kernels")


def compare(kernels, table, is_whole):
    """What is not as the table says, as lines."""
    for key, numbers in kernels.items():
        name = f"{key[0]} {key[1]}"
        if key not in table:
            yield f"{name}: not in the table"
            continue
        for field in ("registers", "shared_bytes", "stack"):
            if numbers[field] > table[key][field]:
                yield f"{name}: {numbers[field]} {field.replace('_bytes', ' bytes')}, the table has {table[key][field]}"
    for key in table.keys() - kernels.keys() if is_whole else ():
        yield f"{key[0]} {key[1]}: in the table, but no longer there"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--nvcc")
    parser.add_argument("--cache")
    parser.add_argument("sources", nargs="*")
    args = parser.parse_args()
    nvcc = find_nvcc(args.nvcc)
    if not nvcc:
        print("skipped: no nvcc")
        sys.exit(77)
    version = version_of(nvcc)
    cache = args.cache and os.path.join(args.cache, source_hash(version))
    if cache:
        for old in os.listdir(args.cache) if os.path.isdir(args.cache) else ():
            if old != os.path.basename(cache):
                shutil.rmtree(os.path.join(args.cache, old))
        os.makedirs(cache, exist_ok=True)
    whole = [os.path.join(FOLDER, name) for name in os.listdir(FOLDER) if name.endswith(".cu")]
    kernels = measure(nvcc, args.sources or whole, cache)
    problems = [f"{key[0]} {key[1]}: spills {numbers['spill_bytes']} bytes (stores and loads), {numbers['registers']} registers"
                for key, numbers in kernels.items() if numbers["spill_bytes"]]
    if args.write:
        write_table(version, {**(read_table()[1] if args.sources else {}), **kernels})
    else:
        known, table = read_table()
        if known == version:
            changes = sorted(compare(kernels, table, not args.sources))
            problems += changes + ([f"if that is wanted: {REFRESH}"] if changes else [])
        else:
            print(f"nvcc {version}, the table is of {known}: only spills are compared")
    print("\n".join(problems) or f"{len(kernels)} kernels keep to the table, none spills")
    sys.exit(bool(problems))


main()
