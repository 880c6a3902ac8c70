"""How well a direction changes its attribute and leaves the others, by a classifier of attributes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxgan.apps.attributes import Attributes
from jaxgan.apps.editing.directions import Directions
from jaxgan.apps.editing.edit import Latents, decoded, moved
from jaxgan.apps.network import Network
from jaxgan.common.checks import check_range


class Row(NamedTuple):
    """What the direction of an attribute does.

    Attributes:
      attribute: its name.
      direction: position of the direction that is taken for it.
      name: of the direction.
      change: of the attribute's probability, from `far` standard deviations on one side to as many on the other; mean.
      interval: of it, 95 %, over images.
      others: mean absolute change of the other attributes' probabilities, in the mean over images.
      share: change / (change + sum of the absolute changes of all others).
      share_interval: of it, 95 %, by bootstrap over images.
    """

    attribute: str
    direction: int
    name: str
    change: float
    interval: tuple[float, float]
    others: float
    share: float
    share_interval: tuple[float, float]


def changes(
    network: Network, directions: Directions, attributes: Attributes, seeds: range, far: float = 2.0
) -> np.ndarray:
    """Change of every attribute's probability along every direction, from -far to far: [directions, n, attributes].

    Args:
      network: of the run.
      directions: of z or w.
      attributes: the classifier.
      seeds: of the images.
      far: standard deviations of the latents.
    """
    check_range("far", far, above=0)
    z, labels = network.drawn(seeds)
    twice = lambda x: None if x is None else np.concatenate([x, x])
    both = Latents("z", np.concatenate([z, z]), twice(labels))
    steps = np.repeat([-far, far], len(z))
    found = []
    for i in range(len(directions)):
        p = attributes.scores(decoded(network, moved(network, both, directions, [(i, steps)])))
        found.append(p[len(z) :] - p[: len(z)])
    return np.stack(found)


def disentanglement(
    network: Network,
    directions: Directions,
    attributes: Attributes,
    *,
    n: int = 200,
    far: float = 2.0,
    seed: int = 0,
) -> list[Row]:
    """For each attribute, the direction that changes it, and what it does to the others.

    A supervised direction is that of its name. Of unnamed ones, that direction is taken for an attribute (with the sign
    that adds it) whose `share` is largest on n / 2 images, and it is measured on n others.

    Args:
      network: of the run.
      directions: of z or w.
      attributes: the classifier that says what changed; best one that no direction was made with.
      n: images.
      far: standard deviations to each side.
      seed: of the first image.
    """
    check_range("n", n, at_least=4)
    half = n // 2
    if all(name in directions.names for name in attributes.names):
        chosen = [(directions.names.index(name), 1.0) for name in attributes.names]
    else:
        mean = changes(network, directions, attributes, range(seed, seed + half), far).mean(1)
        best = [
            int(_share(mean, a, np.sign(mean[:, a])[:, None]).argmax()) for a in range(len(attributes.names))
        ]
        chosen = [(i, float(np.sign(mean[i, a])) or 1.0) for a, i in enumerate(best)]
    rows = sorted({i for i, _ in chosen})
    some = directions.only(rows)
    test = changes(network, some, attributes, range(seed + half, seed + half + n), far)
    return [
        _row(name, i, directions.names[i], sign * test[rows.index(i)], a)
        for a, (name, (i, sign)) in enumerate(zip(attributes.names, chosen, strict=True))
    ]


def _share(mean: np.ndarray, a: int, sign: np.ndarray | float = 1.0) -> np.ndarray:
    """change / (|change| + |all others|) of attribute a, from mean changes [..., attributes]."""
    mean = mean * sign
    return mean[..., a] / np.maximum(np.abs(mean).sum(-1), 1e-9)


def _row(attribute: str, direction: int, name: str, change: np.ndarray, a: int) -> Row:
    """Of changes [n, attributes], with the sign that adds the attribute."""
    mean, n = change.mean(0), len(change)
    error = 1.96 * change[:, a].std(ddof=1) / np.sqrt(n)
    rows = np.random.default_rng(0).integers(0, n, (500, n))
    low, high = np.quantile(_share(change[rows].mean(1), a), (0.025, 0.975))
    others = np.abs(np.delete(mean, a))
    return Row(
        attribute,
        direction,
        name,
        float(mean[a]),
        (float(mean[a] - error), float(mean[a] + error)),
        float(others.mean()) if len(others) else 0.0,
        float(_share(mean, a)),
        (float(low), float(high)),
    )
