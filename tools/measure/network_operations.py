#!/usr/bin/env python3
"""Writes published networks as lists of operations (CSV), for the roofline model. checks.csv has measured times of some of them.
usage: network_operations.py FOLDER

Each function names the paper of its architecture. The files nnmeter_* have the networks that nn-Meter measured, as nn-Meter's repository builds them
(microsoft/nn-Meter @ 3cc01ca, nn_meter/builder/dataset_generator/tf_networks/models, MIT); their functions list the differences from the papers.
Batch norm is folded into the preceding convolution, and dropout is left out. Biases and norms of convolutions cost nothing. The input is 224x224x3,
and there are 1,000 classes. `follows` is 1 if an operation is the only reader of the preceding operation, so that a device may fuse the two.
"""
import math
import os
import sys

HEADER = "class,h_in,w_in,c_in,h_out,w_out,c_out,kernel,stride,groups,activation,follows"


class Network:
    """A network under construction: the shape of the current tensor (side h, channels c) and the rows of the operations so far."""

    def __init__(self, side=224, c=3):
        self.h, self.c, self.rows, self.follows = side, c, [], False

    def add_row(self, kind, h_in, c_in, h_out, c_out, kernel=1, stride=1, groups=1, activation="linear", follows=None):
        follows = self.follows if follows is None else follows
        self.rows.append((kind, h_in, h_in, c_in, h_out, h_out, c_out, kernel, stride, groups, activation, int(follows)))
        self.h, self.c, self.follows = h_out, c_out, True

    def conv(self, c_out, kernel=1, stride=1, activation="linear", groups=1, valid=False):
        side = (self.h - kernel) // stride + 1 if valid else math.ceil(self.h / stride)
        kind = "depthwise" if groups == self.c > 1 and c_out == self.c else "conv"
        self.add_row(kind, self.h, self.c, side, c_out, kernel, stride, groups, activation)

    def depthwise(self, kernel, stride=1, activation="linear"):
        self.conv(self.c, kernel, stride, activation, groups=self.c)

    def pool(self, kernel, stride, valid=False):
        side = (self.h - kernel) // stride + 1 if valid else math.ceil(self.h / stride)
        self.add_row("pool", self.h, self.c, side, self.c, kernel, stride)

    def global_pool(self):
        self.add_row("global_pool", self.h, self.c, 1, self.c)

    def linear(self, c_out, activation="linear"):
        self.add_row("linear", self.h, self.c, 1, c_out, activation=activation)

    def add(self, activation="linear"):
        self.add_row("add", self.h, self.c, self.h, self.c, activation=activation)

    def concat(self, c_out):
        self.add_row("concat", self.h, c_out, self.h, c_out, follows=False)

    def shuffle(self, c=None):
        self.add_row("shuffle", self.h, c or self.c, self.h, c or self.c)

    def gate(self, hidden, activation="sigmoid", after="linear"):
        side, c = self.h, self.c
        self.follows = False  # global_pool and multiply both read the current tensor
        self.global_pool()
        self.conv(hidden, activation="relu")
        self.conv(c, activation=activation)
        self.h = side
        self.add_row("multiply", side, c, side, c, activation=after)

    def branch(self):
        """Marks the current tensor as read more than once, so that `follows` of the next operation is 0. Returns (h, c) for back()."""
        self.follows = False
        return self.h, self.c

    def back(self, place):
        self.h, self.c = place
        self.follows = False


