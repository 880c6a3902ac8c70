"""The networks of R3GAN and StyleGAN2 in PyTorch, plainly written, for `bench_step.py` to run beside ours.

They have the parameters and operations of ours without classes, in float32. PyTorch is no dependency.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import torch  # pyright: ignore[reportMissingImports]
from torch import nn  # pyright: ignore[reportMissingImports]
from torch.nn import functional  # pyright: ignore[reportMissingImports]

from jaxgan.models.layers.basics import even_sizes
from jaxgan.models.r3gan import stage_widths as r3gan_widths
from jaxgan.models.stylegan2 import d_widths


class Filter(nn.Module):
    """The binomial filter of 4 taps, over every channel, by a convolution in groups."""

    kernel: Any

    def __init__(self, gain: float = 1.0) -> None:
        """`gain` multiplies the result."""
        super().__init__()
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
        self.register_buffer("kernel", gain * torch.outer(taps, taps) / 64, persistent=False)

    def forward(self, x: Any, padding: tuple[int, int], stride: int = 1) -> Any:
        """Zeros before and after both sides, then the filter."""
        kernel = self.kernel[None, None].expand(x.shape[1], 1, 4, 4)
        return functional.conv2d(functional.pad(x, padding * 2), kernel, stride=stride, groups=x.shape[1])


class Doubled(nn.Module):
    """Twice the size: every pixel, zeros between, filtered."""

    kernel: Any

    def __init__(self) -> None:
        """Brightness is kept."""
        super().__init__()
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
        self.register_buffer("kernel", torch.outer(taps, taps) / 16, persistent=False)

    def forward(self, x: Any) -> Any:
        """[n, c, h, w] -> [n, c, 2h, 2w]."""
        kernel = self.kernel[None, None].expand(x.shape[1], 1, 4, 4)
        return functional.conv_transpose2d(x, kernel, stride=2, padding=1, groups=x.shape[1])


# --- R3GAN -------------------------------------------------------------------------------------------


class R3GANBlock(nn.Module):
    """x + 1x1(act(grouped 3x3(act(1x1(x)))))."""

    def __init__(self, width: int, groups: int, expansion: int) -> None:
        """`width` channels outside, `expansion` times as many inside."""
        super().__init__()
        inside = width * expansion
        self.expand = nn.Conv2d(width, inside, 1)
        self.grouped = nn.Conv2d(inside, inside, 3, padding=1, groups=groups)
        self.project = nn.Conv2d(inside, width, 1, bias=False)
        nn.init.zeros_(self.project.weight)

    def forward(self, x: Any) -> Any:
        """[n, c, h, w] -> [n, c, h, w]."""
        y = functional.leaky_relu(self.expand(x), 0.2, inplace=True)
        return x + self.project(functional.leaky_relu(self.grouped(y), 0.2, inplace=True))


class Basis(nn.Module):
    """Latents to the smallest maps ("up"), or these to one number a channel."""

    def __init__(self, width: int, side: int, up: bool) -> None:
        """A learnt map a channel."""
        super().__init__()
        self.basis, self.up = nn.Parameter(torch.randn(width, side, side) / (1 if up else side)), up

    def forward(self, x: Any) -> Any:
        """[n, c] -> [n, c, side, side], or back."""
        return x[:, :, None, None] * self.basis if self.up else (x * self.basis).sum((2, 3))


def torch_r3gan(case: Any) -> tuple[list[Any], list[Any]]:
    """Those of an R3GANConfig."""
    model, (height, side, channels) = case.model, case.shape
    sizes = even_sizes(height, side)
    widths = r3gan_widths(len(sizes), model.width, model.full)
    groups = lambda width: max(1, model.cardinality * width // model.width)
    blocks = lambda width: [R3GANBlock(width, groups(width), model.expansion) for _ in range(model.blocks)]
    one = lambda a, b: nn.Conv2d(a, b, 1, bias=False)

    class Halved(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.filter = Filter()

        def forward(self, x: Any) -> Any:
            return self.filter(x, (1, 1), stride=2)

    g: list[Any] = [nn.Linear(case.latent, widths[0], bias=False), Basis(widths[0], sizes[0][0], True)]
    d: list[Any] = [one(channels, widths[-1])]
    for stage, width in enumerate(widths):
        narrow = [one(widths[stage - 1], width)] if stage and width != widths[stage - 1] else []
        g += [*narrow, *([Doubled()] if stage else []), *blocks(width)]
    for stage in reversed(range(len(widths))):
        d += blocks(widths[stage])
        if stage:
            d.append(Halved())
            d += [one(widths[stage], widths[stage - 1])] if widths[stage] != widths[stage - 1] else []
    return [*g, one(widths[-1], channels)], [
        *d,
        Basis(widths[0], sizes[0][0], False),
        nn.Linear(widths[0], 1, bias=False),
    ]


# --- StyleGAN2 ---------------------------------------------------------------------------------------


def leaky(x: Any) -> Any:
    """Leaky ReLU times the root of 2, limited."""
    return (functional.leaky_relu(x, 0.2) * math.sqrt(2)).clamp(-256, 256)


class Dense(nn.Module):
    """A linear function whose weights are scaled as they are used."""

    def __init__(self, inputs: int, outputs: int, rate: float = 1.0) -> None:
        """`rate` multiplies the learning rate."""
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias, self.scale, self.rate = nn.Parameter(torch.zeros(outputs)), rate / math.sqrt(inputs), rate

    def forward(self, x: Any) -> Any:
        """[..., inputs] -> [..., outputs]."""
        return functional.linear(x, self.weight * self.scale, self.bias * self.rate)


class Conv(nn.Module):
    """An equalised convolution, of stride 2 after the filter if `down`."""

    def __init__(
        self, inputs: int, outputs: int, size: int = 3, down: bool = False, bias: bool = True
    ) -> None:
        """A kernel of `size` pixels a side."""
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, size, size))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.scale, self.size = 1 / math.sqrt(inputs * size * size), size
        self.filter = Filter() if down else None

    def forward(self, x: Any) -> Any:
        """[n, inputs, h, w] -> [n, outputs, h, w], or half of it."""
        weight, half = self.weight * self.scale, self.size // 2
        if self.filter is None:
            return functional.conv2d(x, weight, self.bias, padding=half)
        if self.size == 1:
            return functional.conv2d(self.filter(x, (1, 1), stride=2), weight, self.bias)
        return functional.conv2d(self.filter(x, (2, 2)), weight, self.bias, stride=2)


class Modulated(nn.Module):
    """A convolution with the input scaled by a style, and the output back to unit variance."""

    def __init__(self, style: int, inputs: int, outputs: int, size: int, up: bool, demodulate: bool) -> None:
        """`up` doubles the size."""
        super().__init__()
        self.affine = Dense(style, inputs)
        nn.init.ones_(self.affine.bias)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, size, size))
        self.demodulate, self.scale = demodulate, 1 / math.sqrt(inputs * size * size)
        self.filter = Filter(4.0) if up else None

    def forward(self, x: Any, w: Any) -> Any:
        """[n, inputs, h, w] and styles -> [n, outputs, h, w], of twice the size with `up`."""
        style = self.affine(w)
        if not self.demodulate:
            style = style * self.scale
        x = x * style[:, :, None, None]
        if self.filter is None:
            x = functional.conv2d(x, self.weight, padding=self.weight.shape[2] // 2)
        else:
            x = self.filter(functional.conv_transpose2d(x, self.weight.transpose(0, 1), stride=2), (1, 1))
        if self.demodulate:
            sums = style.square() @ self.weight.square().sum((2, 3)).T
            x = x * (sums + 1e-8).rsqrt()[:, :, None, None]
        return x


class Styled(nn.Module):
    """Modulated convolution, noise, bias, leaky ReLU."""

    def __init__(self, style: int, inputs: int, outputs: int, up: bool = False) -> None:
        """`up` doubles the size."""
        super().__init__()
        self.conv = Modulated(style, inputs, outputs, 3, up, True)
        self.strength, self.bias = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Any, w: Any) -> Any:
        """As of the convolution."""
        x = self.conv(x, w)
        x = x + self.strength * torch.randn(len(x), 1, *x.shape[2:])
        return leaky(x + self.bias[:, None, None])


class ToRGB(nn.Module):
    """Modulated 1x1 convolution and a bias."""

    def __init__(self, style: int, inputs: int, channels: int) -> None:
        """Without demodulation."""
        super().__init__()
        self.conv = Modulated(style, inputs, channels, 1, False, False)
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Any, w: Any) -> Any:
        """[n, inputs, h, w] and styles -> [n, channels, h, w]."""
        return (self.conv(x, w) + self.bias[:, None, None]).clamp(-256, 256)


class StyleGenerator(nn.Module):
    """Latents to styles, of which two are mixed, to images."""

    def __init__(self, model: Any, latent: int, shape: tuple[int, int, int]) -> None:
        """The networks of a StyleGAN2Config."""
        super().__init__()
        widths, style, channels = d_widths(shape, model.base, model.most), model.style, shape[2]
        sizes = (latent, *(style,) * model.mapping_layers)
        self.mapping = nn.ModuleList(Dense(a, b, 0.01) for a, b in itertools.pairwise(sizes))
        self.constant = nn.Parameter(torch.randn(widths[0], 4, 4))
        self.ups = nn.ModuleList(Styled(style, a, b, True) for a, b in itertools.pairwise(widths))
        self.convs = nn.ModuleList(Styled(style, width, width) for width in widths)
        self.images = nn.ModuleList(ToRGB(style, width, channels) for width in widths)
        self.doubled, self.mixing = Doubled(), model.mixing

    def styles(self, z: Any) -> Any:
        """[n, latent] -> [n, style]."""
        w = z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt()
        for layer in self.mapping:
            w = leaky(layer(w))
        return w

    def forward(self, z: Any) -> Any:
        """[n, latent] -> images [n, channels, h, w]."""
        layers = torch.arange(2 * len(self.convs))
        first = torch.where(
            torch.rand(len(z)) < self.mixing, torch.randint(1, len(layers), (len(z),)), len(layers)
        )
        own, other = self.styles(z), self.styles(torch.randn_like(z))
        ws = torch.where(layers[None, :, None] >= first[:, None, None], other[:, None], own[:, None])
        x, image = self.constant.expand(len(z), -1, -1, -1), None
        for stage, (conv, rgb) in enumerate(zip(self.convs, self.images, strict=True)):
            if stage:
                x, image = self.ups[stage - 1](x, ws[:, 2 * stage - 1]), self.doubled(image)
            x = conv(x, ws[:, 2 * stage])
            made = rgb(x, ws[:, 2 * stage + 1])
            image = made if image is None else image + made
        return image


class StyleDiscriminator(nn.Module):
    """Residual stages, and the standard deviation of groups."""

    def __init__(self, model: Any, shape: tuple[int, int, int]) -> None:
        """The discriminator of a StyleGAN2Config."""
        super().__init__()
        widths = d_widths(shape, model.base, model.most)
        self.first, self.group = Conv(shape[2], widths[-1], 1), model.group
        pairs = [(widths[stage], widths[stage - 1]) for stage in range(len(widths) - 1, 0, -1)]
        self.convs = nn.ModuleList(Conv(a, a) for a, _ in pairs)
        self.downs = nn.ModuleList(Conv(a, b, down=True) for a, b in pairs)
        self.skips = nn.ModuleList(Conv(a, b, 1, down=True, bias=False) for a, b in pairs)
        self.last, self.dense = Conv(widths[0] + 1, widths[0]), Dense(16 * widths[0], widths[0])
        self.logit = Dense(widths[0], 1)

    def forward(self, x: Any) -> Any:
        """Images [n, channels, h, w] -> logits [n, 1]."""
        x = leaky(self.first(x))
        for conv, down, skip in zip(self.convs, self.downs, self.skips, strict=True):
            x = (leaky(down(leaky(conv(x)))) + skip(x)) * math.sqrt(0.5)
        n, c, h, w = x.shape
        groups = x.reshape(self.group, n // self.group, c, h, w)
        spread = (groups.var(0, unbiased=False) + 1e-8).sqrt().mean((1, 2, 3))
        x = torch.cat([x, spread.repeat(self.group)[:, None, None, None].expand(n, 1, h, w)], 1)
        return self.logit(leaky(self.dense(leaky(self.last(x)).flatten(1))))


def torch_stylegan2(case: Any) -> tuple[list[Any], list[Any]]:
    """Those of a StyleGAN2Config, residual, for 4 2^k pixels a side."""
    return [StyleGenerator(case.model, case.latent, case.shape)], [StyleDiscriminator(case.model, case.shape)]
