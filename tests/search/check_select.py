#!/usr/bin/env python3
"""Tests `squall select` from end to end: its files agree with each other, with `squall info` and with `squall lut predict`; the written
space can be trained; each error is one line.

usage: check_select.py SQUALL SOURCE_FOLDER
"""
import csv
import json
import os
import re
import subprocess
import sys
import tempfile

SQUALL, SOURCE = (os.path.abspath(word) for word in sys.argv[1:3])
POOL, SMALL = "configs/spaces/hurricane-pool.yaml", "configs/spaces/hurricane-small.yaml"
DEVICES = ("myriad-x", "hexagon-685", "snapdragon-845-cpu")


def run(*words, code=0):
    done = subprocess.run([SQUALL, *words], cwd=SOURCE, capture_output=True, text=True)
    assert done.returncode == code, f"{words}: exit {done.returncode}, expected {code}: {done.stderr[-500:]}"
    return done


def read(path):
    with open(path) as file:
        return file.read()


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def listed_layers(text):
    """Returns {layer: choices} from the output of `squall info space`, for the layers that have more than one choice."""
    layers = {}
    for line in text.splitlines():
        found = re.match(r" +(\d+)  \d+x\d+x\d+ .*%  +\d  (.*)$", line)
        if found and " " in found[2]:
            layers[int(found[1])] = found[2].split()
    return layers


def costs_of(text, title):
    """Returns {(operator, layer): cost} from the table `title` in the output of `squall info space --costs`."""
    block = text.split(f"\n{title}, layer")[1].split("\n\n")[0].splitlines()
    columns, found = block[0].split(), {}
    for line in block[2:]:
        name, *values = line.split()
        for column, value in zip(columns, values):
            first, last = (column.split("-") * 2)[:2]
            for layer in range(int(first), int(last) + 1):
                found[name, layer] = float(value)
    return found


def pool_on_devices(scratch):
    costs = run("info", "space", POOL, "--costs").stdout
    macs, parameters = costs_of(costs, "multiply-adds M"), costs_of(costs, "parameters k")
    assert len(macs) == len(parameters) == 32 * 20
    spaces = {}
    for device in DEVICES:
        out, again = os.path.join(scratch, device + ".yaml"), os.path.join(scratch, "again.yaml")
        text = run("select", POOL, "configs/devices/" + device, "-o", out).stdout
        run("select", POOL, "configs/devices/" + device, "-o", again, "--table", os.path.join(scratch, "other.csv"))
        rows = rows_of(os.path.join(scratch, device + ".csv"))
        assert read(out) == read(again) and rows == rows_of(os.path.join(scratch, "other.csv"))
        assert len(rows) == 32 * 20 and sum(row["kept"] == "yes" for row in rows) == 4 * 20
        layers = spaces[device] = listed_layers(run("info", "space", out).stdout)
        printed = dict(re.findall(r"^ +(\d+)  \d+x\d+x\d+ +(.*)$", text, re.M))
        for layer in range(1, 21):
            mine = [row for row in rows if int(row["layer"]) == layer]
            kept = sorted((row for row in mine if row["kept"] == "yes"), key=lambda row: int(row["rank"]))
            assert layers[layer] == printed[str(layer)].split() == [row["operator"] for row in kept], layer
            for row in mine:
                key = row["operator"], layer
                m, p, ms = (float(row[name]) for name in ("macs_m", "parameters_k", "latency_ms"))
                assert abs(m - macs[key]) < 1e-3 and abs(p - parameters[key]) < 1e-3, row
                assert abs(float(row["score"]) / ((m * p) ** 0.25 / ms) - 1) < 1e-6, row
        arch = run("lut", "predict", out, "configs/devices/" + device, "--arch", ",".join(["0"] * 20)).stdout
        best = [row for row in rows if row["rank"] == "1"]
        for row in best:
            assert re.search(rf"^ +{row['layer']}  \S+ +{row['operator']} +{float(row['latency_ms']):.4f} ", arch, re.M), row
    assert not any("_se" in name for names in spaces["myriad-x"].values() for name in names)
    assert spaces["myriad-x"] != spaces["hexagon-685"] != spaces["snapdragon-845-cpu"]
    out = os.path.join(scratch, "families.yaml")
    run("select", POOL, "configs/devices/hexagon-685", "-o", out, "--keep", "6", "--per-family", "--a", "1", "--b", "0")
    for names in listed_layers(run("info", "space", out).stdout).values():
        assert len(names) == 6 and {"sep", "mb", "shuffle"} == {re.match("[a-z]+", name)[0].replace("xception", "shuffle") for name in names}


