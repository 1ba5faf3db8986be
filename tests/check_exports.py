#!/usr/bin/env python3
"""Checks exported networks against what Squall's evaluate programs say: onnx.checker, onnxruntime's logits at batch 1 and 3.

usage: check_exports.py DUMP_EXPORTS SPACES_FOLDER FIXTURES_FOLDER     exit 77: onnxruntime is not there
"""
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

CASES = (("spos", 64, 5), ("proxyless", 64, 5), ("samples", 28, 5), ("small64", 64, 5), ("tiny", 16, 5))
FIXTURES = (("odd_widths_pad", 9, 3), ("odd_widths_keep", 9, 3))


def check(folder):
    path = os.path.join(folder, "model.onnx")
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert all(entry.domain in ("", "ai.onnx") for entry in model.opset_import) and model.opset_import[0].version == 13
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    for key in ("arch", "space", "classes", "mean", "std", "channel_order", "input_range", "resolution", "crop_fraction"):
        assert key in metadata, key
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    shape = session.get_inputs()[0].shape
    assert shape[0] == "batch" and session.get_outputs()[0].name == "output", shape
    data = numpy.fromfile(os.path.join(folder, "input.raw"), numpy.float32).reshape(3, *shape[1:])
    wanted = numpy.fromfile(os.path.join(folder, "logits.raw"), numpy.float32).reshape(3, -1)
    worst = 0
    for count in (1, 3):
        found = session.run(None, {"input": data[:count]})[0]
        worst = max(worst, numpy.linalg.norm(found - wanted[:count]) / numpy.linalg.norm(wanted[:count]))
    assert worst <= 1e-4, worst
    weights = load_file(os.path.join(folder, "model.safetensors"))
    assert all(numpy.isfinite(value).all() for value in weights.values())
    return worst


def main():
    program, spaces, fixtures = sys.argv[1:4]
    with tempfile.TemporaryDirectory() as scratch:
        for folder, cases in ((spaces, CASES), (fixtures, FIXTURES)):
            for name, resolution, count in cases:
                for fold in ("fold", "unfold"):
                    out = os.path.join(scratch, name + fold)
                    paths = count if fold == "fold" else 1
                    subprocess.run([program, os.path.join(folder, name + ".yaml"), str(resolution), str(paths), out, fold], check=True)
                    worst = max(check(os.path.join(out, str(i))) for i in range(paths))
                    print(f"{name:16s} {fold:6s} {paths} paths: largest relative error {worst:.1e}")


main()
