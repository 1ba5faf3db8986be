#!/usr/bin/env python3
"""The PyTorch peer of bench_step_cpu in tools/bench/step_cpu: trains the SPOS supernet in eager mode, channels_last, FP32.

usage: step_cpu_torch.py BATCH THREADS, then one architecture per line on stdin; prints the seconds of one step for each line.
As in the paper (arXiv 1904.00420), a layer has one branch per choice, norms have no affine parameters, and SGD updates the path of the step.
"""
import sys
import time

import torch
from torch import nn


def conv_norm(inputs, outputs, kernel=1, stride=1, groups=1, relu=True):
    layers = [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
              nn.BatchNorm2d(outputs, affine=False)]
    return layers + ([nn.ReLU(inplace=True)] if relu else [])


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride, kernel, is_xception):
        super().__init__()
        self.stride = stride
        taken = inputs // 2 if stride == 1 else inputs
        middle = outputs // 2
        main = outputs - taken
        if is_xception:
            layers = conv_norm(taken, taken, 3, stride, taken, relu=False) + conv_norm(taken, middle)
            layers += conv_norm(middle, middle, 3, 1, middle, relu=False) + conv_norm(middle, middle)
            layers += conv_norm(middle, middle, 3, 1, middle, relu=False) + conv_norm(middle, main)
        else:
            layers = conv_norm(taken, middle) + conv_norm(middle, middle, kernel, stride, middle, relu=False)
            layers += conv_norm(middle, main)
        self.branch_main = nn.Sequential(*layers)
        if stride == 2:
            self.branch_proj = nn.Sequential(*conv_norm(inputs, inputs, kernel, 2, inputs, relu=False), *conv_norm(inputs, inputs))

    def forward(self, x):
        if self.stride == 2:
            return torch.cat((self.branch_proj(x), self.branch_main(x)), 1)
        n, c, h, w = x.shape
        halves = x.reshape(n, c // 2, 2, h, w).transpose(1, 2)
        passed = halves[:, 0].contiguous(memory_format=torch.channels_last)
        taken = halves[:, 1].contiguous(memory_format=torch.channels_last)
        return torch.cat((passed, self.branch_main(taken)), 1)


class Supernet(nn.Module):
    def __init__(self):
        super().__init__()
        self.first_conv = nn.Sequential(*conv_norm(3, 16, 3, 2))
        self.features = nn.ModuleList()
        inputs = 16
        for outputs, repeat in ((64, 4), (160, 4), (320, 8), (640, 4)):
            for i in range(repeat):
                kinds = [(3, False), (5, False), (7, False), (3, True)]
                self.features.append(nn.ModuleList(Block(inputs, outputs, 2 if i == 0 else 1, k, x) for k, x in kinds))
                inputs = outputs
        self.conv_last = nn.Sequential(*conv_norm(640, 1024))
        self.dropout = nn.Dropout(0.1)
        self.classifier = nn.Linear(1024, 1000, bias=False)

    def forward(self, x, path):
        x = self.first_conv(x)
        for choices, index in zip(self.features, path):
            x = choices[index](x)
        return self.classifier(self.dropout(self.conv_last(x).mean((2, 3))))


def main():
    batch, threads = int(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    net = Supernet().to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.SGD(net.parameters(), 1e-4, momentum=0.9, weight_decay=4e-5)
    images = torch.randn(batch, 3, 224, 224).contiguous(memory_format=torch.channels_last)
    labels = torch.randint(1000, (batch,))
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.1)
    print(torch.__version__, flush=True)
    for line in sys.stdin:
        path = [int(word) for word in line.replace("(", "").replace(")", "").split(",")]
        begin = time.perf_counter()
        optimiser.zero_grad(set_to_none=True)
        loss_of(net(images, path), labels).backward()
        optimiser.step()
        print(f"{time.perf_counter() - begin:.6f}", flush=True)


main()
