#!/usr/bin/env python3
"""Times ONNX models with onnxruntime on the CPU: one line 'NAME<TAB>milliseconds' per run.

usage: onnxruntime_models.py --list FILE [--threads N] [--warmup W] [--repeats R] [--batch B]
       onnxruntime_models.py --info

The session has N intra-op threads (0: onnxruntime's choice), one inter-op thread, sequential execution and all graph
optimisations. Threads spin while they wait inside a run (session.intra_op.allow_spinning 1, onnxruntime's default), but not
between runs (session.force_spinning_stop 1), so that the threads of one model do not take the cores of the next model. Inputs
are bound once. Python and the binding add the same few microseconds to each run of every model.
"""
import sys

import measuring

TYPES = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64", "tensor(int8)": "int8",
         "tensor(uint8)": "uint8", "tensor(int16)": "int16", "tensor(uint16)": "uint16", "tensor(int32)": "int32",
         "tensor(int64)": "int64", "tensor(bool)": "bool"}


def package():
    try:
        import onnxruntime
    except ImportError:
        raise measuring.Unusable("onnxruntime is not installed: pip install onnxruntime")
    return onnxruntime


def load(path, options):
    import numpy
    onnxruntime = package()
    if options.device != "CPU":
        raise measuring.Unusable(f"--device {options.device}: expected CPU")
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    settings.inter_op_num_threads = 1
    settings.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    settings.add_session_config_entry("session.intra_op.allow_spinning", "1")
    settings.add_session_config_entry("session.force_spinning_stop", "1")
    settings.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
    binding, feed = session.io_binding(), []
    for entry in session.get_inputs():
        if entry.type not in TYPES:
            raise measuring.Unusable(f"input {entry.name} of type {entry.type}: expected one of {', '.join(TYPES)}")
        data = measuring.random_input(measuring.shape_of(entry.shape, options.batch), numpy.dtype(TYPES[entry.type]))
        feed.append(onnxruntime.OrtValue.ortvalue_from_numpy(data))
        binding.bind_ortvalue_input(entry.name, feed[-1])
    for entry in session.get_outputs():
        binding.bind_output(entry.name)
    return (lambda: session.run_with_iobinding(binding)), feed


if __name__ == "__main__":
    sys.exit(measuring.main(__doc__.splitlines()[0], "onnxruntime", lambda: package().__version__, load))
