"""How a class label enters a network: embedded beside its input, and in the discriminator's last layer."""

from __future__ import annotations

from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.common.errors import InputError
from jaxgan.common.numerics import at_least_float32
from jaxgan.models.layers.basics import Initializer
from jaxgan.models.layers.norm import maybe_spectral

Head = Literal["projection", "ac", "concat"]
HEADS: tuple[Head, ...] = ("projection", "ac", "concat")


def needed(label: jax.Array | None, n_classes: int) -> jax.Array:
    """`label`. Raises ValueError if there is none."""
    if label is None:
        raise InputError(f"label: expected class indices below {n_classes} of shape [batch], got None")
    return label


def joined(x: jax.Array, embedded: jax.Array) -> jax.Array:
    """x [n, ..., c] and the labels' embeddings [n, e], repeated at every pixel, as [n, ..., c + e]."""
    maps = embedded.astype(x.dtype).reshape(len(x), *(1,) * (x.ndim - 2), -1)
    return jnp.concatenate([x, jnp.broadcast_to(maps, (*x.shape[:-1], maps.shape[-1]))], axis=-1)


def with_classes(x: jax.Array, label: jax.Array | None, n_classes: int, size: int) -> jax.Array:
    """x [n, h, w, c] and, as `size` further maps, a learned embedding of the labels; x alone without classes.

    To be called inside a module, whose part "classes" the embedding is.

    Raises:
      ValueError: if there are classes and no label.
    """
    if not n_classes:
        return x
    embed = nn.Embed(n_classes, size, embedding_init=nn.initializers.normal(1.0), name="classes")
    return joined(x, embed(needed(label, n_classes)))


def class_logits(
    y: jax.Array, label: jax.Array | None, n_classes: int, *, spectral: bool = False, train: bool = False
) -> jax.Array:
    """The inner product of each place of the features y [n, h, w, c] with the label's embedding, float32 [n, h, w, 1].

    To be called inside a module, whose part "classes" the embedding is.

    Raises:
      ValueError: if there is no label.

    References:
      Miyato, Koyama (2018), cGANs with projection discriminator, eq. 3, here at every place.
    """
    embed = nn.Embed(n_classes, y.shape[-1], embedding_init=nn.initializers.normal(0.02), name="classes")
    embedded = maybe_spectral(embed, spectral, needed(label, n_classes), train)
    return (embedded[:, None, None] * y.astype(jnp.float32)).sum(axis=-1, keepdims=True)


class ClassHead(nn.Module, kw_only=True):
    """The last layer of a discriminator, which knows of classes: features h [n, c] to logits.

    Without classes, and for "concat", where the label has been joined to the input: w h + b. For "projection":
    w h + b + <embedding of the label, h>. For "ac" (auxiliary classifier): w h + b, and the logits V h + c of the
    classes if these are asked for.

    Attributes:
      n_classes: 0, or the number of classes.
      kind: "projection", "ac" or "concat".
      logits: number of logits per example; "projection" has one.
      spectral_norm: whether all maps, embedding included, are spectrally normalised.
      kernel_init: initialiser of all maps.

    References:
      Miyato, Koyama (2018), cGANs with projection discriminator.
      Odena, Olah, Shlens (2017), Conditional image synthesis with auxiliary classifier GANs, section 3.
    """

    n_classes: int = 0
    kind: Head = "projection"
    logits: int = 1
    spectral_norm: bool = False
    kernel_init: Initializer = nn.initializers.xavier_uniform()

    @nn.compact
    def __call__(
        self, features: jax.Array, label: jax.Array | None, train: bool, classify: bool = False
    ) -> jax.Array:
        """Features [n, c] -> logits [n], [n, logits] if there are several, or [n, n_classes] of the classes.

        All is computed in float32 at least.

        Raises:
          ValueError: if a projection has no label, or classes are asked for that the head does not know.
        """
        features = at_least_float32(features)

        def linear(size: int, name: str) -> jax.Array:
            layer = nn.Dense(size, kernel_init=self.kernel_init, name=name)
            return maybe_spectral(layer, self.spectral_norm, features, train)

        logits = linear(self.logits, "out")
        if self.n_classes and self.kind == "projection":
            embed = nn.Embed(
                self.n_classes, features.shape[-1], embedding_init=self.kernel_init, name="embed"
            )
            embedded = maybe_spectral(embed, self.spectral_norm, needed(label, self.n_classes), train)
            logits += (embedded * features).sum(axis=1, keepdims=True)
        classes = linear(self.n_classes, "classes") if self.n_classes and self.kind == "ac" else None
        if classify:
            if classes is None:
                raise InputError("classify: expected a head of kind 'ac' with classes, got another")
            return classes
        return logits[:, 0] if self.logits == 1 else logits
