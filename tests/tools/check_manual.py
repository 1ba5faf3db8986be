#!/usr/bin/env python3
"""Manual pages and completions: made of --help, complete, without a warning of groff (skipped by name without it), of use in bash (zsh and fish
where they are installed), and where `cmake --install` puts them.

usage: check_manual.py SQUALL BUILD_FOLDER
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

SQUALL, BUILD = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])


def output(*words):
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def read(*parts):
    with open(os.path.join(*parts), encoding="utf-8") as file:
        return file.read()


def commands():
    """("train",), ("lut",), ("lut", "measure"), ... as help lists them."""
    names = [name for name in re.findall(r"^  ([a-z]+) ", output(SQUALL, "help"), re.M) if name != "help"]
    for name in names:
        yield (name,)
        text = output(SQUALL, "help", name)
        if f"squall {name} PART --help" in text:
            for part in re.findall(r"^  ([a-z]+) ", text, re.M):
                yield (name, part)


def options_of(words):
    text = output(SQUALL, *words, "--help")
    return {option for line in re.findall(r"^  (-.*)$", text, re.M) for option in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", line)}


def pages(folder):
    assert len(list(commands())) >= 20
    for words in commands():
        page = read(folder, "man1", f"squall-{'-'.join(words)}.1").replace("\\-", "-")
        assert page.startswith(f".TH SQUALL-{'-'.join(words).upper()} 1 ")
        for option in options_of(words):
            assert option in page, (words, option)
    keys = re.findall(r"^  ([a-z_.]+) ", output(SQUALL, "help", "config"), re.M)
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
        if not any(other[:-1] == words for other in commands()):
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
        assert subprocess.run([SQUALL, "help", "manual"], capture_output=True).returncode == 2
        assert subprocess.run([SQUALL, "help", "manual", "/proc/nowhere"], capture_output=True, text=True).stderr.count("\n") == 1
    installed()
    print("manual pages and completions are complete")


main()
