"""`jaxgan train`: a preset, changed by flags, trained in a new folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro

from jaxgan.cli.arguments import parse
from jaxgan.config.config import Config
from jaxgan.config.presets import DEFAULT_PRESET, get_preset


@dataclass(frozen=True)
class Train:
    """Train a preset, changed by flags, in a new folder, and leave a report there.

    The preset is the first argument (`jaxgan presets` lists them); the defaults below are its own.
    """

    config: Annotated[Config, tyro.conf.arg(name="")]
    dry_run: bool = False
    """Print the resolved configuration, parameters, memory and FLOPs of a step, and train nothing."""
    seeds: int | None = None
    """Train so many seeds side by side, from --seed on, and report means with intervals."""


def train(args: list[str]) -> None:
    """Trains a preset, changed by flags, in a new folder."""
    named = bool(args) and not args[0].startswith("-")
    name, flags = (args[0], args[1:]) if named else (DEFAULT_PRESET, args)
    parsed = parse(Train, flags, f"train {name}", Train(get_preset(name)))

    from jaxgan.runs import environment

    environment.start()
    command = ["jaxgan", "train", name, *flags]
    if parsed.dry_run:
        from jaxgan.cli.dry_run import dry_run

        dry_run(parsed.config)
        return
    if parsed.seeds is None:
        from jaxgan.train.loop import train as train_one

        folder = train_one(parsed.config, command)
    else:
        from jaxgan.train.seeds import train_seeds

        folder = train_seeds(parsed.config, parsed.seeds, command)
    print(f"report: {folder.report}")
