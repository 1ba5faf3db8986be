#!/usr/bin/env python3
"""Checks `squall pack` end to end: training from shards, a folder and a tar gives the same bits; a killed pack can be repeated and
gives the same files; a full disk leaves no files; each error is one line.

usage: check_pack.py SQUALL SOURCE_FOLDER
Also packs and trains on Tiny-ImageNet if its tars are in ../shared/datasets/tiny-imagenet-200 or in $SQ_TINY_IMAGENET.
"""
import os
import random
import resource
import signal
import subprocess
import sys
import tarfile
import tempfile
import time

SQUALL, SOURCE = (os.path.abspath(word) for word in sys.argv[1:3])
SAMPLES = os.path.join(SOURCE, "data/samples")
TINY = os.environ.get("SQ_TINY_IMAGENET", os.path.join(SOURCE, "../shared/datasets/tiny-imagenet-200"))


def run(*words, code=0, **more):
    done = subprocess.run([SQUALL, *words], cwd=SOURCE, capture_output=True, text=True, **more)
    assert done.returncode == code, f"{words}: exit {done.returncode}, expected {code}: {done.stderr[-500:]}"
    return done


def read(path):
    with open(path, "rb") as file:
        return file.read()


def files(folder):
    return {name: read(os.path.join(folder, name)) for name in sorted(os.listdir(folder))}


def row(text, name):
    """Returns the value of a row in the output of pack."""
    return next((line.strip()[len(name):].strip() for line in text.splitlines() if line.strip().startswith(name)), None)


def unpack(tars, folder):
    os.makedirs(folder)
    for name in tars:
        subprocess.run(["tar", "-xf", name, "-C", folder], check=True)


def image_folder(root):
    """Returns the (class, name) of each image, in the order of torchvision.datasets.folder.make_dataset."""
    return [(name, os.path.relpath(os.path.join(folder, image), os.path.join(root, name)))
            for name in sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
            for folder, _, images in sorted(os.walk(os.path.join(root, name), followlinks=True)) for image in sorted(images)]


def trained(source, run_folder, config, *more):
    """Trains a few steps on a source. Returns the bytes of the weights, the optimizer state and the log."""
    run("train", config, "-o", run_folder, "--quiet", "--threads", "1", "--device", "cpu", "--set", "data.train=" + source, *more)
    last = os.path.join(run_folder, "last")
    return [read(os.path.join(last, name)) for name in ("model.safetensors", "optim.safetensors")] + [read(os.path.join(run_folder, "log.jsonl"))]


def same_training(scratch, sources, config, *more):
    results = {name: trained(path, os.path.join(scratch, "run-" + name), config, *more) for name, path in sources.items()}
    first, *rest = results
    for name in rest:
        assert results[name] == results[first], f"training from {name} differs from training from {first}"


def samples(scratch):
    shards, folder = os.path.join(scratch, "shards"), os.path.join(scratch, "folder")
    text = run("pack", SAMPLES, shards, "--shard-mb", "1").stdout
    assert "3000 of 10 classes" in text and "800 of 10 classes" in text and row(text, "grey") == "3000", text
    assert "unusual images" not in text, text
    unpack([os.path.join(SAMPLES, name) for name in ("train.tar", "val.tar")], folder)
    again = os.path.join(scratch, "again")
    run("pack", folder, again, "--shard-mb", "1", "--threads", "3")
    assert files(shards) == files(again), "shards from a folder differ from those of its tar"
    packed = [(label, image) for name in sorted(os.listdir(shards)) if name.startswith("train-0")
              for label, image, _ in records(os.path.join(shards, name))]
    assert packed == image_folder(os.path.join(folder, "train")), "the order differs from ImageFolder's"
    run("pack", shards, again + "2", "--shard-mb", "1")
    assert files(shards) == files(again + "2"), "shards packed again differ"
    few = ["--set", "train.steps=6", "--set", "train.batch=16", "--set", "train.warmup_steps=0", "--set", "train.log_every=1",
           "--set", "data.held_out=0.2", "--set", "data.classes=7"]
    config = os.path.join(SOURCE, "configs/train/samples.yaml")
    same_training(scratch, {"tar": SAMPLES, "folder": folder, "shards": shards}, config, *few)
    verified = run("pack", "--verify", shards).stdout
    assert verified.count("0 differ") == 2, verified
    return shards


