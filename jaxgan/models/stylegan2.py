"""StyleGAN2 (Karras et al. 2020), with the options of its successor for little data (StyleGAN2-ADA).

A mapping network makes a style w of a latent z; the synthesis network starts from a learned constant and is told
by w, in every convolution, how strong each channel is. Images of 4 2^k pixels a side grow from 4x4; others from what
halving leaves of them: 28x28 from 7x7, 48x80 from 6x10.

References:
  Karras et al. (2020), Analyzing and improving the image quality of StyleGAN.
  Karras et al. (2020), Training generative adversarial networks with limited data.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.common.numerics import at_least_float32
from jaxgan.models.layers import (
    EqualizedConv,
    EqualizedDense,
    MappingNetwork,
    ModulatedConv,
    NoiseInjection,
    dtype_of,
    minibatch_stddev,
    recomputed,
    scaled_leaky,
    truncated,
    upsample,
)

LOW_PRECISION = 4  # the stages of the highest resolutions, which compute in `dtype`


def stage_sizes(height: int, width: int) -> list[tuple[int, int]]:
    """(height, width) of all stages, from the smallest, whose shorter side has 4 to 7 pixels, to the image.

    Raises:
      ValueError: if halving does not end there.
    """
    sizes = [(height, width)]
    while min(sizes[0]) >= 8 and not any(side % 2 for side in sizes[0]):
        sizes.insert(0, (sizes[0][0] // 2, sizes[0][1] // 2))
    if not 4 <= min(sizes[0]) < 8:
        raise InputError(
            "shape: expected images whose sides can be halved until the shorter one has 4 to 7 pixels, such as 28x28, "
            f"64x64 or 48x80, got {height}x{width}"
        )
    return sizes


def stage_widths(stages: int, base: int, most: int) -> list[int]:
    """Channels of all stages: min(base / r, most) at r = 4, 8, 16, ... pixels."""
    return [min(base // (4 * 2**stage), most) for stage in range(stages)]


def _limited(x: jax.Array, clamp: float | None) -> jax.Array:
    return x if clamp is None else jnp.clip(x, -clamp, clamp)


def _stage_dtype(stage: int, stages: int, dtype: Any, x: jax.Array) -> Any:
    """`dtype` in the stages of the highest resolutions but the smallest; elsewhere float32 at least."""
    precise = jnp.promote_types(x.dtype, jnp.float32)
    low = stage >= max(1, stages - LOW_PRECISION) and dtype != jnp.float32
    return dtype if low else precise


class StyledConv(nn.Module):
    """Modulated 3x3 convolution, noise, bias, leaky ReLU.

    Attributes:
      features: output channels.
      up: whether the image is enlarged to twice its size.
      clamp: largest absolute value of what is given; None: no limit.
    """

    features: int
    up: bool = False
    clamp: float | None = None

    @nn.compact
    def __call__(self, x: jax.Array, w: jax.Array, keys: jax.Array | None = None) -> jax.Array:
        """[n, h, w, c], styles [n, d] (and keys [n]) -> [n, h, w, features], of twice the size with `up`."""
        x = ModulatedConv(self.features, up=self.up, name="conv")(x, w)
        x = NoiseInjection(name="noise")(x, keys)
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,))
        return scaled_leaky(x + bias.astype(x.dtype), self.clamp)


class ToRGB(nn.Module):
    """Modulated 1x1 convolution without demodulation, and a bias.

    Attributes:
      channels: of the image.
      clamp: largest absolute value of what is given; None: no limit.
    """

    channels: int
    clamp: float | None = None

    @nn.compact
    def __call__(self, x: jax.Array, w: jax.Array) -> jax.Array:
        """[n, h, w, c], styles [n, d] -> images [n, h, w, channels] in at least float32."""
        y = ModulatedConv(self.channels, size=1, demodulate=False, name="conv")(x, w)
        bias = self.param("bias", nn.initializers.zeros_init(), (self.channels,))
        return at_least_float32(_limited(y + bias.astype(y.dtype), self.clamp))


class Synthesis(nn.Module):
    """Styles to images: each stage adds its own image to the enlarged one of the stage before ("skip generator").

    Attributes:
      shape: (height, width, channels) of the images.
      widths: channels of all stages, from the smallest.
      clamp: largest absolute value of an activation; None: no limit.
      dtype: what the stages of high resolution compute in.
      remat: what blocks compute inside is computed again on the way back, and not kept.
    """

    shape: tuple[int, int, int]
    widths: tuple[int, ...]
    clamp: float | None = None
    dtype: Any = jnp.float32
    remat: bool = False

    @nn.compact
    def __call__(self, ws: jax.Array, keys: jax.Array | None = None) -> jax.Array:
        """Styles [n, 2 stages, d], one a layer (and keys [n]) -> images [n, h, w, channels]."""
        sizes, widths, channels = stage_sizes(*self.shape[:2]), self.widths, self.shape[2]
        constant = self.param("constant", nn.initializers.normal(1.0), (*sizes[0], widths[0]))
        x, image = jnp.broadcast_to(constant.astype(ws.dtype), (len(ws), *constant.shape)), jnp.zeros(())
        own = lambda i: None if keys is None else jax.vmap(jax.random.fold_in, (0, None))(keys, i)
        for stage, width in enumerate(widths):
            x = x.astype(_stage_dtype(stage, len(widths), self.dtype, ws))
            first = max(0, 2 * stage - 1)  # of the styles; a stage's last one is also the next one's first
            if stage > 0:
                up = StyledConv(width, up=True, clamp=self.clamp, name=f"up_{stage}")
                x, image = recomputed(self.remat, up)(x, ws[:, first], own(first)), upsample(image)
            conv = StyledConv(width, clamp=self.clamp, name=f"conv_{stage}")
            x = recomputed(self.remat, conv)(x, ws[:, 2 * stage], own(2 * stage))
            image = image + ToRGB(channels, self.clamp, name=f"rgb_{stage}")(x, ws[:, 2 * stage + 1])
        return image


class Generator(nn.Module, kw_only=True):
    """Latents to styles ("mapping") to images ("synthesis").

    In training, with keys, styles are mixed: with probability `mixing` the layers of an example from a random one on
    get the style of another latent; and noise is fresh. Without keys nothing is mixed and the noise is fixed.

    Attributes:
      shape: (height, width, channels) of the images.
      widths: channels of all stages, from the smallest.
      style: size of w.
      mapping_layers: of the mapping network.
      mixing: probability of mixed styles.
      n_classes: 0, or the number of classes.
      decay: of the mean of w.
      clamp: largest absolute value of an activation; None: no limit.
      dtype: what the stages of high resolution compute in; parameters and images are float32.
      axis_name: mapped axis that the mean of w averages over.
      remat: what blocks compute inside is computed again on the way back, and not kept.
    """

    shape: tuple[int, int, int]
    widths: tuple[int, ...]
    style: int = 512
    mapping_layers: int = 8
    mixing: float = 0.9
    n_classes: int = 0
    decay: float = 0.995
    clamp: float | None = None
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
        self.to_image = Synthesis(self.shape, self.widths, self.clamp, self.dtype, self.remat)

    def __call__(
        self,
        z: jax.Array,
        label: jax.Array | None = None,
        *,
        train: bool = False,
        keys: jax.Array | None = None,
    ) -> jax.Array:
        """[n, latent] (labels [n], keys [n]) -> images [n, h, w, c], about in [-1, 1]: nothing bounds them.

        Raises:
          ValueError: if the generator is conditional and there is no label.
        """
        return self.synthesis(self.mapping(z, label, train=train, keys=keys), keys=keys)

    def mapping(
        self,
        z: jax.Array,
        label: jax.Array | None = None,
        *,
        train: bool = False,
        keys: jax.Array | None = None,
    ) -> jax.Array:
        """[n, latent] (labels [n], keys [n]) -> styles [n, layers, w], mixed if there are keys."""
        layers = 2 * len(self.widths)
        w = self.to_w(z, label, train=train)
        ws = jnp.repeat(w[:, None], layers, axis=1)
        if keys is not None and self.mixing > 0:
            others, firsts = jax.vmap(lambda key: _mixed(key, z.shape[1], layers, self.mixing))(keys)
            other = self.to_w(others.astype(z.dtype), label)[:, None]
            ws = jnp.where(jnp.arange(layers)[:, None] >= firsts[:, None, None], other, ws)
        if self.has_variable("truncation", "psi"):
            mean = self.to_w.get_variable("batch_stats", "mean")
            ws = truncated(ws, mean, self.get_variable("truncation", "psi"))
        return ws

    def synthesis(self, ws: jax.Array, *, train: bool = False, keys: jax.Array | None = None) -> jax.Array:
        """Styles [n, layers, w] (and keys [n]) -> images [n, h, w, c]."""
        return self.to_image(ws, keys)


def _mixed(key: jax.Array, size: int, layers: int, mixing: float) -> tuple[jax.Array, jax.Array]:
    """Another latent, and the first layer that it rules; `layers` if it rules none."""
    latent, chosen, first = jax.random.split(jax.random.fold_in(key, layers), 3)
    mixes = jax.random.bernoulli(chosen, mixing)
    ruled = jnp.where(mixes, jax.random.randint(first, (), 1, layers), layers)
    return jax.random.normal(latent, (size,)), ruled


class Discriminator(nn.Module, kw_only=True):
    """Images to logits through residual stages that halve them, and the minibatch's standard deviation.

    With classes the logit is the product of the features with a mapped label, over the root of their number
    (Miyato, Koyama 2018, cGANs with projection discriminator, without its unconditional part).

    Attributes:
      widths: channels of all stages, from the smallest.
      residual: whether stages are residual; StyleGAN2-ADA's for CIFAR-10 is not.
      group: examples whose standard deviation is taken together.
      n_classes: 0, or the number of classes.
      mapping_layers: of the network that maps labels.
      clamp: largest absolute value of an activation after a convolution; None: no limit.
      dtype: what the stages of high resolution compute in; parameters and logits are float32.
      axis_name: mapped axis over which the batch is split.
      remat: what blocks compute inside is computed again on the way back, and not kept.
    """

    widths: tuple[int, ...]
    residual: bool = True
    group: int = 4
    n_classes: int = 0
    mapping_layers: int = 8
    clamp: float | None = None
    dtype: Any = jnp.float32
    axis_name: str | None = None
    remat: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, label: jax.Array | None = None, *, train: bool = False) -> jax.Array:
        """Images [n, h, w, c] (and labels [n]) -> logits [n].

        Raises:
          ValueError: if the discriminator is conditional and there is no label, or if the batch does not divide
            into groups.
        """
        widths, stages, given, act = self.widths, len(self.widths), x, partial(scaled_leaky, clamp=self.clamp)
        x = x.astype(_stage_dtype(stages - 1, stages, self.dtype, given))
        x = act(EqualizedConv(widths[-1], size=1, name="from_rgb")(x))
        for stage in range(stages - 1, 0, -1):
            x = x.astype(_stage_dtype(stage, stages, self.dtype, given))
            x = recomputed(self.remat, self, Discriminator._halved)(x, stage=stage)
        x = minibatch_stddev(at_least_float32(x), self.group, axis_name=self.axis_name)
        x = act(EqualizedConv(widths[0], name="conv_0")(x)).reshape(len(x), -1)
        x = scaled_leaky(EqualizedDense(widths[0], name="dense")(x))
        if not self.n_classes:
            return EqualizedDense(1, name="logit")(x)[:, 0]
        of_label = MappingNetwork(
            widths[0], self.mapping_layers, n_classes=self.n_classes, decay=None, name="of_label"
        )
        features = EqualizedDense(widths[0], name="logit")(x)
        return (features * of_label(None, label)).sum(1) / math.sqrt(widths[0])

    def _halved(self, x: jax.Array, *, stage: int) -> jax.Array:
        """A stage: [n, h, w, c] -> [n, h / 2, w / 2, c']."""
        act, narrow = partial(scaled_leaky, clamp=self.clamp), self.widths[stage - 1]
        y = act(EqualizedConv(self.widths[stage], name=f"conv_{stage}")(x))
        y = act(EqualizedConv(narrow, down=True, name=f"down_{stage}")(y))
        if not self.residual:
            return y
        skip = EqualizedConv(narrow, size=1, down=True, use_bias=False, name=f"skip_{stage}")
        return (y + skip(x)) * math.sqrt(0.5)


@dataclass(frozen=True, kw_only=True)
class StyleGAN2Config:
    """Style-based generator and residual discriminator (StyleGAN2, StyleGAN2-ADA)."""

    base: int = 32768
    """Channels at r pixels are this over r: 32768 in config-f, 16384 in config-e."""
    most: int = 512
    """Most channels of a layer."""
    style: int = 512
    """Size of w, and of the mapping network's layers."""
    mapping_layers: int = 8
    """Layers of the mapping network."""
    mixing: float = 0.9
    """Probability with which an example's layers get the styles of two latents in training."""
    mean_decay: float = 0.995
    """Share that the running mean of w, which truncation needs, keeps in a step."""
    d_residual: bool = True
    """Residual stages in the discriminator."""
    group: int = 4
    """Examples whose standard deviation the discriminator is told."""
    clamp: float = 256.0
    """Largest absolute value of an activation, as in the authors' PyTorch code; 0: no limit."""
    conditional: bool = False
    """Condition on class labels: joined to the latent, and projected in the discriminator."""
    dtype: str = "float32"
    """What the four highest resolutions compute in: float32 or bfloat16. Parameters stay float32."""

    convolutional = True
    bounded = False

    def build(self, shape: tuple[int, ...], n_classes: int) -> tuple[Generator, Discriminator]:
        """Builds the two networks for images of `shape` (height, width, channels).

        Raises:
          ValueError: if `shape` is not that of an image that can be halved to 4 to 7 pixels, a number is out of
            range, the dtype is unknown, or the networks are conditional and the data has no classes.
        """
        common = check_style_config(self, "stylegan2", shape, n_classes)
        check_range("mixing", self.mixing, at_least=0, at_most=1)
        height, width, channels = shape
        widths = d_widths(shape, self.base, self.most)
        generator = Generator(
            shape=(height, width, channels),
            widths=widths,
            style=self.style,
            mapping_layers=self.mapping_layers,
            mixing=self.mixing,
            decay=self.mean_decay,
            **common,
        )
        return generator, Discriminator(widths=widths, residual=self.d_residual, group=self.group, **common)

    def truncated(self, variables: Any, latents: Any, psi: float) -> tuple[Any, Any]:
        """Variables with which the generator moves w towards its mean: mean + psi (w - mean)."""
        return truncated_by(variables, psi), latents


def d_widths(shape: tuple[int, ...], base: int, most: int) -> tuple[int, ...]:
    """Channels of the stages of a discriminator of images of `shape`. Raises ValueError as `stage_sizes` does."""
    widths = stage_widths(len(stage_sizes(*shape[:2])), base, most)
    if min(widths) < 1:
        raise InputError(f"base: expected at least {4 * 2 ** (len(widths) - 1)} for such images, got {base}")
    return tuple(widths)


def check_style_config(config: Any, family: str, shape: tuple[int, ...], n_classes: int) -> dict[str, Any]:
    """Arguments that both networks of a configuration take: n_classes, clamp, dtype.

    Raises:
      ValueError: for a shape that is not that of an image, a number out of range, an unknown dtype, or a
        conditional configuration for data without classes.
    """
    if len(shape) != 3:
        raise InputError(
            f"model: a {family} needs images (height, width, channels), got examples of shape {shape}"
        )
    for name in ("base", "most", "style", "mapping_layers", "group"):
        check_range(name, getattr(config, name), at_least=1)
    check_range("mean_decay", config.mean_decay, at_least=0, below=1)
    check_range("clamp", config.clamp, at_least=0)
    if config.conditional and not n_classes:
        raise InputError("conditional: expected data with class labels, got data without")
    return {
        "n_classes": n_classes if config.conditional else 0,
        "clamp": config.clamp or None,
        "dtype": dtype_of(config.dtype),
    }


def truncated_by(variables: Any, psi: float) -> Any:
    """Variables of a generator of StyleGANs, with the truncation psi; 1 changes nothing, 0 gives one image."""
    return {**variables, "truncation": {"psi": jnp.asarray(psi, jnp.float32)}}
