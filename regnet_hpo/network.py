"""RegNet with squeeze-and-excitation as a torch module, built from its stages."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from eahas.space.architectures.regnet import STEM_STRIDES, NetworkFacts, Stages


class ConvNorm(nn.Module):
    """A convolution without bias, followed by batch norm.

    In evaluation the norm is folded into the convolution, because at these image sizes the norm
    takes as long as the convolution.
    """

    def __init__(
        self, w_in: int, w_out: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(w_in, w_out, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(w_out)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return self.norm(self.conv(x))
        conv, norm = self.conv, self.norm
        assert norm.running_mean is not None and norm.running_var is not None
        scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        shift = norm.bias - norm.running_mean * scale
        weight = conv.weight * scale[:, None, None, None]
        return conv._conv_forward(x, weight, shift)


class SqueezeExcite(nn.Module):
    """Channel weights: global average pool, linear, ReLU, linear, sigmoid."""

    def __init__(self, width: int, squeezed: int) -> None:
        super().__init__()
        self.squeeze = nn.Linear(width, squeezed)
        self.excite = nn.Linear(squeezed, width)

    def forward(self, x: Tensor) -> Tensor:
        weights = torch.sigmoid(self.excite(torch.relu(self.squeeze(x.mean((2, 3))))))
        return x * weights[:, :, None, None]


class Bottleneck(nn.Module):
    """Residual bottleneck: 1x1, grouped 3x3, SE, 1x1; a projection shortcut where shapes differ."""

    def __init__(self, w_in: int, width: int, stride: int, group: int, facts: NetworkFacts) -> None:
        super().__init__()
        inner = round(width * facts.bottleneck_multiplier)
        squeezed = round(w_in * facts.se_ratio)
        project = w_in != width or stride != 1
        self.shortcut = ConvNorm(w_in, width, 1, stride) if project else None
        self.a = ConvNorm(w_in, inner, 1)
        self.b = ConvNorm(inner, inner, 3, stride, groups=inner // group)
        self.se = SqueezeExcite(inner, squeezed) if squeezed else None
        self.c = ConvNorm(inner, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu_(self.b(torch.relu_(self.a(x))))
        if self.se is not None:
            y = self.se(y)
        return torch.relu_(self.c(y) + (x if self.shortcut is None else self.shortcut(x)))


class RegNet(nn.Module):
    """Stem, stages of bottlenecks, global average pool and a linear head.

    The input is (batch, in_channels, image_size, image_size), the output logits (batch, classes).
    """

    def __init__(self, stages: Stages, facts: NetworkFacts) -> None:
        super().__init__()
        self.stem = ConvNorm(facts.in_channels, facts.stem_width, 3, STEM_STRIDES[facts.stem])
        blocks: list[nn.Module] = []
        w_in = facts.stem_width
        shapes = zip(stages.widths, stages.depths, stages.group_widths, strict=True)
        for width, depth, group in shapes:
            for block in range(depth):
                stride = facts.stride if block == 0 else 1
                blocks.append(Bottleneck(w_in, width, stride, group, facts))
                w_in = width
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(w_in, facts.classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(torch.relu_(self.stem(x)))
        return self.head(x.mean((2, 3)))


def initialise(network: RegNet, generator: torch.Generator) -> None:
    """Initialise the weights in place, as pycls does (He et al., 2015, fan-out; BN as identity).

    Convolutions and the layers of SE are N(0, 2/fan_out), the head is N(0, 0.01^2) with zero bias.
    The biases of SE have torch's default uniform distribution.
    """
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels
                module.weight.normal_(0.0, math.sqrt(2.0 / fan_out), generator=generator)
            elif isinstance(module, nn.Linear) and module is not network.head:
                module.weight.normal_(
                    0.0, math.sqrt(2.0 / module.out_features), generator=generator
                )
                bound = 1.0 / math.sqrt(module.in_features)
                module.bias.uniform_(-bound, bound, generator=generator)
        network.head.weight.normal_(0.0, 0.01, generator=generator)
        network.head.bias.zero_()
