#!/usr/bin/env python3
"""Tests latency tables from end to end.

Runs `squall lut` with a fake runner whose times are known, with Squall itself and with onnxruntime. Checks that the models of a path's
blocks, run one after the other, agree with the network's model, and checks a search within limits on two devices at once.

usage: check_lut.py SQUALL SOURCE_FOLDER
"""
import csv
import json
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

SQUALL, SOURCE = (os.path.abspath(word) for word in sys.argv[1:3])
SPACE = "configs/spaces/tiny.yaml"

# This runner computes times from the models' descriptions: about 1 ms per block. A network takes 0.5 ms more than its blocks. A network
# without a list of blocks takes 5 ms.
FAKE = r"""
import csv, os, sys
folder = os.path.dirname(open(sys.argv[1]).readline().strip())
time = {}
for row in csv.DictReader(open(os.path.join(folder, "blocks.csv"))):
    time[row["model"]] = 1 + 1e-3 * int(row["kernel"]) + 1e-6 * int(row["c_out"]) + 1e-4 * int(row["mid"]) + 1e-3 * int(row["h"])
for row in csv.DictReader(open(os.path.join(folder, "networks.csv"))):
    if row["blocks"]:
        time[row["model"]] = 0.5 + sum(time[block] for block in row["blocks"].split())
for line in open(sys.argv[1]):
    name = os.path.basename(line.strip())
    for repeat in range(3):
        print(name, time.get(name, 5.0), sep="\t")
"""


# Runners start the first python3 in PATH, so PATH starts with the folder of the python3 that has this test's packages.
WITH_PACKAGES = {**os.environ, "PATH": os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]}


def run(*words, code=0):
    done = subprocess.run([SQUALL, *words], cwd=SOURCE, env=WITH_PACKAGES, capture_output=True, text=True)
    assert done.returncode == code, f"{words}: exit {done.returncode}, expected {code}: {done.stderr[-500:]}"
    return done


def rows_of(path):
    with open(path) as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


def write(path, text):
    with open(path, "w") as file:
        file.write(text)
    return path


def fake_runner(scratch, script, name="fake"):
    program = write(os.path.join(scratch, name + ".py"), script)
    return write(os.path.join(scratch, name + ".yaml"),
                 f"runtime: {name}\ndtype: float32\ncommand: {sys.executable} {program} {{list}}\n"
                 "pattern: '^(.*)[[:blank:]]([0-9.naif-]+)$'\nunit: ms\nrounds: 2\nrepeats: 3\nthreads: 1\ntime_limit_seconds: 60\n")


def measured_by_a_runner(scratch):
    device, runner = os.path.join(scratch, "device"), fake_runner(scratch, FAKE)
    done = run("lut", "measure", SPACE, "-o", device, "--runner", runner, "--networks", "6")
    text = done.stdout
    assert "measuring again" not in text and done.stderr == "", done
    assert re.search(r"whole networks +6: base 0\.5000 ms, scale 1\.0000; predicted within 0\.0 % on average, 0\.0 % at worst", text), text
    assert re.search(r"runtime +fake.*, batch 1, 1 thread$", text, re.M), text
    table = rows_of(os.path.join(device, "table.csv"))
    for row in table:
        wanted = 1 + 1e-3 * int(row["kernel"]) + 1e-6 * int(row["c_out"]) + 1e-4 * int(row["mid"]) + 1e-3 * int(row["h"])
        assert abs(float(row["mean_ms"]) - wanted) < 1e-9 and row["count"] == "6" and float(row["std_ms"]) == 0, row
    listed = re.search(r"measuring (\d+) blocks and 6 whole networks", text)
    assert listed and int(listed[1]) == len(table), text
    networks = rows_of(os.path.join(device, "measured.csv"))
    assert len(networks) == 6 and all(float(row["ms"]) > 5 for row in networks)
    with open(os.path.join(device, "device.yaml")) as file:
        yaml = file.read()
    assert "runner:" in yaml and "measured: true" in yaml and "fake" in yaml and "doubt" not in yaml, yaml
    text = run("lut", "check", SPACE, device).stdout
    assert "100.0 %" in text and "0 implausible pairs\n" in text and "batch 1, 1 thread\n" in text, text
    # The expected prediction is base + scale * sum of the blocks.
    arch = networks[0]["arch"]
    text = run("lut", "predict", SPACE, device, "--arch", arch).stdout
    layers = [float(x) for x in re.findall(r"^ +\d+  \S+ +\S+ +([0-9.]+)", text, re.M)]
    base, total = (float(re.search(rf"{word} +(-?[0-9.]+)", text)[1]) for word in ("base", "total"))
    assert abs(base + sum(layers) - total) < 1e-2, text
    # `lut networks` uses the runner that the device's folder stores.
    text = run("lut", "networks", SPACE, "--arch", arch, "--against", device).stdout
    assert "measured latency         5.000 ms" in text and "predicted latency" in text, text
    return device


