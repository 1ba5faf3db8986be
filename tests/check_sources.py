#!/usr/bin/env python3
"""Checks rules of the source tree: includes point only downwards, headers compile alone, files stay short, and no file contains a
path that exists on only one machine.

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
            yield f"{name}: includes {line} from a higher layer"


def misses_a_library(done):
    """Returns whether compilation failed because a header of the CUDA Toolkit, cuDNN or MPI is missing on this machine."""
    return re.search(r"fatal error: (cuda\w*|cudnn\w*|cublas\w*|mpi)\.h: No such file", done.stderr) is not None


def check_alone(root, name):
    done = subprocess.run(["cc", "-std=c11", "-D_DEFAULT_SOURCE", "-I", root, "-I", os.path.join(root, "data"), "-fopenmp", "-DSQ_CPU_ISA=baseline", "-I", "/usr/local/cuda/include", "-fsyntax-only", "-x", "c", "-"],
                          input=f'#include "{name}"\nint unused;\n', capture_output=True, text=True)
    if done.returncode and not misses_a_library(done):
        yield f"{name}: does not compile alone: {done.stderr.splitlines()[0]}"


def after_pair(text, at):
    """Returns the index after the bracket that matches the opening bracket at index `at`."""
    depth = 0
    for i in range(at, len(text)):
        depth += (text[i] in "({") - (text[i] in ")}")
        if depth == 0:
            return i + 1
    return len(text)


def check_dropped_statements(name, text):
    """Reports code that nvcc 13.0 compiles wrongly.

    The compiler silently drops the statement after an `if constexpr` if the condition is false and the body has no braces and ends in a
    `switch`.
    """
    text = re.sub(r"/\*.*?\*/|//[^\n]*", lambda found: re.sub(r"[^\n]", " ", found.group()), text, flags=re.S)

    def place(at):
        return f"{name}:{text.count(chr(10), 0, at) + 1}"

    for found in re.finditer(r"\bif constexpr\s*(?=\()", text):
        body = re.compile(r"\s*").match(text, after_pair(text, found.end())).end()
        if text[body:body + 1] != "{":
            yield f"{place(found.start())}: if constexpr without braces; nvcc 13.0 may drop the statement after it"
        elif other := re.compile(r"\s*else\b(?!\s*(\{|if\b))").match(text, after_pair(text, body)):
            yield f"{place(other.end())}: else of an if constexpr without braces; nvcc 13.0 may drop the statement after it"
    for found in re.finditer(r"^[ \t]*#[ \t]*define[ \t]+(\w+)(?:\([^)]*\))?((?:[^\n]*\\\n)*[^\n]*)", text, re.M):
        body = found.group(2).replace("\\\n", " ")
        for switch in re.finditer(r"\bswitch\s*(?=\()", body):
            start = body.find("{", after_pair(body, switch.end()))
            if start >= 0 and not body[after_pair(body, start):].strip():
                yield f"{place(found.start())}: macro {found.group(1)} ends in a bare switch; wrap it in do {{ }} while (0)"


PLANTED = """
#define PICK(v, ...) \\
    switch (v) { case 1: { __VA_ARGS__; } break; default: { __VA_ARGS__; } break; }
#define PICK_ONCE(v, ...) do { switch (v) { default: { __VA_ARGS__; } break; } } while (0)
template <int MODE> __global__ void k(int *out, int v)
{
    if constexpr (MODE == (1)) /* no braces */
        if (v < 2)
            PICK(v, out[9] = 1)
    if constexpr (MODE == 2) { out[1] = v; } else out[2] = v;
    if constexpr (MODE == 3) { out[1] = v; } else if constexpr (MODE == 4) { out[2] = v; } else { out[3] = v; }
}
"""


def check_the_check():
    found = [re.sub(r";.*", "", line) for line in check_dropped_statements("planted", PLANTED)]
    if found != ["planted:7: if constexpr without braces", "planted:10: else of an if constexpr without braces", "planted:2: macro PICK ends in a bare switch"]:
        yield f"check_sources.py finds the wrong planted faults: {found}"


def main():
    root, problems = sys.argv[1], list(check_the_check())
    for name in files(root):
        extension = os.path.splitext(name)[1]
        if extension not in (".c", ".h", ".py", ".md", ".yaml", ".cu", ".cuh"):
            continue
        with open(os.path.join(root, name)) as file:
            text = file.read()
        lines = text.count("\n")
        if lines > LIMITS.get(extension, 10000) and not name.startswith("tests/"):
            problems.append(f"{name}: found {lines} lines, expected at most {LIMITS[extension]}")
        if re.search(r"(^|[^A-Za-z.])/(work|home)/", text):
            problems.append(f"{name}: contains a path of one machine")
        if extension in (".cu", ".cuh") and not name.startswith(("tests/fixtures/", "tests/emulation/toolchain")):
            problems += check_dropped_statements(name, text)
        if extension in (".c", ".h"):
            problems += check_includes(root, name, text)
        if extension == ".h" and name.split("/")[0] in ORDER:
            problems += check_alone(root, name)
    print("\n".join(problems) or "sources keep the rules")
    sys.exit(bool(problems))


main()