def kills(scratch, shards):
    """Kills the command 12 times at random moments. A last run to completion must give exactly the files of an uninterrupted run."""
    out, draw = os.path.join(scratch, "killed"), random.Random(1)
    words = [SQUALL, "pack", SAMPLES, out, "--shard-mb", "1", "--quiet", "--threads", "1"]
    for _ in range(12):
        process = subprocess.Popen(words, cwd=SOURCE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(draw.uniform(0.002, 0.06))
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(words, cwd=SOURCE, check=True, stdout=subprocess.DEVNULL)
    assert files(out) == files(shards), "the files differ after kills"


def full_disk(scratch):
    out = os.path.join(scratch, "full")
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (150000, 150000))
    done = run("pack", SAMPLES, out, "--quiet", code=1, preexec_fn=limit)
    assert done.stderr.count("\n") == 1 and "train-00000.shard: File too large" in done.stderr, done.stderr
    assert os.listdir(out) == [], os.listdir(out)


def damage(scratch, shards):
    """Damages a record. --verify must report the record; training must count it as a bad image and name the record and the shard."""
    broken = os.path.join(scratch, "broken")
    os.mkdir(broken)
    for name, data in files(shards).items():
        if name == "train-00000.shard":
            data = bytearray(data)
            data[200] ^= 1
        with open(os.path.join(broken, name), "wb") as file:
            file.write(data)
    done = run("pack", "--verify", broken, code=3)
    assert "record 0 (0/" in done.stdout and "the checksum differs" in done.stdout and "1 differ" in done.stdout, done.stdout
    assert done.stderr.strip().endswith("1 damaged records"), done.stderr
    folder = os.path.join(scratch, "run-broken")
    run("train", os.path.join(SOURCE, "configs/train/samples.yaml"), "-o", folder, "--quiet", "--set", "data.train=" + broken, "--set",
        "train.steps=190", "--set", "train.batch=16", "--set", "data.held_out=0", "--set", "train.warmup_steps=0", "--device", "cpu")
    bad = read(os.path.join(folder, "bad-images.txt")).decode()
    assert bad.count("\n") == 1 and "train-00000.shard: record 0 (0/" in bad and "checksum" in bad, bad


def other_sources(scratch):
    """Checks more kinds of sources and packs: ImageNet's tar of tars, a flat tar with a list of labels, shrunk and raw shards, and
    sources with one split."""
    folder = os.path.join(scratch, "folder")
    nested, flat, labels = (os.path.join(scratch, name) for name in ("ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar", "val.txt"))
    with tarfile.open(nested, "w") as outer:
        for name in sorted(os.listdir(os.path.join(folder, "train")), reverse=True):
            inner = os.path.join(scratch, name + ".tar")
            with tarfile.open(inner, "w") as file:
                for image in os.listdir(os.path.join(folder, "train", name)):
                    file.add(os.path.join(folder, "train", name, image), image)
            outer.add(inner, name + ".tar")
    with tarfile.open(flat, "w") as file, open(labels, "w") as list_file:
        for name in sorted(os.listdir(os.path.join(folder, "val"))):
            for image in os.listdir(os.path.join(folder, "val", name)):
                file.add(os.path.join(folder, "val", name, image), f"{name}-{image}")
                list_file.write(f"{name}-{image} {name}\n")
    packed = os.path.join(scratch, "imagenet")
    assert run("pack", nested, packed, "--shard-mb", "1").stdout.startswith("train\n")
    assert files(packed)["train-00000.shard"] == read(os.path.join(scratch, "shards/train-00000.shard"))
    numbers = os.path.join(scratch, "numbers.txt")
    with open(numbers, "w") as file:
        file.write("".join(f"{i} digit\n" for i in range(10)))
    text = run("pack", flat, packed, "--val-labels", labels, "--classes", numbers).stdout
    assert text.startswith("val\n") and "800 of 10 classes" in text, text
    done = run("pack", flat, packed + "2", code=3)
    assert "no images: expected train/<class>/<image>" in done.stderr, done.stderr
    raw = os.path.join(scratch, "raw")
    text = run("pack", SAMPLES, raw, "--side", "20", "--raw", "--crop", "--split", "val").stdout
    assert row(text, "re-encoded") == "800: raw uint8", text
    assert 800 * 1200 < os.path.getsize(os.path.join(raw, "val-00000.shard")) < 800 * 1400
    assert "0 differ" in run("pack", "--verify", raw).stdout


