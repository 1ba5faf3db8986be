#!/usr/bin/env python3
"""Checks exported networks with onnx.checker, and compares onnxruntime's logits at batch 1 and 3 with those of Squall's evaluate
programs. The network's input is computed from pixels as the export describes.

usage: check_exports.py DUMP_EXPORTS SPACES_FOLDER FIXTURES_FOLDER     exit 77: onnxruntime is missing
"""
import json
import os
import subprocess
import sys
import tempfile

try:
    import numpy
    import onnx
    import onnxruntime
    from safetensors.numpy import load_file
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

CASES = (("spos", 64, 5), ("proxyless", 64, 5), ("samples", 28, 5), ("small64", 64, 5), ("hurricane-small", 64, 8), ("tiny", 16, 5))
FIXTURES = (("odd_widths_pad", 9, 3), ("odd_widths_keep", 9, 3), ("oracle_fused_mb", 12, 5), ("oracle_uib", 12, 6))
# (mode, operator set). onnxruntime 1.17 supports operator sets up to 20. Only the small spaces are checked with the larger sets, because
# the translation is the same for all spaces.
FEW, ALL = (("fold", 13), ("unfold", 13)), (("fold", 13), ("unfold", 13), ("bgr", 15), ("raw", 18), ("unfold", 20))


def as_input(images, said):
    """Converts RGB pixels (n, h, w, 3) to the network's input. `said` is the export's description of the input."""
    pixels = images[..., ::-1] if said["channel_order"] == "BGR" else images
    pixels = pixels / {"0..1": 255.0, "0..255": 1.0}[said["range"]]
    return ((pixels - numpy.array(said["mean"])) / numpy.array(said["std"])).transpose(0, 3, 1, 2).astype(numpy.float32)


def check(folder, mode, opset):
    path = os.path.join(folder, "model.onnx")
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert all(entry.domain in ("", "ai.onnx") for entry in model.opset_import) and model.opset_import[0].version == opset
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    for key in ("arch", "space", "classes", "mean", "std", "channel_order", "input_range", "resolution", "crop_fraction"):
        assert key in metadata, key
    said = {"channel_order": metadata["channel_order"], "range": metadata["input_range"], "mean": json.loads(metadata["mean"]),
            "std": json.loads(metadata["std"])}
    with open(os.path.join(folder, "arch.json")) as file:
        arch = json.load(file)
    assert all(arch["input"][key] == value for key, value in said.items()), (arch["input"], said)
    assert arch["tuple"] == metadata["arch"] == "(" + ", ".join(map(str, arch["arch"])) + ")"
    assert said["channel_order"] == ("BGR" if mode in ("bgr", "raw") else "RGB") and said["range"] == ("0..255" if mode == "raw" else "0..1")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    shape = session.get_inputs()[0].shape
    assert shape[0] == "batch" and session.get_outputs()[0].name == "output", shape
    images = numpy.fromfile(os.path.join(folder, "images.raw"), numpy.uint8).reshape(3, *shape[2:], 3)
    data = as_input(images, said)
    wanted = numpy.fromfile(os.path.join(folder, "logits.raw"), numpy.float32).reshape(3, -1)
    worst = 0
    for count in (1, 3):
        found = session.run(None, {"input": data[:count]})[0]
        worst = max(worst, numpy.linalg.norm(found - wanted[:count]) / numpy.linalg.norm(wanted[:count]))
    assert worst <= 1e-4, worst
    worst = max(worst, check_layers(folder, data, wanted))
    weights = load_file(os.path.join(folder, "model.safetensors"))
    assert all(numpy.isfinite(value).all() for value in weights.values())
    return worst


def check_layers(folder, value, wanted):
    """Runs the models of the single layers one after the other. The last output must equal the network's logits."""
    for name in sorted(os.listdir(folder)):
        if not name.startswith("layer_"):
            continue
        model = onnx.load(os.path.join(folder, name))
        onnx.checker.check_model(model, full_check=True)
        if not model.graph.node:  # a skip, which computes nothing
            continue
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        assert session.get_inputs()[0].shape == list(value.shape), (name, value.shape)
        value = session.run(None, {"input": value})[0]
    worst = numpy.linalg.norm(value - wanted) / numpy.linalg.norm(wanted)
    assert worst <= 1e-4, worst
    return worst


def main():
    program, spaces, fixtures = sys.argv[1:4]
    with tempfile.TemporaryDirectory() as scratch:
        for folder, cases in ((spaces, CASES), (fixtures, FIXTURES)):
            for name, resolution, count in cases:
                for mode, opset in FEW if resolution == 64 else ALL:
                    out = os.path.join(scratch, f"{name}-{mode}-{opset}")
                    paths = count if mode == "fold" else 1
                    subprocess.run([program, os.path.join(folder, name + ".yaml"), str(resolution), str(paths), out, mode, str(opset)], check=True)
                    worst = max(check(os.path.join(out, str(i)), mode, opset) for i in range(paths))
                    print(f"{name:16s} {mode:6s} opset {opset} {paths} paths: largest relative error {worst:.1e}")


main()
