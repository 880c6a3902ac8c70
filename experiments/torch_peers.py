"""Our networks in PyTorch, plainly written, for `bench_step.py` and `time_to_quality.py` to run beside ours.

They have the parameters and operations of ours without classes. PyTorch is no dependency.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import torch  # pyright: ignore[reportMissingImports]
from torch import nn  # pyright: ignore[reportMissingImports]
from torch.nn import functional  # pyright: ignore[reportMissingImports]
from torch.nn.utils.parametrizations import spectral_norm  # pyright: ignore[reportMissingImports]

from jaxgan.models import DCGANConfig, MLPConfig, R3GANConfig, ResNetConfig
from jaxgan.models.dcgan import stage_sizes
from jaxgan.models.dcgan import stage_widths as dcgan_widths
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
        x = x + self.strength * torch.randn(len(x), 1, *x.shape[2:], device=x.device)
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
        layers = torch.arange(2 * len(self.convs), device=z.device)
        crossed = torch.randint(1, len(layers), (len(z),), device=z.device)
        first = torch.where(torch.rand(len(z), device=z.device) < self.mixing, crossed, len(layers))
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


# --- MLP, DCGAN, residual networks ------------------------------------------------------------------


def dense(widths: Sequence[int]) -> list[Any]:
    """Hidden layers of PyTorch through `widths`."""
    return [
        layer for a, b in itertools.pairwise(widths) for layer in (nn.Linear(a, b), nn.LeakyReLU(0.2, True))
    ]


def torch_mlp(case: Any) -> tuple[list[Any], list[Any]]:
    """The networks of an MLPConfig."""
    height, width, channels = case.shape
    pixels = math.prod(case.shape)
    g = [
        *dense((case.latent, *case.model.g_widths)),
        nn.Linear(case.model.g_widths[-1], pixels),
        nn.Tanh(),
        nn.Unflatten(1, (channels, height, width)),
    ]
    return g, [nn.Flatten(), *dense((pixels, *case.model.d_widths)), nn.Linear(case.model.d_widths[-1], 1)]


def torch_dcgan(case: Any) -> tuple[list[Any], list[Any]]:
    """Those of a DCGANConfig."""
    height, width, channels = case.shape
    sizes = stage_sizes(height, width)
    widths = dcgan_widths(len(sizes) - 1, case.model.width)
    (p, q), outputs = sizes[-1], [channels, *widths[:-1]]
    g: list[Any] = [
        nn.Linear(case.latent, p * q * widths[-1], bias=False),
        nn.Unflatten(1, (widths[-1], p, q)),
    ]
    d: list[Any] = []
    for stage in range(len(widths)):
        odd = sizes[stage][0] % 2  # 7 pixels to 4, which takes one more line of padding
        convolution = nn.Conv2d(outputs[stage], widths[stage], 4, 2, 1 + odd, bias=stage == 0)
        norm = [nn.BatchNorm2d(widths[stage])] if stage else []
        d += [convolution, *norm, nn.LeakyReLU(0.2, True)]
    for stage in reversed(range(len(widths))):
        odd = sizes[stage][0] % 2
        up = nn.ConvTranspose2d(widths[stage], outputs[stage], 4, 2, 1 + odd, odd, bias=stage == 0)
        g += [nn.BatchNorm2d(widths[stage]), nn.ReLU(True), up]
    return [*g, nn.Tanh()], [*d, nn.Flatten(), nn.Linear(p * q * widths[-1], 1)]


def torch_resnet(case: Any) -> tuple[list[Any], list[Any]]:
    """Those of a ResNetConfig for 32 pixels, without classes: SNGAN's."""
    double = lambda x: functional.interpolate(x, scale_factor=2)
    halve = lambda x: functional.avg_pool2d(x, 2)

    class Up(nn.Module):
        def __init__(self, width: int):
            super().__init__()
            self.norm1, self.norm2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
            self.conv1, self.conv2 = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
            self.skip = nn.Conv2d(width, width, 1)

        def forward(self, x: Any) -> Any:
            inside = self.conv1(double(functional.relu(self.norm1(x))))
            return self.conv2(functional.relu(self.norm2(inside))) + double(self.skip(x))

    class Down(nn.Module):
        def __init__(self, inputs: int, width: int, down: bool, first: bool):
            super().__init__()
            self.conv1 = spectral_norm(nn.Conv2d(inputs, width, 3, padding=1))
            self.conv2 = spectral_norm(nn.Conv2d(width, width, 3, padding=1))
            self.skip = spectral_norm(nn.Conv2d(inputs, width, 1)) if down else None
            self.first = first

        def forward(self, x: Any) -> Any:
            inside = self.conv2(functional.relu(self.conv1(x if self.first else functional.relu(x))))
            return x + inside if self.skip is None else self.skip(halve(x)) + halve(inside)

    class Sum(nn.Module):
        def forward(self, x: Any) -> Any:
            return functional.relu(x).sum((2, 3))

    channels, width, d_width = (
        case.shape[2],
        4 * case.model.width,
        2 * (case.model.d_width or case.model.width),
    )
    g = [nn.Linear(case.latent, 16 * width), nn.Unflatten(1, (width, 4, 4)), *(Up(width) for _ in range(3))]
    g += [nn.BatchNorm2d(width), nn.ReLU(True), nn.Conv2d(width, channels, 3, padding=1), nn.Tanh()]
    blocks = [Down(d_width if i else channels, d_width, i < 2, i == 0) for i in range(4)]
    return g, [*blocks, Sum(), spectral_norm(nn.Linear(d_width, 1))]


