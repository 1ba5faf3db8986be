"""Loads images with DALI's CPU operators: image_random_crop, antialiased linear resize, flip, uint8. tools/bench/loader runs it.

usage: loader_dali.py SOURCE THREADS BATCH
"""
import os
import sys
import time

import nvidia.dali
from nvidia.dali import fn, pipeline_def, types


@pipeline_def
def crops(root):
    encoded, label = fn.readers.file(file_root=root, random_shuffle=True, name="images")
    image = fn.decoders.image_random_crop(encoded, device="cpu", output_type=types.RGB, random_area=[0.08, 1.0], random_aspect_ratio=[3 / 4, 4 / 3], num_attempts=10)
    image = fn.resize(image, resize_x=224, resize_y=224, interp_type=types.INTERP_LINEAR, antialias=True)
    return fn.flip(image, horizontal=fn.random.coin_flip()), label


def main():
    source, threads, batch = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    split = next(split for split in ("train", "val", ".") if os.path.isdir(os.path.join(source, split)))
    pipeline = crops(os.path.join(source, split), batch_size=batch, num_threads=threads, device_id=None, prefetch_queue_depth=2)
    pipeline.build()
    print(f"DALI ({nvidia.dali.__version__}, CPU)", flush=True)
    for line in sys.stdin:
        count = int(line)
        for _ in range(4):  # drop the batches that were prepared during other measurements
            pipeline.run()
        begin, cpu_begin = time.perf_counter(), time.process_time()
        for _ in range(count):
            pipeline.run()
        print(count * batch / (time.perf_counter() - begin), count * batch / (time.process_time() - cpu_begin), flush=True)


main()
