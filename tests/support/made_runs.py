"""Writes artificial run folders of any size for tests of squall report and squall watch. The tests can damage the files."""
import json
import math
import os
import random


def config(space, steps, more=""):
    return f'space: "{space}"\ndevice: "auto"\nseed: 3\ndata:\n  train: "images"\n  classes: 0\ntrain:\n  steps: {steps}\n  batch: 256\nsearch:\n  population: 50\n  random_paths: 20\n{more}'


def log(folder, steps, every):
    """Writes log.jsonl and timing.jsonl as a training of `steps` steps does, with one line per `every` steps."""
    draw = random.Random(2)
    with open(os.path.join(folder, "log.jsonl"), "w") as lines, open(os.path.join(folder, "timing.jsonl"), "w") as clock:
        lines.write('{"event":"start","step":0,"space":"made","steps":%d,"batch":256,"seed":3}\n' % steps)
        for step in range(every, steps + 1, every):
            loss = 2.2 + 4.7 * math.exp(-4 * step / steps) + draw.gauss(0, 0.08)
            lines.write('{"event":"step","step":%d,"loss":%.17g,"top1_acc":%.17g,"lr":%.17g}\n' % (step, loss, max(0, 0.62 - 0.08 * loss), 0.5 * (1 - step / steps)))
            clock.write('{"step":%d,"seconds":%.3f,"images_per_second":%.1f,"wait_seconds":%.3f}\n' % (step, draw.uniform(3, 3.4), draw.gauss(4000, 120), draw.uniform(0, 0.3)))


def candidates(layers, choices, count, device=None, population=50, random_paths=20):
    draw, out = random.Random(1), []
    for i in range(count):
        generation = -1 if i < random_paths else (i - random_paths) // population
        arch = [draw.randrange(choices) if draw.random() > 0.03 * max(generation, 0) else 2 for _ in range(layers)]
        macs = 260 + 8 * sum(arch) / layers * 5 + draw.gauss(0, 6)
        top1 = 0.44 + 0.0004 * macs + 0.004 * max(generation, 0) + draw.gauss(0, 0.012)
        item = {"arch": arch, "generation": generation, "images": 10000, "loss": 3 - 2 * top1, "top1_acc": round(top1, 4), "top5_acc": round(min(1, top1 + 0.2), 4),
                "macs_m": macs, "parameters_m": 3 + 0.002 * macs, "memory_mb": 4.8}
        if device:
            ms = 4 + 0.008 * macs + draw.gauss(0, 0.15)
            item.update(latency_ms=ms, devices=[{"device": device, "latency_ms": ms, "deviation_ms": 0.1}])
        out.append(item)
    return out


def search(folder, items, limits, searcher="evolution"):
    os.makedirs(os.path.join(folder, "search"), exist_ok=True)
    ranked = [c for c in items if c["generation"] >= 0]
    best = items.index(max(ranked, key=lambda c: (c["top1_acc"], c["top5_acc"], -c["loss"])))
    write(folder, "search/search.json", json.dumps({"space": "made", "searcher": searcher, "seed": 3, "limits": limits, "best": best, "random_mean_top1_acc": 0.5, "candidates": items,
                                                     "objectives": ["accuracy", "macs"], "pareto": [best], "hypervolume": 12.5, "hypervolume_reference": [0, 400]}))
    return best


def write(folder, name, text, mode="w"):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, mode) as file:
        file.write(text)


def large(folder, source, lines=150000):
    """Writes a run with `lines` log lines and 1,070 candidates, as large as a run on ImageNet. The latencies of the candidates are for epyc-squall-spos, because the
    repository has measured networks of this device. Returns the index of the best candidate."""
    device = "epyc-squall-spos"
    os.makedirs(folder, exist_ok=True)
    write(folder, "config.yaml", config(os.path.join(source, "configs/spaces/spos.yaml"), lines))
    write(folder, "commands.txt", "squall train configs/train/spos-imagenet.yaml -o runs/imagenet\nsquall search runs/imagenet --limit-latency 7 --latency epyc\n")
    log(folder, lines, 1)
    items = candidates(20, 4, 1070, device)
    return search(folder, items, {"macs_m": 330.0, "devices": [{"device": device, "measured": True, "latency_ms": 7.0}]})


def stages(folder, source, count=2):
    """Writes a search in `count` stages. Later stages have fewer training steps."""
    for stage in range(1, count + 1):
        run = os.path.join(folder, f"stage-{stage}")
        os.makedirs(run)
        write(run, "config.yaml", config(os.path.join(source, "configs/spaces/samples.yaml"), 200 // stage))
        log(run, 200 // stage, 5)
        search(run, candidates(8, 4, 60, population=20, random_paths=20), {"macs_m": 400.0})
    write(folder, "stages.json", json.dumps({"space": "samples", "tuple": "(2, 0, 1, 0, 0, 1, 2, 0)", "steps": 300, "steps_of_one_group": 400,
                                             "stages": [{"first": 5, "last": 8, "steps": 200, "lr": 0.2}, {"first": 1, "last": 4, "steps": 100, "lr": 0.1}]}))
