#!/usr/bin/env python3
"""Checks squall report on complete, large, staged and damaged runs. In a headless Chromium (without Chromium, this part is skipped), the page must
draw, react to mouse and keys, print nothing on the console and request nothing from a network.

usage: check_report.py SQUALL SOURCE_FOLDER data|page
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import browser
import made_runs as made
from report_page import PIXELS, check_candidates, first_row

SQUALL, SOURCE, PART = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), sys.argv[3]
NASTY = "</script><script>document.title='owned'</script><img src=x onerror=document.title='owned'>"


def run(*words, code=0, cwd=None):
    done = subprocess.run([SQUALL, *words], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == code, f"{words}: exit {done.returncode}, expected {code}: {done.stderr[-400:]}"
    return done


def report(*runs, code=0):
    """Runs squall report. Returns the JSON data in the page, and the text of the page."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "r.html")
        run("report", *runs, "-o", path)
        with open(path, encoding="utf-8") as file:
            text = file.read()
    return json.loads(text.split('<script type="application/json" id="data">')[1].split("</script>")[0]), text


def only(data):
    assert len(data["runs"]) == 1
    return data["runs"][0]


def small(scratch, name, searched=True):
    folder = os.path.join(scratch, name)
    os.makedirs(folder)
    made.write(folder, "config.yaml", made.config(os.path.join(SOURCE, "configs/spaces/samples.yaml"), 200))
    made.log(folder, 200, 5)
    if searched:
        made.search(folder, made.candidates(8, 4, 60, population=20), {"macs_m": 400.0})
    return folder


def whole(scratch):
    folder = small(scratch, "whole")
    data, text = report(folder)
    r = only(data)
    assert r["notes"] == [], r["notes"]
    assert r["training"]["step"] == list(range(5, 201, 5)) and r["training"]["per"] == 1 and "loss_low" not in r["training"]
    assert len(r["search"]["candidates"]["arch"]) == 60 and r["network"]["name"] == "samples" and len(r["network"]["layers"]) == 11
    for rule in (r"src\s*=\s*[\"']?http", r"href\s*=\s*[\"']?http", r"@import", r"url\("):
        own = re.sub(r"/\*!.*?</script>", "", text, flags=re.S)  # Chart.js is left out because it contains the address of its home page
        assert not re.search(rule, own), rule


def costs_are_those_of_info(scratch):
    r = only(report(small(scratch, "costs"))[0])
    path = r["search"]["candidates"]["arch"][r["search"]["best"]]
    shown = run("info", "space", os.path.join(SOURCE, "configs/spaces/samples.yaml"), "--arch", str(tuple(path))).stdout
    wanted = float(re.search(r"multiply-adds +([\d.]+) M\n", shown.split("architecture")[1])[1])
    layers = r["network"]["layers"]
    macs = sum(layer["macs"][path[layer["searched"]] if layer["searched"] >= 0 else 0] for layer in layers)
    assert abs(macs - wanted) < 0.006, (macs, wanted)


def large(scratch):
    folder = os.path.join(scratch, "large")
    best = made.large(folder, SOURCE)
    data, text = report(folder)
    r = only(data)
    assert len(text.encode()) < 3 << 20, len(text)
    t = r["training"]
    assert t["lines"] == 150000 and t["per"] == 100 and len(t["step"]) == 1500 and t["step"][-1] == 150000
    assert all(low <= mean <= high for low, mean, high in zip(t["loss_low"], t["loss"], t["loss_high"]))
    with open(os.path.join(folder, "log.jsonl")) as file:
        losses = [json.loads(line)["loss"] for line in file if '"step",' in line]
    assert abs(t["loss"][3] - sum(losses[300:400]) / 100) < 1e-5 and abs(t["loss_high"][3] - max(losses[300:400])) < 1e-5
    assert r["search"]["best"] == best and r["devices"][0]["name"] == "epyc-squall-spos" and len(r["devices"][0]["networks"]) == 30
    compared = run("lut", "compare", "configs/devices/epyc-squall-spos", "configs/devices/epyc-squall-spos/measured.csv", "--space", "configs/spaces/spos.yaml", cwd=SOURCE).stdout
    mape = 100 * sum(abs(p / m - 1) for m, _, p, _ in r["devices"][0]["networks"]) / 30
    assert re.search(r"%.2f ?%%" % mape, compared) or re.search(r"%.1f" % mape, compared), (mape, compared)


def staged(scratch):
    folder = os.path.join(scratch, "staged")
    made.stages(folder, SOURCE)
    data, _ = report(folder, small(scratch, "beside"))
    assert [r.get("stage") for r in data["runs"]] == [1, 2, None] and data["stages"][0]["summary"]["steps_of_one_group"] == 400
    os.remove(os.path.join(folder, "stages.json"))
    shutil.rmtree(os.path.join(folder, "stage-2"))
    data, _ = report(folder)
    assert len(data["runs"]) == 1 and "the search in stages is unfinished" in data["stages"][0]["notes"][0]