def busy_runner(scratch, name, network):
    """Returns a runner whose networks take the time `network`, an expression of SUM, the sum of the blocks' times."""
    return fake_runner(scratch, FAKE.replace('0.5 + sum(time[block] for block in row["blocks"].split())', network.replace("SUM", 'sum(time[b] for b in row["blocks"].split())')), name)


def networks_that_contradict(scratch):
    """Simulates a busy machine, on which the fitted line through the networks is implausible.

    The measurement must be repeated once with more rounds. The table must record the doubt and remain readable.
    """
    several = "12"
    cases = [("contrary", "30 - SUM", several, "scale -1.0000, expected 0.5 to 2"), ("flat", "5 + 0.1873 * SUM", several, "scale 0.1873, expected 0.5 to 2"),
             ("steep", "3.7434 * SUM - 20", several, "scale 3.7434, expected 0.5 to 2"), ("below", "0.1 + 0 * SUM", "3", "base -[0-9.]+ ms: networks of 0.1000 ms"),
             ("wild", "SUM * (1.5 if int(row['model'][8:12]) % 2 else 1)", "6", "whole networks are missed by [0-9.]+ % on average, expected 10 %")]
    for name, network, count, doubt in cases:
        device, runner = os.path.join(scratch, name), busy_runner(scratch, name, network)
        done = run("lut", "measure", SPACE, "-o", device, "--runner", runner, "--networks", count)
        assert re.search(rf"measuring again +4 rounds: {doubt}", done.stdout), (name, done.stdout)
        lines = done.stderr.splitlines()
        assert len(lines) == 1 and re.search(doubt, lines[0]) and "--rounds 30" in lines[0] and "idle machine" in lines[0], (name, done.stderr)
        assert {row["count"] for row in rows_of(os.path.join(device, "table.csv"))} == {"12"}, "the longer measurement was not taken"
        with open(os.path.join(device, "device.yaml")) as file:
            yaml = file.read()
        assert re.search(rf"^doubt: .*{doubt}", yaml, re.M) and (name == "wild" or re.search(r"^scale: 1$", yaml, re.M)), (name, yaml)
        text = run("lut", "check", SPACE, device).stdout
        assert re.search(rf"implausible +{doubt}", text) and "and 1 implausible line" in text, (name, text)
        assert re.search(doubt, run("lut", "predict", SPACE, device, "--arch", "(0, 0, 0, 0, 0)").stdout), name
    # Without a recorded doubt, `lut check` detects the implausible scale itself. Calibrating again removes the doubt.
    write(os.path.join(scratch, "flat", "device.yaml"), "name: flat\nscale: 0.1\nmeasured: true\n")
    assert re.search(r"implausible +scale 0\.1000", run("lut", "check", SPACE, os.path.join(scratch, "flat")).stdout)
    contrary = os.path.join(scratch, "contrary")
    csv_path = write(os.path.join(scratch, "quiet.csv"), "arch,ms\n" + "".join(
        f'"({a})",{re.search("total +([0-9.]+)", run("lut", "predict", SPACE, contrary, "--arch", a).stdout)[1]}\n'
        for a in ("0,0,0,0,0", "1,0,0,0,1", "0,1,2,0,0", "2,1,0,2,1")))
    run("lut", "calibrate", contrary, csv_path, "--space", SPACE)
    assert "0 implausible pairs\n" in run("lut", "check", SPACE, contrary).stdout