def networks(case: Any) -> tuple[Any, Any]:
    """The generator and the discriminator of a case of `bench_step.py`."""
    makers = {
        MLPConfig: torch_mlp,
        DCGANConfig: torch_dcgan,
        ResNetConfig: torch_resnet,
        R3GANConfig: torch_r3gan,
    }
    g, d = makers.get(type(case.model), torch_stylegan2)(case)
    return nn.Sequential(*g), nn.Sequential(*d)


# --- the step -----------------------------------------------------------------------------------------

WAYS = {
    "PyTorch eager": {},
    "PyTorch eager, tuned": {"tuned": True},
    "PyTorch compiled, AMP": {"tuned": True, "compiled": True},  # on a GPU only
}


def torch_step(
    case: Any,
    batch_size: int,
    rates: tuple[float, float, float],
    repeat: int = 1,
    *,
    tuned: bool = False,
    compiled: bool = False,
) -> tuple[Any, int]:
    """A function that makes `repeat` steps, waited for, and the number of parameters.

    Args:
      case: networks, loss and latent size.
      batch_size: examples of each update.
      rates: learning rate and betas of Adam.
      repeat: steps of a call.
      tuned: channels_last, fused Adam, and on a GPU TensorFloat-32 in products and the fastest convolutions.
      compiled: networks through torch.compile, under automatic mixed precision with bfloat16.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(0)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.benchmark = tuned
    height, width, channels = case.shape
    generator, discriminator = (net.to(device) for net in networks(case))
    real = torch.rand(batch_size, channels, height, width, device=device) * 2 - 1
    if tuned:
        last: Any = {"memory_format": torch.channels_last}
        generator, discriminator, real = generator.to(**last), discriminator.to(**last), real.to(**last)
    learning_rate, *rest = rates
    betas: Any = tuple(rest)
    adam = lambda m: torch.optim.Adam(m.parameters(), lr=learning_rate, betas=betas, fused=tuned or None)
    g_optimizer, d_optimizer = adam(generator), adam(discriminator)
    weights = list(generator.parameters())
    average = [w.detach().clone() for w in weights]
    bent = functional.softplus if case.loss == "non_saturating" else lambda x: functional.relu(1 + x)
    wanted = (lambda x: bent(-x)) if case.loss == "non_saturating" else lambda x: -x  # of the generator
    g, d = (
        (torch.compile(generator), torch.compile(discriminator)) if compiled else (generator, discriminator)
    )

    def once() -> None:
        with torch.autocast(device, torch.bfloat16, enabled=compiled):
            fake = g(torch.randn(batch_size, case.latent, device=device))
            d_real, d_fake = d(real), d(fake.detach())
        d_loss = bent(-d_real.float()).mean() + bent(d_fake.float()).mean()
        d_optimizer.zero_grad(set_to_none=True)
        d_loss.backward()
        d_optimizer.step()
        discriminator.requires_grad_(False)
        with torch.autocast(device, torch.bfloat16, enabled=compiled):
            judged = d(fake)
        g_loss = wanted(judged.float()).mean()
        g_optimizer.zero_grad(set_to_none=True)
        g_loss.backward()
        g_optimizer.step()
        discriminator.requires_grad_(True)
        with torch.no_grad():
            torch._foreach_lerp_(average, weights, 0.001)  # pyright: ignore

    def step() -> None:
        for _ in range(repeat):
            once()
        if device == "cuda":
            torch.cuda.synchronize()

    step()
    return step, sum(w.numel() for m in (generator, discriminator) for w in m.parameters())
