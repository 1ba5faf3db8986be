#!/usr/bin/env python3
"""Plants faults in copies of fixtures/planted.cu. The checks of compiled kernels must find each fault, and must find no fault in the
original.

usage: tests/kernels/compiled/check_planted.py [--nvcc EXE]
Exit 77 without nvcc or nvdisasm.
"""
import os
import sys
import tempfile

import cubins
import ptx
import sass
import sass_gates
from kernel_measure import check_shape, measure, read_text

ORIGINAL = os.path.join(cubins.TESTS, "fixtures", "planted.cu")
ARCHITECTURE = "sm_90"

# Each row: the fault's name, a text of planted.cu, the replacement of this text, a phrase of the expected report.
FAULTS = (
    ("braces", "    if constexpr (MODE == 1) {\n        if (v < 7)\n            PICK(v, raw[0].x = 0)\n    }\n",
     "    if constexpr (MODE == 1)\n        if (v < 7)\n            PICK(v, raw[0].x = 0)\n", "never loads a,"),
    ("store", "        u.out[4 * threadIdx.x + i] = sum[i] + bias;", "        (void)(sum[i] + bias);", "neither reads nor writes out: expected a write"),
    ("read", "u.bias[threadIdx.x]", "1.0f", "neither reads nor writes bias: expected a read"),
    ("added", "= sum[i] + bias", "+= sum[i] + bias", "reads and writes out: expected a write"),
    ("barrier", "    __syncthreads();\n", "", "no BAR, the table has 1"),
    ("mma", "    mma_bf16_16x8x16(sum, a, b, sum);\n", "    sum[0] = __uint_as_float(a[0] + a[1] + a[2] + a[3] + b[0] + b[1]);\n", "no HMMA, the table has 1"),
    ("spill", "    float sum[4] = {};\n",
     "    float sum[4] = {}, many[64];\n    for (int i = 0; i < 64; i++)\n        many[i] = u.b[i];\n    sum[0] = many[u.n];\n", "LDL, the table has none"),
)


def write_sources(folder):
    """Writes the original and a copy with each fault. Returns {name: path}. The kernel has a different name in each file."""
    text, paths = read_text(ORIGINAL), {}
    for name, old, new, _ in (("original", "", "", ""), *FAULTS):
        assert old in text, f"{name}: fixtures/planted.cu no longer has the text to replace"
        paths[name] = os.path.join(folder, f"{name}.cu")
        with open(paths[name], "w") as file:
            file.write((text.replace(old, new) if old else text).replace("planted_kernel", f"planted_{name}_kernel"))
    return paths


def drop_instructions(nvdisasm, folder):
    """Removes each opcode in turn from the original's SASS, as if ptxas had lost the opcode.

    Yields (opcode, lines that check_lines reports).
    """
    stem = os.path.join(folder, f"original.{ARCHITECTURE}")
    (name, (code, _)), = ptx.parse(read_text(stem + ".ptx")).items()
    kernel = sass.disassemble(nvdisasm, stem + ".cubin")[name]
    for opcode in ("STG", "STS", "LDSM", "HMMA", "BAR"):
        left = kernel._replace(code=[i for i in kernel.code if sass.base_of(i.opcode) != opcode])
        yield opcode, list(sass_gates.check_lines(code, left))


def check(nvcc, nvdisasm, folder):
    paths = write_sources(folder)
    kernels, layouts = measure(nvcc, nvdisasm, list(paths.values()), (ARCHITECTURE,), folder)
    table = kernels[ARCHITECTURE, "planted_original_kernel<0>"]["counts"]
    for name, _, _, phrase in (("original", "", "", None), *FAULTS):
        kernel = f"planted_{name}_kernel<0>"
        known = kernels[ARCHITECTURE, kernel]
        lines = list(check_shape(kernel, known, layouts[known["struct"]], [], set()))
        lines += sass_gates.compare_counts(known["counts"], table, False)
        print(f"{name}: " + ("; ".join(lines) or "nothing found"))
        if phrase is None and lines:
            yield "faults were found in the original"
        elif phrase and not any(phrase in line for line in lines):
            yield f"{name}: not found, expected '{phrase}'"
    for opcode, lines in drop_instructions(nvdisasm, folder):
        print(f"without {opcode}: " + ("; ".join(lines) or "nothing found"))
        if not any(f"no {opcode} in the SASS" in line for line in lines):
            yield f"without {opcode}: not found"


def main():
    nvcc = cubins.find_nvcc(sys.argv[1].removeprefix("--nvcc=") if len(sys.argv) > 1 else None)
    nvdisasm = sass.find_nvdisasm()
    if not nvcc or not nvdisasm:
        print(f"skipped: no {'nvdisasm (pip install -r tests/requirements.txt)' if nvcc else 'nvcc'}")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        problems = list(check(nvcc, nvdisasm, folder))
    print("\n".join(problems) or f"{len(FAULTS)} planted faults and 5 lost instructions, all found")
    sys.exit(bool(problems))


main()
