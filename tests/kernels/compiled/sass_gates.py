"""Checks the consistency of a kernel's source, PTX and SASS. Each check yields one line per problem.

The checks follow a chain: pointers of the parameter struct -> accesses in the PTX -> the same source lines and parameters in the SASS.
If a tool drops code, this chain breaks even if the counts agree with the committed table.
"""
import re
from collections import defaultdict

import ptx
import sass

WORDS = {"": "neither reads nor writes", "r": "only reads", "w": "only writes", "rw": "reads and writes"}
EXPECTED = {"": "no access", "r": "a read", "w": "a write", "rw": "a read and a write"}

# Class of PTX instructions -> their opcodes in SASS. Loads of global memory are omitted because ptxas merges equal loads of different
# lines.
SAME_LINE = {
    "st.global": ("STG", "ST", "RED", "REDG", "ATOM", "ATOMG"), "ld.shared": ("LDS",), "st.shared": ("STS",), "ldmatrix": ("LDSM",),
    "mma": ("HMMA", "UTCHMMA"), "barrier": ("BAR", "LDGDEPBAR", "DEPBAR", "SYNCS", "MEMBAR"),
}


def own_line(where):
    """Returns the innermost source line outside the toolkit's headers, or ""."""
    return next((line for line in where if "/include/" not in line and not line.endswith(":0")), "")


def check_pointers(found, expected):
    wrong = defaultdict(list)
    for name, needed in expected.items():
        if found.get(name, "") != needed:
            wrong[found.get(name, ""), needed].append(name)
    for (access, needed), names in wrong.items():
        yield f"the PTX {WORDS[access]} {', '.join(names)}: expected {EXPECTED[needed]}"


def check_lines(code, kernel):
    """Yields a problem per source line that the PTX has but the SASS lacks, for the instructions in SAME_LINE."""
    in_ptx, in_sass = defaultdict(set), defaultdict(set)
    for i in code:
        kind = ptx.class_of(i.opcode)
        if kind in SAME_LINE:
            in_ptx[kind].add(own_line(i.where))
    for i in kernel.code:
        in_sass[sass.base_of(i.opcode)].add(own_line(i.where))
    for kind, lines in in_ptx.items():
        lost = lines - set().union(*(in_sass[opcode] for opcode in SAME_LINE[kind])) - {""}
        for line in sorted(lost):
            yield f"{re.sub('.*/', '', line)}: {kind} in the PTX, no {SAME_LINE[kind][0]} in the SASS"


def check_parameters(kernel, accessed):
    """Yields a problem with the pointers that the PTX accesses but the SASS never loads. accessed: [Pointer]."""
    loaded, is_indexed = set(), False
    for i in kernel.code:
        for index, offset in re.findall(r"c\[0x0\]\[(U?R\d+)?[^\]]*?(0x[0-9a-f]+)?\]", i.operands):
            parts = i.opcode.split(".")
            size = 16 if "128" in parts else 8 if {"64", "WIDE"} & set(parts) else 4
            is_indexed = is_indexed or bool(index)
            loaded.update(range(int(offset or "0", 16), int(offset or "0", 16) + size, 4))
    lost = [pointer.name for pointer in accessed if kernel.parameter_base + pointer.offset not in loaded and not is_indexed]
    if lost:
        yield f"the SASS never loads {', '.join(lost)}, which the PTX accesses"


def source_needs(text, kernel):
    """Returns groups of columns. The SASS must have an instruction of at least one column of each group.

    text: the source file without comments
    """
    found = re.search(rf"__global__[^{{;]*\b{kernel}\([^{{]*\{{(.*?)^\}}", text, re.S | re.M)
    body, needs = found.group(1) if found else "", []
    if re.search(r"\b(DYNAMIC_)?SHARED\(", body):
        needs += [("STS", "LDGSTS"), ("LDS", "LDSM")] + ([("BAR",)] if "__syncthreads" in text else [])
    return needs + ([("LDSM",)] if "load_matrix_x" in text else []) + ([("HMMA",)] if "mma_bf16" in text else [])


def check_needs(counts, needs):
    for columns in needs:
        if not any(counts[column] for column in columns):
            yield f"no {' or '.join(columns)} in the SASS, but the source requires it"


EXACT = ("LDG", "STG", "LDGSTS", "ATOM_RED", "STS", "LDSM", "HMMA", "BAR")  # the other columns are not compared


def compare_counts(counts, table, is_same_nvcc):
    """Compares the counts with the row of the table. With a different nvcc, only the kinds of instructions must be the same."""
    for column, known in table.items():
        number = counts[column]
        if column in ("LDL", "STL"):
            if number and not known:
                yield f"{number} {column}, the table has none"
        elif is_same_nvcc and column in EXACT and number != known:
            yield f"{number} {column}, the table has {known}"
        elif known and not number and column not in ("MUFU", "LDGSTS"):
            yield f"no {column}, the table has {known}"