def devices_beside_the_program(scratch, device):
    """Checks that configs/devices/... and configs/spaces/... are found from any folder."""
    name = "configs/devices/myriad-x"

    def from_elsewhere(*words):
        done = subprocess.run([SQUALL, *words], cwd=scratch, env=WITH_PACKAGES, capture_output=True, text=True)
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout

    assert re.search("error +MAPE", from_elsewhere("lut", "check", SPACE, name)), "its checks.csv was not found"
    assert "total" in from_elsewhere("lut", "predict", SPACE, name, "--arch", "0,0,0,0,0")
    csv_path = os.path.join(device, "measured.csv")
    assert "MAPE" in from_elsewhere("lut", "compare", name, csv_path, "--space", SPACE)
    assert "before" in from_elsewhere("lut", "calibrate", name, csv_path, "--space", SPACE, "--dry")
    text = from_elsewhere("lut", "networks", SPACE, "--arch", "0,0,0,0,0", "--against", name, "--device", "cpu", "--threads", "1", "--rounds", "2", "--repeats", "1")
    assert "predicted latency" in text and "measuring 1 whole network of tiny" in text and "1 thread\n" in text, text
    text = from_elsewhere("lut", "measure", SPACE, "-o", "here", "--device", "cpu", "--networks", "0", "--rounds", "2", "--repeats", "1")
    found = re.search(r"runtime .*, batch 1, all (\d+) threads?\n", text)
    assert found and re.search(r"measuring \d+ blocks of tiny", text), text
    with open(os.path.join(scratch, "here/device.yaml")) as file:
        assert f"\nthreads: {found[1]}\n" in file.read()


def table_that_is_wrong(scratch, device):
    wrong = os.path.join(scratch, "wrong")
    os.makedirs(wrong)
    with open(os.path.join(device, "device.yaml")) as file:
        write(os.path.join(wrong, "device.yaml"), file.read())
    with open(os.path.join(device, "table.csv")) as file:
        lines = file.read().splitlines()
    gone = lines.pop(3)
    write(os.path.join(wrong, "table.csv"), "\n".join(lines) + "\n")
    done = run("lut", "check", SPACE, wrong, code=3)
    key = ",".join(gone.split(",")[:10])
    assert f"missing      {key}" in done.stdout and "1 of the" in done.stderr, (done.stdout, done.stderr)
    assert "1 blocks of this kind" in run("lut", "predict", SPACE, wrong, "--arch", "0,0,0,0,0", "--fill", "interpolate", code=3).stderr
    larger, space = os.path.join(scratch, "larger"), "configs/spaces/proxyless.yaml"
    run("lut", "measure", space, "-o", larger, "--runner", os.path.join(scratch, "fake.yaml"), "--networks", "0", "--resolution", "64")
    table = os.path.join(larger, "table.csv")
    with open(table) as file:
        lines = [line for line in file if not line.startswith("mb,16,16,24,40,144,5,2,")]
    write(table, "".join(lines))
    words = ["lut", "predict", space, larger, "--resolution", "64", "--arch", ",".join(["3"] * 21)]
    assert "no entry 'mb,16,16,24,40,144,5,2,0,relu6'" in run(*words, code=3).stderr
    text = run(*words, "--fill", "interpolate").stdout
    found = float(re.search(r"mb_5x5_e6 +([0-9.]+) +[0-9.]+ +[0-9.]+%  filled in", text)[1])
    assert abs(found / (1 + 5e-3 + 40e-6 + 144e-4 + 16e-3) - 1) < 0.02 and re.search(r"filled in +[0-9.]+ ms, [0-9.]+ % of", text), text


