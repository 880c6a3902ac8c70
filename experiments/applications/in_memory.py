"""Games trained without a folder, and the data of the applications' experiments."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxgan.config import Config, HealthConfig
from jaxgan.data import Images, Source, as_images, open_source
from jaxgan.train.loop import Keeper, loop
from jaxgan.train.members import Members


@dataclass(frozen=True)
class Trained:
    """A trained game, with what scores and detectors look at of a `jaxgan.runs.opened.Run`.

    Attributes:
      config: of the training.
      game: its static half.
      spec: of the data.
      sampler: of its output.
      variables: of the averaged output.
      players: variables of every player at rest.
      seconds: that the training took.
      diverged: whether a number was not finite.
    """

    config: Config
    game: Any
    spec: Any
    sampler: Any
    variables: Any
    players: Mapping[str, Any]
    seconds: float
    diverged: bool = False
    step: int = 0


def trained(config: Config, source: Source) -> Trained:
    """A configuration trained on data that are open, with the configuration's seed, on one device."""
    changes: Any = {
        "compute": dataclasses.replace(config.compute, devices=1),
        "health": HealthConfig(enabled=False),
    }
    config = dataclasses.replace(config, **changes)
    begun = time.monotonic()
    members, keeper = Members(config, [config.seed], source=source), Keeper()
    states = members.joined([members.init_member(0)])
    states, step = loop(members, [keeper], [], states, 0, wanted=("log",))
    state, game = members.member(states, 0), members.game
    players = {name: game.at_rest(state, name) for name in game.players}
    seconds = time.monotonic() - begun
    averaged = game.averaged(state)
    return Trained(
        config, game, source.spec, members.sampler, averaged, players, seconds, keeper.error is not None, step
    )


def part_of(source: Images, rows: np.ndarray, name: str) -> Images:
    """Some rows of images as a source of their own, without labels."""
    return Images(
        name,
        np.ascontiguousarray(source.images[rows]),
        None,
        class_names=(),
        fingerprint=f"{name}:{len(rows)}",
    )


def data_for(name: str, split: str) -> Images:
    """MNIST of the package, or another source of TFDS, or NAME-SPLIT.npz in the folder that JAXGAN_NPZ names."""
    folder = os.environ.get("JAXGAN_NPZ")
    if folder and name != "mnist":
        arrays = np.load(pathlib.Path(folder) / f"{name}-{split}.npz")
        labels = arrays["labels"].astype(np.int32)
        names = tuple(str(i) for i in range(int(labels.max()) + 1))
        return Images(
            f"npz:{name}-{split}.npz",
            arrays["images"],
            labels,
            class_names=names,
            fingerprint=f"{name}-{split}",
        )
    return as_images(open_source("mnist" if name == "mnist" else f"tfds:{name}", split), "source")
