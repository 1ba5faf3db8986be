#!/usr/bin/env python3
"""Runs the scripts of tools/measure on small ONNX models. Checks the printed lines, the description of the runtime, and that each error
gives one clear line.

usage: check_runners.py SOURCE_FOLDER     exit 77: a package is missing
"""
import importlib.util
import os
import subprocess
import sys
import tempfile

try:
    import numpy
    import onnx
    from onnx import TensorProto, helper, numpy_helper
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)


def write_model(path, channels, batch, dtype=TensorProto.FLOAT):
    """Writes a model that casts an 8 x 8 x 3 input to float32 and applies a 3x3 convolution."""
    weights = numpy_helper.from_array(numpy.full((channels, 3, 3, 3), 0.1, numpy.float32), "weights")
    nodes = [helper.make_node("Cast", ["input"], ["cast"], to=TensorProto.FLOAT),
             helper.make_node("Conv", ["cast", "weights"], ["output"], pads=[1, 1, 1, 1])]
    graph = helper.make_graph(nodes, "block", [helper.make_tensor_value_info("input", dtype, [batch, 3, 8, 8])],
                              [helper.make_tensor_value_info("output", TensorProto.FLOAT, [batch, channels, 8, 8])], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, path)


def run(script, *arguments, environment=None):
    return subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True,
                          env={**os.environ, **(environment or {})})


def write_list(folder, *paths):
    path = os.path.join(folder, "list.txt")
    with open(path, "w") as file:
        file.write("".join(p + "\n" for p in paths))
    return path


def check_times(script, folder):
    models = [os.path.join(folder, name) for name in ("fixed.onnx", "open batch.onnx", "bytes.onnx")]
    write_model(models[0], 4, 1)
    write_model(models[1], 8, "batch")
    write_model(models[2], 4, 2, TensorProto.UINT8)
    done = run(script, "--list", write_list(folder, *models), "--threads", "1", "--warmup", "1", "--repeats", "12", "--batch", "2")
    assert done.returncode == 0, done.stderr
    names = []
    for line in done.stdout.splitlines():
        name, milliseconds = line.split("\t")
        assert 0 < float(milliseconds) < 1e6, line
        names.append(name)
    assert sorted(names) == sorted(12 * [os.path.basename(model) for model in models]), names


def check_failure(script, words, *arguments, environment=None):
    done = run(script, *arguments, environment=environment)
    last = done.stderr.rstrip().splitlines()[-1]
    assert done.returncode == 1 and words in last, (done.returncode, done.stderr)
    assert last.startswith(os.path.basename(script) + ": ") and not done.stdout, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr, done.stderr


def check_failures(script, folder, package):
    broken, unknown = os.path.join(folder, "broken.onnx"), os.path.join(folder, "unknown.onnx")
    with open(broken, "w") as file:
        file.write("no model")
    write_model(unknown, 4, 1)
    model = onnx.load(unknown)
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
    onnx.save(model, unknown)
    check_failure(script, broken, "--list", write_list(folder, broken))
    check_failure(script, "expected no open dimension but the first", "--list", write_list(folder, unknown))
    check_failure(script, "nowhere.onnx: no such file", "--list", write_list(folder, "nowhere.onnx"))
    check_failure(script, "no models in it", "--list", write_list(folder))
    check_failure(script, "No such file", "--list", os.path.join(folder, "nowhere.txt"))
    with open(os.path.join(folder, package + ".py"), "w") as file:
        file.write("raise ImportError('not there')\n")
    check_failure(script, f"{package} is not installed: pip install {package}", "--info", environment={"PYTHONPATH": folder})
    assert run(script).returncode == 2 and run(script, "--list", "x", "--repeats", "0").returncode == 2


def check_info(script, package):
    done = run(script, "--info")
    said = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    assert done.returncode == 0 and said["runtime"] == package and said["version"] and said["device"], (done.stdout, done.stderr)
    return f"{said['runtime']} {said['version']}, {said['device']}"


def main():
    root, found = sys.argv[1], 0
    for package in ("onnxruntime", "openvino"):
        if not importlib.util.find_spec(package):
            print(f"skipped: {package} is not installed")
            continue
        script = os.path.join(root, "tools/measure", package + "_models.py")
        with tempfile.TemporaryDirectory() as folder:
            print(check_info(script, package))
            check_times(script, folder)
            check_failures(script, folder, package)
        found += 1
    sys.exit(0 if found else 77)


main()
