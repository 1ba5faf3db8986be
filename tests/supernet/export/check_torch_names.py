#!/usr/bin/env python3
"""Checks that PyTorch loads an exported safetensors file strictly into a module with the published names and computes Squall's logits.

usage: check_torch_names.py DUMP_EXPORTS SPACES_FOLDER ORACLE_FOLDER     exit 77: PyTorch is missing
"""
import json
import os
import struct
import subprocess
import sys
import tempfile

try:
    import numpy
    import torch
    import yaml
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

sys.path.insert(0, sys.argv[3])
from networks import Network, Proxyless  # noqa: E402


def load(path):
    with open(path, "rb") as file:
        data = file.read()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__")
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        values = numpy.frombuffer(data[8 + size + begin:8 + size + end], numpy.float32).reshape(entry["shape"])
        tensors[name] = torch.from_numpy(values.copy())
    return tensors


def main():
    program, spaces = sys.argv[1:3]
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        for name, resolution in (("spos", 64), ("proxyless", 64), ("samples", 28), ("hurricane-small", 32), ("tiny", 16),
                                 ("../../tests/fixtures/oracle_fused_mb", 12), ("../../tests/fixtures/oracle_uib", 12)):
            out = os.path.join(scratch, os.path.basename(name))
            subprocess.run([program, os.path.join(spaces, name + ".yaml"), str(resolution), "2", out, "fold", "13"], check=True)
            with open(os.path.join(spaces, name + ".yaml")) as file:
                space = yaml.safe_load(file)
            for i in range(2):
                folder = os.path.join(out, str(i))
                with open(os.path.join(folder, "arch.json")) as file:
                    said = json.load(file)
                arch = said["arch"]
                net = (Proxyless if space["naming"] == "proxyless" else Network)(space, arch).eval()
                weights = load(os.path.join(folder, "model.safetensors"))
                missing = [key for key in net.state_dict() if key not in weights and not key.endswith("num_batches_tracked")]
                unknown = [key for key in weights if key not in net.state_dict()]
                assert not missing and not unknown, (missing[:3], unknown[:3])
                net.load_state_dict(weights, strict=False)
                images = numpy.fromfile(os.path.join(folder, "images.raw"), numpy.uint8).reshape(3, resolution, resolution, 3) / 255
                pixels = (images - said["input"]["mean"]) / said["input"]["std"]
                data = torch.from_numpy(pixels.transpose(0, 3, 1, 2).astype(numpy.float32))
                wanted = numpy.fromfile(os.path.join(folder, "logits.raw"), numpy.float32).reshape(3, -1)
                found = net(data).detach().numpy()
                error = numpy.linalg.norm(found - wanted) / numpy.linalg.norm(wanted)
                assert error <= 1e-4, error
                print(f"{name} path {i}: {len(weights)} tensors, relative error {error:.1e}")


main()
