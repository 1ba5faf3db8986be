#!/usr/bin/env python3
"""Prints figures about the structure of the sources, and fails if a figure exceeds its limit. The figures are: files in a folder, files
that call each other, lines and parameters of a function, lines of a file, silent defaults, and headers without a test.

usage: check_structure.py SOURCE_FOLDER [--list [PATH]]     --list also lists the places that each figure counts, if their name contains PATH
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
SILENT_DEFAULTS, UNTESTED_HEADERS = 0, 13  # the tests of supernet test 13 internal headers only through other headers

# A function definition in the layout of clang-format, in which the definition and its braces start in column 0.
FUNCTION = re.compile(r"^(?!typedef|struct|enum|union|extern|#|//|/\*| |\}|\{)(?P<head>[^\n;{}=]*?\b(?P<name>\w+)\((?P<parameters>(?:[^;{}()]|\((?:[^;{}()]|\([^;{}()]*\))*\))*)\)[^;{}()]*)\n\{\n"
                      r"(?P<body>.*?)^\}", re.M | re.S)
TESTED_FOLDERS = ("data", "supernet", "search")  # every header in or below these folders needs a test
TESTED_ALONE = ("kernels", "kernels/base", "kernels/image")  # every header directly in these folders needs a test
SWITCHED_FOLDERS = ("kernels/", "data/", "supernet/", "search/", "tools/")
FAILURE = re.compile(r"\b(?:\w*(?:fail|abort|unreachable|assert)\w*|exit)\s*\(|\breturn\s+SQ_(?!OK\b)[A-Z]+\b\s*;")
LABEL = re.compile(r"\b(?:case\b(?P<value>[^:?]*)|default\s*):(?!:)")
WORDS = {"if", "for", "while", "switch", "return", "sizeof", "defined"}


def without_comments(text):
    """Returns the text with comments and strings replaced by spaces. Line breaks are kept."""
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


def closing(text, at):
    """Returns the index of the bracket that matches the opening bracket at index `at`."""
    depth = 0
    for i in range(at, len(text)):
        depth += (text[i] in "({") - (text[i] in ")}")
        if depth == 0:
            return i
    return len(text)


def own_text(body):
    """Returns a switch's body with spaces instead of nested blocks, so that only the labels of this switch remain."""
    out, depth = [], 0
    for c in body:
        depth -= c == "}"
        out.append(c if depth == 0 or c == "\n" else " ")
        depth += c == "{"
    return "".join(out)


def silent_defaults(text):
    """Yields the line of each `default:` that silently accepts an unknown value of an SQ_ enumeration.

    A default is silent if its statements neither report a failure nor assert. For a plain break, the statement after the switch counts.
    """
    for found in re.finditer(r"\bswitch\s*(?=\()", text):
        start = text.find("{", closing(text, found.end()))
        end = closing(text, start)
        body = text[start + 1:end]
        labels = list(LABEL.finditer(own_text(body)))
        if not any((label.group("value") or "").strip().startswith("SQ_") for label in labels):
            continue
        for i, label in enumerate(labels):
            if label.group("value") is not None:
                continue
            following = [body[one.end():other.start()] for one, other in zip(labels[i:], labels[i + 1:])] + [body[labels[-1].end():]]
            statements = next((part.strip() for part in following if part.strip()), "")
            if re.fullmatch(r"(?:break;)?", statements):
                statements = text[end + 1:].split(";", 1)[0] + ";"
            if not FAILURE.search(statements):
                yield text.count("\n", 0, start + 1 + label.start()) + 1


def untested_headers(names):
    """Yields the headers without a tests/**/test_<header>.c."""
    tests = {os.path.basename(name) for name in names if name.startswith("tests/")}
    for name in sorted(names):
        folder, base = os.path.split(name)
        if base.endswith(".h") and (folder in TESTED_ALONE or folder.split("/")[0] in TESTED_FOLDERS) and f"test_{base[:-2]}.c" not in tests:
            yield name


