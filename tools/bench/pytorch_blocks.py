"""Single-path supernets in PyTorch, written for speed. The module reads space files, draws Squall's paths and builds the blocks.

pytorch_supernet.py imports it. KNOBS selects between implementations with equal results; CHOICES lists the values of each knob, the
default first.
"""
import os
import re
import sys

import torch
import torch.nn.functional as F
from torch import nn

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CHOICES = {"layout": ("channels_last", "contiguous"), "split": ("unbind", "copy", "slice"), "norm": ("plain", "ones")}
KNOBS = {knob: values[0] for knob, values in CHOICES.items()}


# ---- Space files: without PyYAML, a parser of the YAML subset that configs/spaces uses ----

def scalar(text):
    text = text.strip()
    if text[:1] in "\"'" and text:
        return text[1:-1]
    if text in ("true", "false", "null", ""):
        return {"true": True, "false": False}.get(text)
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def flow(tokens):
    """Removes the tokens of one value from the front of `tokens` and returns the value: a mapping {a: b}, a list [a, b] or a scalar."""
    token = tokens.pop(0)
    if token == "[":
        items = []
        while tokens[0] != "]":
            items.append(flow(tokens))
            if tokens[0] == ",":
                tokens.pop(0)
        tokens.pop(0)
        return items
    if token == "{":
        items = {}
        while tokens[0] != "}":
            key = scalar(tokens.pop(0))
            assert tokens.pop(0) == ":", "expected 'key: value'"
            items[key] = flow(tokens)
            if tokens[0] == ",":
                tokens.pop(0)
        tokens.pop(0)
        return items
    return scalar(token)


def value_of(text):
    if text[:1] not in ("[", "{"):
        return scalar(text)
    return flow([t.strip() for t in re.findall(r"\"[^\"]*\"|'[^']*'|[\[\]{},]|:(?=\s)|[^\[\]{},:]+", text) if t.strip()])


def parse_space(text):
    space, key = {}, None
    lines = [re.sub(r"(^|\s)#.*", "", line).rstrip() for line in text.splitlines()]
    for line in filter(None, lines):
        if line.lstrip().startswith("- "):
            space[key] = (space[key] or []) + [value_of(line.lstrip()[2:].strip())]
        else:
            key, _, rest = line.partition(":")
            space[key] = value_of(rest.strip())
    return space


def read_space(name):
    path = name if os.sep in name else os.path.join(ROOT, "configs", "spaces", name + ".yaml")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    try:
        import yaml
    except ImportError:
        return parse_space(text)
    return yaml.safe_load(text)


# ---- Paths, as supernet/train/sampler.c draws them ----

def philox(counter, key):
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & 0xFFFFFFFF, (p0 >> 32) ^ c3 ^ k1, p0 & 0xFFFFFFFF
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c0, c1, c2, c3


def words_of(seed, step):
    """Yields the random words of the stream SQ_RNG_PATH (2) in kernels/base/rng.c. The counter is (block, step low, step high, purpose)
    and the key is the seed."""
    block = 0
    while True:
        yield from philox((block, step & 0xFFFFFFFF, step >> 32, 2), (seed & 0xFFFFFFFF, seed >> 32))
        block += 1


def draw_path(counts, seed, step):
    """Returns a uniform path. `counts` has the number of choices of each layer. Rejected words remove the bias of the modulo."""
    words, path = words_of(seed, step), []
    for count in counts:
        if count > 1:
            word = next(words)
            while word < (1 << 32) % count:
                word = next(words)
            path.append(word % count)
        else:
            path.append(0)
    return tuple(path)


# ---- Blocks ----

