"""The units of a layer: their maps, and images in which they are silent or forced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxgan.apps.network import Change, Network, parts
from jaxgan.common.errors import InputError, unknown

FORCED = 0.99  # quantile of a unit's values, which it is forced to


def layers(network: Network) -> dict[str, tuple[int, int, int]]:
    """Modules that give maps of units, in the order in which they are called: name -> (height, width, units)."""
    least = network.shape[2] + 1
    fits = lambda shape: len(shape) == 4 and shape[3] >= least and min(shape[1:3]) > 1
    found = network.modules(lambda module, name, given: fits(given.shape))
    return {name: shape[1:] for name, shape in found.items()}  # pyright: ignore[reportReturnType]


def find_layer(network: Network, name: str | None = None) -> str:
    """The layer called `name`; None: the last one whose maps have about a quarter of the image's sides.

    Raises:
      InputError: for a layer that there is not, or a network without maps.
    """
    found = layers(network)
    if not found:
        raise InputError(
            "run: expected a network with maps of units to dissect, got one without (an mlp has none)"
        )
    if name is not None:
        if name not in found:
            raise unknown("layer", name, found)
        return name
    wanted = min(network.shape[:2]) / 4
    side = min({min(shape[:2]) for shape in found.values()}, key=lambda s: abs(np.log(s / wanted)))
    return [name for name, shape in found.items() if min(shape[:2]) == side][-1]


def maps_of(
    network: Network, layer: str, z: np.ndarray, labels: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Images of latents as they are stored, [n, H, W, c], and the maps of a layer's units, float32 [n, h, w, units]."""

    def look(variables: Any, z: Any, labels: Any) -> Any:
        x, found = network.watched(variables, z, labels, wanted=lambda module, name, given: name == layer)
        return network.run.spec.from_model(x), found[layer].astype(jnp.float32)

    program = network.program(f"maps {layer}", look)
    made = [(program(network.variables, *p), k) for p, k in parts(z, labels)]
    images, maps = (np.concatenate([np.asarray(x[i])[:k] for x, k in made]) for i in (0, 1))
    return images, maps


class Units(NamedTuple):
    """What is done to a layer: some of its units give a value of theirs, at all positions or at some.

    Attributes:
      layer: its name.
      chosen: positions of the units.
      values: [c], what each unit of the layer gives where it is changed; zeros: the chosen are silent.
      where: bool [h, w], or None for everywhere.
    """

    layer: str
    chosen: Sequence[int]
    values: np.ndarray
    where: np.ndarray | None = None


def changed_images(network: Network, units: Units, z: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
    """Images of latents, as they are stored, with units changed. All changes of a layer share one program."""
    height, width, count = layers(network)[units.layer]
    mask = np.zeros(count, np.float32)
    mask[list(units.chosen)] = 1
    where = np.ones((height, width), np.float32) if units.where is None else units.where.astype(np.float32)

    def make(variables: Any, z: Any, labels: Any, change: Any) -> Any:
        none = lambda module, name, given: False
        x, _ = network.watched(variables, z, labels, wanted=none, changes={units.layer: Change(*change)})
        return network.run.spec.from_model(x)

    program = network.program(f"changed {units.layer}", make)
    change = (mask, units.values.astype(np.float32), where)
    made = [np.asarray(program(network.variables, *p, change))[:k] for p, k in parts(z, labels)]
    return np.concatenate(made)


def forced_values(maps: np.ndarray) -> np.ndarray:
    """[c]: the 0.99 quantile of every unit's values, which it is forced to."""
    return np.quantile(maps.reshape(-1, maps.shape[3]), FORCED, axis=0)


class Effect(NamedTuple):
    """What a change does to the area of a concept: shares of the pixels, means over images.

    Attributes:
      before: without the change.
      after: with it.
      difference: after - before.
      interval: of the difference, 95 %, by its standard error over images.
      images: share of the images that had the concept and have it no more (or, if units are forced, have it now and had
        it not).
    """

    before: float
    after: float
    difference: float
    interval: tuple[float, float]
    images: float


def effect(before: np.ndarray, after: np.ndarray, *, appears: bool = False) -> Effect:
    """The effect on a concept of masks bool [n, h, w] without and with a change."""
    a, b = before.mean((1, 2)), after.mean((1, 2))
    d = b - a
    error = 1.96 * d.std(ddof=1) / np.sqrt(len(d)) if len(d) > 1 else float("nan")
    had, has = (a == 0, b > 0) if appears else (a > 0, b == 0)
    share = float((had & has).sum() / had.sum()) if had.any() else 0.0
    mean = float(d.mean())
    return Effect(float(a.mean()), float(b.mean()), mean, (mean - error, mean + error), share)


def by_effect(
    network: Network,
    layer: str,
    z: np.ndarray,
    labels: np.ndarray | None,
    segment: Callable[[np.ndarray], dict[str, np.ndarray]],
    on_unit: Callable[[int, int], None] = lambda done, all_: None,
) -> tuple[list[str], np.ndarray]:
    """How much of each concept is left when one unit after another is silent: names, and [units, concepts].

    What is given is the share of the concept's area that goes, so that 1 is all and 0 nothing; where silence makes more
    of it, it is negative.
    """
    count = layers(network)[layer][2]
    none = np.zeros(count)
    before = {
        name: mask.mean()
        for name, mask in segment(changed_images(network, Units(layer, [], none), z, labels)).items()
    }
    rows = []
    for unit in range(count):
        masks = segment(changed_images(network, Units(layer, [unit], none), z, labels))
        rows.append(
            [1 - masks[name].mean() / max(area, 1e-9) if area > 0 else 0.0 for name, area in before.items()]
        )
        on_unit(unit + 1, count)
    return list(before), np.asarray(rows)
