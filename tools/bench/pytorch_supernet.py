#!/usr/bin/env python3
"""The PyTorch peer of `squall bench step`: single-path supernets at the speed an expert gets, built from configs/spaces.

usage: pytorch_supernet.py --space spos|proxyless [--mode eager|compile] [--batch N] [--steps N] [--json FILE] [--serve]
Prints one JSON object per run. The training uses bfloat16 autocast, channels_last, cudnn.benchmark and fused SGD on the sampled
path alone, and the host does not synchronise inside a block of steps. Step i of a run trains the path that Squall's uniform sampler
draws for (seed, i). Before it runs eager mode, the script times the values of --layout, --split and --norm and selects the fastest
ones; --tune no uses the values of these options. --mode compile calls torch.compile once for each of --paths fixed paths and excludes
the compile time; exit code 77 means that torch.compile is not available. --serve prints {"ready": ...}, then reads one seed per
line from stdin and prints one run for each seed. --print-paths N prints N paths and does not train.
"""
import argparse
import gc
import json
import statistics
import sys
import time

import torch

from pytorch_blocks import CHOICES, KNOBS, Shuffle, Supernet, Unit, draw_path, read_space


def make_optimiser(net):
    weights, vectors = [p for p in net.parameters() if p.dim() > 1], [p for p in net.parameters() if p.dim() <= 1]
    groups = [{"params": weights, "weight_decay": 4e-5}] + ([{"params": vectors, "weight_decay": 0.0}] if vectors else [])
    for kind in ("fused", "foreach", "plain"):
        try:
            optimiser = torch.optim.SGD(groups, lr=1e-4, momentum=0.9, **({} if kind == "plain" else {kind: True}))
            break
        except (TypeError, RuntimeError):
            continue
    for p in net.parameters():  # the fused kernel needs every buffer, also of layers that no path has used yet; zeros are the initial momentum
        optimiser.state[p]["momentum_buffer"] = torch.zeros_like(p)
    return optimiser, kind


