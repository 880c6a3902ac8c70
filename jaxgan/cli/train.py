"""`jaxgan train`: a preset, changed by flags, trained in a new folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro

from jaxgan.cli.arguments import parse
from jaxgan.config.config import Config
from jaxgan.config.presets import DEFAULT_PRESET, get_preset
from jaxgan.runs import environment


@dataclass(frozen=True)
class _Train:
    config: Annotated[Config, tyro.conf.arg(name="")]
    dry_run: bool = False
    """Print the resolved configuration, parameters, memory and FLOPs of a step, and train nothing."""
    seeds: int | None = None
    """Train so many seeds side by side, from --seed on, and report means with intervals."""


def train(args: list[str]) -> None:
    """Trains a preset, changed by flags, in a new folder."""
    from jaxgan.cli.dry_run import dry_run
    from jaxgan.train.run import train as run

    name = args[0] if args and not args[0].startswith("-") else DEFAULT_PRESET
    rest = args[1:] if args and not args[0].startswith("-") else args
    parsed = parse(_Train, rest, f"train {name}", _Train(get_preset(name)))
    environment.start()
    if parsed.dry_run:
        dry_run(parsed.config)
        return
    command = ["jaxgan", "train", name, *rest]
    if parsed.seeds is not None:
        from jaxgan.train.seeds import train_seeds

        folder = train_seeds(parsed.config, parsed.seeds, command)
    else:
        folder = run(parsed.config, command)
    print(f"report: {folder.report}")
