#!/usr/bin/env python3
"""Estimates how many SASS instructions one PTX instruction of each class becomes, and on which pipes the SASS instructions run.

usage: tools/bench/sass_factors.py [--cache FOLDER] [--nvcc EXE]
Compiles the .cu files of kernels/cuda, or uses the compiled kernels that tests/kernels/compiled/check_resources.py wrote to the cache folder. Writes
configs/gpus/ptx_to_sass.csv. Needs nvcc, numpy and nvdisasm (tests/requirements.txt).

The script counts the PTX and the SASS instructions of each source line of each kernel. An instruction in d nested loops counts 4^d times (d up to
3), so that the factors describe executed instructions. The slow paths of divisions and roots do not count, because ordinary operands do not take
them. For each pipe, a least-squares fit over all lines of all kernels gives the factors, which are at least 0. If ptxas unrolls loops further or
merges accesses, the counts of a kernel are not comparable. Therefore the fit leaves out a kernel whose weighted numbers of global accesses, ldmatrix
and mma (together) differ by more than a quarter between PTX and SASS. The column spread is half the range of a factor over fits that leave out one source file each.
"""
import argparse
import os
import re
import sys
import tempfile
from collections import Counter, defaultdict

import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "kernels", "compiled"))
import cubins  # noqa: E402
import ptx  # noqa: E402
import sass  # noqa: E402
from kernel_measure import read_text  # noqa: E402
from sass_gates import own_line  # noqa: E402

TABLE = os.path.join(ROOT, "configs", "gpus", "ptx_to_sass.csv")
CLASSES = ("int", "divide", "fp32", "fp64", "convert", "special", "move", "ld.param", "ld.global", "st.global", "ld.shared", "st.shared",
           "local", "ldmatrix", "mma", "barrier", "warp", "branch")
LOOP_WEIGHT, DEEPEST = 4, 3
ANCHORS = {"ld.global": ("LDG",), "st.global": ("STG",), "ldmatrix": ("LDSM",), "mma": ("HMMA",)}
ANCHOR_LIMIT = 1.25

# Regular expressions of SASS opcodes without modifiers, by pipe. The first row that matches an opcode gives its pipe. The last row
# assigns all other opcodes to the ALU.
PIPES = (
    ("mma", r"[HI]MMA|DMMA"),
    ("fp64", r"D(ADD|MUL|FMA|SETP)|DMNMX"),
    ("xu", r"MUFU|I2F|F2I|F2F|FRND|POPC|FLO|BREV|I2I|F2FP64"),
    ("global", r"LDG|STG|LDGSTS|ATOMG?|REDG?|CCTL"),
    ("shared", r"LDS|STS|LDSM|ATOMS|MOVM"),
    ("local", r"LDL|STL"),
    ("shuffle", r"SHFL|REDUX|MATCH"),
    ("barrier", r"BAR|MEMBAR|DEPBAR|LDGDEPBAR|ERRBAR|FENCE|WARPSYNC|SYNCS"),
    ("branch", r"BRA|BRX|BRXU|JMP|EXIT|RET|CALL|BSSY|BSYNC|BREAK|BMOV|YIELD|NANOSLEEP|BPT|KILL"),
    ("uniform", r"U[A-Z0-9]+|LDCU|S2UR|R2UR|VOTEU"),
    ("constant", r"LDC|S2R|CS2R"),
    ("fma", r"IMAD\w*|F(ADD|MUL|FMA)2?|H(ADD|MUL|FMA)2|IDP\w*"),
    ("alu", r"\w+"),
)
# The PTX classes whose instructions may run on each pipe. fit() uses ARITHMETIC for a pipe without an entry.
SOURCES = {
    "mma": ("mma",), "local": ("local",), "shuffle": ("warp",), "barrier": ("barrier", "warp"), "global": ("ld.global", "st.global"),
    "shared": ("ld.shared", "st.shared", "ldmatrix"), "fp64": ("fp64", "convert", "divide"),
    "xu": ("special", "convert", "divide", "fp64", "int"), "branch": ("branch", "divide", "special"),
}
ARITHMETIC = ("int", "divide", "fp32", "fp64", "convert", "special", "move", "ld.param", "branch")
ASSUMED = (("local", "local"), ("shuffle", "warp"))  # (pipe, class): one instruction, if no kernel has the class


def pipe_of(opcode):
    base = sass.base_of(opcode)
    return next(pipe for pipe, pattern in PIPES if re.fullmatch(pattern, base))


def successors(code, labels, jump, leave):
    """Returns, for every instruction, the list of indices of the instructions that may follow it. `jump` lists the opcodes that go to a
    label, `leave` the opcodes that end the kernel."""
    follow = []
    for at, i in enumerate(code):
        base, onward = i.opcode.split(".")[0], [at + 1] if at + 1 < len(code) else []
        targets = [labels[name] for name in re.findall(r"[.$][\w$]+", i.operands) if name in labels] if base in jump else []
        is_certain = not i.guard and not re.match(r"!?U?P\d", i.operands) and (base in leave or base in jump)
        follow.append([t for t in targets if t < len(code)] + ([] if is_certain else onward))
    return follow


