"""Distances in the feature maps of a network, and how fast images change along a path of latents."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from jaxgan.common import keys
from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError, lookup
from jaxgan.common.numerics import at_least_float32, safe_root
from jaxgan.metrics.scores.resampling import trimmed_mean
from jaxgan.models.latents import Latent, slerp

_EPSILON = 1e-10  # of the published distance, added to norms


def perceptual_distance(
    network_layers: Callable[[jax.Array], Sequence[jax.Array]],
    x: ArrayLike,
    y: ArrayLike,
    *,
    weights: Sequence[ArrayLike] | None = None,
) -> jax.Array:
    """LPIPS on the feature maps of any network, per pair of images.

    At each position of each layer the channels are divided by their norm. The squared differences are
    weighted, summed over channels, averaged over positions and summed over layers. Without weights every
    channel counts 1 (the published "baseline"), so that a layer contributes at most 4. LPIPS itself uses the
    learned weights of its networks; as in its released code they multiply the squares (in the equation they
    stand inside the norm). The result is the square of a distance: no root is taken.

    Args:
      network_layers: images -> feature maps, each [n, h, w, c]. It gets the images as they are given, so it
        decides whether they are uint8 or floats in [-1, 1].
      x: images [n, ...].
      y: images of the same shape.
      weights: one non-negative vector [c] for each layer, or None.

    Returns:
      [n], float32. Gradients are finite, also where all channels of a position are 0.

    Raises:
      InputError: if the images differ in shape, a feature map is not [n, h, w, c], or the weights do not
        fit the layers or are negative.

    References:
      Zhang, Isola, Efros, Shechtman, Wang (2018), The unreasonable effectiveness of deep features as a
      perceptual metric, eq. 1.
    """
    x, y = jnp.asarray(x), jnp.asarray(y)
    if x.shape != y.shape or x.ndim < 1:
        raise InputError(f"perceptual_distance: expected images of one shape, got {x.shape} and {y.shape}")
    maps = list(zip(network_layers(x), network_layers(y), strict=True))
    if not maps or any(f.ndim != 4 or len(f) != len(x) for f, _ in maps):
        raise InputError(
            f"network_layers: expected feature maps [{len(x)}, h, w, c], at least one, got {[f.shape for f, _ in maps]}"
        )
    if weights is None:
        weights = [jnp.ones(f.shape[3]) for f, _ in maps]
    if [np.shape(w) for w in weights] != [f.shape[3:] for f, _ in maps]:
        raise InputError(
            f"weights: expected one vector a layer, of {[f.shape[3] for f, _ in maps]} channels, "
            f"got shapes {[np.shape(w) for w in weights]}"
        )
    # Traced weights have no values that could be checked.
    if any(not isinstance(w, jax.core.Tracer) and np.min(w) < 0 for w in weights):
        raise InputError("weights: expected non-negative numbers, got a negative one")
    total = jnp.zeros(len(x))
    for (f, g), w in zip(maps, weights, strict=True):
        squared = jnp.square(_unit(f) - _unit(g))
        total = total + (squared * jnp.asarray(w)).sum(3).mean((1, 2))
    return total


def _unit(features: jax.Array) -> jax.Array:
    """Channels divided by their norm."""
    features = at_least_float32(features)
    squared = jnp.square(features).sum(3, keepdims=True)
    return features / (safe_root(squared) + _EPSILON)


def perceptual_path_length(
    generate: Callable[[jax.Array], jax.Array],
    latents: Latent,
    distance: Callable[[jax.Array, jax.Array], jax.Array],
    key: jax.Array,
    *,
    n: int,
    epsilon: float = 1e-4,
    space: str = "z",
    sampling: str = "full",
    mapping: Callable[[jax.Array], jax.Array] | None = None,
    batch: int = 32,
    quantile: tuple[float, float] = (0.01, 0.99),
) -> tuple[float, float]:
    """Mean of distance(G(p(t)), G(p(t + epsilon))) / epsilon^2 over paths p between two draws of the prior.

    In z a path is an arc (`jaxgan.models.latents.slerp`): directions are interpolated spherically, lengths
    linearly. StyleGAN drops the lengths, since its mapping network normalises z anyway; for such a generator
    the two agree. In w a path is a straight line between mapped draws; use it also for a prior that is neither
    normal nor a sphere. Crops and resizes, which the published scores of faces have, belong into `generate`.

    Values outside the two quantiles are left out of the mean, as published; the standard error is that of
    such a trimmed mean.

    Example i is drawn from `fold_in(key, i)`, so the batch size changes rounding only (with the published
    epsilon, float32 keeps about four digits of a step). Both ends of a step are generated by calls of one
    shape, so noise that is fixed by the position in the batch is the same for both.

    Args:
      generate: points of the path [batch, d] (after `mapping`) -> images; must be traceable by JAX.
      latents: the prior of z.
      distance: (images, images) -> squared distances [batch], such as `perceptual_distance`; must be
        traceable by JAX.
      key: random key of all draws.
      n: number of paths; 50,000 to 100,000 as published.
      epsilon: length of the step in t. Images must be float32, as uint8 would round the step away.
      space: "z" (arcs) or "w" (lines).
      sampling: how t is drawn: "full", uniformly on [0, 1), or "end", always 0.
      mapping: z [batch, d] -> w, with space "w" only; None leaves z as it is.
      batch: number of paths computed at once.
      quantile: lower and upper quantile of the values that count; (0, 1) takes all of them.

    Returns:
      The trimmed mean and its standard error.

    Raises:
      InputError: for an unknown space or sampling, or an option out of range.

    References:
      Karras, Laine, Aila (2019), A style-based generator architecture for GANs, section 4.1; Karras et al.
      (2020), Analyzing and improving the image quality of StyleGAN, section 3 (w, end).
    """
    interpolate = lookup("space", space, {"z": slerp, "w": _lerp})
    longest = lookup("sampling", sampling, {"full": 1.0, "end": 0.0})
    if mapping is not None and space != "w":
        raise InputError('mapping: expected None with space="z", got a function')
    check_range("n", n, at_least=2)
    check_range("batch", batch, at_least=1)
    check_range("epsilon", epsilon, above=0)
    low, high = quantile
    if not 0 <= low < high <= 1:
        raise InputError(f"quantile: expected 0 <= lower < upper <= 1, got {quantile}")

    @jax.jit
    def lengths(first: jax.Array) -> jax.Array:
        three = jax.vmap(lambda k: jax.random.split(k, 3))(keys.per_example(key, batch, first=first))
        t = longest * jax.vmap(jax.random.uniform)(three[:, 2])
        start, end = jax.vmap(latents.draw)(three[:, 0]), jax.vmap(latents.draw)(three[:, 1])
        if mapping is not None:
            start, end = mapping(start), mapping(end)
        t = t.reshape(batch, *(1,) * (start.ndim - 1))
        near, far = interpolate(start, end, t), interpolate(start, end, t + epsilon)
        return distance(generate(near), generate(far)) / epsilon**2

    values = np.concatenate([np.asarray(lengths(jnp.asarray(i))) for i in range(0, n, batch)])[:n]
    return trimmed_mean(values.astype(np.float64), low, high)


def _lerp(a: jax.Array, b: jax.Array, t: jax.Array) -> jax.Array:
    return a + t * (b - a)