def calibrated(scratch, device):
    """Makes networks of exactly 2 ms + 3 x the table's prediction. Calibration must find this line, and the next comparison must be exact."""
    space, found = ["--space", SPACE], []
    for i in range(12):
        arch = ",".join(str((i * 7 + 3 * l) % 3) for l in range(5))
        text = run("lut", "predict", SPACE, device, "--arch", arch).stdout
        found.append((arch, float(re.search(r"total +([0-9.]+)", text)[1])))
    csv_path = write(os.path.join(scratch, "networks.csv"), "arch,ms\n" + "".join(f'"({a})",{2 + 3 * ms}\n' for a, ms in found))
    text = run("lut", "calibrate", device, csv_path, *space).stdout
    assert "before" in text and re.search(r"after +MAPE 0\.0", text), text
    picture = os.path.join(scratch, "scatter.svg")
    text = run("lut", "compare", device, csv_path, *space, "-o", picture).stdout
    assert re.search(r"MAPE 0\.0\d %.*within 10 %: 100\.0 % of 12; tau (1\.000|0\.99)", text), text
    assert xml.etree.ElementTree.parse(picture).getroot().tag.endswith("svg")
    additive = os.path.join(scratch, "additive")
    text = run("lut", "calibrate", additive, csv_path, *space, "--additive", "--test", "2").stdout
    assert "fitted" in text and "tested" in text and os.path.exists(os.path.join(additive, "layers.csv")), text
    assert "tau" in run("lut", "compare", additive, csv_path).stdout


def bad_input(scratch, device):
    broken = {name: fake_runner(scratch, script, name) for name, script in {
        "fails": "import sys; print('out of luck', file=sys.stderr); sys.exit(3)", "silent": "pass",
        "zero": FAKE.replace("time.get(name, 5.0)", "0"), "nan": FAKE.replace("time.get(name, 5.0)", "'nan'")}.items()}
    hanging = fake_runner(scratch, "import time; time.sleep(600)", "hangs")
    with open(hanging) as file:
        text = file.read().replace("time_limit_seconds: 60", "time_limit_seconds: 0.5")
    write(hanging, text)
    space = ["lut", "measure", SPACE, "-o", os.path.join(scratch, "never"), "--networks", "0", "--runner"]
    one = write(os.path.join(scratch, "one.csv"), 'arch,ms\n"(0, 0, 0, 0, 0)",3\n')
    short = write(os.path.join(scratch, "short.csv"), 'arch,ms\n"(0, 0)",3\n')
    cases = [
        (["lut", "import", one], 2, "expected one FILE and -o DEVICE"),
        (["lut", "import", one, "-o", device, "--batch", "x"], 2, "--batch: found 'x', expected a whole number from 1"),
        (["lut", "mesure"], 2, "unknown command 'mesure', did you mean 'measure'?"),
        (["lut", "measure", SPACE], 2, "expected one space file and -o DEVICE"),
        (["lut", "template", SPACE, "-o", scratch + "/t", "--dtype", "int8"], 2, "--dtype: found 'int8', expected one of: float32 float16"),
        (["lut", "template", SPACE, "-o", scratch + "/t", "--batch", "0"], 2, "--batch: found '0', expected a whole number from 1"),
        ([*space, "nothing"], 2, "--runner: found 'nothing', expected squall, a file, or one of configs/runners (onnxruntime, openvino-myriad, openvino, qnn, "),
        ([*space, "onnxrutime"], 2, "--runner: found 'onnxrutime', did you mean 'onnxruntime'?"),
        ([*space, broken["fails"]], 1, "out of luck"),
        ([*space, broken["silent"]], 1, "no time"),
        ([*space, broken["zero"]], 1, "0"),
        ([*space, broken["nan"]], 1, "nan"),
        ([*space, hanging], 1, "limit"),
        ([*space, broken["zero"], "--rounds", "1"], 2, "--rounds: found '1', expected a whole number from 2"),
        (["lut", "predict", SPACE, device], 2, "5 layers are searched: give --arch"),
        (["lut", "predict", SPACE, device, "--arch", "0,0,0,0,0", "--resolution", "32"], 3, "no entry 'conv,32,32,"),
        (["lut", "predict", SPACE, device, "--arch", "0,0,0,0,0", "--fill", "guess"], 2, "--fill: found 'guess', expected one of: none interpolate roofline"),
        (["lut", "networks", SPACE, "--model", one, "-o", scratch + "/n.csv"], 2, "--model with -o: expected --arch, too"),
        (["lut", "compare", device, one], 2, "give --space"),
        (["lut", "compare", device, short, "--space", SPACE], 2, "architectures of 2 numbers, tiny has 5 searched layers"),
        (["lut", "calibrate", device, one, "--space", SPACE], 2, "3"),
        (["lut", "check", SPACE, "/no/such"], 1, "/no/such"),
    ]
    for words, code, text in cases:
        done = run(*words, code=code)
        lines = done.stderr.strip().splitlines()
        assert len(lines) == 1 and text in lines[0], f"{words}: {done.stderr!r}, expected {text!r}"
        assert "--runner" not in text or done.stdout == "", f"{words}: a runner is looked at before anything is said: {done.stdout!r}"
    assert not os.path.exists(os.path.join(scratch, "never")), "a table that could not be measured left its folder"


