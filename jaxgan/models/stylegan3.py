"""StyleGAN3 (Karras et al. 2021): every layer is a continuous signal, so that details move with what they belong to.

Feature maps are samples of signals with a known cutoff frequency, on a square with a margin around the image. A
mapping network makes a style w of a latent z; Fourier features, turned and moved as w says, are the input; then layers
raise cutoff and sampling rate step by step, and each nonlinearity works at twice the rate, between low-pass filters.

References:
  Karras et al. (2021), Alias-free generative adversarial networks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.common.numerics import at_least_float32
from jaxgan.models.layers import (
    EqualizedDense,
    MappingNetwork,
    Signal,
    filtered_leaky,
    layer_schedule,
    lowpass,
    modulated_conv,
    radial_lowpass,
    recomputed,
    truncated,
)
from jaxgan.models.layers.axes import mean_over
from jaxgan.models.stylegan2 import Discriminator, check_style_config, d_widths, truncated_by

TAPS = 6  # of a filter, at the lower of its two rates
OVERSAMPLED = 2  # the rate at which nonlinearities work
OUTPUT_SCALE = 0.25
LOW_PRECISION = 4  # octaves below the image's resolution in which layers compute in `dtype`


class FourierInput(nn.Module):
    """Sines whose frequencies are uniform on the disc of radius `bandwidth`, turned and moved by w, and mixed.

    Frequencies and phases are drawn once, and kept in collection "fourier".

    Attributes:
      signal: what is given.

    References:
      Karras et al. (2021), Alias-free generative adversarial networks, section 3.2.
    """

    signal: Signal

    @nn.compact
    def __call__(self, w: jax.Array, transform: jax.Array | None = None) -> jax.Array:
        """Styles [n, d] (and transforms [3, 3] or [n, 3, 3] of positions) -> [n, size, size, channels]."""
        cutoff, _, rate, size, channels = self.signal
        start = lambda: _on_disc(self.make_rng("params"), channels) * cutoff
        frequencies = self.variable("fourier", "frequencies", start).value
        start = lambda: jax.random.uniform(self.make_rng("params"), (channels,)) - 0.5
        phases = self.variable("fourier", "phases", start).value
        w = at_least_float32(w)
        kernel = self.param("affine_kernel", nn.initializers.zeros_init(), (w.shape[1], 4))
        bias = self.param("affine_bias", lambda _: jnp.asarray([1.0, 0.0, 0.0, 0.0]))
        moves = _rotation_translation(w @ kernel / math.sqrt(w.shape[1]) + bias)
        if transform is not None:
            moves = jnp.matmul(moves, transform, precision="highest")
        turned = jnp.einsum("cf,nfg->ncg", frequencies, moves[:, :2, :2], precision="highest")
        shifted = phases + jnp.einsum("cf,nf->nc", frequencies, moves[:, :2, 2], precision="highest")
        # A transform that enlarges is not to make frequencies that the rate cannot hold.
        length = jnp.sqrt(jnp.square(turned).sum(-1))
        amplitudes = jnp.clip(1 - (length - cutoff) / (rate / 2 - cutoff), 0, 1)
        position = jnp.asarray((np.arange(size) + 0.5 - size / 2) / rate, turned.dtype)
        along = position * turned[:, :, :1], position * turned[:, :, 1:]  # [n, c, size]: in x and in y
        angle = along[0][:, :, None, :] + along[1][:, :, :, None] + shifted[:, :, None, None]
        x = jnp.sin(2 * np.pi * angle) * amplitudes[:, :, None, None]
        mixing = self.param("kernel", nn.initializers.normal(1.0), (channels, channels))
        return jnp.einsum("ncyx,cd->nyxd", x, mixing / math.sqrt(channels), precision="highest")


def _on_disc(key: jax.Array, n: int) -> jax.Array:
    """Points [n, 2], uniform on the disc of radius 1."""
    radius, angle = jax.random.uniform(key, (2, n))
    return jnp.sqrt(radius)[:, None] * jnp.stack([jnp.cos(2 * np.pi * angle), jnp.sin(2 * np.pi * angle)], 1)


def _rotation_translation(t: jax.Array) -> jax.Array:
    """(cosine, sine, x, y) [n, 4], divided by the length of the first two -> transforms of positions [n, 3, 3]."""
    c, s, x, y = jnp.moveaxis(t / jnp.sqrt(jnp.square(t[:, :2]).sum(1, keepdims=True)), 1, 0)
    zero, one = jnp.zeros_like(c), jnp.ones_like(c)
    rotation = jnp.stack([c, -s, zero, s, c, zero, zero, zero, one], 1).reshape(-1, 3, 3)
    translation = jnp.stack([one, zero, -x, zero, one, -y, zero, zero, one], 1).reshape(-1, 3, 3)
    return jnp.matmul(rotation, translation, precision="highest")


class Layer(nn.Module):
    """Modulated convolution, bias, and a leaky ReLU between filters; the layer to RGB has no nonlinearity.

    What comes in is divided by the root of its running mean square ("magnitude" of collection "batch_stats"), which
    moves in training passes only, before it is used.

    Attributes:
      before: the signal that comes in.
      after: the signal that is given.
      size: side of the kernel.
      to_rgb: whether this is the layer to RGB.
      radial: whether the filter that leads to the lower rate is radially symmetric.
      clamp: largest absolute value of an activation; None: no limit.
      decay: of the running mean square.
      axis_name: mapped axis that it averages over.

    References:
      Karras et al. (2021), Alias-free generative adversarial networks, section 3.2.
    """

    before: Signal
    after: Signal
    size: int = 3
    to_rgb: bool = False
    radial: bool = False
    clamp: float | None = 256.0
    decay: float = 0.999
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array, w: jax.Array, *, train: bool = False) -> jax.Array:
        """[n, h, w, c], styles [n, d] -> [n, h', w', c'], in the type of `x`; parameters are float32."""
        features, channels = self.after.channels, x.shape[-1]
        gain = jax.lax.rsqrt(self._magnitude(x, train))
        style = EqualizedDense(channels, bias_init=1.0, name="affine")(at_least_float32(w))
        shape = (self.size, self.size, channels, features)
        kernel = self.param("kernel", nn.initializers.normal(1.0), shape)
        if self.to_rgb:
            style = style / math.sqrt(math.prod(shape[:3]))
        else:  # demodulation takes these factors out again, but for numbers that bfloat16 can hold
            style = style * jax.lax.rsqrt(jnp.square(style).mean(1, keepdims=True))
            kernel = kernel * jax.lax.rsqrt(jnp.square(kernel).mean((0, 1, 2), keepdims=True))
        y = modulated_conv(x, kernel, style, demodulate=not self.to_rgb, margin=self.size // 2)
        bias = self.param("bias", nn.initializers.zeros_init(), (features,))
        y = y * gain.astype(x.dtype) + bias.astype(x.dtype)
        return self._limited_rgb(y) if self.to_rgb else self._filtered(y)

    def _magnitude(self, x: jax.Array, train: bool) -> jax.Array:
        running = self.variable("batch_stats", "magnitude", jnp.ones, ())
        if train and not self.is_initializing():
            now = jnp.square(at_least_float32(jax.lax.stop_gradient(x))).mean()
            now = mean_over(self.axis_name, now)
            running.value = now + self.decay * (running.value - now)
        return running.value

    def _limited_rgb(self, y: jax.Array) -> jax.Array:
        return y if self.clamp is None else jnp.clip(y, -self.clamp, self.clamp)

    def _filtered(self, y: jax.Array) -> jax.Array:
        before, after = self.before, self.after
        rate = OVERSAMPLED * max(before.rate, after.rate)
        up, down = rate // before.rate, rate // after.rate
        up_taps = lowpass(TAPS * up, before.cutoff, 2 * before.half_width, rate)
        design = radial_lowpass if self.radial else lowpass
        down_taps = design(TAPS * down, after.cutoff, 2 * after.half_width, rate)
        needed = (after.size - 1) * down + 1 + len(up_taps) + len(down_taps) - 2
        total = needed - y.shape[1] * up
        first = (total + up) // 2  # samples lie in the middle of their pixels
        padding = (first, total - first)
        return filtered_leaky(y, up_taps, down_taps, up=up, down=down, padding=padding, clamp=self.clamp)


class Synthesis(nn.Module):
    """Styles to images.

    Attributes:
      signals: of all layers, and of the layer to RGB.
      critical: of the last layers, critically sampled: their filters are never radial.
      rotations: whether it is equivariant to rotations too: 1x1 convolutions and radial filters.
      clamp: largest absolute value of an activation; None: no limit.
      decay: of the mean squares of what layers are given.
      dtype: what the layers of high resolution compute in.
      axis_name: mapped axis that these mean squares average over.
      remat: what blocks compute inside is computed again on the way back, and not kept.
    """

    signals: tuple[Signal, ...]
    critical: int = 2
    rotations: bool = False
    clamp: float | None = 256.0
    decay: float = 0.999
    dtype: Any = jnp.float32
    axis_name: str | None = None
    remat: bool = False

    @nn.compact
    def __call__(
        self, ws: jax.Array, *, train: bool = False, transform: jax.Array | None = None
    ) -> jax.Array:
        """Styles [n, layers + 2, d] (and a transform of positions) -> images [n, h, w, channels]."""
        layers, resolution = len(self.signals) - 1, self.signals[-1].size
        x = FourierInput(self.signals[0], name="input")(ws[:, 0], transform)
        for i, signal in enumerate(self.signals):
            low = signal.rate * 2**LOW_PRECISION > resolution and self.dtype != jnp.float32
            layer = Layer(
                self.signals[max(i - 1, 0)],
                signal,
                size=1 if self.rotations or i == layers else 3,
                to_rgb=i == layers,
                radial=self.rotations and i < layers - self.critical,
                clamp=self.clamp,
                decay=self.decay,
                axis_name=self.axis_name,
                name=f"layer_{i}",
            )
            x = x.astype(self.dtype) if low else at_least_float32(x)
            x = recomputed(self.remat, layer)(x, ws[:, i + 1], train=train)
        return OUTPUT_SCALE * at_least_float32(x)


class Generator(nn.Module, kw_only=True):
    """Latents to styles ("mapping") to images ("synthesis"); no noise, no mixed styles.

    Attributes:
      signals: of all layers, and of the layer to RGB, as of `layer_schedule`.
      critical: of the last layers, critically sampled.
      rotations: whether it is equivariant to rotations too.
      style: size of w.
      mapping_layers: of the mapping network.
      n_classes: 0, or the number of classes.
      decay: of the mean of w.
      magnitude_decay: of the mean squares of what layers are given.
      clamp: largest absolute value of an activation; None: no limit.
      dtype: what the layers of high resolution compute in; parameters and images are float32.
      axis_name: mapped axis that statistics average over.
      remat: what blocks compute inside is computed again on the way back, and not kept.
    """

    signals: tuple[Signal, ...]
    critical: int = 2
    rotations: bool = False
    style: int = 512
    mapping_layers: int = 2
    n_classes: int = 0
    decay: float = 0.998
    magnitude_decay: float = 0.999
    clamp: float | None = 256.0
    dtype: Any = jnp.float32
    axis_name: str | None = None
    remat: bool = False

    def setup(self) -> None:
        """The two networks."""
        self.to_w = MappingNetwork(
            self.style,
            self.mapping_layers,
            n_classes=self.n_classes,
            decay=self.decay,
            axis_name=self.axis_name,
        )
        self.to_image = Synthesis(
            self.signals,
            self.critical,
            self.rotations,
            self.clamp,
            self.magnitude_decay,
            self.dtype,
            self.axis_name,
            self.remat,
        )

    def __call__(self, z: jax.Array, label: jax.Array | None = None, *, train: bool = False) -> jax.Array:
        """[n, latent] (and labels [n]) -> images [n, h, w, c], about in [-1, 1]: nothing bounds them.

        Raises:
          ValueError: if the generator is conditional and there is no label.
        """
        return self.synthesis(self.mapping(z, label, train=train), train=train)

    def mapping(self, z: jax.Array, label: jax.Array | None = None, *, train: bool = False) -> jax.Array:
        """[n, latent] (and labels [n]) -> styles [n, layers + 2, w]."""
        ws = jnp.repeat(self.to_w(z, label, train=train)[:, None], len(self.signals) + 1, axis=1)
        if self.has_variable("truncation", "psi"):
            mean = self.to_w.get_variable("batch_stats", "mean")
            ws = truncated(ws, mean, self.get_variable("truncation", "psi"))
        return ws

    def synthesis(
        self, ws: jax.Array, *, train: bool = False, transform: jax.Array | None = None
    ) -> jax.Array:
        """Styles [n, layers + 2, w] -> images [n, h, w, c].

        With a transform T [3, 3] (or one an example, [n, 3, 3]) of homogeneous positions (x, y, 1), in widths of the
        image from its centre, x to the right and y down, the image shows at p what it otherwise shows at T p.
        """
        return self.to_image(ws, train=train, transform=transform)


@dataclass(frozen=True, kw_only=True)
class StyleGAN3Config:
    """Alias-free generator and StyleGAN2's discriminator (StyleGAN3-t, StyleGAN3-r)."""

    rotations: bool = False
    """Equivariance to rotations too (StyleGAN3-r): 1x1 convolutions, twice the channels, radial filters."""
    base: int = 32768
    """Channels of a layer of cutoff f are this over 2 f, those of the discriminator at r pixels this over r."""
    most: int = 512
    """Most channels of a layer."""
    layers: int = 14
    """Layers of the synthesis network, without that to RGB."""
    critical: int = 2
    """The last of them, which are critically sampled."""
    margin: int = 10
    """Samples around the image on each side, at every sampling rate."""
    style: int = 512
    """Size of w, and of the mapping network's layers."""
    mapping_layers: int = 2
    """Layers of the mapping network."""
    mean_decay: float = 0.998
    """Share that the running mean of w, which truncation needs, keeps in a step."""
    magnitude_decay: float = 0.999
    """Share that running mean squares of feature maps keep in a step."""
    group: int = 4
    """Examples whose standard deviation the discriminator is told."""
    clamp: float = 256.0
    """Largest absolute value of an activation; 0: no limit."""
    conditional: bool = False
    """Condition on class labels: joined to the latent, and projected in the discriminator."""
    dtype: str = "float32"
    """What layers of high resolution compute in: float32 or bfloat16. Parameters stay float32."""

    convolutional = True
    bounded = False

    def build(self, shape: tuple[int, ...], n_classes: int) -> tuple[Generator, Discriminator]:
        """Builds the two networks for images of `shape` (height, width, channels).

        Raises:
          ValueError: if `shape` is not that of a square image whose side is a power of 2 from 16 on, a number is out
            of range, the dtype is unknown, or the networks are conditional and the data has no classes.
        """
        common = check_style_config(self, "stylegan3", shape, n_classes)
        height, width, channels = shape
        if height != width or height < 16 or height & (height - 1):
            raise InputError(f"shape: expected square images of 16, 32, 64, ... pixels, got {height}x{width}")
        check_range("magnitude_decay", self.magnitude_decay, at_least=0, below=1)
        check_range("margin", self.margin, at_least=0)
        check_range("critical", self.critical, at_least=1, below=self.layers)
        wider = 2 if self.rotations else 1
        signals = layer_schedule(
            height,
            channels,
            base=wider * self.base,
            most=wider * self.most,
            layers=self.layers,
            critical=self.critical,
            margin=self.margin,
        )
        generator = Generator(
            signals=tuple(signals),
            critical=self.critical,
            rotations=self.rotations,
            style=self.style,
            mapping_layers=self.mapping_layers,
            decay=self.mean_decay,
            magnitude_decay=self.magnitude_decay,
            **common,
        )
        widths = d_widths(shape, self.base, self.most)
        return generator, Discriminator(widths=widths, group=self.group, **common)

    def truncated(self, variables: Any, latents: Any, psi: float) -> tuple[Any, Any]:
        """Variables with which the generator moves w towards its mean: mean + psi (w - mean)."""
        return truncated_by(variables, psi), latents
