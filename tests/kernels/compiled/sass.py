"""SASS of a cubin: nvdisasm's text as instructions, and how many of each kind a kernel has."""
import glob
import os
import re
import shutil
import struct
import subprocess
import sysconfig
from collections import Counter, namedtuple

# where: the source lines "file:line" that it comes from, innermost inlined function first; () without line information
Instruction = namedtuple("Instruction", "guard opcode operands where")  # guard: the predicate, or None
Kernel = namedtuple("Kernel", "code labels parameter_base")  # labels: name -> index in code; base: of the parameters in constant bank 0

SHAPE = re.compile(r"\s+/\*[0-9a-f]{4,}\*/\s+(@!?U?P\w+)?\s*([A-Z][\w.]*)\s*(.*?)\s*;")
LINE = re.compile(r'\s*//## File "([^"]+)", line (\d+)(.*)')

# Column of the table -> opcodes, without their modifiers.
COUNTED = {
    "LDG": ("LDG", "LD"), "STG": ("STG", "ST"), "LDGSTS": ("LDGSTS",), "ATOM_RED": ("ATOM", "ATOMG", "RED", "REDG"), "LDS": ("LDS",),
    "STS": ("STS",), "LDSM": ("LDSM",), "HMMA": ("HMMA", "UTCHMMA"), "BAR": ("BAR",), "LDL": ("LDL",), "STL": ("STL",), "MUFU": ("MUFU",),
}
COLUMNS = (*COUNTED, "total")


def find_nvdisasm():
    """Of the wheel nvidia-cuda-nvdisasm (of this Python or of .venv), or of the toolkit; None where it is not installed."""
    venv = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))), ".venv", "lib", "python*", "site-packages")
    places = [path for packages in (sysconfig.get_paths()["purelib"], venv)
              for path in sorted(glob.glob(os.path.join(packages, "nvidia", "cu13", "bin", "nvdisasm")))]
    return next((path for path in places if os.access(path, os.X_OK)), shutil.which("nvdisasm"))


def parameter_bases(path):
    """{mangled name: offset in constant bank 0} of the parameters, from the cubin's .nv.info sections."""
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
        while start < end:  # records: format, attribute, then a value of 2 bytes or (format 4) a length and that many bytes
            form, attribute, value = struct.unpack_from("<BBH", image, start)
            if form == 4 and attribute == 0x0A:  # EIATTR_PARAM_CBANK: symbol, offset, bytes
                bases[name.removeprefix(".nv.info.")], = struct.unpack_from("<H", image, start + 8)
            start += 4 + (value if form == 4 else 0)
    return bases


def disassemble(nvdisasm, path):
    """{mangled name: Kernel} of a cubin."""
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
    """{column: number}: instructions of the text, not executions. Padding after the code does not count."""
    bases = Counter(base_of(i.opcode) for i in kernel.code)
    counts = {column: sum(bases[base] for base in opcodes) for column, opcodes in COUNTED.items()}
    return {**counts, "total": len(kernel.code) - bases["NOP"]}
