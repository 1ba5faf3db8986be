"""Finds the pointer members of the kernels' parameter structs, with their offsets and the expected accesses."""
import csv
import os
import re
import subprocess
import tempfile

from ptx import Pointer


def without_comments(text):
    return re.sub(r"^\s*#.*$", "", re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.S), flags=re.M)


def split_fields(body):
    """Returns the fields of a struct's body, which semicolons outside of nested braces separate."""
    fields, depth, start = [], 0, 0
    for i, letter in enumerate(body):
        depth += (letter == "{") - (letter == "}")
        if letter == ";" and depth == 0:
            fields.append(body[start:i].strip())
            start = i + 1
    return fields


def read_structs(texts):
    """Returns {name: body} for every `typedef struct { ... } name;`."""
    structs = {}
    for text in texts:
        for found in re.finditer(r"typedef struct\s*(?:\w+\s*)?\{", text):
            depth, at = 1, found.end()
            while depth:
                depth += (text[at] == "{") - (text[at] == "}")
                at += 1
            structs[re.match(r"\s*(\w+)", text[at:]).group(1)] = text[found.end():at - 1]
    return structs


def pointers_in(body, structs, path=()):
    """Yields (path, is_const) for each pointer in a struct and its nested structs. path: member names; "name[0]" for an array."""
    for field in split_fields(body):
        nested = re.match(r"struct\s*\{(.*)\}\s*(.+)$", field, re.S)
        kind, declarators = (None, nested.group(2)) if nested else re.match(r"((?:const\s+)?\w+)\s+(.*)$", field, re.S).groups()
        inner = nested.group(1) if nested else structs.get(kind)
        for declarator in declarators.split(","):
            name, array = re.match(r"\s*\*?\s*(\w+)\s*(\[.*\])?", declarator).groups()
            member = (*path, name + ("[0]" if array else ""))
            if "*" in declarator:
                yield member, kind.startswith("const ")
            elif inner:
                yield from pointers_in(inner, structs, member)


def layout(structs, wanted, root, nvcc, headers):
    """Returns {struct: {Pointer: is_const}}. A generated C program prints the offsets."""
    members = {name: list(pointers_in(structs[name], structs)) for name in wanted}
    lines = []
    for name, found in members.items():
        for path, _ in found:
            full = ".".join(path)
            array = next((full[:full.index("[0]", at)] for at in [0] if "[0]" in full), None)
            stride, size = (f"sizeof(((({name} *)0)->{array})[0])", f"sizeof((({name} *)0)->{array})") if array else ("8", "8")
            lines.append(f'printf("%zu %zu %zu\\n", offsetof({name}, {full}), (size_t){stride}, (size_t){size});')
    text = "#include <stddef.h>\n#include <stdio.h>\n" + "".join(f'#include "{header}"\n' for header in headers)
    text += "int main(void)\n{\n" + "\n".join(lines) + "\nreturn 0;\n}\n"
    with tempfile.TemporaryDirectory() as scratch:
        program = os.path.join(scratch, "offsets")
        with open(program + ".c", "w") as file:
            file.write(text)
        subprocess.run([nvcc, f"-I{root}", program + ".c", "-o", program], check=True)
        numbers = iter(subprocess.run([program], capture_output=True, text=True, check=True).stdout.splitlines())
    result = {}
    for name, found in members.items():
        result[name] = {}
        for path, is_const in found:
            offset, stride, size = map(int, next(numbers).split())
            result[name][Pointer(".".join(path).replace("[0]", "[]"), offset, stride, size)] = is_const
    return result


def kernel_structs(texts):
    """Returns {name of the kernel without template arguments: struct of its first parameter}."""
    return {name: kind for text in texts
            for name, kind in re.findall(r"__global__[^{;]*?\b(\w+)\((?:const )?(\w+) \w+[^{;]*\{", text)}


def read_exceptions(path):
    """Returns [(regular expression of kernels, regular expression of members, access, reason)]. The first matching row applies."""
    def pattern(text):
        return re.compile(".*".join(map(re.escape, text.split("*"))) + r"\Z")

    with open(path, newline="") as file:
        return [(pattern(row["kernel"]), pattern(row["pointer"]), "" if row["access"] == "none" else row["access"], row["reason"])
                for row in csv.DictReader(line for line in file if not line.startswith("#"))]


def expected(kernel, pointers, exceptions, used):
    """Returns {pointer's name: access}: "r" for a const pointer and "w" for any other pointer, unless an exception applies."""
    access = {}
    for pointer, is_const in pointers.items():
        access[pointer.name] = "r" if is_const else "w"
        for i, (kernels, members, listed, _) in enumerate(exceptions):
            if kernels.match(kernel) and members.match(pointer.name):
                access[pointer.name] = listed
                used.add(i)
                break
    return access
