#!/usr/bin/env python3
"""Checks the sums, the counts and the bad input of squall bench. Compares no times.

usage: check_bench.py SQUALL SOURCE_FOLDER bench
"""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from program import CONFIG, SMALL, SOURCE, main, run
from run_files import read


def one_json(*words):
    lines = run("bench", *words, "--json").stdout.splitlines()
    assert len(lines) == 1, lines
    return json.loads(lines[0])


def bench_dry():
    """Checks the bytes that --dry counts without a device. For SPOS, units that normalise on load and compute the two gradients separately move
    89 MB per image. Joins and repeated reads of the same channels by several tiles increase this number; computing both gradients in one pass
    reduces it. The partial sums of weight gradients have the same size for every batch, so the bytes per image grow as the batch shrinks."""
    large = one_json("step", "configs/spaces/spos.yaml", "--dry", "--batch", "1024")
    assert 60e6 < large["bytes_per_image"] <= 92e6, large["bytes_per_image"]
    spos = one_json("step", "configs/spaces/spos.yaml", "--dry", "--batch", "256")
    assert 60e6 < spos["bytes_per_image"] <= 95e6, spos["bytes_per_image"]
    for part in (sum(spos[key] for key in ("bytes_forward", "bytes_backward", "bytes_update")), sum(spos["bytes_by_kernel"].values())):
        assert abs(part - spos["bytes_per_image"]) < 1e-6 * spos["bytes_per_image"], (part, spos)
    assert abs(spos["bound_images_per_second"] * spos["bytes_per_image"] / 4.3e12 - 1) < 1e-6
    assert "images_per_second" not in spos and spos == one_json("step", "configs/spaces/spos.yaml", "--dry")
    assert "in all" in run("bench", "step", "configs/spaces/proxyless.yaml", "--dry", "--steps", "7").stdout
    kernels = one_json("kernels", "--dry", "--batch", "32")
    assert kernels["space"] == "spos" and len(kernels["launches"]) > 100
    assert {row["level"] for row in kernels["launches"]} == {"L3", "L4", "-"}
    assert all(row["bytes"] > 0 and row["times"] > 0 and "us" not in row for row in kernels["launches"])
    price = {(row["width"], row["unit"], row["mode"]): row["surcharge"] for row in kernels["widths"]}
    assert len(price) == 16 and all(price[116, unit, mode] > price[120, unit, mode] for _, unit, mode in price)
    assert "by kernel" in run("bench", "kernels", "configs/spaces/tiny.yaml", "--dry").stdout


def bench_model(scratch):
    """Checks the modelled time of a step: the parts add up, counts.csv covers SPOS, a higher memory bandwidth does not reduce the rate, and --arch
    models one path."""
    step = ("step", "configs/spaces/spos.yaml", "--dry", "--steps", "40", "--gpu")
    h200 = one_json(*step, "h200")
    assert h200["space"] == "spos" and h200["batch"] == 256 and h200["paths"] == 40 and h200 == one_json(*step, "h200")
    assert abs(h200["ms_per_step"] * h200["images_per_second"] / 256e3 - 1) < 1e-6
    assert h200["images_per_second_min"] < h200["images_per_second"] < h200["images_per_second_max"]
    for key in ("expected_ms", "memory_ms", "issue_ms"):
        assert abs(sum(c[key] for c in h200["classes"].values()) / h200["all"][key] - 1) < 1e-6, key
    assert h200["share_estimated"] == 0 and h200["share_rescaled"] == 0
    assert h200["images_per_second"] > one_json(*step, "h100")["images_per_second"] > one_json(*step, "a100")["images_per_second"]
    assert one_json(*step, "rtx3090")["share_rescaled"] > 0.5
    assert one_json(*step, "h200", "--batch", "64")["share_estimated"] > 0.5
    path = "(" + ", ".join("0" * 20) + ")"
    small, large = (one_json("step", "configs/spaces/spos.yaml", "--dry", "--gpu", "h200", "--arch", path.replace("0", c)) for c in "02")
    assert small["ms_per_step"] < large["ms_per_step"], "7 x 7 is faster than 3 x 3"
    table = run("bench", *step, "h200").stdout
    assert "depthwise backward" in table and "bound by" in table and "0.0 % of the time" in table
    other = os.path.join(scratch, "other.yaml")
    with open(other, "w") as file:
        file.write(read(os.path.join(SOURCE, "configs", "gpus", "h200.yaml")).decode().replace("copy_gb_per_s: 4300", "copy_gb_per_s: 4500"))
    assert one_json(*step, other)["images_per_second"] >= h200["images_per_second"]


