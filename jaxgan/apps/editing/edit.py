"""Latents that move along directions, mix their styles, or walk from one to another; and classes that morph."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.apps.editing.directions import Directions
from jaxgan.apps.network import Network, Space, parts
from jaxgan.common.errors import InputError
from jaxgan.models.latents import slerp
from jaxgan.models.layers import ConditionalBatchNorm


class Move(NamedTuple):
    """A way along a direction, in standard deviations of the latents: from `first` to `last`, which may be equal."""

    direction: str
    first: float
    last: float


class Latents(NamedTuple):
    """n latents: z [n, d], w [n, d] or w+ [n, layers, d], with the classes [n] of a conditional generator."""

    space: Space
    v: np.ndarray
    labels: np.ndarray | None


_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"


def parsed_move(text: str) -> Move:
    """ "3=-2:2" or "glasses=1.5". Raises InputError for anything else."""
    match = re.fullmatch(rf"(.+)=({_NUMBER})(?::({_NUMBER}))?", text.strip())
    if not match:
        raise InputError(f"direction: expected one such as 3=-2:2 or glasses=1.5, got {text!r}")
    return Move(match[1], float(match[2]), float(match[3] or match[2]))


def as_space(network: Network, latents: Latents, space: Space) -> Latents:
    """The same images' latents in another space, towards which there is a way: z -> w -> w+.

    Raises:
      InputError: for the ways back, which `jaxgan project` goes by optimisation.
    """
    network.check_space(space)
    if latents.space == space:
        return latents
    if latents.space == "z":
        ws = network.styles(latents.v, latents.labels)
        return Latents(space, ws[:, 0] if space == "w" else ws, latents.labels)
    if latents.space == "w" and space == "w+":
        ws = np.repeat(latents.v[:, None], network.style_shape[0], axis=1)
        return Latents("w+", ws, latents.labels)
    raise InputError(f"space: expected {latents.space!r}, in which the latent is, got {space!r}")


def decoded(network: Network, latents: Latents) -> np.ndarray:
    """The images of latents of any space, as the data are stored."""
    v = latents.v if latents.space == "z" else as_space(network, latents, "w+").v
    return network.decode(v, latents.labels)


def moved(
    network: Network,
    latents: Latents,
    directions: Directions,
    steps: Sequence[tuple[int, np.ndarray]],
    layers: Sequence[int] | None = None,
) -> Latents:
    """Latents moved along directions.

    Args:
      network: whose latents they are.
      latents: n of them; z moves in w where the directions are of w.
      directions: of z or w.
      steps: positions of directions, and how far each latent moves along them, [n], in standard deviations.
      layers: of w+ that are moved; None: all.

    Raises:
      InputError: for directions of z and latents of w, or layers that there are not.
    """
    if directions.space == "z":
        if latents.space != "z":
            raise InputError(
                f"directions: expected those of w, as the latent is of {latents.space}, got those of z"
            )
        if layers is not None:
            raise InputError("layers: expected none beside directions of z, which has no layers")
        v = latents.v.astype(np.float64)
        for i, far in steps:
            v = v + far[:, None] * directions.scales[i] * directions.vectors[i]
        return Latents("z", v.astype(np.float32), latents.labels)
    whole = as_space(network, latents, "w+")
    chosen = np.zeros(network.style_shape[0])
    chosen[check_layers(network, layers)] = 1
    v = whole.v.astype(np.float64)
    for i, far in steps:
        v = v + chosen[:, None] * (far[:, None] * directions.scales[i] * directions.vectors[i])[:, None]
    return Latents("w+", v.astype(np.float32), latents.labels)


def check_layers(network: Network, layers: Sequence[int] | None) -> list[int]:
    """Positions of layers of w+; None: all. Raises InputError for one that there is not, or a family without styles."""
    count = network.style_shape[0]
    if layers is None:
        return list(range(count))
    if wrong := [layer for layer in layers if not 0 <= layer < count]:
        raise InputError(f"layers: expected numbers from 0 to {count - 1}, got {wrong[0]}")
    return list(layers)


def walk(network: Network, latents: Latents, others: Latents, t: np.ndarray) -> Latents:
    """Latents on the way from each to its other: [n * frames, ...], along arcs in z, along lines in w and w+.

    Args:
      network: whose latents they are.
      latents: n where the ways begin.
      others: n where they end, of the same space.
      t: shares of the way, [frames].
    """
    a, b = latents.v[:, None], others.v[:, None]
    if latents.space == "z":
        shares = jnp.asarray(t, jnp.float32)[None, :, None]
        path = np.asarray(slerp(jnp.asarray(a), jnp.asarray(b), shares))
    else:
        share = np.asarray(t, np.float32).reshape(1, -1, *(1,) * (latents.v.ndim - 1))
        path = a + share * (b - a)
    labels = None
    if latents.labels is not None and others.labels is not None:
        labels = np.where(t[None] < 0.5, latents.labels[:, None], others.labels[:, None]).reshape(-1)
    return Latents(latents.space, path.reshape(-1, *latents.v.shape[1:]), labels)


def mixed(network: Network, coarse: Latents, fine: Latents, layers: Sequence[int]) -> Latents:
    """Every one of n latents with the styles that every one of m others has in some layers: w+ [n * m, layers, d].

    Args:
      network: of a family with styles.
      coarse: n latents.
      fine: m latents, of whose styles `layers` are taken.
      layers: their positions.

    Raises:
      InputError: for a family without styles, or layers that there are not.

    References:
      Karras et al. (2019), A style-based generator architecture for GANs, section 3.1.
    """
    taken = check_layers(network, layers)
    a, b = as_space(network, coarse, "w+").v, as_space(network, fine, "w+").v
    out = np.repeat(a[:, None], len(b), axis=1)
    out[:, :, taken] = b[None][:, :, taken]
    labels = None if coarse.labels is None else np.repeat(coarse.labels, len(b))
    return Latents("w+", out.reshape(-1, *a.shape[1:]), labels)


# --- classes ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def between_classes(first: Any, last: Any, t: Any, n_classes: int) -> Iterator[None]:
    """Inside, what a label becomes is (1 - t) of what it is for the class `first` and t of that for `last`.

    Raises:
      InputError: at its end, where nothing was met that a label becomes.
    """
    share = jnp.asarray(t, jnp.float32)[:, None]
    embeds: list[str] = []
    norms = 0

    def look(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        nonlocal norms
        module = context.module
        if context.method_name == "__call__" and isinstance(module, nn.Embed):
            embeds.append(module.name or "")
            return (1 - share) * call(first) + share * call(last)
        if isinstance(module, ConditionalBatchNorm) and not embeds and args[1].shape[-1] == n_classes:
            norms += 1
            one_hot = (1 - share) * jax.nn.one_hot(first, n_classes) + share * jax.nn.one_hot(last, n_classes)
            return call(args[0], one_hot, *args[2:], **kwargs)
        return call(*args, **kwargs)

    with nn.intercept_methods(look):
        yield
    if not embeds and not norms:
        raise InputError("morph: expected a generator that embeds its classes, got one without embeddings")


def morphed(
    network: Network, z: np.ndarray, first: np.ndarray, last: np.ndarray, t: np.ndarray
) -> np.ndarray:
    """Images between two classes, of latents z [n, d] and shares t [n] of the way from one class to the other.

    What moves is the embedding of the class, or, where there are styles, w between those that the mapping makes of z
    with the one and with the other class.

    Args:
      network: conditional.
      z: latents.
      first: classes, int32 [n].
      last: classes, int32 [n].
      t: from 0 to 1.

    Returns:
      Images as they are stored, [n, h, w, c].

    Raises:
      InputError: for a generator without classes, or one that takes them in another way than by embedding them.
    """
    if not network.n_classes:
        raise InputError("morph: expected a conditional generator, got one without classes")
    if network.has_styles:
        a, b = network.styles(z, first), network.styles(z, last)
        return network.decode((a + t[:, None, None] * (b - a)).astype(np.float32), first)

    def between(variables: Any, z: Any, first: Any, last: Any, t: Any) -> Any:
        with between_classes(first, last, t, network.n_classes):
            return network.run.spec.from_model(network.images(variables, z, first))

    program = network.program("morphed", between)
    made = (
        np.asarray(program(network.variables, *p))[:k]
        for p, k in parts(z, first.astype(np.int32), last.astype(np.int32), t.astype(np.float32))
    )
    return np.concatenate(list(made))
