#!/usr/bin/env python3
"""Checks that the current kernels have run on a GPU. The evidence is the file tests/gpu-verified.json, which tests/run-gpu writes.

usage: tests/kernels/compiled/check_gpu_verified.py [--hash]     --hash: only print the hash of kernels/cuda
Exit 0: verified; 77: not verified, with the reason. The check never fails, because most machines have no GPU.
"""
import hashlib
import json
import os
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDER = os.path.join(os.path.dirname(TESTS), "kernels", "cuda")


def kernels_hash():
    digest = hashlib.sha256()
    paths = (os.path.join(folder, name) for folder, _, names in os.walk(FOLDER) for name in names if not name.endswith(".md"))
    for name in sorted(os.path.relpath(path, FOLDER) for path in paths):
        with open(os.path.join(FOLDER, name), "rb") as file:
            digest.update(name.encode() + b"\0" + file.read() + b"\0")
    return digest.hexdigest()


def reason():
    """Returns (the reason why the kernels are not verified, None) or (None, the record of gpu-verified.json)."""
    try:
        with open(os.path.join(TESTS, "gpu-verified.json")) as file:
            record = json.load(file)
    except OSError:
        return "tests/gpu-verified.json is missing; tests/run-gpu writes it", None
    except ValueError as error:
        return f"tests/gpu-verified.json: {error}", None
    if record.get("kernels_hash") != kernels_hash():
        return f"kernels/cuda changed since {record.get('date')} ({record.get('device')}, commit {record.get('commit')})", None
    if record.get("failed"):
        return f"failed on {record.get('device')}, {record.get('date')}: {', '.join(record['failed'])}", None
    if "smoke" not in record.get("passed", ()):
        return "tests/gpu-verified.json has no smoke test; run tests/run-gpu again", None
    return None, record


def main():
    if sys.argv[1:] == ["--hash"]:
        print(kernels_hash())
        return
    why, record = reason()
    if why:
        print(f"not verified on a GPU: {why}")
        sys.exit(77)
    print(f"current kernels are verified on {record['device']}, {record['date']}: {len(record['passed'])} checks passed")


main()
