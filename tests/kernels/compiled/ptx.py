"""Parses nvcc's PTX: the instructions of each kernel, their classes, and the pointer parameters that they read and write.

PTX registers are virtual, so each value keeps its register. Therefore the text alone shows from which pointers an address is
computed, in any order of execution.
"""
import os
import re
from collections import namedtuple

# guard: the predicate that enables the instruction, or None
# where: the instruction's source lines "file:line", innermost inlined function first
Instruction = namedtuple("Instruction", "guard opcode operands where")
Kernel = namedtuple("Kernel", "code labels")  # labels: name -> index in code
# The elements of an array are at offset + i * stride, within size bytes. A single pointer has stride 8 and size 8.
Pointer = namedtuple("Pointer", "name offset stride size")

STATEMENT = re.compile(r"(@!?%p\d+\s+)?([a-z][\w.:]*)\s*(.*)$", re.S)
LOCATION = re.compile(r"\.loc\s+(\d+)\s+(\d+)\s+\d+(?:,\s*function_name\s+\S+,\s*inlined_at\s+(\d+)\s+(\d+))?")
PASSES_ON = ("mov", "add", "mad", "cvta", "selp", "or", "and", "max", "min")


def parse(text):
    """Returns {mangled name: Kernel}."""
    paths = {number: os.path.normpath(path) for number, path in re.findall(r'^\s*\.file\s+(\d+)\s+"([^"]+)"', text, re.M)}
    kernels = {}
    for found in re.finditer(r"\.entry\s+(\w+)\(.*?^\{$(.*?)^\}$", text, re.M | re.S):
        code, labels, where, chains = [], {}, (), {}
        kernels[found.group(1)] = Kernel(code, labels)
        for line in found.group(2).splitlines():
            line = line.split("//")[0].strip()
            if location := LOCATION.match(line):
                file, number, outer_file, outer = location.groups()
                here, caller = f"{paths[file]}:{number}", outer and f"{paths[outer_file]}:{outer}"
                where = chains[here] = (here, *chains.get(caller, (caller,) if caller else ()))
                continue
            for statement in re.sub(r"^\{(?=[^}]*$|.*;\s*\})|(?<=;)\s*\}$", "", line).split(";"):
                if label := re.match(r"\s*(\$\w+):$", statement):
                    labels[label.group(1)] = len(code)
                elif shape := STATEMENT.match(statement.strip()):
                    code.append(Instruction(shape.group(1), shape.group(2), shape.group(3).strip(), where))
    return kernels


def class_of(opcode):
    """Returns the instruction class, as the PTX interpreter of emulation/ptx classifies the opcode."""
    parts = opcode.split(".")
    name, kind = parts[0], parts[-1]
    space = next((part for part in parts if part in ("param", "global", "shared", "local", "const")), "global")
    if name in ("ld", "ldu", "st"):
        kinds = {"param": "ld.param", "const": "ld.param", "local": "local"}
        return kinds.get(space, ("st." if name == "st" else "ld.") + space)
    if name in ("atom", "red"):
        return "st." + space
    if opcode.startswith("cp.async"):
        return "barrier" if "group" in opcode or "wait" in opcode else "ld.global"
    if name in ("bra", "ret", "exit", "trap", "brx", "call"):
        return "branch"
    if name in ("shfl", "vote", "movmatrix", "activemask", "match", "redux") or opcode.startswith("bar.warp"):
        return "warp"
    fixed = {"bar": "barrier", "barrier": "barrier", "membar": "barrier", "fence": "barrier", "mbarrier": "barrier", "ldmatrix": "ldmatrix",
             "mma": "mma", "cvt": "convert", "cvta": "int", "prmt": "int", "mov": "move", "selp": "move", "div": "divide", "rem": "divide",
             "rcp": "special", "sqrt": "special", "rsqrt": "special", "ex2": "special", "lg2": "special", "sin": "special", "cos": "special",
             "tanh": "special"}
    if name in fixed:
        return fixed[name]
    return "fp64" if kind == "f64" else "fp32" if kind in ("f32", "bf16x2", "f16x2", "bf16", "f16") else "int"


