"""Runs the commands in the ```console blocks of a Markdown page, unchanged.

A line that begins with "$ " starts a command, and a line that begins with "> " continues it. The command must print every other line of the
block, in any order. A number in a shown line matches any number, and "..." matches any text. A line with only a whole number must be printed
exactly. A line "..." means that the command may print more lines.
"""
import collections
import os
import re
import shlex
import subprocess

Shown = collections.namedtuple("Shown", "command lines")
NUMBER = r"[-+]?\d+(?:[.,]\d+)*(?:e[-+]?\d+)?"


def shown(text):
    """Returns the list of Shown of a page, in the order of the page."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```$", text, re.M | re.S):
        assert block.startswith("$ "), f"a console block begins with a command, not with {block.splitlines()[0]!r}"
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(Shown(line[2:], []))
            elif line.startswith("> ") and not found[-1].lines:
                found[-1] = Shown(found[-1].command + "\n" + line[2:], [])
            elif line.strip() not in ("", "..."):
                found[-1].lines.append(line)
    return found


def pattern(line):
    """Returns the compiled regular expression of a shown line."""
    words = " ".join(line.split())
    if words.isdigit():
        return re.compile(re.escape(words))
    parts = re.split(rf"({NUMBER}|\.\.\.)", words)
    return re.compile("".join(".*" if part == "..." else re.escape(part) if i % 2 == 0 else NUMBER for i, part in enumerate(parts)))


def missing(lines, output):
    """Returns the first line of `lines` that `output` does not have, or None if `output` has all of them. Each line of `output` matches at most
    one line of `lines`."""
    left = [" ".join(line.split()) for line in output.splitlines()]
    for line in lines:
        hit = next((i for i, other in enumerate(left) if pattern(line).fullmatch(other)), None)
        if hit is None:
            return line
        del left[hit]
    return None


def make_program(folder, squall, added):
    """Makes a program `squall` in `folder` that adds options to its arguments and runs `squall`. `added` has the options of each command:
    {"train": [...], "lut measure": [...]}."""
    cases = "".join(f"{shlex.quote(words)}) set -- \"$@\" {shlex.join(options)} ;;\n" for words, options in added.items())
    with open(os.path.join(folder, "squall"), "w") as file:
        file.write(f'#!/bin/sh\nfor word; do [ "$word" != --help ] || exec {shlex.quote(squall)} "$@"; done\n'
                   f'two="$1 $2" one=$1\nfor words in "$two" "$one"; do case $words in\n{cases}esac; done\nexec {shlex.quote(squall)} "$@"\n')
    os.chmod(os.path.join(folder, "squall"), 0o755)


def run(one, folder, environment):
    """Runs a Shown in `folder` and returns its output. Fails if the exit code is not 0 or a shown line was not printed."""
    done = subprocess.run(["bash", "-o", "pipefail", "-c", one.command], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, f"$ {one.command}\nexit {done.returncode}: {done.stdout[-600:]}"
    line = missing(one.lines, done.stdout)
    assert line is None, f"$ {one.command}\nshown, but not printed: {line}\nprinted:\n{done.stdout[-1500:]}"
    return done.stdout


def check_rules():
    """Checks the rules at the top of this file on example pages, some of which must fail."""
    page = "```console\n$ printf 'a 1.5 ms\\nrest\\n'\na 27 ms\n...\n$ cat <<END\n> b\n> END\nb\n```\n"
    assert shown(page) == [Shown("printf 'a 1.5 ms\\nrest\\n'", ["a 27 ms"]), Shown("cat <<END\nb\nEND", ["b"])]
    assert missing(["a 27 ms", "b ... e"], "b c d e\n  a  -0.5 ms\n") is None
    for lines, output in ((["a 27 ms"], "a ms"), (["a 27 ms"], "a 27 ms more"), (["75"], "0"), (["a", "a"], "a\nb"), (["a 1"], "a nan"), (["a 1"], "")):
        assert missing(lines, output) == lines[-1], (lines, output)
    for command, lines in (("false", []), ("echo a", ["b"]), ("false | cat", [])):
        try:
            run(Shown(command, lines), "/", dict(os.environ))
        except AssertionError:
            continue
        assert False, command
