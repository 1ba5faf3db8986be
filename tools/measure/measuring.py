"""Shared parts of the scripts that time models: options, the measuring loop, the output.

The script of a runtime provides load(path, options), which returns (run, feed). run() makes one inference. feed has the inputs of run(),
which must stay alive. The scripts open as many models of the list at once as fit into half of the free memory, and run these models in
turn, so that a disturbance affects all of them. Blocks of ten runs of one model gave medians with three times the uncertainty in the same
time, because disturbances last for many runs. An uncounted run precedes each counted run of a model, so that the caches hold this model
and not the previous one. Output is printed after the measurement.
"""
import argparse
import gc
import os
import sys
from time import perf_counter_ns


class Unusable(Exception):
    """An error that the user can fix. The text of the error is one line."""


def options_of(description, arguments=None):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--list", metavar="FILE", help="a model's path per line")
    parser.add_argument("--threads", type=int, default=1, help="0: the runtime's choice (default 1)")
    parser.add_argument("--warmup", type=int, default=5, help="runs of each model before any is counted (default 5)")
    parser.add_argument("--repeats", type=int, default=50, help="runs of each model that count (default 50)")
    parser.add_argument("--batch", type=int, default=1, help="size of an open first dimension of the inputs (default 1)")
    parser.add_argument("--device", default="CPU", help="device of the runtime (default CPU)")
    parser.add_argument("--info", action="store_true", help="print runtime, version and device instead")
    options = parser.parse_args(arguments)
    for name, least in (("threads", 0), ("warmup", 0), ("repeats", 1), ("batch", 1)):
        if getattr(options, name) < least:
            parser.error(f"--{name} {getattr(options, name)}: expected at least {least}")
    if not options.info and not options.list:
        parser.error("expected --list FILE or --info")
    return options


def shape_of(dimensions, batch):
    """Returns the shape of an input as a list of sizes. `batch` replaces an open first dimension; another open dimension is an error."""
    shape = [d if isinstance(d, int) and d > 0 else batch if i == 0 else 0 for i, d in enumerate(dimensions)]
    if 0 in shape:
        raise Unusable(f"input of shape {list(dimensions)}: expected no open dimension but the first")
    return shape


def random_input(shape, dtype):
    """Returns random values of type `dtype`. The values are random because a runtime may be faster on zeros and slower on denormal numbers."""
    import numpy
    generator = numpy.random.default_rng(1)
    if numpy.issubdtype(dtype, numpy.floating):
        return generator.standard_normal(shape).astype(dtype)
    if numpy.issubdtype(dtype, numpy.integer):
        return generator.integers(0, 100, shape).astype(dtype)
    return generator.integers(0, 2, shape).astype(dtype)


def cpu_name():
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith(("model name", "Hardware", "Model")):
                return line.split(":", 1)[1].strip()
    return os.uname().machine


def free_memory():
    with open("/proc/meminfo") as file:
        for line in file:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1])
    return 0


def measure(models, options):
    """Runs the models, a list of (name, run, feed), in turn. Returns {name: nanoseconds of each counted run, in the order of the runs}."""
    times = {name: [] for name, _, _ in models}
    for _, run, _ in models:
        for _ in range(options.warmup):
            run()
    gc.disable()
    for _ in range(options.repeats):
        for name, run, _ in models:
            if options.warmup:
                run()
            begin = perf_counter_ns()
            run()
            times[name].append(perf_counter_ns() - begin)
    gc.enable()
    return times


def read_list(path):
    try:
        with open(path) as file:
            paths = [line.rstrip("\n") for line in file if line.strip()]
    except OSError as error:
        raise Unusable(f"{path}: {error.strerror}")
    if not paths:
        raise Unusable(f"{path}: no models in it")
    for model in paths:
        if not os.path.isfile(model):
            raise Unusable(f"{model}: no such file")
    return paths


def open_models(paths, load, options):
    """Removes models from the front of `paths` and opens them until half of the memory that was free is used. Opens at least one model.
    Returns [(name, run, feed)]."""
    models, least = [], free_memory() // 2
    while paths and (not models or free_memory() > least):
        path = paths.pop(0)
        try:
            run, feed = load(path, options)
            run()
        except Unusable as error:
            raise Unusable(f"{path}: {error}")
        except Exception as error:  # the runtimes have different exception classes, often without a common base
            raise Unusable(f"{path}: {' '.join(str(error).split())[:300]}")
        models.append((os.path.basename(path), run, feed))
    return models


def main(description, name, version, load):
    options = options_of(description)
    try:
        if options.info:
            device = cpu_name() if options.device == "CPU" else options.device
            print(f"runtime: {name}\nversion: {version()}\ndevice: {device}")
            return 0
        paths = read_list(options.list)
        while paths:
            for model, times in measure(open_models(paths, load, options), options).items():
                for nanoseconds in times:
                    print(f"{model}\t{nanoseconds * 1e-6:.6f}")
    except Unusable as error:
        print(f"{os.path.basename(sys.argv[0])}: {error}", file=sys.stderr)
        return 1
    return 0