def bad_input(scratch, shards):
    out = os.path.join(scratch, "never")
    cases = [
        (["pack", SAMPLES], 2, "expected SRC and DST"),
        (["pack", "--verify"], 2, "expected SRC and DST, or one folder with --verify"),
        (["pack", "--verify", SAMPLES], 3, "no shards"),
        (["pack", "/no/such", out], 3, "/no/such: No such file"),
        (["pack", SAMPLES, out, "--raw"], 2, "--raw and --crop need --side"),
        (["pack", SAMPLES, out, "--side", "20", "--raw", "--quality", "80"], 2, "--quality: needs --side and excludes --raw"),
        (["pack", SAMPLES, out, "--side", "20", "--quality", "101"], 2, "--quality: found '101', expected"),
        (["pack", SAMPLES, out, "--split", "test"], 2, "--split: found 'test', expected train or val"),
        (["pack", SAMPLES, out, "--qualty", "20"], 2, "did you mean '--quality'?"),
        (["pack", SAMPLES, out, "--seed", "3"], 2, "unknown option '--seed'"),
        (["pack", SAMPLES, shards, "--side", "20"], 2, "of other images or options"),
        (["pack", shards, out, "--val-labels", "x"], 3, "a folder of packed shards has its own labels"),
        (["pack", SAMPLES, "/dev/null/x"], 1, "/dev/null"),
    ]
    for words, code, text in cases:
        done = run(*words, code=code)
        lines = done.stderr.strip().splitlines()
        assert lines and text in lines[-1] and (len(lines) == 1 or lines[0].startswith("train: ")), f"{words}: {done.stderr!r}, expected {text!r}"


def stopped(scratch, shards):
    """Sends SIGTERM after the first shard. Expects exit code 75, and that the repeated command keeps the finished shard."""
    out = os.path.join(scratch, "stopped")
    words = [SQUALL, "pack", TINY, out, "--quiet", "--threads", "1"]
    process = subprocess.Popen(words, cwd=SOURCE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while not os.path.exists(os.path.join(out, "train-00000.shard")):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)
    text = process.communicate()[1]
    assert process.returncode == 75 and "shards of split train; repeat the command to resume" in text, (process.returncode, text)
    assert not [name for name in os.listdir(out) if name.endswith(".tmp")], os.listdir(out)
    before = os.stat(os.path.join(out, "train-00000.shard")).st_mtime_ns
    subprocess.run(words, cwd=SOURCE, check=True, stdout=subprocess.DEVNULL)
    assert files(out) == files(shards) and os.stat(os.path.join(out, "train-00000.shard")).st_mtime_ns == before


def tiny_imagenet(scratch):
    """Packs and verifies all 60,000 images, reads them back, and trains a few steps from tars, a folder and shards."""
    if not os.path.isdir(TINY):
        print("skipped: no ../shared/datasets/tiny-imagenet-200")
        return
    shards, folder = os.path.join(scratch, "tiny"), os.path.join(scratch, "tiny-folder")
    text = run("pack", TINY, shards).stdout
    assert "50000 of 200 classes" in text and "10000 of 200 classes" in text and not row(text, "undecodable"), text
    assert run("pack", "--verify", shards).stdout.count("0 differ") == 2
    stopped(scratch, shards)
    unpack([os.path.join(TINY, name) for name in sorted(os.listdir(TINY)) if name.endswith(".tar")], folder)
    for split, count in (("train", 50000), ("val", 10000)):
        found = 0
        for name in sorted(os.listdir(shards)):
            if name.startswith(split) and name.endswith(".shard"):
                for label, image, data in records(os.path.join(shards, name)):
                    assert data == read(os.path.join(folder, split, label, image)), (label, image)
                    found += 1
        assert found == count, found
    few = ["--set", "train.steps=4", "--set", "train.batch=16", "--set", "train.warmup_steps=0", "--set", "train.log_every=1"]
    config = os.path.join(SOURCE, "configs/train/tiny-imagenet10.yaml")
    same_training(scratch, {"tiny-tar": TINY, "tiny-folder": folder, "tiny-shards": shards}, config, *few)
    print("Tiny-ImageNet: 60,000 images packed, verified and read back; training gives the same bits from tars, a folder and shards")


def records(path):
    """Yields (class, name, bytes) of each record. The format is described in data/sources/shard.h."""
    data = read(path)
    number = lambda at, size: int.from_bytes(data[at:at + size], "little")
    assert data[:8] == b"SQSHARD\n" and number(8, 4) == 1
    class_count, count = number(28, 4), number(32, 8)
    classes_at, names_at, index_at = (number(at, 8) for at in (64, 72, 80))
    classes = data[classes_at:names_at].split(b"\0")
    for i in range(count):
        at = index_at + 48 * i
        offset, size, name_at, label = number(at, 8), number(at + 8, 8), number(at + 24, 8), number(at + 32, 4)
        begin = names_at + name_at
        assert label < class_count
        yield classes[label].decode(), data[begin:data.index(b"\0", begin)].decode(), data[offset:offset + size]


def main():
    with tempfile.TemporaryDirectory() as scratch:
        shards = samples(scratch)
        kills(scratch, shards)
        full_disk(scratch)
        damage(scratch, shards)
        other_sources(scratch)
        bad_input(scratch, shards)
        tiny_imagenet(scratch)
    print("pack: same bits from every source, with and without kills; damage and bad input are reported")


main()
