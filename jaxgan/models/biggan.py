"""BigGAN and BigGAN-deep, for images of any size.

Sizes and channels are as in `resnet`, but that 64 pixels begin at 16, 16, 8, 4, 2 times the width, as in the
authors' settings. All layers are spectrally normalised but for the shared embedding, and weights start orthogonal.

References:
  Brock, Donahue, Simonyan (2019), Large scale GAN training for high fidelity natural image synthesis.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.scipy.special import erfinv

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.common.numerics import at_least_float32
from jaxgan.models import resnet
from jaxgan.models.latents import truncated
from jaxgan.models.layers import (
    BatchNorm,
    ClassHead,
    ConditionalBatchNorm,
    Conv,
    DeepDownBlock,
    DeepUpBlock,
    Head,
    SelfAttention,
    UpBlock,
    dtype_of,
    joined,
    maybe_spectral,
    needed,
    recomputed,
)

_orthogonal = nn.initializers.orthogonal()


class Generator(nn.Module, kw_only=True):
    """Latents and classes to images through residual blocks, all of which see them.

    One embedding of the label is shared by all blocks (appendix B). With hierarchical latents, z is split into equal
    parts: the first starts the image, and block i sees part i beside the embedding; in BigGAN-deep, which does not
    split, the start and all blocks see all of both.

    Attributes:
      shape: (height, width, channels) of the images.
      widths: channels of the smallest map, and of each size after it.
      deep: two bottleneck blocks for each size, as in BigGAN-deep.
      n_classes: 0, or the number of classes.
      shared: size of the shared embedding; 0: each normalisation has a scale and a bias for each class.
      hierarchical: whether blocks see the latent.
      attention: shorter side of the map that self-attention follows; 0: none.
      dtype: type of the computation; parameters and images are float32.
      axis_name: mapped axis that batch normalisation averages over.
      remat: what blocks compute inside is computed again on the way back, and not kept.
    """

    shape: tuple[int, int, int]
    widths: tuple[int, ...]
    deep: bool = False
    n_classes: int = 0
    shared: int = 128
    hierarchical: bool = True
    attention: int = 0
    dtype: Any = jnp.float32
    axis_name: str | None = None
    remat: bool = False

    @nn.compact
    def __call__(self, z: jax.Array, label: jax.Array | None = None, *, train: bool = False) -> jax.Array:
        """[batch, latent] (and labels [batch]) -> images [batch, h, w, c] in [-1, 1].

        Raises:
          ValueError: if the generator is conditional and there is no label, or the latent cannot be split.
        """
        sizes = resnet.stage_sizes(*self.shape[:2])
        start, conditions = self._conditions(z, label, len(sizes) - 1)
        (p, q), width = sizes[-1], self.widths[0]
        x = self._spectral(
            nn.Dense(p * q * width, dtype=self.dtype, name="in", kernel_init=_orthogonal), start, train
        )
        x = x.reshape(-1, p, q, width)
        for i, (size, features) in enumerate(zip(reversed(sizes[:-1]), self.widths[1:], strict=True)):
            own = {"norm": self._norm(), "spectral_norm": True}
            if self.deep:
                block = DeepUpBlock(features=x.shape[-1], **own)
                x = recomputed(self.remat, block)(x, conditions[i], train=train)
            block = (DeepUpBlock if self.deep else UpBlock)(features=features, size=size, **own)
            x = recomputed(self.remat, block)(x, conditions[i], train=train)
            if min(size) == self.attention:
                x = SelfAttention(spectral_norm=True)(x, train)
        x = nn.relu(BatchNorm(axis_name=self.axis_name)(x, train))
        out = Conv(self.shape[2], dtype=self.dtype, name="out", kernel_init=_orthogonal)
        return jnp.tanh(at_least_float32(self._spectral(out, x, train)))

    def _spectral(self, layer: nn.Module, x: jax.Array, train: bool) -> jax.Array:
        return maybe_spectral(layer, True, x, train)

    def _norm(self) -> Any:
        """What makes the normalisation of a block."""
        if not self.hierarchical and not self.n_classes:
            return partial(BatchNorm, axis_name=self.axis_name)
        norm = partial(ConditionalBatchNorm, axis_name=self.axis_name)
        return (
            partial(norm, spectral_norm=True)
            if self.shared
            else partial(norm, kernel_init=nn.initializers.zeros)
        )

    def _conditions(
        self, z: jax.Array, label: jax.Array | None, blocks: int
    ) -> tuple[jax.Array, list[jax.Array | None]]:
        """What the image starts from, and what each size is conditioned on."""
        embedded = None
        if self.n_classes:
            label = needed(label, self.n_classes)
            embedded = jax.nn.one_hot(label, self.n_classes)
            if self.shared:
                embed = nn.Embed(self.n_classes, self.shared, embedding_init=_orthogonal, name="shared")
                embedded = embed(label)
        beside = lambda part: part if embedded is None else joined(part, embedded)
        if self.deep:
            both = beside(z)
            return both, [both if self.hierarchical else embedded] * blocks
        if not self.hierarchical:
            return z, [embedded] * blocks
        if z.shape[1] % (blocks + 1):
            raise InputError(
                f"latent: expected a multiple of {blocks + 1} coordinates, a part for the start and for each of "
                f"{blocks} blocks, got {z.shape[1]}"
            )
        start, *parts = jnp.split(z, blocks + 1, axis=1)
        return start, [beside(part) for part in parts]


class DeepDiscriminator(nn.Module, kw_only=True):
    """BigGAN-deep's: a 3x3 convolution, then two bottleneck blocks for each size; all is spectrally normalised.

    Attributes:
      widths: channels after the first convolution, and of each two blocks after it.
      downs: how many of these pairs, from the first, halve the image.
      n_classes: 0, or the number of classes.
      head: "projection" or "ac": what is done with labels (see `ClassHead`).
      logits: number of logits per example.
      attention: shorter side of the map that self-attention follows; 0: none.
      dtype: type of the computation; parameters and logits are float32.
      remat: what blocks compute inside is computed again on the way back, and not kept.
    """

    widths: tuple[int, ...]
    downs: int
    n_classes: int = 0
    head: Head = "projection"
    logits: int = 1
    attention: int = 0
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
        stem = Conv(self.widths[0], dtype=self.dtype, name="in", kernel_init=_orthogonal)
        x = maybe_spectral(stem, True, x.astype(self.dtype), train)
        for i, features in enumerate(self.widths[1:]):
            down = i < self.downs
            for first in (True, False):
                block = DeepDownBlock(features=features, down=first and down, spectral_norm=True)
                x = recomputed(self.remat, block)(x, train=train)
            if down and min(x.shape[1:3]) == self.attention:
                x = SelfAttention(spectral_norm=True)(x, train)
        features = at_least_float32(nn.relu(x)).sum((1, 2))
        head = ClassHead(
            n_classes=self.n_classes,
            kind=self.head,
            logits=self.logits,
            spectral_norm=True,
            kernel_init=_orthogonal,
        )
        return head(features, label, train, classify)


@dataclass(frozen=True, kw_only=True)
class BigGANConfig:
    """BigGAN and BigGAN-deep."""

    width: int = 96
    """Channels of the generator's largest maps; up to 32 pixels, all maps have 4 times as many."""
    d_width: int = 0
    """The same for the discriminator (up to 32 pixels, 2 times as many, or 4 if deep); 0 takes the generator's."""
    deep: bool = False
    """BigGAN-deep: two bottleneck blocks for each size, and latents that are not split."""
    conditional: bool = True
    """Condition on class labels: embedding shared by the generator's blocks, `head` in the discriminator."""
    shared: int = 128
    """Size of the shared embedding; 0: each normalisation has a scale and a bias for each class."""
    hierarchical: bool = True
    """Whether the generator's blocks see the latent: a part of it each, or, if deep, all of it."""
    attention: int = 0
    """Shorter side of the map that self-attention follows, in each network that has one; 0: none."""
    head: Literal["projection", "ac"] = "projection"
    """Labels in the discriminator: projection, or ac (with the penalty auxiliary_classifier)."""
    d_logits: int = 1
    """Logits that the discriminator gives each example; more than 1 not with a projection."""
    dtype: str = "float32"
    """What the networks compute in: float32 or bfloat16. Parameters stay float32."""

    convolutional = True

    def build(self, shape: tuple[int, ...], n_classes: int) -> tuple[nn.Module, nn.Module]:
        """Builds the two networks for images of `shape` (height, width, channels).

        Raises:
          ValueError: if `shape` is not that of an image, a number is out of range, a name is unknown, no map has
            the side that attention is to follow, or the networks are conditional and the data has no classes.
        """
        height, width, channels = resnet.image_shape("biggan", shape)
        check_range("width", self.width, at_least=1, unit="channel")
        check_range("d_width", self.d_width, at_least=0)
        check_range("shared", self.shared, at_least=0)
        resnet.check_labels(self.conditional, n_classes, self.head, self.d_logits, ("projection", "ac"))
        if self.conditional and self.hierarchical and not self.shared:
            raise InputError("shared: expected an embedding of at least 1 beside hierarchical latents, got 0")
        sizes = resnet.stage_sizes(height, width)
        stages, small = len(sizes) - 1, resnet.is_small((height, width))
        downs = min(2, stages) if small else stages
        resnet.check_attention(self.attention, sizes, downs)
        g_multipliers = (4,) * (stages + 1) if small else resnet.doubling(stages)[::-1]
        if not small and stages == 4:
            g_multipliers = (16, 16, 8, 4, 2)
        if not small:
            d_multipliers = resnet.doubling(stages)
        else:
            d_multipliers = (4,) * (stages + 1) if self.deep else (2,) * 4
        classes, dtype = n_classes if self.conditional else 0, dtype_of(self.dtype)
        generator = Generator(
            shape=(height, width, channels),
            widths=tuple(self.width * m for m in g_multipliers),
            deep=self.deep,
            n_classes=classes,
            shared=self.shared,
            hierarchical=self.hierarchical,
            attention=self.attention,
            dtype=dtype,
        )
        judges = {
            "widths": tuple((self.d_width or self.width) * m for m in d_multipliers),
            "downs": downs,
            "n_classes": classes,
            "head": self.head,
            "logits": self.d_logits,
            "attention": self.attention,
            "dtype": dtype,
        }
        if self.deep:
            return generator, DeepDiscriminator(**judges)
        return generator, resnet.Discriminator(**judges, hidden="out", kernel_init="orthogonal")

    def truncated(self, variables: Any, latents: jax.Array, psi: float) -> tuple[Any, jax.Array]:
        """The truncation trick of section 3.1: latents as if drawn anew until no coordinate is beyond a threshold.

        `psi` is the share of the normal distribution that is kept, so 1 changes nothing. The paper's thresholds 2, 1,
        0.5 and 0.04 keep 0.954, 0.683, 0.383 and 0.032. For latents from the standard normal distribution.
        """
        return variables, latents if psi >= 1 else truncated(latents, 2**0.5 * erfinv(psi))
