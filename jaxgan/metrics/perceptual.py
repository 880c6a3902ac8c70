"""Distances in the feature maps of a network, and how fast images change along a path of latents."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from jaxgan.common import keys
from jaxgan.common.errors import InputError, lookup
from jaxgan.common.numerics import at_least_float32
from jaxgan.models.latents import Latent

_EPSILON = 1e-10  # of the published distance, added to norms


def perceptual_distance(
    network_layers: Callable[[jax.Array], Sequence[jax.Array]],
    x: ArrayLike,
    y: ArrayLike,
    *,
    weights: Sequence[ArrayLike] | None = None,
) -> jax.Array:
    """LPIPS on the feature maps of any network, per pair of images.

    At each position of each layer the channels are divided by their norm; the squared differences are
    weighted, summed over channels, averaged over positions and summed over layers. With the weights None
    every channel counts 1 (the published "baseline"), so that a layer contributes at most 4; LPIPS itself
    uses the learned weights of its networks, on the squares as its released code does (the equation has them inside
    the norm). It is the square of a distance: no root is taken.

    Args:
      network_layers: images -> feature maps, each [n, h, w, c]. It gets the images as they are given, so it
        says whether they are uint8 or floats in [-1, 1].
      x: images [n, ...].
      y: as x.
      weights: one non-negative vector [c] a layer, or None.

    Returns:
      [n], float32. Gradients are finite also where all channels of a position are 0.

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
    positive = squared > 0  # the root has no gradient at 0
    norm = jnp.where(positive, jnp.sqrt(jnp.where(positive, squared, 1.0)), 0.0)
    return features / (norm + _EPSILON)


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

    In z a path is an arc: directions are interpolated spherically, lengths linearly. StyleGAN drops the
    lengths, since its mapping network normalises z anyway; for such a generator the two agree. In w
    it is a straight line between mapped draws; a prior that is neither normal nor a sphere wants it too.
    Crops and resizes, which the published face scores have, belong into `generate`.

    The values outside the two quantiles are left out of the mean, as published. The standard error is that
    of a trimmed mean, from the winsorised variance: dropping the tail does not hide its spread.

    Example i is drawn from `fold_in(key, i)`: the batch size changes rounding only (with
    the published epsilon float32 keeps about four digits of a step). Both ends of a
    step are generated by calls of one shape, so noise that is fixed by position in the batch is shared.

    Args:
      generate: points of the path [batch, d] (those that `mapping` returns) -> images; can be jitted.
      latents: the prior of z.
      distance: (images, images) -> squared distances [batch], such as `perceptual_distance`; can be jitted.
      key: of all draws.
      n: number of paths; 50,000 to 100,000 as published.
      epsilon: length of the step in t. Images must be float32: uint8 would round the step away.
      space: "z" (arcs) or "w" (lines).
      sampling: of t: "full", uniform on [0, 1), or "end", t = 0.
      mapping: z [batch, d] -> w, with space "w" only; None leaves z as it is.
      batch: paths computed at once.
      quantile: lower and upper, of the values that count; (0, 1) takes all.

    Returns:
      The trimmed mean and its standard error.

    Raises:
      InputError: for an unknown space or sampling, or an option out of range.

    References:
      Karras, Laine, Aila (2019), A style-based generator architecture for GANs, section 4.1; Karras et al.
      (2020), Analyzing and improving the image quality of StyleGAN, section 3 (w, end); Tukey, McLaughlin
      (1963) for the standard error.
    """
    interpolate = lookup("space", space, {"z": _slerp, "w": _lerp})
    longest = lookup("sampling", sampling, {"full": 1.0, "end": 0.0})
    if mapping is not None and space != "w":
        raise InputError('mapping: expected None with space="z", got a function')
    if n < 2 or batch < 1:
        raise InputError(f"n and batch: expected n >= 2 and batch >= 1, got {n} and {batch}")
    if not epsilon > 0:
        raise InputError(f"epsilon: expected a positive number, got {epsilon}")
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
    return _trimmed_mean(values.astype(np.float64), low, high)


def _lerp(a: jax.Array, b: jax.Array, t: jax.Array) -> jax.Array:
    return a + t * (b - a)


def _slerp(a: jax.Array, b: jax.Array, t: jax.Array) -> jax.Array:
    """The arc from a to b; the length of a point between theirs."""
    length = lambda v: jnp.sqrt(jnp.square(v).sum(-1, keepdims=True))
    tiny = jnp.finfo(a.dtype).tiny
    a_length, b_length = length(a), length(b)
    a, b = a / jnp.maximum(a_length, tiny), b / jnp.maximum(b_length, tiny)
    cosine = (a * b).sum(-1, keepdims=True)
    across = b - cosine * a
    sine = length(across)
    angle = t * jnp.arctan2(sine, cosine)  # precise also near 0, where arccos is not
    direction = a * jnp.cos(angle) + across / jnp.maximum(sine, tiny) * jnp.sin(angle)
    return _lerp(a_length, b_length, t) * direction


def _trimmed_mean(values: np.ndarray, low: float, high: float) -> tuple[float, float]:
    """Mean of the values between two quantiles (included), and its standard error."""
    floor, ceiling = np.quantile(values, low, method="lower"), np.quantile(values, high, method="higher")
    kept = values[(floor <= values) & (values <= ceiling)]
    winsorised = np.clip(values, floor, ceiling)
    error = winsorised.std(ddof=1) * math.sqrt(len(values)) / len(kept)
    return float(kept.mean()), float(error)