def noted(folder, pattern):
    notes = only(report(folder)[0])["notes"]
    assert any(re.search(pattern, note) for note in notes), (pattern, notes)


def stopped(scratch):
    """Checks a run whose checkpoint is later than its last log line."""
    folder = small(scratch, "stopped-early", False)
    made.log(folder, 30, 10)
    os.symlink("ckpt-00000037", os.path.join(folder, "last"))
    noted(folder, r"training is at step 37 of \d+: it is running or was stopped")


def damaged(scratch):
    torn = small(scratch, "torn", searched=False)
    made.write(torn, "log.jsonl", '{"event":"step","step":205,"lo', "a")
    noted(torn, "log.jsonl: the last line is incomplete")
    noted(torn, "no search yet")
    r = only(report(torn)[0])
    assert r["training"]["step"][-1] == 200 and "search" not in r
    odd = small(scratch, "odd")
    made.write(odd, "log.jsonl", 'no json\n{"event":"warned","step":3,"text":"%s"}\n{"event":"step","step":100,"loss":1.5}\n' % NASTY.replace('"', "'"), "a")
    noted(odd, "1 line is no JSON object")
    noted(odd, "step 100 of 200")
    r = only(report(odd)[0])
    assert r["training"]["step"][-1] == 100 and r["training"]["loss"][-1] == 1.5 and r["training"]["lr"][-1] is None, "a resumed run's lines count once"
    newer = small(scratch, "newer")
    made.write(newer, "config.yaml", "future:\n  key: 1\n", "a")
    noted(newer, r"1 key that this version of Squall does not know \(future.key\)")
    made.write(newer, "search/search.json", '{"version": 9, "candidates": {"packed": true}}')
    noted(newer, "found no candidates")
    made.write(newer, "search/search.json", '{"version": 9, "candi')
    noted(newer, r"search/search.json:1: ")
    gone = small(scratch, "gone")
    made.write(gone, "config.yaml", made.config("/nowhere/missing-space.yaml", 200))
    noted(gone, "no picture of networks: .*missing-space")
    halfway = small(scratch, "halfway", searched=False)
    scored = [{"arch": c["arch"], "images": 600, "loss": c["loss"], "top1": c["top1_acc"], "top5": c["top5_acc"]} for c in made.candidates(8, 4, 75)]
    made.write(halfway, "search/state.json", json.dumps({"fingerprint": "0", "scored": scored}))
    noted(halfway, "75 candidates are scored so far")
    found = only(report(halfway)[0])["search"]["candidates"]
    assert found["generation"][19:21] == [-1, 0] and found["generation"][-1] == 1 and found["macs"][0] > 0
    alone = small(scratch, "alone", searched=False)
    made.write(alone, "arch.json", '{"arch": [3, 2, 1, 0, 0, 1, 2, 3]}')
    r = only(report(alone)[0])
    assert r["single"] == [3, 2, 1, 0, 0, 1, 2, 3] and r["notes"] == [], r["notes"]
    device = os.path.join(scratch, "device")
    shutil.copytree(os.path.join(SOURCE, "configs/devices/myriad-x"), device)
    shutil.copytree(os.path.join(SOURCE, "configs/devices/networks"), os.path.join(scratch, "networks"))
    r = only(report(alone, "--latency", device)[0])
    assert len(r["devices"][0]["checks"]) == 18 and r["notes"] == [], r["notes"]
    made.write(device, "checks.csv", "network,operations_csv,ms,device,source\nabsent,../nowhere.csv,1,x,y\n")
    r = only(report(alone, "--latency", device)[0])
    assert "checks" not in r["devices"][0] and re.search("no check points: .*nowhere.csv", r["notes"][0]), r["notes"]
    bare = os.path.join(scratch, "bare")
    os.makedirs(bare)
    assert "not a run" in run("report", bare, "-o", os.path.join(scratch, "x.html"), code=2).stderr
    assert "not a run" in run("report", os.path.join(scratch, "absent"), "-o", os.path.join(scratch, "x.html"), code=2).stderr
    assert not os.path.exists(os.path.join(scratch, "x.html"))
    assert "expected one to 8 runs" in run("report", torn, code=2).stderr


def nasty(scratch):
    """Checks the report of a run whose names contain markup and scripts."""
    folder = small(scratch, "a <b> & 'c' \"d\"")
    made.write(folder, "bad-images.txt", f"train/<script>/1.jpg: not an image\n{NASTY}\n")
    with open(os.path.join(folder, "bad-images.txt"), "ab") as file:
        file.write(b"train/\xff\xfe\x01\xed\xa0\x80/2.jpg: no UTF-8\n")
    made.write(folder, "commands.txt", f"squall train '{NASTY}'\n")
    return folder


