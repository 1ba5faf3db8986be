"""Parses nvdisasm's text of a cubin into SASS instructions, and counts each kernel's instructions of each kind."""
import glob
import os
import re
import shutil
import struct
import subprocess
import sysconfig
from collections import Counter, namedtuple

# guard: the predicate that enables the instruction, or None
# where: the instruction's source lines "file:line", innermost inlined function first; () without line information
Instruction = namedtuple("Instruction", "guard opcode operands where")
# labels: name -> index in code; parameter_base: offset of the parameters in constant bank 0
Kernel = namedtuple("Kernel", "code labels parameter_base")

SHAPE = re.compile(r"\s+/\*[0-9a-f]{4,}\*/\s+(@!?U?P\w+)?\s*([A-Z][\w.]*)\s*(.*?)\s*;")
LINE = re.compile(r'\s*//## File "([^"]+)", line (\d+)(.*)')

# Column of the table -> opcodes without modifiers.
COUNTED = {
    "LDG": ("LDG", "LD"), "STG": ("STG", "ST"), "LDGSTS": ("LDGSTS",), "ATOM_RED": ("ATOM", "ATOMG", "RED", "REDG"), "LDS": ("LDS",),
    "STS": ("STS",), "LDSM": ("LDSM",), "HMMA": ("HMMA", "UTCHMMA"), "BAR": ("BAR",), "LDL": ("LDL",), "STL": ("STL",), "MUFU": ("MUFU",),
}
COLUMNS = (*COUNTED, "total")


def find_nvdisasm():
    """Returns the path of nvdisasm from the wheel nvidia-cuda-nvdisasm (in this Python or in .venv), else from PATH, else None."""
    venv = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))), ".venv", "lib", "python*", "site-packages")
    places = [path for packages in (sysconfig.get_paths()["purelib"], venv)
              for path in sorted(glob.glob(os.path.join(packages, "nvidia", "cu13", "bin", "nvdisasm")))]
    return next((path for path in places if os.access(path, os.X_OK)), shutil.which("nvdisasm"))


def parameter_bases(path):
    """Returns {mangled name: offset of the parameters in constant bank 0}, from the cubin's .nv.info sections."""
    with open(path, "rb") as file:
        image = file.read()
    offset, = struct.unpack_from("<Q", image, 0x28)
    size, count, names = struct.unpack_from("<HHH", image, 0x3A)
    headers = [struct.unpack_from("<IIQQQQ", image, offset + i * size) for i in range(count)]
    bases = {}
    for name_at, _, _, _, start, length in headers:
        at = headers[names][4] + name_at
        name = image[at:image.index(b"\0", at)].decode()
        if not name.startswith(".nv.info."):
            continue
        end = start + length
        # Each record has a format, an attribute and a value of 2 bytes. In format 4 the value is the number of bytes that follow.
        while start < end:
            form, attribute, value = struct.unpack_from("<BBH", image, start)
            if form == 4 and attribute == 0x0A:  # EIATTR_PARAM_CBANK: symbol, offset, bytes
                bases[name.removeprefix(".nv.info.")], = struct.unpack_from("<H", image, start + 8)
            start += 4 + (value if form == 4 else 0)
    return bases


def disassemble(nvdisasm, path):
    """Returns {mangled name: Kernel} of a cubin."""
    text = subprocess.run([nvdisasm, "-gi", "-c", path], capture_output=True, text=True, check=True).stdout
    bases, kernels, code, where, is_open = parameter_bases(path), {}, None, (), False
    for line in text.splitlines():
        if section := re.match(r"//-+ \.text\.(\S+) -+", line):
            code, labels, where, is_open = [], {}, (), False
            kernels[section.group(1)] = Kernel(code, labels, bases[section.group(1)])
        elif code is None:
            continue
        elif instruction := SHAPE.match(line):
            code.append(Instruction(*instruction.groups(), where))
        elif place := LINE.match(line):
            here = f"{os.path.normpath(place.group(1))}:{place.group(2)}"
            where = (*where, here) if is_open else (here,)
            is_open = "inlined at" in place.group(3)
        elif label := re.match(r"([.$\w]+):\s*$", line):
            labels[label.group(1)] = len(code)
    return kernels


def base_of(opcode):
    return opcode.split(".")[0]


def count(kernel):
    """Returns {column: number of instructions in the text}. Counts no executions, and no padding after the code."""
    bases = Counter(base_of(i.opcode) for i in kernel.code)
    counts = {column: sum(bases[base] for base in opcodes) for column, opcodes in COUNTED.items()}
    return {**counts, "total": len(kernel.code) - bases["NOP"]}