class Clock:
    """Time marks: CUDA events on a GPU, the host's clock on a CPU. seconds() waits for the device and returns the time between marks."""

    def __init__(self, device):
        self.device, self.marks = device, []

    def mark(self):
        if self.device.type == "cuda":
            self.marks.append(torch.cuda.Event(enable_timing=True))
            self.marks[-1].record()
        else:
            self.marks.append(time.perf_counter())

    def seconds(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize()
            return [a.elapsed_time(b) / 1000 for a, b in zip(self.marks, self.marks[1:])]
        return [b - a for a, b in zip(self.marks, self.marks[1:])]


class Job:
    def __init__(self, args):
        self.args, self.device = args, torch.device(args.device)
        precision = args.precision or ("bf16" if self.device.type == "cuda" else "fp32")
        self.precision, self.cast = precision, precision == "bf16"
        torch.manual_seed(args.seed)
        torch.backends.cudnn.benchmark = True
        if args.threads:
            torch.set_num_threads(args.threads)
        self.net = Supernet(read_space(args.space)).to(self.device).train()
        if self.cast:
            self.net.scale, self.net.shift = self.net.scale.bfloat16(), self.net.shift.bfloat16()
        side = args.resolution
        self.images = torch.randint(256, (args.batch, side, side, 3), dtype=torch.uint8, device=self.device)
        self.labels = torch.randint(self.net.classes, (args.batch,), device=self.device)
        self.counts = self.net.counts()
        self.last_loss = None

    def loss(self, path):
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.cast):
            return self.net(self.images, self.labels, path)

    def arrange(self, settings):
        """Applies `settings` to KNOBS and the memory layout of the network. Creates a new optimiser, so momentum restarts at 0."""
        KNOBS.update(settings)
        last = KNOBS["layout"] == "channels_last"
        self.net.zero_grad(set_to_none=True)
        self.net.to(memory_format=torch.channels_last if last else torch.contiguous_format)
        self.optimiser, self.optimiser_kind = make_optimiser(self.net)

    def step(self, loss_of, path):
        self.optimiser.zero_grad(set_to_none=True)
        loss = loss_of(path)
        loss.backward()
        self.optimiser.step()
        self.last_loss = loss.detach()

    def cover(self):
        """Trains every choice of every layer at least once, so that cuDNN chooses its kernels and the allocator grows before the timing."""
        for i in range(max(self.counts)):
            path = tuple(i % count for count in self.counts)
            self.step(self.loss, path)

    def probe(self, settings):
        """Returns the seconds that a few steps take with `settings`."""
        self.arrange(settings)
        self.cover()
        clock = Clock(self.device)
        for i in range(4 if self.device.type == "cuda" else 1):
            if i == 1:
                clock.mark()
            self.step(self.loss, draw_path(self.counts, 12345, i))
        for i in range(8 if self.device.type == "cuda" else 1):
            clock.mark()
            self.step(self.loss, draw_path(self.counts, 54321, i))
        clock.mark()
        return sum(clock.seconds())

    def tune(self):
        """Tries the values of one knob after the other and keeps the fastest value of each. Returns the seconds of each tried setting."""
        tried, best, begin = {}, dict(KNOBS), time.monotonic()
        shuffles = any(isinstance(module, Shuffle) for module in self.net.modules())
        plain = any(isinstance(module, Unit) and not module.affine for module in self.net.modules())
        tried["+".join(best.values())] = least = self.probe(best)
        for knob, values in CHOICES.items():
            if (knob == "split" and not shuffles) or (knob == "norm" and not plain):
                continue
            for value in values[1:]:
                if time.monotonic() - begin > self.args.tune_seconds:
                    break
                settings = dict(best, **{knob: value})
                try:
                    seconds = self.probe(settings)
                except RuntimeError as error:  # the setting needs too much memory or is not supported
                    print(f"pytorch_supernet: {settings}: {error}", file=sys.stderr)
                    continue
                finally:
                    gc.collect()
                tried["+".join(settings.values())] = seconds
                if seconds < least:
                    least, best = seconds, settings
        self.arrange(best)
        self.cover()
        return {name: round(seconds, 6) for name, seconds in tried.items()}

    def timed(self, loss_of, path_of):
        """Runs the warm-up steps, then blocks of steps between two time marks. Returns (steps, seconds) of every block."""
        args, clock, sizes = self.args, Clock(self.device), []
        for i in range(args.warmup):
            self.step(loss_of, path_of(i))
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        clock.mark()
        for begin in range(0, args.steps, args.block):
            sizes.append(min(args.block, args.steps - begin))
            for i in range(begin, begin + sizes[-1]):
                self.step(loss_of, path_of(args.warmup + i))
            clock.mark()
        return list(zip(sizes, clock.seconds()))

    def report(self, blocks, **more):
        args, on_gpu = self.args, self.device.type == "cuda"
        rates = [args.batch * steps / seconds for steps, seconds in blocks]
        total = sum(seconds for _, seconds in blocks)
        return {"peer": "pytorch", "space": args.space, "mode": args.mode, "batch": args.batch, "steps": args.steps,
                "warmup": args.warmup, "resolution": args.resolution, "precision": self.precision,
                "images_per_second": statistics.median(rates), "images_per_second_min": min(rates),
                "images_per_second_max": max(rates), "images_per_second_mean": args.batch * sum(s for s, _ in blocks) / total,
                "ms_per_step": 1000 * statistics.median(seconds / steps for steps, seconds in blocks), "blocks": len(blocks),
                "loss": float(self.last_loss),
                "device": torch.cuda.get_device_name() if on_gpu else "cpu", "torch": torch.__version__,
                "cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version() if on_gpu else None,
                "peak_memory_bytes": torch.cuda.max_memory_allocated() if on_gpu else None,
                "optimiser": self.optimiser_kind, "knobs": dict(KNOBS), **more}

    def eager(self, seed, **more):
        self.cover()
        blocks = self.timed(self.loss, lambda i: draw_path(self.counts, seed, i))
        return self.report(blocks, seed=seed, **more)

    def compiled(self, seed):
        """Times --paths fixed paths, each compiled separately, and the same paths in eager mode. The median is over the blocks of all paths."""
        self.arrange({})
        args, eager, blocks, waited = self.args, [], [], []
        paths = [draw_path(self.counts, seed, i) for i in range(args.paths)]
        for path in paths:
            eager += self.timed(self.loss, lambda _, path=path: path)
            torch._dynamo.reset()
            run = torch.compile(lambda path=path: self.loss(path), fullgraph=True,
                                mode=None if args.compile_mode == "default" else args.compile_mode)
            begin = time.perf_counter()
            for _ in range(2):
                self.step(lambda _: run(), path)
            if self.device.type == "cuda":
                torch.cuda.synchronize()
            waited.append(round(time.perf_counter() - begin, 3))
            blocks += self.timed(lambda _: run(), lambda _, path=path: path)
        return self.report(blocks, seed=seed, compile_mode=args.compile_mode, compile_seconds=waited, paths=paths,
                           eager_images_per_second=statistics.median(args.batch * steps / seconds for steps, seconds in eager))