def measure(root):
    """Returns {figure's name: [places that the figure counts]}."""
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
        if name.startswith(SWITCHED_FOLDERS):
            found["silent defaults"] += [f"{name}:{line}: default of a switch over SQ_ values" for line in silent_defaults(text)]
        for function, line, lines, parameters, is_static in functions(text):
            if lines > FUNCTION_LINES:
                found["too long functions"].append(f"{name}:{line}: {function}: {lines} lines")
            if lines > LONG_LINES:
                found["long functions"].append(f"{name}:{line}: {function}: {lines} lines")
            if parameters > PARAMETERS:
                found["wide functions"].append(f"{name}:{line}: {function}: {parameters} parameters")
            if extension in (".c", ".cu") and not is_static and not name.startswith("tests/"):
                if owners.setdefault(function, name) != name:
                    twice.add(function)  # a stub defines the same function
        if extension in (".c", ".cu") and not name.startswith("tests/"):
            texts[name] = text
    for function in twice:
        del owners[function]
    calls = callers(texts, owners)
    for one in sorted(calls):
        found["circles"] += [f"{one} and {other} call each other" for other in sorted(calls[one]) if one < other and one in calls[other]]
    found["full folders"] = [f"{folder}: {count} sources" for folder, count in sorted(folders.items()) if count > FILES_IN_FOLDER]
    found["untested headers"] = list(untested_headers(tracked(root)))
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

PLANTED_SWITCHES = '''
switch (kind) { case SQ_A: return 1; default: return sq_fail(SQ_INVALID, "kind"); }
switch (kind) { case SQ_A: return 1; default: break; }
return sq_fail(SQ_INVALID, "kind");
switch (kind) { case SQ_A: return 1; default: return 0; }
switch (kind) { case SQ_A: switch (c) { default: return 2; case 'b': break; } case SQ_B: return 1; }
switch (c) { case 'a': return 1; default: return 0; }
switch (kind) { case SQ_A: return 1; default: case SQ_B: x = 0; }
switch (kind) { case SQ_A: { return 1; } default: { assert(!"kind"); } }
switch (kind) { case SQ_A: x = 1; break; default: break; }
return x;
'''
PLANTED_NAMES = ["data/loader/ring.h", "data/loader/cache.h", "kernels/cuda/unit.h", "kernels/base/text.h", "tests/data/test_cache.c"]


def check_the_check():
    for seen, expected in ((list(functions(without_comments(PLANTED))), [("six", 4, 5, 6, True), ("none", 11, 51, 0, False)]),
                           (list(silent_defaults(without_comments(PLANTED_SWITCHES))), [5, 8, 10]),
                           (list(untested_headers(PLANTED_NAMES)), ["data/loader/ring.h", "kernels/base/text.h"])):
        if seen != expected:
            yield f"check_structure.py finds {seen}, expected {expected}"


def main():
    found, problems = measure(sys.argv[1]), list(check_the_check())
    limits = (("full folders", f"folders above {FILES_IN_FOLDER} sources", 0), ("circles", "pairs of files that call each other", 0),
              ("too long functions", f"functions above {FUNCTION_LINES} lines", 0),
              ("long functions", f"functions above {LONG_LINES} lines", LONG_FUNCTIONS),
              ("wide functions", f"functions with more than {PARAMETERS} parameters", WIDE_FUNCTIONS),
              ("long files", f"files above {FILE_LINES} lines", 0),
              ("silent defaults", "switches over SQ_ values whose default does not fail", SILENT_DEFAULTS),
              ("untested headers", "headers without a test file of their name", UNTESTED_HEADERS))
    for key, words, most in limits:
        count = len(found[key])
        print(f"{count:4}  {words}" + (f" (at most {most})" if most is not None else ""))
        is_above = most is not None and count > most
        if is_above or "--list" in sys.argv:
            place = sys.argv[3] if len(sys.argv) > 3 else ""
            print("".join(f"        {line}\n" for line in found[key] if place in line), end="")
        if is_above:
            problems.append(words)
    print("\n".join(problems))
    sys.exit(bool(problems))


main()
