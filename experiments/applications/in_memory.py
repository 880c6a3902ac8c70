"""Games trained without a folder, and the tables of results that the applications' experiments write."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxgan.common.devices import platform
from jaxgan.common.packages import version_of
from jaxgan.config import ComputeConfig, Config, HealthConfig
from jaxgan.data import Images, Source
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
        name, np.ascontiguousarray(source.images[rows]), None, (), fingerprint=f"{name}:{len(rows)}"
    )


def device_in_words() -> str:
    """What the experiment ran on."""
    import os

    import jax

    kind = jax.devices()[0].device_kind
    return f"{platform()} ({kind}), {os.cpu_count()} processors"


def environment() -> dict[str, str]:
    """Versions, hardware and date."""
    packages = ("jax", "flax", "optax", "numpy", "scipy")
    return {
        "date": time.strftime("%Y-%m-%d"),
        "device": device_in_words(),
        **{name: version_of(name) for name in packages},
    }


def write_result(path: pathlib.Path, result: Mapping[str, Any]) -> None:
    """Writes a result as JSON, numbers rounded to six digits."""

    def plain(value: Any) -> Any:
        if isinstance(value, float | np.floating):
            return float(f"{float(value):.6g}") if np.isfinite(value) else None
        if isinstance(value, np.integer):
            return int(value)
        if isinstance(value, Mapping):
            return {name: plain(inner) for name, inner in value.items()}
        return (
            [plain(inner) for inner in value]
            if isinstance(value, Sequence) and not isinstance(value, str)
            else value
        )

    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(plain(result), indent=1) + "\n")


def print_result(result: Mapping[str, Any]) -> None:
    """Prints rows and goals."""
    print(f"\n{result['title']}: {result['protocol']}")
    for row in result["rows"]:
        print(
            f"  {row['what']}: {row['score']} {_with(row['ours'], row['interval'])}; {row['baseline']} "
            f"{_with(row['baseline_value'], row['baseline_interval'])} ({row['better']} is better)"
        )
    for goal in result["goals"]:
        print(f"  goal {'met' if goal['met'] else 'NOT met'}: {goal['goal']} ({goal['figure']})")
    print(f"  {result['seconds']:.0f} s, {result['environment']['device']}")


def _with(value: float | None, interval: Sequence[float] | None) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" + (f" [{interval[0]:.4g}, {interval[1]:.4g}]" if interval else "")


def data_for(name: str, split: str) -> Images:
    """MNIST of the package, or another source of TFDS, or NAME-SPLIT.npz in the folder that JAXGAN_NPZ names."""
    import os

    from jaxgan.data import as_images, open_source

    folder = os.environ.get("JAXGAN_NPZ")
    if folder and name != "mnist":
        arrays = np.load(pathlib.Path(folder) / f"{name}-{split}.npz")
        labels = arrays["labels"].astype(np.int32)
        names = tuple(str(i) for i in range(int(labels.max()) + 1))
        return Images(
            f"npz:{name}-{split}.npz", arrays["images"], labels, names, fingerprint=f"{name}-{split}"
        )
    return as_images(open_source("mnist" if name == "mnist" else f"tfds:{name}", split), "source")


__all__ = [
    "ComputeConfig",
    "Trained",
    "data_for",
    "environment",
    "part_of",
    "print_result",
    "trained",
    "write_result",
]
