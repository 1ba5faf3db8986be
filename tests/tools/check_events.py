#!/usr/bin/env python3
"""Checks the TensorBoard event files of a training that was stopped and resumed, and of its search. Reads the files with a small reader and, if
the tensorboard package is installed, also with that package.

usage: check_events.py SQUALL SOURCE_FOLDER
"""
import glob
import json
import os
import struct
import subprocess
import sys
import tempfile

SQUALL, SOURCE = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
SHORT = ["--set", "train.batch=16", "--set", "train.log_every=10", "--set", "train.checkpoint_every=20", "--set", "train.warmup_steps=0", "--threads", "1", "--quiet"]


def crc32c(data):
    table = []
    for i in range(256):
        for _ in range(8):
            i = i >> 1 ^ (0x82F63B78 if i & 1 else 0)
        table.append(i)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


def masked(data):
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def fields(data):
    """Yields (field number, value) of each field of a protobuf message. A value is an integer or bytes."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
    while at < len(data):
        key = varint()
        kind = key & 7
        if kind == 0:
            value = varint()
        else:
            size = {1: 8, 5: 4}.get(kind) or varint()
            value = data[at:at + size]
            assert len(value) == size
            at += size
        yield key >> 3, value


def events(path):
    """Returns (step, tag, number or text) of each event of a file. Checks the checksums and that the first event has the version. A session start is
    (step, "session", "start")."""
    with open(path, "rb") as file:
        data = file.read()
    at, out = 0, []
    while at < len(data):
        length, crc = struct.unpack_from("<QI", data, at)
        assert crc == masked(data[at:at + 8]), path
        message = data[at + 12:at + 12 + length]
        assert struct.unpack_from("<I", data, at + 12 + length)[0] == masked(message), path
        at += 16 + length
        event = dict(fields(message))
        assert struct.unpack("<d", event[1])[0] > 1.7e9
        step = event.get(2, 0)
        if 3 in event:
            assert event[3] == b"brain.Event:2" and not out
        elif 7 in event:
            assert dict(fields(event[7])) == {1: 1}
            out.append((step, "session", "start"))
        else:
            value = dict(fields(dict(fields(event[5]))[1]))
            if 2 in value:
                out.append((step, value[1].decode(), struct.unpack("<f", value[2])[0]))
            else:
                assert dict(fields(dict(fields(value[9]))[1])) == {1: b"text"}
                tensor = dict(fields(value[8]))
                assert tensor[1] == 7
                out.append((step, value[1].decode(), tensor[8].decode()))
    return out


def run(*words, code=0):
    done = subprocess.run([SQUALL, *words], cwd=SOURCE, capture_output=True, text=True)
    assert done.returncode == code, f"{words}: exit {done.returncode}, expected {code}: {done.stderr[-400:]}"


def with_tensorboard(folder, log):
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    except ImportError:
        print("skipped: the comparison with tensorboard (it is not installed)")
        return
    seen = EventAccumulator(folder)
    seen.Reload()
    assert [point.step for point in seen.Scalars("train/loss")] == [line["step"] for line in log]
    assert "network/text_summary" in seen.Tags()["tensors"] or "network" in seen.Tags()["tensors"], seen.Tags()
    print("tensorboard reads the same")


def main():
    assert crc32c(b"123456789") == 0xE3069283
    with tempfile.TemporaryDirectory() as scratch:
        folder = os.path.join(scratch, "run")
        config = "configs/train/samples.yaml"
        run("train", config, "-o", folder, "--set", "train.steps=40", *SHORT)
        first = glob.glob(os.path.join(folder, "events.out.tfevents.*"))
        assert len(first) == 1
        run("train", config, "-o", folder, "--set", "train.steps=60", "--set", "train.schedule=constant", "--resume", "auto", *SHORT)
        second = [path for path in glob.glob(os.path.join(folder, "events.out.tfevents.*")) if path not in first]
        assert len(second) == 1
        a, b = events(first[0]), events(second[0])
        assert b[0] == (41, "session", "start") and a[0][1] == "network" and "| 1 | 14 x 14 | 32 | `shuffle_3x3`, `shuffle_5x5`" in a[0][2], (a[0], b[0])
        with open(os.path.join(folder, "log.jsonl")) as file:
            log = [line for line in map(json.loads, file) if line["event"] == "step"]
        assert [line["step"] for line in log] == [10, 20, 30, 40, 50, 60]
        for tag, key in (("train/loss", "loss"), ("train/top1_acc", "top1_acc"), ("train/lr", "lr")):
            points = [(step, value) for step, name, value in a + b if name == tag]
            assert points == [(line["step"], struct.unpack("<f", struct.pack("<f", line[key]))[0]) for line in log], tag
        assert len([1 for event in a + b if event[1] == "speed/images_per_second" and event[2] > 0]) == 6
        run("search", folder, "--set", "search.population=4", "--set", "search.generations=1", "--set", "search.random_paths=2", "--set", "search.parents=2",
            "--set", "search.crossover=2", "--set", "search.mutation=2", "--set", "search.calibration_images=100", "--set", "search.evaluation_images=50", "--quiet")
        with open(os.path.join(folder, "search/search.json")) as file:
            report = json.load(file)
        found = events(glob.glob(os.path.join(folder, "search/events.out.tfevents.*"))[0])
        best = [value for _, tag, value in found if tag == "search/best_top1_acc"]
        assert len(best) == 8 and best == sorted(best) and abs(best[-1] - report["candidates"][report["best"]]["top1_acc"]) < 1e-6
        assert found[-1][1] == "network" and found[-1][0] == report["best"] and "," not in found[-1][2]
        with_tensorboard(folder, log)
    print("events agree with log.jsonl and search.json")


main()
