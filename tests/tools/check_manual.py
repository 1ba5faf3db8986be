#!/usr/bin/env python3
"""Checks help pages, manual pages and completions. Help text and option tables must have the same options. Manual pages must be complete and free of
groff warnings. Completions must work in bash and parse in zsh and fish. `cmake --install` must install manual pages and completions, and
docs/configuration.md must be up to date.

usage: check_manual.py SQUALL BUILD_FOLDER SOURCE_FOLDER
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

SQUALL, BUILD, SOURCE = (os.path.abspath(word) for word in sys.argv[1:4])


def output(*words):
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def read(*parts):
    with open(os.path.join(*parts), encoding="utf-8") as file:
        return file.read()


def commands():
    """Yields the commands that help lists: ("train",), ("lut",), ("lut", "measure"), ..."""
    names = [name for name in re.findall(r"^  ([a-z]+) ", output(SQUALL, "help"), re.M) if name != "help"]
    for name in names:
        yield (name,)
        text = output(SQUALL, "help", name)
        if f"squall help {name} PART" in text:
            for part in re.findall(r"^  ([a-z]+) ", text, re.M):
                yield (name, part)


def options_of(words):
    """Returns the options that the help describes. An option is in the part of its line before the first two consecutive spaces."""
    text = output(SQUALL, *words, "--help")
    return {option for line in re.findall(r"^  (-.*)$", text, re.M) for option in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", line.split("  ")[0])}


def has_parts(words):
    return any(other[:-1] == words for other in commands())


def help_and_tables(folder):
    """Checks that the option tables of the program, which completions list, have exactly the options of the help text."""
    for words in commands():
        assert os.path.exists(os.path.join(SOURCE, "tools/help", "-".join(words) + ".txt")), words
        if not has_parts(words):
            accepted = set(complete(folder, *words, "-")) - {"--help"}
            assert accepted == options_of(words), (words, accepted ^ options_of(words))
            refused = subprocess.run([SQUALL, *words, "--no-such-option"], capture_output=True, text=True)
            assert refused.returncode == 2 and "unknown option '--no-such-option'" in refused.stderr, (words, refused)
    pages = {name[:-4] for name in os.listdir(os.path.join(SOURCE, "tools/help")) if name.endswith(".txt")}
    assert pages == {"-".join(words) for words in commands()} | {"squall", "config", "options"}, pages


def configuration_page():
    """Checks that docs/configuration.md equals the output of squall help config --markdown."""
    shown = output(SQUALL, "help", "config", "--markdown")
    assert shown == read(SOURCE, "docs/configuration.md"), "run: squall help config --markdown >docs/configuration.md"
    keys = re.findall(r"^  ([a-z_0-9.]+) ", output(SQUALL, "help", "config"), re.M)
    assert keys == re.findall(r"^\| `([a-z_0-9.]+)` \|", shown, re.M) and len(keys) > 100
    assert subprocess.run([SQUALL, "help", "config", "--html"], capture_output=True).returncode == 2


def pages(folder):
    assert len(list(commands())) >= 20
    for words in commands():
        page = read(folder, "man1", f"squall-{'-'.join(words)}.1").replace("\\-", "-")
        assert page.startswith(f".TH SQUALL-{'-'.join(words).upper()} 1 ")
        for option in options_of(words):
            assert option in page, (words, option)
    keys = re.findall(r"^  ([a-z_0-9.]+) ", output(SQUALL, "help", "config"), re.M)
    config = read(folder, "man5", "squall-config.5")
    assert len(keys) > 60 and all(f".BI {key} " in config for key in keys)
    if not shutil.which("groff"):
        print("skipped: groff's warnings (it is not installed)")
        return
    for section in ("man1", "man5"):
        for name in os.listdir(os.path.join(folder, section)):
            done = subprocess.run(["groff", "-ww", "-Tutf8", "-man", "-z", os.path.join(folder, section, name)], capture_output=True, text=True)
            assert done.returncode == 0 and not done.stderr, (name, done.stderr)


def complete(folder, *words):
    script = f'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _squall; printf "%s\\n" "${{COMPREPLY[@]}}"'
    return output("bash", "-c", script, "bash", os.path.join(folder, "completions/squall.bash"), "squall", *words).split()


def shells(folder):
    assert complete(folder, "tr") == ["train"] and {"train", "lut", "report", "help"} <= set(complete(folder, ""))
    for words in commands():
        if not has_parts(words):
            assert options_of(words) <= set(complete(folder, *words, "-")), words
    assert set(complete(folder, "lut", "")) >= {"measure", "compare"} and complete(folder, "lut", "meas") == ["measure"]
    assert complete(folder, "train", "x.yaml", "--set", "train.mom") == ["train.momentum="]
    assert "config" in complete(folder, "help", "c")
    with tempfile.TemporaryDirectory() as scratch:
        name = os.path.join(scratch, "some-file.yaml")
        open(name, "w").close()
        assert complete(folder, "train", name[:-6]) == [name]
    for shell, name in (("zsh", "_squall"), ("fish", "squall.fish")):
        if not shutil.which(shell):
            print(f"skipped: {shell} (it is not installed)")
            continue
        done = subprocess.run([shell, "-n", os.path.join(folder, "completions", name)], capture_output=True, text=True)
        assert done.returncode == 0 and not done.stderr, (shell, done.stderr)


def installed():
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run(["cmake", "--install", BUILD, "--prefix", scratch], capture_output=True, check=True)
        for name in ("bin/squall", "share/man/man1/squall-lut-measure.1", "share/man/man5/squall-config.5", "share/bash-completion/completions/squall",
                     "share/zsh/vendor-completions/_squall", "share/doc/squall/docs/recipes/README.md", "share/fish/vendor_completions.d/squall.fish"):
            assert os.path.exists(os.path.join(scratch, name)), name
        assert "spos" in output(os.path.join(scratch, "bin/squall"), "info", "space", "configs/spaces/spos.yaml")


def main():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([SQUALL, "help", "manual", folder], check=True)
        pages(folder)
        shells(folder)
        help_and_tables(folder)
        configuration_page()
        assert subprocess.run([SQUALL, "help", "manual"], capture_output=True).returncode == 2
        assert subprocess.run([SQUALL, "help", "manual", "/proc/nowhere"], capture_output=True, text=True).stderr.count("\n") == 1
    installed()
    print("manual pages and completions are complete")


main()