def chained_blocks_are_the_network(scratch):
    """Runs the models of a path's blocks one after the other. The shapes and sizes must agree with those of the whole network's model."""
    try:
        import numpy
        import onnx
        import onnxruntime
    except ImportError:
        print("skipped: blocks against networks: onnxruntime is not installed")
        return
    for space, batch in (("tiny", 2), ("small64", 1), ("samples", 1)):
        folder = os.path.join(scratch, "models-" + space)
        file = f"configs/spaces/{space}.yaml"
        run("lut", "template", file, "-o", folder, "--networks", "3", "--batch", str(batch))
        for row in rows_of(os.path.join(folder, "networks.csv")):
            whole = onnx.load(os.path.join(folder, row["model"]))
            onnx.checker.check_model(whole)
            session = onnxruntime.InferenceSession(whole.SerializeToString(), providers=["CPUExecutionProvider"])
            shape = session.get_inputs()[0].shape
            assert shape[0] == batch, shape
            image = numpy.random.default_rng(1).standard_normal(shape).astype(numpy.float32)
            wanted = session.run(None, {"input": image})[0]
            value = image
            for model in row["blocks"].split():
                block = onnx.load(os.path.join(folder, model))
                onnx.checker.check_model(block)
                part = onnxruntime.InferenceSession(block.SerializeToString(), providers=["CPUExecutionProvider"])
                assert list(value.shape) == part.get_inputs()[0].shape, (model, value.shape)
                value = part.run(None, {"input": value})[0]
            # Layers of one shape share a model and therefore weights, so only shapes and the size of the values can be compared.
            assert value.shape == wanted.shape and numpy.isfinite(value).all() and numpy.isfinite(wanted).all()
            assert 1e-3 < numpy.abs(value).max() < 1e3 and 1e-3 < numpy.abs(wanted).max() < 1e3, (value, wanted)


def measured_as_exported(scratch, run_folder):
    """Times the exported file that a user deploys, with the runtime that measured the table."""
    run("export", run_folder)
    model = os.path.join(run_folder, "export/model.onnx")
    try:
        import onnxruntime  # noqa: F401
    except ImportError:
        print("skipped: timing an exported file: onnxruntime is not installed")
        return
    runner = ["--runner", "onnxruntime", "--rounds", "2", "--repeats", "2"]
    text = run("lut", "networks", "configs/spaces/samples.yaml", "--model", model, *runner).stdout
    assert re.search(r"measured latency +[0-9.]+ ms \+- [0-9.]+", text), text
    device = os.path.join(scratch, "small")
    run("lut", "measure", "configs/spaces/samples.yaml", "-o", device, *runner, "--networks", "3")
    arch = os.path.join(run_folder, "search/arch.json")
    text = run("lut", "networks", "configs/spaces/samples.yaml", "--model", model, "--arch", arch, "--against", device, "--rounds", "2").stdout
    assert "measured latency" in text and "predicted latency" in text and "onnxruntime" in text, text


