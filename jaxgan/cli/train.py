"""`jaxgan train`: a preset, changed by flags, trained in a new folder."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import tyro

from jaxgan.cli.arguments import parse
from jaxgan.config.config import Config
from jaxgan.config.presets import DEFAULT_PRESET, get_preset
from jaxgan.models import find_model
from jaxgan.runs import environment


@dataclass(frozen=True)
class _Train:
    config: Annotated[Config, tyro.conf.arg(name="")]
    model: str | None = None
    """mlp or dcgan: networks of this family, with its own defaults and flags --model.*; None: the preset's."""
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
    config = with_model(get_preset(name), rest)
    parsed = parse(_Train, rest, f"train {name}", _Train(config))
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


def with_model(config: Config, args: Sequence[str]) -> Config:
    """The configuration with networks of the family that the arguments ask for: `--model NAME`.

    This is settled before the arguments are parsed, as each family has its own flags `--model.*`. The networks
    stay as they are if they are of this family already; otherwise the family's defaults take their place.

    Raises:
      InputError: for a family that does not exist.
    """
    names = [value for flag, value in itertools.pairwise(args) if flag == "--model"]
    names += [arg.removeprefix("--model=") for arg in args if arg.startswith("--model=")]
    if not names:
        return config
    family = find_model(names[-1])
    return config if type(config.model) is family else dataclasses.replace(config, model=family())