def selected_space_trains(scratch):
    space, folder = os.path.join(scratch, "small.yaml"), os.path.join(scratch, "run")
    run("select", SMALL, "configs/devices/snapdragon-845-cpu", "-o", space, "--keep", "2", "--resolution", "32")
    run("train", "configs/train/samples.yaml", "-o", folder, "--quiet", "--device", "cpu", "--set", "space=" + space, "--set", "train.steps=6",
        "--set", "train.batch=8", "--set", "train.warmup_steps=0", "--set", "train.log_every=2")
    lines = [json.loads(line) for line in read(os.path.join(folder, "log.jsonl")).splitlines()]
    losses = [line["loss"] for line in lines if line["event"] == "step"]
    assert len(losses) == 3 and all(0 < loss < 10 for loss in losses), losses
    run("export", folder, "--arch", ",".join(["1"] * 12))
    said = json.loads(read(os.path.join(folder, "export/arch.json")))
    assert said["space"] == "hurricane_small_snapdragon-845-cpu" and len(said["arch"]) == 12, said


def bad_input(scratch):
    device, out = "configs/devices/myriad-x", os.path.join(scratch, "never.yaml")
    own = os.path.join(scratch, "own")
    os.mkdir(own)
    for name in ("roofline.yaml", "device.yaml"):
        with open(os.path.join(own, name), "w") as file:
            file.write(read(os.path.join(SOURCE, device, name)).replace("drop: [se]", "drop: [se, shufle]"))
    table = os.path.join(scratch, "table")
    os.mkdir(table)
    with open(os.path.join(table, "device.yaml"), "w") as file:
        file.write("name: table\nmeasured: true\n")
    with open(os.path.join(table, "table.csv"), "w") as file:
        file.write("kind,h,w,c_in,c_out,mid,kernel,stride,se,act,mean_ms,std_ms,count\nconv,64,64,3,16,0,3,2,0,relu,1,0,1\n")
    mine = os.path.join(scratch, "mine.yaml")
    with open(mine, "w") as file:
        file.write(read(os.path.join(SOURCE, SMALL)))
    cases = [
        (["select", SMALL, device], 2, "expected a space file, a device and -o SPACE.yaml"),
        (["select", SMALL, device, "-o", out, "--keep", "0"], 2, "--keep: found '0', expected a whole number from 1 to 64"),
        (["select", SMALL, device, "-o", out, "--keep", "17"], 2, "layer 1 has 16 operators for myriad-x (rules: no se), expected at least the 17 to keep"),
        (["select", SMALL, device, "-o", out, "--keep", "2", "--per-family"], 2, "has 3 families of operators, expected at most the 2 to keep"),
        (["select", SMALL, device, "-o", out, "--a", "x"], 2, "--a: found 'x', expected a number from 0 to 10"),
        (["select", SMALL, device, "-o", out, "--fill", "guess"], 2, "--fill: found 'guess', expected one of: none interpolate roofline"),
        (["select", SMALL, device, "-o", out, "--kep", "3"], 2, "did you mean '--keep'?"),
        (["select", SMALL, own, "-o", out], 2, "rules: drop: unknown property 'shufle', did you mean 'shuffle'?"),
        (["select", SMALL, table, "-o", out], 3, "no entry 'sep,32,32,16,48,0,3,2,0,relu'"),
        (["select", mine, device, "-o", mine], 2, "the output is the pool; give another file"),
        (["select", SMALL, device, "-o", out, "--table", out], 2, "space and table have the same name; give another --table"),
        (["select", SMALL, device, "-o", os.path.join(scratch, "no/such/folder.yaml")], 1, "No such file"),
        (["select", "configs/spaces/networks/proxyless-mobile.yaml", device, "-o", out], 2, "no layer is searched, nothing to select"),
        (["selct"], 2, "did you mean 'select'?"),
    ]
    for words, code, text in cases:
        done = run(*words, code=code)
        lines = done.stderr.strip().splitlines()
        assert len(lines) == 1 and text in lines[0], f"{words}: {done.stderr!r}, expected {text!r}"
    assert not os.path.exists(out) and not os.path.exists(out[:-5] + ".csv") and read(mine) == read(os.path.join(SOURCE, SMALL))


def main():
    with tempfile.TemporaryDirectory() as scratch:
        pool_on_devices(scratch)
        selected_space_trains(scratch)
        bad_input(scratch)
    print("select: files agree, the space trains, bad input is reported")


main()
