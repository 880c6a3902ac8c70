"""Residual GANs: the networks of WGAN-GP and SNGAN and, with attention, of SAGAN, for images of any size.

The generator doubles a small image of 4 to 7 pixels along its shorter side block by block; the discriminator halves
the image, averages or sums over what is left, and judges. Sides of 32 pixels become 16, 8, 4, those of 48 become 24,
12, 6, and odd ones are rounded up. Up to 32 pixels all blocks have as many channels (those of CIFAR-10); above, they
double at each halving, up to 16 times `width`.

References:
  Gulrajani et al. (2017), Improved training of Wasserstein GANs, appendix F.
  Miyato et al. (2018), Spectral normalization for generative adversarial networks, tables 4 and 5.
  Miyato, Koyama (2018), cGANs with projection discriminator, figure 14.
  Zhang et al. (2019), Self-attention generative adversarial networks, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError, unknown
from jaxgan.common.numerics import at_least_float32
from jaxgan.models.layers import (
    HEADS,
    BatchNorm,
    ClassHead,
    ConditionalBatchNorm,
    Conv,
    DownBlock,
    Head,
    Initializer,
    SelfAttention,
    UpBlock,
    check_logits,
    dtype_of,
    joined,
    maybe_spectral,
    needed,
    recomputed,
)

Size = tuple[int, int]


class Inits(NamedTuple):
    """How weights start: of the convolutions inside blocks, and of all others."""

    inside: Initializer
    other: Initializer


INITS = {
    "xavier": Inits(  # a gain of sqrt(2) inside
        nn.initializers.variance_scaling(2.0, "fan_avg", "uniform"), nn.initializers.xavier_uniform()
    ),
    "orthogonal": Inits(nn.initializers.orthogonal(), nn.initializers.orthogonal()),
}


def stage_sizes(height: int, width: int) -> list[Size]:
    """(height, width) of the image and of each half, rounded up, until the shorter side is at most 7 pixels."""
    sizes = [(height, width)]
    while min(sizes[-1]) > 7:
        sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))
    return sizes


def is_small(size: Size) -> bool:
    """Whether images are so small, as those of CIFAR-10, that all blocks have as many channels."""
    return min(size) <= 32


def doubling(stages: int) -> tuple[int, ...]:
    """Channels of the image and after each of `stages` halvings, as multiples: 1, 2, 4, 8, 16, 16 for 128 pixels."""
    if stages < 6:
        return tuple(min(2**k, 16) for k in range(stages + 1))
    return (1,) * (stages - 6) + (1, 2, 4, 8, 8, 16, 16)


class Generator(nn.Module, kw_only=True):
    """Latents to images through residual blocks that double pixels.

    Attributes:
      shape: (height, width, channels) of the images.
      widths: channels of the smallest map, and after each block.
      n_classes: 0, or the number of classes.
      modulation: what the scales and biases of batch normalisation depend on: "label"; "latent" (self-modulation),
        joined with the label's embedding if there are classes; or "none", where that embedding is joined to the
        latent instead. Without classes, "label" is "none".
      embedding: size of that embedding.
      spectral_norm: whether all layers but those of "label" are spectrally normalised.
      attention: shorter side of the map that self-attention follows; 0: none.
      kernel_init: how weights start, a name in INITS.
      dtype: type of the computation; parameters and images are float32.
      axis_name: mapped axis that batch normalisation averages over.
      remat: what blocks compute inside is computed again on the way back, and not kept.
    """

    shape: tuple[int, int, int]
    widths: tuple[int, ...]
    n_classes: int = 0
    modulation: str = "label"
    embedding: int = 32
    spectral_norm: bool = False
    attention: int = 0
    kernel_init: str = "xavier"
    dtype: Any = jnp.float32
    axis_name: str | None = None
    remat: bool = False

    @nn.compact
    def __call__(self, z: jax.Array, label: jax.Array | None = None, *, train: bool = False) -> jax.Array:
        """[batch, latent] (and labels [batch]) -> images [batch, h, w, c] in [-1, 1].

        Raises:
          ValueError: if the generator is conditional and there is no label.
        """
        init, sizes = INITS[self.kernel_init], stage_sizes(*self.shape[:2])
        z, y, norm = self._conditions(z, label)
        (p, q), width = sizes[-1], self.widths[0]
        dense = nn.Dense(p * q * width, kernel_init=init.other, dtype=self.dtype, name="in")
        x = maybe_spectral(dense, self.spectral_norm, z, train).reshape(-1, p, q, width)
        for size, features in zip(reversed(sizes[:-1]), self.widths[1:], strict=True):
            block = UpBlock(
                features=features,
                size=size,
                norm=norm,
                spectral_norm=self.spectral_norm,
                kernel_init=init.inside,
                skip_init=init.other,
            )
            x = recomputed(self.remat, block)(x, y, train=train)
            if min(size) == self.attention:
                x = SelfAttention(self.spectral_norm, init.other)(x, train)
        x = nn.relu(BatchNorm(axis_name=self.axis_name)(x, train))
        out = Conv(self.shape[2], kernel_init=init.other, dtype=self.dtype, name="out")
        return jnp.tanh(at_least_float32(maybe_spectral(out, self.spectral_norm, x, train)))

    def _conditions(self, z: jax.Array, label: jax.Array | None) -> tuple[jax.Array, jax.Array | None, Any]:
        """What goes in at the start, what blocks are conditioned on, and their normalisation."""
        conditional = partial(ConditionalBatchNorm, axis_name=self.axis_name)
        plain = partial(BatchNorm, axis_name=self.axis_name)
        if not self.n_classes:
            return (
                (z, z, partial(conditional, hidden=32)) if self.modulation == "latent" else (z, None, plain)
            )
        label = needed(label, self.n_classes)
        if self.modulation == "label":
            y = jax.nn.one_hot(label, self.n_classes)
            return z, y, partial(conditional, kernel_init=nn.initializers.zeros_init())
        init = nn.initializers.normal(1.0)  # as that of the latent
        embedded = nn.Embed(self.n_classes, self.embedding, embedding_init=init, name="embed")(label)
        both = joined(z, embedded)
        return (
            (z, both, partial(conditional, hidden=32)) if self.modulation == "latent" else (both, None, plain)
        )


class Discriminator(nn.Module, kw_only=True):
    """Images to logits through residual blocks that halve pixels, without batch normalisation.

    Attributes:
      widths: channels after each block.
      downs: how many blocks, from the first, halve the image.
      hidden: channels inside a block: those "out" of it (wide); those "in" it, but for the first block; or those
        "in_always".
      n_classes: 0, or the number of classes.
      head: what is done with labels: "projection", "ac" or "concat" (see `ClassHead`), where "concat" joins the
        label's embedding to all pixels of the image.
      embedding: size of that embedding.
      logits: number of logits per example.
      pooling: "sum" or "mean" over the last map.
      spectral_norm: whether all layers are spectrally normalised.
      attention: shorter side of the map that self-attention follows; 0: none.
      kernel_init: how weights start, a name in INITS.
      dtype: type of the computation; parameters and logits are float32.
      remat: what blocks compute inside is computed again on the way back, and not kept.
    """

    widths: tuple[int, ...]
    downs: int
    hidden: str = "in"
    n_classes: int = 0
    head: Head = "projection"
    embedding: int = 32
    logits: int = 1
    pooling: str = "sum"
    spectral_norm: bool = True
    attention: int = 0
    kernel_init: str = "xavier"
    dtype: Any = jnp.float32
    remat: bool = False

    @property
    def classifies(self) -> bool:
        """Whether it can be asked for the logits of classes, by `classify`."""
        return self.n_classes > 0 and self.head == "ac"

    @nn.compact
    def __call__(
        self, x: jax.Array, label: jax.Array | None = None, *, train: bool = False, classify: bool = False
    ) -> jax.Array:
        """Images [batch, h, w, c] (and labels [batch]) -> logits [batch], or [batch, logits] if several.

        With `classify`, the logits of the classes instead, [batch, n_classes].

        Raises:
          ValueError: if the discriminator needs a label and there is none, or does not classify.
        """
        init = INITS[self.kernel_init]
        x = x.astype(self.dtype)
        if self.n_classes and self.head == "concat":
            embed = nn.Embed(self.n_classes, self.embedding, embedding_init=init.other, name="embed")
            x = joined(x, maybe_spectral(embed, self.spectral_norm, needed(label, self.n_classes), train))
        for i, features in enumerate(self.widths):
            thin = self.hidden == "in_always" or (self.hidden == "in" and i > 0)
            block = DownBlock(
                features=features,
                hidden=x.shape[-1] if thin else features,
                down=i < self.downs,
                first=i == 0,
                spectral_norm=self.spectral_norm,
                kernel_init=init.inside,
                skip_init=init.other,
            )
            x = recomputed(self.remat, block)(x, train=train)
            if i < self.downs and min(x.shape[1:3]) == self.attention:
                x = SelfAttention(self.spectral_norm, init.other)(x, train)
        x = at_least_float32(nn.relu(x))
        features = x.sum((1, 2)) if self.pooling == "sum" else x.mean((1, 2))
        head = ClassHead(
            n_classes=self.n_classes,
            kind=self.head,
            logits=self.logits,
            spectral_norm=self.spectral_norm,
            kernel_init=init.other,
        )
        return head(features, label, train, classify)


@dataclass(frozen=True, kw_only=True)
class ResNetConfig:
    """Residual generator and discriminator (WGAN-GP, SNGAN, SAGAN)."""

    width: int = 64
    """Channels of the generator's largest maps; up to 32 pixels, all maps have 4 times as many."""
    d_width: int = 0
    """The same for the discriminator (up to 32 pixels, 2 times as many); 0 takes the generator's."""
    d_multipliers: tuple[int, ...] = ()
    """Channels after each of the discriminator's blocks, as multiples of its width; none: the published ones."""
    d_downs: int = 0
    """How many of these blocks, from the first, halve the image; 0: as many as published."""
    d_hidden: Literal["in", "out", "in_always"] = "in"
    """Channels inside these blocks: of what comes in (but for the first), of what goes out, of what comes in."""
    d_pooling: Literal["sum", "mean"] = "sum"
    """What the discriminator does with the pixels that are left."""
    g_spectral_norm: bool = False
    """Spectral normalisation of the generator's layers."""
    d_spectral_norm: bool = True
    """Spectral normalisation of the discriminator's layers."""
    attention: int = 0
    """Shorter side of the map that self-attention follows, in each network that has one; 0: none."""
    kernel_init: Literal["xavier", "orthogonal"] = "xavier"
    """How weights start."""
    conditional: bool = False
    """Condition on class labels, as `modulation` and `head` say."""
    modulation: Literal["label", "latent", "none"] = "label"
    """Scales and biases of batch norm from: label; latent (and label); none (the label is joined to the latent)."""
    head: Literal["projection", "ac", "concat"] = "projection"
    """Labels in the discriminator: projection; ac (penalty auxiliary_classifier); concat (joined to the image)."""
    embedding: int = 32
    """Size of the labels' embedding where it is joined to something."""
    d_logits: int = 1
    """Logits that the discriminator gives each example; more than 1 not with a projection."""
    dtype: str = "float32"
    """What the networks compute in: float32 or bfloat16. Parameters stay float32."""

    convolutional = True

    def build(self, shape: tuple[int, ...], n_classes: int) -> tuple[Generator, Discriminator]:
        """Builds the two networks for images of `shape` (height, width, channels).

        Raises:
          ValueError: if `shape` is not that of an image, a number is out of range, a name is unknown, no map has
            the side that attention is to follow, or the networks are conditional and the data has no classes.
        """
        height, width, channels = image_shape("resnet", shape)
        check_range("width", self.width, at_least=1, unit="channel")
        check_range("d_width", self.d_width, at_least=0)
        check_range("embedding", self.embedding, at_least=1)
        for name, known in (
            ("d_hidden", ("in", "out", "in_always")),
            ("d_pooling", ("sum", "mean")),
            ("kernel_init", tuple(INITS)),
            ("modulation", ("label", "latent", "none")),
        ):
            if getattr(self, name) not in known:
                raise unknown(name, getattr(self, name), known)
        check_labels(self.conditional, n_classes, self.head, self.d_logits)
        sizes = stage_sizes(height, width)
        stages, classes, dtype = len(sizes) - 1, n_classes if self.conditional else 0, dtype_of(self.dtype)
        small = is_small((height, width))
        multipliers, downs = self.d_multipliers, self.d_downs
        if not multipliers:
            multipliers = (2,) * 4 if small else doubling(stages)
        if not downs:
            downs = min(2, stages) if small else stages
        check_range("d_downs", downs, at_least=0, at_most=len(multipliers))
        check_attention(self.attention, sizes, downs)
        generator = Generator(
            shape=(height, width, channels),
            widths=tuple(self.width * m for m in ((4,) * (stages + 1) if small else doubling(stages)[::-1])),
            n_classes=classes,
            modulation=self.modulation,
            embedding=self.embedding,
            spectral_norm=self.g_spectral_norm,
            attention=self.attention,
            kernel_init=self.kernel_init,
            dtype=dtype,
        )
        discriminator = Discriminator(
            widths=tuple((self.d_width or self.width) * m for m in multipliers),
            downs=downs,
            hidden=self.d_hidden,
            n_classes=classes,
            head=self.head,
            embedding=self.embedding,
            logits=self.d_logits,
            pooling=self.d_pooling,
            spectral_norm=self.d_spectral_norm,
            attention=self.attention,
            kernel_init=self.kernel_init,
            dtype=dtype,
        )
        return generator, discriminator


