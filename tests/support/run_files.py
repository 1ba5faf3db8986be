"""Reads the files of a run for the scripts that compare them."""
import json


def read(path):
    with open(path, "rb") as file:
        return file.read()


def tensors(path):
    """Returns the tensors of a safetensors file as {name: bytes}."""
    data = read(path)
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + length])
    return {name: data[8 + length + info["data_offsets"][0]:8 + length + info["data_offsets"][1]]
            for name, info in header.items() if name != "__metadata__"}