def escaped(scratch):
    data, text = report(nasty(scratch))
    r = only(data)
    assert r["bad"][0] == "train/<script>/1.jpg: not an image" and r["bad"][1] == NASTY and "?" in r["bad"][2] and r["bad_count"] == 3
    assert "<script>/1" not in text and "<img" not in text and "<b>" not in text
    assert len(re.findall(r"<script", text)) == len(re.findall(r'<script nonce="[0-9a-f]{16}">|<script type="application/json"', text))


def picture(scratch):
    import xml.etree.ElementTree as tree
    space = os.path.join(SOURCE, "configs/spaces/proxyless.yaml")
    for columns, width in (("1", "240pt"), ("2", "504pt")):
        path = os.path.join(scratch, "net.svg")
        run("draw", str((0, 1, 2, 6) * 5 + (3,)), "--space", space, "-o", path, "--columns", columns, "--title", "A <title> & more")
        root = tree.parse(path).getroot()
        words = ["".join(t.itertext()) for t in root.iter("{http://www.w3.org/2000/svg}text")]
        assert root.get("width") == width and words[0] == "A <title> & more" and sum(w == "MB6 3\u00d73" for w in words) == 5, words
        box = [float(v) for v in root.get("viewBox").split()]
        for r in root.iter("{http://www.w3.org/2000/svg}rect"):
            x, y, w, h = (float(r.get(k, 0)) for k in ("x", "y", "width", "height"))
            assert 0 <= x and x + w <= box[2] + 0.1 and 0 <= y and y + h <= box[3] + 0.1, (columns, x, y, w, h)
        for t in root.iter("{http://www.w3.org/2000/svg}text"):
            assert float(t.get("y", 1)) <= box[3], (columns, t.text)
    shown = run("draw", "(0, 1)", "--space", space, "-o", path, code=2).stderr
    assert shown.count("\n") == 1, shown


# ---- In a browser ----

def check_zoom(page):
    box = page.run("(() => { const c = document.querySelector('#training canvas'); c.scrollIntoView({block: 'center', behavior: 'instant'}); const b = c.getBoundingClientRect(); return [b.left, b.top, b.width, b.height]; })()")
    x, y, w, h = box
    page.drag(x + 0.4 * w, y + 0.4 * h, x + 0.6 * w, y + 0.5 * h)
    ranges = page.run("charts.filter((c) => c.canvas.closest('#training')).map((c) => [c.scales.x.min, c.scales.x.max])")
    assert len(ranges) == 4 and len({tuple(r) for r in ranges}) == 1 and 0 < ranges[0][0] < ranges[0][1] < 150000, ranges
    page.run("document.querySelector('#training canvas').focus()")
    page.key("0")
    assert page.run("charts.find((c) => c.canvas.closest('#training')).scales.x.max") == 150000


def check_theme(page):
    """Checks that the theme applies to the operator maps, which the page draws itself, and that redrawing the page removes the theme listeners of the old maps."""
    before = page.run("themeListeners.length")
    page.run("start(0); start(0)")
    assert page.run("themeListeners.length") == before, (before, page.run("themeListeners.length"))
    heat = "document.querySelector('#operators canvas').toDataURL()"
    light = page.run(heat)
    page.run("setTheme(true)")
    assert page.run(heat) != light
    page.run("setTheme(false)")
    assert page.run(heat) == light


def check_comparison(page, width):
    """Checks the comparison of runs: at every page width, each value must be inside the page, below or next to its name."""
    tables = page.run("[...document.querySelectorAll('#comparison .scroll')].map((s) => [s.scrollWidth, s.clientWidth])")
    assert tables and all(inner <= outer for inner, outer in tables), (width, tables)
    boxes = page.run("[...document.querySelectorAll('#comparison td')].map((c) => { const b = c.getBoundingClientRect(); return [c.textContent, b.left, b.right, b.width]; })")
    assert boxes and all(0 <= left and right <= width and wide > 0 for _, left, right, wide in boxes), (width, boxes)
    heads = page.run("[...document.querySelectorAll('#comparison table:first-of-type th')].map((h) => h.textContent)")
    shown = page.run("document.querySelector('#comparison').innerText")
    assert "Multiply-adds, M" in heads and "Path" in heads and all(head in shown for head in heads), (heads, shown)