def image_shape(family: str, shape: tuple[int, ...]) -> tuple[int, int, int]:
    """`shape` as (height, width, channels). Raises ValueError for that of other examples than images."""
    if len(shape) != 3:
        raise InputError(
            f"model: a {family} needs images (height, width, channels), got examples of shape {shape}"
        )
    return shape  # pyright: ignore


def check_labels(
    conditional: bool, n_classes: int, head: str, d_logits: int, heads: tuple[str, ...] = HEADS
) -> None:
    """Raises ValueError for networks that need labels which the data lacks, or cannot have so many logits."""
    check_logits(d_logits)
    if head not in heads:
        raise unknown("head", head, heads)
    if conditional and not n_classes:
        raise InputError("conditional: expected data with class labels, got data without")
    if conditional and head == "projection" and d_logits > 1:
        raise InputError(f"d_logits: expected 1, as labels are projected on one logit, got {d_logits}")


def check_attention(side: int, sizes: list[Size], downs: int) -> None:
    """Raises ValueError unless `side` is 0, or the shorter side of a map that blocks of a network end with."""
    sides = [min(size) for i, size in enumerate(sizes) if i < len(sizes) - 1 or 0 < i <= downs]
    if side and side not in sides:
        raise InputError(f"attention: expected 0 or one of the sides {sides} of maps, got {side}")
