"""Implements Squall's blocks as plain PyTorch modules, with the module names of the published networks. Fixtures use
these modules in FP64."""
from collections import OrderedDict

import torch
from torch import nn


def divisible(width):
    rounded = max(8, int(width + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * width else rounded


def width_rule(space):
    """Returns the function that rounds widths of layers, and widths inside blocks, as the space specifies."""
    return divisible if space.get("widths", "round") == "round" else lambda width: max(1, int(width + 0.5))


ACTIVATIONS = {"relu": nn.ReLU, "relu6": nn.ReLU6, "hswish": nn.Hardswish, "linear": nn.Identity}
GATES = {"sigmoid": nn.Sigmoid, "hsigmoid": nn.Hardsigmoid}


def conv(inputs, outputs, kernel=1, stride=1, groups=1):
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)


class Excite(nn.Module):
    def __init__(self, channels, ratio, gate):
        super().__init__()
        hidden = divisible(ratio * channels)
        self.fc = nn.ModuleDict({"reduce": nn.Conv2d(channels, hidden, 1), "expand": nn.Conv2d(hidden, channels, 1)})
        self.gate = GATES[gate]()

    def forward(self, x):
        hidden = torch.relu(self.fc["reduce"](x.mean((2, 3), keepdim=True)))
        return x * self.gate(self.fc["expand"](hidden))


class Shuffle(nn.Module):
    """ShuffleV2Block and Shuffle_Xception of SPOS (src/Supernet/blocks.py)."""

    def __init__(self, choice, inputs, outputs, stride, activation):
        super().__init__()
        self.stride = stride
        taken = inputs // 2 if stride == 1 else inputs
        middle, main, kernel = choice["rule"](outputs / 2), outputs - taken, choice["kernel"]
        act = ACTIVATIONS[activation]
        if choice["kind"] == "xception":
            layers, width = [], taken
            for i, out in enumerate((middle, middle, main)):
                layers += [conv(width, width, kernel, stride if i == 0 else 1, width), nn.BatchNorm2d(width), conv(width, out),
                           nn.BatchNorm2d(out), act()]
                width = out
        else:
            layers = [conv(taken, middle), nn.BatchNorm2d(middle), act(), conv(middle, middle, kernel, stride, middle),
                      nn.BatchNorm2d(middle), conv(middle, main), nn.BatchNorm2d(main), act()]
        self.branch_main = nn.Sequential(*layers)
        if choice.get("se"):
            self.branch_main.add_module("se", Excite(main, choice.get("se_ratio", 0.25), choice.get("gate", "sigmoid")))
        if stride == 2:
            self.branch_proj = nn.Sequential(conv(inputs, inputs, kernel, 2, inputs), nn.BatchNorm2d(inputs), conv(inputs, inputs),
                                             nn.BatchNorm2d(inputs), act())

    def forward(self, x):
        if self.stride == 2:
            return torch.cat((self.branch_proj(x), self.branch_main(x)), 1)
        return torch.cat((x[:, 0::2], self.branch_main(x[:, 1::2])), 1)


class Inverted(nn.Module):
    """MobileNetV2's inverted bottleneck with ProxylessNAS's module names."""

    def __init__(self, choice, inputs, outputs, stride, activation):
        super().__init__()
        act, middle, kernel = ACTIVATIONS[activation], choice["rule"](choice.get("expansion", 1) * inputs), choice["kernel"]
        self.residual = stride == 1 and inputs == outputs
        self.expands = middle != inputs
        if self.expands:
            self.inverted_bottleneck = nn.ModuleDict({"conv": conv(inputs, middle), "bn": nn.BatchNorm2d(middle), "act": act()})
        depth = {"conv": conv(middle, middle, kernel, stride, middle), "bn": nn.BatchNorm2d(middle), "act": act()}
        if choice.get("se"):
            depth["se"] = Excite(middle, choice.get("se_ratio", 0.25), choice.get("gate", "sigmoid"))
        self.depth_conv = nn.ModuleDict(depth)
        self.point_linear = nn.ModuleDict({"conv": conv(middle, outputs), "bn": nn.BatchNorm2d(outputs)})

    def forward(self, x):
        y = x
        for part in ([self.inverted_bottleneck] if self.expands else []) + [self.depth_conv, self.point_linear]:
            for name in ("conv", "bn", "act", "se"):
                if name in part:
                    y = part[name](y)
        return x + y if self.residual else y


class FusedInverted(nn.Module):
    """EfficientNetV2's Fused-MBConv with torchvision's module names."""

    def __init__(self, choice, inputs, outputs, stride, activation):
        super().__init__()
        act, middle, kernel = ACTIVATIONS[activation], choice["rule"](choice.get("expansion", 1) * inputs), choice["kernel"]
        self.residual = stride == 1 and inputs == outputs
        first = outputs if middle == inputs else middle
        parts = [nn.Sequential(conv(inputs, first, kernel, stride), nn.BatchNorm2d(first), act())]
        if middle != inputs:
            parts.append(nn.Sequential(conv(middle, outputs), nn.BatchNorm2d(outputs)))
        self.block = nn.Sequential(*parts)

    def forward(self, x):
        return x + self.block(x) if self.residual else self.block(x)


class UniversalInverted(nn.Module):
    """MobileNetV4's universal inverted bottleneck with timm's module names."""

    def __init__(self, choice, inputs, outputs, stride, activation):
        super().__init__()
        start, mid, middle = choice.get("start_kernel", 0), choice.get("mid_kernel", 0), choice["rule"](choice.get("expansion", 1) * inputs)
        self.residual = stride == 1 and inputs == outputs

        def part(inputs, outputs, kernel=1, stride=1, groups=1, act=nn.Identity):
            return nn.Sequential(OrderedDict(conv=conv(inputs, outputs, kernel, stride, groups), bn=nn.BatchNorm2d(outputs), act=act()))

        act = ACTIVATIONS[activation]
        self.dw_start = part(inputs, inputs, start, 1 if mid else stride, inputs) if start else nn.Identity()
        self.pw_exp = part(inputs, middle, act=act)
        self.dw_mid = part(middle, middle, mid, stride, middle, act) if mid else nn.Identity()
        self.pw_proj = part(middle, outputs)

    def forward(self, x):
        y = self.pw_proj(self.dw_mid(self.pw_exp(self.dw_start(x))))
        return x + y if self.residual else y


class Separable(nn.Module):
    def __init__(self, choice, inputs, outputs, stride, activation):
        super().__init__()
        layers, width, kernel = [], inputs, choice["kernel"]
        for i in range(2):
            layers += [conv(width, width, kernel, stride if i == 0 else 1, width), nn.BatchNorm2d(width), ACTIVATIONS[activation](),
                       conv(width, outputs), nn.BatchNorm2d(outputs), ACTIVATIONS[activation]()]
            width = outputs
        self.op = nn.Sequential(*layers)
        if choice.get("se"):
            self.op.add_module("se", Excite(outputs, choice.get("se_ratio", 0.25), choice.get("gate", "sigmoid")))

    def forward(self, x):
        return self.op(x)


def block(choice, inputs, outputs, stride, activation):
    activation = choice.get("activation", activation)
    kinds = {"shuffle": Shuffle, "xception": Shuffle, "mb": Inverted, "sep": Separable, "fused_mb": FusedInverted, "uib": UniversalInverted}
    if choice["kind"] == "skip":
        return nn.Identity()
    return kinds[choice["kind"]](choice, inputs, outputs, stride, activation)


def rows_of(space):
    choices = {choice["name"]: dict(choice, rule=width_rule(space)) for choice in space["choices"]}
    rows = [dict(row, stride=row.get("stride", 1) if i == 0 else 1) for row in space["layers"] for i in range(row.get("repeat", 1))]
    return choices, rows, space["activation"]


def names_of(space, choices, row, inputs, outputs, stride):
    """Returns the names of a layer's choices. A skip is a choice only if the input and output shapes are equal."""
    return [name for name in row.get("choices", space.get("searched", list(choices)))
            if choices[name]["kind"] != "skip" or (stride == 1 and inputs == outputs)]


class Proxyless(nn.Module):
    """The network of one path of a space with `naming: proxyless` (mit-han-lab/proxylessnas, proxyless_nas/)."""

    def __init__(self, space, path):
        super().__init__()
        choices, rows, act = rows_of(space)
        epsilon = space["norm"].get("epsilon", 1e-5)

        def part(inputs, outputs, kernel, stride):
            return nn.ModuleDict({"conv": conv(inputs, outputs, kernel, stride), "bn": nn.BatchNorm2d(outputs), "act": ACTIVATIONS[act]()})

        inputs, gene = divisible(rows[0]["width"]), iter(path)
        self.first_conv = part(3, inputs, 3, rows[0]["stride"])
        self.blocks = nn.ModuleList()
        for row in rows[1:-1]:
            outputs, stride = divisible(row["width"]), row["stride"]
            names = names_of(space, choices, row, inputs, outputs, stride)
            name = names[next(gene)] if len(names) > 1 else names[0]
            self.blocks.append(nn.ModuleDict({"mobile_inverted_conv": block(choices[name], inputs, outputs, stride, act)}))
            inputs = outputs
        outputs = divisible(rows[-1]["width"])
        self.feature_mix_layer = part(inputs, outputs, 1, 1)
        self.classifier = nn.ModuleDict({"linear": nn.Linear(outputs, space["classes"], bias=space.get("classifier_bias", False))})
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps = epsilon

    def forward(self, x):
        for layer in [self.first_conv, *self.blocks, self.feature_mix_layer]:
            for name in layer:
                x = layer[name](x)
        return self.classifier["linear"](x.mean((2, 3)))


class Network(nn.Module):
    """The supernet of a space (path=None), or the network of one path. space: the dict of the space's YAML file. The
    modules have SPOS's names."""

    def __init__(self, space, path=None):
        super().__init__()
        (choices, rows, act), rule = rows_of(space), width_rule(space)
        self.supernet = path is None
        stem, head, inputs = rows[0], rows[-1], rule(rows[0]["width"])
        stem_kernel = choices[stem["choices"][0]].get("kernel", 3)
        self.first_conv = nn.Sequential(conv(3, inputs, stem_kernel, stem["stride"]), nn.BatchNorm2d(inputs), ACTIVATIONS[act]())
        self.features = nn.ModuleList()
        for i, row in enumerate(rows[1:-1]):
            outputs, stride = rule(row["width"]), row["stride"]
            names = names_of(space, choices, row, inputs, outputs, stride)
            if path is None:
                self.features.append(nn.ModuleList(block(choices[n], inputs, outputs, stride, act) for n in names))
            else:
                self.features.append(block(choices[names[path[i]]], inputs, outputs, stride, act))
            inputs = outputs
        outputs = rule(head["width"])
        self.conv_last = nn.Sequential(conv(inputs, outputs), nn.BatchNorm2d(outputs), ACTIVATIONS[act]())
        self.classifier = nn.Sequential(nn.Linear(outputs, space["classes"], bias=space.get("classifier_bias", False)))

    def forward(self, x, path=None):
        x = self.first_conv(x)
        for i, layer in enumerate(self.features):
            x = layer[path[i]](x) if self.supernet else layer(x)
        return self.classifier(self.conv_last(x).mean((2, 3)))