def search_on_two_devices(scratch, device):
    """Searches with limits on two devices. Every scored candidate must meet both limits, and a list in the configuration must give the same
    result as the command line."""
    a, other = os.path.join(scratch, "run"), os.path.join(scratch, "other")
    run("lut", "measure", "configs/spaces/samples.yaml", "-o", os.path.join(scratch, "first"), "--runner", fake_runner(scratch, FAKE),
        "--networks", "0")
    run("lut", "measure", "configs/spaces/samples.yaml", "-o", other, "--runner",
        fake_runner(scratch, FAKE.replace("1e-3 * int(row[\"kernel\"])", "0.5 / int(row[\"kernel\"] or 1)"), "inverse"), "--networks", "0")
    run("train", "configs/train/samples.yaml", "-o", a, "--quiet", "--device", "cpu", "--set", "train.steps=4", "--set", "train.batch=8",
        "--set", "train.warmup_steps=0")
    small = ["--quiet", "--set", "search.population=6", "--set", "search.generations=2", "--set", "search.random_paths=2",
             "--set", "search.calibration_images=32", "--set", "search.calibration_batch=16", "--set", "search.evaluation_images=20"]
    run("search", a, *small, "--latency", os.path.join(scratch, "first"), "--latency", other)
    with open(os.path.join(a, "search/search.json")) as file:
        free = json.load(file)
    limits = [sorted(c["devices"][d]["latency_ms"] for c in free["candidates"])[len(free["candidates"]) * 2 // 3] for d in range(2)]
    words = ["search", a, *small, "--resume", "never", "--latency", os.path.join(scratch, "first"), "--limit-latency", repr(limits[0]),
             "--latency", other, "--limit-latency", repr(limits[1]), "--margin", "1"]
    text = run(*words).stdout
    assert text.count("predicted latency") == 2, text
    with open(os.path.join(a, "search/search.json"), "rb") as file:
        first = file.read()
    found = json.loads(first)
    assert len(found["limits"]["devices"]) == 2
    for candidate in found["candidates"]:
        for d in range(2):
            assert candidate["devices"][d]["latency_ms"] <= limits[d] * (1 + 1e-12), candidate
    measured_as_exported(scratch, a)
    # A list in the configuration must give the same result as the command line.
    with open(os.path.join(a, "config.yaml")) as file:
        config = re.sub(r"\nlatency:\n(  .*\n)+", "\n", file.read())
    config += (f"latency:\n  - {{device: {scratch}/first, limit_ms: {limits[0]!r}}}\n"
               f"  - {{device: {other}, limit_ms: {limits[1]!r}, margin: 1}}\n")
    listed = write(os.path.join(scratch, "listed.yaml"), config)
    run("search", a, *small, "--resume", "never", "--config", listed)
    with open(os.path.join(a, "search/search.json"), "rb") as file:
        assert file.read() == first
    done = run("search", a, *small, "--limit-latency", "3", code=2)
    assert "found a limit without a device; give --latency" in done.stderr, done.stderr
    done = run("search", a, *small, "--latency", device, code=3)
    assert "no entry" in done.stderr and "the nearest is" in done.stderr, done.stderr


def main():
    with tempfile.TemporaryDirectory() as scratch:
        device = measured_by_a_runner(scratch)
        networks_that_contradict(scratch)
        devices_beside_the_program(scratch, device)
        table_that_is_wrong(scratch, device)
        bad_input(scratch, device)
        search_on_two_devices(scratch, device)
        calibrated(scratch, device)
        chained_blocks_are_the_network(scratch)


main()