def divisible(width):
    rounded = max(8, int(width + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * width else rounded


class Unit(nn.Module):
    """Convolution, batch norm with batch statistics and activation in one module, because eager mode pays for every module call."""

    def __init__(self, norm, inputs, outputs, kernel=1, stride=1, groups=1, activation=None):
        super().__init__()
        self.stride, self.padding, self.groups, self.activation = stride, kernel // 2, groups, activation
        self.epsilon, self.momentum = norm.get("epsilon", 1e-5), norm.get("momentum", 0.1)
        self.weight = nn.Parameter(torch.empty(outputs, inputs // groups, kernel, kernel))
        nn.init.kaiming_normal_(self.weight, mode="fan_out")
        self.affine = norm.get("affine", True)
        make = nn.Parameter if self.affine else (lambda tensor: tensor)
        ones, zeros = make(torch.ones(outputs)), make(torch.zeros(outputs))
        if self.affine:
            self.gamma, self.beta = ones, zeros
        else:
            self.register_buffer("gamma", ones)
            self.register_buffer("beta", zeros)
        self.register_buffer("mean", torch.zeros(outputs))
        self.register_buffer("variance", torch.ones(outputs))

    def forward(self, x):
        y = F.conv2d(x, self.weight, None, self.stride, self.padding, 1, self.groups)
        if self.affine or KNOBS["norm"] == "ones":
            y = F.batch_norm(y, self.mean, self.variance, self.gamma, self.beta, True, self.momentum, self.epsilon)
        else:
            y = F.batch_norm(y, self.mean, self.variance, None, None, True, self.momentum, self.epsilon)
        if self.activation == "relu":
            return F.relu(y, inplace=True)
        return F.relu6(y, inplace=True) if self.activation == "relu6" else y


def halves(x):
    """Returns the even and the odd channels of x. The split keeps the layout channels_last in forward and backward. --tune finds
    the fastest value of KNOBS["split"]."""
    n, c, h, w = x.shape
    if KNOBS["split"] == "slice":
        return x[:, 0::2], x[:, 1::2]
    last = KNOBS["layout"] == "channels_last"
    pairs = x.permute(0, 2, 3, 1).reshape(n, h, w, c // 2, 2) if last else x.reshape(n, c // 2, 2, h, w)
    if KNOBS["split"] == "copy":
        even, odd = pairs.permute((4, 0, 1, 2, 3) if last else (2, 0, 1, 3, 4)).contiguous().unbind(0)
    else:
        even, odd = pairs.unbind(-1 if last else 2)
    return (even.permute(0, 3, 1, 2), odd.permute(0, 3, 1, 2)) if last else (even, odd)


class Shuffle(nn.Module):
    """SPOS's shuffle and xception blocks (arXiv 1904.00420, figure 6)."""

    def __init__(self, norm, choice, inputs, outputs, stride, activation):
        super().__init__()
        self.stride = stride
        taken, kernel = inputs // 2 if stride == 1 else inputs, choice["kernel"]
        middle, main = divisible(choice.get("expansion", 1) * outputs / 2), outputs - taken
        if choice["kind"] == "xception":
            units, width = [], taken
            for i, out in enumerate((middle, middle, main)):
                units += [Unit(norm, width, width, kernel, stride if i == 0 else 1, width), Unit(norm, width, out, activation=activation)]
                width = out
        else:
            units = [Unit(norm, taken, middle, activation=activation), Unit(norm, middle, middle, kernel, stride, middle),
                     Unit(norm, middle, main, activation=activation)]
        self.main = nn.Sequential(*units)
        if stride == 2:
            self.projection = nn.Sequential(Unit(norm, inputs, inputs, kernel, 2, inputs),
                                            Unit(norm, inputs, inputs, activation=activation))

    def forward(self, x):
        if self.stride == 2:
            return torch.cat((self.projection(x), self.main(x)), 1)
        even, odd = halves(x)
        return torch.cat((even, self.main(odd)), 1)


class Inverted(nn.Module):
    """MobileNetV2's inverted bottleneck."""

    def __init__(self, norm, choice, inputs, outputs, stride, activation):
        super().__init__()
        middle, kernel = divisible(choice.get("expansion", 1) * inputs), choice["kernel"]
        units = [Unit(norm, inputs, middle, activation=activation)] if middle != inputs else []
        units += [Unit(norm, middle, middle, kernel, stride, middle, activation), Unit(norm, middle, outputs)]
        self.units, self.residual = nn.Sequential(*units), stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.units(x) if self.residual else self.units(x)


class Supernet(nn.Module):
    """All layers of a space from stem to head, each with all its choices. forward() returns the loss of one path."""

    def __init__(self, space, classes=None):
        super().__init__()
        norm, inputs = space.get("norm", {}), 3
        choices = {choice["name"]: choice for choice in space["choices"]}
        rows = [dict(row, stride=row.get("stride", 1) if i == 0 else 1) for row in space["layers"] for i in range(row.get("repeat", 1))]
        self.layers = nn.ModuleList()
        for row in rows:
            outputs, blocks = divisible(row["width"]), []
            for name in row.get("choices", space.get("searched", list(choices))):
                choice = choices[name]
                activation = choice.get("activation", row.get("activation", space.get("activation", "relu")))
                if choice["kind"] == "skip":
                    blocks += [nn.Identity()] if row["stride"] == 1 and inputs == outputs else []
                elif choice["kind"] == "conv":
                    blocks.append(Unit(norm, inputs, outputs, choice["kernel"], row["stride"], 1, activation))
                elif choice["kind"] in ("shuffle", "xception", "mb") and not choice.get("se"):
                    kind = Inverted if choice["kind"] == "mb" else Shuffle
                    blocks.append(kind(norm, choice, inputs, outputs, row["stride"], activation))
                else:
                    sys.exit(f"pytorch_supernet: choice '{name}': this peer has conv, shuffle, xception, mb and skip, without se")
            self.layers.append(nn.ModuleList(blocks))
            inputs = outputs
        self.dropout = space.get("dropout", 0)
        self.classes = classes or space["classes"]
        self.classifier = nn.Linear(inputs, self.classes, bias=space.get("classifier_bias", False))
        self.register_buffer("scale", torch.tensor([1 / (255 * d) for d in DEVIATION]).view(1, 3, 1, 1))
        self.register_buffer("shift", torch.tensor([-m / d for m, d in zip(MEAN, DEVIATION)]).view(1, 3, 1, 1))

    def counts(self):
        return [len(layer) for layer in self.layers] + [1]  # the classifier counts as a layer with one choice

    def logits(self, images, path):
        """Returns the logits of one path. images: uint8, n x h x w x 3."""
        x = images.permute(0, 3, 1, 2).to(self.scale.dtype)
        x = torch.addcmul(self.shift, x, self.scale)
        if KNOBS["layout"] == "contiguous":
            x = x.contiguous()
        for layer, choice in zip(self.layers, path):
            x = layer[choice](x)
        # The mean is taken over NHWC, so that its gradient is channels_last too.
        x = x.permute(0, 2, 3, 1).mean((1, 2)) if KNOBS["layout"] == "channels_last" else x.mean((2, 3))
        return self.classifier(F.dropout(x, self.dropout) if self.dropout else x)

    def forward(self, images, labels, path):
        return F.cross_entropy(self.logits(images, path).float(), labels, label_smoothing=0.1)
