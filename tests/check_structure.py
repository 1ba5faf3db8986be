#!/usr/bin/env python3
"""Prints figures about the structure of the sources, and fails if a figure exceeds its limit: files in a folder, files
that call each other, lines and parameters of a function, lines of a file.

usage: check_structure.py SOURCE_FOLDER [--list [PATH]]     --list: also list the places that each figure counts, if their name contains PATH
"""
import collections
import os
import re
import subprocess
import sys

FOLDERS = ("kernels", "data", "supernet", "search", "tools", "tests")
SOURCES = (".c", ".h", ".cu", ".cuh", ".cpp", ".py")
CODE = (".c", ".h", ".cu", ".cuh", ".cpp")
FILES_IN_FOLDER, FUNCTION_LINES, LONG_LINES, LONG_FUNCTIONS, PARAMETERS, WIDE_FUNCTIONS, FILE_LINES = 25, 50, 40, 10, 5, 10, 500

# A function definition in the layout of clang-format: it starts in column 0, and so do its braces.
FUNCTION = re.compile(r"^(?!typedef|struct|enum|union|extern|#|//|/\*| |\}|\{)(?P<head>[^\n;{}=]*?\b(?P<name>\w+)\((?P<parameters>(?:[^;{}()]|\((?:[^;{}()]|\([^;{}()]*\))*\))*)\)[^;{}()]*)\n\{\n"
                      r"(?P<body>.*?)^\}", re.M | re.S)
WORDS = {"if", "for", "while", "switch", "return", "sizeof", "defined"}


def without_comments(text):
    """Replaces comments and strings with spaces; keeps line breaks."""
    def blank(found):
        return re.sub(r"[^\n]", " ", found.group())
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.S)


def parameter_count(text):
    """Counts the parameters between the outermost commas; (void) has none."""
    if text.strip() in ("", "void"):
        return 0
    depth, count = 0, 1
    for c in text:
        depth += (c in "([<") - (c in ")]>")
        count += c == "," and depth == 0
    return count


def functions(text):
    """Yields (name, line, lines from its head to its closing brace, parameters, is static) of each function."""
    for found in FUNCTION.finditer(text):
        if found.group("name") in WORDS:
            continue
        first = text.count("\n", 0, found.start()) + 1
        lines = found.group().count("\n") + 1
        yield found.group("name"), first, lines, parameter_count(found.group("parameters")), "static" in found.group("head").split()


def tracked(root):
    listed = subprocess.run(["git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard"], capture_output=True, text=True)
    if listed.returncode == 0:
        return [name for name in listed.stdout.splitlines() if os.path.exists(os.path.join(root, name))]
    return [os.path.relpath(os.path.join(folder, name), root) for folder, _, names in os.walk(root) for name in names]


def callers(texts, owners):
    """Returns {file: {files that it calls}}, for functions that exactly one file defines."""
    calls = collections.defaultdict(set)
    for name, text in texts.items():
        for word in set(re.findall(r"\b[A-Za-z_]\w*\b", text)):
            if word in owners and owners[word] != name:
                calls[name].add(owners[word])
    return calls


def measure(root):
    """Returns {figure: [places]}."""
    found = collections.defaultdict(list)
    folders, texts, owners, twice = collections.Counter(), {}, {}, set()
    for name in tracked(root):
        extension = os.path.splitext(name)[1]
        if name.split("/")[0] not in FOLDERS or extension not in SOURCES or name.startswith(("tests/fixtures/", "tests/fuzz/corpus/")):
            continue
        folders[os.path.dirname(name)] += 1
        with open(os.path.join(root, name)) as file:
            text = file.read()
        if text.count("\n") > FILE_LINES:
            found["long files"].append(f"{name}: {text.count(chr(10))} lines")
        if extension not in CODE:
            continue
        text = without_comments(text)
        for function, line, lines, parameters, is_static in functions(text):
            if lines > FUNCTION_LINES:
                found["too long functions"].append(f"{name}:{line}: {function}: {lines} lines")
            if lines > LONG_LINES:
                found["long functions"].append(f"{name}:{line}: {function}: {lines} lines")
            if parameters > PARAMETERS:
                found["wide functions"].append(f"{name}:{line}: {function}: {parameters} parameters")
            if extension in (".c", ".cu") and not is_static and not name.startswith("tests/"):
                if owners.setdefault(function, name) != name:
                    twice.add(function)  # a stub defines it too
        if extension in (".c", ".cu") and not name.startswith("tests/"):
            texts[name] = text
    for function in twice:
        del owners[function]
    calls = callers(texts, owners)
    for one in sorted(calls):
        found["circles"] += [f"{one} and {other} call each other" for other in sorted(calls[one]) if one < other and one in calls[other]]
    found["full folders"] = [f"{folder}: {count} sources" for folder, count in sorted(folders.items()) if count > FILES_IN_FOLDER]
    return found


PLANTED = '''/* int in_comment(int a)
{
} */
static sq_status six(int a, int b, float (*f)(int, int), int d,
                     int e, int g)
{
    return a("b(c){", b, d);
}

MACRO(none, a)
int none(void)
{
''' + "    call();\n" * 48 + '''}
'''


def check_the_check():
    seen = list(functions(without_comments(PLANTED)))
    expected = [("six", 4, 5, 6, True), ("none", 11, 51, 0, False)]
    return [] if seen == expected else [f"check_structure.py finds {seen}, expected {expected}"]


def main():
    found, problems = measure(sys.argv[1]), check_the_check()
    limits = (("full folders", f"folders above {FILES_IN_FOLDER} sources", 0), ("circles", "pairs of files that call each other", 0),
              ("too long functions", f"functions above {FUNCTION_LINES} lines", 0),
              ("long functions", f"functions above {LONG_LINES} lines", LONG_FUNCTIONS),
              ("wide functions", f"functions with more than {PARAMETERS} parameters", WIDE_FUNCTIONS),
              ("long files", f"files above {FILE_LINES} lines", 0))
    for key, words, most in limits:
        count = len(found[key])
        print(f"{count:4}  {words} (at most {most})")
        if count > most or "--list" in sys.argv:
            place = sys.argv[3] if len(sys.argv) > 3 else ""
            print("".join(f"        {line}\n" for line in found[key] if place in line), end="")
        if count > most:
            problems.append(words)
    print("\n".join(problems))
    sys.exit(bool(problems))


main()