def divisible(width):
    rounded = max(8, int(width + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * width else rounded


def inverted(net, c_out, kernel, stride, mid, activation="relu6", se=0, gate="sigmoid", is_nnmeter=False):
    """Inverted bottleneck (Sandler et al. 2018, arXiv 1801.04381). nn-Meter always has the first convolution, and gates before the activation."""
    has_add = stride == 1 and net.c == c_out
    if has_add:
        net.branch()
    if mid != net.c or is_nnmeter:
        net.conv(mid, activation=activation)
    net.depthwise(kernel, stride, "linear" if se and is_nnmeter else activation)
    if se:
        net.gate(se, gate, activation if is_nnmeter else "linear")
    net.conv(c_out)
    if has_add:
        net.add()


def bottlenecks(net, rows, activation="relu6", se_ratio=0.0):
    """Adds rows of inverted bottlenecks. Each row has (width, repeat, kernel, stride of the first block, expansion, has squeeze-and-excitation)."""
    for width, repeat, kernel, stride, expansion, has_se in rows:
        for i in range(repeat):
            mid = divisible(expansion * net.c)
            inverted(net, width, kernel, stride if i == 0 else 1, mid, activation, round(se_ratio * net.c) if has_se else 0)


def end(net, hidden=()):
    net.global_pool()
    for c in hidden:
        net.linear(c, "relu")
    net.linear(1000)
    return net


def head(net, c, activation="relu6"):
    net.conv(c, activation=activation)
    return end(net)


def mobilenetv1():
    """Howard et al. 2017, arXiv 1704.04861, table 1."""
    net = Network()
    net.conv(32, 3, 2, "relu6")
    for width, stride in [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)] + 5 * [(512, 1)] + [(1024, 2), (1024, 1)]:
        net.depthwise(3, stride, "relu6")
        net.conv(width, activation="relu6")
    return end(net)


def mobilenetv2(is_nnmeter=False):
    """Sandler et al. 2018, arXiv 1801.04381, table 2."""
    net = Network()
    net.conv(32, 3, 2, "relu6")
    for width, repeat, stride, expansion in [(16, 1, 1, 1), (24, 2, 2, 6), (32, 3, 2, 6), (64, 4, 2, 6), (96, 3, 1, 6), (160, 3, 2, 6), (320, 1, 1, 6)]:
        for i in range(repeat):
            inverted(net, width, 3, stride if i == 0 else 1, expansion * net.c, is_nnmeter=is_nnmeter)
    return head(net, 1280)


LARGE = [(3, 16, 16, 0, "relu", 1), (3, 64, 24, 0, "relu", 2), (3, 72, 24, 0, "relu", 1), (5, 72, 40, 1, "relu", 2), (5, 120, 40, 1, "relu", 1),
         (5, 120, 40, 1, "relu", 1), (3, 240, 80, 0, "hswish", 2), (3, 200, 80, 0, "hswish", 1), (3, 184, 80, 0, "hswish", 1), (3, 184, 80, 0, "hswish", 1),
         (3, 480, 112, 1, "hswish", 1), (3, 672, 112, 1, "hswish", 1), (5, 672, 160, 1, "hswish", 2), (5, 960, 160, 1, "hswish", 1), (5, 960, 160, 1, "hswish", 1)]
SMALL = [(3, 16, 16, 1, "relu", 2), (3, 72, 24, 0, "relu", 2), (3, 88, 24, 0, "relu", 1), (5, 96, 40, 1, "hswish", 2), (5, 240, 40, 1, "hswish", 1),
         (5, 240, 40, 1, "hswish", 1), (5, 120, 48, 1, "hswish", 1), (5, 144, 48, 1, "hswish", 1), (5, 288, 96, 1, "hswish", 2), (5, 576, 96, 1, "hswish", 1),
         (5, 576, 96, 1, "hswish", 1)]


def mobilenetv3(rows, last, hidden, minimal=False):
    """Howard et al. 2019, arXiv 1905.02244, tables 1 and 2. minimal: no squeeze-and-excitation, no h-swish, only 3x3 kernels (tensorflow/models, slim)."""
    net = Network()
    swish = "relu" if minimal else "hswish"
    net.conv(16, 3, 2, swish)
    for kernel, mid, c_out, has_se, activation, stride in rows:
        inverted(net, c_out, 3 if minimal else kernel, stride, mid, "relu" if minimal else activation, divisible(mid / 4) if has_se and not minimal else 0,
                 "hsigmoid")
    net.conv(last, activation=swish)
    net.global_pool()
    net.conv(hidden, activation=swish)
    net.conv(1000)
    return net


A1 = [(16, 1, 3, 1, 1, 0), (24, 2, 3, 2, 6, 0), (40, 3, 5, 2, 3, 1), (80, 4, 3, 2, 6, 0), (112, 2, 3, 1, 6, 1), (160, 3, 5, 2, 6, 1), (320, 1, 3, 1, 6, 0)]
B1 = [(16, 1, 3, 1, 1, 0), (24, 3, 3, 2, 3, 0), (40, 3, 5, 2, 3, 0), (80, 3, 5, 2, 6, 0), (96, 2, 3, 1, 6, 0), (192, 4, 5, 2, 6, 0), (320, 1, 3, 1, 6, 0)]


def mnasnet(rows):
    """Tan et al. 2019, arXiv 1807.11626, figure 7 (A1); B1 has no squeeze-and-excitation, which has a quarter of the input's channels."""
    net = Network()
    net.conv(32, 3, 2, "relu")
    bottlenecks(net, rows, "relu", 0.25)
    return head(net, 1280, "relu")


def proxylessnas_mobile():
    """Cai et al. 2019, arXiv 1812.00332; mit-han-lab/proxylessnas, proxyless_mobile.config (kernel and expansion of each block)."""
    stages = [(32, 2, [(5, 3), (3, 3)]), (40, 2, [(7, 3), (3, 3), (5, 3), (5, 3)]), (80, 2, [(7, 6), (5, 3), (5, 3), (5, 3)]),
              (96, 1, [(5, 6), (5, 3), (5, 3), (5, 3)]), (192, 2, [(7, 6), (7, 6), (7, 3), (7, 3)]), (320, 1, [(7, 6)])]
    net = Network()
    net.conv(32, 3, 2, "relu6")
    inverted(net, 16, 3, 1, 32)
    for width, stride, blocks in stages:
        for i, (kernel, expansion) in enumerate(blocks):
            inverted(net, width, kernel, stride if i == 0 else 1, expansion * net.c)
    return head(net, 1280)


def shufflenetv2():
    """Ma et al. 2018, arXiv 1807.11164, table 5, width 1x."""
    net = Network()
    net.conv(24, 3, 2, "relu")
    net.pool(3, 2)
    for width, repeat in [(116, 4), (232, 8), (464, 4)]:
        half = width // 2
        for i in range(repeat):
            if i == 0:
                place = net.branch()
                net.depthwise(3, 2)
                net.conv(half, activation="relu")
                net.back(place)
                net.conv(half, activation="relu")
                net.depthwise(3, 2)
            else:
                net.shuffle(width)  # the channel split, counted as a shuffle
                net.c = half
                net.follows = False
                net.conv(half, activation="relu")
                net.depthwise(3)
            net.conv(half, activation="relu")
            net.concat(width)
            net.shuffle()
    return head(net, 1024, "relu")


def squeezenet():
    """Iandola et al. 2016, arXiv 1602.07360, version 1.0, but with nn-Meter's last layers: 512 channels and a linear layer."""
    net = Network()
    net.conv(96, 7, 2, "relu")
    net.pool(3, 2)
    for i, (squeeze, expand) in enumerate([(16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256)]):
        net.conv(squeeze, activation="relu")
        place = net.branch()
        net.conv(expand, activation="relu")
        net.back(place)
        net.conv(expand, 3, activation="relu")
        net.concat(2 * expand)
        if i in (2, 6):
            net.pool(3, 2)
    return head(net, 512, "relu")


def resnet(repeats, is_bottleneck=False):
    """He et al. 2016, arXiv 1512.03385, table 1, with the stride on the 3x3 convolution."""
    net = Network()
    net.conv(64, 7, 2, "relu")
    net.pool(3, 2)
    for stage, repeat in enumerate(repeats):
        mid = 64 << stage
        c_out = 4 * mid if is_bottleneck else mid
        for i in range(repeat):
            stride = 2 if stage and i == 0 else 1
            place = net.branch()
            if is_bottleneck:
                net.conv(mid, activation="relu")
            net.conv(mid, 3, stride, "relu")
            net.conv(c_out, 1 if is_bottleneck else 3)
            if place[1] != c_out or stride > 1:
                net.back(place)
                net.conv(c_out, 1, stride)
            net.add("relu")
    return end(net)


def vgg(repeats):
    """Simonyan and Zisserman 2015, arXiv 1409.1556, table 1, but with a mean over the pixels before the linear layers, as in nn-Meter."""
    net = Network()
    for stage, repeat in enumerate(repeats):
        for _ in range(repeat):
            net.conv(min(64 << stage, 512), 3, activation="relu")
        net.pool(2, 2)
    return end(net, (4096, 4096))


def alexnet():
    """Krizhevsky 2014, arXiv 1404.5997 (one tower), but with the padding of nn-Meter and a mean over the pixels before the linear layers, as in
    nn-Meter."""
    net = Network()
    net.conv(64, 11, 4, "relu", valid=True)
    net.pool(3, 2)
    net.conv(192, 5, activation="relu")
    net.pool(3, 2, valid=True)
    net.conv(384, 3, activation="relu")
    net.conv(256, 3, activation="relu")
    net.conv(256, 3, activation="relu")
    net.pool(3, 2, valid=True)
    return end(net, (4096, 4096))


def googlenet():
    """Szegedy et al. 2015, arXiv 1409.4842, table 1."""
    net = Network()
    net.conv(64, 7, 2, "relu")
    net.pool(3, 2)
    net.conv(64, activation="relu")
    net.conv(192, 3, activation="relu")
    net.pool(3, 2)
    rows = [(64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64), None, (192, 96, 208, 16, 48, 64), (160, 112, 224, 24, 64, 64), (128, 128, 256, 24, 64, 64),
            (112, 144, 288, 32, 64, 64), (256, 160, 320, 32, 128, 128), None, (256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)]
    for row in rows:
        if row is None:
            net.pool(3, 2)
            continue
        one, reduce3, three, reduce5, five, pooled = row
        place = net.branch()
        net.conv(one, activation="relu")
        for reduce, c_out, kernel in ((reduce3, three, 3), (reduce5, five, 5)):
            net.back(place)
            net.conv(reduce, activation="relu")
            net.conv(c_out, kernel, activation="relu")
        net.back(place)
        net.pool(3, 1)
        net.conv(pooled, activation="relu")
        net.concat(one + three + five + pooled)
    return end(net)


def densenet121():
    """Huang et al. 2017, arXiv 1608.06993, table 1, growth rate 32. Norm and ReLU precede a convolution, so the ReLU that reads a concatenation is
    a separate operation."""
    net = Network()

    def relu():
        net.add_row("relu", net.h, net.c, net.h, net.c)

    net.conv(64, 7, 2, "relu")
    net.pool(3, 2)
    for stage, repeat in enumerate((6, 12, 24, 16)):
        for _ in range(repeat):
            c = net.branch()[1]
            relu()
            net.conv(128, activation="relu")
            net.conv(32, 3)
            net.concat(c + 32)
        net.branch()
        relu()
        net.conv(net.c // 2)  # nn-Meter's version also has a transition after the last stage
        net.pool(2, 2)
    return end(net)


# nn-Meter's versions of the mobile networks. nn-Meter measured these versions (its model names end in _0).


def nnmeter_mobilenetv3(rows, last):
    net = Network()
    net.conv(16, 3, 2, "hswish")
    for kernel, mid, c_out, has_se, activation, stride in rows:
        inverted(net, c_out, kernel, stride, mid, activation, mid // 4 if has_se else 0, "hsigmoid", True)
    return head(net, last, "hswish")


def nnmeter_mnasnet():
    """This network differs from MnasNet-A1: nn-Meter's lists have one block of 40 channels fewer, but the strides keep their positions."""
    widths = [24] * 2 + [40] * 2 + [80] * 4 + [112] * 2 + [160] * 3 + [320]
    kernels = [3] * 2 + [5] * 3 + [3] * 6 + [5] * 3
    expansions = [6] * 2 + [3] * 3 + [6] * 9
    strides = [2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1]
    gates = [0, 0, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1]
    net = Network()
    net.conv(32, 3, 2, "relu")
    net.depthwise(3, 1, "relu")
    net.conv(16)
    for width, kernel, expansion, stride, has_se in zip(widths, kernels, expansions, strides, gates):
        mid = expansion * net.c
        inverted(net, width, kernel, stride, mid, "relu", mid // 4 if has_se else 0, "hsigmoid", True)
    return head(net, 1280, "relu")


def nnmeter_proxylessnas():
    widths = [16] + [32] * 2 + [40] * 4 + [80] * 4 + [96] * 4 + [192] * 4 + [320]
    kernels = [3, 5, 3, 7, 3, 5, 5, 7, 5, 5, 5, 5, 5, 5, 5, 7, 7, 7, 7, 7]
    expansions = [1, 3, 3, 3, 3, 3, 3, 6, 3, 3, 3, 6, 3, 3, 3, 6, 6, 3, 3, 6]
    net = Network()
    net.conv(32, 3, 2, "relu6")
    for i, (width, kernel, expansion) in enumerate(zip(widths, kernels, expansions)):
        inverted(net, width, kernel, 2 if i in (1, 3, 7, 15) else 1, expansion * net.c, is_nnmeter=True)
    return head(net, 1280, "relu")


PUBLISHED = {
    "mobilenetv2": mobilenetv2, "mnasnet_a1": lambda: mnasnet(A1), "mnasnet_b1": lambda: mnasnet(B1), "proxylessnas_mobile": proxylessnas_mobile,
    "mobilenetv3large": lambda: mobilenetv3(LARGE, 960, 1280), "mobilenetv3small": lambda: mobilenetv3(SMALL, 576, 1024),
    "mobilenetv3large_minimal": lambda: mobilenetv3(LARGE, 960, 1280, minimal=True),
    "mobilenetv3small_minimal": lambda: mobilenetv3(SMALL, 576, 1024, minimal=True),
}
NN_METER = {
    "alexnet": alexnet, "densenet": densenet121, "googlenet": googlenet, "mnasnet": nnmeter_mnasnet, "mobilenetv1": mobilenetv1,
    "mobilenetv2": lambda: mobilenetv2(True), "mobilenetv3large": lambda: nnmeter_mobilenetv3(LARGE, 1280),
    "mobilenetv3small": lambda: nnmeter_mobilenetv3(SMALL, 1024), "proxylessnas": nnmeter_proxylessnas, "resnet18": lambda: resnet((2, 2, 2, 2)),
    "resnet34": lambda: resnet((3, 4, 6, 3)), "resnet50": lambda: resnet((3, 4, 6, 3), True), "shufflenetv2": shufflenetv2, "squeezenet": squeezenet,
    "vgg11": lambda: vgg((1, 1, 2, 2, 2)), "vgg13": lambda: vgg((2, 2, 2, 2, 2)), "vgg16": lambda: vgg((2, 2, 3, 3, 3)), "vgg19": lambda: vgg((2, 2, 4, 4, 4)),
}
NETWORKS = {**PUBLISHED, **{"nnmeter_" + name: build for name, build in NN_METER.items()}}


def macs(net):
    total = 0
    for kind, h_in, _, c_in, h_out, _, c_out, kernel, _, groups, _, _ in net.rows:
        if kind in ("conv", "depthwise"):
            total += h_out * h_out * c_out * c_in // groups * kernel * kernel
        elif kind == "linear":
            total += h_in * h_in * c_in * c_out
    return total


def main():
    for name, build in sorted(NETWORKS.items()):
        net = build()
        with open(os.path.join(sys.argv[1], name + ".csv"), "w", encoding="ascii") as file:
            file.write(f"# {name}, {macs(net) / 1e6:.1f} M multiply-adds; written by tools/measure/network_operations.py\n{HEADER}\n")
            file.writelines(",".join(map(str, row)) + "\n" for row in net.rows)
        print(f"{name}: {len(net.rows)} operations, {macs(net) / 1e6:.1f} M multiply-adds")


main()
