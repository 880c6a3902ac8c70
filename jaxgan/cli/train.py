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


@dataclass(frozen=True)
class Train:
    """Train a preset, changed by flags, in a new folder, and leave a report there.

    The preset is the first argument (`jaxgan presets` lists them); the defaults below are its own.
    """

    config: Annotated[Config, tyro.conf.arg(name="")]
    dry_run: bool = False
    """Print the resolved configuration, parameters, memory and FLOPs of a step, and train nothing."""
    model: str | None = None
    """mlp, dcgan or FILE.py:NAME: networks of this family, with flags --model.* of its own; None: the preset's."""
    seeds: int | None = None
    """Train so many seeds side by side, from --seed on, and report means with intervals."""
    name: str | None = None
    """Name of the run, which ends its folder's name; None: the preset's."""


def train(args: list[str]) -> None:
    """Trains a preset, changed by flags, in a new folder."""
    named = bool(args) and not args[0].startswith("-")
    name, flags = (args[0], args[1:]) if named else (DEFAULT_PRESET, args)
    config = with_model(get_preset(name), flags)
    parsed = parse(Train, flags, f"train {name}", Train(config))

    from jaxgan.runs import environment

    environment.start()
    if parsed.name is not None:
        from jaxgan.runs.folder import check_name

        check_name(parsed.name)
    command = ["jaxgan", "train", name, *flags]
    if parsed.dry_run:
        from jaxgan.cli.dry_run import dry_run

        dry_run(parsed.config)
        return
    if parsed.seeds is None:
        from jaxgan.train.run import train as train_one

        folder = train_one(parsed.config, command, name=parsed.name)
    else:
        from jaxgan.train.seeds import train_seeds

        folder = train_seeds(parsed.config, parsed.seeds, command, name=parsed.name)
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