def split_operands(text):
    return [part.strip() for part in re.split(r",(?![^{\[]*[}\]])", text)]


def parameter_accesses(code, kernel):
    """Returns {register: {(byte offset in the parameter, is_indexed)}} for registers loaded from the kernel's first parameter."""
    first = f"{kernel}_param_0"
    bases, loaded = {}, {}
    chosen = {operands[0]: set(map(int, operands[1:3])) for operands in (split_operands(i.operands) for i in code if i.opcode == "selp.b64")
              if all(re.fullmatch(r"-?\d+", value) for value in operands[1:3])}  # register -> the two constants that selp chooses from

    def add(places, register, new):
        known = places.setdefault(register, set())
        before = len(known)
        known.update(new)
        return len(known) != before

    changed = True
    while changed:
        changed = False
        for i in code:
            operands = split_operands(i.operands)
            name = i.opcode.split(".")[0]
            if name in ("mov", "cvta") and operands[1] == first:
                changed |= add(bases, operands[0], {(0, False)})
            elif name in ("mov", "cvta", "add") and operands[1] in bases or name == "add" and operands[2] in bases:
                base = operands[1] if operands[1] in bases else operands[2]
                other = operands[2 if base == operands[1] else 1] if name == "add" else "0"
                steps = {int(other)} if re.fullmatch(r"-?\d+", other) else chosen.get(other)
                changed |= add(bases, operands[0], {(at + step, index or not steps) for at, index in bases[base] for step in steps or {0}})
            elif i.opcode.startswith("ld.param"):
                target = re.match(r"\[(.+?)(?:\+(-?\d+))?\]", operands[1])
                where = {(0, False)} if target.group(1) == first else bases.get(target.group(1), ())
                registers = re.findall(r"%\w+", operands[0])
                size = int(re.search(r"(\d+)$", i.opcode).group(1)) // 8
                for k, register in enumerate(registers):
                    changed |= add(loaded, register, {(at + int(target.group(2) or 0) + k * size, index) for at, index in where})
    return loaded


def spread(origin, edges):
    """Adds each source's set in `origin` to the set of its result, until no set changes. edges: [result, source, ...]."""
    changed = True
    while changed:
        changed = False
        for operands in edges:
            new = set().union(*(origin.get(source, ()) for source in operands[1:]))
            if new and not new <= origin.setdefault(operands[0], set()):
                origin[operands[0]] |= new
                changed = True


def trace(code, kernel, pointers):
    """Returns ({pointer's name: "r", "w" or "rw"}, [global accesses whose address comes from no pointer])."""
    def names_at(offset, is_indexed):
        return [p.name for p in pointers
                if (0 <= offset - p.offset < p.size and (offset - p.offset) % p.stride == 0) and not (is_indexed and p.size <= 8)]

    origin = {}
    for register, places in parameter_accesses(code, kernel).items():
        names = {name for place in places for name in names_at(*place)}
        if names:
            origin[register] = names
    edges = [split_operands(i.operands) for i in code
             if i.opcode.split(".")[0] in PASSES_ON and i.opcode.endswith("64") or i.opcode.startswith("mad.wide")]
    spread(origin, edges)
    # A pointer minus a pointer is an index, but a pointer minus an index is a pointer.
    differences = [split_operands(i.operands) for i in code if i.opcode in ("sub.s64", "sub.u64")]
    spread(origin, edges + [operands[:2] for operands in differences if operands[2] not in origin])
    access, unknown = {}, []
    for i in code:
        name, parts = i.opcode.split(".")[0], i.opcode.split(".")
        is_read = name in ("ld", "atom") or i.opcode.startswith("cp.async") and "group" not in i.opcode
        is_written = name in ("st", "atom", "red")
        if not (is_read or is_written) or {"param", "local", "const"} & set(parts) or "shared" in parts and name != "cp":
            continue
        address = re.findall(r"\[([^\]+]+)[^\]]*\]", i.operands)[-1]
        names = origin.get(address, ())
        if not names:
            unknown.append(i)
        for pointer in names:
            access.setdefault(pointer, set()).update("r" * is_read, "w" * is_written)
    return {name: "".join(sorted(kinds)) for name, kinds in access.items()}, unknown
