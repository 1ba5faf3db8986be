#!/usr/bin/env python3
"""Times ONNX models (or OpenVINO's own .xml) with OpenVINO: one line 'NAME<TAB>milliseconds' per run.

usage: openvino_models.py --list FILE [--threads N] [--warmup W] [--repeats R] [--batch B] [--device D]
       openvino_models.py --info [--device D]

The default device is CPU. Other devices are GPU and, with OpenVINO 2022.3 LTS, MYRIAD. The performance hint is LATENCY; on a CPU
there is one stream with N threads (0: OpenVINO's choice). Inputs are set once. Each run is one synchronous infer() that copies no
output.
"""
import inspect
import sys

import measuring


def package():
    try:
        import openvino
    except ImportError:
        raise measuring.Unusable("openvino is not installed: pip install openvino")
    if hasattr(openvino, "Core"):
        return openvino
    import openvino.runtime  # the API of OpenVINO 2022
    return openvino.runtime


def version():
    openvino = package()
    return openvino.get_version() if hasattr(openvino, "get_version") else openvino.__version__


def settings_of(options):
    settings = {"PERFORMANCE_HINT": "LATENCY"}
    if options.device == "CPU":
        settings["NUM_STREAMS"] = "1"
        if options.threads:
            settings["INFERENCE_NUM_THREADS"] = str(options.threads)
    return settings


def load(path, options):
    openvino = package()
    core = openvino.Core()
    model = core.read_model(path)
    shapes = {}
    for i, entry in enumerate(model.inputs):
        dimensions = [-1 if d.is_dynamic else d.get_length() for d in entry.get_partial_shape()]
        shapes[i] = measuring.shape_of(dimensions, options.batch)
    model.reshape(shapes)
    request = core.compile_model(model, options.device, settings_of(options)).create_infer_request()
    feed = []
    for i, entry in enumerate(model.inputs):
        data = measuring.random_input(shapes[i], entry.get_element_type().to_dtype())
        feed.append(openvino.Tensor(data))
        request.set_input_tensor(i, feed[-1])
    if "share_outputs" in inspect.signature(request.infer).parameters:
        return (lambda: request.infer(share_outputs=True)), feed
    return request.infer, feed


if __name__ == "__main__":
    sys.exit(measuring.main(__doc__.splitlines()[0], "openvino", version, load))