def components(nodes, follow):
    """Returns the strongly connected components that have more than one node or one node that follows itself (Tarjan 1972, without
    recursion)."""
    index, low, stack, on_stack, found = {}, {}, [], set(), []
    for root in nodes:
        if root in index:
            continue
        work = [(root, iter(follow[root]))]
        index[root] = low[root] = len(index)
        stack.append(root), on_stack.add(root)
        while work:
            node, rest = work[-1]
            for other in rest:
                if other not in nodes:
                    continue
                if other not in index:
                    index[other] = low[other] = len(index)
                    stack.append(other), on_stack.add(other)
                    work.append((other, iter(follow[other])))
                    break
                if other in on_stack:
                    low[node] = min(low[node], index[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    part = set()
                    while node not in part:
                        part.add(stack.pop())
                    on_stack -= part
                    if len(part) > 1 or node in follow[node]:
                        found.append(part)
    return found


def loop_depths(follow):
    """Returns the number of loops around each instruction. A loop is a strongly connected component. The inner loops of a loop are
    the components that remain without the entry instruction of the loop."""
    depths, work = [0] * len(follow), components(set(range(len(follow))), follow)
    while work:
        part = work.pop()
        for node in part:
            depths[node] += 1
        entry = next((to for at in range(len(follow)) if at not in part for to in follow[at] if to in part), min(part))
        work += components(part - {entry}, follow)
    return depths


def is_slow_path(kernel):
    """Returns, for each SASS instruction, whether it is in a subroutine or in a basic block that calls a subroutine. Subroutines are the
    slow paths of divisions and roots."""
    code, starts = kernel.code, set(kernel.labels.values())
    subroutines = min((at for label, at in kernel.labels.items() if label.startswith("$")), default=len(code))
    slow = [at >= subroutines for at in range(len(code))]
    for at, i in enumerate(code):
        while sass.base_of(i.opcode) == "CALL" and at >= 0 and not slow[at]:
            slow[at] = True
            at = at - 1 if at not in starts and sass.base_of(code[at - 1].opcode) not in ("BRA", "BSYNC") else -1
    return slow


def count_lines(build, nvdisasm):
    """Returns [(kernel, ratio, {line: (Counter of PTX classes, Counter of pipes)})] of one source file. The ratio is the weighted number of
    the SASS opcodes in ANCHORS divided by that of their PTX classes."""
    codes, kernels, result = ptx.parse(read_text(build.ptx)), sass.disassemble(nvdisasm, build.cubin), []
    for name, (code, labels) in codes.items():
        lines, anchors = defaultdict(lambda: (Counter(), Counter())), [0, 0]
        sizes = Counter(own_line(i.where) for i in code)
        for i, depth in zip(code, loop_depths(successors(code, labels, ("bra",), ("ret", "exit", "trap")))):
            kind, weight = ptx.class_of(i.opcode), LOOP_WEIGHT ** min(depth, DEEPEST)
            lines[own_line(i.where)][0][kind] += weight
            anchors[0] += weight * (kind in ANCHORS)
        weights = {line: sum(counts.values()) / sizes[line] for line, (counts, _) in lines.items()}
        kernel = kernels[name]
        depths = loop_depths(successors(kernel.code, kernel.labels, ("BRA", "BRX", "JMP"), ("EXIT", "RET")))
        for i, depth, is_slow in zip(kernel.code, depths, is_slow_path(kernel)):
            if is_slow or sass.base_of(i.opcode) == "NOP":
                continue
            # Inside a loop, the weight comes from PTX, because ptxas merges loops that share an entry. Outside all loops it is 1, because
            # ptxas moved the code out of its loop.
            weight = weights.get(own_line(i.where), LOOP_WEIGHT) if depth else 1
            lines[own_line(i.where)][1][pipe_of(i.opcode)] += weight
            anchors[1] += weight * any(sass.base_of(i.opcode) in opcodes for opcodes in ANCHORS.values())
        result.append((name, anchors[1] / max(1, anchors[0]), lines))
    return result


def least_squares(x, y):
    """Returns the f >= 0 that minimises |x f - y|, found by coordinate descent."""
    gram, right, f = x.T @ x, x.T @ y, np.zeros(x.shape[1])
    for _ in range(3000):
        before = f.copy()
        for k in range(len(f)):
            if gram[k, k] > 0:
                f[k] = max(0.0, f[k] + (right[k] - gram[k] @ f) / gram[k, k])
        if np.abs(f - before).max() < 1e-5:
            break
    return f


def fit(samples, assumed=ASSUMED):
    """Returns the factors, [pipe][class]. `samples` has one entry (number of PTX instructions of the kernel, PTX counts, pipe counts) per
    line. Each entry is divided by its first value, so that all kernels have equal weight."""
    scale = np.array([1 / total for total, _, _ in samples])[:, None]
    x = np.array([[p[c] for c in CLASSES] for _, p, _ in samples]) * scale
    y = np.array([[s[pipe] for pipe, _ in PIPES] for _, _, s in samples]) * scale
    factors = np.zeros((len(PIPES), len(CLASSES)))
    for row, (pipe, _) in enumerate(PIPES):
        columns = [CLASSES.index(c) for c in SOURCES.get(pipe, ARITHMETIC)]
        factors[row, columns] = least_squares(x[:, columns], y[:, row])
    for pipe, kind in assumed:
        column = CLASSES.index(kind)
        if not x[:, column].any():
            factors[[name for name, _ in PIPES].index(pipe), column] = 1
    return factors


def samples_of(kernels):
    samples = []
    for _, _, _, lines in kernels:
        total = sum(sum(p.values()) for p, _ in lines.values())
        samples += [(total, p, s) for p, s in lines.values()]
    return samples


def errors_of(kernels, factors):
    """Returns {kernel: relative error of the estimated weighted number of SASS instructions}."""
    per_class, errors = factors.sum(axis=0), {}
    for _, name, _, lines in kernels:
        made = sum(sum(s.values()) for _, s in lines.values())
        errors[name] = sum(per_class[CLASSES.index(c)] * n for p, _ in lines.values() for c, n in p.items()) / made - 1
    return errors


def analyse(architecture, nvcc, nvdisasm, folder):
    """Returns the table rows of one architecture and the comment line that describes their errors."""
    sources, kernels, left_out = cubins.sources_of(cubins.FOLDER, ".cu"), [], []
    for source in sources:
        for name, ratio, lines in count_lines(cubins.compile_one(nvcc, architecture, source, folder), nvdisasm):
            is_kept = 1 / ANCHOR_LIMIT <= ratio <= ANCHOR_LIMIT
            (kernels if is_kept else left_out).append((source, name, ratio, lines))
    factors = fit(samples_of(kernels))
    others = np.array([fit(samples_of([k for k in kernels if k[0] != source]), ()).sum(axis=0) for source in {k[0] for k in kernels}])
    errors = errors_of(kernels, factors)
    sizes = sorted(abs(error) for error in errors.values())
    for name, error in sorted(errors.items(), key=lambda item: -abs(item[1]))[:5]:
        print(f"  {architecture} {name}: {100 * error:+.0f} %")
    names = sorted({f"{os.path.basename(source)}:{name[:40]} ({ratio:.2f})" for source, name, ratio, _ in left_out})
    print(f"  {architecture}: left out {', '.join(names) or 'none'}")
    rows = []
    for k, kind in enumerate(CLASSES):
        total = factors[:, k].sum()
        shares = [(pipe, factors[row, k] / total) for row, (pipe, _) in enumerate(PIPES) if total > 0 and factors[row, k] / total >= 0.005]
        pipes = " ".join(f"{pipe}:{share:.2f}" for pipe, share in sorted(shares, key=lambda item: -item[1]))
        rows.append((architecture, kind, f"{total:.2f}", f"{(others[:, k].max() - others[:, k].min()) / 2:.2f}", pipes))
    comment = (f"{architecture}: {len(kernels)} kernels, {len(left_out)} left out; error of a kernel's instructions: median "
               f"{100 * sizes[len(sizes) // 2]:.0f} %, 90 % of kernels below {100 * sizes[int(0.9 * len(sizes))]:.0f} %, largest {100 * sizes[-1]:.0f} %")
    return rows, comment


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nvcc")
    parser.add_argument("--cache")
    parser.add_argument("--compiled", help="the subfolder of the cache that tests/kernels/compiled/check_resources.py filled")
    args = parser.parse_args()
    nvcc, nvdisasm = cubins.find_nvcc(args.nvcc), sass.find_nvdisasm()
    if not nvcc or not nvdisasm:
        sys.exit("needs nvcc and nvdisasm (pip install -r tests/requirements.txt)")
    version, rows, comments = cubins.version_of(nvcc), [], []
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.compiled or (cubins.open_cache(args.cache, version) if args.cache else scratch)
        for architecture in cubins.ARCHITECTURES:
            more, comment = analyse(architecture, nvcc, nvdisasm, folder)
            rows += more
            comments.append(comment)
    with open(TABLE, "w") as file:
        file.write(f"# SASS instructions per PTX instruction, by class; written by tools/bench/sass_factors.py with nvcc {version}\n")
        file.writelines(f"# {comment}\n" for comment in comments)
        file.write("architecture,class,factor,spread,pipe shares\n")
        file.writelines(",".join(row) + "\n" for row in rows)
    print(f"{os.path.relpath(TABLE, ROOT)}: {len(rows)} factors\n" + "\n".join(comments))


main()
