"""`jaxgan train`: a preset, changed by flags, trained in a new folder."""

from __future__ import annotations

import pathlib
from collections.abc import Collection
from dataclasses import KW_ONLY, dataclass, field
from typing import Annotated

import tyro

from jaxgan.cli.words.processes import Processes
from jaxgan.cli.words.training import Plan, planned
from jaxgan.common.errors import InputError
from jaxgan.config.config import Config


@dataclass(frozen=True)
class Train:
    """Train a preset, changed by flags, in a new folder, and leave a report there."""

    settings: Annotated[Config, tyro.conf.arg(name="")]
    _: KW_ONLY
    dry_run: bool = False
    """Print the resolved configuration, parameters and memory of a step, and train nothing."""
    compile: bool = False
    """With --dry-run: compile a step, and print its memory and FLOPs by the compiler's count."""
    model: str | None = None
    """A family of networks (mlp, dcgan, ... or FILE.py:NAME), with flags --model.* of its own; None: the preset's."""
    seeds: int | None = None
    """Train so many seeds side by side, from --seed on, and report means with intervals."""
    name: str | None = None
    """Name of the run, which ends its folder's name; None: the preset's."""
    lr: float | None = None
    """Learning rate of both players; --g-lr and --d-lr are those of one."""
    g_lr: float | None = None
    """Learning rate of the generator."""
    d_lr: float | None = None
    """Learning rate of the discriminator."""
    epochs: float | None = None
    """Length in passes over the data, instead of --steps; --kimg is one in thousands of images."""
    kimg: float | None = None
    """Length in thousands of images that the discriminator sees, instead of --steps."""
    config: pathlib.Path | None = None
    """Settings of a .json, .yaml or .toml file, or of a run's folder; other flags go before them."""
    trust: bool = False
    """With --config: run code that it names (FILE.py:NAME) though you have not trained with it."""
    together: tyro.conf.OmitArgPrefixes[Processes] = field(default_factory=Processes)


def train(args: list[str]) -> None:
    """Trains a preset, changed by flags, in a new folder."""
    plan = planned(args, Train)
    if plan.together.distributed and plan.seeds is not None:
        raise InputError("seeds: expected one run, without --seeds, beside --distributed")
    with plan.together.joined():
        _train(plan)


def _train(plan: Plan) -> None:
    from jaxgan.runs import environment

    environment.start()
    if plan.compile and not plan.dry_run:
        raise InputError("compile: expected --dry-run beside --compile, got none")
    if plan.name is not None:
        from jaxgan.runs.folder import check_name

        check_name(plan.name)
    if plan.config.game != "gan":
        _check_game(plan.config, plan.given)
    for note in plan.notes:
        print(note)
    if plan.dry_run:
        from jaxgan.cli.words.dry_run import dry_run

        dry_run(plan.config, seeds=plan.seeds, compiled=plan.compile)
        return
    if plan.seeds is None:
        from jaxgan.train.run import train as train_one

        folder = train_one(plan.config, plan.command, name=plan.name)
    else:
        from jaxgan.train.seeds import train_seeds

        folder = train_seeds(plan.config, plan.seeds, plan.command, name=plan.name)
    print(f"report: {folder.report}")


def _check_game(config: Config, given: Collection[str]) -> None:
    """Raises InputError for settings that were typed and that the game, which is not "gan", does not look at."""
    from jaxgan.common.user_files import is_file
    from jaxgan.config.data import as_meant, lacking, open_data, outlined
    from jaxgan.config.looked_at import unread

    config.check()
    told = None if is_file(config.game) else as_meant(config) if lacking(config) else outlined(config)
    if ignored := unread(config, (told or open_data(config)).spec, given):
        raise InputError(
            f"game: {config.game!r} does not look at {', '.join(ignored)}; leave "
            f"{'them' if len(ignored) > 1 else 'it'} out"
            + (", or read the setting from the configuration in the game" if is_file(config.game) else "")
        )
