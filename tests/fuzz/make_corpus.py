#!/usr/bin/env python3
"""Writes the seeds of the fuzz corpus: small tars of every layout, shards that `squall pack` writes, the repository's
configurations, safetensors files, and a small latency table of every dialect.

usage: make_corpus.py SQUALL [FOLDER]     FOLDER: default corpus/ next to this script
"""
import io
import json
import os
import struct
import subprocess
import sys
import tarfile
import tempfile

SQUALL = os.path.abspath(sys.argv[1])
OUT = sys.argv[2] if len(sys.argv) > 2 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
IMAGES = os.path.join(ROOT, "tests", "fixtures", "images")


def image(name):
    with open(os.path.join(IMAGES, name), "rb") as file:
        return file.read()


def tar(members, form=tarfile.USTAR_FORMAT):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as file:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return padded(out.getvalue().rstrip(b"\0")) + bytes(512)  # a block of zeros marks the end


def padded(data):
    return data + bytes(-len(data) % 512)


def put(target, name, data):
    os.makedirs(os.path.join(OUT, target), exist_ok=True)
    with open(os.path.join(OUT, target, name), "wb") as file:
        file.write(data if isinstance(data, bytes) else data.encode())


def repository_file(name):
    """Returns the text of a file of the repository, without comment lines."""
    with open(os.path.join(ROOT, name)) as file:
        return "".join(line for line in file if not line.startswith("#"))


def make_yaml():
    for name in ["configs/spaces/tiny.yaml", "configs/spaces/proxyless.yaml", "configs/spaces/networks/proxyless-mobile.yaml",
                 "tests/fixtures/oracle_pool.yaml", "tests/fixtures/odd_widths_pad.yaml"]:
        put("yaml", os.path.basename(name)[:-5], repository_file(name))
    for device in ["epyc-onnxruntime-spos", "hexagon-685", "myriad-x"]:
        put("yaml", "device-" + device, repository_file(f"configs/devices/{device}/device.yaml"))
    put("yaml", "roofline", repository_file("configs/devices/hexagon-685/roofline.yaml"))
    put("yaml", "anchors", "name: &a x\nresolution: &r 8\nclasses: *r\nchoices: [&c {name: *a, kind: mb, expansion: 3.5}]\n"
                           "layers: [&l {width: 8, choices: [*a]}, *l]\n")
    put("yaml", "drop", "name: d\nmeasured: true\nrules: {drop: [se, hswish]}\nscale: 1.5\nunit: ms\n")


def make_config():
    for name in ["search/hurricane", "search/tiny-imagenet20", "train/samples", "train/spos-imagenet"]:
        put("config", name.replace("/", "-"), repository_file(f"configs/{name}.yaml").replace("base: ", "space: "))
    put("config", "devices", 'latency: [{device: a, limit_ms: 1.5}, {device: "b\\tc", margin: 0.1}]\nseed: -1\n'
                             "data: {mean: [0.5, 0.25, 1], train: x y}\n")
    put("config", "base", "base: there-is-no-such-file.yaml\nseed: 2\n")
    put("config", "anchors", "train: &t {batch: 4}\nsearch: {}\nlatency.2.limit_ms: 0\n")


def safetensors(tensors, metadata, padding):
    head, at = {"__metadata__": metadata}, 0
    for name, dtype, shape, size in tensors:
        head[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % padding)
    whole = bytearray(struct.pack("<Q", len(text)) + text + bytes(range(at)))
    digits, value = whole.find(b'fnv1a64":"') + 10, 0xCBF29CE484222325
    for byte in whole:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    whole[digits:digits + 16] = b"%016x" % value
    return bytes(whole)


def make_safetensors():
    checksum = {"checksum_fnv1a64": "0" * 16}
    put("safetensors", "two", safetensors([("a", "F32", [2, 3], 24), ("b.c", "F32", [1], 4)], {"space": "s", **checksum}, 8))
    put("safetensors", "others", safetensors([("a", "I64", [2], 16), ("b", "F32", [1, 1, 2, 1], 8)], checksum, 8))
    put("safetensors", "scalar", safetensors([("a", "F32", [], 4), ("b", "F32", [0], 0)], checksum, 8))