def check_tiles(page):
    """Checks that, on a narrow page, a number and its deviation fit into their tile, for any number of digits."""
    for ms, deviation in ((0.01234, 0.00012), (12.34, 0.00044), (0.0009876, 0.000012), (1234.5, 123.4)):
        page.run(f"report.runs[0].search.candidates.predictions.forEach((on) => {{ on[0][0] = {ms}; on[0][1] = {deviation}; }}); start(0)")
        wide = page.run("[...document.querySelectorAll('.tile')].filter((t) => t.scrollWidth > t.clientWidth).map((t) => t.innerText)")
        assert not wide and page.run("document.documentElement.scrollWidth") <= 390, wide


def without_charts(page, scratch):
    """Checks the page that a build without libjs-chart.js writes. The page must have open tables instead of charts."""
    with open(os.path.join(scratch, "large.html"), encoding="utf-8") as file:
        text = re.sub(r"<script nonce=[^>]*>\s*/\*!\s*\* Chart.js.*?</script>", "", file.read(), flags=re.S)
    path = os.path.join(scratch, "plain.html")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    page.open("file://" + path)
    assert not page.run("hasCharts") and page.problems == [], page.problems
    assert page.run("document.querySelectorAll('details[open] table').length") >= 4 and first_row(page, "candidates")[0] == "1"


def in_browser(scratch):
    folder = os.path.join(scratch, "large")
    made.large(folder, SOURCE)
    made.stages(os.path.join(scratch, "staged"), SOURCE)
    halfway = small(scratch, "halfway", searched=False)
    going = small(scratch, "going", searched=False)
    made.write(going, "search/state.json", json.dumps({"fingerprint": "0", "limit": 1070, "scored": [{"arch": [0] * 8, "images": 600, "loss": 1.5, "top1": 0.5, "top5": 0.9}] * 3}))
    alone = small(scratch, "alone", searched=False)
    made.write(alone, "arch.json", '{"arch": [3, 2, 1, 0, 0, 1, 2, 3]}')
    for name, runs in (("large", [folder]), ("staged", [os.path.join(scratch, "staged"), folder]), ("nasty", [nasty(scratch)]), ("halfway", [halfway]), ("going", [going]), ("alone", [alone])):
        run("report", *runs, "-o", os.path.join(scratch, name + ".html"))
    page = browser.Page()
    try:
        for name in ("large", "staged", "nasty", "halfway", "alone"):
            for dark, width in ((False, 1280), (True, 390)):
                page.resize(width, 900)
                page.media(dark)
                page.open("file://" + os.path.join(scratch, name + ".html"))
                assert page.problems == [], (name, page.problems)
                assert page.run("document.documentElement.scrollWidth") <= width, f"{name}: wider than {width}"
                assert page.run("document.title").endswith("Squall"), page.run("document.title")
                assert page.run("document.documentElement.dataset.theme") == ("dark" if dark else "light")
                if page.run("hasCharts"):
                    pixels = page.run(PIXELS)
                    assert pixels and min(pixels) >= 3 or name == "halfway", (name, pixels)
        page.media()
        page.open("file://" + os.path.join(scratch, "staged.html"))
        for width in (1280, 1100, 700, 390, 320):
            page.resize(width, 900)
            check_comparison(page, width)
        page.resize(1280, 900)
        page.open("file://" + os.path.join(scratch, "nasty.html"))
        text = page.run("document.body.innerText")
        assert "train/<script>/1.jpg: not an image" in text and NASTY in text and "a <b> & 'c' \"d\"" in text
        page.open("file://" + os.path.join(scratch, "going.html"))
        assert re.search(r"candidates\s+3 of 1,070\s+search is unfinished", page.run("document.querySelector('#summary').innerText")), page.run("document.body.innerText")
        assert page.problems == [], page.problems
        page.open("file://" + os.path.join(scratch, "large.html"))
        if page.run("hasCharts"):
            check_candidates(page)
            check_zoom(page)
            check_theme(page)
        else:
            assert page.run("[...document.querySelectorAll('details')].filter((d) => d.open).length") >= 4
        page.resize(390, 900)
        page.open("file://" + os.path.join(scratch, "large.html"))
        check_tiles(page)
        page.resize(1280, 900)
        without_charts(page, scratch)
        page.media(kind="print")
        page.open("file://" + os.path.join(scratch, "staged.html"))
        page.run("document.querySelectorAll('[role=tab]')[2].click()")
        assert page.run("document.querySelector('#run .big').textContent") != "" and page.problems == [], page.problems
        others = [address for address in page.requests if not address.startswith(("file://" + scratch, "data:", "about:"))]
        assert not others, others
    finally:
        page.close()


def main():
    if PART == "page" and not browser.find():
        print("skipped: no chromium (apt-get install chromium)")
        sys.exit(77)
    parts = (whole, costs_are_those_of_info, large, staged, stopped, damaged, escaped, picture) if PART == "data" else (in_browser,)
    for part in parts:
        with tempfile.TemporaryDirectory() as scratch:
            part(scratch)
            print("passed:", part.__name__)


main()