def bench_loader(scratch):
    """Checks the rates and the stages of bench loader, and the loader's numbers in timing.jsonl of a run."""
    short = ["--batch", "16", "--steps", "2", "--repeats", "3"]
    for words in ((os.path.join(SOURCE, "data", "samples"),), (CONFIG, "--threads", "2", "--set", "data.cache=ram"), (CONFIG, "--set", "data.decode=draft")):
        a = one_json("loader", *words, *short)
        assert a["images_per_second"] > 0 and a["images_per_second_one_thread"] > 0 and a["bad"] == 0, a
        assert list(a["us_per_image"]) == ["read", "decode", "resize", "copy"] and all(a["us_per_image"].values()), a
        assert abs(a["speedup"] * a["images_per_second_one_thread"] / a["images_per_second"] - 1) < 1e-6
    assert a["decode"] == "draft" and a["batch"] == 16 and a["rounds"] == 3
    assert "ram: all 2400 images, decoded" in run("bench", "loader", CONFIG, *short, "--set", "data.cache=ram").stdout
    runs = [os.path.join(scratch, name) for name in ("none", "ram", "device")]
    for folder in runs:
        done = run("train", CONFIG, "-o", folder, *SMALL, "--set", "train.steps=90", "--set", "data.cache=" + os.path.basename(folder))
        assert read(os.path.join(folder, "last", "model.safetensors")) == read(os.path.join(runs[0], "last", "model.safetensors")), folder
    assert "device: all 2400 images, decoded" in done.stdout, done.stdout
    for line in read(os.path.join(runs[0], "timing.jsonl")).splitlines():
        event = json.loads(line)
        assert 0 <= event["stalls"] <= 90 and 2 <= event["batches_ahead"] <= 4 and event["wait_seconds"] >= 0, event


def bench(scratch):
    bench_loader(scratch)
    tiny = ["step", "configs/spaces/tiny.yaml", "--device", "cpu", "--batch", "4", "--warmup", "1", "--threads", "1"]
    a, b = one_json(*tiny, "--steps", "2"), one_json(*tiny, "--steps", "2")
    assert (a["space"], a["device"], a["batch"], a["steps"]) == ("tiny", "cpu", 4, 2) and "bytes_per_image" not in a, a
    assert 0 < a["images_per_second_min"] <= a["images_per_second"] <= a["images_per_second_max"] and a["loss"] == b["loss"]
    assert abs(a["ms_per_step"] * a["images_per_second"] / 4000 - 1) < 1e-6
    assert "in 3 blocks" in run("bench", *tiny, "--steps", "35").stdout
    found = run("info", "device").stdout
    bench_dry()
    bench_model(scratch)
    cases = [
        (["steps"], 2, "unknown command 'steps', did you mean 'step'?"),
        (["step"], 2, "expected one space file"),
        (["loader"], 2, "expected one source of images or one configuration"),
        (["loader", "/no/such"], 3, "/no/such: No such file"),
        (["step", "no.yaml"], 1, "no.yaml: No such file"),
        (["step", "configs/spaces/spos.yaml", "--dry", "--gpu", "h300"], 2, "found 'h300', expected one of a100, h100, h200, rtx3090, or a file"),
        (["step", "configs/spaces/spos.yaml", "--gpu", "h200"], 2, "--gpu: needs --dry"),
        (["kernels", "--steps", "3"], 2, "unknown option '--steps'"),
        (["step", "configs/spaces/spos.yaml", "--dry", "--gpu", "h200", "--arch", "(1, 2)"], 2, ""),
        ([*tiny, "--batch", "0"], 2, "--batch: found '0', expected a whole number from 2 to 65536"),
        ([*tiny, "--steps", "0"], 2, "--steps: found '0', expected a whole number"),
        ([*tiny, "--bandwidth", "fast"], 2, "--bandwidth: found 'fast', expected a number"),
        ([*tiny, "--graphs", "maybe"], 2, "graphs: found 'maybe', expected one of: off on"),
        (["step", "configs/spaces/tiny.yaml", "--device", "cuda:x"], 2, "device cuda:x: expected a name like cuda:0"),
        (["kernels", "--device", "cpu"], 1, "device cpu has no launches to time; expected cuda, or --dry"),
    ]
    if "not in this build" in found or "not used" in found:
        cases.append((["step", "configs/spaces/tiny.yaml", "--device", "cuda"], 1, "cuda: "))
    for words, code, text in cases:
        lines = run("bench", *words, code=code).stderr.strip().splitlines()
        assert len(lines) == 1 and text in lines[0], f"{words}: {lines}, expected {text!r}"
    odd = run("info", "space", "tests/fixtures/odd_widths_pad.yaml", "--device").stdout
    assert "warning: layer 0 wastes lanes: stem 37.5 %" in odd
    assert "warning" not in run("info", "space", "configs/spaces/spos.yaml", "--device").stdout
    run("train", CONFIG, "-o", os.path.join(scratch, "a"), "--quiet", "--graphs", "off", *SMALL, "--set", "train.steps=60")
    assert b"graphs: off\n" in read(os.path.join(scratch, "a", "config.yaml"))


main({"bench": bench})