def make_latency():
    block = "expanded_conv-input:28x28x40-output:28x28x40-expand:"
    tables = {
        "table": "kind,h,w,c_in,c_out,mid,kernel,stride,se,act,mean_us,std_us,count,energy_mj\n"
                 "conv,224,224,3,32,0,3,2,0,relu6,4.5,1,3,2\nmb,56,56,24,24,144,7,1,8,hswish,9,,,\n",
        "layers": "layer,choice,mean_ms\n0,0,1.5\n0,1,-2\n1,0,1e-3\n",
        "proxyless": "Conv-input:224x224x3-output:112x112x32: {count: 4, mean: 4.5, var: 0.25}\n"
                     f"{block}3-kernel:5-stride:1-idskip:1: {{mean: 2}}\nLogits-input:7x7x1280-output:10: {{mean: 0.5}}\n",
        "ofa": f"{block}120-kernel:5-stride:1-idskip:1-se:1-hs:1: {{mean: 3, std: 0.3, count: 12}}\n"
               "AvgPool2D-input:7x7x960-output:960: {mean: 5, std: 0}\nConv_2-input:1x1x960-output:1x1x1280: {mean: 6, std: 0}\n",
        "block_name": ",block_name,cpu,gpu\n0,Conv-input:32x32x3-output:16x16x32,1,2\n1,Logits-input:2x2x512-output:10,3,4\n",
        "nnmeter": '{"firstconv_224_3_16_2_3": 0.5, "conv_28_48_56_6_2_hard_swish_5_se": 2, "transds_16_16_48_2_4": 1,'
                   '\n"conv_28_48_48_1_1_swish_3_nose": 1}\n',
        "int8": '{"FirstConvBlock_224_3_16_3_None_2_relu": 1, "LogitsBlock_1_1920_1000_0_None_0_relu": 4,'
                '"MobileNetV1DualBlock_56_16_32_5_0_2_relu": 5, "MobileNetV3ResBlock_56_32_32_7_8_1_hswish": 8}',
        "singlepath": json.dumps({str(layer): {str(c): c + 1 for c in range(4)} for layer in range(22)}),
        "fbnet": "layer,h_in,c_in,c_out,stride,op,cpu\n-1,0,0,0,0,base,7\n0,32,16,16,1,k3_e1,1\n0,32,16,16,1,skip,0\n",
        "tunas": "layer,op,kernel,expand,delta_ms\n-1,bias,0,0,92\n0,sepconv,3,1,-1.5\n",
        "tfnas": "key,mid_channels,latency_ms\nbase,0,9.5\nMBInvertedResBlock_112_16_0_24_k3_s2_relu,48,3\n"
                 "MBInvertedResBlock_14_80_160_112_k5_s1_swish,480,4\n",
        "measured": '\ufeffarch,cpu_us,cpu_std_us\n"(2, 1, 0)",1500,3\n0;1;2,4,\n# no row\n210,1e3,0\n',
        "operations": "\n".join(repository_file("configs/devices/networks/nnmeter_alexnet.csv").splitlines()[:6]) + "\n",
        "checks": "network,operations_csv,ms,device,source\na,there-is-no-such-file.csv,3.5,d,s\n",
    }
    for name, data in tables.items():
        put("latency", name, data)


def make_tars_and_shards():
    png, jpeg = image("rgb.png"), image("grey.jpg")
    long = "train/a/" + "n" * 120 + ".png"
    tars = {
        "tree": tar([("./train/a/1.png", png), ("train/b/images/2.jpg", jpeg), ("val/a/3.png", b"x")]),
        "gnu": tar([(long, png)], tarfile.GNU_FORMAT),
        "pax": tar([(long, png), ("train/\u732b/1.png", b"")], tarfile.PAX_FORMAT),
        "bare": tar([("a/1.png", png), ("b/2.png", b"y"), ("a/list.txt", b"z")]),
        "nested": tar([("a.tar", padded(tar([("1.png", png)]))), ("b.tar", padded(tar([("2.png", b"q")])))]),
        "pairs": tar([("1.jpg", jpeg), ("1.cls", b"1"), ("2.png", png), ("2.json", b'{"label": 2}')]),
    }
    for name, data in tars.items():
        put("tar", name, padded(data))
    for name, options in {"as-is": [], "raw": ["--side", "4", "--raw"], "jpeg": ["--side", "8"]}.items():
        with tempfile.TemporaryDirectory() as scratch:
            source = os.path.join(scratch, "source.tar")
            with open(source, "wb") as file:
                file.write(tar([("train/a/1.png", png), ("train/a/2.jpg", jpeg), ("train/b/1.png", png)]))
            subprocess.run([SQUALL, "pack", source, os.path.join(scratch, "out"), "--quiet", *options], check=True, stdout=subprocess.DEVNULL)
            with open(os.path.join(scratch, "out", "train-00000.shard"), "rb") as file:
                put("shard", name, file.read())


def main():
    make_yaml()
    make_config()
    make_safetensors()
    make_latency()
    make_tars_and_shards()


main()
