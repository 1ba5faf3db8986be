#!/usr/bin/env python3
"""Checks the report of a run that was really trained and searched, with one measured and one modelled device, in a headless Chromium (without
Chromium, the test is skipped with a message). The page must draw and react to mouse and keys. The text of the page must name the found network, the limits, the
devices, the uncertainty of the latencies, and the commands that made the run.

usage: check_real_report.py SQUALL SOURCE_FOLDER
"""
import csv
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import browser
from report_page import PIXELS, check_candidates, first_row
from run_files import read

SQUALL, SOURCE = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
MODELLED = "configs/devices/myriad-x"
SMALL = ["--threads", "1", "--quiet", "--set", "train.steps=60", "--set", "train.batch=16", "--set", "train.warmup_steps=3", "--set", "train.log_every=5"]
SEARCH = [word for key, value in (("population", 8), ("generations", 3), ("parents", 3), ("crossover", 3), ("mutation", 3), ("random_paths", 3),
                                  ("calibration_images", 100), ("evaluation_images", 100)) for word in ("--set", f"search.{key}={value}")]


def output(*words):
    done = subprocess.run([SQUALL, *words], cwd=SOURCE, capture_output=True, text=True)
    assert done.returncode == 0, f"{words}: exit {done.returncode}: {done.stderr[-400:]}"
    return done.stdout


def run(*words):
    """Runs a squall command. Returns its line in commands.txt."""
    output(*words)
    return "squall " + " ".join(words)


def make(scratch):
    """Makes a device, a run and its report. Returns the run, the report, the latency limit in milliseconds and the commands that made the run."""
    device, folder, page = (os.path.join(scratch, name) for name in ("device", "run", "report.html"))
    run("lut", "measure", "configs/spaces/samples.yaml", "-o", device, "--name", "this-machine", "--networks", "6")
    with open(os.path.join(device, "measured.csv")) as file:
        measured = [float(row["ms"]) for row in csv.DictReader(line for line in file if not line.startswith("#"))]
    limit = f"{1.1 * statistics.median(measured):.4g}"
    commands = [run("train", "configs/train/samples.yaml", "-o", folder, *SMALL, *SEARCH),
                run("search", folder, "--threads", "1", "--quiet", "--limit-macs", "3", "--latency", device, "--limit-latency", limit,
                    "--latency", MODELLED, "--limit-latency", "8", "--margin", "1")]
    run("report", folder, "-o", page)
    return folder, page, float(limit), commands


def number(pattern, text):
    match = re.search(pattern, text)
    assert match, f"nothing like {pattern!r} in {text!r}"
    return float(match[1])


def same(shown, wanted, digits=4):
    """Checks that a number on the page has the expected value to `digits` digits."""
    assert abs(shown - wanted) <= 0.51 * 10 ** (1 - digits) * max(abs(shown), abs(wanted)), (shown, wanted)


def by_a_stranger(text, folder, limit, commands):
    """Compares the information in the page's text with the files of the run."""
    report, found = (json.loads(read(os.path.join(folder, "search", name))) for name in ("search.json", "arch.json"))
    best = report["candidates"][report["best"]]
    here, modelled = best["devices"]
    # The found network.
    assert re.search(r"Found network\s+" + re.escape(found["tuple"]), text), (found["tuple"], text)
    same(number(r"([\d.]+) % top-1", text), 100 * best["top1_acc"])
    # The limits.
    same(number(r"multiply-adds at most 3 M: ([\d.]+), met", text), best["macs_m"])
    same(number(r"latency on this-machine at most ([\d.]+) ms: [\d.]+, met", text), limit)
    same(number(r"latency on myriad-x with 1 deviation added at most 8 ms: ([\d.]+), met", text), modelled["latency_ms"] + modelled["deviation_ms"])
    # The devices and the uncertainty of their latencies.
    same(number(r"this-machine: ([\d.]+) \u00b1 [\d.e-]+ ms predicted from measured blocks", text), here["latency_ms"])
    same(number(r"this-machine: [\d.]+ \u00b1 ([\d.e-]+) ms", text), here["deviation_ms"], 2)
    assert re.search(r"this-machine: .*; of 6 whole networks measured on it, [\d.]+ % are within \u00b110 % of the prediction, mean error [\d.]+ %", text), text
    same(number(r"myriad-x: ([\d.]+) ms modelled, not measured", text), modelled["latency_ms"])
    error, count = re.search(r"error +MAPE ([\d.]+) %.* of (\d+);", output("lut", "check", "configs/spaces/samples.yaml", MODELLED)).groups()
    same(number(rf"myriad-x: .*; of {count} published whole networks measured on it, [\d.]+ % are within \u00b110 % of the prediction, mean error ([\d.]+) %", text), float(error), 3)
    # The commands that made the run.
    for command in commands:
        assert command in " ".join(text.split()), (command, text)


def in_browser(page, path, folder, limit, commands):
    report = json.loads(read(os.path.join(folder, "search/search.json")))
    best = report["candidates"][report["best"]]
    for dark, width in ((False, 1280), (True, 390)):
        page.resize(width, 900)
        page.media(dark)
        page.open("file://" + path)
        assert page.problems == [] and page.run("document.documentElement.scrollWidth") <= width, (width, page.problems)
        row = first_row(page, "candidates")
        assert row[:3] == ["1", "(" + ", ".join(map(str, best["arch"])) + ")", f"{100 * best['top1_acc']:.2f}"], (row, best)
        by_a_stranger(page.run("document.body.innerText"), folder, limit, commands)
        if page.run("hasCharts"):
            pixels = page.run(PIXELS)
            assert len(pixels) > 6 and min(pixels) >= 2, pixels
    page.resize(1280, 900)
    page.open("file://" + path)
    if page.run("hasCharts"):
        check_candidates(page)
    assert page.problems == [], page.problems
    others = [address for address in page.requests if not address.startswith(("file://" + path, "data:", "about:"))]
    assert not others, others


def main():
    if not browser.find():
        print("skipped: no chromium (apt-get install chromium)")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as scratch:
        folder, path, limit, commands = make(scratch)
        page = browser.Page()
        try:
            in_browser(page, path, folder, limit, commands)
        finally:
            page.close()


main()