def emit(result, path):
    text = json.dumps(result)
    print(text, flush=True)
    if path:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text + "\n")


def make_room(job):
    """Frees cached GPU memory for Squall, which runs on the same GPU, if less than 60 % of the memory is free."""
    if job.device.type == "cuda":
        free, total = torch.cuda.mem_get_info()
        if free < 0.6 * total:
            job.net.zero_grad(set_to_none=True)
            torch.cuda.empty_cache()


def serve(job, tried):
    make_room(job)
    emit({"ready": True, "tried": tried, "knobs": dict(KNOBS), "torch": torch.__version__}, None)
    for line in sys.stdin:
        emit(job.eager(int(line)), job.args.json)
        make_room(job)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", default="spos", help="spos, proxyless or a space file")
    parser.add_argument("--mode", choices=("eager", "compile"), default="eager")
    for name, value in (("batch", 256), ("steps", 60), ("warmup", 10), ("block", 10), ("seed", 0), ("resolution", 224), ("paths", 2)):
        parser.add_argument("--" + name, type=int, default=value)
    parser.add_argument("--compile-mode", default="default", help="default, max-autotune-no-cudagraphs, reduce-overhead")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--precision", choices=("bf16", "fp32"), help="default: bf16 on cuda, fp32 on cpu")
    parser.add_argument("--tune", choices=("yes", "no"), default="yes")
    parser.add_argument("--tune-seconds", type=float, default=60, help="time limit, after which no further setting is tried")
    for knob, values in CHOICES.items():
        parser.add_argument("--" + knob, choices=values, default=values[0])
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: PyTorch's default")
    parser.add_argument("--json", help="also write the result to this file")
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--print-paths", type=int, metavar="N")
    args = parser.parse_args()
    KNOBS.update({knob: getattr(args, knob) for knob in CHOICES})
    if args.print_paths:
        counts = Supernet(read_space(args.space), classes=8).counts()
        for i in range(args.print_paths):
            print(*draw_path(counts, args.seed, i))
        return
    if args.mode == "compile" and not hasattr(torch, "compile"):
        print("torch.compile not in this PyTorch", file=sys.stderr)
        sys.exit(77)
    job = Job(args)
    if args.mode == "compile":
        emit(job.compiled(args.seed), args.json)
        return
    tried = None
    if args.tune == "yes":
        tried = job.tune()
    else:
        job.arrange({})
        job.cover()
    if args.serve:
        serve(job, tried)
    else:
        emit(job.eager(args.seed, tried=tried), args.json)


if __name__ == "__main__":
    main()
