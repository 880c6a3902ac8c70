"""ADA's pipeline: eighteen transformations of images, each made with probability p."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.augment.bands import amplified
from jaxgan.augment.base import Augmentation
from jaxgan.augment.strength import Strength, rising, steered
from jaxgan.augment.warp import warped
from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError


class Changes(NamedTuple):
    """The changes of one image. By default each of them leaves the image as it is.

    Attributes:
      flip: 1: mirrored left to right.
      turns: by 90 degrees, 0 to 3.
      shift: by whole pixels, as a share of width and height, [2].
      scale: logarithm (base 2, as all of them) of the factor of both sides.
      before: angle of a rotation before the sides are scaled apart.
      stretch: logarithm of the factor of the width; the height has its inverse.
      after: angle of a rotation after that.
      move: as a share of width and height, [2].
      brightness: that is added.
      contrast: logarithm of the factor of all colours.
      luma_flip: 1: brightness is mirrored at 0, hue and saturation stay.
      hue: angle about the axis of greys.
      saturation: logarithm of the factor of the distance from grey.
      bands: logarithms of the gains of four bands of frequencies, [4].
      noise: standard deviation of what is added.
      cutout: side of the rectangle that becomes 0, as a share of the image's.
      centre: of this rectangle, as a share of width and height, [2].
    """

    flip: Any = 0.0
    turns: Any = 0.0
    shift: Any = (0.0, 0.0)
    scale: Any = 0.0
    before: Any = 0.0
    stretch: Any = 0.0
    after: Any = 0.0
    move: Any = (0.0, 0.0)
    brightness: Any = 0.0
    contrast: Any = 0.0
    luma_flip: Any = 0.0
    hue: Any = 0.0
    saturation: Any = 0.0
    bands: Any = (0.0, 0.0, 0.0, 0.0)
    noise: Any = 0.0
    cutout: Any = 0.0
    centre: Any = (0.5, 0.5)


Draw = Callable[[jax.Array], jax.Array]


def _uniform(most: float, *shape: int) -> Draw:
    return lambda key: jax.random.uniform(key, shape, jnp.float32, -most, most)


def _normal(deviation: float, *shape: int) -> Draw:
    return lambda key: deviation * jax.random.normal(key, shape, jnp.float32)


def _one_of(n: int) -> Draw:
    return lambda key: jax.random.randint(key, (), 0, n).astype(jnp.float32)


# Group and distribution of each change, as the authors have them.
_DRAWS: dict[str, tuple[str, Draw]] = {
    "flip": ("blit", _one_of(2)),
    "turns": ("blit", _one_of(4)),
    "shift": ("blit", _uniform(0.125, 2)),
    "scale": ("geometric", _normal(0.2)),
    "before": ("geometric", _uniform(math.pi)),
    "stretch": ("geometric", _normal(0.2)),
    "after": ("geometric", _uniform(math.pi)),
    "move": ("geometric", _normal(0.125, 2)),
    "brightness": ("color", _normal(0.2)),
    "contrast": ("color", _normal(0.5)),
    "luma_flip": ("color", _one_of(2)),
    "hue": ("color", _uniform(math.pi)),
    "saturation": ("color", _normal(1.0)),
    "bands": ("filter", _normal(1.0, 4)),
    "noise": ("noise", lambda key: jnp.abs(_normal(0.1)(key))),
    "cutout": ("cutout", lambda key: jnp.asarray(0.5, jnp.float32)),
}
GROUPS = tuple(dict.fromkeys(group for group, _ in _DRAWS.values()))


def drawn(key: jax.Array, p: jax.Array, factors: Mapping[str, float]) -> Changes:
    """Changes at random: each is made with probability p times the factor of its group.

    The two rotations are made with such a probability that either of them is made with probability p, and each of
    the four bands is drawn for by itself.
    """
    found = {}
    for i, (name, (group, draw)) in enumerate(_DRAWS.items()):
        if not factors[group]:
            continue
        chance = p * factors[group]
        if name in ("before", "after"):
            chance = 1 - jnp.sqrt(jnp.clip(1 - chance, 0, 1))
        made, own = jax.random.split(jax.random.fold_in(key, i))
        made = jax.random.uniform(made, (4,) if name == "bands" else ()) < chance
        found[name] = jnp.where(made, draw(own), 0)
    centre = jax.random.uniform(jax.random.fold_in(key, len(_DRAWS)), (2,))
    return Changes(**found, centre=centre)


def inverse_map(changes: Changes, height: int, width: int) -> jax.Array:
    """Where each point of the changed image lies in the image as it was, [3, 3]; for `warped`."""
    size = jnp.asarray([width, height], jnp.float32)
    scale, stretch = jnp.exp2(-jnp.asarray(changes.scale)), jnp.exp2(jnp.asarray(changes.stretch))
    steps = (
        _scaling(1 - 2 * jnp.asarray(changes.flip), 1.0),
        _rotation(jnp.asarray(changes.turns) * (math.pi / 2)),
        _translation(-jnp.round(jnp.asarray(changes.shift) * size)),
        _scaling(scale, scale),
        _rotation(changes.before),
        _scaling(1 / stretch, stretch),
        _rotation(changes.after),
        _translation(-jnp.asarray(changes.move) * size),
    )
    return _product(steps)


def color_map(changes: Changes) -> jax.Array:
    """Where a colour (red, green, blue, 1) goes, [4, 4]."""
    grey = np.ones((3, 3), np.float32) / 3
    cross = np.asarray([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], np.float32) / np.sqrt(3, dtype=np.float32)
    cos, sin = jnp.cos(changes.hue), jnp.sin(changes.hue)
    rest = np.eye(3, dtype=np.float32) - grey
    steps = (
        _linear(grey + rest * jnp.exp2(changes.saturation)),
        _linear(grey + rest * cos + cross * sin),
        _linear(np.eye(3, dtype=np.float32) - 2 * grey * changes.luma_flip),
        _linear(np.eye(3, dtype=np.float32) * jnp.exp2(changes.contrast)),
        jnp.eye(4).at[:3, 3].set(changes.brightness),
    )
    return _product(steps)


def changed(key: jax.Array, image: jax.Array, changes: Changes, groups: Mapping[str, float]) -> jax.Array:
    """The image [h, w, c] with the changes of those groups that have a factor.

    Opacity, the last of 2 or 4 channels, moves with the image and is cut out with it, and keeps its values otherwise.
    """
    height, width, channels = image.shape
    colors = {2: 1, 4: 3}.get(channels, channels)
    if groups["blit"] or groups["geometric"]:
        image = warped(image, inverse_map(changes, height, width))
    if groups["color"]:
        image = recolored(image, color_map(changes))
    image, opacity = image[..., :colors], image[..., colors:]
    if groups["filter"]:
        image = amplified(image, jnp.asarray(changes.bands))
    if groups["noise"]:
        noise = jax.random.normal(key, image.shape, jnp.float32)
        image = image + (jnp.asarray(changes.noise) * noise).astype(image.dtype)
    image = jnp.concatenate([image, opacity], axis=-1)
    if groups["cutout"]:
        image = jnp.where(_inside(changes, height, width)[..., None], 0, image)
    return image


def recolored(image: jax.Array, matrix: jax.Array) -> jax.Array:
    """Colours of an image [h, w, c] mapped by a matrix [4, 4]; greys, of 1 or 2 channels, as the mean of its rows.

    Raises:
      ValueError: for more than 4 channels.
    """
    channels = image.shape[-1]
    if channels > 4:
        raise InputError(f"color: expected images of 1 to 4 channels, got {channels}")
    colors = 1 if channels < 3 else 3
    matrix = matrix.astype(image.dtype)
    linear, offset = matrix[:3, :3], matrix[:3, 3]
    if colors == 1:
        linear, offset = linear.mean(0).sum()[None, None], offset.mean()[None]
    found = jnp.einsum("ij,hwj->hwi", linear, image[..., :colors], precision="highest") + offset
    return jnp.concatenate([found, image[..., colors:]], axis=-1)


def _inside(changes: Changes, height: int, width: int) -> jax.Array:
    """Whether each pixel is cut out, [h, w]."""
    x, y = (np.arange(size, dtype=np.float32) + 0.5 for size in (width, height))
    near = lambda at, size, centre: jnp.abs(at / size - centre) < jnp.asarray(changes.cutout) / 2
    return near(x, width, changes.centre[0])[None, :] & near(y, height, changes.centre[1])[:, None]


def _product(matrices: tuple[jax.Array, ...]) -> jax.Array:
    total = matrices[0]
    for matrix in matrices[1:]:
        total = jnp.matmul(total, matrix, precision="highest")
    return total


def _linear(matrix: jax.typing.ArrayLike) -> jax.Array:
    return jnp.eye(4).at[:3, :3].set(matrix)


def _scaling(x: Any, y: Any) -> jax.Array:
    return jnp.eye(3).at[0, 0].set(x).at[1, 1].set(y)


def _rotation(angle: Any) -> jax.Array:
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    return jnp.eye(3).at[0, 0].set(cos).at[0, 1].set(-sin).at[1, 0].set(sin).at[1, 1].set(cos)


def _translation(way: jax.Array) -> jax.Array:
    return jnp.eye(3).at[:2, 2].set(way)


def pipeline(strength: Strength, **factors: float) -> Augmentation:
    """The augmentation that makes each change with a probability, of `strength`, times the factor of its group.

    Args:
      strength: p.
      factors: of the groups, at least 0; those that are not named have 0.

    Raises:
      ValueError: for a negative factor, and, where it is traced, for examples that are no images or too small.
    """
    for name, factor in factors.items():
        check_range(name, factor, at_least=0)
    groups = {group: factors.get(group, 0.0) for group in GROUPS}

    def one(key: jax.Array, image: jax.Array, p: jax.Array) -> jax.Array:
        own, noise = jax.random.split(key)
        return changed(noise, image, drawn(own, p, groups), groups)

    def change(p: jax.Array, keys: jax.Array, x: jax.Array) -> jax.Array:
        if x.ndim != 4 or min(x.shape[1:3]) < 2:
            raise InputError(
                f"ada: expected images [n, h, w, c] of at least 2x2 pixels, got examples of shape {x.shape[1:]}"
            )
        return jax.vmap(one, (0, 0, None))(keys, x, p)

    return strength.of(change)


def ada(
    *,
    blit: float = 1.0,
    geometric: float = 1.0,
    color: float = 1.0,
    filter: float = 0.0,
    noise: float = 0.0,
    cutout: float = 0.0,
    target: float = 0.6,
    images: float = 500_000,
    interval: int = 4,
    start: float = 0.0,
) -> Augmentation:
    """ADA: changes of everything that the critic sees, with a probability p that its certainty steers.

    The defaults are the authors' "bgc" at the strength of their "auto" and "cifar" settings. Each example is changed
    by its own key, in the order of the groups below; gradients flow through all of it. p has no upper bound: above 1,
    changes are made always, those with a factor below 1 still more often. At p = 0 an example keeps its
    values to rounding, as it passes through the filters of `warped`.

    Args:
      blit: factor of p for flips, turns by 90 degrees and shifts by up to an eighth in whole pixels.
      geometric: for scaling, rotations, scaling of the sides apart and shifts by fractions of pixels.
      color: for brightness, contrast, luma flip, hue and saturation.
      filter: for the strengths of four bands of frequencies; images must have more than 21 pixels a side.
      noise: for Gaussian noise.
      cutout: for a rectangle of half of each side, set to 0.
      target: of the mean sign of the logits on reals, in (-1, 1).
      images: real images seen while p goes all the way from 0 to 1.
      interval: updates of the critic between two changes of p.
      start: p before the first update.

    Returns:
      The augmentation, with the memory of `steered`.

    Raises:
      ValueError: for numbers out of range, and, where it is traced, for examples that are no images, too small, or of
        more than 4 channels.

    References:
      Karras et al. (2020), Training generative adversarial networks with limited data, sections 2 and 3, appendix B.
    """
    p = steered(target=target, images=images, interval=interval, start=start)
    return pipeline(p, blit=blit, geometric=geometric, color=color, filter=filter, noise=noise, cutout=cutout)


def ada_scheduled(
    *,
    p: float = 0.55,
    steps: int = 0,
    blit: float = 1.0,
    geometric: float = 1.0,
    color: float = 1.0,
    filter: float = 0.0,
    noise: float = 0.0,
    cutout: float = 0.0,
) -> Augmentation:
    """ADA's changes with a probability that rises from 0 to p along half a cosine, whatever the critic does.

    R3GAN has color 0.5 and cutout 1, and on CIFAR-10 p 0.55 after 20 million images, 39,063 steps of 512.

    Args:
      p: at the end of the rise and from then on.
      steps: of the rise; 0: p from the first step on.
      blit: factor of p for this group, as of `ada`.
      geometric: factor of p for this group.
      color: factor of p for this group.
      filter: factor of p for this group.
      noise: factor of p for this group.
      cutout: factor of p for this group.

    Raises:
      ValueError: as of `ada`.

    References:
      Huang et al. (2024), The GAN is dead; long live the GAN! A modern baseline GAN, appendix.
    """
    return pipeline(
        rising(p, steps),
        blit=blit,
        geometric=geometric,
        color=color,
        filter=filter,
        noise=noise,
        cutout=cutout,
    )
