"""Compiles the kernels for every architecture. Caches ptxas's report, the PTX and the cubin in a folder."""
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import namedtuple

TESTS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ROOT = os.path.dirname(TESTS)
FOLDER = os.path.join(ROOT, "kernels", "cuda")
ARCHITECTURES = ("sm_80", "sm_90", "sm_100")
FIELDS = ("registers", "spill_bytes", "shared_bytes", "stack")
FLAGS = ("-std=c++17", "-O3", "-DNDEBUG", "-lineinfo", "-Xptxas", "-v", "-cubin")

Build = namedtuple("Build", "source architecture report ptx cubin")  # report, ptx, cubin: paths


def find_nvcc(wanted):
    homes = [os.environ.get(name) for name in ("CUDA_HOME", "CUDA_PATH")] + ["/usr/local/cuda"]
    places = [wanted, shutil.which("nvcc")] + [os.path.join(home, "bin", "nvcc") for home in homes if home]
    return next((place for place in places if place and os.access(place, os.X_OK)), None)


def version_of(nvcc):
    text = subprocess.run([nvcc, "--version"], capture_output=True, text=True, check=True).stdout
    return re.search(r"V([0-9.]+)", text).group(1)


def hash_of(start, paths):
    digest = hashlib.sha256(repr(start).encode())
    for path in sorted(paths):
        with open(path, "rb") as file:
            digest.update(os.path.basename(path).encode() + b"\0" + file.read())
    return digest.hexdigest()[:24]


def sources_of(folder, endings):
    """Returns all files below the folder whose names have one of these endings."""
    return sorted(os.path.join(place, name) for place, _, names in os.walk(folder) for name in names if name.endswith(endings))


def open_cache(folder, version):
    """Returns the cache folder for the current sources and this version of nvcc. Removes the cache folders of all other sources."""
    wanted = os.path.join(folder, hash_of((version, FLAGS), sources_of(FOLDER, (".cu", ".cuh", ".h"))))
    for old in os.listdir(folder) if os.path.isdir(folder) else ():
        if old != os.path.basename(wanted):
            shutil.rmtree(os.path.join(folder, old))
    os.makedirs(wanted, exist_ok=True)
    return wanted


def compile_one(nvcc, architecture, source, folder, root=ROOT):
    """Returns the Build of the source, with files in the folder. Compiles the source unless these files exist."""
    stem = os.path.join(folder, f"{os.path.splitext(os.path.basename(source))[0]}.{architecture}")
    build = Build(source, architecture, stem + ".txt", stem + ".ptx", stem + ".cubin")
    if all(map(os.path.exists, build[2:])):
        return build
    with tempfile.TemporaryDirectory() as scratch:
        cubin = os.path.join(scratch, "out.cubin")
        done = subprocess.run([nvcc, f"-arch={architecture}", *FLAGS, f"-I{root}", "--keep", "--keep-dir", scratch, source, "-o", cubin],
                              capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{source}, {architecture}: nvcc failed:\n{done.stderr}{done.stdout}")
        with open(os.path.join(scratch, "report.txt"), "w") as file:
            file.write(done.stderr + done.stdout)
        ptx = next(os.path.join(scratch, name) for name in os.listdir(scratch) if name.endswith(".ptx"))
        for made, cached in ((file.name, build.report), (ptx, build.ptx), (cubin, build.cubin)):
            shutil.move(made, cached + ".tmp")
            os.replace(cached + ".tmp", cached)
    return build


def parse_report(text):
    """Returns (mangled name, {field: number}) for every kernel in ptxas's report."""
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
            numbers = None  # later lines may belong to a function that is not a kernel
    return found


def short_name(demangled):
    """Returns "pointwise_kernel<128, 3>" for "void pointwise_kernel<128, 3>(sq_cuda_pointwise, int)"."""
    name, depth = demangled.replace("(int)", "").replace("(bool)1", "true").replace("(bool)0", "false"), 0
    for i, letter in enumerate(name):
        depth += (letter == "<") - (letter == ">")
        if letter == "(" and depth == 0:
            name = name[:i]
            break
    return name.removeprefix("void ").replace("(anonymous namespace)::", "")


def demangle(nvcc, names):
    """Returns {mangled name: short name}."""
    demangler = shutil.which("c++filt") or os.path.join(os.path.dirname(nvcc), "cu++filt")
    lines = subprocess.run([demangler], input="\n".join(names), capture_output=True, text=True, check=True).stdout.split("\n")
    return {mangled: short_name(line) for mangled, line in zip(names, lines)}
