#!/usr/bin/env python3
"""Rules of the tree: includes point only downwards, headers compile alone, files stay short, nothing speaks of one machine.

usage: check_sources.py SOURCE_FOLDER
"""
import os
import re
import subprocess
import sys

ORDER = ["kernels", "data", "supernet", "search", "tools"]
LIMITS = {".c": 600, ".h": 230, ".py": 400}


def files(root):
    listed = subprocess.run(["git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard"], capture_output=True, text=True)
    if listed.returncode == 0:
        return [name for name in listed.stdout.splitlines() if os.path.exists(os.path.join(root, name))]
    return [os.path.relpath(os.path.join(folder, name), root) for folder, _, names in os.walk(root) for name in names]


def check_includes(root, name, text):
    folder = name.split("/")[0]
    for line in re.findall(r'#include "([^"]+)"', text):
        other = line.split("/")[0]
        if folder in ORDER and other in ORDER and ORDER.index(other) > ORDER.index(folder):
            yield f"{name}: includes {line}, which lies above it"


def misses_a_library(done):
    """A header of the CUDA Toolkit or of cuDNN is not on this machine: what includes it cannot be compiled alone here."""
    return re.search(r"fatal error: (cuda\w*|cudnn\w*|cublas\w*)\.h: No such file", done.stderr) is not None


def check_alone(root, name):
    done = subprocess.run(["cc", "-std=c11", "-D_DEFAULT_SOURCE", "-I", root, "-I", os.path.join(root, "data"), "-fopenmp", "-DSQ_CPU_ISA=baseline", "-I", "/usr/local/cuda/include", "-fsyntax-only", "-x", "c", "-"],
                          input=f'#include "{name}"\nint unused;\n', capture_output=True, text=True)
    if done.returncode and not misses_a_library(done):
        yield f"{name}: does not compile alone: {done.stderr.splitlines()[0]}"


def main():
    root, problems = sys.argv[1], []
    for name in files(root):
        extension = os.path.splitext(name)[1]
        if extension not in (".c", ".h", ".py", ".md", ".yaml"):
            continue
        with open(os.path.join(root, name)) as file:
            text = file.read()
        lines = text.count("\n")
        if lines > LIMITS.get(extension, 10000) and not name.startswith("tests/"):
            problems.append(f"{name}: {lines} lines, wanted at most {LIMITS[extension]}")
        if re.search(r"(^|[^A-Za-z.])/(work|home)/", text):
            problems.append(f"{name}: a path of one machine")
        if extension in (".c", ".h"):
            problems += check_includes(root, name, text)
        if extension == ".h" and name.split("/")[0] in ORDER:
            problems += check_alone(root, name)
    print("\n".join(problems) or "sources keep the rules")
    sys.exit(bool(problems))


main()
